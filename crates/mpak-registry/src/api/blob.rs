//! `GET /blobs/sha256/ab/cdef…`: the bytes of an artifact, for any `Accept`, with ranges.
//!
//! What a digest names never changes, so the answer may be kept for ever. Spec: RFC 9110 §14.

use std::io::{Seek as _, SeekFrom};
use std::ops::Range;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, Response as HttpResponse, StatusCode, header};
use axum::response::Response;
use mpak_bundle::digest::Sha256;
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;

use crate::error::{ApiError, ApiResult};
use crate::state::AppState;

/// Bytes that are read from disk at once.
const READ_BYTES: usize = 128 << 10;

/// `GET /blobs/sha256/{first two digits}/{the others}`
pub(crate) async fn blob(
    State(state): State<AppState>,
    Path((first, others)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let not_found = || ApiError::not_found("Blob not found");
    let hex = format!("{first}{others}");
    let lower = hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let sha256: Sha256 = hex.parse().map_err(|_not_hex| not_found())?;
    if first.len() != 2 || !lower {
        return Err(not_found());
    }
    send(&state, &sha256, &method, &headers, None).await
}

/// Sends a blob, or the part of it that `Range` asks for; as a file to save when it is given a name.
pub(crate) async fn send(
    state: &AppState,
    sha256: &Sha256,
    method: &Method,
    headers: &HeaderMap,
    filename: Option<&str>,
) -> ApiResult<Response> {
    let etag = format!("\"sha256-{sha256}\"");
    // 1. The asker has it.
    if matches_etag(headers, header::IF_NONE_MATCH, &etag) {
        return respond(StatusCode::NOT_MODIFIED, &etag, filename, Body::empty(), &[]);
    }
    // 2. Which part of it.
    let (blobs, digest) = (state.blobs.clone(), *sha256);
    let opened = tokio::task::spawn_blocking(move || blobs.get(&digest)).await;
    let opened = opened.map_err(|e| ApiError::internal(&e))?.map_err(|e| ApiError::internal(&e))?;
    let (mut file, size) = opened.ok_or_else(|| ApiError::not_found("Blob not found"))?;
    let unchanged = !headers.contains_key(header::IF_RANGE) || matches_etag(headers, header::IF_RANGE, &etag);
    let range = headers.get(header::RANGE).filter(|_| unchanged && *method == Method::GET);
    let (status, part) = match range.and_then(|r| r.to_str().ok()).map(|r| parse_range(r, size)) {
        None | Some(Asked::Ignored) => (StatusCode::OK, 0..size),
        Some(Asked::Part(part)) => (StatusCode::PARTIAL_CONTENT, part),
        Some(Asked::Unsatisfiable) => {
            let whole = [(header::CONTENT_RANGE, format!("bytes */{size}"))];
            return respond(StatusCode::RANGE_NOT_SATISFIABLE, &etag, None, Body::empty(), &whole);
        }
    };
    // 3. Send it.
    let length = part.end - part.start;
    let mut more = vec![(header::CONTENT_LENGTH, length.to_string())];
    if status == StatusCode::PARTIAL_CONTENT {
        more.push((header::CONTENT_RANGE, format!("bytes {}-{}/{size}", part.start, part.end - 1)));
    }
    let body = if *method == Method::HEAD {
        Body::empty()
    } else {
        file.seek(SeekFrom::Start(part.start)).map_err(|e| ApiError::internal(&e))?;
        let reader = tokio::fs::File::from_std(file).take(length);
        Body::from_stream(ReaderStream::with_capacity(reader, READ_BYTES))
    };
    respond(status, &etag, filename, body, &more)
}

fn respond(
    status: StatusCode,
    etag: &str,
    filename: Option<&str>,
    body: Body,
    more: &[(header::HeaderName, String)],
) -> ApiResult<Response> {
    let mut response = HttpResponse::builder()
        .status(status)
        .header(header::ETAG, etag)
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::CONTENT_TYPE, "application/octet-stream");
    // A file name belongs to an address that may mean other bytes tomorrow (`latest`).
    response = match filename {
        // Names and versions hold no character that would need quoting.
        Some(name) => response.header(header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        None => response.header(
            header::CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=31536000, immutable, no-transform"),
        ),
    };
    for (name, value) in more {
        response = response.header(name, value);
    }
    response.body(body).map_err(|e| ApiError::internal(&e))
}

/// Whether a conditional header names this entity tag.
pub(super) fn matches_etag(headers: &HeaderMap, name: header::HeaderName, etag: &str) -> bool {
    let values = headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    values.split(',').map(str::trim).any(|v| v == etag || v == "*")
}

/// What a `Range` header asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// Nothing that we understand, or several parts: the whole is sent.
    Ignored,
    /// These bytes.
    Part(Range<u64>),
    /// Bytes that are not there.
    Unsatisfiable,
}

fn parse_range(text: &str, size: u64) -> Asked {
    let Some((first, last)) = text.trim().strip_prefix("bytes=").and_then(|r| r.split_once('-')) else {
        return Asked::Ignored;
    };
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit()) && t.len() < 20;
    if !digits(first) || !digits(last) {
        return Asked::Ignored;
    }
    match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if last < first => Asked::Ignored,
        (Ok(first), _) if first >= size => Asked::Unsatisfiable,
        (Ok(first), Ok(last)) => Asked::Part(first..last.saturating_add(1).min(size)),
        (Ok(first), Err(_open_end)) => Asked::Part(first..size),
        (Err(_suffix), Ok(0)) => Asked::Unsatisfiable,
        (Err(_suffix), Ok(_)) if size == 0 => Asked::Unsatisfiable,
        (Err(_suffix), Ok(last)) => Asked::Part(size.saturating_sub(last)..size),
        (Err(_), Err(_)) => Asked::Ignored,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_rfc_9110_says() {
        for (text, expect) in [
            ("bytes=0-0", Asked::Part(0..1)),
            ("bytes=2-5", Asked::Part(2..6)),
            ("bytes=2-", Asked::Part(2..10)),
            ("bytes=-3", Asked::Part(7..10)),
            ("bytes=-99", Asked::Part(0..10)),
            ("bytes=9-99", Asked::Part(9..10)),
            ("bytes=10-", Asked::Unsatisfiable),
            ("bytes=-0", Asked::Unsatisfiable),
            ("bytes=5-2", Asked::Ignored),
            ("bytes=0-1,3-4", Asked::Ignored),
            ("bytes=-", Asked::Ignored),
            ("bytes=a-b", Asked::Ignored),
            ("bytes=+1-2", Asked::Ignored),
            ("lines=0-1", Asked::Ignored),
            ("bytes=0-18446744073709551615", Asked::Ignored),
        ] {
            assert_eq!(parse_range(text, 10), expect, "{text}");
        }
        assert_eq!(parse_range("bytes=-1", 0), Asked::Unsatisfiable);
    }
}
