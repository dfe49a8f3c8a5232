//! Download counts per artifact; those of versions and packages are their sums.

use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use sqlx::FromRow;

use super::{Backend, Connection, DbError, DbResult, answered, on, rows, signed};

/// Key of PostgreSQL's advisory lock for [`add`].
const COUNTING_TURN: i64 = super::WRITE_TURN + 1;
/// Rows that one statement of SQLite changes. It computes on a core that requests need, too, so they get
/// it back between two.
const AT_ONCE: usize = 500;
const BREATH: Duration = Duration::from_millis(1);

/// A count, with where it belongs.
#[derive(Clone, Copy, Debug, FromRow)]
pub(crate) struct Count {
    /// Its version.
    pub(crate) version_id: i64,
    /// Its package.
    pub(crate) package_id: i64,
    /// Resolved downloads.
    pub(crate) downloads: i64,
}

/// All counts.
pub(crate) fn all(c: &mut Connection) -> impl Stream<Item = DbResult<Count>> + Send + '_ {
    let sql = "SELECT v.id AS version_id, v.package_id, d.count AS downloads FROM downloads d \
               JOIN artifacts a ON a.id = d.artifact_id JOIN versions v ON v.id = a.version_id";
    rows!(c => sqlx::query_as(sql).fetch(c)).map(|row| row.map_err(DbError::from))
}

/// What is written of a version, by whichever replica.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn of_version(c: &mut Connection, version_id: i64) -> DbResult<i64> {
    let sql = "SELECT CAST(coalesce(sum(d.count), 0) AS BIGINT) FROM downloads d \
               JOIN artifacts a ON a.id = d.artifact_id WHERE a.version_id = $1";
    Ok(on!(c => sqlx::query_scalar(sql).bind(version_id).fetch_one(c).await)?)
}

/// Adds downloads of artifacts, best in ascending order: neighbours share a page.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn add(c: &mut Connection, more: &[(i64, u64)]) -> DbResult<()> {
    let patience = c.patience();
    match c.backend() {
        Backend::Postgres(c) => {
            // Replicas write one after the other: rows that they lock in different orders would block them.
            let turn = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(COUNTING_TURN);
            answered(patience, turn.execute(&mut *c)).await?;
            let sql = "UPDATE downloads SET count = count + added.more, \
                       updated_at_ms = CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT) \
                       FROM unnest($1, $2) AS added (artifact_id, more) WHERE downloads.artifact_id = added.artifact_id";
            let (ids, counts): (Vec<i64>, Vec<i64>) = more.iter().map(|(id, more)| (*id, signed(*more))).unzip();
            answered(patience, sqlx::query(sql).bind(ids).bind(counts).execute(c)).await?;
        }
        Backend::Sqlite(c) => {
            let sql = "UPDATE downloads SET count = count + added.more, \
                       updated_at_ms = CAST(unixepoch('subsec') * 1000 AS INTEGER) \
                       FROM (SELECT value ->> 0 AS id, value ->> 1 AS more FROM json_each($1)) AS added \
                       WHERE artifact_id = added.id";
            for (number, some) in more.chunks(AT_ONCE).enumerate() {
                if number > 0 {
                    tokio::time::sleep(BREATH).await;
                }
                let some: Vec<(i64, i64)> = some.iter().map(|(id, more)| (*id, signed(*more))).collect();
                let json = serde_json::to_string(&some).unwrap_or_default();
                sqlx::query(sql).bind(json).execute(&mut *c).await?;
            }
        }
    }
    Ok(())
}

/// The time of the last change by the database's clock; 0 when there was none.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn last_change_ms(c: &mut Connection) -> DbResult<i64> {
    let sql = "SELECT coalesce(max(updated_at_ms), 0) FROM downloads";
    Ok(on!(c => sqlx::query_scalar(sql).fetch_one(c).await)?)
}

/// The counts of all versions with a change after a time.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn changed_after(c: &mut Connection, at_ms: i64) -> DbResult<Vec<Count>> {
    let sql = "SELECT v.id AS version_id, v.package_id, CAST(sum(d.count) AS BIGINT) AS downloads FROM versions v \
               JOIN artifacts a ON a.version_id = v.id JOIN downloads d ON d.artifact_id = a.id \
               WHERE v.id IN (SELECT changed.version_id FROM downloads JOIN artifacts changed \
               ON changed.id = downloads.artifact_id WHERE downloads.updated_at_ms > $1) GROUP BY v.id, v.package_id";
    Ok(on!(c => sqlx::query_as(sql).bind(at_ms).fetch_all(c).await)?)
}
