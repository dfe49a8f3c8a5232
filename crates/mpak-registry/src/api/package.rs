//! `/api/v1/packages/@scope/name`: what its owners manage of a package, and what happened to it.
//!
//! Everybody reads this of public packages; of held ones only those who may change them.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::Response;
use mpak_bundle::name::PackageName;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use mpak_api::bundle::WirePlatform;
use mpak_api::error::Code;
use mpak_api::index::Deprecated;
use mpak_api::manage::{
    Decided, Deleted, DeletedVersion, Deprecation, DeprecationChange, History, HistoryEvent, ManagedPackage,
    ManagedVersion, Owner, OwnerChange, Reason, StateChange, TokensAllowed, Transfer, TransferWish, YankChange, Yanked,
};

use crate::auth::actor::{Actor, actor, visitor};
use crate::clock::rfc3339;
use crate::db::events::Event;
use crate::db::packages::Package;
use crate::db::scans::Certified;
use crate::db::{
    Connection, artifacts, events, owners, packages, scans, tombstones, transfers, users, versions, yanks,
};
use crate::error::{ApiError, ApiResult};
use crate::http::json;
use crate::lifecycle::deprecate::Notice;
use crate::lifecycle::hold::{self, Decision};
use crate::lifecycle::transfer::Wish;
use crate::lifecycle::{By, delete, deprecate, owners as people, refresh, transfer, yank};
use crate::state::AppState;

/// Events of one answer.
const EVENTS_MAX: i64 = 100;

/// The parts of a path that name a package.
type Name = Path<(String, String)>;

pub(super) fn named(scope: &str, name: &str) -> ApiResult<PackageName> {
    PackageName::lookup(&format!("{scope}/{name}")).map_err(|_no_name| ApiError::not_found("Package not found"))
}

/// What a path names, as it stands there.
#[derive(Deserialize)]
struct Params {
    scope: String,
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    login: String,
}

/// What is to be changed, and who wants it: of every change, before its body is read.
pub(crate) struct Asked {
    name: PackageName,
    /// Empty where the path names none.
    version: String,
    /// Likewise.
    login: String,
    actor: Actor,
}

impl FromRequestParts<AppState> for Asked {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> ApiResult<Self> {
        let params = Path::<Params>::from_request_parts(parts, state).await;
        let Path(Params { scope, name, version, login }) =
            params.map_err(|_no_text| ApiError::not_found("Package not found"))?;
        let name = named(&scope, &name)?;
        Ok(Self { name, version, login, actor: actor(state, &parts.headers).await? })
    }
}

/// A request's body; an empty one is an empty object.
fn body<T: DeserializeOwned>(bytes: &[u8]) -> ApiResult<T> {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    serde_json::from_slice(bytes).map_err(|e| {
        ApiError::refusal(
            Code::BadRequest,
            "the body is not what this needs",
            "JSON",
            e.to_string(),
            "see the API's page",
        )
    })
}

/// A package that a visitor may see: a public one, or one that they may change.
pub(super) async fn visible(c: &mut Connection, name: &PackageName, visitor: Option<&Actor>) -> ApiResult<Package> {
    if let Some(package) = packages::find(c, name.as_str()).await? {
        return Ok(package);
    }
    let hidden = packages::find_any(c, name.as_str()).await?;
    match (hidden, visitor) {
        (Some(package), Some(visitor)) if visitor.sees(c, &package.state, name).await? => Ok(package),
        _ => Err(ApiError::not_found("Package not found")),
    }
}

/// `GET /api/v1/packages/@scope/name`
#[utoipa::path(
    get, path = "/api/v1/packages/{scope}/{name}", tag = "publishing", operation_id = "package_show",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path)),
    responses((status = 200, description = "Owners, versions, yanks, deprecation, transfer", body = ManagedPackage)),
    security(("token" = [])),
)]
pub(crate) async fn show(
    State(state): State<AppState>,
    Path((scope, name)): Name,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let name = named(&scope, &name)?;
    transfer::work(&state).await?;
    let visitor = visitor(&state, &headers).await?;
    let mut c = state.db.read().await?;
    let package = visible(&mut c, &name, visitor.as_ref()).await?;
    Ok(json(&described(&mut c, &state, &package).await?))
}

