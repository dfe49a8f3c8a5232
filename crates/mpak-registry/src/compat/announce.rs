//! `POST /v1/bundles/announce`: a workload tells of a release's asset, the registry fetches it itself.
//!
//! The order of checks and the words of refusals are those of the existing registry, since publishers
//! read them; what it lets through and we do not is refused with statuses that the existing Action does
//! not take for success. Everything in the body and in the token's claims is hostile; so are the forge's
//! answers and the asset.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use mpak_api::error::Code;
use mpak_api::publish::{Announce, Announced, AnnouncedArtifact};
use mpak_bundle::digest::Sha256;
use mpak_bundle::name::PackageName;
use mpak_bundle::platform::{Arch, Os, Platform};
use mpak_bundle::version::Version;
use tokio::sync::SemaphorePermit;

use crate::api::upload::{held, refused};
use crate::auth::identity::Identity;
use crate::auth::issuers::Purpose;
use crate::auth::token::{Publisher, bearer};
use crate::auth::workload;
use crate::db::{artifacts, unsigned};
use crate::error::{ApiError, ApiResult};
use crate::forge::{self, ForgeError, Found};
use crate::http;
use crate::ingest::fetch::{FetchError, outbound};
use crate::ingest::receive::{Release, Upload};
use crate::ingest::{Outcome, publish_fetched};
use crate::outbound::{Bounds, Fetch};
use crate::state::AppState;
use body::{Announcement, BodyError};

mod body;
mod readme;

/// Largest body.
const BODY_BYTES_MAX: usize = 50 << 20;
/// Bodies above this size are read one at a time.
const BODY_BYTES_LARGE: usize = 1 << 20;
/// Longest time until a body is there: by a byte now and then it would never be.
const BODY_TIMEOUT: Duration = Duration::from_mins(2);
/// How long an announcement waits for others of its owner.
const LANE_PATIENCE: Duration = Duration::from_mins(1);
/// Longest name of an asset.
const FILENAME_CHARS_MAX: usize = 255;

/// `POST /v1/bundles/announce`
#[utoipa::path(
    post, path = "/v1/bundles/announce", tag = "publishing",
    request_body(content = Announce, content_type = "application/json"),
    responses((status = 200, description = "What is known of it now", body = Announced)),
    security(("token" = [])),
)]
pub(crate) async fn announce(State(state): State<AppState>, headers: HeaderMap, body: Body) -> Response {
    accept(&state, &headers, body).await.unwrap_or_else(ApiError::into_response)
}

async fn accept(state: &AppState, headers: &HeaderMap, body: Body) -> ApiResult<Response> {
    // 1. What is announced, as far as its form tells.
    let announced = read(state, headers, body).await?;
    // 2. Who announces.
    let identity = identify(state, headers).await?;
    // 3. What is announced, by the rules of names.
    let wanted = Wanted::check(&announced)?;
    // 4. Whether they may.
    let publisher = workload::publisher(state, identity, wanted.package.clone(), &wanted.version).await?;
    if !announced.has_server_type {
        let message = "Manifest must contain server type (server.type or server_type)";
        return Err(ApiError::new(Code::BadRequest, message));
    }
    // 5. Not faster than others.
    state.rates.wait_turn(&publisher.owner()).await?;
    let lane = state.lanes.enter(&publisher.owner(), LANE_PATIENCE).await;
    let _lane = lane.map_err(|full| ApiError::new(Code::RateLimited, full.to_string()).retry_after(30))?;
    let _permit = state.uploads.acquire().await.map_err(|e| ApiError::internal(&e))?;
    // 6. The release is real, and the one that was built.
    let (upload, asset) = find(state, announced, &wanted, publisher).await?;
    // 7. Its asset walks the road of every bundle.
    let upload_asset = download(state, &upload, asset).await?;
    let (status, upload) = match publish_fetched(state, upload, upload_asset).await.map_err(refused)? {
        Outcome::Created(indexed) => ("created", indexed.recorded().upload().clone()),
        Outcome::Unchanged { upload, .. } => ("updated", upload),
    };
    // 8. What people read of it.
    readme::complete(state, &upload).await;
    answer(state, &upload, status).await
}

