//! Artifacts: the bytes of a version for a platform; written once, never changed.

use mpak_bundle::digest::Sha256;
use mpak_bundle::platform::{Arch, Os, Platform};
use sqlx::FromRow;

use super::{Connection, DbError, DbResult, dialect, digest, execute, on, signed, unsigned};

/// An artifact.
#[derive(Clone, Debug)]
pub(crate) struct Artifact {
    /// Key.
    pub(crate) id: i64,
    /// Key of its version.
    pub(crate) version_id: i64,
    /// What it fits.
    pub(crate) platform: Platform,
    /// Its bytes.
    pub(crate) sha256: Sha256,
    /// Their number.
    pub(crate) size_bytes: u64,
    /// The event that tells of it.
    pub(crate) event_seq: i64,
    /// The release asset that it came from.
    pub(crate) source_url: Option<String>,
}

#[derive(FromRow)]
struct Row {
    id: i64,
    version_id: i64,
    os: String,
    arch: String,
    digest: Vec<u8>,
    size_bytes: i64,
    event_seq: i64,
    source_url: Option<String>,
}

impl TryFrom<Row> for Artifact {
    type Error = DbError;
    fn try_from(row: Row) -> DbResult<Self> {
        let platform = Os::parse(&row.os).zip(Arch::parse(&row.arch)).map(|(os, arch)| Platform { os, arch });
        Ok(Self {
            id: row.id,
            version_id: row.version_id,
            platform: platform
                .ok_or_else(|| DbError::Corrupt { what: "platform", found: format!("{}-{}", row.os, row.arch) })?,
            sha256: digest(&row.digest)?,
            size_bytes: unsigned(row.size_bytes),
            event_seq: row.event_seq,
            source_url: row.source_url,
        })
    }
}

/// An artifact to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct New<'a> {
    /// Key of its version.
    pub(crate) version_id: i64,
    /// What it fits.
    pub(crate) platform: Platform,
    /// Its bytes.
    pub(crate) sha256: Sha256,
    /// Their number.
    pub(crate) size_bytes: u64,
    /// Now.
    pub(crate) published_at_ms: i64,
    /// The event that tells of it.
    pub(crate) event_seq: i64,
    /// Where the bytes came from, when they were fetched.
    pub(crate) source_url: Option<&'a str>,
}

/// The artifacts of a version, exact platforms before `any`.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn of_version(c: &mut Connection, version_id: i64) -> DbResult<Vec<Artifact>> {
    let sql = "SELECT id, version_id, os, arch, digest, size_bytes, event_seq, source_url FROM artifacts \
               WHERE version_id = $1 ORDER BY os = 'any', os, arch = 'any', arch";
    let rows: Vec<Row> = on!(c => sqlx::query_as(sql).bind(version_id).fetch_all(c).await)?;
    rows.into_iter().map(Artifact::try_from).collect()
}

/// All artifacts of a package.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn of_package(c: &mut Connection, package_id: i64) -> DbResult<Vec<Artifact>> {
    let sql = "SELECT a.id, a.version_id, a.os, a.arch, a.digest, a.size_bytes, a.event_seq, a.source_url \
               FROM artifacts a JOIN versions v ON v.id = a.version_id WHERE v.package_id = $1 \
               ORDER BY a.version_id, a.os = 'any', a.os, a.arch = 'any', a.arch";
    let rows: Vec<Row> = on!(c => sqlx::query_as(sql).bind(package_id).fetch_all(c).await)?;
    rows.into_iter().map(Artifact::try_from).collect()
}

/// The artifacts of some versions.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn of_versions(c: &mut Connection, version_ids: &[i64]) -> DbResult<Vec<Artifact>> {
    let ids = dialect!(c,
        sqlite: "SELECT value FROM json_each($1)",
        postgres: "SELECT CAST(json_array_elements_text(CAST($1 AS JSON)) AS BIGINT)",
    );
    let sql = format!(
        "SELECT id, version_id, os, arch, digest, size_bytes, event_seq, source_url FROM artifacts \
         WHERE version_id IN ({ids}) ORDER BY version_id, os = 'any', os, arch = 'any', arch"
    );
    let ids = serde_json::Value::from(version_ids).to_string();
    let rows: Vec<Row> = on!(c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(&ids).fetch_all(c).await)?;
    rows.into_iter().map(Artifact::try_from).collect()
}