/// Everything that is managed of a package.
async fn described(c: &mut Connection, state: &AppState, package: &Package) -> ApiResult<ManagedPackage> {
    let gone = tombstones::told_of_package(c, &package.name).await?;
    let gone = gone.into_iter().filter(|t| t.version != tombstones::WHOLE);
    let transfer = match transfers::open(c, package.id).await? {
        Some(transfer) => Some(told(c, &transfer).await?),
        None => None,
    };
    let owner = |o: owners::Owner| Owner {
        login: o.login,
        via: o.via,
        since: rfc3339(o.created_at_ms),
        allows_tokens: o.allows_tokens != 0,
    };
    Ok(ManagedPackage {
        name: package.name.clone(),
        former_names: packages::former_names(c, package.id).await?,
        state: package.state.clone(),
        reason: package.held_reason.clone(),
        latest: package.latest_version.clone(),
        created_at: rfc3339(package.created_at_ms),
        repository: package.repository.clone(),
        deprecated: package
            .deprecated_message
            .clone()
            .map(|message| Deprecated { message, replacement: package.deprecated_replacement.clone() }),
        owners: owners::list(c, package.id).await?.into_iter().map(owner).collect(),
        versions: managed_versions(c, state, package.id).await?,
        deleted: gone.map(|t| DeletedVersion { version: t.version, at: rfc3339(t.at_ms), reason: t.reason }).collect(),
        transfer,
    })
}

async fn managed_versions(c: &mut Connection, state: &AppState, package_id: i64) -> ApiResult<Vec<ManagedVersion>> {
    let mut yanked: HashMap<i64, yanks::Yank> =
        yanks::of_package(c, package_id).await?.into_iter().map(|y| (y.version_id, y)).collect();
    let listed = versions::list(c, package_id).await?;
    let mut platforms: HashMap<i64, Vec<WirePlatform>> = HashMap::new();
    for artifact in artifacts::of_package(c, package_id).await? {
        platforms.entry(artifact.version_id).or_default().push(artifact.platform.into());
    }
    let ids: Vec<i64> = listed.iter().map(|v| v.id).collect();
    let mut certified: HashMap<i64, Vec<Certified>> = HashMap::new();
    for reached in scans::certified(c, &ids).await? {
        certified.entry(reached.version_id).or_default().push(reached);
    }
    let version = |v: versions::Listed| {
        let reached = certified.get(&v.id).and_then(|all| Certified::worst(all.iter()));
        ManagedVersion {
            published_at: rfc3339(v.published_at_ms),
            downloads: state.counts.version(v.id),
            yanked: yanked.remove(&v.id).map(|y| Yanked { at: rfc3339(y.at_ms), reason: y.reason }),
            platforms: platforms.remove(&v.id).unwrap_or_default(),
            level: reached.and_then(|r| r.level),
            score: reached.and_then(|r| r.score),
            version: v.version,
        }
    };
    Ok(listed.into_iter().map(version).collect())
}

async fn told(c: &mut Connection, transfer: &transfers::Transfer) -> ApiResult<Transfer> {
    let owner = match transfer.target_user_id {
        Some(id) => users::find(c, id).await?.map(|u| u.login),
        None => None,
    };
    let effective = (transfer.state == "accepted").then(|| rfc3339(transfer.effective_at_ms));
    Ok(Transfer {
        name: transfer.target_name.clone(),
        owner,
        state: transfer.state.clone(),
        requested_by: transfer.requested_by.clone(),
        requested_at: rfc3339(transfer.requested_at_ms),
        accepted_by: transfer.accepted_by.clone(),
        effective_at: effective,
    })
}

/// Parameters of the history.
#[derive(Debug, Deserialize)]
pub(crate) struct From {
    before: Option<i64>,
}

