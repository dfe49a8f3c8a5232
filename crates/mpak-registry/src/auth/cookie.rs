//! Cookies: ours are random, for this host only, unreadable for scripts and not sent by other sites' forms.
//!
//! Over https they are `Secure` and have the `__Host-` prefix, so that no neighbouring host and no plain
//! connection can set them.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mpak_bundle::digest::Sha256;

use crate::db::DbError;
use crate::state::AppState;

/// Random bytes of a secret.
const SECRET_BYTES: usize = 32;
/// Their length as text.
const SECRET_CHARS: usize = 43;

/// A cookie of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// Who signed in.
    Session,
    /// Which browser began a sign-in.
    Browser,
}

impl Cookie {
    fn name(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Self::Session, true) => "__Host-mpak_session",
            (Self::Session, false) => "mpak_session",
            (Self::Browser, true) => "__Host-mpak_browser",
            (Self::Browser, false) => "mpak_browser",
        }
    }

    /// Its value in a request, if it has the form that we give it. Of two, the first counts.
    pub(crate) fn of(self, state: &AppState, headers: &HeaderMap) -> Option<String> {
        let name = self.name(is_secure(state));
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let mut values = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value);
        values.next().filter(|value| is_secret(value)).map(str::to_owned)
    }

    /// The header that sets it.
    pub(crate) fn set(self, state: &AppState, value: &str, seconds: i64) -> HeaderValue {
        let secure = is_secure(state);
        let text = format!(
            "{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{}",
            self.name(secure),
            if secure { "; Secure" } else { "" },
        );
        HeaderValue::from_str(&text).expect("names, numbers and base64url are a header value")
    }

    /// The header that removes it.
    pub(crate) fn clear(self, state: &AppState) -> HeaderValue {
        self.set(state, "", 0)
    }
}

/// Whether browsers reach this registry over https.
fn is_secure(state: &AppState) -> bool {
    state.config.public_url.as_ref().is_some_and(|url| url.scheme() == "https")
}

/// A new secret: 32 random bytes in base64url.
pub(crate) fn secret() -> Result<String, DbError> {
    let mut bytes = [0_u8; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(|e| DbError::Random(e.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// What a form carries to show that it was made for the browser with this cookie.
pub(crate) fn proof(value: &str) -> String {
    Sha256::of(format!("form for {value}").as_bytes()).to_string()
}

fn is_secret(text: &str) -> bool {
    text.len() == SECRET_CHARS && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_random_and_recognised() {
        let (one, two) = (secret().unwrap(), secret().unwrap());
        assert_ne!(one, two);
        assert!(is_secret(&one) && is_secret(&two));
        for bad in ["", "short", &format!("{one}x"), &one.replace(&one[..1], "\""), &format!("{}=", &one[1..])] {
            assert!(!is_secret(bad), "{bad}");
        }
    }
}
