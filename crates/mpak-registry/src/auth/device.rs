//! The device flow: `mpak login` asks, a person who signed in with a browser decides. Spec: RFC 8628.
//!
//! A machine gets a device code, which only it knows, and a user code, which its person types or reads
//! here. Nothing is approved by opening a page. An approved grant is worth one token.

use mpak_bundle::digest::Sha256;
use thiserror::Error;

use super::actor::Role;
use super::cookie;
use super::session::Person;
use super::token;
use crate::db::{DbError, DbResult, device_grants, users};
use crate::rates::Network;
use crate::state::AppState;

/// How long a person has to decide.
pub(crate) const LIFE_SECONDS: i64 = 10 * 60;
/// Shortest time between two questions of a machine.
pub(crate) const INTERVAL_SECONDS: i64 = 2;
/// Most grants that wait.
const PENDING_MAX: i64 = 20_000;
/// Most of them that one network asked for.
const PENDING_OF_NETWORK_MAX: i64 = 200;
/// Letters of user codes: no vowels, so no words; none that looks like another. Spec: RFC 8628 §6.1.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Letters in a user code.
const LETTERS_COUNT: usize = 8;
/// Longest name of a machine, in characters.
const MACHINE_CHARS_MAX: usize = 60;

/// Why a machine gets no token (yet). Spec: RFC 8628 §3.5.
#[derive(Debug, Error)]
pub(crate) enum DeviceError {
    /// Nobody decided yet.
    #[error("nobody decided yet")]
    Pending,
    /// It asks too often.
    #[error("asked again too soon")]
    SlowDown,
    /// The person said no.
    #[error("the person said no")]
    Denied,
    /// Nobody decided in time.
    #[error("the code ran out")]
    Expired,
    /// There is no such code, or its token was fetched.
    #[error("the code is not known, or was used")]
    Unknown,
    /// Too many wait.
    #[error("too many machines wait")]
    TooMany,
    /// Too many of one network wait.
    #[error("{limit} machines of your network `{network}` wait already; try again in a few minutes")]
    TooManyOfNetwork {
        /// Which.
        network: Network,
        /// How many may.
        limit: i64,
    },
    /// Our fault.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl DeviceError {
    /// The word of the RFC.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Pending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::Denied => "access_denied",
            Self::Expired => "expired_token",
            Self::Unknown => "invalid_grant",
            Self::TooMany | Self::TooManyOfNetwork { .. } => "temporarily_unavailable",
            Self::Db(_) => "server_error",
        }
    }
}

/// What a machine gets to begin with.
#[derive(Debug)]
pub(crate) struct Codes {
    /// For the machine only.
    pub(crate) device: String,
    /// For the person.
    pub(crate) user: String,
}

/// A token for a machine.
#[derive(Debug)]
pub(crate) struct Granted {
    /// The secret.
    pub(crate) token: String,
    /// Whose.
    pub(crate) login: String,
    /// What the person may do.
    pub(crate) role: Role,
    /// Until when.
    pub(crate) expires_at_ms: i64,
}

/// Begins a grant for a machine.
pub(crate) async fn begin(state: &AppState, machine: &str, network: &Network) -> Result<Codes, DeviceError> {
    let codes = Codes { device: cookie::secret()?, user: user_code()? };
    let now_ms = state.clock().now_ms();
    let hash = Sha256::of(codes.device.as_bytes());
    let mut tx = state.db.update().await?;
    let expires_at_ms = now_ms + LIFE_SECONDS * 1_000;
    let (machine, limit) = (named(machine), PENDING_OF_NETWORK_MAX);
    let asked = (machine.as_str(), network.as_str());
    let waiting = device_grants::insert(&mut tx, &hash, &codes.user, asked, now_ms, expires_at_ms).await?;
    // Neither is written: the transaction ends here.
    if waiting.of_network > limit {
        return Err(DeviceError::TooManyOfNetwork { network: network.clone(), limit });
    }
    if waiting.all > PENDING_MAX {
        return Err(DeviceError::TooMany);
    }
    tx.commit().await?;
    Ok(codes)
}

/// The machine that waits under a user code, as it calls itself.
pub(crate) async fn waiting(state: &AppState, user_code: &str) -> DbResult<Option<String>> {
    let Some(code) = normal(user_code) else { return Ok(None) };
    let mut c = state.db.read().await?;
    Ok(device_grants::pending(&mut c, &code, state.clock().now_ms()).await?.map(|grant| grant.client))
}

/// What a person decides about a user code; `false` when nothing waits under it any more.
pub(crate) async fn decide(state: &AppState, person: &Person, user_code: &str, approved: bool) -> DbResult<bool> {
    let Some(code) = normal(user_code) else { return Ok(false) };
    let mut tx = state.db.update().await?;
    let decided = device_grants::decide(&mut tx, &code, person.user_id(), approved, state.clock().now_ms()).await?;
    tx.commit().await?;
    Ok(decided)
}

