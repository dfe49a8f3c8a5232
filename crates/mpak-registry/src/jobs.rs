//! The background worker: takes jobs from the database, one at a time, and tries failed ones again.

use std::time::Duration;

use tokio::sync::watch;
use tracing::Instrument as _;

use crate::db::{DbResult, jobs};
use crate::ingest::scan::{self, ScanError};
use crate::state::AppState;

/// After this time another worker may take a job that was begun.
const LEASE_MS: i64 = 10 * 60 * 1_000;
/// How often a job is tried.
const ATTEMPTS_MAX: i64 = 3;
/// Wait before the next attempt, times the number of attempts.
const RETRY_MS: i64 = 20_000;
/// How often due retries are looked for when nothing new is announced.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Scans what was published until told to stop; a job that runs then is finished by the next start.
pub(crate) async fn run(state: AppState, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let worked = tokio::select! {
            worked = work_one(&state) => worked,
            _ = stop.changed() => return,
        };
        match worked {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::error!(error = %error, "the job queue failed"),
        }
        tokio::select! {
            () = state.scan_wanted.notified() => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            _ = stop.changed() => return,
        }
    }
}

/// Works off one job; `false` when none is due.
async fn work_one(state: &AppState) -> DbResult<bool> {
    let now = state.clock().now_ms();
    if !jobs::any_due(&mut *state.db.read().await?, scan::JOB, now).await? {
        return Ok(false);
    }
    let mut tx = state.db.update().await?;
    let job = jobs::lease(&mut tx, scan::JOB, now, now + LEASE_MS).await?;
    tx.commit().await?;
    let Some(job) = job else { return Ok(false) };
    // One attempt more than allowed: the server died under the others.
    let result = if job.attempts > ATTEMPTS_MAX {
        Err(ScanError::Fatal { attempts: ATTEMPTS_MAX })
    } else {
        let span = tracing::trace_span!(target: "mpak_trace", "stage", otel.name = "scan");
        scan::scan(&job.subject, state).instrument(span).await
    };
    let mut tx = state.db.update().await?;
    match result {
        Ok(scanned) => {
            jobs::done(&mut tx, job.id).await?;
            tracing::info!(sha256 = %scanned.sha256(), "scanned");
        }
        Err(error) => fail(&mut tx, &job, &error, state.clock().now_ms()).await?,
    }
    tx.commit().await?;
    Ok(true)
}

async fn fail(c: &mut crate::db::Connection, job: &jobs::Job, error: &ScanError, now_ms: i64) -> DbResult<()> {
    let retry_at_ms = (job.attempts < ATTEMPTS_MAX).then(|| now_ms + RETRY_MS * job.attempts);
    tracing::warn!(sha256 = %job.subject, error = %error, attempts = job.attempts, "scan failed");
    jobs::failed(c, job.id, &error.to_string(), retry_at_ms).await
}
