//! Sign-in by the OpenID provider: a browser goes there and comes back, and gets a session.
//!
//! Authorisation code with PKCE. What the answer is held against waits in `sign_ins` under the hash of
//! `state`, so that any replica can finish it, once. `state` is bound to the browser that began by a
//! cookie: nobody can sign somebody else's browser in. Spec: RFC 6749 §10.12, RFC 7636, RFC 9207.

use mpak_bundle::digest::Sha256;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;
use url::Url;

use super::actor::Role;
use super::cookie;
use super::provider::{Finish, Identity, ProviderError};
use super::role::claim;
use super::session;
use crate::config::SignIn;
use crate::db::{DbError, sign_ins, users};
use crate::rates::Network;
use crate::state::AppState;

/// How long a sign-in may take.
pub(crate) const MINUTES_MAX: i64 = 10;
/// Most sign-ins on their way.
const PENDING_MAX: i64 = 20_000;
/// Most of them from one network.
const PENDING_OF_NETWORK_MAX: i64 = 200;
/// Longest name of a person, in characters.
const NAME_CHARS_MAX: usize = 100;
/// Longest address to return to.
const RETURN_BYTES_MAX: usize = 600;

/// Why somebody was not signed in.
#[derive(Debug, Error)]
pub(crate) enum SignInError {
    /// There is no provider.
    #[error("this registry has no provider to sign in with")]
    NotConfigured,
    /// The provider does not know where to send the browser back to.
    #[error("sign-in needs `public_url`: the registry listens on more than this machine")]
    NoPublicUrl,
    /// Too many at a time.
    #[error("too many sign-ins are on their way")]
    TooMany,
    /// Too many of one network at a time.
    #[error("{limit} sign-ins from your network `{network}` are on their way already; try again in a few minutes")]
    TooManyOfNetwork {
        /// Which.
        network: Network,
        /// How many may.
        limit: i64,
    },
    /// Nothing waits under this `state`: it ran out, was finished, or never was.
    #[error("this sign-in ran out or was finished already")]
    Unknown,
    /// Another browser began it.
    #[error("this sign-in was begun in another browser")]
    OtherBrowser,
    /// The provider says no.
    #[error("the provider did not sign you in: {reason}")]
    Denied {
        /// In the provider's words.
        reason: String,
    },
    /// The provider or its answer does not work.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// This person may not.
    #[error("`{login}` may not sign in to this registry any more")]
    Disabled {
        /// Who.
        login: String,
    },
    /// Our fault.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What waits for the answer.
#[derive(Debug, Deserialize, Serialize)]
struct Waiting {
    /// SHA-256 of the browser's cookie.
    browser: String,
    nonce: String,
    verifier: String,
    redirect: String,
    return_to: String,
}

/// The provider's answer, by the browser: from anybody.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Answer {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

/// A session, and where the person wanted to go.
#[derive(Debug)]
pub(crate) struct Done {
    /// Value of the cookie.
    pub(crate) session: String,
    /// A path of this registry.
    pub(crate) return_to: String,
}

/// Begins a sign-in of a browser; gives the provider's address to go to.
pub(crate) async fn begin(
    state: &AppState,
    browser: &str,
    return_to: &str,
    network: &Network,
) -> Result<Url, SignInError> {
    let config = state.config.sign_in.as_ref().ok_or(SignInError::NotConfigured)?;
    let redirect = redirect(state)?;
    let secret = cookie::secret()?;
    let begun = state.provider.begin(state, config, &redirect, secret.clone()).await?;
    let waiting = Waiting {
        browser: Sha256::of(browser.as_bytes()).to_string(),
        nonce: begun.nonce,
        verifier: begun.verifier,
        redirect,
        return_to: local(return_to).unwrap_or_else(|| "/".to_owned()),
    };
    let payload = serde_json::to_string(&waiting).expect("texts serialise");
    let now_ms = state.clock().now_ms();
    let mut tx = state.db.update().await?;
    let hash = Sha256::of(secret.as_bytes());
    let (limit, waiting) = (PENDING_OF_NETWORK_MAX, (payload.as_str(), network.as_str()));
    let pending = sign_ins::insert(&mut tx, &hash, waiting, now_ms, now_ms + MINUTES_MAX * 60_000).await?;
    // Neither is written: the transaction ends here.
    if pending.of_network > limit {
        return Err(SignInError::TooManyOfNetwork { network: network.clone(), limit });
    }
    if pending.all > PENDING_MAX {
        return Err(SignInError::TooMany);
    }
    tx.commit().await?;
    Ok(begun.url)
}

/// Finishes a sign-in with the provider's answer.
pub(crate) async fn finish(
    state: &AppState,
    browser: Option<&str>,
    former: Option<&str>,
    answer: Answer,
) -> Result<Done, SignInError> {
    let config = state.config.sign_in.as_ref().ok_or(SignInError::NotConfigured)?;
    // 1. A sign-in of this browser waits for it. It is taken out whatever comes next.
    let hash = Sha256::of(answer.state.as_deref().ok_or(SignInError::Unknown)?.as_bytes());
    let mut tx = state.db.update().await?;
    let payload = sign_ins::take(&mut tx, &hash, state.clock().now_ms()).await?;
    tx.commit().await?;
    let waiting: Waiting = serde_json::from_str(&payload.ok_or(SignInError::Unknown)?)
        .map_err(|e| DbError::Corrupt { what: "sign-in", found: e.to_string() })?;
    if browser.is_none_or(|value| Sha256::of(value.as_bytes()).to_string() != waiting.browser) {
        return Err(SignInError::OtherBrowser);
    }
    // 2. The provider that was asked answers, and says yes.
    state.provider.answered_by(state, config, answer.iss.as_deref()).await?;
    if let Some(reason) = answer.error {
        return Err(SignInError::Denied { reason: clean(&reason) });
    }
    let code = answer.code.ok_or_else(|| SignInError::Denied { reason: "it gave no code".to_owned() })?;
    // 3. Who it is.
    let Waiting { nonce, verifier, redirect, return_to, .. } = &waiting;
    let with = Finish { code: &code, nonce, verifier, redirect };
    let identity = state.provider.finish(state, config, with).await?;
    // 4. A session, in place of the one before.
    let session = admit(state, config, &identity, former).await?;
    Ok(Done { session, return_to: return_to.clone() })
}

async fn admit(
    state: &AppState,
    config: &SignIn,
    identity: &Identity,
    former: Option<&str>,
) -> Result<String, SignInError> {
    let named = Named::of(config, identity);
    let who = users::SignedIn {
        issuer: &identity.issuer,
        subject: &identity.subject,
        login: &named.login,
        email: named.email.as_deref(),
        github_login: named.github_login.as_deref(),
        role: Role::of_claims(config, &identity.claims).as_str(),
        role_decided: config.role_claim.is_some(),
    };
    let now_ms = state.clock().now_ms();
    let mut tx = state.db.update().await?;
    let user = users::upsert(&mut tx, who, now_ms).await?;
    if user.disabled_at_ms.is_some() {
        return Err(SignInError::Disabled { login: named.login });
    }
    let session = session::begin(&mut tx, user.id, former, now_ms).await?;
    tx.commit().await?;
    Ok(session)
}

/// What people are called, for people to read.
struct Named {
    login: String,
    email: Option<String>,
    github_login: Option<String>,
}

impl Named {
    fn of(config: &SignIn, identity: &Identity) -> Self {
        let text = |name: &str| {
            let value = claim(&identity.claims, name).and_then(Value::as_str).map(clean);
            value.filter(|text| !text.is_empty())
        };
        let login = ["preferred_username", "email", "nickname", "name"].into_iter().find_map(text);
        Self {
            login: login.unwrap_or_else(|| clean(&identity.subject)),
            email: text("email"),
            github_login: config.github_claim.as_deref().and_then(text),
        }
    }
}

/// Where the provider sends browsers back to.
fn redirect(state: &AppState) -> Result<String, SignInError> {
    let base = match &state.config.public_url {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        None if state.config.listen.ip().is_loopback() => format!("http://{}", state.config.listen),
        None => return Err(SignInError::NoPublicUrl),
    };
    Ok(format!("{base}/auth/callback"))
}

/// Text of others for people to read: no line breaks, nothing invisible to databases, bounded.
fn clean(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect();
    text.trim().to_owned()
}

/// A path of this registry with its query, if that is what a text is: never another host's address.
pub(crate) fn local(text: &str) -> Option<String> {
    let here = Url::parse("http://here.invalid").expect("a constant address");
    let plain = text.len() <= RETURN_BYTES_MAX
        && text.starts_with('/')
        && !text.starts_with("//")
        && !text.contains('\\')
        && !text.chars().any(char::is_control);
    let url = here.join(text).ok().filter(|url| plain && url.origin() == here.origin())?;
    let path = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    // `/.//host` becomes `//host`.
    (!path.starts_with("//")).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_registry_are_returned_to() {
        for (text, expect) in [
            ("/", Some("/")),
            ("/account", Some("/account")),
            ("/device?user_code=ABCD-EFGH", Some("/device?user_code=ABCD-EFGH")),
            ("/search?q=http://x/#top", Some("/search?q=http://x/")),
            ("/a b", Some("/a%20b")),
            ("", None),
            ("account", None),
            ("//evil.example", None),
            ("/\\evil.example", None),
            ("\\\\evil.example", None),
            ("/.//evil.example", None),
            ("/a/..//evil.example", None),
            ("https://evil.example/", None),
            ("javascript:alert(1)", None),
            ("/\t/evil.example", None),
            ("/\n/evil.example", None),
            (" //evil.example", None),
        ] {
            assert_eq!(local(text).as_deref(), expect, "{text:?}");
        }
        assert_eq!(local(&format!("/{}", "a".repeat(700))), None);
    }

    #[test]
    fn names_of_people_are_short_and_plain() {
        assert_eq!(clean(" a\0\n\u{1b}[31mb "), "a[31mb");
        assert_eq!(clean(&"x".repeat(1_000)).len(), 100);
    }
}
