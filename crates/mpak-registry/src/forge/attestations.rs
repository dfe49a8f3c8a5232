//! What a forge knows of an artifact and its owner beside the release: attestations by the artifact's digest, and
//! since when the owner's account exists.
//!
//! In: the owner and repository for which an issuer vouches. Out: documents that nobody has verified yet.
//! Spec: GitHub REST API 2022-11-28, `repos/{owner}/{repo}/attestations` and `users/{username}`.

use axum::http::StatusCode;
use mpak_bundle::digest::Sha256;
use serde::Deserialize;
use serde_json::Value;

use super::{Forge, ForgeError};
use crate::auth::issuers::{Issuer, Releases};
use crate::outbound::Outbound;

/// Most attestations that are asked for.
const COUNT_MAX: &str = "16";

#[derive(Deserialize)]
struct Found {
    #[serde(default)]
    attestations: Vec<Attested>,
}

#[derive(Deserialize)]
struct Attested {
    /// Large ones are left out by the forge.
    bundle: Option<Value>,
}

#[derive(Deserialize)]
struct Account {
    id: u64,
    created_at: String,
}

/// The attestations of a digest in a repository's store; `None` where the forge has no such store.
pub(crate) async fn of_digest(
    outbound: &Outbound,
    issuer: &Issuer,
    repository: &str,
    artifact: &Sha256,
) -> Result<Option<Vec<Value>>, ForgeError> {
    let Some(forge) = github(outbound, issuer) else { return Ok(None) };
    let digest = artifact.prefixed();
    let segments: Vec<&str> =
        ["repos"].into_iter().chain(repository.split('/')).chain(["attestations", &digest]).collect();
    match forge.get_with::<Found>(&segments, &[("per_page", COUNT_MAX)]).await {
        Ok(found) => Ok(Some(found.attestations.into_iter().filter_map(|one| one.bundle).collect())),
        Err(ForgeError::Status { status: StatusCode::NOT_FOUND }) => Ok(Some(Vec::new())),
        Err(error) => Err(error),
    }
}

/// Since when an account exists, in milliseconds; `None` where the forge does not tell, or where the name belongs to
/// another account by now.
pub(crate) async fn account_created_at_ms(
    outbound: &Outbound,
    issuer: &Issuer,
    (owner, owner_id): (&str, &str),
) -> Result<Option<i64>, ForgeError> {
    let Some(forge) = github(outbound, issuer) else { return Ok(None) };
    let account: Option<Account> = forge.find(&["users", owner]).await?;
    let account = account.filter(|account| account.id.to_string() == owner_id);
    let created_at = account.and_then(|account| account.created_at.parse().ok());
    Ok(created_at.map(jiff::Timestamp::as_millisecond))
}

fn github<'f>(outbound: &'f Outbound, issuer: &'f Issuer) -> Option<Forge<'f>> {
    let api = issuer.api_url.as_ref().filter(|_| issuer.mapping.releases == Some(Releases::Github))?;
    Some(Forge { outbound, api })
}