/// `GET /api/v1/packages/@scope/name/events?before=SEQ`
#[utoipa::path(
    get, path = "/api/v1/packages/{scope}/{name}/events", tag = "publishing", operation_id = "package_history",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path), ("before" = Option<i64>, Query, description = "Events before this position")),
    responses((status = 200, description = "What happened to it, newest first", body = History)),
    security(("token" = [])),
)]
pub(crate) async fn history(
    State(state): State<AppState>,
    Path((scope, name)): Name,
    from: Result<Query<From>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let name = named(&scope, &name)?;
    let before = from.map_or(None, |q| q.0.before).unwrap_or(i64::MAX);
    let visitor = visitor(&state, &headers).await?;
    let mut c = state.db.read().await?;
    let package = visible(&mut c, &name, visitor.as_ref()).await?;
    let found = events::of_package(&mut c, &package.name, before, EVENTS_MAX).await?;
    let next = found.last().filter(|_| i64::try_from(found.len()) == Ok(EVENTS_MAX)).map(|e| e.seq);
    let event = |e: Event| HistoryEvent {
        seq: e.seq,
        at: rfc3339(e.at_ms),
        kind: e.kind,
        version: e.version,
        actor: e.actor,
        details: serde_json::from_str(&e.payload_json).unwrap_or_default(),
    };
    let events = found.into_iter().map(event).collect();
    Ok(json(&History { name: package.name, events, before: next }))
}

/// `DELETE /api/v1/packages/@scope/name`
#[utoipa::path(
    delete, path = "/api/v1/packages/{scope}/{name}", tag = "publishing", operation_id = "package_remove",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path)),
    request_body(content = Reason, content_type = "application/json"),
    responses((status = 200, description = "Deleted", body = Deleted)),
    security(("token" = [])),
)]
pub(crate) async fn remove(State(state): State<AppState>, asked: Asked, bytes: Bytes) -> ApiResult<Response> {
    delete_all(&state, &asked, None, &bytes).await
}

/// `DELETE /api/v1/packages/@scope/name/versions/VERSION`
#[utoipa::path(
    delete, path = "/api/v1/packages/{scope}/{name}/versions/{version}", tag = "publishing", operation_id = "package_remove_version",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path), ("version" = String, Path)),
    request_body(content = Reason, content_type = "application/json"),
    responses((status = 200, description = "Deleted", body = Deleted)),
    security(("token" = [])),
)]
pub(crate) async fn remove_version(State(state): State<AppState>, asked: Asked, bytes: Bytes) -> ApiResult<Response> {
    delete_all(&state, &asked, Some(&asked.version), &bytes).await
}

async fn delete_all(state: &AppState, asked: &Asked, version: Option<&str>, bytes: &[u8]) -> ApiResult<Response> {
    let (name, reason) = (&asked.name, body::<Reason>(bytes)?.reason);
    let deleted = delete::delete(state, By::Actor(&asked.actor), name, version, reason.as_deref()).await?;
    Ok(json(&Deleted { name: name.to_string(), versions: deleted.versions, package: deleted.package }))
}

/// `PUT` and `DELETE /api/v1/packages/@scope/name/versions/VERSION/yank`
#[utoipa::path(
    put, path = "/api/v1/packages/{scope}/{name}/versions/{version}/yank", tag = "publishing", operation_id = "package_set_yank",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path), ("version" = String, Path)),
    request_body(content = Reason, content_type = "application/json"),
    responses((status = 200, description = "Yanked", body = YankChange)),
    security(("token" = [])),
)]
pub(crate) async fn set_yank(State(state): State<AppState>, asked: Asked, bytes: Bytes) -> ApiResult<Response> {
    change_yank(&state, &asked, &bytes, true).await
}

/// See [`set_yank`].
#[utoipa::path(
    delete, path = "/api/v1/packages/{scope}/{name}/versions/{version}/yank", tag = "publishing", operation_id = "package_end_yank",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path), ("version" = String, Path)),
    responses((status = 200, description = "No longer yanked", body = YankChange)),
    security(("token" = [])),
)]
pub(crate) async fn end_yank(State(state): State<AppState>, asked: Asked, bytes: Bytes) -> ApiResult<Response> {
    change_yank(&state, &asked, &bytes, false).await
}

async fn change_yank(state: &AppState, asked: &Asked, bytes: &[u8], yanked: bool) -> ApiResult<Response> {
    let Asked { name, version, actor, .. } = asked;
    let reason = body::<Reason>(bytes)?.reason;
    let changed = yank::set(state, By::Actor(actor), name, version, yanked, reason.as_deref()).await?;
    Ok(json(&YankChange { name: name.to_string(), version: version.clone(), yanked, changed }))
}

