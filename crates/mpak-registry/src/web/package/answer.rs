//! `GET /packages/@scope/name` and `…/VERSION`: finds the rows and gives the page.

use std::collections::HashMap;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use mpak_bundle::name::PackageName;
use mpak_bundle::platform::Platform;
use mpak_scan::report::Report;
use tokio::sync::Semaphore;

use super::fate::{self, Fate};
use super::{ArtifactFacts, Facts, Package, Room, VersionFacts, version_path};
use crate::auth::actor;
use crate::auth::asker;
use crate::db::artifacts::Artifact;
use crate::db::versions::{Listed, Version};
use crate::db::yanks::Yank;
use crate::db::{
    self, Connection, DbResult, artifacts, events, jobs, packages, scans, tombstones, transfers, versions, yanks,
};
use crate::ingest::scan;
use crate::state::AppState;
use crate::web::entry::package_path;
use crate::web::lost::{self, Fault, Lost};
use crate::web::shell::page;
use crate::web::trust::{Trust, Unscanned};

/// Parameters of the query string.
type Parameters = Query<HashMap<String, String>>;

/// `GET /packages/@scope/name`
pub(crate) async fn latest(
    State(state): State<AppState>,
    Path((scope, name)): Path<(String, String)>,
    query: Parameters,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    answer(&state, &format!("{scope}/{name}"), None, &query, &headers).await
}

/// `GET /packages/@scope/name/VERSION`
pub(crate) async fn pinned(
    State(state): State<AppState>,
    Path((scope, name, version)): Path<(String, String, String)>,
    query: Parameters,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    answer(&state, &format!("{scope}/{name}"), Some(&version), &query, &headers).await
}

/// `GET /p/@scope/name`: the short address.
pub(crate) async fn short(Path((scope, name)): Path<(String, String)>) -> Response {
    moved(&package_path(&format!("{scope}/{name}")))
}

/// `GET /p/@scope/name/VERSION`
pub(crate) async fn short_pinned(Path((scope, name, version)): Path<(String, String, String)>) -> Response {
    match PackageName::lookup(&format!("{scope}/{name}")) {
        Ok(name) => moved(&version_path(&name, &version)),
        Err(_no_name) => lost::not_found(Lost::Package, &format!("{scope}/{name}")),
    }
}

/// 301. The path is made of encoded parts after `/packages/`, so it never leads to another host.
fn moved(path: &str) -> Response {
    let mut response = Redirect::permanent(path).into_response();
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    response
}

async fn answer(
    state: &AppState,
    name: &str,
    wanted: Option<&str>,
    query: &HashMap<String, String>,
    headers: &HeaderMap,
) -> Result<Response, Fault> {
    // 1. The package and the version.
    let Ok(name) = PackageName::lookup(name) else { return Ok(lost::not_found(Lost::Package, name)) };
    let mut c = state.db.read().await?;
    let Some(package) = visible(state, &mut c, &name, headers).await? else {
        return Ok(missing(&mut c, &name, None).await?);
    };
    if package.name != name.as_str() {
        let version = wanted.map(|v| format!("/{}", mpak_api::path::encode(v))).unwrap_or_default();
        return Ok(Redirect::permanent(&format!("{}{version}", package_path(&package.name))).into_response());
    }
    let asked = wanted.filter(|v| *v != "latest").unwrap_or(&package.latest_version);
    let Some(version) = versions::find(&mut c, package.id, asked).await? else {
        return Ok(missing(&mut c, &name, wanted).await?);
    };
    // 2. All versions with their artifacts.
    let listed = versions::list(&mut c, package.id).await?;
    let all = artifacts::of_package(&mut c, package.id).await?;
    // 3. What the controls say about the artifact that was asked for, else the first.
    let room = if query.get("view").is_some_and(|v| v == "full") { Room::WHOLE } else { Room::USUAL };
    let judged = judged(&all, version.id, query.get("platform").map(String::as_str));
    let trust = match judged {
        Some(artifact) => trust(&mut c, artifact.id, room).await?,
        None => Trust::unscanned(Unscanned::NotAsked),
    };
    let judged = judged.map(|a| a.platform);
    // 4. What became of it.
    let yanked = yanks::of_package(&mut c, package.id).await?;
    let transfer = transfers::open(&mut c, package.id).await?;
    let happened = events::of_package(&mut c, name.as_str(), i64::MAX, EVENTS_READ_MAX).await?;
    let yank = yanked.iter().find(|y| y.version_id == version.id);
    let fate = fate::fate(&package, yank, transfer.as_ref(), &happened, room);
    drop(c);
    // 5. The page, on a thread that may block: a README may be long.
    let asked = Asked { name, package, version, pinned: wanted.is_some(), trust, judged, fate, room };
    let versions = version_facts(state, &listed, &all, &yanked);
    let (base_url, downloads) = (state.base_url(headers), state.counts.package(asked.package.id));
    let turn = RENDERING.acquire().await.expect("the semaphore is never closed");
    let asker = asker::current();
    let rendered = tokio::task::spawn_blocking(move || {
        // Held by the work itself: a visitor who leaves does not make room for another page.
        let _turn = turn;
        asker.within(|| page(StatusCode::OK, &Package::new(asked.facts(&versions, downloads, &base_url))))
    });
    Ok(rendered.await?)
}

