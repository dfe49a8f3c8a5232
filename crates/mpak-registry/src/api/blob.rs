//! `GET /blobs/sha256/ab/cdef…`: the bytes of an artifact, for any `Accept`, with ranges.
//!
//! What a digest names never changes, so the answer may be kept for ever. Spec: RFC 9110 §14.

use std::ops::Range;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, Response as HttpResponse, StatusCode, header};
use axum::response::Response;
use mpak_bundle::digest::Sha256;

use crate::blob::BlobError;
use crate::config::Downloads;
use crate::db::blobs;
use crate::error::{ApiError, ApiResult};
use crate::linked;
use crate::state::AppState;

/// `GET /blobs/sha256/{first two digits}/{the others}`
#[utoipa::path(
    get, path = "/blobs/sha256/{first}/{others}", tag = "static files",
    params(("first" = String, Path, description = "The first two hex digits"), ("others" = String, Path, description = "The other 62")),
    responses((status = 200, description = "The bytes", body = [u8], content_type = "application/octet-stream"),
        (status = 206, description = "A part of them"), (status = 302, description = "Where they are"),
        (status = 304, description = "Unchanged"), (status = 416, description = "No such part")),
)]
pub(crate) async fn blob(
    State(state): State<AppState>,
    Path((first, others)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let hex = format!("{first}{others}");
    let lower = hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let sha256: Sha256 = hex.parse().map_err(|_not_hex| not_found())?;
    if first.len() != 2 || !lower {
        return Err(not_found());
    }
    // What nobody may see is not found by its digest either.
    if blobs::is_hidden(&mut *state.db.read().await?, &sha256).await? {
        return Err(not_found());
    }
    send(&state, Wanted { sha256, artifact: None, size_bytes: None, filename: None }, &method, &headers).await
}

/// What is to be sent.
pub(crate) struct Wanted<'a> {
    /// Which blob.
    pub(crate) sha256: Sha256,
    /// The artifact whose bytes they are, where it is known: only its own release gives them then.
    pub(crate) artifact: Option<i64>,
    /// Its length, where that is known.
    pub(crate) size_bytes: Option<u64>,
    /// The name of the file to save it as.
    pub(crate) filename: Option<&'a str>,
}

/// Sends a blob, or the part of it that `Range` asks for; as a file to save when it is given a name.
pub(crate) async fn send(
    state: &AppState,
    wanted: Wanted<'_>,
    method: &Method,
    headers: &HeaderMap,
) -> ApiResult<Response> {
    let Wanted { sha256, artifact, size_bytes, filename } = wanted;
    let sha256 = &sha256;
    let etag = format!("\"sha256-{sha256}\"");
    // 1. The asker has it, and it is still there to be had.
    if matches_etag(headers, header::IF_NONE_MATCH, &etag) {
        if !blobs::is_known(&mut *state.db.read().await?, sha256).await? {
            return Err(not_found());
        }
        return respond(StatusCode::NOT_MODIFIED, &etag, filename, Body::empty(), &[]);
    }
    // 2. Its release gives it, or the store, whose signed addresses are for GET only.
    let released = match artifact {
        Some(artifact) => linked::address_of(state, artifact).await?,
        None => linked::address_for(state, sha256).await?,
    };
    if let Some(address) = released {
        return moved(&address, "public, max-age=300");
    }
    if *method == Method::GET
        && let Some(url) = signed_url(state, sha256, filename).await?
    {
        return moved(url.as_str(), "private, no-store");
    }
    // 3. Which part of it.
    let unchanged = !headers.contains_key(header::IF_RANGE) || matches_etag(headers, header::IF_RANGE, &etag);
    let range = headers.get(header::RANGE).filter(|_| unchanged && *method == Method::GET);
    let range = range.and_then(|r| r.to_str().ok());
    let mut part = None;
    if range.is_some() || *method == Method::HEAD {
        let size = state.blobs.size(sha256).await?.ok_or_else(not_found)?;
        match range.map_or(Asked::Ignored, |range| parse_range(range, size)) {
            Asked::Part(asked) => part = Some(asked),
            Asked::Unsatisfiable => {
                let whole = [(header::CONTENT_RANGE, format!("bytes */{size}"))];
                return respond(StatusCode::RANGE_NOT_SATISFIABLE, &etag, None, Body::empty(), &whole);
            }
            Asked::Ignored if *method == Method::HEAD => {
                let length = [(header::CONTENT_LENGTH, size.to_string())];
                return respond(StatusCode::OK, &etag, filename, Body::empty(), &length);
            }
            Asked::Ignored => {}
        }
    }
    // 4. Send it.
    let partial = part.is_some();
    let reading = state.blobs.read(sha256, part).await.map_err(|e| match e {
        BlobError::Missing { .. } => not_found(),
        other => other.into(),
    })?;
    if let Some(expected) = size_bytes.filter(|expected| *expected != reading.size_bytes) {
        let found = format!("{} bytes instead of {expected}", reading.size_bytes);
        return Err(BlobError::Damaged { expected: *sha256, found }.into());
    }
    let Range { start, end } = reading.range;
    let mut more = vec![(header::CONTENT_LENGTH, end.saturating_sub(start).to_string())];
    if partial {
        more.push((header::CONTENT_RANGE, format!("bytes {start}-{}/{}", end.saturating_sub(1), reading.size_bytes)));
    }
    let status = if partial { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    respond(status, &etag, filename, Body::from_stream(reading.pieces), &more)
}

/// Where the store itself gives a blob, if the operator wants that and the store can.
pub(crate) async fn signed_url(
    state: &AppState,
    sha256: &Sha256,
    filename: Option<&str>,
) -> Result<Option<url::Url>, BlobError> {
    match state.config.storage.downloads {
        Downloads::Stream => Ok(None),
        Downloads::Redirect => {
            let ttl = Duration::from_secs(state.config.storage.signed_url_seconds);
            state.blobs.signed_url(sha256, ttl, filename).await
        }
    }
}

fn moved(address: &str, cache_control: &'static str) -> ApiResult<Response> {
    HttpResponse::builder()
        .status(StatusCode::FOUND)
        .header(header::LOCATION, address)
        .header(header::CACHE_CONTROL, cache_control)
        .body(Body::empty())
        .map_err(|e| ApiError::internal(&e))
}

fn not_found() -> ApiError {
    ApiError::not_found("Blob not found")
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