/// `PUT /api/v1/packages/@scope/name/deprecation`
#[utoipa::path(
    put, path = "/api/v1/packages/{scope}/{name}/deprecation", tag = "publishing", operation_id = "package_set_deprecation",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path)),
    request_body(content = Deprecation, content_type = "application/json"),
    responses((status = 200, description = "Deprecated", body = DeprecationChange)),
    security(("token" = [])),
)]
pub(crate) async fn set_deprecation(State(state): State<AppState>, asked: Asked, bytes: Bytes) -> ApiResult<Response> {
    let Asked { name, actor, .. } = asked;
    let said: Deprecation = body(&bytes)?;
    let notice = Notice { message: &said.message, replacement: said.replacement.as_deref() };
    let changed = deprecate::set(&state, By::Actor(&actor), &name, Some(notice)).await?;
    Ok(json(&DeprecationChange { name: name.to_string(), deprecated: true, changed }))
}

/// `DELETE /api/v1/packages/@scope/name/deprecation`
#[utoipa::path(
    delete, path = "/api/v1/packages/{scope}/{name}/deprecation", tag = "publishing", operation_id = "package_end_deprecation",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path)),
    responses((status = 200, description = "No longer deprecated", body = DeprecationChange)),
    security(("token" = [])),
)]
pub(crate) async fn end_deprecation(State(state): State<AppState>, asked: Asked) -> ApiResult<Response> {
    let Asked { name, actor, .. } = asked;
    let changed = deprecate::set(&state, By::Actor(&actor), &name, None).await?;
    Ok(json(&DeprecationChange { name: name.to_string(), deprecated: false, changed }))
}

/// `PUT /api/v1/packages/@scope/name/owners/LOGIN`
#[utoipa::path(
    put, path = "/api/v1/packages/{scope}/{name}/owners/{login}", tag = "publishing", operation_id = "package_add_owner",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path), ("login" = String, Path)),
    responses((status = 200, description = "An owner", body = OwnerChange)),
    security(("token" = [])),
)]
pub(crate) async fn add_owner(State(state): State<AppState>, asked: Asked) -> ApiResult<Response> {
    let Asked { name, login, actor, .. } = asked;
    let changed = people::add(&state, By::Actor(&actor), &name, &login).await?;
    Ok(json(&OwnerChange { name: name.to_string(), owner: login, changed }))
}

/// `DELETE /api/v1/packages/@scope/name/owners/LOGIN`
#[utoipa::path(
    delete, path = "/api/v1/packages/{scope}/{name}/owners/{login}", tag = "publishing", operation_id = "package_remove_owner",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path), ("login" = String, Path)),
    responses((status = 200, description = "No longer an owner", body = OwnerChange)),
    security(("token" = [])),
)]
pub(crate) async fn remove_owner(State(state): State<AppState>, asked: Asked) -> ApiResult<Response> {
    let Asked { name, login, actor, .. } = asked;
    people::remove(&state, By::Actor(&actor), &name, &login).await?;
    Ok(json(&OwnerChange { name: name.to_string(), owner: login, changed: true }))
}

/// `PUT /api/v1/packages/@scope/name/tokens`: this owner allows tokens beside trusted publishing.
#[utoipa::path(
    put, path = "/api/v1/packages/{scope}/{name}/tokens", tag = "publishing", operation_id = "package_allow_tokens",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path)),
    responses((status = 200, description = "Whether tokens publish now", body = TokensAllowed)),
    security(("token" = [])),
)]
pub(crate) async fn allow_tokens(State(state): State<AppState>, asked: Asked) -> ApiResult<Response> {
    change_tokens(&state, &asked, true).await
}

/// `DELETE /api/v1/packages/@scope/name/tokens`
#[utoipa::path(
    delete, path = "/api/v1/packages/{scope}/{name}/tokens", tag = "publishing", operation_id = "package_disallow_tokens",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path)),
    responses((status = 200, description = "Whether tokens publish now", body = TokensAllowed)),
    security(("token" = [])),
)]
pub(crate) async fn disallow_tokens(State(state): State<AppState>, asked: Asked) -> ApiResult<Response> {
    change_tokens(&state, &asked, false).await
}

