//! Packages: a name, and which version it means.

use futures_util::{Stream, StreamExt as _};
use mpak_bundle::version::{self, Version};
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

/// A package in a person's list, or an administrator's.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Owned {
    /// `@scope/name`.
    pub(crate) name: String,
    /// `public`, `held`, `removed`
    pub(crate) state: String,
    /// Why it is held.
    pub(crate) held_reason: Option<String>,
}

/// The packages that a person owns, by name.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn of_user(c: &mut Connection, user_id: i64) -> DbResult<Vec<Owned>> {
    let sql = "SELECT p.name, p.state, p.held_reason FROM packages p JOIN owners o ON o.package_id = p.id \
               WHERE o.user_id = $1 ORDER BY p.name LIMIT 1000";
    Ok(on!(c => sqlx::query_as(sql).bind(user_id).fetch_all(c).await)?)
}

/// The packages that wait for a decision, oldest first.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn held(c: &mut Connection) -> DbResult<Vec<Owned>> {
    let sql = "SELECT name, state, held_reason FROM packages WHERE state = 'held' ORDER BY id LIMIT 500";
    Ok(on!(c => sqlx::query_as(sql).fetch_all(c).await)?)
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

/// Chooses which version a bare name means: the highest stable one that is not yanked, else the highest
/// prerelease that is not. Where all are yanked it is the highest of them, for lists only: downloads do
/// not resolve to it. Without any version nothing changes.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn choose_latest(c: &mut Connection, id: i64) -> DbResult<()> {
    let sql = "SELECT v.version, CASE WHEN y.version_id IS NULL THEN CAST(0 AS BIGINT) ELSE CAST(1 AS BIGINT) END \
               FROM versions v LEFT JOIN yanks y ON y.version_id = v.id WHERE v.package_id = $1";
    let rows: Vec<(String, i64)> = on!(c => sqlx::query_as(sql).bind(id).fetch_all(c).await)?;
    let parsed = |yanked: i64| rows.iter().filter(move |r| r.1 == yanked).filter_map(|r| Version::parse(&r.0).ok());
    let (good, yanked): (Vec<Version>, Vec<Version>) = (parsed(0).collect(), parsed(1).collect());
    let Some(latest) = version::latest(&good).or_else(|| version::latest(&yanked)) else { return Ok(()) };
    let sql = "UPDATE packages SET latest_version = $2 WHERE id = $1";
    execute!(c => sqlx::query(sql).bind(id).bind(latest.to_string()))?;
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
