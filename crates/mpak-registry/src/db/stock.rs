//! How much there is, for those who watch.

use super::{Connection, DbResult, on};

/// Number of kept blobs, their bytes, number of packages.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn stock(c: &mut Connection) -> DbResult<(i64, i64, i64)> {
    let sql = "SELECT count(*), CAST(COALESCE(sum(size_bytes), 0) AS BIGINT), \
               (SELECT count(*) FROM packages WHERE state = 'public') FROM blobs WHERE kept <> 0";
    Ok(on!(c => sqlx::query_as(sql).fetch_one(c).await)?)
}
