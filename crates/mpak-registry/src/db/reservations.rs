//! Scopes: whose they are, and which are reserved.

use super::{Connection, DbResult, execute, on};

/// Why a scope is reserved; nothing when it is not.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn reserved(c: &mut Connection, scope: &str) -> DbResult<Option<String>> {
    let sql =
        "SELECT reserved_reason FROM scopes WHERE scope = $1 AND owner_id IS NULL AND reserved_reason IS NOT NULL";
    Ok(on!(c => sqlx::query_scalar(sql).bind(scope).fetch_optional(c).await)?)
}

/// All reserved scopes with their reasons.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn all_reserved(c: &mut Connection) -> DbResult<Vec<(String, String)>> {
    let sql = "SELECT scope, reserved_reason FROM scopes WHERE owner_id IS NULL AND reserved_reason IS NOT NULL \
               ORDER BY scope";
    Ok(on!(c => sqlx::query_as(sql).fetch_all(c).await)?)
}

/// Reserves a scope; `false` when somebody owns it.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn reserve(c: &mut Connection, scope: &str, reason: &str, now_ms: i64) -> DbResult<bool> {
    let sql = "INSERT INTO scopes (scope, reserved_reason, created_at_ms) VALUES ($1, $2, $3) \
               ON CONFLICT (scope) DO UPDATE SET reserved_reason = excluded.reserved_reason \
               WHERE scopes.owner_id IS NULL";
    Ok(execute!(c => sqlx::query(sql).bind(scope).bind(reason).bind(now_ms))? == 1)
}

/// Ends a reservation; `false` when there is none.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn release(c: &mut Connection, scope: &str) -> DbResult<bool> {
    let sql = "DELETE FROM scopes WHERE scope = $1 AND owner_id IS NULL AND reserved_reason IS NOT NULL";
    Ok(execute!(c => sqlx::query(sql).bind(scope))? == 1)
}
