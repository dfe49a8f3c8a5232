//! Packages: a name, and which version it means.

use futures_util::{Stream, StreamExt as _};
use sqlx::FromRow;

use super::{Connection, DbError, DbResult, execute, on};

/// A package.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Package {
    /// Key.
    pub(crate) id: i64,
    /// Highest stable version.
    pub(crate) latest_version: String,
    /// First publish.
    pub(crate) created_at_ms: i64,
}

/// A package with what its latest version says about it: what search and lists show.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct CatalogueRow {
    /// Key of the package.
    pub(crate) id: i64,
    /// `@scope/name`.
    pub(crate) name: String,
    /// Highest stable version.
    pub(crate) latest_version: String,
    /// First publish of the package.
    pub(crate) created_at_ms: i64,
    /// `node`, `python`, `binary`, `uv`.
    pub(crate) server_type: String,
    /// The latest version's manifest.
    pub(crate) manifest_json: String,
    /// The latest version's publish time.
    pub(crate) published_at_ms: i64,
}

/// Finds a package by its exact name.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn find(c: &mut Connection, name: &str) -> DbResult<Option<Package>> {
    let sql = "SELECT id, latest_version, created_at_ms FROM packages WHERE name = $1";
    Ok(on!(c => sqlx::query_as(sql).bind(name).fetch_optional(c).await)?)
}

/// Creates a package and gives its key.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn insert(c: &mut Connection, name: &str, latest_version: &str, now_ms: i64) -> DbResult<i64> {
    let sql = "INSERT INTO packages (name, latest_version, created_at_ms) VALUES ($1, $2, $3) RETURNING id";
    Ok(on!(c => sqlx::query_scalar(sql).bind(name).bind(latest_version).bind(now_ms).fetch_one(c).await)?)
}

/// Says which version a bare name means.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn set_latest(c: &mut Connection, id: i64, latest_version: &str) -> DbResult<()> {
    let sql = "UPDATE packages SET latest_version = $2 WHERE id = $1";
    execute!(c => sqlx::query(sql).bind(id).bind(latest_version))?;
    Ok(())
}

/// One package of the catalogue.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn catalogue_row(c: &mut Connection, name: &str) -> DbResult<Option<CatalogueRow>> {
    let sql = "SELECT p.id, p.name, p.latest_version, p.created_at_ms, v.server_type, v.manifest_json, \
               v.published_at_ms FROM packages p \
               JOIN versions v ON v.package_id = p.id AND v.version = p.latest_version WHERE p.name = $1";
    Ok(on!(c => sqlx::query_as(sql).bind(name).fetch_optional(c).await)?)
}

/// The whole catalogue, row by row, by name.
pub(crate) fn catalogue(c: &mut Connection) -> impl Stream<Item = DbResult<CatalogueRow>> + Send + '_ {
    let sql = "SELECT p.id, p.name, p.latest_version, p.created_at_ms, v.server_type, v.manifest_json, \
               v.published_at_ms FROM packages p \
               JOIN versions v ON v.package_id = p.id AND v.version = p.latest_version ORDER BY p.name";
    on!(c => sqlx::query_as(sql).fetch(c)).map(|row| row.map_err(DbError::from))
}
