//! Owners: which people a package belongs to.

use sqlx::FromRow;

use super::{Connection, DbResult, execute, on};

/// How somebody stands to a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// One of its owners.
    Owner,
    /// Not one of them; perhaps nobody is.
    Other,
    /// Nothing was ever published under the name.
    NoPackage,
}

/// An owner.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Owner {
    /// Who.
    pub(crate) user_id: i64,
    /// For people to read.
    pub(crate) login: String,
    /// `publish`, `claim`, `admin`, `transfer`
    pub(crate) via: String,
    /// 1 when this owner allows tokens beside trusted publishing.
    pub(crate) allows_tokens: i64,
    /// Since when.
    pub(crate) created_at_ms: i64,
}

/// How somebody stands to the package of this exact name.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn standing(c: &mut Connection, package: &str, user_id: i64) -> DbResult<Standing> {
    let sql = "SELECT count(o.user_id) FROM packages p \
               LEFT JOIN owners o ON o.package_id = p.id AND o.user_id = $2 WHERE p.name = $1 GROUP BY p.id";
    let count: Option<i64> = on!(c => sqlx::query_scalar(sql).bind(package).bind(user_id).fetch_optional(c).await)?;
    Ok(match count {
        None => Standing::NoPackage,
        Some(0) => Standing::Other,
        Some(_) => Standing::Owner,
    })
}

/// All owners, the first one first.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn list(c: &mut Connection, package_id: i64) -> DbResult<Vec<Owner>> {
    let sql = "SELECT o.user_id, u.login, o.via, o.allows_tokens, o.created_at_ms FROM owners o \
               JOIN users u ON u.id = o.user_id WHERE o.package_id = $1 ORDER BY o.created_at_ms, o.user_id";
    Ok(on!(c => sqlx::query_as(sql).bind(package_id).fetch_all(c).await)?)
}

/// Adds an owner; `false` when they are one already.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn add(c: &mut Connection, package_id: i64, user_id: i64, via: &str, now_ms: i64) -> DbResult<bool> {
    let sql = "INSERT INTO owners (package_id, user_id, via, created_at_ms) VALUES ($1, $2, $3, $4) \
               ON CONFLICT DO NOTHING";
    Ok(execute!(c => sqlx::query(sql).bind(package_id).bind(user_id).bind(via).bind(now_ms))? == 1)
}

/// Takes an owner away; `false` when they were none.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn remove(c: &mut Connection, package_id: i64, user_id: i64) -> DbResult<bool> {
    let sql = "DELETE FROM owners WHERE package_id = $1 AND user_id = $2";
    Ok(execute!(c => sqlx::query(sql).bind(package_id).bind(user_id))? == 1)
}

/// Takes all owners away: the package goes to somebody else.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn remove_all(c: &mut Connection, package_id: i64) -> DbResult<()> {
    execute!(c => sqlx::query("DELETE FROM owners WHERE package_id = $1").bind(package_id))?;
    Ok(())
}

/// Notes whether an owner allows tokens beside trusted publishing; `false` when they are no owner.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn allow_tokens(c: &mut Connection, package_id: i64, user_id: i64, allow: bool) -> DbResult<bool> {
    let sql = "UPDATE owners SET allows_tokens = $3 WHERE package_id = $1 AND user_id = $2";
    Ok(execute!(c => sqlx::query(sql).bind(package_id).bind(user_id).bind(i64::from(allow)))? == 1)
}

/// How many owners allow tokens beside trusted publishing; two are needed.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn allowing_tokens(c: &mut Connection, package: &str) -> DbResult<i64> {
    let sql = "SELECT count(*) FROM owners o JOIN packages p ON p.id = o.package_id \
               WHERE p.name = $1 AND o.allows_tokens = 1";
    Ok(on!(c => sqlx::query_scalar(sql).bind(package).fetch_one(c).await)?)
}

/// Whether somebody may begin a package in a scope (without `@`) that no workload owns: nobody else's is in it and
/// it is not reserved, or they own one of its packages. What was taken away or deleted keeps no scope.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn scope_is_open(c: &mut Connection, scope: &str, user_id: i64) -> DbResult<bool> {
    let pattern = format!("@{scope}/%");
    let sql = "SELECT count(*) FROM packages p JOIN owners o ON o.package_id = p.id \
               WHERE p.name LIKE $1 AND o.user_id = $2 AND p.state <> 'removed'";
    let own: i64 = on!(c => sqlx::query_scalar(sql).bind(&pattern).bind(user_id).fetch_one(c).await)?;
    let sql = "SELECT count(*) FROM packages WHERE name LIKE $1 AND state <> 'removed'";
    let all: i64 = on!(c => sqlx::query_scalar(sql).bind(&pattern).fetch_one(c).await)?;
    let sql = "SELECT count(*) FROM scopes WHERE scope = $1";
    let taken: i64 = on!(c => sqlx::query_scalar(sql).bind(scope).fetch_one(c).await)?;
    Ok(own > 0 || (all == 0 && taken == 0))
}

/// In the event of a publish by a token of the operator's own.
pub(crate) const BY_OPERATOR: &str = "operator";

/// Whether all that was ever published of a package came from the operator's own tokens, and nobody owns it.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn is_operators(c: &mut Connection, package_id: i64) -> DbResult<bool> {
    // Texts of others stand in the payload with their quotes escaped.
    let sql = "SELECT count(*), count(CASE WHEN e.payload_json LIKE $2 THEN 1 END) FROM events e \
               WHERE e.kind = 'artifact_published' AND (e.package IN (SELECT name FROM packages WHERE id = $1) \
               OR e.package IN (SELECT name FROM aliases WHERE package_id = $1)) \
               AND NOT EXISTS (SELECT 1 FROM owners o WHERE o.package_id = $1)";
    let mark = format!("%\"{BY_OPERATOR}\":true%");
    let (all, own): (i64, i64) = on!(c => sqlx::query_as(sql).bind(package_id).bind(&mark).fetch_one(c).await)?;
    Ok(all > 0 && all == own)
}