async fn identify(state: &AppState, headers: &HeaderMap) -> ApiResult<Identity> {
    let missing = "Missing OIDC token. This endpoint requires a GitHub Actions OIDC token.";
    let token = bearer(headers).ok_or_else(|| ApiError::new(Code::Unauthorized, missing))?;
    workload::identify(state, token, Purpose::Announce).await
}

/// Reads the body within bounds and judges its schema.
async fn read(state: &AppState, headers: &HeaderMap, body: Body) -> ApiResult<Announcement> {
    let bytes = tokio::time::timeout(BODY_TIMEOUT, receive(state, headers, body)).await;
    let late = |_elapsed| ApiError::new(Code::BadRequest, "the body does not come in time");
    let (bytes, _turn) = bytes.map_err(late)??;
    Announcement::read(&bytes, state.config.limits.manifest_bytes_max).map_err(|error| match error {
        BodyError::Malformed(e) => ApiError::new(Code::BadRequest, format!("the body is not valid JSON: {e}")),
        BodyError::Invalid(problems) => {
            ApiError::new(Code::ValidationError, "Request validation failed").detail("validation", problems)
        }
    })
}

/// Receives the body, and the turn of a large one. A usual one is read before anybody is asked who they are, since existing publishers
/// learn of its mistakes first; a large one has to wait for its turn, which no stranger gets.
async fn receive<'s>(
    state: &'s AppState,
    headers: &HeaderMap,
    body: Body,
) -> ApiResult<(Vec<u8>, Option<SemaphorePermit<'s>>)> {
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::new();
    let mut turn = None;
    loop {
        let piece = tokio::time::timeout(state.config.body_idle_timeout, stream.next()).await;
        let piece = match piece {
            Err(_elapsed) => return Err(ApiError::new(Code::BadRequest, "the body does not come")),
            Ok(Some(Err(_broken))) => return Err(ApiError::new(Code::BadRequest, "the body ended early")),
            Ok(None) => break,
            Ok(Some(Ok(piece))) => piece,
        };
        if bytes.len() + piece.len() > BODY_BYTES_MAX {
            let message = format!("the body is larger than {BODY_BYTES_MAX} bytes");
            return Err(ApiError::new(Code::TooLarge, message));
        }
        if turn.is_none() && bytes.len() + piece.len() > BODY_BYTES_LARGE {
            identify(state, headers).await?;
            turn = Some(state.large_bodies.acquire().await.map_err(|e| ApiError::internal(&e))?);
        }
        bytes.extend_from_slice(&piece);
    }
    Ok((bytes, turn))
}

/// What is announced, after all rules that need nobody else.
struct Wanted {
    package: PackageName,
    version: Version,
    platform: Platform,
    sha256: Sha256,
}

impl Wanted {
    fn check(announced: &Announcement) -> ApiResult<Self> {
        let bad = |message: String| ApiError::new(Code::BadRequest, message);
        let artifact = &announced.artifact;
        let os = Os::parse(&artifact.os).ok_or_else(|| {
            bad(format!("Invalid artifact os: \"{}\". Must be one of: darwin, linux, win32, any", artifact.os))
        })?;
        let arch = Arch::parse(&artifact.arch).ok_or_else(|| {
            bad(format!("Invalid artifact arch: \"{}\". Must be one of: x64, arm64, any", artifact.arch))
        })?;
        if let Some(rule) = broken_filename_rule(&artifact.filename) {
            let found: String = artifact.filename.chars().take(FILENAME_CHARS_MAX).collect();
            return Err(bad(format!("Invalid artifact filename: \"{found}\". {rule}")));
        }
        let package = PackageName::publishable(&announced.name.to_lowercase()).map_err(|_rule| {
            let must = "Must be scoped (@scope/name) with alphanumeric characters and hyphens.";
            bad(format!("Invalid package name: \"{}\". {must}", announced.name))
        })?;
        let version = Version::parse(&announced.version).map_err(|e| {
            let help = "set `version` in manifest.json to a semantic version and pack again";
            let expected = "MAJOR.MINOR.PATCH (SemVer 2.0.0)";
            ApiError::refusal(Code::ValidationError, e.to_string(), expected, &*announced.version, help)
        })?;
        if !is_tag(&announced.release_tag) {
            let message = format!("Invalid release tag: \"{}\"", announced.release_tag);
            return Err(bad(message));
        }
        let sha256 = artifact.sha256.to_lowercase().parse().map_err(|_not_hex| {
            bad(format!("Invalid artifact sha256: \"{}\". Must be 64 hexadecimal digits", artifact.sha256))
        })?;
        Ok(Self { package, version, platform: Platform { os, arch }, sha256 })
    }
}

