//! `/app/packages/@scope/name/claim`: a package without owners becomes the account's of its maintainer.
//!
//! The proof is `mpak.json` in the package's own repository, the one that its first publish pinned: it
//! names the package, and the claimer's login at GitHub, for which the sign-in provider vouches, among
//! its maintainers. A repository that the claimer names must be that one; the existing registry takes any.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use mpak_api::error::Code;
use mpak_api::publish::{ClaimStatus, ClaimVerification, Claimed, ClaimedPackage};
use mpak_bundle::name::PackageName;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::auth::actor::{Actor, Person, actor};
use crate::auth::issuers::{Issuer, Releases};
use crate::clock::rfc3339;
use crate::db::packages::Package;
use crate::db::{Connection, events, owners, packages, trusted_publishers, users};
use crate::error::{ApiError, ApiResult};
use crate::forge::{self, ForgeError};
use crate::http;
use crate::ingest::scan;
use crate::state::AppState;

/// Where the proof may stand, in the order of looking.
const BRANCHES: [&str; 2] = ["main", "master"];

/// The body of a claim.
#[derive(Debug, Default, Deserialize, ToSchema)]
struct Claim {
    /// `owner/name`, or its address; the package's own in any case.
    github_repo: Option<String>,
}

/// `mpak.json` at the root of a repository.
#[derive(Debug, Deserialize)]
struct Proof {
    name: String,
    maintainers: Vec<String>,
}

/// `GET /app/packages/@scope/name/claim-status`
#[utoipa::path(
    get, path = "/app/packages/{scope}/{name}/claim-status", tag = "publishing", operation_id = "claim_status",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path)),
    responses((status = 200, description = "Whether it can be claimed, and how", body = ClaimStatus)),
)]
pub(crate) async fn status(
    State(state): State<AppState>,
    Path((scope, name)): Path<(String, String)>,
) -> ApiResult<Response> {
    let mut c = state.db.read().await?;
    let (name, package) = found(&mut c, &scope, &name).await?;
    let owned = owners::list(&mut c, package.id).await?;
    if let Some(owner) = owned.first() {
        return Ok(http::json(&json!({
            "claimable": false, "reason": "it has owners", "claimed_by": owner.login,
            "claimed_at": rfc3339(owner.created_at_ms),
        })));
    }
    let Some(Own { repository, .. }) = own_repository(&mut c, &state, name.as_str()).await? else {
        return Ok(http::json(&json!({
            "claimable": false, "reason": "no publish pinned it to a repository", "claimed_by": null, "claimed_at": null,
        })));
    };
    Ok(http::json(&json!({
        "claimable": true, "package_name": name.as_str(), "github_repo": repository,
        "instructions": instructions(name.as_str(), "YOUR-GITHUB-LOGIN"),
    })))
}

