//! The background worker: takes jobs from the database, one at a time, and tries failed ones again.
//!
//! Workers of several replicas share the jobs. Each extends the lease of the job it works on; what a killed
//! one leaves behind is taken up when its lease ends. A result and the end of its job are one transaction, so
//! that no job's result is written twice.

use std::time::Duration;

use tokio::sync::watch;
use tracing::Instrument as _;

use crate::db::scans::Basis;
use crate::db::{DbResult, jobs};
use crate::ingest::scan::{self, ScanError};
use crate::lifecycle;
use crate::state::AppState;

/// After this time without a sign of life another worker may take a job that was begun.
const LEASE_MS: i64 = 60_000;
/// How often a worker gives a sign of life.
const BEAT: Duration = Duration::from_secs(15);
/// How often a job is tried.
const ATTEMPTS_MAX: i64 = 3;
/// Wait before the next attempt, times the number of attempts.
const RETRY_MS: i64 = 20_000;
/// Wait before what was away is asked for again: twice as long each time.
const AWAY_MS: i64 = 10_000;
const AWAY_MS_MAX: i64 = 30 * 60_000;
/// How often due retries, and jobs of other replicas, are looked for when nothing new is announced.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// How often is looked whether the operator has other advisories.
const LOOK_FOR_ADVISORIES: Duration = Duration::from_secs(30);

/// How often transfers are looked for whose notice is over.
const LOOK_FOR_TRANSFERS: Duration = Duration::from_mins(1);

/// Scans what was published until told to stop; a job that runs then is given back.
pub(crate) async fn run(state: AppState, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        match next(&state).await {
            Ok(Some(job)) => {
                let worked = tokio::select! {
                    worked = work(&state, &job) => worked,
                    () = stopped(&mut stop) => give_back(&state, &job).await.map(|()| Worked::Off),
                };
                match worked {
                    Ok(Worked::Off) => continue,
                    // Everything lies in the storage: nothing else goes on, either.
                    Ok(Worked::NoStorage) => {}
                    Err(error) => tracing::error!(error = %error, artifact = %job.subject, "a job was not finished"),
                }
            }
            Ok(None) => {}
            Err(error) => tracing::error!(error = %error, "the job queue failed"),
        }
        tokio::select! {
            () = state.scan_wanted.notified() => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            _ = stop.changed() => return,
        }
    }
}

/// Asks for another judgement of everything when rules or advisories are others than those of its report:
/// at the start, and whenever the operator replaces the snapshot.
pub(crate) async fn judge_again(state: AppState, mut stop: watch::Receiver<bool>) {
    let mut asked = None;
    while !*stop.borrow() {
        let basis = scan::basis(&state).await;
        if asked.as_ref() != Some(&basis) {
            match ask_again(&state, &basis).await {
                Ok(()) => asked = Some(basis),
                Err(error) => tracing::error!(error = %error, "scans with the current rules were not asked for"),
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_FOR_ADVISORIES) => {}
            _ = stop.changed() => return,
        }
    }
}

async fn ask_again(state: &AppState, basis: &Basis) -> DbResult<()> {
    let mut tx = state.db.write().await?;
    let now_ms = state.clock().now_ms();
    let added = jobs::enqueue_unscanned(&mut tx, scan::JOB, basis, now_ms).await?;
    tx.commit().await?;
    if added > 0 {
        tracing::info!(artifacts = added, "to be scanned with the current rules and advisories");
        state.scan_wanted.notify_one();
    }
    Ok(())
}

/// Lets transfers take effect whose notice is over, until told to stop.
pub(crate) async fn transfer(state: AppState, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        if let Err(error) = lifecycle::transfer::work(&state).await {
            tracing::error!(error = %error, "transfers that are due did not take effect");
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_FOR_TRANSFERS) => {}
            _ = stop.changed() => return,
        }
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _stopped = stop.wait_for(|stop| *stop).await;
}

/// Leases the next job that is due.
async fn next(state: &AppState) -> DbResult<Option<jobs::Job>> {
    let now = state.clock().now_ms();
    if !jobs::any_due(&mut *state.db.read().await?, scan::JOB, now).await? {
        return Ok(None);
    }
    let mut tx = state.db.update().await?;
    let job = jobs::lease(&mut tx, scan::JOB, now, now + LEASE_MS).await?;
    tx.commit().await?;
    Ok(job)
}

/// How a job ended.
enum Worked {
    /// It is done, failed, or is tried later.
    Off,
    /// The storage is away.
    NoStorage,
}