/// The artifact of a version for exactly this platform.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn find(
    c: &mut Connection,
    package: &str,
    version: &str,
    platform: Platform,
) -> DbResult<Option<Artifact>> {
    let sql = "SELECT a.id, a.version_id, a.os, a.arch, a.digest, a.size_bytes, a.event_seq, a.source_url \
               FROM artifacts a JOIN versions v ON v.id = a.version_id JOIN packages p ON p.id = v.package_id \
               WHERE p.name = $1 AND v.version = $2 AND a.os = $3 AND a.arch = $4";
    let row: Option<Row> = on!(c => sqlx::query_as(sql)
        .bind(package)
        .bind(version)
        .bind(platform.os.as_str())
        .bind(platform.arch.as_str())
        .fetch_optional(c)
        .await)?;
    row.map(Artifact::try_from).transpose()
}

/// Number of artifacts of a version.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn count(c: &mut Connection, package: &str, version: &str) -> DbResult<i64> {
    let sql = "SELECT count(*) FROM artifacts a JOIN versions v ON v.id = a.version_id \
               JOIN packages p ON p.id = v.package_id WHERE p.name = $1 AND v.version = $2";
    Ok(on!(c => sqlx::query_scalar(sql).bind(package).bind(version).fetch_one(c).await)?)
}

/// Writes an artifact with a download count of zero and gives its key.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn insert(c: &mut Connection, new: New<'_>) -> DbResult<i64> {
    let sql = "INSERT INTO artifacts (version_id, os, arch, digest, size_bytes, published_at_ms, event_seq, source_url) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id";
    let id: i64 = on!(c => sqlx::query_scalar(sql)
        .bind(new.version_id)
        .bind(new.platform.os.as_str())
        .bind(new.platform.arch.as_str())
        .bind(&new.sha256.as_bytes()[..])
        .bind(signed(new.size_bytes))
        .bind(new.published_at_ms)
        .bind(new.event_seq)
        .bind(new.source_url)
        .fetch_one(c)
        .await)?;
    execute!(c => sqlx::query("INSERT INTO downloads (artifact_id, count) VALUES ($1, 0)").bind(id))?;
    Ok(id)
}

/// The names of the packages that offer some bytes.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn packages_of(c: &mut Connection, sha256: &Sha256) -> DbResult<Vec<String>> {
    let sql = "SELECT DISTINCT p.name FROM artifacts a JOIN versions v ON v.id = a.version_id \
               JOIN packages p ON p.id = v.package_id WHERE a.digest = $1";
    Ok(on!(c => sqlx::query_scalar(sql).bind(&sha256.as_bytes()[..]).fetch_all(c).await)?)
}

/// An artifact with what it is published as.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Published {
    /// Its bytes.
    pub(crate) digest: Vec<u8>,
    /// Key of its package.
    pub(crate) package_id: i64,
    /// `@scope/name`.
    pub(crate) package: String,
    /// Semver.
    pub(crate) version: String,
    /// The event that tells of its publish.
    pub(crate) payload_json: String,
}

impl Published {
    /// Its bytes.
    ///
    /// # Errors
    /// [`DbError::Corrupt`].
    pub(crate) fn sha256(&self) -> DbResult<Sha256> {
        digest(&self.digest)
    }
}

/// The artifact with a key.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn published(c: &mut Connection, id: i64) -> DbResult<Option<Published>> {
    let sql = "SELECT a.digest, p.id AS package_id, p.name AS package, v.version, e.payload_json \
               FROM artifacts a JOIN versions v ON v.id = a.version_id JOIN packages p ON p.id = v.package_id \
               JOIN events e ON e.seq = a.event_seq WHERE a.id = $1";
    Ok(on!(c => sqlx::query_as(sql).bind(id).fetch_optional(c).await)?)
}
