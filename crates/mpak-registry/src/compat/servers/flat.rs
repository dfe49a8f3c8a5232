//! `/v1/servers…`: the flat list of existing clients. Wrong parameters are not errors here but mean the
//! usual, and the cursor is an offset.

use std::collections::HashMap;

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use mpak_api::server::{Endpoints, FlatList, FlatServer, Health, Info, ServerVersion, ServerVersions};
use serde_json::Value;
use url::form_urlencoded;

use super::{BRIEFLY, ENTRY_BYTES, ServerError, ServerResult, Shape, name, quoted, record, since, write_latest};
use crate::auth::asker;
use crate::clock::rfc3339;
use crate::db::servers::{self, Wanted};
use crate::db::{packages, versions};
use crate::error::ApiError;
use crate::http::{cached, json, json_text};
use crate::search::{self, Found, Page, Query, Sort};
use crate::state::AppState;

/// Entries of a page, usually and at most.
const LIMIT: usize = 100;
const LIMIT_MAX: usize = 500;
/// Longest text that is searched for; more is cut off.
const QUERY_CHARS_MAX: usize = 200;

/// `GET /v1`
#[utoipa::path(
    get, path = "/v1", tag = "servers",
    responses((status = 200, description = "Where things are", body = Info)),
)]
pub(crate) async fn info() -> Response {
    json(&Info {
        name: "mpak MCP Registry API".to_owned(),
        version: "v1.0.0".to_owned(),
        endpoints: Endpoints {
            list_servers: "/servers".to_owned(),
            search_servers: "/servers/search".to_owned(),
            get_server: "/servers/{name}".to_owned(),
            get_server_version: "/servers/{name}/versions/{version}".to_owned(),
            list_server_versions: "/servers/{name}/versions".to_owned(),
            health: "/health".to_owned(),
        },
        documentation: "/docs".to_owned(),
    })
}

/// `GET /v1/health`
#[utoipa::path(
    get, path = "/v1/health", tag = "servers",
    responses((status = 200, description = "How many there are", body = Health)),
)]
pub(crate) async fn health(State(state): State<AppState>) -> Response {
    let servers_count = state.search.len(&asker::current().reader) as u64;
    let status = if servers_count > 0 { "healthy" } else { "degraded" };
    json(&Health { status: status.to_owned(), servers_count })
}

struct Asked {
    text: String,
    offset: usize,
    limit: usize,
    updated_since_ms: Option<i64>,
}

fn asked(query: Option<&str>, text_name: &str) -> Asked {
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let values: HashMap<String, String> = pairs.into_owned().collect();
    let number = |name: &str| values.get(name).and_then(|v| v.trim().parse::<usize>().ok());
    Asked {
        text: values.get(text_name).map(|t| t.chars().take(QUERY_CHARS_MAX).collect()).unwrap_or_default(),
        offset: number("cursor").unwrap_or(0),
        // A page of nothing would lead nowhere.
        limit: number("limit").filter(|n| *n > 0).unwrap_or(LIMIT).min(LIMIT_MAX),
        updated_since_ms: values.get("updated_since").and_then(|v| time(v)),
    }
}

/// A time, or midnight of a day in UTC.
fn time(text: &str) -> Option<i64> {
    let text = text.trim();
    let at = text.parse::<jiff::Timestamp>().ok();
    let day = || format!("{text}T00:00:00Z").parse::<jiff::Timestamp>().ok();
    at.or_else(day).map(jiff::Timestamp::as_millisecond)
}

/// `GET /v1/servers`
#[utoipa::path(
    get, path = "/v1/servers", tag = "servers",
    params(("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"), ("limit" = Option<String>, Query, description = "1 to 500, usually 100"),
        ("search" = Option<String>, Query), ("updated_since" = Option<String>, Query, description = "A time or day")),
    responses((status = 200, description = "A page", body = FlatList)),
)]
pub(crate) async fn list(State(state): State<AppState>, RawQuery(query): RawQuery, headers: HeaderMap) -> ServerResult {
    page(&state, asked(query.as_deref(), "search"), &headers).await
}

/// `GET /v1/servers/search`
#[utoipa::path(
    get, path = "/v1/servers/search", tag = "servers",
    params(("q" = Option<String>, Query), ("cursor" = Option<String>, Query), ("limit" = Option<String>, Query)),
    responses((status = 200, description = "A page", body = FlatList)),
)]
pub(crate) async fn search(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> ServerResult {
    page(&state, asked(query.as_deref(), "q"), &headers).await
}

async fn page(state: &AppState, asked: Asked, headers: &HeaderMap) -> ServerResult {
    let (entries, next) = select(state, &asked).await?;
    let mut body = Vec::with_capacity(entries.len() * ENTRY_BYTES + ENTRY_BYTES);
    body.extend_from_slice(br#"{"servers":["#);
    let count = write_latest(state, &entries, Shape::Flat, &state.base_url(headers), &mut body).await?;
    let next = next.map(|next| format!(",\"next_cursor\":\"{next}\"")).unwrap_or_default();
    body.extend_from_slice(format!("],\"metadata\":{{\"count\":{count}{next}}}}}").as_bytes());
    Ok(cached(json_text(body), BRIEFLY))
}

/// The packages of a page by name, and where the next one begins.
type Selected = (Vec<Found>, Option<usize>);

async fn select(state: &AppState, asked: &Asked) -> Result<Selected, ApiError> {
    let Asked { offset, limit, .. } = *asked;
    let reader = asker::current().reader;
    if let Some(since_ms) = asked.updated_since_ms {
        return since::select(state, (since_ms, &asked.text.trim().to_lowercase()), offset, limit).await;
    }
    let Page { entries, total } = if asked.text.trim().is_empty() {
        state.search.page_by_name(&reader, offset, limit)
    } else {
        let query = Query { text: asked.text.clone(), server_type: None, sort: Sort::Name, limit, offset, reader };
        search::find(state, query).await.map_err(|e| ApiError::internal(&e))?
    };
    let end = offset.saturating_add(limit);
    Ok((entries, (end < total).then_some(end)))
}

/// `GET /v1/servers/{name}`
#[utoipa::path(
    get, path = "/v1/servers/{name}", tag = "servers",
    params(("name" = String, Path, description = "A server name or package name, percent-encoded")),
    responses((status = 200, description = "The latest version", body = FlatServer)),
)]
pub(crate) async fn server(
    State(state): State<AppState>,
    Path(wanted): Path<String>,
    headers: HeaderMap,
) -> ServerResult {
    one(&state, &wanted, "latest", &headers).await
}

