//! Blobs: which bytes the registry keeps.

use mpak_bundle::digest::Sha256;

use super::{Connection, DbResult, execute, on, signed};

/// Notes a blob that is kept from now on; `false` when it was before.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn insert(c: &mut Connection, sha256: &Sha256, size_bytes: u64, now_ms: i64) -> DbResult<bool> {
    let sql = "INSERT INTO blobs (digest, size_bytes, created_at_ms) VALUES ($1, $2, $3) \
               ON CONFLICT (digest) DO UPDATE SET kept = 1 WHERE blobs.kept = 0";
    Ok(execute!(c => sqlx::query(sql).bind(&sha256.as_bytes()[..]).bind(signed(size_bytes)).bind(now_ms))? == 1)
}

/// Notes a blob whose bytes stay where they were released; nothing happens when it is known.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn insert_linked(c: &mut Connection, sha256: &Sha256, size_bytes: u64, now_ms: i64) -> DbResult<()> {
    let sql = "INSERT INTO blobs (digest, size_bytes, created_at_ms, kept) VALUES ($1, $2, $3, 0) \
               ON CONFLICT (digest) DO NOTHING";
    execute!(c => sqlx::query(sql).bind(&sha256.as_bytes()[..]).bind(signed(size_bytes)).bind(now_ms))?;
    Ok(())
}

/// Most releases of the same bytes that are looked at.
const SOURCES_COUNT_MAX: i64 = 1_000;

/// Where the bytes of an artifact are that are not kept: at its own release, whoever else released them.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn source_of_artifact(c: &mut Connection, artifact_id: i64) -> DbResult<Option<String>> {
    let sql = "SELECT a.source_url FROM artifacts a JOIN blobs b ON b.digest = a.digest \
               WHERE a.id = $1 AND b.kept = 0 AND a.source_url IS NOT NULL";
    Ok(on!(c => sqlx::query_scalar(sql).bind(artifact_id).fetch_optional(c).await)?)
}

/// Public packages whose releases have the bytes of a blob that is not kept, with the address of each: who
/// released them first comes first.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn public_sources(c: &mut Connection, sha256: &Sha256) -> DbResult<Vec<(String, String)>> {
    let sql = "SELECT p.name, a.source_url FROM blobs b JOIN artifacts a ON a.digest = b.digest \
               JOIN versions v ON v.id = a.version_id JOIN packages p ON p.id = v.package_id \
               WHERE b.digest = $1 AND b.kept = 0 AND a.source_url IS NOT NULL AND p.state = 'public' \
               ORDER BY a.id LIMIT $2";
    Ok(on!(c => sqlx::query_as(sql).bind(&sha256.as_bytes()[..]).bind(SOURCES_COUNT_MAX).fetch_all(c).await)?)
}

/// Whether there is any blob that is not kept.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn any_linked(c: &mut Connection) -> DbResult<bool> {
    let sql = "SELECT size_bytes FROM blobs WHERE kept = 0 LIMIT 1";
    let found: Option<i64> = on!(c => sqlx::query_scalar(sql).fetch_optional(c).await)?;
    Ok(found.is_some())
}

/// Forgets a blob that no artifact names; `false` when one does, or there is none.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn forget_unnamed(c: &mut Connection, sha256: &Sha256) -> DbResult<bool> {
    let sql = "DELETE FROM blobs WHERE digest = $1 AND NOT EXISTS (SELECT 1 FROM artifacts a WHERE a.digest = $1)";
    Ok(execute!(c => sqlx::query(sql).bind(&sha256.as_bytes()[..]))? == 1)
}

/// Whether some bytes belong to packages that nobody may see only.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn is_hidden(c: &mut Connection, sha256: &Sha256) -> DbResult<bool> {
    let sql = "SELECT p.state FROM artifacts a JOIN versions v ON v.id = a.version_id \
               JOIN packages p ON p.id = v.package_id WHERE a.digest = $1 GROUP BY p.state";
    let states: Vec<String> = on!(c => sqlx::query_scalar(sql).bind(&sha256.as_bytes()[..]).fetch_all(c).await)?;
    Ok(!states.is_empty() && !states.iter().any(|state| state == super::packages::PUBLIC))
}

/// Whether any package has, or had and keeps, these bytes.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn is_known(c: &mut Connection, sha256: &Sha256) -> DbResult<bool> {
    let sql = "SELECT size_bytes FROM blobs WHERE digest = $1";
    let found: Option<i64> = on!(c => sqlx::query_scalar(sql).bind(&sha256.as_bytes()[..]).fetch_optional(c).await)?;
    Ok(found.is_some())
}
