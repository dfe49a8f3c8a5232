//! Tokens: who may publish what, until when. Only hashes are kept.

use mpak_bundle::digest::Sha256;
use sqlx::FromRow;

use super::{Connection, DbResult, execute, on};

/// A token without its secret.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Token {
    /// Key.
    pub(crate) id: i64,
    /// Given by the one who made it.
    pub(crate) name: String,
    /// JSON array of actions.
    pub(crate) actions_json: String,
    /// JSON array of package patterns.
    pub(crate) packages_json: String,
    /// When it was made.
    pub(crate) created_at_ms: i64,
    /// Until when it is valid.
    pub(crate) expires_at_ms: i64,
    /// Since when it is not.
    pub(crate) revoked_at_ms: Option<i64>,
    /// Last accepted publish, change or read, to the minute.
    pub(crate) last_used_at_ms: Option<i64>,
    /// Whose it is; nobody's when an administrator made it.
    pub(crate) user_id: Option<i64>,
    /// That person's role now.
    pub(crate) user_role: Option<String>,
    /// That person's name, for people to read.
    pub(crate) user_login: Option<String>,
    /// Since when that person may do nothing.
    pub(crate) user_disabled_at_ms: Option<i64>,
}

/// The columns of a [`Token`], and what the statement adds to them.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT t.id, t.name, t.actions_json, t.packages_json, t.created_at_ms, t.expires_at_ms, \
             t.revoked_at_ms, t.last_used_at_ms, t.user_id, u.role AS user_role, u.login AS user_login, \
             u.disabled_at_ms AS user_disabled_at_ms FROM tokens t LEFT JOIN users u ON u.id = t.user_id ",
            $rest
        )
    };
}

/// A token to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct New<'a> {
    /// Given by the one who makes it.
    pub(crate) name: &'a str,
    /// Of the whole token text.
    pub(crate) hash: &'a Sha256,
    /// JSON array of actions.
    pub(crate) actions_json: &'a str,
    /// JSON array of package patterns.
    pub(crate) packages_json: &'a str,
    /// Now.
    pub(crate) created_at_ms: i64,
    /// Until when it is valid.
    pub(crate) expires_at_ms: i64,
    /// Whose it is.
    pub(crate) user_id: Option<i64>,
}

/// Finds a token by the hash of its text. The comparison is of hashes of a random secret, so its time
/// tells nothing about the secret.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn find(c: &mut Connection, hash: &Sha256) -> DbResult<Option<Token>> {
    let sql = select!("WHERE t.hash = $1");
    Ok(on!(c => sqlx::query_as(sql).bind(&hash.as_bytes()[..]).fetch_optional(c).await)?)
}

/// All tokens, oldest first.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn list(c: &mut Connection) -> DbResult<Vec<Token>> {
    let sql = select!("ORDER BY t.id");
    Ok(on!(c => sqlx::query_as(sql).fetch_all(c).await)?)
}

/// The tokens of a person that are not revoked, newest first.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn of_user(c: &mut Connection, user_id: i64) -> DbResult<Vec<Token>> {
    let sql = select!("WHERE t.user_id = $1 AND t.revoked_at_ms IS NULL ORDER BY t.id DESC LIMIT 200");
    Ok(on!(c => sqlx::query_as(sql).bind(user_id).fetch_all(c).await)?)
}

/// Ends all tokens of a person, and gives how many.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn revoke_of_user(c: &mut Connection, user_id: i64, now_ms: i64) -> DbResult<u64> {
    let sql = "UPDATE tokens SET revoked_at_ms = $2 WHERE user_id = $1 AND revoked_at_ms IS NULL";
    Ok(execute!(c => sqlx::query(sql).bind(user_id).bind(now_ms))?)
}

/// Number of tokens, also of revoked and expired ones.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn count(c: &mut Connection) -> DbResult<i64> {
    Ok(on!(c => sqlx::query_scalar("SELECT count(*) FROM tokens").fetch_one(c).await)?)
}

/// Writes a token and gives its key.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn insert(c: &mut Connection, new: New<'_>) -> DbResult<i64> {
    let sql = "INSERT INTO tokens (name, hash, actions_json, packages_json, created_at_ms, expires_at_ms, user_id) \
               VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id";
    Ok(on!(c => sqlx::query_scalar(sql)
        .bind(new.name)
        .bind(&new.hash.as_bytes()[..])
        .bind(new.actions_json)
        .bind(new.packages_json)
        .bind(new.created_at_ms)
        .bind(new.expires_at_ms)
        .bind(new.user_id)
        .fetch_one(c)
        .await)?)
}

/// Ends a token now; `false` when there is no such valid token.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn revoke(c: &mut Connection, id: i64, now_ms: i64) -> DbResult<bool> {
    let sql = "UPDATE tokens SET revoked_at_ms = $2 WHERE id = $1 AND revoked_at_ms IS NULL";
    Ok(execute!(c => sqlx::query(sql).bind(id).bind(now_ms))? == 1)
}

/// Notes that a token was used.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn used(c: &mut Connection, id: i64, now_ms: i64) -> DbResult<()> {
    execute!(c => sqlx::query("UPDATE tokens SET last_used_at_ms = $2 WHERE id = $1").bind(id).bind(now_ms))?;
    Ok(())
}