/// The rule that a name of an asset breaks.
#[expect(clippy::case_sensitive_file_extension_comparisons, reason = "the existing registry's rule is exact")]
fn broken_filename_rule(filename: &str) -> Option<&'static str> {
    if filename.is_empty() || filename.chars().count() > FILENAME_CHARS_MAX {
        Some("Must be between 1 and 255 characters.")
    } else if filename.contains(['/', '\\']) || filename.contains("..") || filename.chars().any(char::is_control) {
        Some("Must not contain path separators, '..' or control characters.")
    } else if !filename.ends_with(".mcpb") {
        Some("Must end with .mcpb.")
    } else {
        None
    }
}

/// What git allows as the name of a tag, and no path trick. Spec: git check-ref-format.
#[expect(clippy::case_sensitive_file_extension_comparisons, reason = "git's rule is exact")]
fn is_tag(tag: &str) -> bool {
    let part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    !tag.contains("..")
        && !tag.ends_with('.')
        && !tag.starts_with('-')
        && !tag.contains("@{")
        && tag.split('/').all(part)
        && !tag.chars().any(|c| c.is_control() || " ~^:?*[\\%#".contains(c))
}

/// Finds the asset in its release and compares the release with what was built.
async fn find(
    state: &AppState,
    announced: Announcement,
    wanted: &Wanted,
    publisher: Publisher,
) -> ApiResult<(Upload, url::Url)> {
    let Announcement { release_tag: tag, artifact, manifest, .. } = announced;
    let identity = publisher.identity().ok_or_else(|| ApiError::new(Code::Unauthorized, "an identity is needed"))?;
    let issuer = state.issuers.find(&identity.issuer);
    let issuer = issuer.ok_or_else(|| ApiError::new(Code::Unauthorized, "the issuer is not configured"))?;
    // 1. A build of a tag speaks for that tag only.
    built_tag(identity, &tag)?;
    // 2. The release and its asset.
    let found = forge::release(&state.outbound, issuer, identity, (&tag, &artifact.filename)).await;
    let Found { page, asset, tag_sha } = found.map_err(|error| not_found(&tag, &error))?;
    let asset = asset.ok_or_else(|| {
        // Existing publishers try again when they read these words.
        let message = format!("Artifact \"{}\" not found in release {tag}", artifact.filename);
        ApiError::new(Code::BadRequest, message)
    })?;
    // 3. The tag still means the commit that was built.
    if let (Some(_), Some(now)) = (identity.tag(), &tag_sha)
        && !now.eq_ignore_ascii_case(&identity.sha)
    {
        let message = format!("Release {tag} is of another commit than the build that announces it");
        let help = "build the tag again after it was moved";
        return Err(ApiError::refusal(Code::BadRequest, message, now.as_str(), identity.sha.as_str(), help));
    }
    let release = Release {
        tag,
        url: page,
        file: artifact.filename,
        source_url: asset.to_string(),
        tag_sha,
        manifest: Arc::new(manifest),
    };
    let upload = Upload {
        publisher,
        version: wanted.version.clone(),
        platform: wanted.platform,
        declared_bytes: Some(artifact.size),
        declared_sha256: Some(wanted.sha256),
        release: Some(release),
    };
    Ok((upload, asset))
}

fn built_tag(identity: &Identity, tag: &str) -> ApiResult<()> {
    match identity.tag() {
        Some(built) if built != tag => {
            let message = format!("Release {tag} is not the tag that was built");
            let help = "announce the release of the tag that the workflow runs for";
            Err(ApiError::refusal(Code::BadRequest, message, built, tag, help))
        }
        _ => Ok(()),
    }
}

fn not_found(tag: &str, error: &ForgeError) -> ApiError {
    match error {
        ForgeError::Status { status } => {
            let text = status.canonical_reason().unwrap_or("Unknown");
            // A forge that is down or busy is not the publisher's fault.
            let busy = status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS;
            let message = format!("Failed to fetch release {tag}: {text}");
            if busy { ApiError::others(message) } else { ApiError::new(Code::BadRequest, message) }
        }
        ForgeError::Outbound(e) => outbound(format!("Failed to fetch release {tag}: {e}"), e),
        ForgeError::NoApi { .. } => {
            let help = "set `api_url` of the issuer, or publish with `mpak publish`";
            ApiError::new(Code::BadRequest, format!("Failed to fetch release {tag}: {error}")).detail("help", help)
        }
    }
}

