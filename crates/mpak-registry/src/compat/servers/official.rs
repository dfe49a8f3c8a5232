//! `/v0.1/servers…` and `/v0/servers…`: the official registry's shape, so that editors, policies and
//! aggregators can use this registry as one of theirs.
//!
//! A yanked version and every version of a deprecated package have the status `deprecated`; a deleted
//! version has the status `deleted` and is listed only when asked for, or when a time is given, so that
//! whoever mirrors us sees that it went. Spec: MCP registry API v0.1.

use std::collections::{BTreeMap, HashMap};

use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mpak_api::server::{OfficialList, OfficialServer, Pong, Program, Status};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::flat::package;
use super::looking::{Looking, Stretch};
use super::record::{self, Record, Told};
use super::{BRIEFLY, ENTRY_BYTES, ServerError, ServerResult, Shape, name, quoted, write_latest};
use crate::auth::asker;
use crate::db::servers::{self, Gone, Wanted};
use crate::db::{Connection, DbResult};
use crate::http::{cached, json, json_text};
use crate::state::AppState;

/// Entries of a page, usually and at most.
const LIMIT: usize = 30;
const LIMIT_MAX: usize = 100;
/// Longest text that is searched for.
const QUERY_CHARS_MAX: usize = 200;
/// Packages that one request reads. A page may have fewer entries than asked for, with a cursor that goes on.
const PACKAGES_COUNT_MAX: usize = 4_096;
/// What a stretch without any counts for.
const STRETCH_COUNT_MIN: usize = 32;
/// Versions of one package that one answer lists.
const VERSIONS_COUNT_MAX: usize = 1_000;

/// `GET /v0.1/health`
#[utoipa::path(
    get, path = "/health", tag = "official",
    responses((status = 200, description = "It answers", body = Status)),
)]
pub(crate) async fn health() -> Response {
    json(&Status { status: "ok".to_owned() })
}

/// `GET /v0.1/ping`
#[utoipa::path(
    get, path = "/ping", tag = "official",
    responses((status = 200, description = "It answers", body = Pong)),
)]
pub(crate) async fn ping() -> Response {
    json(&Pong { pong: true })
}

/// `GET /v0.1/version`
#[utoipa::path(
    get, path = "/version", tag = "official",
    responses((status = 200, description = "The program", body = Program)),
)]
pub(crate) async fn version() -> Response {
    json(&Program { version: env!("CARGO_PKG_VERSION").to_owned() })
}

/// What a list is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) after: Option<(String, String)>,
    limit: usize,
    /// In lower case.
    pub(super) search: String,
    pub(super) since_ms: Option<i64>,
    version: Option<String>,
    pub(super) include_deleted: bool,
}

impl Asked {
    fn wanted(&self) -> Wanted<'_> {
        match self.version.as_deref() {
            None => Wanted::All,
            Some("latest") => Wanted::Latest,
            Some(version) => Wanted::Exactly(version),
        }
    }
}

fn values(query: Option<&str>) -> HashMap<String, String> {
    form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect()
}

fn asked(query: Option<&str>) -> Result<Asked, ServerError> {
    let values = values(query);
    let given = |name: &str| values.get(name).map(String::as_str).filter(|v| !v.is_empty());
    let after = given("cursor").map(|cursor| {
        read_cursor(cursor)
            .ok_or_else(|| ServerError::bad_request("invalid cursor: take `metadata.nextCursor` of the page before"))
    });
    let limit = given("limit").map(|limit| {
        let fits = limit.parse().ok().filter(|n| (1..=LIMIT_MAX).contains(n));
        fits.ok_or_else(|| ServerError::bad_request(format!("invalid limit: expected a number from 1 to {LIMIT_MAX}")))
    });
    let since = given("updated_since").map(|time| {
        let at = time.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_millisecond);
        at.map_err(|_no_time| {
            ServerError::bad_request("invalid updated_since: expected a time of RFC 3339, such as 2026-11-20T09:00:00Z")
        })
    });
    let search: String = given("search").unwrap_or_default().to_lowercase();
    if search.chars().count() > QUERY_CHARS_MAX {
        return Err(ServerError::bad_request(format!("invalid search: expected at most {QUERY_CHARS_MAX} characters")));
    }
    let since_ms = since.transpose()?;
    Ok(Asked {
        after: after.transpose()?,
        limit: limit.transpose()?.unwrap_or(LIMIT),
        search,
        include_deleted: include_deleted(given("include_deleted"), since_ms.is_some())?,
        since_ms,
        version: given("version").map(str::to_owned),
    })
}

