//! `PUT /api/v1/packages/@scope/name/versions/VERSION/artifacts/OS-ARCH`: the upload door.
//!
//! What can be refused by the request's head is refused before its body is read. Every refusal has a code
//! and says what was expected, what was found and what to do.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use mpak_api::error::Code;
use mpak_api::publish::Published;
use mpak_bundle::archive::{ArchiveError, OpenError};
use mpak_bundle::digest::Sha256;
use mpak_bundle::manifest::{Problem, Severity};
use mpak_bundle::name::PackageName;
use mpak_bundle::platform::Platform;
use mpak_bundle::version::Version;
use serde_json::{Value, json};

use crate::auth::issuers::Purpose;
use crate::auth::{binding, jwt, token, workload};
use crate::db::packages;
use crate::error::{ApiError, ApiResult};
use crate::http::json;
use crate::ingest::admit::AdmitError;
use crate::ingest::receive::{ReceiveError, Upload};
use crate::ingest::record::{RecordError, held_because};
use crate::ingest::succession::{self, SuccessionError};
use crate::ingest::{Outcome, PublishError, publish};
use crate::state::AppState;

/// What is read and thrown away of a refused body, so that the publisher gets to read the refusal.
const DRAIN_BYTES_MAX: u64 = 64 << 20;
/// How long that may take.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);

/// `PUT /api/v1/packages/@scope/name/versions/VERSION/artifacts/OS-ARCH`
#[utoipa::path(
    put, path = "/api/v1/packages/{scope}/{name}/versions/{version}/artifacts/{platform}", tag = "publishing",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path), ("version" = String, Path, description = "Semver"), ("platform" = String, Path, description = "`any`, or OS-ARCH")),
    request_body(content = [u8], content_type = "application/octet-stream", description = "The bundle"),
    responses((status = 201, description = "Published", body = Published),
        (status = 200, description = "The same bytes were there already", body = Published)),
    security(("token" = [])),
)]
pub(crate) async fn upload(
    State(state): State<AppState>,
    Path((scope, name, version, platform)): Path<(String, String, String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let mut body = body.into_data_stream();
    let name = format!("{scope}/{name}");
    let result = match claim(&state, &name, &version, &platform, &headers).await {
        Ok(upload) => accept(&state, upload, &headers, &mut body).await,
        Err(refused) => Err(refused),
    };
    result.unwrap_or_else(|refused| {
        drain(body);
        refused.into_response()
    })
}

/// What the request's head says, checked.
async fn claim(state: &AppState, name: &str, version: &str, platform: &str, headers: &HeaderMap) -> ApiResult<Upload> {
    // 1. Names that could be published.
    let package = PackageName::publishable(name).map_err(|e| {
        let help = "choose a name of lower-case letters, digits and hyphens, like `@acme/widget`";
        ApiError::refusal(Code::ValidationError, e.to_string(), "@scope/name", name, help)
    })?;
    // 2. Who asks: a workload, or somebody with a token of ours.
    let asker = match token::bearer(headers).filter(|text| jwt::looks_like_one(text)) {
        Some(text) => Err(workload::identify(state, text, Purpose::Upload).await?),
        None => Ok(token::publisher(&state.db, headers, &package, state.clock().now_ms()).await?),
    };
    // 3. What is claimed.
    let version: Version = version.parse().map_err(|e: mpak_bundle::version::VersionError| {
        let help = "set `version` in manifest.json to a semantic version and pack again";
        ApiError::refusal(Code::ValidationError, e.to_string(), "MAJOR.MINOR.PATCH (SemVer 2.0.0)", version, help)
    })?;
    let platform: Platform = platform.parse().map_err(|e: mpak_bundle::platform::PlatformError| {
        let help = "publish with a platform like `any` or `linux-x64`";
        ApiError::refusal(Code::ValidationError, e.to_string(), "any, or OS-ARCH", platform, help)
    })?;
    // 4. Whether they may.
    let publisher = match asker {
        Err(identity) => workload::publisher(state, identity, package, &version).await?,
        Ok(publisher) => {
            binding::tokens_may(&mut *state.db.read().await?, &publisher).await?;
            publisher
        }
    };
    state.rates.publish(&publisher.owner())?;
    let declared_bytes = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
    Ok(Upload {
        publisher,
        version,
        platform,
        declared_bytes,
        declared_sha256: declared_sha256(headers)?,
        release: None,
    })
}

/// From `Digest: sha-256=…` (RFC 3230) or `Content-Digest: sha-256=:…:` (RFC 9530); other algorithms are
/// ignored.
fn declared_sha256(headers: &HeaderMap) -> ApiResult<Option<Sha256>> {
    let values = ["digest", "content-digest"].iter().flat_map(|name| headers.get_all(*name));
    let members = values.filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(','));
    let Some(value) = members.filter_map(|m| m.trim().split_once('=')).find(|(a, _)| a.eq_ignore_ascii_case("sha-256"))
    else {
        return Ok(None);
    };
    let bytes = STANDARD.decode(value.1.trim().trim_matches(':')).ok();
    let digest = bytes.and_then(|b| <[u8; 32]>::try_from(b).ok()).map(Sha256::from_bytes);
    digest.map(Some).ok_or_else(|| {
        let help = "send `Digest: sha-256=` and the base64 of the file's 32-byte digest";
        let found = value.1.chars().take(100).collect::<String>();
        ApiError::refusal(Code::BadRequest, "the Digest header is malformed", "sha-256=BASE64", found, help)
    })
}

