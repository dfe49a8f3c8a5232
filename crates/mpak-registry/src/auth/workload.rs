//! Publishers by identity: from a request's bearer to the proof that a package may be published.

use std::sync::Arc;

use mpak_api::error::Code;
use mpak_bundle::name::PackageName;
use mpak_bundle::version::Version;

use super::binding;
use super::identity::{self, Identity, IdentityError};
use super::issuers::Purpose;
use super::jwks::KeysError;
use super::jwt::JwtError;
use super::token::Publisher;
use crate::error::{ApiError, ApiResult};
use crate::state::AppState;

/// Verifies a token of a workload.
pub(crate) async fn identify(state: &AppState, token: &str, purpose: Purpose) -> ApiResult<Identity> {
    let own = state.audience();
    let now_ms = state.clock().now_ms();
    identity::verify(token, &state.issuers, &state.outbound, (purpose, &own), now_ms).await.map_err(|e| refused(&e))
}

/// The proof that an identity may publish this version of a package.
pub(crate) async fn publisher(
    state: &AppState,
    identity: Identity,
    package: PackageName,
    version: &Version,
) -> ApiResult<Publisher> {
    binding::may(&mut *state.db.read().await?, &identity, &package, version).await?;
    Ok(Publisher::workload(package, Arc::new(identity)))
}

fn refused(error: &IdentityError) -> ApiError {
    let message = format!("Invalid OIDC token: {error}");
    let refusal = |expected: &str, found: &str, help: &str| {
        ApiError::refusal(Code::Unauthorized, &message, expected, found, help)
    };
    match error {
        // Not the publisher's fault, and worth another try.
        IdentityError::Jwt(JwtError::Keys(KeysError::Fetch(_) | KeysError::Status { .. } | KeysError::Waiting)) => {
            tracing::warn!(error = %with_source(error), "an issuer's keys are missing");
            ApiError::others(message)
        }
        IdentityError::Audience { expected, found } => {
            refusal(expected, found, "request the token with the registry's audience; `mpak publish` does")
        }
        IdentityError::Expired { .. } => {
            refusal("a token that is valid now", "an expired one", "request another token right before publishing")
        }
        IdentityError::Jwt(JwtError::Issuer { expected, found }) => {
            refusal(expected, found, "ask an administrator to add the issuer to `[[publishing.issuer]]`")
        }
        _ => ApiError::new(Code::Unauthorized, message),
    }
}

fn with_source(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(next) = source {
        text = format!("{text}: {next}");
        source = next.source();
    }
    text
}