/// Whoever asks what changed must learn what was deleted.
fn include_deleted(given: Option<&str>, changes: bool) -> Result<bool, ServerError> {
    match given {
        Some("true" | "1") => Ok(true),
        Some("false" | "0") if changes => {
            Err(ServerError::bad_request("include_deleted cannot be false together with updated_since"))
        }
        Some("false" | "0") => Ok(false),
        None => Ok(changes),
        Some(_) => Err(ServerError::bad_request("invalid include_deleted: expected true or false")),
    }
}

fn cursor(package: &str, version: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{package}:{version}"))
}

fn read_cursor(cursor: &str) -> Option<(String, String)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let (package, version) = text.split_once(':')?;
    (!text.contains('\0') && text.len() <= 1_024).then(|| (package.to_owned(), version.to_owned()))
}

/// `GET /v0.1/servers`
#[utoipa::path(
    get, path = "/servers", tag = "official",
    params(("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"), ("limit" = Option<u32>, Query, minimum = 1, maximum = 100),
        ("search" = Option<String>, Query, max_length = 200), ("updated_since" = Option<String>, Query, description = "A time of RFC 3339; empty as if it were not there"),
        ("version" = Option<String>, Query, description = "Semver, or latest"), ("include_deleted" = Option<bool>, Query)),
    responses((status = 200, description = "A page", body = OfficialList)),
)]
pub(crate) async fn list(State(state): State<AppState>, RawQuery(query): RawQuery, headers: HeaderMap) -> ServerResult {
    let asked = asked(query.as_deref())?;
    let base = state.base_url(&headers);
    // The usual question is answered from memory.
    let plain = asked.version.as_deref() == Some("latest") && asked.since_ms.is_none() && !asked.include_deleted;
    let (entries, next) = if plain && asked.search.is_empty() {
        latest_page(&state, &asked, &base).await?
    } else {
        page(&state, &mut *state.db.read().await?, &asked, &base).await?
    };
    let next = next.map(|next| format!(",\"nextCursor\":\"{next}\"")).unwrap_or_default();
    let (servers, count) = entries;
    let mut body = br#"{"servers":["#.to_vec();
    body.extend(servers);
    body.extend_from_slice(format!("],\"metadata\":{{\"count\":{count}{next}}}}}").as_bytes());
    Ok(cached(json_text(body), BRIEFLY))
}

/// Entries as the members of a JSON array, and their number; the cursor that goes on.
type Page = ((Vec<u8>, usize), Option<String>);

async fn latest_page(state: &AppState, asked: &Asked, base: &str) -> Result<Page, ServerError> {
    let after = asked.after.as_ref().map_or("", |(package, _)| package.as_str());
    let mut found = state.search.from_name(&asker::current().reader, after, asked.limit + 2);
    found.retain(|found| found.name() > after);
    let more = found.len() > asked.limit;
    found.truncate(asked.limit);
    let mut entries = Vec::with_capacity(found.len() * ENTRY_BYTES);
    let count = write_latest(state, &found, Shape::Official, base, &mut entries).await?;
    let next = found.last().filter(|_| more).map(|last| cursor(last.name(), "latest"));
    Ok(((entries, count), next))
}

