//! Packages: a name, and which version it means.

use mpak_bundle::version::{self, Version};
use sqlx::FromRow;

use super::{Connection, DbResult, execute, on};

/// A package.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Package {
    /// Key.
    pub(crate) id: i64,
    /// `@scope/name`, as it is now.
    pub(crate) name: String,
    /// Highest stable version.
    pub(crate) latest_version: String,
    /// First publish.
    pub(crate) created_at_ms: i64,
    /// [`PUBLIC`], [`HELD`], [`REMOVED`].
    pub(crate) state: String,
    /// Why it is held or was removed.
    pub(crate) held_reason: Option<String>,
    /// Why it should not be used any more.
    pub(crate) deprecated_message: Option<String>,
    /// What to use instead.
    pub(crate) deprecated_replacement: Option<String>,
    /// The repository that it is pinned to, as its issuer names it.
    pub(crate) repository: Option<String>,
}

/// Everybody sees it.
pub(crate) const PUBLIC: &str = "public";
/// It waits for an administrator's review; only its owners and administrators see it.
pub(crate) const HELD: &str = "held";
/// It was deleted or taken away.
pub(crate) const REMOVED: &str = "removed";

/// A package in a person's list, or an administrator's.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Owned {
    /// `@scope/name`.
    pub(crate) name: String,
    /// `public`, `held`, `removed`
    pub(crate) state: String,
    /// Why it is held.
    pub(crate) held_reason: Option<String>,
}

/// The packages that a person owns, by name.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn of_user(c: &mut Connection, user_id: i64) -> DbResult<Vec<Owned>> {
    let sql = "SELECT p.name, p.state, p.held_reason FROM packages p JOIN owners o ON o.package_id = p.id \
               WHERE o.user_id = $1 ORDER BY p.name LIMIT 1000";
    Ok(on!(c => sqlx::query_as(sql).bind(user_id).fetch_all(c).await)?)
}

/// The packages that wait for a decision, oldest first.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn held(c: &mut Connection) -> DbResult<Vec<Owned>> {
    let sql = "SELECT name, state, held_reason FROM packages WHERE state = 'held' ORDER BY id LIMIT 500";
    Ok(on!(c => sqlx::query_as(sql).fetch_all(c).await)?)
}

/// Finds a public package by its name or by one of its former names; what everybody may see.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn find(c: &mut Connection, name: &str) -> DbResult<Option<Package>> {
    let sql = "SELECT id, name, latest_version, created_at_ms, state, held_reason, deprecated_message, \
               deprecated_replacement, repository FROM packages \
               WHERE id = COALESCE((SELECT id FROM packages WHERE name = $1), \
               (SELECT package_id FROM aliases WHERE name = $1)) AND state = 'public'";
    Ok(on!(c => sqlx::query_as(sql).bind(name).fetch_optional(c).await)?)
}

/// Finds a package by its exact name, whatever its state: for those who publish, own and administer.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn find_any(c: &mut Connection, name: &str) -> DbResult<Option<Package>> {
    let sql = "SELECT id, name, latest_version, created_at_ms, state, held_reason, deprecated_message, \
               deprecated_replacement, repository FROM packages WHERE name = $1";
    Ok(on!(c => sqlx::query_as(sql).bind(name).fetch_optional(c).await)?)
}

/// Finds a package by its key, whatever its state.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn by_id(c: &mut Connection, id: i64) -> DbResult<Option<Package>> {
    let sql = "SELECT id, name, latest_version, created_at_ms, state, held_reason, deprecated_message, \
               deprecated_replacement, repository FROM packages WHERE id = $1";
    Ok(on!(c => sqlx::query_as(sql).bind(id).fetch_optional(c).await)?)
}

/// All packages in a state, oldest first.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn in_state(c: &mut Connection, state: &str) -> DbResult<Vec<Package>> {
    let sql = "SELECT id, name, latest_version, created_at_ms, state, held_reason, deprecated_message, \
               deprecated_replacement, repository FROM packages WHERE state = $1 ORDER BY created_at_ms, id LIMIT 1000";
    Ok(on!(c => sqlx::query_as(sql).bind(state).fetch_all(c).await)?)
}

/// Creates a package and gives its key.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn insert(c: &mut Connection, name: &str, latest_version: &str, now_ms: i64) -> DbResult<i64> {
    let sql = "INSERT INTO packages (name, latest_version, created_at_ms) VALUES ($1, $2, $3) RETURNING id";
    Ok(on!(c => sqlx::query_scalar(sql).bind(name).bind(latest_version).bind(now_ms).fetch_one(c).await)?)
}

