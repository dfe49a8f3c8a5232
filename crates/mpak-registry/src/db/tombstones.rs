//! Tombstones: names and versions that were deleted and are never used again.

use sqlx::FromRow;

use super::{Connection, DbResult, execute, on};

/// The version of a tombstone that stands for the whole package.
pub(crate) const WHOLE: &str = "";

/// Something that is gone.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Tombstone {
    /// Semver, or [`WHOLE`].
    pub(crate) version: String,
    /// Since when.
    pub(crate) at_ms: i64,
    /// Why.
    pub(crate) reason: Option<String>,
}

/// What is gone under a name.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn of_package(c: &mut Connection, package: &str) -> DbResult<Vec<Tombstone>> {
    let sql = "SELECT version, at_ms, reason FROM tombstones WHERE package = $1 ORDER BY at_ms, version";
    Ok(on!(c => sqlx::query_as(sql).bind(package).fetch_all(c).await)?)
}

/// Notes that something is gone; nothing happens when it is already.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn insert(
    c: &mut Connection,
    package: &str,
    version: &str,
    at_ms: i64,
    reason: Option<&str>,
) -> DbResult<()> {
    let sql = "INSERT INTO tombstones (package, version, at_ms, reason) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    execute!(c => sqlx::query(sql).bind(package).bind(version).bind(at_ms).bind(reason))?;
    Ok(())
}

/// Gives a whole name back, after an administrator's decision to restore it.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn remove(c: &mut Connection, package: &str, version: &str) -> DbResult<()> {
    let sql = "DELETE FROM tombstones WHERE package = $1 AND version = $2";
    execute!(c => sqlx::query(sql).bind(package).bind(version))?;
    Ok(())
}
