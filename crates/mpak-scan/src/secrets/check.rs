//! Checks beyond a shape: check digits, structures that must parse, passwords that are worth something.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde_json::Value;

use super::named::{self, Kept, Promise};
use super::words::randomness;
use super::{masked, placeholder};

pub(super) mod base58;
mod connection;
mod pem;

/// The two alphabets, padded or not.
const LOOSE: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LOOSE);
pub(crate) const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LOOSE);

/// A check that a rule names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// The last six characters are the CRC-32 of the ones before them, in base 62. Source: the formats of
    /// GitHub's and npm's tokens.
    Crc32Base62,
    /// A private key in a PEM block.
    Pem,
    /// A URL with user and password.
    ConnectionString,
    /// Three parts of a JSON Web Token, the first two JSON.
    Jwt,
    /// A JSON Web Token with the role that overrides all row policies.
    JwtServiceRole,
    /// The first part is a number in base 64.
    DiscordToken,
    /// A macaroon that names its location.
    PypiMacaroon,
    /// Random characters and not words.
    Random,
    /// A token of a header: as [`Check::Random`], but a JSON Web Token is judged as one.
    Bearer,
    /// What is assigned to a key's name.
    Key,
    /// A private key in DER, in base 64.
    Der,
    /// A password that somebody means.
    Password,
    /// `user:password` in base 64.
    BasicAuth,
    /// The private member of a JSON Web Key.
    JsonWebKey,
    /// Base 58 with the first four bytes of a doubled SHA-256 behind it.
    #[serde(rename = "base58-check")]
    Base58Check,
    /// A credential that everybody knows: a placeholder that is shown.
    Documented,
    /// The words from which the keys of a wallet are made.
    Mnemonic,
}

/// What a check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The rule's confidence holds.
    Keep,
    /// It may be one: low confidence.
    Lower,
    /// It is none.
    Drop,
}

impl Outcome {
    fn keep_if(holds: bool) -> Self {
        if holds { Self::Keep } else { Self::Drop }
    }
}

impl Check {
    /// Whether the check tells placeholders itself.
    pub(super) fn knows_placeholders(self) -> bool {
        matches!(
            self,
            Self::Pem | Self::Der | Self::ConnectionString | Self::BasicAuth | Self::Documented | Self::Mnemonic
        )
    }

    pub(super) fn judge(self, whole: &[u8], secret: &[u8]) -> Outcome {
        match self {
            // Where the digits are wrong it may be a token that was cut or mangled.
            Self::Crc32Base62 => {
                if crc32_base62(secret) {
                    Outcome::Keep
                } else {
                    Outcome::Lower
                }
            }
            Self::Pem => pem::judge(whole, secret),
            Self::ConnectionString => connection::judge(whole, secret),
            Self::Jwt => {
                Outcome::keep_if(jwt(secret).is_some_and(|payload| claims(&payload) && !is_documentation(&payload)))
            }
            Self::JwtServiceRole => {
                Outcome::keep_if(jwt(secret).is_some_and(|payload| payload.get("role") == Some(&"service_role".into())))
            }
            Self::DiscordToken => Outcome::keep_if(discord(secret)),
            Self::PypiMacaroon => Outcome::keep_if(macaroon(secret)),
            Self::Bearer if secret.starts_with(b"eyJ") => web_token(secret),
            Self::Bearer if names_other_scheme(whole) => Outcome::Drop,
            Self::Bearer | Self::Key => kept(Promise::Key, secret),
            Self::Random => Outcome::keep_if(is_random(secret)),
            Self::Der => Outcome::keep_if(pem::is_bare_key(secret)),
            Self::Password => password(secret),
            Self::BasicAuth => basic(secret),
            Self::JsonWebKey => Outcome::keep_if(is_private_member(whole) && is_random(secret)),
            Self::Base58Check => Outcome::keep_if(base58::is_checked(secret)),
            Self::Documented => Outcome::Keep,
            Self::Mnemonic => Outcome::keep_if(is_mnemonic(secret)),
        }
    }

    /// What may be shown.
    pub(super) fn masked(self, whole: &[u8], secret: &[u8]) -> String {
        match self {
            Self::ConnectionString => connection::masked(whole, secret),
            Self::Pem => pem::label(whole),
            _ => masked(secret),
        }
    }
}

