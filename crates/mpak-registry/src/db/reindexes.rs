//! What administrators asked to be made anew: search and static files. The number of the last request is
//! the mark that every replica compares with the one that its own were made for.

use super::{Connection, DbResult, execute, on};

/// The last request; 0 before there is any.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn last(c: &mut Connection) -> DbResult<i64> {
    Ok(on!(c => sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM reindexes").fetch_one(c).await)?)
}

/// Asks for everything to be made anew.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn ask(c: &mut Connection, now_ms: i64) -> DbResult<()> {
    execute!(c => sqlx::query("INSERT INTO reindexes (at_ms) VALUES ($1)").bind(now_ms))?;
    Ok(())
}
