//! Links that sign an administrator in, once each. Only hashes are kept.

use mpak_bundle::digest::Sha256;

use super::{Connection, DbResult, execute, on};

/// Writes a link, and removes those that ran out.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn insert(c: &mut Connection, hash: &Sha256, now_ms: i64, expires_at_ms: i64) -> DbResult<()> {
    execute!(c => sqlx::query("DELETE FROM sign_in_links WHERE expires_at_ms <= $1").bind(now_ms))?;
    let sql = "INSERT INTO sign_in_links (hash, expires_at_ms) VALUES ($1, $2)";
    execute!(c => sqlx::query(sql).bind(&hash.as_bytes()[..]).bind(expires_at_ms))?;
    Ok(())
}

/// Whether a link can still be used.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn is_usable(c: &mut Connection, hash: &Sha256, now_ms: i64) -> DbResult<bool> {
    let sql = "SELECT count(*) FROM sign_in_links WHERE hash = $1 AND used_at_ms IS NULL AND expires_at_ms > $2";
    let found: i64 = on!(c => sqlx::query_scalar(sql).bind(&hash.as_bytes()[..]).bind(now_ms).fetch_one(c).await)?;
    Ok(found == 1)
}

/// Uses a link up; `false` when it was used, ran out or never was.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn take(c: &mut Connection, hash: &Sha256, now_ms: i64) -> DbResult<bool> {
    let sql = "UPDATE sign_in_links SET used_at_ms = $2 WHERE hash = $1 AND used_at_ms IS NULL AND expires_at_ms > $2";
    Ok(execute!(c => sqlx::query(sql).bind(&hash.as_bytes()[..]).bind(now_ms))? == 1)
}
