//! The public keys of an issuer: found by discovery, cached, fetched again when a key is unknown.
//!
//! In: documents of an issuer that the operator trusts to name its keys, and nothing else. Fetches are
//! bounded in size and time, one at a time and shared by all who wait for it, and unknown key names cause at
//! most one of them per [`FORCED_EVERY_MS`], so that made-up tokens cannot turn the registry against the
//! issuer. Whoever has a good key waits for no fetch.
//! Spec: RFC 7517, RFC 7518 §6, RFC 8037, OpenID Connect Discovery 1.0 §4.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;

use crate::outbound::{Bounds, Fetch, Outbound, OutboundError};

/// How long keys are believed without asking again.
const FRESH_MS: i64 = 10 * 60 * 1_000;
/// How long they are believed while the issuer does not answer.
const STALE_MS: i64 = 60 * 60 * 1_000;
/// Least time between two fetches because of unknown keys.
const FORCED_EVERY_MS: i64 = 30 * 1_000;
/// Least time between two fetches that failed.
const FAILED_EVERY_MS: i64 = 5 * 1_000;
/// The same while there are keys to go on with.
const STALE_EVERY_MS: i64 = 30 * 1_000;
/// How long a token with a known key waits for an issuer that may have taken the key back.
const PATIENCE: Duration = Duration::from_secs(2);
/// Most keys of an issuer.
const KEYS_MAX: usize = 64;
/// Shortest RSA modulus, in bytes.
const RSA_BYTES_MIN: usize = 256;
/// Longest RSA modulus, in bytes: longer ones only cost time.
const RSA_BYTES_MAX: usize = 1024;
/// Largest document.
const DOCUMENT_BYTES_MAX: u64 = 512 << 10;

/// Why there is no key.
#[derive(Debug, Error)]
pub(crate) enum KeysError {
    /// The issuer knows no such key.
    #[error("its key `{kid}` is unknown to the issuer")]
    Unknown {
        /// The key's name.
        kid: String,
    },
    /// The issuer cannot be asked.
    #[error("the keys of the issuer cannot be fetched")]
    Fetch(#[from] OutboundError),
    /// It answers with an error.
    #[error("the issuer answers {status} when asked for its keys")]
    Status {
        /// The status.
        status: StatusCode,
    },
    /// Its discovery document is of another issuer.
    #[error("the discovery document is of issuer `{found}`, not of `{expected}`")]
    Discovery {
        /// As configured.
        expected: String,
        /// As found.
        found: String,
    },
    /// The last try failed a moment ago.
    #[error("the keys of the issuer could not be fetched a moment ago")]
    Waiting,
}

/// A key that verifies signatures.
#[derive(Clone)]
pub(crate) struct Key {
    kid: String,
    decoding: DecodingKey,
    /// What the key's type and its own word allow; never what a token says.
    algorithms: &'static [Algorithm],
}

impl Key {
    /// What to verify with.
    pub(crate) fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }

    /// Algorithms that may be used with it.
    pub(crate) fn algorithms(&self) -> &'static [Algorithm] {
        self.algorithms
    }
}

#[derive(Default)]
struct Cache {
    keys: Vec<Key>,
    fetched_at_ms: Option<i64>,
    forced_at_ms: Option<i64>,
    failed_at_ms: Option<i64>,
    /// Ends when the fetch that is under way does.
    flight: Option<watch::Receiver<()>>,
}

/// What is known of a key without asking.
enum Known {
    /// It is good.
    Fresh(Key),
    /// It was good, and is while the issuer does not answer.
    Stale(Key),
    /// Nothing.
    No,
}

/// A fetch that is under way.
enum Flight {
    /// Begun by us.
    Own(JoinHandle<Result<(), KeysError>>),
    /// Begun by another token.
    Shared(watch::Receiver<()>),
}