async fn accept(
    state: &AppState,
    upload: Upload,
    headers: &HeaderMap,
    body: &mut BodyDataStream,
) -> ApiResult<Response> {
    let _permit = state.uploads.acquire().await.map_err(|e| ApiError::internal(&e))?;
    let base = state.base_url(headers);
    match publish(state, upload, body).await.map_err(refused)? {
        Outcome::Created(indexed) => {
            let recorded = indexed.recorded();
            let event = recorded.event_seq();
            let held = recorded.held().map(str::to_owned);
            let body = published(&base, recorded.upload(), recorded.sha256(), recorded.bytes(), "created", event);
            let body = Published { held, ..body };
            tracing::info!(package = %body.package, version = %body.version, platform = %body.platform,
                sha256 = %body.sha256, event, "published");
            Ok((StatusCode::CREATED, json(&body)).into_response())
        }
        Outcome::Unchanged { upload, artifact } => {
            let event = artifact.event_seq;
            let held = held(state, &upload).await?;
            let body = published(&base, &upload, artifact.sha256, artifact.size_bytes, "unchanged", event);
            Ok(json(&Published { held, ..body }))
        }
    }
}

fn published(base: &str, upload: &Upload, sha256: Sha256, size: u64, status: &str, event: i64) -> Published {
    let package = upload.publisher.package();
    Published {
        package: package.to_string(),
        version: upload.version.to_string(),
        platform: upload.platform.to_string(),
        sha256: sha256.to_string(),
        size,
        status: status.to_owned(),
        url: format!("{base}/packages/{package}"),
        event: Some(event),
        held: None,
    }
}

/// Why nobody sees what was published before.
pub(crate) async fn held(state: &AppState, upload: &Upload) -> ApiResult<Option<String>> {
    let name = upload.publisher.package();
    Ok(packages::find_any(&mut *state.db.read().await?, name.as_str()).await?.and_then(held_because))
}

/// Reads the rest of a refused body in the background, within limits: closing the connection under a
/// publisher who still sends would take the refusal away from them.
fn drain(mut body: BodyDataStream) {
    tokio::spawn(tokio::time::timeout(DRAIN_TIMEOUT, async move {
        let mut left = DRAIN_BYTES_MAX;
        while let Some(Ok(piece)) = body.next().await {
            let Some(less) = left.checked_sub(piece.len() as u64) else { return };
            left = less;
        }
    }));
}

