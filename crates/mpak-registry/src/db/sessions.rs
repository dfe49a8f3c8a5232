//! Sessions of people in browsers. Only the hash of the cookie is kept.

use mpak_bundle::digest::Sha256;
use sqlx::FromRow;

use super::{Connection, DbResult, execute, on};

/// A session with the person it is of.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Session {
    /// Whose.
    pub(crate) user_id: i64,
    /// What forms of this session carry.
    pub(crate) csrf: String,
    /// Last use that was noted.
    pub(crate) seen_at_ms: i64,
    /// When it ends at the latest.
    pub(crate) expires_at_ms: i64,
    /// For people to read.
    pub(crate) login: String,
    /// `reader`, `publisher`, `admin`: the person's role now.
    pub(crate) role: String,
    /// The provider that vouches, or `local`.
    pub(crate) issuer: String,
}

/// Finds the session of a cookie, unless its person is disabled. Whether it ended is the caller's to say.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn find(c: &mut Connection, hash: &Sha256) -> DbResult<Option<Session>> {
    let sql = "SELECT s.user_id, s.csrf, s.seen_at_ms, s.expires_at_ms, u.login, u.role, u.issuer \
               FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.hash = $1 AND u.disabled_at_ms IS NULL";
    Ok(on!(c => sqlx::query_as(sql).bind(&hash.as_bytes()[..]).fetch_optional(c).await)?)
}

/// Writes a session, and removes those that ended.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn insert(
    c: &mut Connection,
    hash: &Sha256,
    user_id: i64,
    csrf: &str,
    now_ms: i64,
    expires_at_ms: i64,
) -> DbResult<()> {
    execute!(c => sqlx::query("DELETE FROM sessions WHERE expires_at_ms <= $1").bind(now_ms))?;
    let sql = "INSERT INTO sessions (hash, user_id, csrf, created_at_ms, seen_at_ms, expires_at_ms) \
               VALUES ($1, $2, $3, $4, $4, $5)";
    execute!(c => sqlx::query(sql)
        .bind(&hash.as_bytes()[..])
        .bind(user_id)
        .bind(csrf)
        .bind(now_ms)
        .bind(expires_at_ms))?;
    Ok(())
}

/// Notes that a session is used.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn seen(c: &mut Connection, hash: &Sha256, now_ms: i64) -> DbResult<()> {
    let sql = "UPDATE sessions SET seen_at_ms = $2 WHERE hash = $1";
    execute!(c => sqlx::query(sql).bind(&hash.as_bytes()[..]).bind(now_ms))?;
    Ok(())
}

/// Ends a session.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn delete(c: &mut Connection, hash: &Sha256) -> DbResult<()> {
    execute!(c => sqlx::query("DELETE FROM sessions WHERE hash = $1").bind(&hash.as_bytes()[..]))?;
    Ok(())
}

/// Ends all sessions of a person.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn delete_of_user(c: &mut Connection, user_id: i64) -> DbResult<()> {
    execute!(c => sqlx::query("DELETE FROM sessions WHERE user_id = $1").bind(user_id))?;
    Ok(())
}
