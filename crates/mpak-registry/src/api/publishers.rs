//! `/api/v1/packages/@scope/name/trusted-publishers`: which repositories may publish a package; and
//! whether an identity may, without publishing anything.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use mpak_api::error::Code;
use mpak_api::manage::{PublishPermission, TrustedPublisher as Trusted, TrustedPublishers};
use mpak_bundle::name::PackageName;
use mpak_bundle::version::Version;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::auth::actor::{Action, Actor, actor};
use crate::auth::binding::{self, Grant};
use crate::auth::issuers::{Issuer, Purpose};
use crate::auth::token::bearer;
use crate::auth::workload;
use crate::clock::rfc3339;
use crate::db::trusted_publishers::{self, New, TrustedPublisher, id_by_name};
use crate::db::{Connection, events};
use crate::error::{ApiError, ApiResult};
use crate::http;
use crate::state::AppState;

/// Longest text of an entry.
const TEXT_CHARS_MAX: usize = 255;

/// A repository to be trusted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    /// `iss` of its tokens; the first configured issuer without it.
    issuer: Option<String>,
    /// `owner/name`, as the issuer writes it.
    repository: String,
    /// The issuer's id of it; learnt at its first publish without it.
    repository_id: Option<String>,
    /// Path of the workflow, if another one is to be told as changed.
    workflow: Option<String>,
}

