//! The OpenID provider of the registry's people: found by discovery, asked for identities.
//!
//! In: the operator's `[sign_in]`. Out: an address to send a browser to, and for a code that it brings
//! back the verified claims. Spec: OpenID Connect Core 1.0 §3.1, Discovery 1.0, RFC 7636, RFC 9207.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod,
    CoreGrantType, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm,
    CoreJwsSigningAlgorithm, CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType,
};
use openidconnect::{
    AdditionalProviderMetadata, AsyncHttpClient as _, AuthType, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IssuerUrl, Nonce,
    OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, ProviderMetadata, RedirectUrl, Scope,
    TokenResponse as _,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;
use tokio::sync::Mutex;
use url::Url;

use super::door::{Door, DoorError};
use super::role::claim;
use crate::config::SignIn;
use crate::state::AppState;

/// How long what the provider says of itself is kept.
const KNOWN_MS: i64 = 60 * 60 * 1_000;
/// Shortest time between two questions after it, when a key is unknown.
const ASKED_AGAIN_MS: i64 = 60 * 1_000;

/// Signatures that are believed: made by a key that only the provider has.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// RFC 9207: whether the answer names who gives it.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct More {
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for More {}

type Metadata = ProviderMetadata<
    More,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// Why the provider gave no identity.
#[derive(Debug, Error)]
pub(crate) enum ProviderError {
    /// It does not say what it is.
    #[error("the provider `{issuer}` cannot be discovered: {reason}")]
    Discovery {
        /// Its configured address.
        issuer: Url,
        /// Why.
        reason: String,
    },
    /// It did not take the code.
    #[error("the provider did not take the code: {reason}")]
    Code {
        /// Why.
        reason: String,
    },
    /// What it gave is not an identity for us.
    #[error("the provider's identity is not valid: {reason}")]
    Identity {
        /// Why.
        reason: String,
    },
    /// Another provider answered than was asked.
    #[error("the answer is of `{found}`, and `{expected}` was asked")]
    OtherIssuer {
        /// Who was asked.
        expected: String,
        /// Who answered; empty where the answer does not say.
        found: String,
    },
    /// It says of a person what it did not say in the identity.
    #[error("the provider's user information is of another person")]
    OtherPerson,
    /// It cannot be asked.
    #[error(transparent)]
    Door(#[from] DoorError),
}

/// What the provider was found to be; asked anew now and then.
#[derive(Debug, Default)]
pub(crate) struct Provider {
    known: Mutex<Option<Known>>,
}

#[derive(Clone, Debug)]
struct Known {
    metadata: Arc<Metadata>,
    at_ms: i64,
}

/// A sign-in that was begun.
#[derive(Debug)]
pub(crate) struct Begun {
    /// Where the browser goes.
    pub(crate) url: Url,
    /// What the identity must repeat.
    pub(crate) nonce: String,
    /// What proves that the code is ours.
    pub(crate) verifier: String,
}

/// What a sign-in is finished with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finish<'a> {
    /// From the provider, by the browser.
    pub(crate) code: &'a str,
    /// As in [`Begun`].
    pub(crate) nonce: &'a str,
    /// As in [`Begun`].
    pub(crate) verifier: &'a str,
    /// As when it was begun.
    pub(crate) redirect: &'a str,
}

/// Who signed in, by the word of the provider.
#[derive(Debug)]
pub(crate) struct Identity {
    /// The provider's name of itself.
    pub(crate) issuer: String,
    /// Stable.
    pub(crate) subject: String,
    /// All that it says.
    pub(crate) claims: Value,
}

impl Provider {
    /// Begins a sign-in under a `state` of ours.
    pub(crate) async fn begin(
        &self,
        app: &AppState,
        to: &SignIn,
        redirect: &str,
        state: String,
    ) -> Result<Begun, ProviderError> {
        let known = self.known(app, to, None).await?;
        let client = client(&known, to, redirect)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let scopes = to.scopes.iter().filter(|s| *s != "openid").map(|s| Scope::new(s.clone()));
        let request = client.authorize_url(flow, move || CsrfToken::new(state), Nonce::new_random);
        let (url, _state, nonce) = request.add_scopes(scopes).set_pkce_challenge(challenge).url();
        Ok(Begun { url, nonce: nonce.secret().clone(), verifier: verifier.into_secret() })
    }

    /// Checks who answered. Spec: RFC 9207 §2.4.
    pub(crate) async fn answered_by(
        &self,
        app: &AppState,
        to: &SignIn,
        iss: Option<&str>,
    ) -> Result<(), ProviderError> {
        let known = self.known(app, to, None).await?;
        let expected = known.metadata.issuer().as_str();
        let must = known.metadata.additional_metadata().authorization_response_iss_parameter_supported;
        match iss {
            Some(found) if found == expected => Ok(()),
            None if !must => Ok(()),
            found => {
                let found = found.unwrap_or_default().chars().take(200).collect();
                Err(ProviderError::OtherIssuer { expected: expected.to_owned(), found })
            }
        }
    }

    /// Turns a code into an identity.
    pub(crate) async fn finish(
        &self,
        app: &AppState,
        to: &SignIn,
        with: Finish<'_>,
    ) -> Result<Identity, ProviderError> {
        // 1. The code for an ID token, with the proof that we began.
        let known = self.known(app, to, None).await?;
        let http = Door::new(&app.outbound, to);
        let ours = client(&known, to, with.redirect)?;
        let code_error = |reason: String| ProviderError::Code { reason };
        let request =
            ours.exchange_code(AuthorizationCode::new(with.code.to_owned())).map_err(|e| code_error(text(&e)))?;
        let request = request.set_pkce_verifier(PkceCodeVerifier::new(with.verifier.to_owned()));
        let answer = request.request_async(&http).await.map_err(|e| code_error(text(&e)))?;
        let token = answer.id_token().ok_or_else(|| identity("there is no ID token"))?;
        // 2. The token is the provider's, for us, for this sign-in. A key may be newer than what we know.
        let nonce = Nonce::new(with.nonce.to_owned());
        let check = |client: &Client| {
            let verifier = client.id_token_verifier().set_allowed_algs(ALGORITHMS);
            token
                .claims(&verifier, &nonce)
                .map(|c| (c.issuer().to_string(), c.subject().to_string()))
                .map_err(|e| identity(&text(&e)))
        };
        let (issuer, subject) = match check(&ours) {
            Ok(found) => found,
            Err(first) => match self.known(app, to, Some(&known)).await {
                Ok(newer) if newer.at_ms != known.at_ms => check(&client(&newer, to, with.redirect)?)?,
                _ => return Err(first),
            },
        };
        // 3. All that it says; what is missing there may stand in the user information.
        let mut claims = payload(&token.to_string())?;
        let wanted = [to.role_claim.as_deref(), to.github_claim.as_deref(), Some("preferred_username"), Some("email")];
        if wanted.into_iter().flatten().any(|name| claim(&claims, name).is_none())
            && let Some(url) = known.metadata.userinfo_endpoint()
        {
            let more = user_information(&http, url.url(), answer.access_token().secret()).await?;
            merge(&mut claims, more, &subject)?;
        }
        Ok(Identity { issuer, subject, claims })
    }

    /// What the provider is; asked anew when that is old, or when `doubted` did not hold.
    async fn known(&self, app: &AppState, to: &SignIn, doubted: Option<&Known>) -> Result<Known, ProviderError> {
        let now_ms = app.clock().now_ms();
        // Held while asking, so that one question answers all who wait.
        let mut known = self.known.lock().await;
        if let Some(known) = known.as_ref() {
            let age_ms = now_ms - known.at_ms;
            let doubted = doubted.is_some_and(|d| d.at_ms == known.at_ms) && age_ms >= ASKED_AGAIN_MS;
            if age_ms < KNOWN_MS && !doubted {
                return Ok(known.clone());
            }
        }
        let metadata = discover(app, to).await?;
        let found = Known { metadata: Arc::new(metadata), at_ms: now_ms };
        *known = Some(found.clone());
        Ok(found)
    }
}

/// Asks the provider what it is.
async fn discover(app: &AppState, to: &SignIn) -> Result<Metadata, ProviderError> {
    let error = |reason: String| ProviderError::Discovery { issuer: to.issuer.clone(), reason };
    let door = Door::new(&app.outbound, to);
    // A bare host may stand with or without a slash in the provider's own name, which is compared exactly.
    let given = to.issuer.as_str();
    let bare = Some(given.trim_end_matches('/')).filter(|_| to.issuer.path() == "/");
    let mut failed = None;
    for name in bare.into_iter().chain([given]) {
        let issuer = IssuerUrl::new(name.to_owned()).map_err(|e| error(text(&e)))?;
        match Metadata::discover_async(issuer, &door).await {
            Ok(metadata) => return Ok(metadata),
            Err(found @ openidconnect::DiscoveryError::Validation(_)) => failed = Some(found),
            Err(found) => return Err(error(text(&found))),
        }
    }
    Err(error(failed.map_or_else(String::new, |found| text(&found))))
}

fn client(known: &Known, to: &SignIn, redirect: &str) -> Result<Client, ProviderError> {
    let secret = to.client_secret.as_ref().map(|s| ClientSecret::new(s.as_str().to_owned()));
    let metadata = (*known.metadata).clone();
    let by_post = metadata.token_endpoint_auth_methods_supported().is_some_and(|methods| {
        methods.contains(&CoreClientAuthMethod::ClientSecretPost)
            && !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)
    });
    let redirect = RedirectUrl::new(redirect.to_owned()).map_err(|e| ProviderError::Code { reason: text(&e) })?;
    let client = CoreClient::from_provider_metadata(metadata, ClientId::new(to.client_id.clone()), secret);
    let client = if by_post { client.set_auth_type(AuthType::RequestBody) } else { client };
    Ok(client.set_redirect_uri(redirect))
}

