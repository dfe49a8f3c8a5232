//! Background jobs: enqueued in the transaction that makes them needed, leased while they run, so that
//! a killed worker's job is taken up again when its lease ends. The number of the attempt tells whose lease
//! it is: a worker that was too slow finds that its job is not its own any more.

use sqlx::FromRow;

use super::scans::Basis;
use super::{Connection, DbResult, dialect, execute, on, text};

/// A job that was leased.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Job {
    /// Key.
    pub(crate) id: i64,
    /// What it is about.
    pub(crate) subject: String,
    /// How often it was started, this time included.
    pub(crate) attempts: i64,
    /// How often it was put back, because what it needs was away.
    pub(crate) put_back_count: i64,
}

/// Turns of jobs: those with more go first.
pub(crate) mod priority {
    /// What is judged again.
    pub(crate) const AGAIN: i64 = 0;
    /// What somebody waits for.
    pub(crate) const NEW: i64 = 1;
}

/// Enqueues a job; one that failed before gets a fresh start, one that waits or runs stays.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn enqueue(c: &mut Connection, kind: &str, subject: &str, priority: i64, now_ms: i64) -> DbResult<()> {
    let sql = "INSERT INTO jobs (kind, subject, state, priority, run_at_ms) VALUES ($1, $2, 'queued', $3, $4) \
               ON CONFLICT (kind, subject) DO UPDATE SET state = 'queued', attempts = 0, put_back_count = 0, run_at_ms = excluded.run_at_ms \
               WHERE jobs.state = 'failed'";
    execute!(c => sqlx::query(sql).bind(kind).bind(subject).bind(priority).bind(now_ms))?;
    Ok(())
}

/// Enqueues a job of this kind for every artifact whose newest report was made from other rules or other
/// advisories. One that failed for the same ones stays failed. The subject is the artifact's key.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn enqueue_unscanned(c: &mut Connection, kind: &str, basis: &Basis, now_ms: i64) -> DbResult<u64> {
    let sql = "INSERT INTO jobs (kind, subject, state, priority, asked, run_at_ms) \
               SELECT $1, CAST(a.id AS TEXT), 'queued', $2, $3, $4 FROM artifacts a \
               WHERE NOT EXISTS (SELECT 1 FROM scans s WHERE s.artifact_id = a.id AND s.ruleset = $5 \
               AND s.advisories = $6 AND s.id = (SELECT max(n.id) FROM scans n WHERE n.artifact_id = a.id)) \
               ON CONFLICT (kind, subject) DO UPDATE SET state = 'queued', attempts = 0, put_back_count = 0, asked = excluded.asked, \
               run_at_ms = excluded.run_at_ms WHERE jobs.state = 'failed' AND jobs.asked <> excluded.asked";
    Ok(execute!(c => sqlx::query(sql)
        .bind(kind)
        .bind(priority::AGAIN)
        .bind(basis.asked())
        .bind(now_ms)
        .bind(&basis.ruleset)
        .bind(&basis.advisories))?)
}

/// Whether a job is due or its lease has run out: asked before the write lock is taken.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn any_due(c: &mut Connection, kind: &str, now_ms: i64) -> DbResult<bool> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM jobs WHERE kind = $1 AND ((state = 'queued' AND run_at_ms <= $2) \
               OR (state = 'running' AND leased_until_ms <= $2)) LIMIT 1) AS due";
    Ok(on!(c => sqlx::query_scalar::<_, i64>(sql).bind(kind).bind(now_ms).fetch_one(c).await)? != 0)
}

/// Takes the due job whose turn it is until `leased_until_ms`.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn lease(c: &mut Connection, kind: &str, now_ms: i64, leased_until_ms: i64) -> DbResult<Option<Job>> {
    // Workers of other replicas step over a row that one of them is taking.
    let sql = dialect!(c,
        sqlite: "UPDATE jobs SET state = 'running', attempts = attempts + 1, leased_until_ms = $3 \
                 WHERE id = (SELECT id FROM jobs WHERE kind = $1 AND ((state = 'queued' AND run_at_ms <= $2) \
                 OR (state = 'running' AND leased_until_ms <= $2)) ORDER BY priority DESC, run_at_ms, id LIMIT 1) \
                 RETURNING id, subject, attempts, put_back_count",
        postgres: "UPDATE jobs SET state = 'running', attempts = attempts + 1, leased_until_ms = $3 \
                 WHERE id = (SELECT id FROM jobs WHERE kind = $1 AND ((state = 'queued' AND run_at_ms <= $2) \
                 OR (state = 'running' AND leased_until_ms <= $2)) ORDER BY priority DESC, run_at_ms, id LIMIT 1 \
                 FOR UPDATE SKIP LOCKED) RETURNING id, subject, attempts, put_back_count");
    Ok(on!(c => sqlx::query_as(sql).bind(kind).bind(now_ms).bind(leased_until_ms).fetch_optional(c).await)?)
}

