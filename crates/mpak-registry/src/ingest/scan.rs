//! Stage 9, scan: the controls judge what was recorded; the report belongs to the artifact.
//!
//! In: the key of a recorded artifact. Out: a stored report and a `scanned` event. Runs as a job in the
//! background. The scanner reads hostile input, so a child process does it (`child`), where the program that
//! serves can be started as one; otherwise a panic in it fails the job, not the server.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use mpak_bundle::digest::Sha256;
use mpak_scan::advisories::{Snapshot, SnapshotError};
use mpak_scan::control::Status;
use mpak_scan::controls::CONTROLS;
use mpak_scan::report::{Report, ruleset};
use mpak_scan::task::{Task, TaskError};
use serde_json::{Value, json};
use thiserror::Error;

use crate::blob::BlobError;
use crate::db::artifacts::Published;
use crate::db::scans::Basis;
use crate::db::{Connection, DbError, DbResult, artifacts, events, jobs, scans};
use crate::linked::{self, LinkedError};
use crate::state::AppState;

mod child;
mod known;
mod learned;

pub(crate) use child::ChildError;
use learned::Learned;

/// The kind of job.
pub(crate) const JOB: &str = "scan";

/// Why there is no report.
#[derive(Debug, Error)]
pub(crate) enum ScanError {
    #[error("`{found}` is no key of an artifact")]
    Subject { found: String },
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error(transparent)]
    Linked(#[from] LinkedError),
    #[error(transparent)]
    Task(#[from] TaskError),
    #[error(transparent)]
    Child(#[from] ChildError),
    #[error("the server ended {attempts} times while it scanned this")]
    Fatal { attempts: i64 },
    #[error("the scanner panicked")]
    Panicked,
    #[error("the report cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Db(#[from] DbError),
}

impl ScanError {
    /// Whether it may work later by itself: what the scan needs is away, and the bundle has no part in it.
    pub(crate) fn is_away(&self) -> bool {
        match self {
            Self::Blob(error) => matches!(error, BlobError::Unavailable(_) | BlobError::Full(_) | BlobError::Io(_)),
            Self::Linked(error) => error.is_away(),
            _ => false,
        }
    }
}

/// An artifact with a report that is not stored yet.
#[derive(Debug)]
pub(crate) struct Judged {
    artifact_id: i64,
    artifact: Published,
    sha256: Sha256,
    basis: Basis,
    /// What the basis' evidence was made from, beside the database.
    learned: Learned,
    gathered_at_ms: i64,
    report: Report,
}

impl Judged {
    /// What was scanned.
    pub(crate) fn sha256(&self) -> Sha256 {
        self.sha256
    }

    /// Whether it was made from these rules and advisories.
    pub(crate) fn is_of(&self, basis: &Basis) -> bool {
        (&self.basis.ruleset, &self.basis.advisories) == (&basis.ruleset, &basis.advisories)
    }

    /// Whether what is known of the artifact has changed since. Whoever changed it found this job running.
    pub(crate) async fn is_overtaken(&self, c: &mut Connection) -> DbResult<bool> {
        let evidence = known::gather(c, &self.artifact, &self.learned, self.gathered_at_ms).await?;
        Ok(digest_of(&evidence) != self.basis.evidence)
    }
}

/// What a report is made from now, but for what is known of the one artifact.
pub(crate) async fn basis(state: &AppState) -> Basis {
    let path = state.config.advisories.clone();
    let advisories = tokio::task::spawn_blocking(move || path.and_then(|path| snapshot(&path)));
    let advisories = advisories.await.ok().flatten().unwrap_or_default();
    Basis { ruleset: ruleset(CONTROLS), advisories, evidence: String::new() }
}

/// Judges the artifact with this key; `None` when it was deleted meanwhile.
pub(crate) async fn judge(subject: &str, state: &AppState) -> Result<Option<Judged>, ScanError> {
    // 1. What it is, and what is known of it.
    let artifact_id: i64 = subject.parse().map_err(|_no_key| ScanError::Subject { found: subject.to_owned() })?;
    let mut c = state.db.read().await?;
    let Some(artifact) = artifacts::published(&mut c, artifact_id).await? else { return Ok(None) };
    drop(c);
    let learned = learned::learn(state, artifact_id, &artifact).await?;
    let gathered_at_ms = state.clock().now_ms();
    let evidence = known::gather(&mut *state.db.read().await?, &artifact, &learned, gathered_at_ms).await?;
    // 2. Its bytes.
    let sha256 = artifact.sha256()?;
    let file = file(state, artifact_id, &sha256).await?;
    // 3. The judgement, bound to what it was made from.
    let mut basis = basis(state).await;
    basis.evidence = digest_of(&evidence);
    let advisories = state.config.advisories.clone().filter(|_| !basis.advisories.is_empty());
    let cache = Some(state.config.scan_cache());
    let trust_root = state.config.scanning.trust_root.clone();
    let task = Task { limits: state.config.limits.clone(), advisories, evidence: Some(evidence), cache, trust_root };
    let report = report(state, file, task).await?;
    Ok(Some(Judged { artifact_id, artifact, sha256, basis, learned, gathered_at_ms, report }))
}

fn digest_of(evidence: &Value) -> String {
    Sha256::of(evidence.to_string().as_bytes()).to_string()
}

/// The bytes: ours, or those of the artifact's own release.
async fn file(state: &AppState, artifact_id: i64, sha256: &Sha256) -> Result<File, ScanError> {
    match linked::address_of(state, artifact_id).await? {
        Some(address) => Ok(linked::fetch(state, sha256, &address).await?),
        None => Ok(state.blobs.file(sha256).await?),
    }
}

async fn report(state: &AppState, file: File, task: Task) -> Result<Report, ScanError> {
    let scanning = &state.config.scanning;
    if let Some(program) = &scanning.program {
        return Ok(child::judge(program, file, &task, scanning).await?);
    }
    let judged = tokio::task::spawn_blocking(move || catch_unwind(AssertUnwindSafe(|| task.judge(file))));
    Ok(judged.await.map_err(|_join| ScanError::Panicked)?.map_err(|_panic| ScanError::Panicked)??)
}

/// The digest of the operator's snapshot of advisories. Without one that can be used the other controls still
/// judge, so that only the log tells.
fn snapshot(path: &Path) -> Option<String> {
    let opened = File::open(path).map_err(SnapshotError::from).and_then(Snapshot::open);
    let opened = opened.inspect_err(|error| {
        tracing::error!(path = %path.display(), %error, "the advisories cannot be used");
    });
    opened.ok().map(|snapshot| snapshot.digest().to_string())
}

/// Stores the report and tells of it, in the transaction that ends the job.
pub(crate) async fn store(c: &mut Connection, judged: &Judged, now_ms: i64) -> Result<(), ScanError> {
    let Judged { artifact_id, artifact, sha256, basis, report, .. } = judged;
    let level = report.assessed_level();
    let payload = json!({
        "sha256": sha256.to_string(), "ruleset": report.ruleset, "advisories": report.advisories,
        "level": level, "score": report.score, "controls_run": report.controls_run,
    });
    let event = events::New {
        at_ms: now_ms,
        kind: "scanned",
        package: Some(&artifact.package),
        version: Some(&artifact.version),
        actor: "registry",
        payload: &payload,
    };
    events::append(c, event).await?;
    let new = scans::New {
        artifact_id: *artifact_id,
        basis,
        outcome: outcome(report)?,
        level: level.map(i64::from),
        score: i64::from(report.score),
        counts: [report.count(Status::Pass), report.count(Status::Fail), report.controls.len()]
            .map(|count| i64::try_from(count).unwrap_or(i64::MAX)),
        report_json: serde_json::to_string(report)?,
    };
    scans::put(c, &new, now_ms).await?;
    Ok(())
}

/// What was found, without what it was found with.
fn outcome(report: &Report) -> Result<String, ScanError> {
    let found: Value = json!({"level": report.level, "score": report.score, "controls": report.controls});
    Ok(Sha256::of(serde_json::to_string(&found)?.as_bytes()).to_string())
}

/// Asks for another judgement of everything in a package: what is known of it has changed.
pub(crate) async fn again(c: &mut Connection, package_id: i64, now_ms: i64) -> Result<(), DbError> {
    for artifact in artifacts::of_package(c, package_id).await? {
        jobs::enqueue(c, JOB, &artifact.id.to_string(), jobs::priority::AGAIN, now_ms).await?;
    }
    Ok(())
}
