//! `GET …/versions/{version}/download`: which artifact fits, and where it is or what it is.
//!
//! Counts one download per GET that resolves, whether it is answered with JSON or bytes; HEAD and ranges
//! do not count.

use std::fmt::Write as _;

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::Response;
use mpak_api::bundle::{Download, DownloadBundle};
use mpak_api::error::Code;
use mpak_api::path;
use mpak_bundle::digest::Sha256;
use mpak_bundle::name::PackageName;
use mpak_bundle::platform::{Arch, Os, Platform};
use serde_json::Value;

use super::bundles;
use super::query::Params;
use super::servers::record::artifact_file;
use crate::answers::Part;
use crate::answers::offers::{Fate, Offered, Offers};
use crate::api::blob;
use crate::auth::asker;
use crate::clock::rfc3339;
use crate::counts::Counted;
use crate::db::{artifacts, versions};
use crate::error::{ApiError, ApiResult};
use crate::http::{accepts, json};
use crate::linked;
use crate::search::{Found, Read};
use crate::state::AppState;

/// How long clients are told that an answer holds whose address never expires; existing clients want a time.
const EXPIRES_S: u64 = 900;

/// Header of an answer that is to be read before use; see [`notice`].
const NOTICE: &str = "mpak-notice";

/// `GET /v1/bundles/@scope/name/versions/{version}/download?os=&arch=`
#[utoipa::path(
    get, path = "/v1/bundles/{scope}/{name}/versions/{version}/download", tag = "bundles",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path), ("version" = String, Path, description = "Semver, or latest"),
        ("os" = Option<String>, Query, description = "darwin, linux, win32 or any"),
        ("arch" = Option<String>, Query, description = "x64, arm64 or any")),
    responses((status = 200, description = "Where it is, for `Accept: application/json`; else the bytes",
            content((Download = "application/json"), ([u8] = "application/octet-stream"))),
        (status = 206, description = "A part of the bytes"), (status = 302, description = "Where the bytes are"),
        (status = 304, description = "Unchanged"), (status = 416, description = "No such part")),
)]
pub(crate) async fn download(
    State(state): State<AppState>,
    Path((scope, name, wanted)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> ApiResult<Response> {
    // 1. What is asked for.
    let platform = platform(query.as_deref())?;
    // 2. Which artifact that is.
    let (name, found) = bundles::known(&state, &scope, &name).await?;
    let (read, found) = offering(&state, found, &wanted).await?;
    let offers = Offers::new(read.get(0));
    let fate = offers.fate().map_err(bundles::unreadable)?;
    let bare = wanted == "latest";
    let wanted = if bare { fate.latest.clone().into_owned() } else { wanted };
    let offer = offers.find(&wanted).map_err(bundles::unreadable)?;
    let offer = offer.ok_or_else(|| ApiError::not_found("Version not found"))?;
    if bare && offer.yanked.is_some() {
        return Err(ApiError::not_found("Every version of this package was yanked"));
    }
    let artifact = choose(&offer.artifacts, platform)
        .ok_or_else(|| ApiError::not_found("No artifact found for the requested platform"))?;
    let sha256: Sha256 = artifact.sha256.parse().map_err(|e| ApiError::internal(&e))?;
    // 3. Count it.
    if method == Method::GET && !headers.contains_key(header::RANGE) {
        state.counts.add(Counted { artifact: artifact.id, version: offer.id, package: found.package_id() });
    }
    // 4. Say where it is, or give it.
    let notice = notice(&fate, found.name(), &name, offer.yanked.as_deref());
    let filename = format!("{}-{wanted}.mcpb", name.base());
    if !accepts(&headers, "application/json") {
        let size_bytes = Some(artifact.size);
        let wanted = blob::Wanted { sha256, artifact: Some(artifact.id), size_bytes, filename: Some(&filename) };
        return blob::send(&state, wanted, &method, &headers).await.map(by_accept);
    }
    let now_ms = state.clock().now_ms();
    let (url, holds_s) = match linked::address_of(&state, artifact.id).await? {
        Some(release) => (release, EXPIRES_S),
        None => match blob::signed_url(&state, &sha256, Some(&filename)).await? {
            Some(signed) => (signed.into(), state.config.storage.signed_url_seconds),
            None => (format!("{}{}", state.base_url(&headers), path::blob(&sha256)), EXPIRES_S),
        },
    };
    let mut response = json(&Download {
        url,
        bundle: DownloadBundle {
            name: name.to_string(),
            version: wanted,
            platform: artifact.platform.into(),
            sha256: artifact.sha256.to_owned(),
            size: artifact.size,
        },
        expires_at: Some(rfc3339(now_ms.saturating_add_unsigned(holds_s.saturating_mul(1_000)))),
    });
    if let Some(notice) = notice.and_then(|text| HeaderValue::from_str(&text).ok()) {
        response.headers_mut().insert(NOTICE, notice);
    }
    Ok(by_accept(response))
}

/// Tells caches that others get something else here.
fn by_accept(mut response: Response) -> Response {
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept"));
    response
}

/// What a package offers. Of a version that is not known here the database is asked, too: another replica
/// may have published it just now.
async fn offering(state: &AppState, found: Found, wanted: &str) -> ApiResult<(Read, Found)> {
    let read = |found: &Found| found.texts(&[Part::Offers]).map_err(|e| ApiError::internal(&e));
    let known = read(&found)?;
    if wanted == "latest" || Offers::new(known.get(0)).find(wanted).map_err(bundles::unreadable)?.is_some() {
        return Ok((known, found));
    }
    if versions::id_of(&mut *state.db.read().await?, found.package_id(), wanted).await?.is_none() {
        return Ok((known, found));
    }
    state.search.refresh(&state.db, found.name()).await.map_err(|e| ApiError::internal(&e))?;
    let fresh = state.search.entry(&asker::current().reader, found.name()).unwrap_or(found);
    Ok((read(&fresh)?, fresh))
}

/// What is to be known about a download: it was yanked, deprecated, renamed. JSON of ASCII in a header,
/// since existing clients refuse members of the body that they do not know.
fn notice(fate: &Fate<'_>, package: &str, asked: &PackageName, yanked: Option<&str>) -> Option<String> {
    let mut notice = serde_json::Map::new();
    if let Some(reason) = yanked {
        notice.insert("yanked".to_owned(), reason.into());
    }
    if let Some(message) = &fate.deprecated {
        notice.insert("deprecated".to_owned(), message.as_ref().into());
    }
    if let Some(replacement) = &fate.replacement {
        notice.insert("replacement".to_owned(), replacement.as_ref().into());
    }
    if package != asked.as_str() {
        notice.insert("renamed_to".to_owned(), package.into());
    }
    (!notice.is_empty()).then(|| ascii(&Value::Object(notice).to_string()))
}

/// JSON whose other characters are written as escapes (RFC 8259 §7).
fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() && c != '\u{7f}' {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

/// `GET /v1/bundles/@scope/name/versions/{version}/artifacts/{file}`: the bytes of one artifact, whatever
/// `Accept` says, under a file name that tells its platform. Counts like a download.
#[utoipa::path(
    get, path = "/v1/bundles/{scope}/{name}/versions/{version}/artifacts/{file}", tag = "bundles",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path), ("version" = String, Path, description = "Semver"),
        ("file" = String, Path, description = "As server lists name it")),
    responses((status = 200, description = "The bytes", body = [u8], content_type = "application/octet-stream"),
        (status = 206, description = "A part of them"), (status = 302, description = "Where they are"),
        (status = 304, description = "Unchanged"), (status = 416, description = "No such part")),
)]
pub(crate) async fn artifact(
    State(state): State<AppState>,
    Path((scope, name, wanted, file)): Path<(String, String, String, String)>,
    method: Method,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let mut c = state.db.read().await?;
    let (name, package) = bundles::package(&mut c, &scope, &name).await?;
    let version = versions::id_of(&mut c, package.id, &wanted).await?;
    let version_id = version.ok_or_else(|| ApiError::not_found("Version not found"))?;
    let all = artifacts::of_version(&mut c, version_id).await?;
    drop(c);
    let artifact = all.iter().find(|a| artifact_file(name.as_str(), &wanted, a.platform) == file);
    let artifact = artifact.ok_or_else(|| ApiError::not_found("Artifact not found"))?;
    if method == Method::GET && !headers.contains_key(header::RANGE) {
        state.counts.add(Counted { artifact: artifact.id, version: version_id, package: package.id });
    }
    let (sha256, size_bytes) = (artifact.sha256, Some(artifact.size_bytes));
    let wanted = blob::Wanted { sha256, artifact: Some(artifact.id), size_bytes, filename: Some(&file) };
    blob::send(&state, wanted, &method, &headers).await
}

fn platform(query: Option<&str>) -> ApiResult<Platform> {
    let mut params = Params::new(query);
    let os = params.word("os", &["darwin", "linux", "win32", "any"]);
    let arch = params.word("arch", &["x64", "arm64", "any"]);
    params.finish()?;
    match (os.as_deref().and_then(Os::parse), arch.as_deref().and_then(Arch::parse)) {
        (Some(os), Some(arch)) => Ok(Platform { os, arch }),
        (None, None) => Ok(Platform::ANY),
        _ => Err(ApiError::new(Code::BadRequest, "Both os and arch are required when specifying platform")),
    }
}

fn choose<'a>(all: &'a [Offered<'a>], platform: Platform) -> Option<&'a Offered<'a>> {
    platform.candidates().iter().find_map(|candidate| all.iter().find(|a| a.platform == *candidate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_json_that_fits_into_a_header() {
        let text = "ä \"quoted\"\n\u{1F600}\u{7f}";
        let escaped = ascii(&Value::from(text).to_string());
        assert!(escaped.bytes().all(|b| (0x20..0x7f).contains(&b)), "{escaped}");
        assert_eq!(serde_json::from_str::<Value>(&escaped).unwrap(), text);
    }
}
