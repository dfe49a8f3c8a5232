//! `GET /v1/bundles/@scope/name/security`: the scan of the latest version, summed up.
//!
//! A version with several artifacts is shown by its worst one.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::response::Response;
use mpak_api::report::{Findings, Security, SecurityDomain};
use mpak_bundle::name::PackageName;
use mpak_scan::control::Status;
use mpak_scan::controls::CONTROLS;
use mpak_scan::report::{Report, Severity};

use crate::clock::rfc3339;
use crate::db::{Connection, artifacts, jobs, packages, scans, versions};
use crate::error::{ApiError, ApiResult};
use crate::http::json;
use crate::ingest::scan;
use crate::state::AppState;

/// `GET /v1/bundles/@scope/name/security`
#[utoipa::path(
    get, path = "/v1/bundles/{scope}/{name}/security", tag = "bundles",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path)),
    responses((status = 200, description = "The scan of the latest version", body = Security)),
)]
pub(crate) async fn security(
    State(state): State<AppState>,
    Path((scope, name)): Path<(String, String)>,
) -> ApiResult<Response> {
    let full = format!("{scope}/{name}");
    let mut c = state.db.read().await?;
    let not_found = || ApiError::not_found(format!("Package {full} not found"));
    PackageName::lookup(&full).map_err(|_no_name| not_found())?;
    let package = packages::find(&mut c, &full).await?.ok_or_else(not_found)?;
    let version = versions::id_of(&mut c, package.id, &package.latest_version).await?;
    let version =
        version.ok_or_else(|| ApiError::not_found(format!("Version {} not found", package.latest_version)))?;
    let mut worst: Option<Scanned> = None;
    let mut first = None;
    for artifact in artifacts::of_version(&mut c, version).await? {
        first.get_or_insert(artifact.id);
        if let Some(scanned) = scanned(&mut c, artifact.id).await? {
            let worse = worst.as_ref().is_none_or(|w| scanned.counts > w.counts);
            worst = if worse { Some(scanned) } else { worst };
        }
    }
    Ok(json(&match (worst, first) {
        (Some(scanned), _) => scanned.body(),
        (None, artifact) => unscanned(&mut c, artifact).await?,
    }))
}

struct Scanned {
    at_ms: i64,
    report: Report,
    /// Critical, high, medium, low.
    counts: [u64; 4],
}

async fn scanned(c: &mut Connection, artifact_id: i64) -> ApiResult<Option<Scanned>> {
    let Some(scan) = scans::newest(c, artifact_id).await? else { return Ok(None) };
    let report: Report = serde_json::from_str(&scan.report_json).map_err(|e| ApiError::internal(&e))?;
    let counts = [Severity::Critical, Severity::High, Severity::Medium, Severity::Low].map(|severity| {
        let findings = report.controls.iter().flat_map(|c| &c.findings);
        findings.filter(|f| f.severity == severity).count() as u64
    });
    Ok(Some(Scanned { at_ms: scan.scanned_at_ms, report, counts }))
}

impl Scanned {
    fn body(&self) -> Security {
        let [critical, high, medium, low] = self.counts;
        let risks = ["CRITICAL", "HIGH", "MEDIUM", "LOW"];
        let risk = self.counts.iter().zip(risks).find(|(n, _)| **n > 0).map_or("NONE", |(_, risk)| risk);
        Security {
            risk_score: Some(risk.to_owned()),
            status: "completed".to_owned(),
            scanned_at: Some(rfc3339(self.at_ms)),
            summary: Some(Findings {
                critical_findings: critical,
                high_findings: high,
                medium_findings: medium,
                low_findings: low,
                total_findings: self.counts.iter().sum(),
            }),
            scans: domains(&self.report),
        }
    }
}

/// Fail before error before pass; what was not run does not show. Nothing when no control has a domain.
fn domains(report: &Report) -> Option<BTreeMap<String, SecurityDomain>> {
    let mut domains: BTreeMap<&'static str, (u8, usize)> = BTreeMap::new();
    for result in &report.controls {
        let Some(control) = CONTROLS.iter().find(|c| c.id == result.id) else { continue };
        let rank = match result.status {
            Status::Fail => 2,
            Status::Error => 1,
            _ => 0,
        };
        let domain = domains.entry(control.domain).or_default();
        *domain = (domain.0.max(rank), domain.1 + result.findings.len());
    }
    let shown = domains.into_iter().map(|(name, (rank, findings_count))| {
        let status = ["pass", "error", "fail"][usize::from(rank)];
        (name.to_owned(), SecurityDomain { status: status.to_owned(), finding_count: findings_count as u64 })
    });
    let shown: BTreeMap<_, _> = shown.collect();
    (!shown.is_empty()).then_some(shown)
}

async fn unscanned(c: &mut Connection, artifact_id: Option<i64>) -> ApiResult<Security> {
    let state = match artifact_id {
        Some(id) => jobs::state(c, scan::JOB, &id.to_string()).await?,
        None => None,
    };
    let status = match state.as_deref() {
        Some("running") => "scanning",
        Some("failed") => "failed",
        _ => "pending",
    };
    Ok(Security { risk_score: None, status: status.to_owned(), scanned_at: None, summary: None, scans: None })
}