/// Words that nobody would say in this order: nearly all of them once, and none that joins others to a sentence.
fn is_mnemonic(phrase: &[u8]) -> bool {
    // None of them is in the list of words.
    const JOINING: [&[u8]; 24] = [
        b"the", b"and", b"for", b"your", b"are", b"was", b"has", b"have", b"from", b"which", b"when", b"not", b"our",
        b"its", b"must", b"should", b"words", b"twelve", b"written", b"here", b"user", b"into", b"but", b"their",
    ];
    let words: Vec<&[u8]> = phrase.split(|b| *b == b' ').collect();
    let distinct: std::collections::HashSet<&[u8]> = words.iter().copied().collect();
    distinct.len() * 4 >= words.len() * 3 && !words.iter().any(|word| JOINING.contains(word))
}

/// `…` + six check digits. The digits cover what follows the prefix.
fn crc32_base62(token: &[u8]) -> bool {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let body = token.iter().position(|b| *b == b'_').map_or(token, |at| &token[at + 1..]);
    let Some((payload, check)) = body.len().checked_sub(6).map(|at| body.split_at(at)) else { return false };
    let mut rest = crc32fast::hash(payload);
    let mut expected = [b'0'; 6];
    for digit in expected.iter_mut().rev() {
        *digit = DIGITS[(rest % 62) as usize];
        rest /= 62;
    }
    check == expected
}

/// The payload of a token whose first two parts are JSON objects, the first with `alg`.
fn jwt(token: &[u8]) -> Option<Value> {
    let mut parts = token.split(|b| *b == b'.');
    let mut object = || -> Option<Value> {
        let json: Value = serde_json::from_slice(&BASE64_URL.decode(parts.next()?).ok()?).ok()?;
        json.is_object().then_some(json)
    };
    let (header, payload) = (object()?, object()?);
    header.get("alg").is_some().then_some(payload)
}

/// A token of a session is over when somebody finds it; one that lasts is a key.
fn web_token(token: &[u8]) -> Outcome {
    let Some(payload) = jwt(token) else { return Outcome::Drop };
    if is_documentation(&payload) || is_for_everybody(&payload) {
        return Outcome::Drop;
    }
    if claims(&payload) && lasts(&payload) { Outcome::Keep } else { Outcome::Lower }
}

/// Whether a token is good for a week at least, and was not over before these rules were written.
fn lasts(payload: &Value) -> bool {
    const WEEK_S: f64 = 7.0 * 24.0 * 3_600.0;
    /// The first second of 2025.
    const WRITTEN_S: f64 = 1_735_689_600.0;
    let at = |claim: &str| payload.get(claim).and_then(Value::as_f64);
    match (at("exp"), at("iat").or_else(|| at("nbf"))) {
        (None, _) => true,
        (Some(end), Some(start)) => end >= WRITTEN_S && end - start >= WEEK_S,
        (Some(end), None) => end >= WRITTEN_S,
    }
}

/// The role of those who are not signed in: such a token is made to be public.
fn is_for_everybody(payload: &Value) -> bool {
    payload.get("role") == Some(&"anon".into())
}

/// Whether a token claims anything that a service would act on. Source: RFC 7519 §4.1.
fn claims(payload: &Value) -> bool {
    ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"].iter().any(|claim| payload.get(claim).is_some())
}

/// The token that every introduction shows: its subject is counted digits.
fn is_documentation(payload: &Value) -> bool {
    let subject = payload.get("sub").and_then(Value::as_str);
    subject.is_some_and(|subject| placeholder::is_placeholder(subject.as_bytes()))
}

fn discord(token: &[u8]) -> bool {
    let first = token.split(|b| *b == b'.').next().unwrap_or_default();
    BASE64_URL.decode(first).is_ok_and(|id| (17..=20).contains(&id.len()) && id.iter().all(u8::is_ascii_digit))
}

/// Version 2, field 1 (location), and a location that reads as a host.
fn macaroon(token: &[u8]) -> bool {
    let Some(body) = token.strip_prefix(b"pypi-") else { return false };
    // Whole groups only: the rest of the token is not needed.
    let head = &body[..body.len().min(64) / 4 * 4];
    let Ok(bytes) = BASE64_URL.decode(head) else { return false };
    let location = match bytes.as_slice() {
        [2, 1, length, rest @ ..] => rest.get(..usize::from(*length)),
        _ => None,
    };
    location.is_some_and(|host| host.contains(&b'.') && host.iter().all(|b| b.is_ascii_lowercase() || *b == b'.'))
}