/// The keys of one issuer.
pub(crate) struct Keys {
    issuer: String,
    jwks_url: Option<Url>,
    /// Never held while fetching: whoever has a good key waits for nobody.
    cache: Mutex<Cache>,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: Url,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl Keys {
    /// Without asking yet.
    pub(crate) fn new(issuer: &str, jwks_url: Option<Url>) -> Arc<Self> {
        Arc::new(Self { issuer: issuer.to_owned(), jwks_url, cache: Mutex::default() })
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key with a name.
    pub(crate) async fn find(
        self: &Arc<Self>,
        kid: &str,
        outbound: &Arc<Outbound>,
        now_ms: i64,
    ) -> Result<Key, KeysError> {
        let unknown = || KeysError::Unknown { kid: kid.chars().take(64).collect() };
        match self.known(kid, now_ms) {
            // 1. A good key: nobody is asked.
            Known::Fresh(key) => Ok(key),
            // 2. An old one: the issuer may have taken it back, but is not waited for when it is slow.
            Known::Stale(key) => match tokio::time::timeout(PATIENCE, self.ask(kid, outbound, now_ms, true)).await {
                Ok(Ok(())) => self.found(kid, now_ms).ok_or_else(unknown),
                Ok(Err(error)) => {
                    tracing::warn!(issuer = self.issuer, error = %error, "keys are used for longer than usual");
                    Ok(key)
                }
                Err(_elapsed) => Ok(key),
            },
            // 3. None, or one that was made since.
            Known::No => {
                self.ask(kid, outbound, now_ms, false).await?;
                self.found(kid, now_ms).ok_or_else(unknown)
            }
        }
    }

    fn known(&self, kid: &str, now_ms: i64) -> Known {
        let cache = self.cache();
        let age_ms = cache.fetched_at_ms.map(|at| now_ms - at);
        match (cache.keys.iter().find(|key| key.kid == kid), age_ms) {
            (Some(key), Some(age)) if age <= FRESH_MS => Known::Fresh(key.clone()),
            (Some(key), Some(age)) if age <= STALE_MS => Known::Stale(key.clone()),
            _ => Known::No,
        }
    }

    fn found(&self, kid: &str, now_ms: i64) -> Option<Key> {
        match self.known(kid, now_ms) {
            Known::Fresh(key) | Known::Stale(key) => Some(key),
            Known::No => None,
        }
    }

    /// Waits until the issuer was asked, by us or by another token.
    async fn ask(
        self: &Arc<Self>,
        kid: &str,
        outbound: &Arc<Outbound>,
        now_ms: i64,
        have_one: bool,
    ) -> Result<(), KeysError> {
        match self.depart(kid, outbound, now_ms, have_one)? {
            Flight::Own(fetching) => fetching.await.unwrap_or(Err(KeysError::Waiting)),
            Flight::Shared(mut landed) => {
                let _ended = landed.changed().await;
                if self.cache().failed_at_ms.is_some() { Err(KeysError::Waiting) } else { Ok(()) }
            }
        }
    }

    /// Joins the fetch that is under way, or begins one when the issuer may be asked.
    fn depart(
        self: &Arc<Self>,
        kid: &str,
        outbound: &Arc<Outbound>,
        now_ms: i64,
        have_one: bool,
    ) -> Result<Flight, KeysError> {
        let within = |at: Option<i64>, pause_ms: i64| at.is_some_and(|at| now_ms - at < pause_ms);
        let mut cache = self.cache();
        // One that ended without a word is closed.
        if let Some(landed) = cache.flight.as_ref().filter(|flight| flight.has_changed().is_ok()) {
            return Ok(Flight::Shared(landed.clone()));
        }
        // 1. Unknown names do not turn us against the issuer.
        if cache.fetched_at_ms.is_some_and(|at| now_ms - at <= FRESH_MS) {
            if cache.fetched_at_ms == Some(now_ms) || within(cache.forced_at_ms, FORCED_EVERY_MS) {
                return Err(KeysError::Unknown { kid: kid.chars().take(64).collect() });
            }
            cache.forced_at_ms = Some(now_ms);
        }
        // 2. Nor do its own failures.
        if within(cache.failed_at_ms, if have_one { STALE_EVERY_MS } else { FAILED_EVERY_MS }) {
            return Err(KeysError::Waiting);
        }
        // 3. On a task of its own: whoever asked may have gone.
        let (ends, landed) = watch::channel(());
        cache.flight = Some(landed);
        let (keys, outbound) = (Arc::clone(self), Arc::clone(outbound));
        Ok(Flight::Own(tokio::spawn(async move {
            let fetched = keys.fetch(&outbound).await;
            let fetched = keys.land(fetched, now_ms);
            drop(ends);
            fetched
        })))
    }

    /// Takes over what a fetch brought.
    fn land(&self, fetched: Result<Vec<Key>, KeysError>, now_ms: i64) -> Result<(), KeysError> {
        let mut cache = self.cache();
        cache.flight = None;
        match fetched {
            Ok(keys) => {
                (cache.keys, cache.fetched_at_ms, cache.failed_at_ms) = (keys, Some(now_ms), None);
                Ok(())
            }
            Err(error) => {
                cache.failed_at_ms = Some(now_ms);
                Err(error)
            }
        }
    }

    async fn fetch(&self, outbound: &Outbound) -> Result<Vec<Key>, KeysError> {
        let bounds = Bounds { total: Duration::from_secs(10), idle: Duration::from_secs(5), ..Bounds::DOCUMENT };
        let bounds = bounds.bytes_max(DOCUMENT_BYTES_MAX);
        let status = |status| KeysError::Status { status };
        // 1. Where they are.
        let fetch = if let Some(url) = &self.jwks_url {
            Fetch::configured(url.clone(), bounds)
        } else {
            let address = format!("{}/.well-known/openid-configuration", self.issuer);
            let address = Url::parse(&address)
                .map_err(|_not_a_url| OutboundError::Url { url: self.issuer.clone(), reason: "it is not a URL" })?;
            let found: Discovery = outbound.json(Fetch::configured(address.clone(), bounds)).await?.map_err(status)?;
            if found.issuer.trim_end_matches('/') != self.issuer {
                let found = found.issuer.chars().take(200).collect();
                return Err(KeysError::Discovery { expected: self.issuer.clone(), found });
            }
            Fetch::public(found.jwks_uri, bounds).trusting(&address)
        };
        // 2. What they are.
        let document: Document = outbound.json(fetch).await?.map_err(status)?;
        Ok(document.keys.iter().take(KEYS_MAX).filter_map(key).collect())
    }
}

/// A key that we can use; others are passed over, as RFC 7517 §5 says.
fn key(jwk: &Value) -> Option<Key> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    if text("use").is_some_and(|u| u != "sig") {
        return None;
    }
    let kid = text("kid").filter(|kid| !kid.is_empty())?.to_owned();
    let (decoding, algorithms): (_, &'static [Algorithm]) = match (text("kty")?, text("crv")) {
        ("RSA", _) => {
            let modulus = URL_SAFE_NO_PAD.decode(text("n")?).ok()?;
            let exponent = URL_SAFE_NO_PAD.decode(text("e")?).ok()?;
            if !(RSA_BYTES_MIN..=RSA_BYTES_MAX).contains(&modulus.len()) || exponent.len() > 8 {
                return None;
            }
            let key = DecodingKey::from_rsa_raw_components(&modulus, &exponent);
            (key, &[Algorithm::RS256, Algorithm::PS256])
        }
        ("EC", Some("P-256")) => (DecodingKey::from_ec_components(text("x")?, text("y")?).ok()?, &[Algorithm::ES256]),
        ("OKP", Some("Ed25519")) => (DecodingKey::from_ed_components(text("x")?).ok()?, &[Algorithm::EdDSA]),
        _ => return None,
    };
    let algorithms = match text("alg") {
        None => algorithms,
        Some(own) => {
            let at = algorithms.iter().position(|a| format!("{a:?}") == own)?;
            &algorithms[at..=at]
        }
    };
    Some(Key { kid, decoding, algorithms })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn algorithms_follow_from_the_key() {
        let n = URL_SAFE_NO_PAD.encode([0xff; 256]);
        let short = URL_SAFE_NO_PAD.encode([0xff; 128]);
        let x = URL_SAFE_NO_PAD.encode([1; 32]);
        for (jwk, expect) in [
            (json!({"kty": "RSA", "kid": "a", "n": n, "e": "AQAB"}), Some(&[Algorithm::RS256, Algorithm::PS256][..])),
            (json!({"kty": "RSA", "kid": "a", "n": n, "e": "AQAB", "alg": "RS256"}), Some(&[Algorithm::RS256][..])),
            (json!({"kty": "RSA", "kid": "a", "n": n, "e": "AQAB", "alg": "PS256"}), Some(&[Algorithm::PS256][..])),
            (json!({"kty": "RSA", "kid": "a", "n": n, "e": "AQAB", "alg": "HS256"}), None),
            (json!({"kty": "RSA", "kid": "a", "n": n, "e": "AQAB", "alg": "RS512"}), None),
            (json!({"kty": "RSA", "kid": "a", "n": n, "e": "AQAB", "use": "enc"}), None),
            (json!({"kty": "RSA", "n": n, "e": "AQAB"}), None),
            (json!({"kty": "RSA", "kid": "", "n": n, "e": "AQAB"}), None),
            (json!({"kty": "RSA", "kid": "a", "n": short, "e": "AQAB"}), None),
            (json!({"kty": "EC", "crv": "P-256", "kid": "a", "x": x, "y": x}), Some(&[Algorithm::ES256][..])),
            (json!({"kty": "EC", "crv": "P-384", "kid": "a", "x": x, "y": x}), None),
            (json!({"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": x}), Some(&[Algorithm::EdDSA][..])),
            (json!({"kty": "OKP", "crv": "Ed448", "kid": "a", "x": x}), None),
            (json!({"kty": "oct", "kid": "a", "k": x, "alg": "HS256"}), None),
            (json!("text"), None),
        ] {
            assert_eq!(key(&jwk).map(|k| k.algorithms), expect, "{jwk}");
        }
    }
}