/// Looks at packages by name, some at a time, until the page is full or enough was looked at.
async fn page(state: &AppState, c: &mut Connection, asked: &Asked, base: &str) -> Result<Page, ServerError> {
    let mut looking = Looking::begin(c, asked).await?;
    let mut entries: Vec<Entry> = Vec::new();
    let mut looked_at = 0;
    loop {
        // 1. The next packages that may have something.
        let stretch = looking.on(state, c, asked).await?;
        looked_at += stretch.names.len().max(STRETCH_COUNT_MIN);
        // 2. Their versions, in a fixed order.
        let gone = gone_of(c, &stretch, asked).await?;
        for entry in versions_of(state, c, &stretch.names, asked, &gone, base).await? {
            // 3. As many as still fit.
            if entries.len() == asked.limit {
                let next = entries.last().map(|last| cursor(&last.package, &last.version));
                return Ok((written(&entries), next));
            }
            entries.push(entry);
        }
        let Some(end) = stretch.end else { return Ok((written(&entries), None)) };
        if looked_at >= PACKAGES_COUNT_MAX || looking.is_tired() {
            return Ok((written(&entries), Some(cursor(&end, "\u{10ffff}"))));
        }
    }
}

/// Deleted versions by the name that they had.
type GoneByName = BTreeMap<String, Vec<Gone>>;

async fn gone_of(c: &mut Connection, stretch: &Stretch, asked: &Asked) -> DbResult<GoneByName> {
    let mut by_name = GoneByName::new();
    let names: Vec<&str> = stretch.gone.iter().map(String::as_str).collect();
    if !names.is_empty() {
        for gone in servers::gone(c, &names, asked.since_ms.unwrap_or(0)).await? {
            by_name.entry(gone.package.clone()).or_default().push(gone);
        }
    }
    Ok(by_name)
}

fn written(entries: &[Entry]) -> (Vec<u8>, usize) {
    let texts: Vec<&str> = entries.iter().map(|entry| entry.json.as_str()).collect();
    (texts.join(",").into_bytes(), texts.len())
}

/// An entry of a page, and its place.
struct Entry {
    package: String,
    version: String,
    json: String,
}

impl Entry {
    fn place(&self) -> (&str, &str) {
        (&self.package, &self.version)
    }
}

/// What the question is about of some packages, in its fixed order.
async fn versions_of(
    state: &AppState,
    c: &mut Connection,
    names: &[String],
    asked: &Asked,
    gone: &GoneByName,
    base: &str,
) -> Result<Vec<Entry>, ServerError> {
    let after = asked.after.as_ref().map_or(("", ""), |(package, version)| (package, version));
    let texts: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut rows = servers::of(c, &texts, asked.wanted()).await?;
    rows.retain(|row| (row.package.as_str(), row.version.as_str()) > after);
    if let Some(since_ms) = asked.since_ms {
        rows.retain(|row| row.changed_at_ms.unwrap_or_default().max(row.published_at_ms) >= since_ms);
    }
    rows.sort_by(|a, b| (&a.package, &a.version).cmp(&(&b.package, &b.version)));
    // What cannot be on the page is not read; versions without a server name leave their place to others.
    if names.iter().all(|name| name::has_one(name)) {
        rows.truncate(asked.limit + 1);
    }
    let made = |record: &Record| Entry {
        package: record.row.package.clone(),
        version: record.row.version.clone(),
        json: official(state, record, base).to_string(),
    };
    let mut found = record::each(c, rows, made).await?;
    let exactly = |gone: &Gone| !matches!(asked.wanted(), Wanted::Exactly(version) if version != gone.version);
    let gone: Vec<&Gone> = names.iter().filter_map(|name| gone.get(name.as_str())).flatten().collect();
    for gone in gone.into_iter().filter(|gone| exactly(gone) && (gone.package.as_str(), gone.version.as_str()) > after)
    {
        if let Some(value) = gone_entry(c, gone).await? {
            let (package, version) = (gone.package.clone(), gone.version.clone());
            found.push(Entry { package, version, json: value.to_string() });
        }
    }
    found.sort_by(|a, b| a.place().cmp(&b.place()));
    Ok(found)
}

fn official(state: &AppState, record: &Record, base: &str) -> Value {
    let downloads = Value::from(state.counts.package(record.row.package_id));
    record.official(Told { base, downloads: &downloads })
}