/// What the provider says of a person beside the ID token. Spec: OpenID Connect Core 1.0 §5.3.
async fn user_information(door: &Door<'_>, url: &Url, token: &str) -> Result<Value, ProviderError> {
    let request = http_request(url, token)?;
    let answer: HttpResponse = door.call(request).await?;
    if !answer.status().is_success() {
        return Err(identity(&format!("its user information answers {}", answer.status().as_u16())));
    }
    serde_json::from_slice(answer.body()).map_err(|_not_json| identity("its user information is not JSON"))
}

fn http_request(url: &Url, token: &str) -> Result<HttpRequest, ProviderError> {
    let request = openidconnect::http::Request::builder().uri(url.as_str()).header("accept", "application/json");
    let request = request.header("authorization", format!("Bearer {token}"));
    request.body(Vec::new()).map_err(|e| identity(&text(&e)))
}

/// Adds claims that the ID token does not have. Spec: OpenID Connect Core 1.0 §5.3.2 (same `sub`).
fn merge(claims: &mut Value, more: Value, subject: &str) -> Result<(), ProviderError> {
    if more.get("sub").and_then(Value::as_str) != Some(subject) {
        return Err(ProviderError::OtherPerson);
    }
    if let (Value::Object(claims), Value::Object(more)) = (claims, more) {
        for (name, value) in more {
            claims.entry(name).or_insert(value);
        }
    }
    Ok(())
}

