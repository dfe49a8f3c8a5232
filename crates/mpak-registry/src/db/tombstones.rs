//! Tombstones: names and versions that were deleted and are never used again.

use sqlx::FromRow;

use super::versions::Listed;
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
    /// Whether it was never public, so that nobody is told of it.
    pub(crate) hidden: i64,
}

/// What is gone under a name, or under one that the package had before, whoever saw it.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn of_package(c: &mut Connection, package: &str) -> DbResult<Vec<Tombstone>> {
    let sql = "SELECT version, at_ms, reason, hidden FROM tombstones WHERE package = $1 OR package IN \
               (SELECT a.name FROM aliases a JOIN packages p ON p.id = a.package_id WHERE p.name = $1) \
               ORDER BY at_ms, version";
    Ok(on!(c => sqlx::query_as(sql).bind(package).fetch_all(c).await)?)
}

/// What is gone under a name and was public once: what may be told.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn told_of_package(c: &mut Connection, package: &str) -> DbResult<Vec<Tombstone>> {
    let mut gone = of_package(c, package).await?;
    gone.retain(|tombstone| tombstone.hidden == 0);
    Ok(gone)
}

/// Whether nobody ever saw anything of a package, whose versions are given: it was held from its beginning.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn never_shown(c: &mut Connection, package: &str, versions: &[Listed]) -> DbResult<bool> {
    Ok(versions.iter().all(|version| version.shown == 0) && told_of_package(c, package).await?.is_empty())
}

/// Notes that something is gone, for nobody to see where it never was public; nothing happens when it is
/// already.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn insert(
    c: &mut Connection,
    package: &str,
    version: &str,
    at_ms: i64,
    (reason, hidden): (Option<&str>, bool),
) -> DbResult<()> {
    let sql = "INSERT INTO tombstones (package, version, at_ms, reason, hidden) VALUES ($1, $2, $3, $4, $5) \
               ON CONFLICT DO NOTHING";
    execute!(c => sqlx::query(sql).bind(package).bind(version).bind(at_ms).bind(reason).bind(i64::from(hidden)))?;
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