async fn gone_entry(c: &mut Connection, gone: &Gone) -> DbResult<Option<Value>> {
    let name = name::name_of(c, &gone.package, &Value::Null).await?;
    Ok(name.map(|name| record::gone(&name, gone)))
}

fn wants_deleted(query: Option<&str>) -> Result<bool, ServerError> {
    include_deleted(values(query).get("include_deleted").map(String::as_str).filter(|v| !v.is_empty()), false)
}

/// The package that a client means; with deleted ones, also one that is gone.
async fn package_or_gone(state: &AppState, wanted: &str, deleted: bool) -> Result<String, ServerError> {
    let found = package(state, wanted).await.map(|found| found.name().to_owned());
    if !deleted || found.is_ok() {
        return found;
    }
    let readable = |package: &String| asker::current().reader.may_read(package);
    let Some(package) = name::underived_text(wanted).filter(readable) else { return found };
    let gone = servers::gone(&mut *state.db.read().await?, &[&package], 0).await?;
    if gone.is_empty() { found } else { Ok(package) }
}

/// `GET /v0.1/servers/{name}/versions`
#[utoipa::path(
    get, path = "/servers/{name}/versions", tag = "official",
    params(("name" = String, Path, description = "A server name or package name, percent-encoded"), ("include_deleted" = Option<bool>, Query),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"), ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "Usually 1000")),
    responses((status = 200, description = "Its versions, newest first", body = OfficialList)),
)]
pub(crate) async fn all_versions(
    State(state): State<AppState>,
    Path(wanted): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> ServerResult {
    let deleted = wants_deleted(query.as_deref())?;
    let (after, limit) = versions_asked(query.as_deref())?;
    let package = package_or_gone(&state, &wanted, deleted).await?;
    let mut c = state.db.read().await?;
    let mut rows = servers::of(&mut c, &[&package], Wanted::All).await?;
    if let Some(after) = after {
        // A version that went meanwhile has no place; those after it are found by their age.
        let behind = |row: &servers::Server| (row.published_at_ms, row.version_id) < after;
        rows.retain(behind);
    }
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|last| place_cursor((last.published_at_ms, last.version_id)));
    let base = state.base_url(&headers);
    let mut entries = record::each(&mut c, rows, |record| official(&state, record, &base)).await?;
    // What is gone comes behind all that is there.
    if deleted && !more {
        for gone in servers::gone(&mut c, &[&package], 0).await? {
            entries.extend(gone_entry(&mut c, &gone).await?);
        }
    }
    let count = entries.len();
    let mut metadata = json!({"count": count});
    if let Some(next) = next {
        metadata["nextCursor"] = next.into();
    }
    Ok(cached(json(&json!({"servers": entries, "metadata": metadata})), BRIEFLY))
}

/// A version's place: its age, and its key.
type VersionPlace = (i64, i64);

fn place_cursor((published_at_ms, version_id): VersionPlace) -> String {
    URL_SAFE_NO_PAD.encode(format!("{published_at_ms}.{version_id}"))
}

fn read_place(cursor: &str) -> Option<VersionPlace> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let (published_at_ms, version_id) = text.split_once('.')?;
    Some((published_at_ms.parse().ok()?, version_id.parse().ok()?))
}

/// Behind which version a list of versions goes on, and how long it may be.
fn versions_asked(query: Option<&str>) -> Result<(Option<VersionPlace>, usize), ServerError> {
    let values = values(query);
    let given = |name: &str| values.get(name).map(String::as_str).filter(|v| !v.is_empty());
    let after = given("cursor").map(|cursor| {
        read_place(cursor)
            .ok_or_else(|| ServerError::bad_request("invalid cursor: take `metadata.nextCursor` of the page before"))
    });
    let limit = given("limit").map(|limit| {
        let fits = limit.parse().ok().filter(|n| (1..=VERSIONS_COUNT_MAX).contains(n));
        let expected = format!("invalid limit: expected a number from 1 to {VERSIONS_COUNT_MAX}");
        fits.ok_or_else(|| ServerError::bad_request(expected))
    });
    Ok((after.transpose()?, limit.transpose()?.unwrap_or(VERSIONS_COUNT_MAX)))
}