/// The claims of a token whose signature was checked.
fn payload(token: &str) -> Result<Value, ProviderError> {
    let part = token.split('.').nth(1).ok_or_else(|| identity("it is not a signed token"))?;
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_not_base64| identity("its payload is not base64url"))?;
    serde_json::from_slice(&bytes).map_err(|_not_json| identity("its payload is not JSON"))
}

fn identity(reason: &str) -> ProviderError {
    ProviderError::Identity { reason: reason.to_owned() }
}

/// An error with its sources, in one line.
fn text(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(next) = source {
        text = format!("{text}: {next}");
        source = next.source();
    }
    text.chars().take(500).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn user_information_of_another_person_is_refused_and_never_overrides() {
        let mut claims = json!({"sub": "1", "email": "a@x"});
        assert!(matches!(merge(&mut claims, json!({"sub": "2"}), "1"), Err(ProviderError::OtherPerson)));
        assert!(matches!(merge(&mut claims, json!({}), "1"), Err(ProviderError::OtherPerson)));
        merge(&mut claims, json!({"sub": "1", "email": "evil@x", "roles": ["dev"]}), "1").unwrap();
        assert_eq!(claims, json!({"sub": "1", "email": "a@x", "roles": ["dev"]}));
    }

    #[test]
    fn a_broken_payload_is_an_error() {
        for token in ["", "a", "a.!.c", "a.bm8.c"] {
            assert!(payload(token).is_err(), "{token}");
        }
    }
}