/// Random characters at least half of it, whatever words stand among them.
pub(super) fn is_random(secret: &[u8]) -> bool {
    let measured = randomness(secret);
    measured.random * 2 >= measured.total && measured.random >= 10
}

fn password(secret: &[u8]) -> Outcome {
    kept(Promise::Password, secret)
}

/// Schemes whose parameters are no token, or are judged by their own rule.
fn names_other_scheme(whole: &[u8]) -> bool {
    const SCHEMES: [&[u8]; 7] =
        [b"basic ", b"digest ", b"negotiate ", b"ntlm ", b"hawk ", b"signature ", b"aws4-hmac-"];
    let lower = whole[..whole.len().min(80)].to_ascii_lowercase();
    SCHEMES.iter().any(|scheme| memchr::memmem::find(&lower, scheme).is_some())
}

fn kept(promise: Promise, secret: &[u8]) -> Outcome {
    match named::kept(promise, b"", secret) {
        Some(Kept::Surely) => Outcome::Keep,
        // A UUID is a token where a token must stand.
        Some(Kept::Perhaps) if promise == Promise::Key && named::is_uuid(secret) => Outcome::Keep,
        Some(Kept::Perhaps) => Outcome::Lower,
        None => Outcome::Drop,
    }
}

/// The password of `user:password`.
fn basic(secret: &[u8]) -> Outcome {
    let Ok(pair) = BASE64.decode(secret) else { return Outcome::Drop };
    let readable = pair.iter().all(|b| b.is_ascii_graphic() || *b == b' ');
    match pair.iter().position(|b| *b == b':') {
        Some(at) if readable && at > 0 => password(&pair[at + 1..]),
        _ => Outcome::Drop,
    }
}

/// `d` of a key pair, or `k` of a key that both sides share.
fn is_private_member(whole: &[u8]) -> bool {
    let colon = whole.iter().rposition(|b| *b == b':').unwrap_or(0);
    let before = whole[..colon].trim_ascii_end();
    let name = before.strip_suffix(b"\"").or_else(|| before.strip_suffix(b"'")).unwrap_or(before);
    let shared = whole.windows(4).any(|w| w == b"\"oct" || w == b"'oct");
    name.ends_with(b"d") || (shared && name.ends_with(b"k"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(payload: &str) -> String {
        let part = |text: &str| BASE64_URL.encode(text).trim_end_matches('=').to_owned();
        format!("{}.{}.{}", part(r#"{"alg":"HS256"}"#), part(payload), part("a signature of 32 bytes or so ..."))
    }

    #[test]
    fn tokens_that_last_are_keys() {
        for (payload, expected) in [
            (r#"{"sub":"ines","exp":2086161243,"iat":1770801243}"#, Outcome::Keep),
            (r#"{"sub":"ines","iat":1770801243}"#, Outcome::Keep),
            (r#"{"sub":"ines","exp":1770804843,"iat":1770801243}"#, Outcome::Lower),
            (r#"{"iss":"joe","exp":1300819380}"#, Outcome::Lower),
            (r#"{"some":"payload"}"#, Outcome::Lower),
            (r#"{"iss":"supabase","role":"anon","exp":2086161243}"#, Outcome::Drop),
            (r#"{"sub":"1234567890","name":"John Doe","iat":1516239022}"#, Outcome::Drop),
            ("no json", Outcome::Drop),
        ] {
            assert_eq!(web_token(token(payload).as_bytes()), expected, "{payload}");
        }
    }

    #[test]
    fn identifiers_are_not_random() {
        for text in
            ["WebStandardStreamableHTTPServerTransport", "ACCESS_TOKEN_EXPIRED_ERROR_42", "client_secret_basic_auth_01"]
        {
            assert!(!is_random(text.as_bytes()), "{text}");
        }
        for text in ["q8Zr2Xv0TbN5wLc7Yk3MhD", "f3a9c07be15d8264a0c19e7b"] {
            assert!(is_random(text.as_bytes()), "{text}");
        }
    }
}