/// The token of a machine whose person said yes; once.
pub(crate) async fn grant(state: &AppState, device_code: &str) -> Result<Granted, DeviceError> {
    let (hash, now_ms) = (Sha256::of(device_code.as_bytes()), state.clock().now_ms());
    // 1. How it stands.
    let found = device_grants::find(&mut *state.db.read().await?, &hash).await?.ok_or(DeviceError::Unknown)?;
    if found.expires_at_ms <= now_ms {
        return Err(DeviceError::Expired);
    }
    let user_id = match (found.state.as_str(), found.user_id) {
        ("approved", Some(user_id)) => user_id,
        ("pending", _) => {
            let mut tx = state.db.update().await?;
            device_grants::polled(&mut tx, &hash, now_ms).await?;
            tx.commit().await?;
            let soon = found.polled_at_ms + INTERVAL_SECONDS * 1_000 > now_ms;
            return Err(if soon { DeviceError::SlowDown } else { DeviceError::Pending });
        }
        ("denied", _) => return Err(DeviceError::Denied),
        _ => return Err(DeviceError::Unknown),
    };
    // 2. Used up, and the token made, together.
    let mut tx = state.db.write().await?;
    if !device_grants::take(&mut tx, &hash).await? {
        return Err(DeviceError::Unknown);
    }
    let user = users::find(&mut tx, user_id).await?.filter(|user| user.disabled_at_ms.is_none());
    let user = user.ok_or(DeviceError::Denied)?;
    let role = Role::parse(&user.role).unwrap_or(Role::Reader);
    let text = token::random()?;
    let name = format!("mpak login on {}", found.client);
    let new = token::New {
        name: &name,
        actions: role.actions(),
        packages: &["*".to_owned()],
        days: token::DAYS_MAX,
        user_id: Some(user_id),
    };
    let stored = token::store_in(&mut tx, &text, new, &format!("user:{}", user.login), now_ms).await?;
    tx.commit().await?;
    Ok(Granted { token: text, login: user.login, role, expires_at_ms: stored.expires_at_ms })
}

fn user_code() -> DbResult<String> {
    let mut code = String::with_capacity(LETTERS_COUNT + 1);
    while code.len() < LETTERS_COUNT {
        let mut byte = [0_u8; 1];
        getrandom::fill(&mut byte).map_err(|e| DbError::Random(e.to_string()))?;
        // 240 = 12 × 20: each letter is as likely.
        if byte[0] < 240 {
            code.push(char::from(LETTERS[usize::from(byte[0]) % LETTERS.len()]));
        }
    }
    code.insert(LETTERS_COUNT / 2, '-');
    Ok(code)
}

/// A user code as people type it: any case, with or without its hyphen or spaces.
fn normal(text: &str) -> Option<String> {
    let letters: String =
        text.chars().filter(|c| !matches!(c, '-' | ' ' | '\u{2010}' | '\u{2013}')).take(LETTERS_COUNT + 1).collect();
    let letters = letters.to_ascii_uppercase();
    let whole = letters.len() == LETTERS_COUNT && letters.bytes().all(|b| LETTERS.contains(&b));
    whole.then(|| format!("{}-{}", &letters[..LETTERS_COUNT / 2], &letters[LETTERS_COUNT / 2..]))
}

/// What a machine calls itself, as far as it can be shown.
fn named(machine: &str) -> String {
    let name: String = machine.chars().filter(|c| !c.is_control()).take(MACHINE_CHARS_MAX).collect();
    let name = name.trim();
    if name.is_empty() { "an unnamed machine".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_codes_are_typed_in_many_ways() {
        for text in ["BCDF-GHJK", "bcdfghjk", " bcdf ghjk ", "BcDf\u{2013}GhJk"] {
            assert_eq!(normal(text).as_deref(), Some("BCDF-GHJK"), "{text}");
        }
        for text in ["", "BCDF-GHJ", "BCDF-GHJKL", "ACDF-GHJK", "BCDF-GHJ0", "' OR 1=1"] {
            assert_eq!(normal(text), None, "{text}");
        }
        let code = user_code().unwrap();
        assert_eq!(normal(&code).as_deref(), Some(code.as_str()));
        assert_ne!(code, user_code().unwrap());
    }

    #[test]
    fn names_of_machines_are_bounded() {
        assert_eq!(named("desk\n\u{1b}"), "desk");
        assert_eq!(named(" \0 "), "an unnamed machine");
        assert_eq!(named(&"x".repeat(500)).len(), 60);
    }
}
