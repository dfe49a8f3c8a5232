//! Spent identities: tokens of workloads that published something; each is good for one version.

use super::{Connection, DbResult, execute, on};

/// By how much the clocks of replicas may differ: one that is ahead must not forget too early.
const CLOCKS_MS: i64 = 60 * 60 * 1_000;

/// What a token published, if anything: package and version.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn find(c: &mut Connection, issuer: &str, jti: &str) -> DbResult<Option<(String, String)>> {
    let sql = "SELECT package, version FROM spent_identities WHERE issuer = $1 AND jti = $2";
    Ok(on!(c => sqlx::query_as(sql).bind(issuer).bind(jti).fetch_optional(c).await)?)
}

/// Binds a token to what it publishes; nothing happens when it is bound already.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn spend(
    c: &mut Connection,
    (issuer, jti): (&str, &str),
    (package, version): (&str, &str),
    expires_at_ms: i64,
) -> DbResult<()> {
    let sql = "INSERT INTO spent_identities (issuer, jti, package, version, expires_at_ms) \
               VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    execute!(c => sqlx::query(sql).bind(issuer).bind(jti).bind(package).bind(version).bind(expires_at_ms))?;
    Ok(())
}

/// Forgets tokens that nobody could use any more.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn forget_expired(c: &mut Connection, now_ms: i64) -> DbResult<()> {
    let sql = "DELETE FROM spent_identities WHERE expires_at_ms < $1";
    execute!(c => sqlx::query(sql).bind(now_ms - CLOCKS_MS))?;
    Ok(())
}