/// Works a job off, for as long as it is ours.
async fn work(state: &AppState, job: &jobs::Job) -> DbResult<Worked> {
    // One attempt more than allowed: the server died under the others.
    let result = if job.attempts > ATTEMPTS_MAX {
        Err(ScanError::Fatal { attempts: ATTEMPTS_MAX })
    } else {
        let span = tracing::trace_span!(target: "mpak_trace", "stage", otel.name = "scan");
        tokio::select! {
            judged = scan::judge(&job.subject, state).instrument(span) => judged,
            () = keep(state, job) => return Ok(Worked::Off),
        }
    };
    let result = match result {
        Ok(Some(judged)) => finish(state, job, &judged).await,
        Ok(None) => return drop_job(state, job).await.map(|()| Worked::Off),
        Err(error) => Err(error),
    };
    match result {
        Ok(()) => Ok(Worked::Off),
        // The job stays ours until its lease ends; then it is taken up again.
        Err(ScanError::Db(error)) if error.is_unavailable() => Err(error),
        Err(error) if error.is_away() => {
            put_back(state, job, &error).await?;
            Ok(if matches!(error, ScanError::Blob(_)) { Worked::NoStorage } else { Worked::Off })
        }
        Err(error) => fail(state, job, &error).await.map(|()| Worked::Off),
    }
}

/// What is away for a while is no fault of the bundle: the job waits for it, however long.
async fn put_back(state: &AppState, job: &jobs::Job, error: &ScanError) -> DbResult<()> {
    let doublings = u32::try_from(job.put_back_count).unwrap_or(u32::MAX).min(16);
    let wait_ms = (AWAY_MS << doublings).min(AWAY_MS_MAX);
    tracing::warn!(artifact = %job.subject, error = %error, wait_ms, "what a scan needs is away; it is tried later");
    let mut tx = state.db.update().await?;
    jobs::put_back(&mut tx, job, &error.to_string(), state.clock().now_ms() + wait_ms).await?;
    tx.commit().await
}

/// Extends the lease until the job is not ours any more.
async fn keep(state: &AppState, job: &jobs::Job) {
    loop {
        tokio::time::sleep(BEAT).await;
        match extend(state, job).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!(artifact = %job.subject, "another worker has taken the job");
                return;
            }
            // The end of the job finds out whether it is still ours.
            Err(error) => tracing::error!(error = %error, "the lease of a job was not extended"),
        }
    }
}

async fn extend(state: &AppState, job: &jobs::Job) -> DbResult<bool> {
    let mut tx = state.db.update().await?;
    let ours = jobs::extend(&mut tx, job, state.clock().now_ms() + LEASE_MS).await?;
    tx.commit().await?;
    Ok(ours)
}

/// Stores the result and ends the job, unless another worker has it by now.
async fn finish(state: &AppState, job: &jobs::Job, judged: &scan::Judged) -> Result<(), ScanError> {
    // The advisories may have been replaced meanwhile; whoever saw that found this job running.
    let outdated = !judged.is_of(&scan::basis(state).await);
    let mut tx = state.db.write().await?;
    if !jobs::done(&mut tx, job).await? {
        tracing::warn!(artifact = %job.subject, "another worker has taken the job");
        return Ok(());
    }
    scan::store(&mut tx, judged, state.clock().now_ms()).await?;
    if outdated || judged.is_overtaken(&mut tx).await? {
        jobs::enqueue(&mut tx, scan::JOB, &job.subject, jobs::priority::AGAIN, state.clock().now_ms()).await?;
    }
    tx.commit().await?;
    tracing::info!(sha256 = %judged.sha256(), "scanned");
    Ok(())
}

/// Ends a job about something that is not there any more.
async fn drop_job(state: &AppState, job: &jobs::Job) -> DbResult<()> {
    let mut tx = state.db.update().await?;
    let _ours = jobs::done(&mut tx, job).await?;
    tx.commit().await
}

async fn fail(state: &AppState, job: &jobs::Job, error: &ScanError) -> DbResult<()> {
    let retry_at_ms = (job.attempts < ATTEMPTS_MAX).then(|| state.clock().now_ms() + RETRY_MS * job.attempts);
    tracing::warn!(artifact = %job.subject, error = %error, attempts = job.attempts, "scan failed");
    let asked = scan::basis(state).await.asked();
    let mut tx = state.db.update().await?;
    jobs::failed(&mut tx, job, &error.to_string(), &asked, retry_at_ms).await?;
    tx.commit().await
}

async fn give_back(state: &AppState, job: &jobs::Job) -> DbResult<()> {
    let mut tx = state.db.update().await?;
    jobs::give_back(&mut tx, job).await?;
    tx.commit().await
}
