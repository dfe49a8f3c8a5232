//! Accounts as an administrator changes them.

use sqlx::FromRow;

use super::{Connection, DbResult, execute, on};

/// An account.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Row {
    /// Key.
    pub(crate) id: i64,
    /// The provider.
    pub(crate) issuer: String,
    /// The person, at the provider.
    pub(crate) subject: String,
    /// For people to read.
    pub(crate) login: String,
    /// `reader`, `publisher`, `admin`.
    pub(crate) role: String,
    /// First sign-in, or when it was added.
    pub(crate) created_at_ms: i64,
    /// Since when it is shut out.
    pub(crate) disabled_at_ms: Option<i64>,
}

/// All accounts, oldest first.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn list(c: &mut Connection) -> DbResult<Vec<Row>> {
    let sql = "SELECT id, issuer, subject, login, role, created_at_ms, disabled_at_ms FROM users ORDER BY id";
    Ok(on!(c => sqlx::query_as(sql).fetch_all(c).await)?)
}

/// Adds an account; nothing when it is known.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn insert(
    c: &mut Connection,
    issuer: &str,
    subject: &str,
    login: &str,
    role: &str,
    now_ms: i64,
) -> DbResult<Option<i64>> {
    let sql = "INSERT INTO users (issuer, subject, login, role, created_at_ms, seen_at_ms) \
               VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT (issuer, subject) DO NOTHING RETURNING id";
    Ok(on!(c => sqlx::query_scalar(sql)
        .bind(issuer)
        .bind(subject)
        .bind(login)
        .bind(role)
        .bind(now_ms)
        .fetch_optional(c)
        .await)?)
}

/// Sets a role; `false` when there is no such account.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn set_role(c: &mut Connection, id: i64, role: &str) -> DbResult<bool> {
    Ok(execute!(c => sqlx::query("UPDATE users SET role = $2 WHERE id = $1").bind(id).bind(role))? > 0)
}

/// Shuts out (and ends sessions) or lets in; `false` when there is no such account.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn set_disabled(c: &mut Connection, id: i64, at_ms: Option<i64>) -> DbResult<bool> {
    if at_ms.is_some() {
        execute!(c => sqlx::query("DELETE FROM sessions WHERE user_id = $1").bind(id))?;
    }
    Ok(execute!(c => sqlx::query("UPDATE users SET disabled_at_ms = $2 WHERE id = $1").bind(id).bind(at_ms))? > 0)
}
