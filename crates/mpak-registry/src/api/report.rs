//! `/api/v1/packages/@scope/name/versions/VERSION/artifacts/OS-ARCH/report`: what the controls say of an
//! artifact, whole, and what they said before.
//!
//! Everybody reads this of public packages; of held ones only those who may change them.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use mpak_api::manage::{ArtifactReport, Outcome};
use mpak_bundle::platform::Platform;
use serde_json::Value;

use super::package::{named, visible};
use crate::auth::actor::visitor;
use crate::clock::rfc3339;
use crate::db::scans::Past;
use crate::db::{artifacts, jobs, scans};
use crate::error::{ApiError, ApiResult};
use crate::http::json;
use crate::ingest::scan;
use crate::state::AppState;

/// Outcomes of one answer.
const PAST_MAX: i64 = 100;

/// `GET /api/v1/packages/@scope/name/versions/VERSION/artifacts/OS-ARCH/report`
#[utoipa::path(
    get, path = "/api/v1/packages/{scope}/{name}/versions/{version}/artifacts/{platform}/report", tag = "publishing",
    operation_id = "artifact_report",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path),
        ("version" = String, Path), ("platform" = String, Path, description = "`linux-x64`, …, `any`")),
    responses((status = 200, description = "The report of `mpak scan --json`, and what was found before", body = ArtifactReport)),
    security(("token" = [])),
)]
pub(crate) async fn report(
    State(state): State<AppState>,
    Path((scope, name, version, platform)): Path<(String, String, String, String)>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    // 1. The artifact, for those who may see it.
    let name = named(&scope, &name)?;
    let visitor = visitor(&state, &headers).await?;
    let mut c = state.db.read().await?;
    let package = visible(&mut c, &name, visitor.as_ref()).await?;
    let not_found = || ApiError::not_found(format!("Version {version} has no artifact for {platform}"));
    let wanted: Platform = platform.parse().map_err(|_no_platform| not_found())?;
    let artifact = artifacts::find(&mut c, &package.name, &version, wanted).await?.ok_or_else(not_found)?;
    // 2. Its report, or how far that is.
    let found = scans::newest(&mut c, artifact.id).await?;
    let status = match (&found, jobs::state(&mut c, scan::JOB, &artifact.id.to_string()).await?.as_deref()) {
        (Some(_), _) => "completed",
        (None, Some("running")) => "scanning",
        (None, Some("failed")) => "failed",
        (None, _) => "pending",
    };
    let report: Option<Value> = match &found {
        Some(found) => Some(serde_json::from_str(&found.report_json).map_err(|e| ApiError::internal(&e))?),
        None => None,
    };
    // 3. And what was found before.
    let past = scans::history(&mut c, artifact.id, PAST_MAX).await?;
    Ok(json(&ArtifactReport {
        name: package.name,
        version,
        platform: artifact.platform.to_string(),
        sha256: artifact.sha256.to_string(),
        status: status.to_owned(),
        scanned_at: found.map(|found| rfc3339(found.scanned_at_ms)),
        report,
        history: past.into_iter().map(outcome).collect(),
    }))
}

fn outcome(past: Past) -> Outcome {
    Outcome {
        first_at: rfc3339(past.first_at_ms),
        last_at: rfc3339(past.scanned_at_ms),
        ruleset: past.ruleset,
        level: past.level,
        score: past.score,
    }
}
