//! Download counts per artifact; those of versions and packages are their sums.

use futures_util::{Stream, StreamExt as _};
use sqlx::FromRow;

use super::{Connection, DbError, DbResult, execute, on, signed};

/// The count of one artifact, with where it belongs.
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
    on!(c => sqlx::query_as(sql).fetch(c)).map(|row| row.map_err(DbError::from))
}

/// Adds downloads of an artifact.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn add(c: &mut Connection, artifact_id: i64, more: u64) -> DbResult<()> {
    let sql = "UPDATE downloads SET count = count + $2 WHERE artifact_id = $1";
    execute!(c => sqlx::query(sql).bind(artifact_id).bind(signed(more)))?;
    Ok(())
}
