//! The static index, version 1: everything a resolver needs, in files that any web server could serve.
//!
//! `/.well-known/mpak.json` says where things are, `/index/v1/@scope/name.json` what there is of a
//! package. Canonical JSON (RFC 8785), so that equal content is equal bytes.

use std::collections::{BTreeMap, HashSet};
use std::io;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use mpak_api::index::WellKnown;
use mpak_bundle::digest::Sha256;
use mpak_bundle::name::PackageName;
use mpak_bundle::version::Version;
use serde_json::{Value, json};

use super::blob::matches_etag;
use crate::answers::Part;
use crate::answers::offers::{Offer, Offered, Offers};
use crate::auth::asker;
use crate::clock::rfc3339;
use crate::db::artifacts::Artifact;
use crate::db::scans::{self, Certified};
use crate::db::{Connection, DbResult, artifacts, packages, versions, yanks};
use crate::error::{ApiError, ApiResult};
use crate::state::AppState;

/// `GET /.well-known/mpak.json`
#[utoipa::path(
    get, path = "/.well-known/mpak.json", tag = "static files",
    responses((status = 200, description = "Where things are", body = WellKnown),
        (status = 304, description = "Unchanged")),
)]
pub(crate) async fn well_known(State(state): State<AppState>, headers: HeaderMap) -> Response {
    answer(root(&state.base_url(&headers)), &headers)
}

/// The well-known file of a registry at an address without a slash at its end.
pub(crate) fn root(base: &str) -> String {
    root_at(base, &format!("{base}/v1"), &format!("{base}/index/v1"), &format!("{base}/blobs"))
}

/// The well-known file for files that may be served anywhere: addresses are relative to the registry's;
/// `blobs` is where the digests' folders `sha256/…` lie.
pub(crate) fn relative_root(blobs: &str) -> String {
    root_at(".", "v1", "index/v1", blobs)
}

fn root_at(registry: &str, api: &str, index: &str, blobs: &str) -> String {
    let body = json!({
        "version": 1, "registry": registry, "api": api, "index": index, "blobs": blobs, "log": null,
        "revocations": null, "key": null,
    });
    sorted(&body).to_string()
}

/// `GET /index/v1/@scope/name.json`
#[utoipa::path(
    get, path = "/index/v1/{scope}/{file}", tag = "static files",
    params(("scope" = String, Path, description = "With its `@`"), ("file" = String, Path, description = "`NAME.json`")),
    responses((status = 200, description = "Everything a resolver needs", body = mpak_api::index::Package),
        (status = 304, description = "Unchanged")),
)]
pub(crate) async fn package(
    State(state): State<AppState>,
    Path((scope, file)): Path<(String, String)>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let not_found = || ApiError::not_found("Package not found");
    let name = file.strip_suffix(".json").ok_or_else(not_found)?;
    let name = PackageName::lookup(&format!("{scope}/{name}")).map_err(|_no_name| not_found())?;
    // What another replica published a moment ago is known to the database only.
    let found = if state.db.is_shared() { None } else { state.search.entry(&asker::current().reader, name.as_str()) };
    if let Some(found) = found {
        let read = found.texts(&[Part::Offers]).map_err(|e| ApiError::internal(&e))?;
        let kept = kept_document(name.as_str(), read.get(0)).map_err(|e| ApiError::internal(&e))?;
        return Ok(answer(kept, &headers));
    }
    let document = document(&mut *state.db.read().await?, name.as_str()).await?;
    Ok(answer(document.ok_or_else(not_found)?, &headers))
}

/// The same as [`document`] gives, from what is kept of a package.
fn kept_document(name: &str, offers: &[u8]) -> io::Result<String> {
    let offers = Offers::new(offers);
    let fate = offers.fate()?;
    let mut listed = offers.all()?;
    listed.sort_by_cached_key(|(version, _)| Version::parse(version).ok());
    let is_resolvable = listed.iter().any(|(version, offer)| *version == fate.latest && offer.yanked.is_none());
    let deprecated = fate.deprecated.map(|message| json!({"message": message, "replacement": fate.replacement}));
    let artifact = |a: &Offered<'_>| json!({"os": a.platform.os.as_str(), "arch": a.platform.arch.as_str(), "sha256": a.sha256, "size": a.size});
    let version = |(version, offer): &(&str, Offer<'_>)| {
        json!({
            "version": version, "published_at": rfc3339(offer.at_ms), "yanked": offer.yanked.is_some(),
            "level": offer.level, "score": offer.score, "artifacts": offer.artifacts.iter().map(artifact).collect::<Vec<_>>(),
            "event": offer.event,
        })
    };
    let body = json!({
        "name": name, "latest": is_resolvable.then_some(&fate.latest), "deprecated": deprecated,
        "versions": listed.iter().map(version).collect::<Vec<_>>(),
    });
    Ok(sorted(&body).to_string())
}

