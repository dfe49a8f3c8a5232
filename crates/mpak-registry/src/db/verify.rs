//! What must hold between the tables, asked in one snapshot. Each question gives those that break it, in
//! words.

use futures_util::{Stream, StreamExt as _};
use sqlx::FromRow;

use super::{Connection, DbError, DbResult, execute, on, rows};

/// An artifact with everything that must agree about it.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct ArtifactRow {
    /// Key of its package.
    pub(crate) package_id: i64,
    /// Its package.
    pub(crate) package: String,
    /// Its version.
    pub(crate) version: String,
    /// What it fits.
    pub(crate) os: String,
    /// What it fits.
    pub(crate) arch: String,
    /// Its bytes.
    pub(crate) digest: Vec<u8>,
    /// Their number.
    pub(crate) size_bytes: i64,
    /// The event that it names.
    pub(crate) event_seq: i64,
    /// What that event is about.
    pub(crate) event_package: Option<String>,
    /// What that event is about.
    pub(crate) event_version: Option<String>,
    /// What that event says; nothing when there is no such event.
    pub(crate) payload_json: Option<String>,
}

/// All artifacts, with their events.
pub(crate) fn artifacts(c: &mut Connection) -> impl Stream<Item = DbResult<ArtifactRow>> + Send + '_ {
    let sql = "SELECT p.id AS package_id, p.name AS package, v.version, a.os, a.arch, a.digest, a.size_bytes, \
               a.event_seq, e.package AS event_package, e.version AS event_version, e.payload_json \
               FROM artifacts a JOIN versions v ON v.id = a.version_id JOIN packages p ON p.id = v.package_id \
               LEFT JOIN events e ON e.seq = a.event_seq ORDER BY a.id";
    rows!(c => sqlx::query_as(sql).fetch(c)).map(|row| row.map_err(DbError::from))
}

/// A blob that the registry says it keeps.
pub(crate) fn kept_blobs(c: &mut Connection) -> impl Stream<Item = DbResult<(Vec<u8>, i64)>> + Send + '_ {
    let sql = "SELECT digest, size_bytes FROM blobs WHERE kept <> 0 ORDER BY digest";
    rows!(c => sqlx::query_as(sql).fetch(c)).map(|row| row.map_err(DbError::from))
}

/// Whether a blob is still said to be kept.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn is_kept(c: &mut Connection, digest: &[u8]) -> DbResult<bool> {
    let sql = "SELECT count(*) FROM blobs WHERE digest = $1 AND kept <> 0";
    Ok(on!(c => sqlx::query_scalar::<_, i64>(sql).bind(digest).fetch_one(c).await)? > 0)
}

/// Former names of packages.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn aliases(c: &mut Connection) -> DbResult<Vec<(String, i64)>> {
    Ok(on!(c => sqlx::query_as("SELECT name, package_id FROM aliases").fetch_all(c).await)?)
}

/// Rows that contradict other rows, in words.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn contradictions(c: &mut Connection) -> DbResult<Vec<String>> {
    const QUESTIONS: &[&str] = &[
        // What was published and not deleted is there.
        "SELECT 'event ' || e.seq || ' tells of ' || e.package || ' ' || e.version || \
         ', of which there is neither an artifact nor a tombstone' FROM events e \
         WHERE e.kind = 'artifact_published' AND NOT EXISTS (SELECT 1 FROM artifacts a WHERE a.event_seq = e.seq) \
         AND NOT EXISTS (SELECT 1 FROM tombstones t WHERE t.package = e.package AND t.version IN (e.version, '')) \
         AND NOT EXISTS (SELECT 1 FROM aliases n JOIN packages p ON p.id = n.package_id \
         JOIN tombstones t ON t.package = p.name WHERE n.name = e.package AND t.version IN (e.version, ''))",
        "SELECT p.name || ' ' || v.version || ' has no artifact' FROM versions v \
         JOIN packages p ON p.id = v.package_id \
         WHERE NOT EXISTS (SELECT 1 FROM artifacts a WHERE a.version_id = v.id)",
        "SELECT p.name || ' has no version' FROM packages p \
         WHERE p.state <> 'removed' AND NOT EXISTS (SELECT 1 FROM versions v WHERE v.package_id = p.id) \
         AND NOT EXISTS (SELECT 1 FROM tombstones t WHERE t.package = p.name)",
        "SELECT p.name || ' names ' || p.latest_version || ' as its latest version, which does not exist' \
         FROM packages p WHERE EXISTS (SELECT 1 FROM versions v WHERE v.package_id = p.id) \
         AND NOT EXISTS (SELECT 1 FROM versions v WHERE v.package_id = p.id AND v.version = p.latest_version)",
        // One event tells of one artifact.
        "SELECT 'event ' || a.event_seq || ' is named by ' || count(*) || ' artifacts' FROM artifacts a \
         GROUP BY a.event_seq HAVING count(*) > 1",
        // Numbers that are kept twice.
        "SELECT p.name || ' ' || v.version || ' ' || a.os || '-' || a.arch || ' has ' || a.size_bytes || \
         ' bytes, its blob ' || b.size_bytes FROM artifacts a JOIN blobs b ON b.digest = a.digest \
         JOIN versions v ON v.id = a.version_id JOIN packages p ON p.id = v.package_id \
         WHERE a.size_bytes <> b.size_bytes",
        "SELECT 'an artifact refers to a blob that is not known (artifact ' || a.id || ')' FROM artifacts a \
         WHERE NOT EXISTS (SELECT 1 FROM blobs b WHERE b.digest = a.digest)",
        "SELECT 'job ' || j.id || ' (' || j.kind || ') is ' || j.state || ' with ' || j.attempts || ' attempts' \
         FROM jobs j WHERE (j.state = 'running' AND j.leased_until_ms = 0) OR j.attempts < 0",
    ];
    let mut found = Vec::new();
    for sql in QUESTIONS {
        let rows: Vec<String> = on!(c => sqlx::query_scalar(*sql).fetch_all(c).await)?;
        found.extend(rows);
    }
    if !c.is_postgres() {
        found.extend(file(c).await?);
    }
    Ok(found)
}

/// What SQLite says of its own file; PostgreSQL enforces references at every commit.
async fn file(c: &mut Connection) -> DbResult<Vec<String>> {
    let sql = "SELECT 'a row of ' || \"table\" || ' refers to a row of ' || parent || ' that is not there' \
               FROM pragma_foreign_key_check";
    let mut found: Vec<String> = on!(c => sqlx::query_scalar(sql).fetch_all(c).await)?;
    let sql = "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'";
    let damage: Vec<String> = on!(c => sqlx::query_scalar(sql).fetch_all(c).await)?;
    found.extend(damage.into_iter().map(|text| format!("the database file is damaged: {text}")));
    Ok(found)
}

/// Keys of all packages.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn package_ids(c: &mut Connection) -> DbResult<Vec<i64>> {
    Ok(on!(c => sqlx::query_scalar("SELECT id FROM packages ORDER BY id").fetch_all(c).await)?)
}

/// Lets failed jobs be tried again; gives their number.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn retry_failed_jobs(c: &mut Connection, now_ms: i64) -> DbResult<u64> {
    let sql =
        "UPDATE jobs SET state = 'queued', attempts = 0, put_back_count = 0, run_at_ms = $1 WHERE state = 'failed'";
    Ok(execute!(c => sqlx::query(sql).bind(now_ms))?)
}