/// `GET /v1/servers/{name}/versions/{version}`
#[utoipa::path(
    get, path = "/v1/servers/{name}/versions/{version}", tag = "servers",
    params(("name" = String, Path, description = "A server name or package name, percent-encoded"), ("version" = String, Path, description = "Semver, or latest")),
    responses((status = 200, description = "The version", body = FlatServer)),
)]
pub(crate) async fn version(
    State(state): State<AppState>,
    Path((wanted, version)): Path<(String, String)>,
    headers: HeaderMap,
) -> ServerResult {
    one(&state, &wanted, &version, &headers).await
}

async fn one(state: &AppState, wanted: &str, version: &str, headers: &HeaderMap) -> ServerResult {
    let found = package(state, wanted).await?;
    let package = found.name();
    let base = state.base_url(headers);
    let unnamed = || {
        let message = format!("Server '{package}' has no server name: its package name is too long for one");
        ServerError(StatusCode::NOT_FOUND, message)
    };
    if version == "latest" {
        let mut body = Vec::with_capacity(ENTRY_BYTES);
        let count = write_latest(state, std::slice::from_ref(&found), Shape::Flat, &base, &mut body).await?;
        return if count == 0 { Err(unnamed()) } else { Ok(json_text(body)) };
    }
    let mut c = state.db.read().await?;
    let rows = servers::of(&mut c, &[package], Wanted::Exactly(version)).await?;
    if rows.is_empty() {
        let message = format!("Version '{}' not found for server '{package}'", quoted(version));
        return Err(ServerError::not_found(message));
    }
    let entries = record::each(&mut c, rows, |record| {
        let downloads = Value::from(state.counts.package(record.row.package_id));
        record.flat(record::Told { base: &base, downloads: &downloads })
    });
    let entries = entries.await?;
    Ok(json(entries.first().ok_or_else(unnamed)?))
}

/// The package that a client means, if it is there.
pub(super) async fn package(state: &AppState, wanted: &str) -> Result<Found, ServerError> {
    let reader = asker::current().reader;
    // 1. Its own name, or what derives from it.
    if let Some(found) = name::underived_text(wanted).and_then(|package| state.search.entry(&reader, &package)) {
        return Ok(found);
    }
    // 2. A name that it had before.
    let mut c = state.db.read().await?;
    if let Some(before) = name::underived_text(wanted).filter(|before| reader.may_read(before))
        && let Some(now) = packages::renamed(&mut c, &before).await?
        && let Some(found) = state.search.entry(&reader, &now)
    {
        return Ok(found);
    }
    // 3. A name that an author asked for.
    let named = name::resolve(&mut c, wanted).await?;
    let found = named.and_then(|package| state.search.entry(&reader, &package));
    found.ok_or_else(|| ServerError::not_found(format!("Server '{}' not found", quoted(wanted))))
}

/// `GET /v1/servers/{name}/versions`
#[utoipa::path(
    get, path = "/v1/servers/{name}/versions", tag = "servers",
    params(("name" = String, Path, description = "A server name or package name, percent-encoded")),
    responses((status = 200, description = "Its versions", body = ServerVersions)),
)]
pub(crate) async fn all_versions(State(state): State<AppState>, Path(wanted): Path<String>) -> ServerResult {
    let package = package(&state, &wanted).await?.name().to_owned();
    let mut c = state.db.read().await?;
    let not_found = || ServerError::not_found(format!("Server '{}' not found", quoted(&wanted)));
    let found = packages::find(&mut c, &package).await?.ok_or_else(not_found)?;
    let listed = versions::list(&mut c, found.id).await?;
    let version = |v: versions::Listed| ServerVersion {
        is_latest: v.version == found.latest_version,
        published_at: rfc3339(v.published_at_ms),
        version: v.version,
    };
    let versions = listed.into_iter().map(version).collect();
    Ok(json(&ServerVersions { name: package, versions }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b4_b5_wrong_parameters_mean_the_usual() {
        for (query, offset, limit) in [
            ("", 0, 100),
            ("limit=abc&cursor=-1", 0, 100),
            ("limit=0", 0, 100),
            ("limit=-5&cursor=x", 0, 100),
            ("limit=9999&cursor=7", 7, 500),
            ("limit=99999999999999999999999", 0, 100),
            ("limit=1&cursor=18446744073709551615", usize::MAX, 1),
        ] {
            let asked = asked(Some(query), "search");
            assert_eq!((asked.offset, asked.limit), (offset, limit), "{query}");
        }
    }

    #[test]
    fn b6_times_are_read_and_nonsense_is_none() {
        assert_eq!(time("1970-01-02"), Some(86_400_000));
        assert_eq!(time("1970-01-01T00:00:01Z"), Some(1_000));
        assert_eq!(time("1970-01-01T01:00:01+01:00"), Some(1_000));
        assert_eq!(time("yesterday"), None);
    }
}