/// `GET …/trusted-publishers`
#[utoipa::path(
    get, path = "/api/v1/packages/{scope}/{name}/trusted-publishers", tag = "publishing",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path)),
    responses((status = 200, description = "Who may publish without a password", body = TrustedPublishers)),
    security(("token" = [])),
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    Path((scope, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let (package, actor) = (named(&scope, &name)?, actor(&state, &headers).await?);
    let mut c = state.db.read().await?;
    may(&mut c, &actor, &package).await?;
    let all = trusted_publishers::list(&mut c, package.as_str()).await?;
    Ok(http::json(&TrustedPublishers { trusted_publishers: all.iter().map(described).collect() }))
}

/// `POST …/trusted-publishers`
#[utoipa::path(
    post, path = "/api/v1/packages/{scope}/{name}/trusted-publishers", tag = "publishing",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path)),
    request_body(content = Wish, content_type = "application/json"),
    responses((status = 201, description = "Added", body = Trusted),
        (status = 200, description = "It was there already", body = Trusted)),
    security(("token" = [])),
)]
pub(crate) async fn add(
    State(state): State<AppState>,
    Path((scope, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> ApiResult<Response> {
    // 1. Who wants it, and whether they may.
    let (package, actor) = (named(&scope, &name)?, actor(&state, &headers).await?);
    let now_ms = state.clock().now_ms();
    let mut tx = state.db.write().await?;
    may(&mut tx, &actor, &package).await?;
    // 2. What is wanted.
    let wish: Wish = serde_json::from_slice(&body).map_err(|e| {
        let expected = "{\"repository\": \"owner/name\", \"issuer\"?, \"repository_id\"?, \"workflow\"?}";
        ApiError::refusal(Code::BadRequest, "the body is not what this needs", expected, e.to_string(), "send JSON")
    })?;
    let issuer = known_issuer(&state, wish.issuer.as_deref())?;
    for (member, text) in [
        ("repository", Some(&wish.repository)),
        ("repository_id", wish.repository_id.as_ref()),
        ("workflow", wish.workflow.as_ref()),
    ] {
        check_text(member, text)?;
    }
    let by_name = id_by_name(&wish.repository);
    let new = New {
        package: package.as_str(),
        issuer: &issuer.issuer,
        repository_id: wish.repository_id.as_deref().unwrap_or(&by_name),
        repository: &wish.repository,
        workflow: wish.workflow.as_deref().unwrap_or_default(),
        created_at_ms: now_ms,
        created_by: &actor.label(),
    };
    // 3. Once.
    let Some(id) = trusted_publishers::insert(&mut tx, new).await? else {
        let all = trusted_publishers::list(&mut tx, package.as_str()).await?;
        let same = all.iter().find(|t| t.issuer == new.issuer && t.repository_id == new.repository_id);
        return Ok(http::json(&same.map(described)));
    };
    let payload = json!({
        "id": id, "issuer": new.issuer, "repository": new.repository, "repository_id": wish.repository_id,
        "workflow": wish.workflow,
    });
    note(&mut tx, "publisher_trusted", &package, &actor, &payload, now_ms).await?;
    let all = trusted_publishers::list(&mut tx, package.as_str()).await?;
    tx.commit().await?;
    let added = all.iter().find(|t| t.id == id).map(described);
    Ok((StatusCode::CREATED, Json(added)).into_response())
}

/// `DELETE …/trusted-publishers/{id}`
#[utoipa::path(
    delete, path = "/api/v1/packages/{scope}/{name}/trusted-publishers/{id}", tag = "publishing",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path), ("id" = i64, Path)),
    responses((status = 204, description = "Removed")),
    security(("token" = [])),
)]
pub(crate) async fn remove(
    State(state): State<AppState>,
    Path((scope, name, id)): Path<(String, String, i64)>,
    headers: HeaderMap,
) -> ApiResult<StatusCode> {
    let (package, actor) = (named(&scope, &name)?, actor(&state, &headers).await?);
    let now_ms = state.clock().now_ms();
    let mut tx = state.db.write().await?;
    may(&mut tx, &actor, &package).await?;
    if !trusted_publishers::remove(&mut tx, package.as_str(), id).await? {
        return Err(ApiError::not_found("Trusted publisher not found"));
    }
    note(&mut tx, "publisher_distrusted", &package, &actor, &json!({"id": id}), now_ms).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET …/versions/VERSION/publisher`: what an identity says, and whether it may publish this. Nothing is
/// published and the token is not spent.
#[utoipa::path(
    get, path = "/api/v1/packages/{scope}/{name}/versions/{version}/publisher", tag = "publishing",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path), ("version" = String, Path)),
    responses((status = 200, description = "It may publish, and why", body = PublishPermission)),
    security(("token" = [])),
)]
pub(crate) async fn explain(
    State(state): State<AppState>,
    Path((scope, name, version)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let package = PackageName::publishable(&format!("{scope}/{name}"))
        .map_err(|e| ApiError::new(Code::ValidationError, e.to_string()))?;
    let version = Version::parse(&version).map_err(|e| ApiError::new(Code::ValidationError, e.to_string()))?;
    let token = bearer(&headers).ok_or_else(|| ApiError::new(Code::Unauthorized, "Missing OIDC token."))?;
    let identity = workload::identify(&state, token, Purpose::Upload).await?;
    let grant = binding::may(&mut *state.db.read().await?, &identity, &package, &version).await?;
    let how = match grant {
        Grant::Trusted(_) => "the repository is a trusted publisher of the package",
        Grant::New => "the package is new or only the operator's so far, and the scope the owner's or no owner's yet",
    };
    Ok(http::json(&PublishPermission { allowed: true, because: how.to_owned(), identity: json!(identity) }))
}

async fn may(c: &mut Connection, actor: &Actor, package: &PackageName) -> ApiResult<()> {
    Ok(actor.may(c, Action::Own, Some(package)).await?)
}

fn named(scope: &str, name: &str) -> ApiResult<PackageName> {
    PackageName::lookup(&format!("{scope}/{name}")).map_err(|_no_name| ApiError::not_found("Package not found"))
}

fn known_issuer<'s>(state: &'s AppState, wanted: Option<&str>) -> ApiResult<&'s Issuer> {
    let all = state.issuers.all();
    let found = match wanted {
        Some(wanted) => state.issuers.find(wanted),
        None => all.first(),
    };
    found.ok_or_else(|| {
        let known = all.iter().map(|i| i.issuer.as_str()).collect::<Vec<_>>().join(", ");
        let help = "ask an administrator to add the issuer to `[[publishing.issuer]]`";
        let found = wanted.unwrap_or("none");
        ApiError::refusal(Code::ValidationError, "the issuer is not configured here", known, found, help)
    })
}

fn check_text(member: &str, text: Option<&String>) -> ApiResult<()> {
    let Some(text) = text else { return Ok(()) };
    let plain = !text.contains(|c: char| c.is_control() || c.is_whitespace());
    // With a colon entries by name are kept.
    let by_name = member == "repository_id" && text.contains(':');
    if (1..=TEXT_CHARS_MAX).contains(&text.chars().count()) && plain && !by_name {
        return Ok(());
    }
    let message = format!("`{member}` is not what it should be");
    let found: String = text.chars().take(TEXT_CHARS_MAX).collect();
    Err(ApiError::refusal(Code::ValidationError, message, "a text without spaces", found, "see `mpak trust --help`"))
}

fn described(publisher: &TrustedPublisher) -> Trusted {
    Trusted {
        id: publisher.id,
        issuer: publisher.issuer.clone(),
        repository: publisher.repository.clone(),
        repository_id: (!publisher.is_by_name()).then(|| publisher.repository_id.clone()),
        workflow: Some(publisher.workflow.clone()).filter(|w| !w.is_empty()),
        created_at: rfc3339(publisher.created_at_ms),
        created_by: publisher.created_by.clone(),
    }
}

async fn note(
    c: &mut Connection,
    kind: &str,
    package: &PackageName,
    actor: &Actor,
    payload: &Value,
    now_ms: i64,
) -> ApiResult<()> {
    let actor = actor.label();
    let event =
        events::New { at_ms: now_ms, kind, package: Some(package.as_str()), version: None, actor: &actor, payload };
    events::append(c, event).await?;
    Ok(())
}