/// `POST /app/packages/@scope/name/claim`
#[utoipa::path(
    post, path = "/app/packages/{scope}/{name}/claim", tag = "publishing", operation_id = "claim",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path)),
    request_body(content = Claim, content_type = "application/json"),
    responses((status = 200, description = "It is the caller's", body = Claimed)),
    security(("token" = [])),
)]
pub(crate) async fn claim(
    State(state): State<AppState>,
    Path((scope, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> ApiResult<Json<Claimed>> {
    let bad = |message: &str| ApiError::new(Code::BadRequest, message);
    // 1. Who claims.
    let actor = actor(&state, &headers).await?;
    let person = actor.person().ok_or_else(|| ApiError::new(Code::Forbidden, "sign in to claim a package"))?;
    let wanted: Claim = if body.is_empty() {
        Claim::default()
    } else {
        serde_json::from_slice(&body).map_err(|e| bad(&format!("the body is not valid JSON: {e}")))?
    };
    // 2. What is claimed, from which repository, by somebody who may own it.
    let mut c = state.db.read().await?;
    let (name, package) = found(&mut c, &scope, &name).await?;
    actor.may_take(&mut c, &[&name]).await?;
    unclaimed(&mut c, &package).await?;
    let own = own_repository(&mut c, &state, name.as_str()).await?;
    let own = own.ok_or_else(|| bad("No repository: no publish pinned this package to one"))?;
    let Own { issuer, repository, id } = own;
    if let Some(given) = wanted.github_repo.filter(|given| !same_repository(given, &repository)) {
        let help = "claim with the repository that the package is published from";
        return Err(ApiError::refusal(
            Code::Forbidden,
            "the repository is not the package's own",
            &*repository,
            given,
            help,
        ));
    }
    let login = users::github_login(&mut c, person.user_id).await?;
    let login =
        login.ok_or_else(|| bad("Your account has no login at GitHub that the sign-in provider vouches for"))?;
    drop(c);
    // 3. The proof, asked for outside of any transaction. A name may belong to another repository by now, which
    //    proves nothing: who registers a name that became free inherits no package.
    let told = forge::repository_id(&state.outbound, issuer, &repository).await;
    let now = told.map_err(|error| unreadable(&repository, &error))?;
    if now.as_ref() != Some(&id) {
        let help = "ask the administrators of this registry, who can make you an owner";
        return Err(ApiError::refusal(
            Code::Forbidden,
            format!("{repository} is not the repository any more that the package was published from"),
            format!("the repository with the number {id}"),
            now.map_or_else(|| "none of that name".to_owned(), |now| format!("one with the number {now}")),
            help,
        ));
    }
    let (branch, proof) = proof(&state, issuer, &repository).await?;
    let maintains = proof.maintainers.iter().any(|maintainer| maintainer.eq_ignore_ascii_case(&login));
    if proof.name != name.as_str() || !maintains {
        let message = format!("mpak.json of {repository} does not name `{name}` and `{login}`");
        let refusal = ApiError::new(Code::Forbidden, message);
        return Err(refusal.detail("instructions", instructions(name.as_str(), &login)));
    }
    // 4. It is theirs, unless somebody was faster.
    let now_ms = state.clock().now_ms();
    record(&state, (&name, &repository), (&actor, person), now_ms).await?;
    let at = rfc3339(now_ms);
    Ok(Json(Claimed {
        success: true,
        message: format!("{name} is yours"),
        verification: ClaimVerification {
            mpak_json_url: format!("https://github.com/{repository}/blob/{branch}/mpak.json"),
            verified_at: at.clone(),
        },
        package: ClaimedPackage {
            name: name.to_string(),
            claimed_by: person.login.clone(),
            claimed_at: at,
            github_repo: repository,
        },
    }))
}

async fn record(
    state: &AppState,
    (name, repository): (&PackageName, &str),
    (actor, person): (&Actor, &Person),
    now_ms: i64,
) -> ApiResult<()> {
    let mut tx = state.db.write().await?;
    let package = packages::find(&mut tx, name.as_str()).await?;
    let package = package.ok_or_else(|| ApiError::not_found("Package not found"))?;
    unclaimed(&mut tx, &package).await?;
    owners::add(&mut tx, package.id, person.user_id, "claim", now_ms).await?;
    scan::again(&mut tx, package.id, now_ms).await?;
    let payload = json!({"owner": person.login, "repository": repository});
    let event = events::New {
        at_ms: now_ms,
        kind: "claimed",
        package: Some(name.as_str()),
        version: None,
        actor: &actor.label(),
        payload: &payload,
    };
    events::append(&mut tx, event).await?;
    Ok(tx.commit().await?)
}

async fn found(c: &mut Connection, scope: &str, name: &str) -> ApiResult<(PackageName, Package)> {
    let not_found = || ApiError::not_found("Package not found");
    let name = PackageName::lookup(&format!("{scope}/{name}")).map_err(|_no_name| not_found())?;
    let package = packages::find(c, name.as_str()).await?.ok_or_else(not_found)?;
    Ok((name, package))
}

async fn unclaimed(c: &mut Connection, package: &Package) -> ApiResult<()> {
    if owners::list(c, package.id).await?.is_empty() {
        return Ok(());
    }
    let refusal = ApiError::new(Code::BadRequest, "Package cannot be claimed");
    Err(refusal.detail("reason", "it has owners; one of them can add you"))
}

/// The repository at GitHub that the first publish pinned.
struct Own<'s> {
    issuer: &'s Issuer,
    /// `owner/name`, as it was then.
    repository: String,
    /// Its number, which no other ever gets.
    id: String,
}

async fn own_repository<'s>(c: &mut Connection, state: &'s AppState, name: &str) -> ApiResult<Option<Own<'s>>> {
    let trusted = trusted_publishers::list(c, name).await?;
    Ok(trusted.into_iter().find_map(|t| {
        let issuer = state.issuers.find(&t.issuer).filter(|i| i.mapping.releases == Some(Releases::Github))?;
        (!t.is_by_name()).then_some(Own { issuer, repository: t.repository, id: t.repository_id })
    }))
}

/// `owner/name`, or its address at GitHub.
fn same_repository(given: &str, own: &str) -> bool {
    let given = given.trim().trim_end_matches('/');
    let given = given.strip_prefix("https://github.com/").unwrap_or(given);
    given.strip_suffix(".git").unwrap_or(given).eq_ignore_ascii_case(own)
}

/// The first readable file decides.
async fn proof(state: &AppState, issuer: &Issuer, repository: &str) -> ApiResult<(&'static str, Proof)> {
    for branch in BRANCHES {
        match forge::file(&state.outbound, issuer, (repository, repository), (branch, "mpak.json")).await {
            Ok(bytes) => {
                let proof = serde_json::from_slice(&bytes).map_err(|e| {
                    ApiError::new(Code::BadRequest, format!("mpak.json of {repository} is not what it should be: {e}"))
                })?;
                return Ok((branch, proof));
            }
            Err(ForgeError::Status { .. }) => {}
            Err(error) => return Err(unreadable(repository, &error)),
        }
    }
    Err(ApiError::new(Code::BadRequest, format!("{repository} has no mpak.json on `main` or `master`")))
}

fn unreadable(repository: &str, error: &ForgeError) -> ApiError {
    ApiError::new(Code::ServiceUnavailable, format!("mpak.json of {repository} cannot be read: {error}"))
}

fn instructions(name: &str, login: &str) -> Value {
    let example = json!({"name": name, "maintainers": [login]});
    json!({
        "steps": [
            "Add a file mpak.json to the root of the package's repository",
            "Put the package's name and your login at GitHub into it, as below",
            "Push it to the branch main (or master)",
            "Claim the package again",
        ],
        "example_mpak_json": example,
        "mpak_json_example": format!("{example:#}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_given_by_name_or_address() {
        for (given, same) in [
            ("acme/widget", true),
            ("Acme/Widget", true),
            ("https://github.com/acme/widget", true),
            ("https://github.com/acme/widget.git", true),
            ("https://github.com/acme/widget/", true),
            ("acme/other", false),
            ("https://evil.example/acme/widget", false),
            ("", false),
        ] {
            assert_eq!(same_repository(given, "acme/widget"), same, "{given}");
        }
    }
}