/// Keeps a job for longer; `false` when it is not ours any more.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn extend(c: &mut Connection, job: &Job, leased_until_ms: i64) -> DbResult<bool> {
    let sql = "UPDATE jobs SET leased_until_ms = $3 WHERE id = $1 AND attempts = $2 AND state = 'running'";
    Ok(execute!(c => sqlx::query(sql).bind(job.id).bind(job.attempts).bind(leased_until_ms))? == 1)
}

/// Gives a job back that was begun and not finished; it does not count as an attempt.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn give_back(c: &mut Connection, job: &Job) -> DbResult<()> {
    let sql = "UPDATE jobs SET state = 'queued', attempts = attempts - 1, leased_until_ms = 0 \
               WHERE id = $1 AND attempts = $2 AND state = 'running'";
    execute!(c => sqlx::query(sql).bind(job.id).bind(job.attempts))?;
    Ok(())
}

/// Puts a job back that could not be done because something is away; it does not count as an attempt. The
/// reason is noted.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn put_back(c: &mut Connection, job: &Job, error: &str, retry_at_ms: i64) -> DbResult<()> {
    let sql = "UPDATE jobs SET state = 'queued', attempts = attempts - 1, put_back_count = put_back_count + 1, \
               leased_until_ms = 0, error = $3, run_at_ms = $4 WHERE id = $1 AND attempts = $2 AND state = 'running'";
    execute!(c => sqlx::query(sql).bind(job.id).bind(job.attempts).bind(text(error)).bind(retry_at_ms))?;
    Ok(())
}

/// Removes a job that is done; `false` when it is not ours any more and its result must not count.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn done(c: &mut Connection, job: &Job) -> DbResult<bool> {
    let sql = "DELETE FROM jobs WHERE id = $1 AND attempts = $2 AND state = 'running'";
    Ok(execute!(c => sqlx::query(sql).bind(job.id).bind(job.attempts))? == 1)
}

/// Notes why a job failed, what it was asked for, and when it is tried again: never, without a time. Nothing
/// happens when the job is not ours any more.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn failed(
    c: &mut Connection,
    job: &Job,
    error: &str,
    asked: &str,
    retry_at_ms: Option<i64>,
) -> DbResult<()> {
    let sql = "UPDATE jobs SET state = $3, error = $4, asked = $5, run_at_ms = $6, leased_until_ms = 0 \
               WHERE id = $1 AND attempts = $2 AND state = 'running'";
    let state = if retry_at_ms.is_some() { "queued" } else { "failed" };
    let retry_at_ms = retry_at_ms.unwrap_or(0);
    execute!(c => sqlx::query(sql)
        .bind(job.id)
        .bind(job.attempts)
        .bind(state)
        .bind(text(error))
        .bind(asked)
        .bind(retry_at_ms))?;
    Ok(())
}

/// State of a job: `queued`, `running`, `failed`, or nothing when it is done or never was.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn state(c: &mut Connection, kind: &str, subject: &str) -> DbResult<Option<String>> {
    let sql = "SELECT state FROM jobs WHERE kind = $1 AND subject = $2";
    Ok(on!(c => sqlx::query_scalar(sql).bind(kind).bind(subject).fetch_optional(c).await)?)
}

/// Makes the running jobs of a killed server due again. Only for a server that is alone on its data.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn requeue_running(c: &mut Connection) -> DbResult<()> {
    execute!(c => sqlx::query("UPDATE jobs SET state = 'queued', leased_until_ms = 0 WHERE state = 'running'"))?;
    Ok(())
}

/// Number of jobs in each state that has any.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn by_state(c: &mut Connection) -> DbResult<Vec<(String, i64)>> {
    let sql = "SELECT state, count(*) FROM jobs GROUP BY state ORDER BY state";
    Ok(on!(c => sqlx::query_as(sql).fetch_all(c).await)?)
}
