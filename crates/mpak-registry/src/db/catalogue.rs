//! Public packages as everybody sees them: what the search index and the answers in memory are made from.

use sqlx::FromRow;

use super::{Connection, DbResult, dialect, on};

/// A public package with what its latest version says about it.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Row {
    /// Key of the package.
    pub(crate) id: i64,
    /// `@scope/name`.
    pub(crate) name: String,
    /// Highest stable version.
    pub(crate) latest_version: String,
    /// First publish of the package.
    pub(crate) created_at_ms: i64,
    /// Why it should not be used any more.
    pub(crate) deprecated_message: Option<String>,
    /// What to use instead.
    pub(crate) deprecated_replacement: Option<String>,
    /// `node`, `python`, `binary`, `uv`.
    pub(crate) server_type: String,
    /// The latest version's manifest.
    pub(crate) manifest_json: String,
    /// The latest version's publish time.
    pub(crate) published_at_ms: i64,
    /// Who built the latest version, as the wire's full provenance.
    pub(crate) provenance_json: Option<String>,
    /// Owners who proved that its repository is theirs.
    pub(crate) claims_count: i64,
}

/// A version, and whether it was yanked.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Versioned {
    /// Key.
    pub(crate) id: i64,
    /// Key of its package.
    pub(crate) package_id: i64,
    /// Semver.
    pub(crate) version: String,
    /// `upload`, …
    pub(crate) publish_method: String,
    /// First publish of this version.
    pub(crate) published_at_ms: i64,
    /// Who built it, as the wire's full provenance.
    pub(crate) provenance_json: Option<String>,
    /// When it was yanked.
    pub(crate) yanked_at_ms: Option<i64>,
    /// Why it was yanked.
    pub(crate) yank_reason: Option<String>,
}

const ROWS: &str = "SELECT p.id, p.name, p.latest_version, p.created_at_ms, p.deprecated_message, \
    p.deprecated_replacement, v.server_type, v.manifest_json, v.published_at_ms, v.provenance_json, \
    (SELECT count(*) FROM owners o WHERE o.package_id = p.id AND o.via = 'claim') AS claims_count FROM packages p \
    JOIN versions v ON v.package_id = p.id AND v.version = p.latest_version WHERE p.state = 'public'";

/// Whether a name is that of a public package.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn has(c: &mut Connection, name: &str) -> DbResult<bool> {
    let sql = "SELECT count(*) FROM packages p JOIN versions v ON v.package_id = p.id AND v.version = p.latest_version \
               WHERE p.state = 'public' AND p.name = $1";
    Ok(on!(c => sqlx::query_scalar::<_, i64>(sql).bind(name).fetch_one(c).await)? > 0)
}

/// Those of some packages that are public.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn of(c: &mut Connection, names: &[String]) -> DbResult<Vec<Row>> {
    let some = dialect!(c,
        sqlite: "SELECT value FROM json_each($1)",
        postgres: "SELECT json_array_elements_text(CAST($1 AS JSON))",
    );
    let sql = format!("{ROWS} AND p.name IN ({some})");
    let names = serde_json::Value::from(names).to_string();
    Ok(on!(c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(&names).fetch_all(c).await)?)
}

/// The next public packages by name, after one.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn after(c: &mut Connection, name: &str, limit: i64) -> DbResult<Vec<Row>> {
    let sql = format!("{ROWS} AND p.name > $1 ORDER BY p.name LIMIT $2");
    Ok(on!(c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(name).bind(limit).fetch_all(c).await)?)
}

/// The versions of some packages, of each the newest published first.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn versions(c: &mut Connection, package_ids: &[i64]) -> DbResult<Vec<Versioned>> {
    let some = dialect!(c,
        sqlite: "SELECT value FROM json_each($1)",
        postgres: "SELECT CAST(json_array_elements_text(CAST($1 AS JSON)) AS BIGINT)",
    );
    let sql = format!(
        "SELECT v.id, v.package_id, v.version, v.publish_method, v.published_at_ms, v.provenance_json, \
         y.at_ms AS yanked_at_ms, y.reason AS yank_reason FROM versions v LEFT JOIN yanks y ON y.version_id = v.id \
         WHERE v.package_id IN ({some}) ORDER BY v.package_id, v.published_at_ms DESC, v.id DESC"
    );
    let ids = serde_json::Value::from(package_ids).to_string();
    Ok(on!(c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(&ids).fetch_all(c).await)?)
}
