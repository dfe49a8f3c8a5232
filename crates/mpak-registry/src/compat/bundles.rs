//! `GET /v1/bundles/…`: search, detail, versions, one version, static index of the latest version.

use std::io::{self, Write as _};

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use mpak_api::bundle::{
    BundleIndex, Detail, Pagination, VersionDetail, VersionSummary, VersionsResponse, WireArtifact,
};
use mpak_api::path;
use mpak_bundle::name::PackageName;
use serde_json::{Value, json};

use super::provenance;
use super::query::Params;
use crate::answers::Part;
use crate::answers::offers::{Offer, Offers};
use crate::answers::template::Fill;
use crate::auth::asker;
use crate::clock::rfc3339;
use crate::db::artifacts::Artifact;
use crate::db::packages::Package;
use crate::db::{Connection, artifacts, packages, versions};
use crate::error::{ApiError, ApiResult};
use crate::http::{cached, json, json_text};
use crate::search::{self, Found, Page, Query, Read, SearchError, Sort};
use crate::state::AppState;

/// For lists and details that may be a minute old.
const BRIEFLY: &str = "public, max-age=60, s-maxage=300";
/// Media type of the static index.
const INDEX_TYPE: &str = "application/vnd.mcp.bundle.index.v0.1+json";
/// Media type of an artifact in it (it says gzip, though bundles are ZIP files: existing clients compare it).
const BUNDLE_TYPE: &str = "application/vnd.mcp.bundle.v0.3+gzip";
/// What a count of downloads takes in a list, and what stands around all entries.
const COUNT_BYTES_MAX: usize = 24;
const FRAME_BYTES: usize = 256;
/// Longest query.
const QUERY_CHARS_MAX: usize = 200;

/// `GET /v1/bundles/search`
#[utoipa::path(
    get, path = "/v1/bundles/search", tag = "bundles",
    params(("q" = Option<String>, Query, max_length = 200), ("type" = Option<String>, Query, description = "node, python, binary or uv"),
        ("sort" = Option<String>, Query, description = "downloads (usual), recent, name or relevance"), ("limit" = Option<u32>, Query, minimum = 1, maximum = 100),
        ("offset" = Option<u64>, Query)),
    responses((status = 200, description = "A page of results", body = mpak_api::bundle::SearchResponse)),
)]
pub(crate) async fn search(State(state): State<AppState>, RawQuery(query): RawQuery) -> ApiResult<Response> {
    let query = search_query(query.as_deref())?;
    let (limit, offset) = (query.limit, query.offset);
    let page = search::find(&state, query).await.map_err(|e| ApiError::internal(&e))?;
    let pagination = Pagination {
        limit: limit as u64,
        offset: offset as u64,
        has_more: offset.saturating_add(page.entries.len()) < page.total,
    };
    let body = search_response(&state, &page, &pagination).map_err(|e| ApiError::internal(&e))?;
    Ok(cached(json_text(body), BRIEFLY))
}