/// Opens the asset; it is read by the stage that receives.
async fn download(state: &AppState, upload: &Upload, asset: url::Url) -> ApiResult<crate::outbound::Answer> {
    let limit = state.config.limits.archive_bytes_max;
    let (declared, file) = (upload.declared_bytes.unwrap_or(0), upload.release.as_ref().map_or("", |r| &r.file));
    if declared > limit {
        let message = format!("{file} is larger than {limit} bytes");
        let help = "leave out of the bundle what the server does not need";
        let (expected, found) = (format!("at most {limit} bytes"), format!("{declared} bytes"));
        return Err(ApiError::refusal(Code::TooLarge, message, expected, found, help));
    }
    let mut fetch = Fetch::public(asset, Bounds::bundle(declared, state.config.body_idle_timeout));
    // A forge of the operator's own delivers from itself, wherever it lies.
    let issuer = upload.publisher.identity().and_then(|identity| state.issuers.find(&identity.issuer));
    if let Some(api) = issuer.and_then(|issuer| issuer.api_url.as_ref()) {
        fetch = fetch.trusting(api);
    }
    let answer = match state.outbound.fetch(fetch).await {
        Ok(answer) => answer,
        Err(crate::outbound::OutboundError::TooLarge { .. }) => {
            let file = file.to_owned();
            return Err(FetchError::Size { file, declared, found: "more".to_owned() }.into());
        }
        Err(source) => return Err(FetchError::Outbound { file: file.to_owned(), source }.into()),
    };
    let status = answer.status();
    if !status.is_success() {
        let text = status.canonical_reason().unwrap_or("Unknown");
        let message = format!("Failed to download {file}: {text}");
        let busy = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        return Err(if busy { ApiError::others(message) } else { ApiError::new(Code::BadRequest, message) });
    }
    Ok(answer)
}

async fn answer(state: &AppState, upload: &Upload, status: &str) -> ApiResult<Response> {
    let package = upload.publisher.package();
    let version = upload.version.to_string();
    let total = artifacts::count(&mut *state.db.read().await?, package.as_str(), &version).await?;
    tracing::info!(%package, version, platform = %upload.platform, status, "announced");
    Ok(http::json(&Announced {
        package: package.to_string(),
        version,
        artifact: AnnouncedArtifact {
            os: upload.platform.os.as_str().to_owned(),
            arch: upload.platform.arch.as_str().to_owned(),
            filename: upload.release.as_ref().map(|r| r.file.clone()),
        },
        total_artifacts: unsigned(total),
        status: status.to_owned(),
        held: held(state, upload).await?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_names_and_not_paths() {
        for (tag, good) in [
            ("v1.0.0", true),
            ("widget/v1.0.0", true),
            ("2026-11-20", true),
            ("release_1+x", true),
            ("../../other/repo/releases/tags/v1", false),
            ("v1..2", false),
            ("/v1", false),
            ("v1/", false),
            ("a//b", false),
            (".v1", false),
            ("a/.b", false),
            ("v1.", false),
            ("v1.lock", false),
            ("-v1", false),
            ("v 1", false),
            ("v1?x=1", false),
            ("v1#x", false),
            ("v1%2f", false),
            ("v1\\x", false),
            ("v1\n", false),
            ("v1@{0}", false),
        ] {
            assert_eq!(is_tag(tag), good, "{tag}");
        }
    }

    #[test]
    fn names_of_assets_are_plain() {
        for (name, good) in [
            ("x.mcpb", true),
            ("acme widget-1.0.0.mcpb", true),
            ("a/b.mcpb", false),
            ("a\\b.mcpb", false),
            ("..mcpb.zip", false),
            ("x..mcpb", false),
            ("x.zip", false),
            ("x\0.mcpb", false),
            ("", false),
        ] {
            assert_eq!(broken_filename_rule(name).is_none(), good, "{name}");
        }
        assert!(broken_filename_rule(&format!("{}.mcpb", "x".repeat(250))).is_none());
        assert!(broken_filename_rule(&format!("{}.mcpb", "x".repeat(251))).is_some());
    }
}
