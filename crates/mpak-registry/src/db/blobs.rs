//! Blobs: which bytes the registry keeps.

use mpak_bundle::digest::Sha256;

use super::{Connection, DbResult, execute, signed};

/// Notes a blob; nothing happens when it is known.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn insert(c: &mut Connection, sha256: &Sha256, size_bytes: u64, now_ms: i64) -> DbResult<()> {
    let sql = "INSERT INTO blobs (digest, size_bytes, created_at_ms) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    execute!(c => sqlx::query(sql).bind(&sha256.as_bytes()[..]).bind(signed(size_bytes)).bind(now_ms))?;
    Ok(())
}
