//! Versions as server lists show them, with what was said about them after their publish; and which
//! packages changed since when.

use std::collections::{BTreeSet, HashMap, HashSet};

use sqlx::FromRow;

use super::{Connection, DbResult, dialect, is_text, on};

/// A version with everything that a server list tells of it, but its manifest.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Server {
    /// Key of the package.
    pub(crate) package_id: i64,
    /// `@scope/name`.
    pub(crate) package: String,
    /// What a bare name means.
    pub(crate) latest_version: String,
    /// The repository that the package is pinned to.
    pub(crate) repository: Option<String>,
    /// Why nobody should use the package any more.
    pub(crate) deprecated_message: Option<String>,
    /// What to use instead.
    pub(crate) deprecated_replacement: Option<String>,
    /// Since when nobody should.
    pub(crate) deprecated_at_ms: Option<i64>,
    /// Key of the version.
    pub(crate) version_id: i64,
    /// Semver.
    pub(crate) version: String,
    /// `upload`, `oidc`, …
    pub(crate) publish_method: String,
    /// First publish of this version.
    pub(crate) published_at_ms: i64,
    /// The verified claims of who built it.
    pub(crate) provenance_json: Option<String>,
    /// When it was yanked.
    pub(crate) yanked_at_ms: Option<i64>,
    /// Why it was yanked.
    pub(crate) yank_reason: Option<String>,
    /// The newest event about it or its package.
    pub(crate) changed_at_ms: Option<i64>,
}

/// A version that is gone and never comes back.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Gone {
    /// `@scope/name`.
    pub(crate) package: String,
    /// Semver.
    pub(crate) version: String,
    /// First publish of this version.
    pub(crate) published_at_ms: i64,
    /// When it was deleted.
    pub(crate) at_ms: i64,
    /// Why.
    pub(crate) reason: Option<String>,
}

/// Which versions are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted<'a> {
    /// What a bare name means.
    Latest,
    /// All of them.
    All,
    /// This one.
    Exactly(&'a str),
}

const COLUMNS: &str = "SELECT p.id AS package_id, p.name AS package, p.latest_version, p.repository, \
    p.deprecated_message, p.deprecated_replacement, \
    CASE WHEN p.deprecated_message IS NULL THEN NULL ELSE \
    (SELECT max(d.at_ms) FROM events d WHERE d.kind = 'deprecated' AND (d.package = p.name \
    OR d.package IN (SELECT a.name FROM aliases a WHERE a.package_id = p.id))) END AS deprecated_at_ms, \
    v.id AS version_id, v.version, \
    v.publish_method, v.published_at_ms, v.provenance_json, y.at_ms AS yanked_at_ms, y.reason AS yank_reason, \
    (SELECT max(e.at_ms) FROM events e WHERE e.package = p.name AND (e.version = v.version OR e.version IS NULL)) \
    AS changed_at_ms \
    FROM packages p JOIN versions v ON v.package_id = p.id LEFT JOIN yanks y ON y.version_id = v.id \
    WHERE p.state = 'public' AND NOT EXISTS (SELECT 1 FROM tombstones t WHERE t.package = p.name \
    AND (t.version = v.version OR t.version = ''))";

/// Names as one parameter: a JSON array.
fn array(names: &[&str]) -> String {
    serde_json::Value::from(names).to_string()
}

/// Versions of some packages, in the order of the packages' keys, newest published first.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn of(c: &mut Connection, packages: &[&str], wanted: Wanted<'_>) -> DbResult<Vec<Server>> {
    let names = dialect!(c,
        sqlite: "p.name IN (SELECT value FROM json_each($1))",
        postgres: "p.name IN (SELECT json_array_elements_text(CAST($1 AS JSON)))",
    );
    let (which, version) = match wanted {
        Wanted::Latest => ("v.version = p.latest_version AND $2 = ''", ""),
        Wanted::All => ("$2 = ''", ""),
        Wanted::Exactly(version) if !is_text(version) => return Ok(Vec::new()),
        Wanted::Exactly(version) => ("v.version = $2", version),
    };
    let sql = format!("{COLUMNS} AND {names} AND {which} ORDER BY p.id, v.published_at_ms DESC, v.id DESC");
    let names = array(packages);
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on!(c => sqlx::query_as(sql).bind(&names).bind(version).fetch_all(c).await)?)
}

/// The manifests of some versions, by key.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn manifests(c: &mut Connection, version_ids: &[i64]) -> DbResult<HashMap<i64, String>> {
    let sql = dialect!(c,
        sqlite: "SELECT id, manifest_json FROM versions WHERE id IN (SELECT value FROM json_each($1))",
        postgres: "SELECT id, manifest_json FROM versions \
                   WHERE id IN (SELECT CAST(json_array_elements_text(CAST($1 AS JSON)) AS BIGINT))",
    );
    let ids = serde_json::Value::from(version_ids).to_string();
    let rows: Vec<(i64, String)> = on!(c => sqlx::query_as(sql).bind(&ids).fetch_all(c).await)?;
    Ok(rows.into_iter().collect())
}

