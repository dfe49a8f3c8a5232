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

/// Where the bytes of a blob are that is not kept: at its newest release.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn source_of(c: &mut Connection, sha256: &Sha256) -> DbResult<Option<String>> {
    let sql = "SELECT a.source_url FROM blobs b JOIN artifacts a ON a.digest = b.digest \
               WHERE b.digest = $1 AND b.kept = 0 AND a.source_url IS NOT NULL ORDER BY a.id DESC LIMIT 1";
    Ok(on!(c => sqlx::query_scalar(sql).bind(&sha256.as_bytes()[..]).fetch_optional(c).await)?)
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