/// The page for what is not here: never, or not any more.
async fn missing(c: &mut Connection, name: &PackageName, version: Option<&str>) -> DbResult<Response> {
    let lost = if version.is_some() { Lost::Version } else { Lost::Package };
    let what = version.map_or_else(|| name.to_string(), |version| format!("{name}@{version}"));
    let gone = tombstones::told_of_package(c, name.as_str()).await?;
    let tombstone = gone.iter().find(|t| t.version == version.unwrap_or(tombstones::WHOLE));
    Ok(tombstone.map_or_else(|| lost::not_found(lost, &what), |tombstone| lost::gone(lost, &what, tombstone)))
}

/// Scans that are read for a page, the newest among them.
const PAST_READ_MAX: i64 = 11;
/// Events that are read for a page.
const EVENTS_READ_MAX: i64 = 201;

/// A public package, by any of its names; one that is not, for those who may change it.
async fn visible(
    state: &AppState,
    c: &mut Connection,
    name: &PackageName,
    headers: &HeaderMap,
) -> DbResult<Option<packages::Package>> {
    if let Some(package) = packages::find(c, name.as_str()).await? {
        return Ok(Some(package));
    }
    let Some(hidden) = packages::find_any(c, name.as_str()).await? else { return Ok(None) };
    // Whoever asks with a wrong token sees what strangers see.
    let Ok(Some(visitor)) = actor::visitor(state, headers).await else { return Ok(None) };
    Ok(visitor.sees(c, &hidden.state, name).await.unwrap_or(false).then_some(hidden))
}

/// Pages rendered at the same time. A hostile README costs seconds, and visitors can ask for it as often as
/// they like: the rest of the server keeps its processors.
static RENDERING: Semaphore = Semaphore::const_new(2);

/// Everything about the shown version.
struct Asked {
    name: PackageName,
    package: packages::Package,
    version: Version,
    pinned: bool,
    trust: Trust,
    judged: Option<Platform>,
    fate: Fate,
    room: Room,
}

impl Asked {
    fn facts<'a>(&'a self, versions: &'a [VersionFacts], downloads: u64, base_url: &'a str) -> Facts<'a> {
        Facts {
            name: &self.name,
            latest_version: &self.package.latest_version,
            version: &self.version.version,
            manifest_json: &self.version.manifest_json,
            readme: self.version.readme.as_deref(),
            server_type: &self.version.server_type,
            downloads,
            versions,
            trust: self.trust.clone(),
            judged: self.judged,
            base_url,
            pinned: self.pinned,
            fate: self.fate.clone(),
            room: self.room,
        }
    }
}

fn judged<'a>(all: &'a [Artifact], version_id: i64, platform: Option<&str>) -> Option<&'a Artifact> {
    let of_version = || all.iter().filter(|a| a.version_id == version_id);
    let wanted: Option<Platform> = platform.and_then(|p| p.parse().ok());
    of_version().find(|a| Some(a.platform) == wanted).or_else(|| of_version().next())
}

/// The newest report on an artifact, or how far the scan is.
async fn trust(c: &mut Connection, artifact_id: i64, room: Room) -> DbResult<Trust> {
    if let Some(found) = scans::newest(c, artifact_id).await? {
        let report: Report = serde_json::from_str(&found.report_json)
            .map_err(|e| db::DbError::Corrupt { what: "scan report", found: e.to_string() })?;
        let shown = Trust::scanned(&report, found.scanned_at_ms, room.findings_count_max, room.findings_sum_max);
        // The newest is the report above.
        let past = scans::history(c, artifact_id, PAST_READ_MAX).await?;
        return Ok(shown.after(past.get(1..).unwrap_or_default()));
    }
    let job = jobs::state(c, scan::JOB, &artifact_id.to_string()).await?;
    Ok(Trust::unscanned(match job.as_deref() {
        Some("queued") => Unscanned::Waiting,
        Some("running") => Unscanned::Running,
        Some(_) => Unscanned::Failed,
        None => Unscanned::NotAsked,
    }))
}

fn version_facts(state: &AppState, listed: &[Listed], all: &[Artifact], yanked: &[Yank]) -> Vec<VersionFacts> {
    let mut by_version: HashMap<i64, Vec<ArtifactFacts>> = HashMap::new();
    for a in all {
        let facts = ArtifactFacts { platform: a.platform, sha256: a.sha256, size_bytes: a.size_bytes };
        by_version.entry(a.version_id).or_default().push(facts);
    }
    let facts = |v: &Listed| VersionFacts {
        version: v.version.clone(),
        published_at_ms: v.published_at_ms,
        publish_method: v.publish_method.clone(),
        downloads: state.counts.version(v.id),
        yanked: yanked.iter().any(|y| y.version_id == v.id),
        artifacts: by_version.remove(&v.id).unwrap_or_default(),
    };
    listed.iter().map(facts).collect()
}
