//! People with an account.

use sqlx::FromRow;

use super::{Connection, DbResult, on};

/// An account.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct User {
    /// Key.
    pub(crate) id: i64,
    /// For people to read.
    pub(crate) login: String,
    /// Login at GitHub, where the provider vouches for it.
    pub(crate) github_login: Option<String>,
    /// `reader`, `publisher`, `admin`.
    pub(crate) role: String,
    /// Since when it is shut out.
    pub(crate) disabled_at_ms: Option<i64>,
}

/// Finds an account by its key.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn find(c: &mut Connection, id: i64) -> DbResult<Option<User>> {
    let sql = "SELECT id, login, github_login, role, disabled_at_ms FROM users WHERE id = $1";
    Ok(on!(c => sqlx::query_as(sql).bind(id).fetch_optional(c).await)?)
}

/// Accounts with a login: several providers may have the same one.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn with_login(c: &mut Connection, login: &str) -> DbResult<Vec<User>> {
    let sql = "SELECT id, login, github_login, role, disabled_at_ms FROM users WHERE login = $1 ORDER BY id";
    Ok(on!(c => sqlx::query_as(sql).bind(login).fetch_all(c).await)?)
}
