//! Stage 9, scan: the controls judge what was recorded; the report belongs to the bytes.
//!
//! In: the digest of a recorded artifact. Out: a stored report and a `scanned` event. Runs as a job in the
//! background. The scanner reads hostile input: a panic in it fails the job, not the server.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use mpak_bundle::archive::{Archive, ArchiveError};
use mpak_bundle::digest::Sha256;
use mpak_bundle::limits::Limits;
use mpak_scan::advisories::{Snapshot, SnapshotError};
use mpak_scan::evidence::{self, Evidence, GatherError};
use mpak_scan::report::Report;
use serde_json::json;
use thiserror::Error;

use crate::blob::BlobError;
use crate::db::{Connection, DbError, artifacts, events, scans};
use crate::linked::{self, LinkedError};
use crate::state::AppState;

/// The kind of job.
pub(crate) const JOB: &str = "scan";

/// An artifact with a stored report.
#[derive(Debug)]
pub(crate) struct Scanned {
    sha256: Sha256,
}

impl Scanned {
    /// What was scanned.
    pub(crate) fn sha256(&self) -> Sha256 {
        self.sha256
    }
}

/// Why there is no report.
#[derive(Debug, Error)]
pub(crate) enum ScanError {
    #[error("`{found}` is not a digest")]
    Subject { found: String },
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error(transparent)]
    Linked(#[from] LinkedError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Gather(#[from] GatherError),
    #[error(transparent)]
    Advisories(#[from] SnapshotError),
    #[error("the server ended {attempts} times while it scanned this")]
    Fatal { attempts: i64 },
    #[error("the scanner panicked")]
    Panicked,
    #[error("the report cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// An artifact with a report that is not stored yet.
#[derive(Debug)]
pub(crate) struct Judged {
    sha256: Sha256,
    report: Report,
}

/// Judges the artifact with this digest, on a thread that may block.
pub(crate) async fn judge(subject: &str, state: &AppState) -> Result<Judged, ScanError> {
    let sha256: Sha256 = subject.parse().map_err(|_not_hex| ScanError::Subject { found: subject.to_owned() })?;
    let (file, limits) = (file(state, &sha256).await?, state.config.limits.clone());
    let advisories = state.config.advisories.clone();
    let judged = tokio::task::spawn_blocking(move || {
        catch_unwind(AssertUnwindSafe(|| report(file, &limits, advisories.as_deref())))
            .map_err(|_panic| ScanError::Panicked)?
    });
    let report = judged.await.map_err(|_join| ScanError::Panicked)??;
    Ok(Judged { sha256, report })
}

/// The bytes: ours, or those of the release.
async fn file(state: &AppState, sha256: &Sha256) -> Result<File, ScanError> {
    match linked::address(state, sha256).await? {
        Some(address) => Ok(linked::fetch(state, sha256, &address).await?),
        None => Ok(state.blobs.file(sha256).await?),
    }
}

fn report(file: File, limits: &Limits, advisories: Option<&Path>) -> Result<Report, ScanError> {
    let archive = Archive::open(file, limits)?;
    let mut evidence = Evidence::from_archive(&archive, limits)?;
    if let Some(snapshot) = advisories.and_then(snapshot) {
        evidence = evidence.with_advisories(&snapshot)?;
    }
    Ok(evidence::scan(&evidence))
}

/// The operator's snapshot of advisories. Without it the other controls still judge, so it only goes to the log.
fn snapshot(path: &Path) -> Option<Snapshot> {
    let opened = File::open(path).map_err(SnapshotError::from).and_then(Snapshot::open);
    opened.inspect_err(|error| tracing::error!(path = %path.display(), %error, "the advisories cannot be used")).ok()
}

/// Stores the report and tells of it, in the transaction that ends the job.
pub(crate) async fn store(c: &mut Connection, judged: &Judged, now_ms: i64) -> Result<Scanned, ScanError> {
    let Judged { sha256, report } = judged;
    let report_json = serde_json::to_string(report)?;
    let name = artifacts::first_name_of(c, sha256).await?;
    let payload = json!({
        "sha256": sha256.to_string(), "ruleset": report.ruleset, "score": report.score,
        "controls_run": report.controls_run,
    });
    let event = events::New {
        at_ms: now_ms,
        kind: "scanned",
        package: name.as_ref().map(|(package, _)| package.as_str()),
        version: name.as_ref().map(|(_, version)| version.as_str()),
        actor: "registry",
        payload: &payload,
    };
    events::append(c, event).await?;
    let scan = scans::Scan { ruleset: report.ruleset.clone(), scanned_at_ms: now_ms, report_json };
    scans::put(c, sha256, &scan).await?;
    Ok(Scanned { sha256: *sha256 })
}