pub(crate) fn refused(error: PublishError) -> ApiError {
    match error {
        PublishError::Receive(e) => not_received(&e),
        PublishError::Fetch(e) => e.into(),
        PublishError::Admit(e) => not_admitted(e),
        PublishError::Record(e) => not_recorded(e),
        PublishError::Store(e) => e.0.into(),
        PublishError::Died(e) => ApiError::internal(&e),
    }
}

fn not_received(error: &ReceiveError) -> ApiError {
    let refusal =
        |code, expected: String, found: String, help| ApiError::refusal(code, error.to_string(), expected, found, help);
    match error {
        ReceiveError::TooLarge { limit, found } => refusal(
            Code::TooLarge,
            format!("at most {limit} bytes"),
            format!("{found} bytes or more"),
            "leave out of the bundle what the server does not need",
        ),
        ReceiveError::Empty => refusal(
            Code::BadRequest,
            "the bundle's bytes as the body".to_owned(),
            "0 bytes".to_owned(),
            "send the raw .mcpb file as the request's body",
        ),
        ReceiveError::Broken { bytes, .. } => {
            refusal(Code::BadRequest, "the whole body".to_owned(), format!("{bytes} bytes"), "send the file again")
        }
        ReceiveError::Idle { seconds } => refusal(
            Code::BadRequest,
            format!("a byte every {seconds} seconds"),
            "nothing".to_owned(),
            "send the file again over a steadier connection",
        ),
        ReceiveError::Slow { bytes, seconds } => refusal(
            Code::BadRequest,
            "a steady upload".to_owned(),
            format!("{bytes} bytes in {seconds} seconds"),
            "send the file again over a faster connection",
        ),
        ReceiveError::Digest { expected, found } => refusal(
            Code::BadRequest,
            expected.prefixed(),
            found.prefixed(),
            "the file changed on the way or the header is of another file: send it again",
        ),
        ReceiveError::Io(e) => ApiError::disk(e),
    }
}

fn not_admitted(error: AdmitError) -> ApiError {
    let message = error.to_string();
    let refusal = |code, expected: String, found: String, help: String| {
        ApiError::refusal(code, message.clone(), expected, found, help)
    };
    match error {
        AdmitError::Name(e) => ApiError::new(Code::ValidationError, e.to_string()),
        AdmitError::Open(OpenError::Archive(ArchiveError::Io(e)))
        | AdmitError::Damaged(ArchiveError::Io(e))
        | AdmitError::Io(e) => ApiError::disk(&e),
        AdmitError::Open(OpenError::Manifest { problems }) => {
            let first = problems.iter().find(|p| p.severity == Severity::Error).map(|p| p.message.clone());
            refusal(
                Code::InvalidBundle,
                "a manifest.json without errors".to_owned(),
                first.unwrap_or_default(),
                "run `mpak validate` on the bundle's folder".to_owned(),
            )
            .detail("problems", problems.iter().map(problem).collect::<Vec<_>>())
        }
        AdmitError::NameMismatch { expected, found } => refusal(
            Code::ValidationError,
            format!("`{expected}` or `{}`", expected.base()),
            found,
            format!("publish under the manifest's own name, or set `name` in manifest.json to `{expected}`"),
        ),
        AdmitError::VersionMismatch { expected, found } => refusal(
            Code::ValidationError,
            expected,
            found.clone(),
            format!("publish as version `{found}`, or set `version` in manifest.json and pack again"),
        ),
        AdmitError::Announced { pointer } => refusal(
            Code::ValidationError,
            "the manifest.json of the bundle".to_owned(),
            format!("another value at `{pointer}`"),
            "announce the manifest.json that was packed".to_owned(),
        ),
        AdmitError::Platform { expected, found, fits } => {
            let files = found.iter().map(|(path, platform)| json!({"path": path, "platform": platform}));
            let help = fits.map_or_else(
                || "pack one bundle per platform".to_owned(),
                |p| format!("publish with `--platform {p}`"),
            );
            let files: Vec<Value> = files.collect();
            refusal(
                Code::PlatformMismatch,
                format!("native code for `{expected}` only, or none"),
                found.first().map(|(path, p)| format!("`{path}` is built for `{p}`")).unwrap_or_default(),
                help,
            )
            .detail("files", files)
        }
        // What the container's reader says: it names the entry, what it expected and what it found.
        AdmitError::Open(_) | AdmitError::Damaged(_) => ApiError::refusal(
            Code::InvalidBundle,
            format!("this is not a sound bundle: {message}"),
            "a ZIP archive that every reader reads the same way, with a manifest.json at its root",
            message.clone(),
            "pack the folder with `mpak pack` and publish what it wrote",
        ),
    }
}