/// `GET /v0.1/servers/{name}`: what the official registry had once; the latest version.
#[utoipa::path(
    get, path = "/servers/{name}", tag = "official",
    params(("name" = String, Path, description = "A server name or package name, percent-encoded")),
    responses((status = 200, description = "The latest version", body = OfficialServer)),
)]
pub(crate) async fn server(
    State(state): State<AppState>,
    Path(wanted): Path<String>,
    headers: HeaderMap,
) -> ServerResult {
    one(&state, &wanted, "latest", false, &headers).await
}

/// `GET /v0.1/servers/{name}/versions/{version}`
#[utoipa::path(
    get, path = "/servers/{name}/versions/{version}", tag = "official",
    params(("name" = String, Path, description = "A server name or package name, percent-encoded"), ("version" = String, Path, description = "Semver, or latest"), ("include_deleted" = Option<bool>, Query)),
    responses((status = 200, description = "The version", body = OfficialServer)),
)]
pub(crate) async fn one_version(
    State(state): State<AppState>,
    Path((wanted, version)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> ServerResult {
    one(&state, &wanted, &version, wants_deleted(query.as_deref())?, &headers).await
}

async fn one(state: &AppState, wanted: &str, version: &str, deleted: bool, headers: &HeaderMap) -> ServerResult {
    let base = state.base_url(headers);
    let not_found =
        || ServerError::not_found(format!("Version '{}' not found for server '{}'", quoted(version), quoted(wanted)));
    if version == "latest"
        && let Ok(found) = package(state, wanted).await
    {
        let mut body = Vec::with_capacity(ENTRY_BYTES);
        let count = write_latest(state, &[found], Shape::Official, &base, &mut body).await?;
        return if count == 0 { Err(not_found()) } else { Ok(json_text(body)) };
    }
    let package = package_or_gone(state, wanted, deleted).await?;
    if version == "latest" {
        return Err(not_found());
    }
    let mut c = state.db.read().await?;
    let rows = servers::of(&mut c, &[&package], Wanted::Exactly(version)).await?;
    if let Some(entry) = record::each(&mut c, rows, |record| official(state, record, &base)).await?.first() {
        return Ok(json(entry));
    }
    let all = if deleted { servers::gone(&mut c, &[&package], 0).await? } else { Vec::new() };
    let gone = all.iter().find(|gone| gone.version == version).ok_or_else(not_found)?;
    let entry = gone_entry(&mut c, gone).await?.ok_or_else(not_found)?;
    Ok(json(&entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_checked() {
        for bad in [
            "limit=0",
            "limit=101",
            "limit=abc",
            "limit=-1",
            "updated_since=2026-11-20",
            "updated_since=x",
            "cursor=%20",
            "cursor=AAAA",
            "include_deleted=perhaps",
            "include_deleted=false&updated_since=2026-11-20T09:00:00Z",
        ] {
            assert!(asked(Some(bad)).is_err(), "{bad}");
        }
        let long = format!("search={}", "x".repeat(201));
        assert!(asked(Some(&long)).is_err());
        let all = asked(None).unwrap();
        assert_eq!((all.limit, all.include_deleted, all.wanted()), (30, false, Wanted::All));
        let changes = asked(Some("updated_since=1970-01-01T00:00:01%2B00:00&version=latest&limit=100")).unwrap();
        assert_eq!((changes.since_ms, changes.include_deleted, changes.limit), (Some(1_000), true, 100));
        assert_eq!(changes.wanted(), Wanted::Latest);
    }

    #[test]
    fn cursors_are_read_back() {
        for (package, version) in [("@acme/widget", "1.0.0-a.b+c"), ("@a/b", "\u{10ffff}")] {
            assert_eq!(read_cursor(&cursor(package, version)), Some((package.to_owned(), version.to_owned())));
        }
    }
}