/// The latest versions of a scope's packages whose manifest may ask for a server name of its own, oldest
/// package first.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn naming_themselves(c: &mut Connection, scope: &str) -> DbResult<Vec<(String, String)>> {
    // `0` follows `/`.
    let sql = "SELECT p.name, v.manifest_json FROM packages p \
               JOIN versions v ON v.package_id = p.id AND v.version = p.latest_version \
               WHERE p.state = 'public' AND p.name >= $1 AND p.name < $2 \
               AND v.manifest_json LIKE '%dev.mpak/registry%' ORDER BY p.id LIMIT 500";
    let (from, to) = (format!("@{scope}/"), format!("@{scope}0"));
    Ok(on!(c => sqlx::query_as(sql).bind(&from).bind(&to).fetch_all(c).await)?)
}

/// Deleted versions of some packages since a time: under the name that their package has now, and
/// under each name that it had while they were there. A former name is gone, too, and says what follows it. What
/// was never public is not among them.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn gone(c: &mut Connection, packages: &[&str], since_ms: i64) -> DbResult<Vec<Gone>> {
    const SEEN: &str = "NOT EXISTS (SELECT 1 FROM tombstones h WHERE h.package = t.package \
        AND h.version = e.version AND h.hidden = 1) AND NOT EXISTS (SELECT 1 FROM packages q \
        JOIN versions w ON w.package_id = q.id JOIN unseen_versions u ON u.version_id = w.id \
        WHERE q.name = t.package AND w.version = e.version)";
    const PUBLISHED: &str = "e.kind = 'artifact_published' AND (t.version = e.version OR t.version = '')";
    let names = dialect!(c,
        sqlite: "(SELECT value FROM json_each($2))",
        postgres: "(SELECT json_array_elements_text(CAST($2 AS JSON)))",
    );
    let asked = format!("t.hidden = 0 AND t.at_ms >= $1 AND t.package IN {names}");
    let sql = format!(
        "SELECT package, version, CAST(min(published_at_ms) AS BIGINT) AS published_at_ms, \
         CAST(max(at_ms) AS BIGINT) AS at_ms, max(reason) AS reason FROM (\
         SELECT t.package, e.version, e.at_ms AS published_at_ms, t.at_ms, t.reason \
         FROM tombstones t JOIN events e ON e.package = t.package AND {PUBLISHED} WHERE {asked} AND {SEEN} \
         UNION ALL SELECT t.package, e.version, e.at_ms AS published_at_ms, t.at_ms, t.reason \
         FROM tombstones t JOIN packages p ON p.name = t.package JOIN aliases a ON a.package_id = p.id \
         JOIN events e ON e.package = a.name AND {PUBLISHED} WHERE {asked} AND {SEEN} \
         UNION ALL SELECT a.name AS package, v.version, v.published_at_ms, a.at_ms, 'Renamed to ' || p.name || '.' \
         FROM aliases a JOIN packages p ON p.id = a.package_id JOIN versions v ON v.package_id = p.id \
         WHERE p.state = 'public' AND v.published_at_ms <= a.at_ms AND a.at_ms >= $1 AND a.name IN {names}\
         ) AS gone GROUP BY package, version ORDER BY package, version"
    );
    let sql = sqlx::AssertSqlSafe(sql);
    Ok(on!(c => sqlx::query_as(sql).bind(since_ms).bind(array(packages)).fetch_all(c).await)?)
}

/// The next names from one on, in the order of their bytes, of which something is gone since a time: at most so
/// many.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn names_gone(c: &mut Connection, from: &str, since_ms: i64, count: i64) -> DbResult<Vec<String>> {
    let sql = "SELECT name FROM (SELECT name FROM (SELECT DISTINCT package AS name FROM tombstones \
               WHERE package >= $1 AND hidden = 0 AND at_ms >= $2 ORDER BY package LIMIT $3) AS t \
               UNION SELECT name FROM (SELECT name FROM aliases WHERE name >= $1 AND at_ms >= $2 \
               ORDER BY name LIMIT $3) AS a) AS gone ORDER BY name LIMIT $3";
    Ok(on!(c => sqlx::query_scalar(sql).bind(from).bind(since_ms).bind(count).fetch_all(c).await)?)
}

/// Names of packages that something happened to since a time; nothing where more than so many things happened.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn changed_since(c: &mut Connection, since_ms: i64, max: i64) -> DbResult<Option<BTreeSet<String>>> {
    let sql = "SELECT package FROM events WHERE at_ms >= $1 LIMIT $2";
    let rows: Vec<Option<String>> =
        on!(c => sqlx::query_scalar(sql).bind(since_ms).bind(max.saturating_add(1)).fetch_all(c).await)?;
    let few = i64::try_from(rows.len()).is_ok_and(|count| count <= max);
    Ok(few.then(|| rows.into_iter().flatten().collect()))
}

/// Those of some packages that have a version of since a time.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn published_since(c: &mut Connection, names: &[&str], since_ms: i64) -> DbResult<HashSet<String>> {
    let among = dialect!(c,
        sqlite: "p.name IN (SELECT value FROM json_each($1))",
        postgres: "p.name IN (SELECT json_array_elements_text(CAST($1 AS JSON)))",
    );
    let sql = format!(
        "SELECT p.name FROM packages p WHERE {among} AND p.state = 'public' AND EXISTS \
         (SELECT 1 FROM versions v WHERE v.package_id = p.id AND v.published_at_ms >= $2)"
    );
    let sql = sqlx::AssertSqlSafe(sql);
    let rows: Vec<String> = on!(c => sqlx::query_scalar(sql).bind(array(names)).bind(since_ms).fetch_all(c).await)?;
    Ok(rows.into_iter().collect())
}
