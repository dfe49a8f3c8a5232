//! Events: everything a user of the registry could care about, in order, append-only.

use super::{Connection, DbResult, on};

/// An event to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct New<'a> {
    /// Now.
    pub(crate) at_ms: i64,
    /// `artifact_published`, `scanned`, `token_created`, …
    pub(crate) kind: &'a str,
    /// Which package.
    pub(crate) package: Option<&'a str>,
    /// Which version.
    pub(crate) version: Option<&'a str>,
    /// Who: `token:NAME`, `registry`.
    pub(crate) actor: &'a str,
    /// The rest.
    pub(crate) payload: &'a serde_json::Value,
}

/// The position of the last event, if there is any.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn last_seq(c: &mut Connection) -> DbResult<Option<i64>> {
    Ok(on!(c => sqlx::query_scalar("SELECT max(seq) FROM events").fetch_one(c).await)?)
}

/// What is said at a position, in short: another registry's event there differs.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn about(c: &mut Connection, seq: i64) -> DbResult<Option<String>> {
    type Row = (i64, String, Option<String>, Option<String>, String);
    let sql = "SELECT at_ms, kind, package, version, actor FROM events WHERE seq = $1";
    let row: Option<Row> = on!(c => sqlx::query_as(sql).bind(seq).fetch_optional(c).await)?;
    Ok(row.map(|(at_ms, kind, package, version, actor)| {
        format!("{at_ms} {kind} {} {} {actor}", package.unwrap_or_default(), version.unwrap_or_default())
    }))
}

/// Packages that events after a position and up to another are about, each once.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn packages_between(c: &mut Connection, after: i64, up_to: i64) -> DbResult<Vec<String>> {
    let sql = "SELECT DISTINCT package FROM events WHERE seq > $1 AND seq <= $2 AND package IS NOT NULL";
    Ok(on!(c => sqlx::query_scalar(sql).bind(after).bind(up_to).fetch_all(c).await)?)
}

/// Appends an event and gives its position.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn append(c: &mut Connection, new: New<'_>) -> DbResult<i64> {
    let sql = "INSERT INTO events (at_ms, kind, package, version, actor, payload_json) \
               VALUES ($1, $2, $3, $4, $5, $6) RETURNING seq";
    Ok(on!(c => sqlx::query_scalar(sql)
        .bind(new.at_ms)
        .bind(new.kind)
        .bind(new.package)
        .bind(new.version)
        .bind(new.actor)
        .bind(new.payload.to_string())
        .fetch_one(c)
        .await)?)
}

/// Packages that events after a position are about, with the position of each event, in order.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn packages_after(c: &mut Connection, seq: i64, limit: i64) -> DbResult<Vec<(i64, String)>> {
    let sql = "SELECT seq, package FROM events WHERE seq > $1 AND package IS NOT NULL ORDER BY seq LIMIT $2";
    Ok(on!(c => sqlx::query_as(sql).bind(seq).bind(limit).fetch_all(c).await)?)
}

/// Packages that scans between two positions judged.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn judged_between(c: &mut Connection, after: i64, up_to: i64) -> DbResult<Vec<String>> {
    let sql = "SELECT DISTINCT package FROM events \
               WHERE kind = 'scanned' AND package IS NOT NULL AND seq > $1 AND seq <= $2";
    Ok(on!(c => sqlx::query_scalar(sql).bind(after).bind(up_to).fetch_all(c).await)?)
}

/// The position of the last event; 0 when there is none.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn last(c: &mut Connection) -> DbResult<i64> {
    Ok(on!(c => sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM events").fetch_one(c).await)?)
}

/// An event about a package.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Event {
    /// Its position.
    pub(crate) seq: i64,
    /// When.
    pub(crate) at_ms: i64,
    /// What.
    pub(crate) kind: String,
    /// Of which version.
    pub(crate) version: Option<String>,
    /// Who.
    pub(crate) actor: String,
    /// The rest.
    pub(crate) payload_json: String,
}

/// When a package became what it is: held, rejected, removed or deleted.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn decided_at_ms(c: &mut Connection, package: &str) -> DbResult<Option<i64>> {
    let sql = "SELECT max(at_ms) FROM events \
               WHERE package = $1 AND kind IN ('held', 'rejected', 'removed', 'package_deleted')";
    Ok(on!(c => sqlx::query_scalar(sql).bind(package).fetch_one(c).await)?)
}

/// What happened to a package under one of its names, newest first, from before a position; not what happened
/// to versions that went before anybody saw them.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn of_package(c: &mut Connection, name: &str, before: i64, limit: i64) -> DbResult<Vec<Event>> {
    let sql = "SELECT seq, at_ms, kind, version, actor, payload_json FROM events \
               WHERE package = $1 AND seq < $2 AND kind <> 'scanned' AND NOT EXISTS (SELECT 1 FROM tombstones t \
               WHERE t.package = events.package AND t.version = events.version AND t.hidden = 1) \
               ORDER BY seq DESC LIMIT $3";
    Ok(on!(c => sqlx::query_as(sql).bind(name).bind(before).bind(limit).fetch_all(c).await)?)
}
