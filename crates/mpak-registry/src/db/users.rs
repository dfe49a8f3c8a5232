//! People who signed in. A person is who the provider says by its stable subject; the rest is for reading.

use sqlx::FromRow;

use super::{Connection, DbResult, execute, on};

/// A person.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct User {
    /// Key.
    pub(crate) id: i64,
    /// The provider that vouches, or `local`.
    pub(crate) issuer: String,
    /// For people to read.
    pub(crate) login: String,
    /// For people to read.
    pub(crate) email: Option<String>,
    /// `reader`, `publisher`, `admin`
    pub(crate) role: String,
    /// Last sign-in.
    pub(crate) seen_at_ms: i64,
    /// Since when this person may do nothing.
    pub(crate) disabled_at_ms: Option<i64>,
}

/// What a sign-in says about a person.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignedIn<'a> {
    /// The provider.
    pub(crate) issuer: &'a str,
    /// The provider's stable name of the person.
    pub(crate) subject: &'a str,
    /// For people to read.
    pub(crate) login: &'a str,
    /// For people to read.
    pub(crate) email: Option<&'a str>,
    /// Login at GitHub, where the provider vouches for it.
    pub(crate) github_login: Option<&'a str>,
    /// Role of somebody new.
    pub(crate) role: &'a str,
    /// Whether somebody known gets the role too.
    pub(crate) role_decided: bool,
}

/// A statement that ends in the columns of a [`User`], or begins with them.
macro_rules! columns {
    ($before:literal, $after:literal) => {
        concat!($before, " id, issuer, login, email, role, seen_at_ms, disabled_at_ms ", $after)
    };
}

/// Writes who signed in and gives the row. A disabled person stays disabled.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn upsert(c: &mut Connection, who: SignedIn<'_>, now_ms: i64) -> DbResult<User> {
    let sql = columns!(
        "INSERT INTO users (issuer, subject, login, email, github_login, role, created_at_ms, seen_at_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (issuer, subject) DO UPDATE SET \
         login = excluded.login, email = excluded.email, github_login = excluded.github_login, \
         seen_at_ms = excluded.seen_at_ms, \
         role = CASE WHEN $8 = 1 THEN excluded.role ELSE users.role END RETURNING",
        ""
    );
    Ok(on!(c => sqlx::query_as(sql)
        .bind(who.issuer)
        .bind(who.subject)
        .bind(who.login)
        .bind(who.email)
        .bind(who.github_login)
        .bind(who.role)
        .bind(now_ms)
        .bind(i64::from(who.role_decided))
        .fetch_one(c)
        .await)?)
}

/// The login at GitHub for which a person's provider vouches.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn github_login(c: &mut Connection, id: i64) -> DbResult<Option<String>> {
    let sql = "SELECT github_login FROM users WHERE id = $1 AND disabled_at_ms IS NULL";
    let found: Option<Option<String>> = on!(c => sqlx::query_scalar(sql).bind(id).fetch_optional(c).await)?;
    Ok(found.flatten())
}

/// A person by key.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn find(c: &mut Connection, id: i64) -> DbResult<Option<User>> {
    let sql = columns!("SELECT", "FROM users WHERE id = $1");
    Ok(on!(c => sqlx::query_as(sql).bind(id).fetch_optional(c).await)?)
}

/// Accounts with a login: several providers may have the same one.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn with_login(c: &mut Connection, login: &str) -> DbResult<Vec<User>> {
    let sql = columns!("SELECT", "FROM users WHERE login = $1 ORDER BY id");
    Ok(on!(c => sqlx::query_as(sql).bind(login).fetch_all(c).await)?)
}

/// People, the last to sign in first.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn list(c: &mut Connection, limit: i64) -> DbResult<Vec<User>> {
    let sql = columns!("SELECT", "FROM users ORDER BY seen_at_ms DESC, id LIMIT $1");
    Ok(on!(c => sqlx::query_as(sql).bind(limit).fetch_all(c).await)?)
}

/// Whether an administrator ever signed in by a provider or link.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn any_admin(c: &mut Connection) -> DbResult<bool> {
    let sql = "SELECT count(*) FROM users WHERE role = 'admin' AND disabled_at_ms IS NULL";
    Ok(on!(c => sqlx::query_scalar::<_, i64>(sql).fetch_one(c).await)? > 0)
}

/// Changes a role; `false` when there is no such person or nothing changes.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn set_role(c: &mut Connection, id: i64, role: &str) -> DbResult<bool> {
    Ok(execute!(c => sqlx::query("UPDATE users SET role = $2 WHERE id = $1 AND role <> $2").bind(id).bind(role))? == 1)
}

/// Disables (with a time) or enables a person; `false` when there is no such person.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn set_disabled(c: &mut Connection, id: i64, at_ms: Option<i64>) -> DbResult<bool> {
    Ok(execute!(c => sqlx::query("UPDATE users SET disabled_at_ms = $2 WHERE id = $1").bind(id).bind(at_ms))? == 1)
}

/// The account that a provider calls so.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn with_subject(c: &mut Connection, issuer: &str, subject: &str) -> DbResult<Option<i64>> {
    let sql = "SELECT id FROM users WHERE issuer = $1 AND subject = $2";
    Ok(on!(c => sqlx::query_scalar(sql).bind(issuer).bind(subject).fetch_optional(c).await)?)
}
