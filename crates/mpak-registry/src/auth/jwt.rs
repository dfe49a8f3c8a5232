//! Signed tokens of workloads, taken apart and verified before anything in them is believed.
//!
//! In: a text from anybody. Out: [`Verified`] claims of a configured issuer. Which algorithm is used
//! follows from the issuer's key; the token's own word must merely agree.
//! Spec: RFC 7515, RFC 7519, RFC 8725 (best current practices).

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};
use thiserror::Error;

use super::issuers::{Issuer, Issuers};
use super::jwks::KeysError;
use crate::outbound::Outbound;

/// Longest token.
const TOKEN_BYTES_MAX: usize = 16 << 10;
/// Longest header.
const HEADER_BYTES_MAX: usize = 2 << 10;
/// Longest name of a key.
const KID_BYTES_MAX: usize = 256;

/// Why a token is not believed.
#[derive(Debug, Error)]
pub(crate) enum JwtError {
    /// Longer than any real one.
    #[error("the token has {bytes} bytes, expected at most {limit}")]
    Length {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Not three parts of base64url with JSON objects in the first two.
    #[error("the token is malformed: {0}")]
    Form(&'static str),
    /// An algorithm that is not accepted, or not with this key.
    #[error("algorithm `{found}` is not accepted, expected {expected}")]
    Algorithm {
        /// What its key allows.
        expected: String,
        /// What it says.
        found: String,
    },
    /// An issuer that is not configured.
    #[error("issuer `{found}` is not one of those that may publish here ({expected})")]
    Issuer {
        /// Those that are.
        expected: String,
        /// What it says.
        found: String,
    },
    /// No key to verify it with.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// Signed by somebody else, or changed.
    #[error("its signature is not valid")]
    Signature,
}

/// Claims that a configured issuer made.
pub(crate) struct Verified<'i> {
    pub(crate) issuer: &'i Issuer,
    pub(crate) claims: Map<String, Value>,
}

/// Whether a bearer's text looks like a signed token rather than like one of ours.
pub(crate) fn looks_like_one(text: &str) -> bool {
    text.starts_with("eyJ") && text.bytes().filter(|b| *b == b'.').count() == 2
}

/// Verifies that a configured issuer signed a token.
pub(crate) async fn verify<'i>(
    token: &str,
    issuers: &'i Issuers,
    outbound: &Arc<Outbound>,
    now_ms: i64,
) -> Result<Verified<'i>, JwtError> {
    // 1. Its parts.
    let Parts { header, claims, message, signature } = Parts::of(token)?;
    let (algorithm, kid) = read_header(&header)?;
    // 2. Its issuer: not believed yet, only looked for.
    let iss = claims.get("iss").and_then(Value::as_str).unwrap_or_default();
    let issuer = issuers.find(iss).ok_or_else(|| JwtError::Issuer {
        expected: issuers.all().iter().map(|i| i.issuer.as_str()).collect::<Vec<_>>().join(", "),
        found: iss.chars().take(200).collect(),
    })?;
    // 3. The issuer's key and what may be done with it.
    let key = issuer.keys.find(&kid, outbound, now_ms).await?;
    if !key.algorithms().contains(&algorithm) {
        let expected = key.algorithms().iter().map(|a| format!("{a:?}")).collect::<Vec<_>>().join(" or ");
        return Err(JwtError::Algorithm { expected, found: format!("{algorithm:?}") });
    }
    // 4. The signature.
    let good = jsonwebtoken::crypto::verify(signature, message.as_bytes(), key.decoding(), algorithm);
    match good {
        Ok(true) => Ok(Verified { issuer, claims }),
        Ok(false) | Err(_) => Err(JwtError::Signature),
    }
}

#[derive(Debug)]
struct Parts<'t> {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    /// What is signed.
    message: &'t str,
    signature: &'t str,
}

impl<'t> Parts<'t> {
    fn of(token: &'t str) -> Result<Self, JwtError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(JwtError::Length { bytes: token.len(), limit: TOKEN_BYTES_MAX });
        }
        let three = JwtError::Form("expected three parts, separated by dots");
        let Some((message, signature)) = token.rsplit_once('.') else { return Err(three) };
        let Some((header, claims)) = message.split_once('.') else { return Err(three) };
        if claims.contains('.') || header.len() > HEADER_BYTES_MAX {
            return Err(JwtError::Form("expected three parts and a short header"));
        }
        Ok(Self { header: object(header)?, claims: object(claims)?, message, signature })
    }
}

