//! Renames and transfers: asked for by one side, accepted by the other, in effect after their notice.

use sqlx::FromRow;

use super::{Connection, DbResult, execute, on};

/// A rename or transfer.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Transfer {
    /// Key.
    pub(crate) id: i64,
    /// Which package.
    pub(crate) package_id: i64,
    /// The new name, or the package's own when only the owner changes.
    pub(crate) target_name: String,
    /// The new owner, when it changes.
    pub(crate) target_user_id: Option<i64>,
    /// The actor who asked for it.
    pub(crate) requested_by: String,
    /// When.
    pub(crate) requested_at_ms: i64,
    /// The actor who accepted it.
    pub(crate) accepted_by: Option<String>,
    /// When it takes effect, once accepted.
    pub(crate) effective_at_ms: i64,
    /// `requested`, `accepted`, `done`, `cancelled`
    pub(crate) state: String,
}

/// A transfer to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct New<'a> {
    /// Which package.
    pub(crate) package_id: i64,
    /// See [`Transfer`].
    pub(crate) target_name: &'a str,
    /// See [`Transfer`].
    pub(crate) target_user_id: Option<i64>,
    /// See [`Transfer`].
    pub(crate) requested_by: &'a str,
    /// Now.
    pub(crate) requested_at_ms: i64,
}

/// The transfer of a package that is under way.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn open(c: &mut Connection, package_id: i64) -> DbResult<Option<Transfer>> {
    let sql = "SELECT id, package_id, target_name, target_user_id, requested_by, requested_at_ms, accepted_by, \
               effective_at_ms, state FROM transfers WHERE package_id = $1 AND state IN ('requested', 'accepted') \
               ORDER BY id DESC LIMIT 1";
    Ok(on!(c => sqlx::query_as(sql).bind(package_id).fetch_optional(c).await)?)
}

/// The transfer under way that would take a name.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn towards(c: &mut Connection, name: &str) -> DbResult<Option<i64>> {
    let sql = "SELECT package_id FROM transfers WHERE target_name = $1 AND state IN ('requested', 'accepted') LIMIT 1";
    Ok(on!(c => sqlx::query_scalar(sql).bind(name).fetch_optional(c).await)?)
}

/// Accepted transfers whose notice is over.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn due(c: &mut Connection, now_ms: i64) -> DbResult<Vec<Transfer>> {
    let sql = "SELECT id, package_id, target_name, target_user_id, requested_by, requested_at_ms, accepted_by, \
               effective_at_ms, state FROM transfers WHERE state = 'accepted' AND effective_at_ms <= $1 \
               ORDER BY effective_at_ms, id LIMIT 100";
    Ok(on!(c => sqlx::query_as(sql).bind(now_ms).fetch_all(c).await)?)
}

/// Writes a transfer and gives its key.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn insert(c: &mut Connection, new: New<'_>) -> DbResult<i64> {
    let sql = "INSERT INTO transfers (package_id, target_name, target_user_id, requested_by, requested_at_ms, \
               effective_at_ms, state) VALUES ($1, $2, $3, $4, $5, $5, 'requested') RETURNING id";
    Ok(on!(c => sqlx::query_scalar(sql)
        .bind(new.package_id)
        .bind(new.target_name)
        .bind(new.target_user_id)
        .bind(new.requested_by)
        .bind(new.requested_at_ms)
        .fetch_one(c)
        .await)?)
}

/// Accepts a transfer.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn accept(c: &mut Connection, id: i64, by: &str, effective_at_ms: i64) -> DbResult<()> {
    let sql = "UPDATE transfers SET state = 'accepted', accepted_by = $2, effective_at_ms = $3 \
               WHERE id = $1 AND state = 'requested'";
    execute!(c => sqlx::query(sql).bind(id).bind(by).bind(effective_at_ms))?;
    Ok(())
}

/// Ends a transfer: `done` or `cancelled`.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn end(c: &mut Connection, id: i64, state: &str) -> DbResult<()> {
    execute!(c => sqlx::query("UPDATE transfers SET state = $2 WHERE id = $1").bind(id).bind(state))?;
    Ok(())
}