/// A [`SearchResponse`] of summaries that are JSON already.
///
/// [`SearchResponse`]: mpak_api::bundle::SearchResponse
fn search_response(state: &AppState, page: &Page, pagination: &Pagination) -> Result<Vec<u8>, SearchError> {
    // What is in memory is copied once.
    let held: Option<Vec<(&[u8], Option<u32>)>> = page.entries.iter().map(Found::held_summary).collect();
    let read = if held.is_some() { Read::default() } else { search::texts(&page.entries, &[Part::Summary])? };
    let summaries = held.unwrap_or_else(|| read.all().map(|summary| (summary, None)).collect());
    let bytes: usize = summaries.iter().map(|(summary, _)| summary.len() + COUNT_BYTES_MAX).sum();
    let mut body = Vec::with_capacity(bytes + FRAME_BYTES);
    body.extend_from_slice(br#"{"bundles":["#);
    let counts = state.counts.lookup();
    for (number, (found, (summary, count_at))) in page.entries.iter().zip(summaries).enumerate() {
        if number > 0 {
            body.push(b',');
        }
        let fill = Fill { base: "", package: found.package_id(), summary, counts: Some(&counts) };
        match count_at {
            Some(at) => fill.write_around(summary, at as usize, &mut body),
            None => fill.write(summary, &mut body),
        }
    }
    drop(counts);
    // Writing to a vector does not fail.
    let _ = write!(body, r#"],"total":{},"pagination":"#, page.total);
    serde_json::to_writer(&mut body, pagination).map_err(|e| SearchError::Kept(e.into()))?;
    body.push(b'}');
    Ok(body)
}

fn search_query(query: Option<&str>) -> ApiResult<Query> {
    let mut params = Params::new(query);
    let text = params.text("q", QUERY_CHARS_MAX).unwrap_or_default();
    let server_type = params.word("type", &["node", "python", "binary", "uv"]);
    let sort = match params.word("sort", &["downloads", "recent", "name", "relevance"]).as_deref() {
        Some("recent") => Sort::Recent,
        Some("name") => Sort::Name,
        Some("relevance") if !text.trim().is_empty() => Sort::Relevance,
        // What existing clients expect where they say nothing.
        _ => Sort::Downloads,
    };
    let limit = params.number("limit", 1, 100, 20);
    let offset = params.number("offset", 0, usize::MAX, 0);
    params.finish()?;
    Ok(Query { text, server_type, sort, limit, offset, reader: asker::current().reader })
}

/// A package by the two parts of its path, or the wire's 404.
pub(super) async fn package(c: &mut Connection, scope: &str, name: &str) -> ApiResult<(PackageName, Package)> {
    let not_found = || ApiError::not_found("Bundle not found");
    let name = PackageName::lookup(&format!("{scope}/{name}")).map_err(|_no_name| not_found())?;
    let package = packages::find(c, name.as_str()).await?.ok_or_else(not_found)?;
    Ok((name, package))
}

/// A package by the two parts of its path, as it is in memory, or the wire's 404.
pub(super) async fn known(state: &AppState, scope: &str, name: &str) -> ApiResult<(PackageName, Found)> {
    let not_found = || ApiError::not_found("Bundle not found");
    let name = PackageName::lookup(&format!("{scope}/{name}")).map_err(|_no_name| not_found())?;
    let reader = asker::current().reader;
    if let Some(found) = state.search.entry(&reader, name.as_str()) {
        return Ok((name, found));
    }
    // It may have another name by now, or another replica may have published it just now.
    let package = packages::find(&mut *state.db.read().await?, name.as_str()).await?.ok_or_else(not_found)?;
    if let Some(found) = state.search.entry(&reader, &package.name) {
        return Ok((name, found));
    }
    state.search.refresh(&state.db, &package.name).await.map_err(|e| ApiError::internal(&e))?;
    let found = state.search.entry(&reader, &package.name).ok_or_else(not_found)?;
    Ok((name, found))
}

/// A version with its texts, or the wire's 404. `latest` is not a version here.
async fn version(c: &mut Connection, package: &Package, version: &str) -> ApiResult<versions::Version> {
    let found = versions::find(c, package.id, version).await?;
    found.ok_or_else(|| ApiError::not_found("Version not found"))
}

/// `GET /v1/bundles/@scope/name`
#[utoipa::path(
    get, path = "/v1/bundles/{scope}/{name}", tag = "bundles",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path)),
    responses((status = 200, description = "The package", body = Detail)),
)]
pub(crate) async fn detail(
    State(state): State<AppState>,
    Path((scope, name)): Path<(String, String)>,
) -> ApiResult<Response> {
    let (name, found) = known(&state, &scope, &name).await?;
    let read = found.texts(&[Part::Summary, Part::Detail]).map_err(|e| ApiError::internal(&e))?;
    let (summary, detail) = (read.get(0), read.get(1));
    let mut body = Vec::with_capacity(summary.len() + detail.len() + 128);
    let counts = state.counts.lookup();
    Fill { base: "", package: found.package_id(), summary, counts: Some(&counts) }.write(detail, &mut body);
    drop(counts);
    if name.as_str() != found.name() {
        // Existing clients go on by the name that they asked for.
        let mut renamed: Detail = serde_json::from_slice(&body).map_err(|e| ApiError::internal(&e))?;
        renamed.summary.name = name.to_string();
        return Ok(cached(json(&renamed), BRIEFLY));
    }
    Ok(cached(json_text(body), BRIEFLY))
}

