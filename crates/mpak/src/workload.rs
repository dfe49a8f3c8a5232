//! Identities of workloads: the signed token that a CI system gives a job instead of a secret.
//!
//! In: what the environment offers. Out: a [`Token`] for one registry. Tokens are never printed, and go
//! to the registry that they are for only: the audience is the address that the user configured, never
//! what a registry says of itself, so that no registry gets a token that is good at another one.
//! Spec: GitHub Actions and GitLab CI documentation of OpenID Connect; RFC 7519.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use crate::error::{CommandError, Kind};
use crate::settings::{ActionsIdentity, Settings};

/// Longest answer of the issuer.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Longest wait for it.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A token for one registry.
pub struct Token {
    /// Never shown.
    secret: String,
    /// Where it comes from, for people.
    pub source: &'static str,
}

impl Token {
    /// The token, for the request's header.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// What it says, not verified: for people.
    pub fn claims(&self) -> Option<Map<String, Value>> {
        let payload = self.secret.split('.').nth(1)?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    }
}

/// Whether the environment offers an identity.
pub fn is_offered(settings: &Settings) -> bool {
    settings.id_token.is_some() || settings.actions_identity.is_some()
}

/// A token for a registry, if the environment offers one.
///
/// # Errors
/// The CI system offers one and does not give it.
pub fn token(settings: &Settings, audience: &str) -> Result<Option<Token>, CommandError> {
    // 1. GitLab and others put it into the environment.
    if let Some(secret) = &settings.id_token {
        return Ok(Some(Token { secret: secret.trim().to_owned(), source: "MPAK_ID_TOKEN" }));
    }
    // 2. GitHub, Forgejo and Gitea give it for the asking.
    let Some(offer) = &settings.actions_identity else { return Ok(None) };
    let secret = request(offer, audience)?;
    Ok(Some(Token { secret, source: "GitHub Actions" }))
}

#[derive(Deserialize)]
struct Answer {
    value: String,
}

fn request(offer: &ActionsIdentity, audience: &str) -> Result<String, CommandError> {
    let failed = |message: String| {
        CommandError::new(Kind::Network, message).hint("give the job `permissions: id-token: write`, or set MPAK_TOKEN")
    };
    let wrong = |reason: &str| failed(format!("ACTIONS_ID_TOKEN_REQUEST_URL is not an address to ask: {reason}"));
    let mut url = Url::parse(&offer.url).map_err(|_not_a_url| wrong("it is not a URL"))?;
    let loopback = crate::client::is_loopback(&url);
    if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
        return Err(wrong("expected https"));
    }
    url.query_pairs_mut().append_pair("audience", audience);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| CommandError::from_error(Kind::Ours, &e))?;
    runtime.block_on(async {
        let mut client = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none());
        if loopback {
            client = client.no_proxy();
        }
        let broken = |e: reqwest::Error| {
            CommandError::from_error(Kind::Network, &e.without_url()).hint("try again: the CI system did not answer")
        };
        let client = client.build().map_err(broken)?;
        let mut response = client.get(url).bearer_auth(&offer.token).send().await.map_err(broken)?;
        if !response.status().is_success() {
            return Err(failed(format!(
                "the CI system gives no identity token: status {}",
                response.status().as_u16()
            )));
        }
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(broken)? {
            bytes.extend_from_slice(&piece);
            if bytes.len() > ANSWER_BYTES_MAX {
                return Err(failed("the CI system's answer is too long".to_owned()));
            }
        }
        let answer: Answer = serde_json::from_slice(&bytes)
            .map_err(|_no_token| failed("the CI system's answer holds no identity token".to_owned()))?;
        Ok(answer.value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_read_and_nonsense_is_not() {
        let of = |secret: &str| Token { secret: secret.to_owned(), source: "test" }.claims();
        let claims = of(&format!("x.{}.y", URL_SAFE_NO_PAD.encode(r#"{"aud":"a"}"#))).unwrap();
        assert_eq!(claims["aud"], "a");
        for nonsense in ["", "x", "x.y.z", "x..z"] {
            assert_eq!(of(nonsense), None, "{nonsense}");
        }
    }
}
