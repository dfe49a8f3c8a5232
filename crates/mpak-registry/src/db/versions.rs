//! Versions of packages: written once, never changed. A README that a bundle lacks lies beside them.

use sqlx::FromRow;

use super::{Connection, DbResult, execute, is_text, on, text};

/// A version with all its text.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Version {
    /// Key.
    pub(crate) id: i64,
    /// Semver.
    pub(crate) version: String,
    /// `node`, `python`, `binary`, `uv`.
    pub(crate) server_type: String,
    /// As in the bundle.
    pub(crate) manifest_json: String,
    /// README.md of the bundle, else of its repository; hostile Markdown.
    pub(crate) readme: Option<String>,
    /// `upload`, …
    pub(crate) publish_method: String,
    /// First publish of this version.
    pub(crate) published_at_ms: i64,
    /// The release that it was announced from.
    pub(crate) release_tag: Option<String>,
    /// Its page.
    pub(crate) release_url: Option<String>,
    /// Who built it, as the wire's full provenance.
    pub(crate) provenance_json: Option<String>,
}

/// A version without its texts.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Listed {
    /// Key.
    pub(crate) id: i64,
    /// Semver.
    pub(crate) version: String,
    /// `upload`, …
    pub(crate) publish_method: String,
    /// First publish of this version.
    pub(crate) published_at_ms: i64,
    /// Whether it was ever public.
    pub(crate) shown: i64,
}

/// A version to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct New<'a> {
    /// Key of its package.
    pub(crate) package_id: i64,
    /// Semver.
    pub(crate) version: &'a str,
    /// `node`, `python`, `binary`, `uv`.
    pub(crate) server_type: &'a str,
    /// As in the bundle.
    pub(crate) manifest_json: &'a str,
    /// README.md of the bundle.
    pub(crate) readme: Option<&'a str>,
    /// `upload`, …
    pub(crate) publish_method: &'a str,
    /// The release that it was announced from.
    pub(crate) release_tag: Option<&'a str>,
    /// Its page.
    pub(crate) release_url: Option<&'a str>,
    /// Who built it, as the wire's full provenance.
    pub(crate) provenance_json: Option<&'a str>,
    /// Whether its package is public.
    pub(crate) shown: bool,
    /// Now.
    pub(crate) published_at_ms: i64,
}

/// Finds a version by its exact text.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn find(c: &mut Connection, package_id: i64, version: &str) -> DbResult<Option<Version>> {
    if !is_text(version) {
        return Ok(None);
    }
    let sql = "SELECT id, version, server_type, manifest_json, COALESCE(versions.readme, r.readme) AS readme, \
               publish_method, published_at_ms, release_tag, release_url, provenance_json \
               FROM versions LEFT JOIN repository_readmes r ON r.version_id = versions.id \
               WHERE package_id = $1 AND version = $2";
    Ok(on!(c => sqlx::query_as(sql).bind(package_id).bind(version).fetch_optional(c).await)?)
}

/// The key of a version.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn id_of(c: &mut Connection, package_id: i64, version: &str) -> DbResult<Option<i64>> {
    if !is_text(version) {
        return Ok(None);
    }
    let sql = "SELECT id FROM versions WHERE package_id = $1 AND version = $2";
    Ok(on!(c => sqlx::query_scalar(sql).bind(package_id).bind(version).fetch_optional(c).await)?)
}

/// All versions of a package, newest published first.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn list(c: &mut Connection, package_id: i64) -> DbResult<Vec<Listed>> {
    let sql = "SELECT id, version, publish_method, published_at_ms, \
               CAST(CASE WHEN u.version_id IS NULL THEN 1 ELSE 0 END AS BIGINT) AS shown \
               FROM versions LEFT JOIN unseen_versions u ON u.version_id = versions.id \
               WHERE package_id = $1 ORDER BY published_at_ms DESC, id DESC";
    Ok(on!(c => sqlx::query_as(sql).bind(package_id).fetch_all(c).await)?)
}

/// Writes a version and gives its key.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn insert(c: &mut Connection, new: New<'_>) -> DbResult<i64> {
    let sql = "INSERT INTO versions \
               (package_id, version, server_type, manifest_json, readme, publish_method, published_at_ms, \
               release_tag, release_url, provenance_json) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id";
    let id: i64 = on!(c => sqlx::query_scalar(sql)
        .bind(new.package_id)
        .bind(new.version)
        .bind(new.server_type)
        .bind(new.manifest_json)
        .bind(new.readme.map(text))
        .bind(new.publish_method)
        .bind(new.published_at_ms)
        .bind(new.release_tag)
        .bind(new.release_url)
        .bind(new.provenance_json)
        .fetch_one(c)
        .await)?;
    if !new.shown {
        execute!(c => sqlx::query("INSERT INTO unseen_versions (version_id) VALUES ($1)").bind(id))?;
    }
    Ok(id)
}

/// Notes that the versions of a package are public now.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn mark_shown(c: &mut Connection, package_id: i64) -> DbResult<()> {
    let sql = "DELETE FROM unseen_versions WHERE version_id IN (SELECT id FROM versions WHERE package_id = $1)";
    execute!(c => sqlx::query(sql).bind(package_id))?;
    Ok(())
}

/// Gives a version the README of its repository, where its bundle has none.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn add_readme(c: &mut Connection, id: i64, readme: &str) -> DbResult<()> {
    let sql = "INSERT INTO repository_readmes (version_id, readme) VALUES ($1, $2) ON CONFLICT (version_id) DO NOTHING";
    execute!(c => sqlx::query(sql).bind(id).bind(text(readme)))?;
    Ok(())
}

/// Deletes a version with everything that belongs to it, but for the bytes.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn delete(c: &mut Connection, id: i64) -> DbResult<()> {
    let sql = "DELETE FROM scans WHERE artifact_id IN (SELECT id FROM artifacts WHERE version_id = $1)";
    execute!(c => sqlx::query(sql).bind(id))?;
    let sql = "DELETE FROM downloads WHERE artifact_id IN (SELECT id FROM artifacts WHERE version_id = $1)";
    execute!(c => sqlx::query(sql).bind(id))?;
    let sql = "DELETE FROM attestations WHERE artifact_id IN (SELECT id FROM artifacts WHERE version_id = $1)";
    execute!(c => sqlx::query(sql).bind(id))?;
    let sql = "DELETE FROM attestation_looks WHERE artifact_id IN (SELECT id FROM artifacts WHERE version_id = $1)";
    execute!(c => sqlx::query(sql).bind(id))?;
    execute!(c => sqlx::query("DELETE FROM artifacts WHERE version_id = $1").bind(id))?;
    execute!(c => sqlx::query("DELETE FROM yanks WHERE version_id = $1").bind(id))?;
    execute!(c => sqlx::query("DELETE FROM repository_readmes WHERE version_id = $1").bind(id))?;
    execute!(c => sqlx::query("DELETE FROM unseen_versions WHERE version_id = $1").bind(id))?;
    execute!(c => sqlx::query("DELETE FROM versions WHERE id = $1").bind(id))?;
    Ok(())
}