fn problem(problem: &Problem) -> Value {
    let severity = if problem.severity == Severity::Error { "error" } else { "warning" };
    json!({
        "severity": severity, "code": problem.code, "pointer": problem.pointer, "line": problem.line,
        "message": problem.message, "help": problem.help,
    })
}

fn not_recorded(error: RecordError) -> ApiError {
    let message = error.to_string();
    match error {
        RecordError::Immutable { expected, found, .. } => ApiError::refusal(
            Code::VersionImmutable,
            message,
            expected.prefixed(),
            found.prefixed(),
            "published versions never change: raise the version and publish again",
        ),
        RecordError::Removed { package, .. } => ApiError::refusal(
            Code::Retired,
            message,
            "a package that was not taken away",
            package.to_string(),
            "publish under another name, or ask the administrators of this registry",
        ),
        RecordError::Succession(e) => not_following(&e),
        RecordError::Auth(e) => e.into(),
        RecordError::Binding(e) => e.into(),
        RecordError::Reserved { scope, .. } => ApiError::refusal(
            Code::Forbidden,
            message,
            "a scope that is not reserved",
            format!("@{scope}"),
            "publish under another scope, or ask an administrator of this registry for this one",
        ),
        RecordError::BytesGone => ApiError::new(Code::ServiceUnavailable, message),
        RecordError::Storage(e) => e.into(),
        RecordError::Db(e) => e.into(),
    }
}

fn not_following(error: &SuccessionError) -> ApiError {
    let (code, expected, found) = match error {
        SuccessionError::NameDeleted => {
            (Code::Retired, "a name that was never deleted".to_owned(), "a deleted name".to_owned())
        }
        SuccessionError::Renamed { to } => (Code::Retired, to.clone(), "a former name".to_owned()),
        SuccessionError::Deleted { found, .. } => {
            (Code::Retired, "a version that was never deleted".to_owned(), found.to_string())
        }
        SuccessionError::SamePrecedence { found, there } => {
            (Code::VersionOrder, format!("{there}, or another version"), found.to_string())
        }
        SuccessionError::NotRising { found, highest, .. } => {
            (Code::VersionOrder, format!("a version above {highest}"), found.to_string())
        }
        SuccessionError::Complete { version } => (Code::VersionClosed, "a new version".to_owned(), version.to_string()),
    };
    ApiError::refusal(code, error.to_string(), expected, found, succession::help(error))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn digests_are_read_from_both_headers() {
        let digest = Sha256::of(b"abc");
        let base64 = STANDARD.encode(digest.as_bytes());
        for (name, value, expect) in [
            ("digest", format!("sha-256={base64}"), Some(Some(digest))),
            ("digest", format!("md5=abc, SHA-256={base64}"), Some(Some(digest))),
            ("content-digest", format!("sha-256=:{base64}:"), Some(Some(digest))),
            ("digest", "md5=abc".to_owned(), Some(None)),
            ("digest", "sha-256=abc".to_owned(), None),
            ("digest", format!("sha-256={digest}"), None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_str(&value).unwrap());
            assert_eq!(declared_sha256(&headers).ok(), expect, "{name}: {value}");
        }
    }
}