/// `GET /v1/bundles/@scope/name/versions`
#[utoipa::path(
    get, path = "/v1/bundles/{scope}/{name}/versions", tag = "bundles",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path)),
    responses((status = 200, description = "Its versions", body = VersionsResponse)),
)]
pub(crate) async fn versions(
    State(state): State<AppState>,
    Path((scope, name)): Path<(String, String)>,
) -> ApiResult<Response> {
    let (name, found) = known(&state, &scope, &name).await?;
    let read = found.texts(&[Part::Offers]).map_err(|e| ApiError::internal(&e))?;
    let offers = Offers::new(read.get(0));
    let (latest, all) = (offers.fate().map_err(unreadable)?.latest, offers.all().map_err(unreadable)?);
    let counts = state.counts.lookup();
    let summary = |(version, offer): (&str, Offer<'_>)| VersionSummary {
        version: version.to_owned(),
        artifacts_count: offer.artifacts.len() as u64,
        platforms: offer.artifacts.iter().map(|a| a.platform.into()).collect(),
        published_at: rfc3339(offer.at_ms),
        downloads: counts.version(offer.id),
        publish_method: Some(offer.method.into_owned()),
        provenance: offer.provenance,
    };
    let versions = all.into_iter().map(summary).collect();
    drop(counts);
    Ok(json(&VersionsResponse { name: name.to_string(), latest: latest.into_owned(), versions }))
}

/// What was kept of a package does not read as it was written.
#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
pub(super) fn unreadable(error: io::Error) -> ApiError {
    ApiError::internal(&error)
}

/// `GET /v1/bundles/@scope/name/versions/{version}`
#[utoipa::path(
    get, path = "/v1/bundles/{scope}/{name}/versions/{version}", tag = "bundles",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path), ("version" = String, Path, description = "Semver")),
    responses((status = 200, description = "The version", body = VersionDetail)),
)]
pub(crate) async fn version_detail(
    State(state): State<AppState>,
    Path((scope, name, wanted)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let mut c = state.db.read().await?;
    let (name, package) = package(&mut c, &scope, &name).await?;
    let version = version(&mut c, &package, &wanted).await?;
    let all = artifacts::of_version(&mut c, version.id).await?;
    let base = state.base_url(&headers);
    let artifact = |a: &Artifact| WireArtifact {
        platform: a.platform.into(),
        digest: a.sha256.prefixed(),
        size: a.size_bytes,
        download_url: format!("{base}{}", path::blob(&a.sha256)),
        source_url: a.source_url.clone(),
    };
    Ok(json(&VersionDetail {
        name: name.to_string(),
        version: version.version,
        published_at: rfc3339(version.published_at_ms),
        downloads: state.counts.version(version.id),
        artifacts: all.iter().map(artifact).collect(),
        manifest: serde_json::from_str(&version.manifest_json).unwrap_or_default(),
        release: version.release_url.map(|url| json!({"tag": version.release_tag, "url": url})),
        publish_method: Some(version.publish_method),
        provenance: provenance::full(version.provenance_json.as_deref()),
    }))
}

/// `GET /v1/bundles/@scope/name/index.json`
#[utoipa::path(
    get, path = "/v1/bundles/{scope}/{name}/index.json", tag = "bundles",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path)),
    responses((status = 200, description = "The latest version", body = BundleIndex, content_type = "application/vnd.mcp.bundle.index.v0.1+json")),
)]
pub(crate) async fn index(
    State(state): State<AppState>,
    Path((scope, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let mut c = state.db.read().await?;
    let (name, package) = package(&mut c, &scope, &name).await?;
    let version = version(&mut c, &package, &package.latest_version).await?;
    let all = artifacts::of_version(&mut c, version.id).await?;
    let manifest: Value = serde_json::from_str(&version.manifest_json).unwrap_or_default();
    let base = state.base_url(&headers);
    let annotations = provenance::annotations(
        version.provenance_json.as_deref(),
        &version.publish_method,
        version.release_url.as_deref(),
    );
    let bundle = |a: &Artifact| {
        let urls: Vec<String> =
            [format!("{base}{}", path::blob(&a.sha256))].into_iter().chain(a.source_url.clone()).collect();
        json!({
            "mimeType": BUNDLE_TYPE, "digest": a.sha256.prefixed(), "size": a.size_bytes,
            "platform": {"os": a.platform.os.as_str(), "arch": a.platform.arch.as_str()},
            "urls": urls,
        })
    };
    let mut response = json(&json!({
        "index_version": "0.1", "mimeType": INDEX_TYPE, "name": name.as_str(), "version": version.version,
        "description": manifest["description"].as_str(), "bundles": all.iter().map(bundle).collect::<Vec<_>>(),
        "annotations": annotations,
    }));
    let content_type = HeaderValue::from_static("application/vnd.mcp.bundle.index.v0.1+json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    Ok(response)
}