/// Changes a package's state, with the reason for it.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn set_state(c: &mut Connection, id: i64, state: &str, reason: Option<&str>) -> DbResult<()> {
    let sql = "UPDATE packages SET state = $2, held_reason = $3 WHERE id = $1";
    execute!(c => sqlx::query(sql).bind(id).bind(state).bind(reason))?;
    Ok(())
}

/// Says that a package should not be used any more, or takes that back.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn set_deprecated(
    c: &mut Connection,
    id: i64,
    message: Option<&str>,
    replacement: Option<&str>,
) -> DbResult<()> {
    let sql = "UPDATE packages SET deprecated_message = $2, deprecated_replacement = $3 WHERE id = $1";
    execute!(c => sqlx::query(sql).bind(id).bind(message).bind(replacement))?;
    Ok(())
}

/// Gives a package another name, which was checked to be free.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn rename(c: &mut Connection, id: i64, from: &str, to: &str, now_ms: i64) -> DbResult<()> {
    execute!(c => sqlx::query("UPDATE packages SET name = $2 WHERE id = $1").bind(id).bind(to))?;
    let sql = "INSERT INTO aliases (name, package_id, at_ms) VALUES ($1, $2, $3)";
    execute!(c => sqlx::query(sql).bind(from).bind(id).bind(now_ms))?;
    // A name that it had before is its own again.
    execute!(c => sqlx::query("DELETE FROM aliases WHERE name = $1 AND package_id = $2").bind(to).bind(id))?;
    let sql = "UPDATE trusted_publishers SET package = $2 WHERE package = $1";
    execute!(c => sqlx::query(sql).bind(from).bind(to))?;
    Ok(())
}

/// Ends the rights of the workloads that published a package: it goes to somebody else.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn forget_publishers(c: &mut Connection, id: i64, name: &str) -> DbResult<()> {
    execute!(c => sqlx::query("DELETE FROM trusted_publishers WHERE package = $1").bind(name))?;
    execute!(c => sqlx::query("UPDATE packages SET repository = NULL WHERE id = $1").bind(id))?;
    Ok(())
}

/// The former names of a package.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn former_names(c: &mut Connection, id: i64) -> DbResult<Vec<String>> {
    let sql = "SELECT name FROM aliases WHERE package_id = $1 ORDER BY at_ms, name";
    Ok(on!(c => sqlx::query_scalar(sql).bind(id).fetch_all(c).await)?)
}

/// The package that had a name before.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn renamed(c: &mut Connection, name: &str) -> DbResult<Option<String>> {
    let sql = "SELECT p.name FROM aliases a JOIN packages p ON p.id = a.package_id WHERE a.name = $1";
    Ok(on!(c => sqlx::query_scalar(sql).bind(name).fetch_optional(c).await)?)
}

/// Whether somebody owns a package of a scope (`@scope`).
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn owns_in_scope(c: &mut Connection, scope: &str, user_id: i64) -> DbResult<bool> {
    // `_` and `%` are no characters of scopes, `.` is none of LIKE.
    let sql = "SELECT count(*) FROM owners o JOIN packages p ON p.id = o.package_id \
               WHERE p.name LIKE $1 AND o.user_id = $2 AND p.state = 'public'";
    let pattern = format!("@{scope}/%");
    Ok(on!(c => sqlx::query_scalar::<_, i64>(sql).bind(pattern).bind(user_id).fetch_one(c).await)? > 0)
}

/// Chooses which version a bare name means: the highest stable one that is not yanked, else the highest
/// prerelease that is not. Where all are yanked it is the highest of them, for lists only: downloads do
/// not resolve to it. Without any version nothing changes.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn choose_latest(c: &mut Connection, id: i64) -> DbResult<()> {
    let sql = "SELECT v.version, CASE WHEN y.version_id IS NULL THEN CAST(0 AS BIGINT) ELSE CAST(1 AS BIGINT) END \
               FROM versions v LEFT JOIN yanks y ON y.version_id = v.id WHERE v.package_id = $1";
    let rows: Vec<(String, i64)> = on!(c => sqlx::query_as(sql).bind(id).fetch_all(c).await)?;
    let parsed = |yanked: i64| rows.iter().filter(move |r| r.1 == yanked).filter_map(|r| Version::parse(&r.0).ok());
    let (good, yanked): (Vec<Version>, Vec<Version>) = (parsed(0).collect(), parsed(1).collect());
    let Some(latest) = version::latest(&good).or_else(|| version::latest(&yanked)) else { return Ok(()) };
    let sql = "UPDATE packages SET latest_version = $2 WHERE id = $1";
    execute!(c => sqlx::query(sql).bind(id).bind(latest.to_string()))?;
    Ok(())
}
