//! Yanks: versions that are still downloaded by their exact name and resolved by nothing else.

use sqlx::FromRow;

use super::{Connection, DbResult, execute, on};

/// A version that was yanked.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Yank {
    /// Which version.
    pub(crate) version_id: i64,
    /// Since when.
    pub(crate) at_ms: i64,
    /// Why, in its owner's words.
    pub(crate) reason: Option<String>,
}

/// The yanks of a package.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn of_package(c: &mut Connection, package_id: i64) -> DbResult<Vec<Yank>> {
    let sql = "SELECT y.version_id, y.at_ms, y.reason FROM yanks y JOIN versions v ON v.id = y.version_id \
               WHERE v.package_id = $1 ORDER BY y.version_id";
    Ok(on!(c => sqlx::query_as(sql).bind(package_id).fetch_all(c).await)?)
}

/// Yanks a version; `false` when it is yanked already.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn insert(c: &mut Connection, version_id: i64, at_ms: i64, reason: Option<&str>) -> DbResult<bool> {
    let sql = "INSERT INTO yanks (version_id, at_ms, reason) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    Ok(execute!(c => sqlx::query(sql).bind(version_id).bind(at_ms).bind(reason))? == 1)
}

/// Takes a yank back; `false` when there is none.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn remove(c: &mut Connection, version_id: i64) -> DbResult<bool> {
    Ok(execute!(c => sqlx::query("DELETE FROM yanks WHERE version_id = $1").bind(version_id))? == 1)
}