/// The file of a package; nothing where there is no such package to be seen.
pub(crate) async fn document(c: &mut Connection, name: &str) -> DbResult<Option<String>> {
    let Some(package) = packages::find(c, name).await? else { return Ok(None) };
    let mut listed = versions::list(c, package.id).await?;
    listed.sort_by_cached_key(|v| Version::parse(&v.version).ok());
    let all = artifacts::of_package(c, package.id).await?;
    let yanked: HashSet<i64> = yanks::of_package(c, package.id).await?.iter().map(|y| y.version_id).collect();
    let ids: Vec<i64> = listed.iter().map(|v| v.id).collect();
    let certified = scans::certified(c, &ids).await?;
    let reached = |id: i64| Certified::worst(certified.iter().filter(move |c| c.version_id == id));
    let one = |v: &versions::Listed| version(v, &all, yanked.contains(&v.id), reached(v.id));
    let versions: Vec<Value> = listed.iter().map(one).collect();
    let resolvable = listed.iter().any(|v| v.version == package.latest_version && !yanked.contains(&v.id));
    let deprecated = package
        .deprecated_message
        .as_ref()
        .map(|message| json!({"message": message, "replacement": package.deprecated_replacement}));
    let mut body = json!({
        "name": name, "latest": resolvable.then_some(&package.latest_version), "deprecated": deprecated,
        "versions": versions,
    });
    if package.name != name {
        body["renamed_to"] = package.name.into();
    }
    Ok(Some(sorted(&body).to_string()))
}

fn version(listed: &versions::Listed, all: &[Artifact], yanked: bool, reached: Option<&Certified>) -> Value {
    let own = || all.iter().filter(|a| a.version_id == listed.id);
    let artifact = |a: &Artifact| {
        json!({
            "os": a.platform.os.as_str(), "arch": a.platform.arch.as_str(), "sha256": a.sha256.to_string(),
            "size": a.size_bytes,
        })
    };
    json!({
        "version": listed.version, "published_at": rfc3339(listed.published_at_ms), "yanked": yanked,
        "level": reached.and_then(|r| r.level), "score": reached.and_then(|r| r.score), "artifacts": own().map(artifact).collect::<Vec<_>>(),
        // The event that made the version known.
        "event": own().map(|a| a.event_seq).min(),
    })
}

fn answer(body: String, headers: &HeaderMap) -> Response {
    let etag = format!("\"{}\"", Sha256::of(body.as_bytes()));
    let cache = (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
    let etagged = (header::ETAG, HeaderValue::from_str(&etag).unwrap_or(HeaderValue::from_static("\"\"")));
    if matches_etag(headers, header::IF_NONE_MATCH, &etag) {
        return (StatusCode::NOT_MODIFIED, [cache, etagged]).into_response();
    }
    let content_type = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    ([content_type, cache, etagged], body).into_response()
}

/// Members in the order of RFC 8785 §3.2.3 (all our names are ASCII). Whole numbers and texts, which is
/// all there is here, are written by `serde_json` as the RFC wants them.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let members: BTreeMap<&String, Value> = object.iter().map(|(name, v)| (name, sorted(v))).collect();
            members.into_iter().map(|(name, v)| (name.clone(), v)).collect()
        }
        Value::Array(values) => values.iter().map(sorted).collect(),
        value => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_sorted_at_every_depth() {
        let value = json!({"b": [{"z": 1, "a": null}], "a": "\u{20ac}\u{f}\n\"\\"});
        assert_eq!(sorted(&value).to_string(), r#"{"a":"€\u000f\n\"\\","b":[{"a":null,"z":1}]}"#);
    }
}