async fn change_tokens(state: &AppState, asked: &Asked, allow: bool) -> ApiResult<Response> {
    let Asked { name, actor, .. } = asked;
    let owners = people::allow_tokens(state, By::Actor(actor), name, allow).await?;
    Ok(json(&TokensAllowed { name: name.to_string(), owners_allowing: owners, tokens_allowed: owners >= 2 }))
}

/// `POST /api/v1/packages/@scope/name/transfer`
#[utoipa::path(
    post, path = "/api/v1/packages/{scope}/{name}/transfer", tag = "publishing", operation_id = "package_request_transfer",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path)),
    request_body(content = TransferWish, content_type = "application/json"),
    responses((status = 200, description = "Asked for", body = Transfer)),
    security(("token" = [])),
)]
pub(crate) async fn request_transfer(State(state): State<AppState>, asked: Asked, bytes: Bytes) -> ApiResult<Response> {
    let Asked { name, actor, .. } = asked;
    let wished: TransferWish = body(&bytes)?;
    let wish = Wish { name: wished.name.as_deref(), owner: wished.owner.as_deref() };
    let transfer = transfer::request(&state, By::Actor(&actor), &name, wish).await?;
    Ok(json(&told(&mut *state.db.read().await?, &transfer).await?))
}

/// `PUT /api/v1/packages/@scope/name/transfer`: accepts it.
#[utoipa::path(
    put, path = "/api/v1/packages/{scope}/{name}/transfer", tag = "publishing", operation_id = "package_accept_transfer",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path)),
    responses((status = 200, description = "Accepted", body = Transfer)),
    security(("token" = [])),
)]
pub(crate) async fn accept_transfer(State(state): State<AppState>, asked: Asked) -> ApiResult<Response> {
    let Asked { name, actor, .. } = asked;
    let transfer = transfer::accept(&state, By::Actor(&actor), &name).await?;
    Ok(json(&told(&mut *state.db.read().await?, &transfer).await?))
}

/// `DELETE /api/v1/packages/@scope/name/transfer`: cancels it.
#[utoipa::path(
    delete, path = "/api/v1/packages/{scope}/{name}/transfer", tag = "publishing", operation_id = "package_cancel_transfer",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path)),
    responses((status = 200, description = "Cancelled", body = StateChange)),
    security(("token" = [])),
)]
pub(crate) async fn cancel_transfer(State(state): State<AppState>, asked: Asked) -> ApiResult<Response> {
    let Asked { name, actor, .. } = asked;
    transfer::cancel(&state, By::Actor(&actor), &name).await?;
    Ok(json(&StateChange { name: name.to_string(), state: Some("cancelled".to_owned()) }))
}

/// `PUT /api/v1/packages/@scope/name/state`: `release`, `reject`, `remove`, `hold` or `restore`.
#[utoipa::path(
    put, path = "/api/v1/packages/{scope}/{name}/state", tag = "publishing", operation_id = "package_decide",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path)),
    request_body(content = Decided, content_type = "application/json", description = "Release, reject, remove, hold or restore"),
    responses((status = 200, description = "Decided", body = StateChange)),
    security(("token" = [])),
)]
pub(crate) async fn decide(State(state): State<AppState>, asked: Asked, bytes: Bytes) -> ApiResult<Response> {
    let Asked { name, actor, .. } = asked;
    let decided: Decided = body(&bytes)?;
    let decision = Decision::parse(&decided.decision).ok_or_else(|| {
        let expected = "release, reject, remove, hold or restore";
        ApiError::refusal(Code::ValidationError, "there is no such decision", expected, decided.decision, "name one")
    })?;
    let reason = decided.reason.as_deref();
    hold::decide(&state.db, By::Actor(&actor), &name, decision, reason, state.clock().now_ms()).await?;
    refresh(&state, name.as_str()).await;
    let package = packages::find_any(&mut *state.db.read().await?, name.as_str()).await?;
    Ok(json(&StateChange { name: name.to_string(), state: package.map(|p| p.state) }))
}