/// Algorithm and key name.
fn read_header(header: &Map<String, Value>) -> Result<(Algorithm, String), JwtError> {
    if header.contains_key("crit") {
        return Err(JwtError::Form("its header has extensions"));
    }
    let found = header.get("alg").and_then(Value::as_str).unwrap_or_default();
    let algorithm = match found {
        "RS256" => Algorithm::RS256,
        "PS256" => Algorithm::PS256,
        "ES256" => Algorithm::ES256,
        "EdDSA" => Algorithm::EdDSA,
        _ => {
            let expected = "RS256, ES256, PS256 or EdDSA".to_owned();
            return Err(JwtError::Algorithm { expected, found: found.chars().take(32).collect() });
        }
    };
    match header.get("kid").and_then(Value::as_str) {
        Some(kid) if !kid.is_empty() && kid.len() <= KID_BYTES_MAX => Ok((algorithm, kid.to_owned())),
        _ => Err(JwtError::Form("its header names no key")),
    }
}

/// A base64url part that is a JSON object without repeated members.
fn object(part: &str) -> Result<Map<String, Value>, JwtError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_not_base64| JwtError::Form("a part is not base64url"))?;
    let object: Unique = serde_json::from_slice(&bytes)
        .map_err(|_not_an_object| JwtError::Form("a part is not a JSON object with distinct members"))?;
    Ok(object.0)
}

/// An object whose members have distinct names: readers differ in which of two they take.
struct Unique(Map<String, Value>);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Unique;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Unique, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("a member is there twice"));
                    }
                }
                Ok(Unique(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(text: &str) -> String {
        URL_SAFE_NO_PAD.encode(text)
    }

    #[test]
    fn what_is_no_token_is_refused_before_anything_is_asked() {
        let claims = part(r#"{"iss":"x"}"#);
        let header = part(r#"{"alg":"RS256","kid":"a"}"#);
        for (token, good) in [
            (format!("{header}.{claims}.c2ln"), true),
            (format!("{header}.{claims}"), false),
            (header.clone(), false),
            (String::new(), false),
            ("..".to_owned(), false),
            (format!("{header}.{claims}.c2ln.more"), false),
            (format!("{header}=.{claims}.c2ln"), false),
            (format!("{header}.{}.c2ln", part("[]")), false),
            (format!("{header}.{}.c2ln", part(r#"{"aud":"a","aud":"b"}"#)), false),
            (format!("{}.{claims}.c2ln", part(r#"{"alg":"none","alg":"RS256"}"#)), false),
            (format!("{}.{claims}.c2ln", part(&format!(r#"{{"alg":"RS256","x":"{}"}}"#, "y".repeat(2_000)))), false),
            (format!("{header}.{}.c2ln", "A".repeat(20_000)), false),
        ] {
            assert_eq!(Parts::of(&token).is_ok(), good, "{token:.80}");
        }
    }

    #[test]
    fn headers_name_an_accepted_algorithm_and_a_key() {
        for (header, good) in [
            (r#"{"alg":"RS256","kid":"a"}"#, true),
            (r#"{"alg":"EdDSA","kid":"a","jku":"https://evil.example/keys"}"#, true),
            (r#"{"alg":"none","kid":"a"}"#, false),
            (r#"{"alg":"None","kid":"a"}"#, false),
            (r#"{"alg":"HS256","kid":"a"}"#, false),
            (r#"{"alg":"RS512","kid":"a"}"#, false),
            (r#"{"alg":["RS256"],"kid":"a"}"#, false),
            (r#"{"kid":"a"}"#, false),
            (r#"{"alg":"RS256"}"#, false),
            (r#"{"alg":"RS256","kid":""}"#, false),
            (r#"{"alg":"RS256","kid":7}"#, false),
            (r#"{"alg":"RS256","kid":"a","crit":["b64"],"b64":false}"#, false),
        ] {
            let header: Map<String, Value> = serde_json::from_str(header).unwrap();
            assert_eq!(read_header(&header).is_ok(), good, "{header:?}");
        }
    }

    #[test]
    fn our_tokens_do_not_look_like_signed_ones() {
        assert!(looks_like_one("eyJhbGciOiJSUzI1NiJ9.e30.c2ln"));
        for other in ["mpak_abc", "mpak_a.b.c", "", "eyJhbGciOiJSUzI1NiJ9", "a.b.c"] {
            assert!(!looks_like_one(other), "{other}");
        }
    }
}
