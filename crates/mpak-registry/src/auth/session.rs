//! Sessions: who signed in with this browser, and whether a request of it was wanted.
//!
//! In: a cookie, from anybody. Out: a [`Person`]. Only the cookie's SHA-256 is stored. A session ends
//! when it is signed out, not used for a day, seven days old, or its person is disabled; each sign-in
//! makes a new one. A request that changes something by the cookie's word proves in [`wanted`] that one
//! of our pages made it: by the session's own token and by what the browser says of its origin.

use axum::http::{HeaderMap, HeaderValue, header};
use mpak_bundle::digest::Sha256;
use thiserror::Error;
use url::Url;

use super::actor::Role;
use super::cookie::{self, Cookie};
use super::link::LOCAL;
use crate::db::{Connection, Db, DbError, DbResult, sessions};
use crate::state::AppState;

const MINUTE_MS: i64 = 60 * 1_000;
/// Longest life of a session.
pub(crate) const LIFE_MS: i64 = 7 * 24 * 60 * MINUTE_MS;
/// Longest time in which it is not used.
pub(crate) const IDLE_MS: i64 = 24 * 60 * MINUTE_MS;
/// How exactly its last use is known.
const SEEN_STEP_MS: i64 = 5 * MINUTE_MS;
/// In a form, and in the header of requests without one.
pub(crate) const CSRF_FIELD: &str = "csrf";
const CSRF_HEADER: &str = "x-csrf-token";

/// Somebody who signed in, on the word of a session that is valid now.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    /// Made by [`person`] only.
    user_id: i64,
    login: String,
    role: Role,
    csrf: String,
    hash: Sha256,
}

impl Person {
    /// Key of the person.
    pub(crate) fn user_id(&self) -> i64 {
        self.user_id
    }

    /// For people to read.
    pub(crate) fn login(&self) -> &str {
        &self.login
    }

    /// What this person may do.
    pub(crate) fn role(&self) -> Role {
        self.role
    }

    /// What our forms carry for this session.
    pub(crate) fn csrf(&self) -> &str {
        &self.csrf
    }

    /// The actor of events.
    pub(crate) fn actor(&self) -> String {
        format!("user:{}", self.login)
    }
}

/// Who asks, by the session of the request's cookie. A request with `Authorization` speaks for that only.
///
/// For requests that change something, `asker` has checked [`wanted`] before any handler runs.
pub(crate) async fn person(state: &AppState, headers: &HeaderMap) -> DbResult<Option<Person>> {
    if headers.contains_key(header::AUTHORIZATION) {
        return Ok(None);
    }
    let Some(value) = Cookie::Session.of(state, headers) else { return Ok(None) };
    let (hash, now_ms) = (Sha256::of(value.as_bytes()), state.clock().now_ms());
    let Some(row) = sessions::find(&mut *state.db.read().await?, &hash).await? else { return Ok(None) };
    if row.expires_at_ms <= now_ms || row.seen_at_ms + IDLE_MS <= now_ms {
        return Ok(None);
    }
    if row.seen_at_ms + SEEN_STEP_MS <= now_ms {
        let mut tx = state.db.update().await?;
        sessions::seen(&mut tx, &hash, now_ms).await?;
        tx.commit().await?;
    }
    // Where a provider decides who people are, the administrator of before does not.
    if state.config.sign_in.is_some() && row.issuer == LOCAL {
        return Ok(None);
    }
    let role = Role::parse(&row.role).unwrap_or(Role::Reader);
    Ok(Some(Person { user_id: row.user_id, login: row.login, role, csrf: row.csrf, hash }))
}

/// Begins a session, in place of the one that this browser had, and gives the cookie's value.
pub(crate) async fn begin(c: &mut Connection, user_id: i64, former: Option<&str>, now_ms: i64) -> DbResult<String> {
    if let Some(former) = former {
        sessions::delete(c, &Sha256::of(former.as_bytes())).await?;
    }
    let (value, csrf) = (cookie::secret()?, cookie::secret()?);
    sessions::insert(c, &Sha256::of(value.as_bytes()), user_id, &csrf, now_ms, now_ms + LIFE_MS).await?;
    Ok(value)
}

/// The header that gives a browser its session.
pub(crate) fn cookie(state: &AppState, value: &str) -> HeaderValue {
    Cookie::Session.set(state, value, LIFE_MS / 1_000)
}

/// Ends a session.
pub(crate) async fn end(db: &Db, person: &Person) -> DbResult<()> {
    let mut tx = db.update().await?;
    sessions::delete(&mut tx, &person.hash).await?;
    tx.commit().await
}

/// Why a request that would change something is not believed to be the person's wish.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum Unwanted {
    /// The browser says that another site made it.
    #[error("the request comes from another site")]
    OtherSite,
    /// The browser says nothing.
    #[error("the request does not say where it comes from")]
    NoOrigin,
    /// The form is of another session, or of none.
    #[error("the form is no longer valid: open the page again and repeat it")]
    Token,
}

/// The token that a request carries outside of a form.
pub(crate) fn header_token(headers: &HeaderMap) -> Option<String> {
    headers.get(CSRF_HEADER).and_then(|v| v.to_str().ok()).map(str::to_owned)
}

/// Checks that one of our pages made the request, for this session.
pub(crate) fn wanted(
    state: &AppState,
    headers: &HeaderMap,
    person: &Person,
    token: Option<&str>,
) -> Result<(), Unwanted> {
    same_site(state, headers)?;
    if token.is_some_and(|token| same_secret(token, &person.csrf)) { Ok(()) } else { Err(Unwanted::Token) }
}

/// Checks what the browser says of the page that made the request.
pub(crate) fn same_site(state: &AppState, headers: &HeaderMap) -> Result<(), Unwanted> {
    let text = |name: &str| headers.get(name).map(|v| v.to_str().unwrap_or("?"));
    let (site, origin) = (text("sec-fetch-site"), text("origin"));
    if site.is_some_and(|site| site != "same-origin") {
        return Err(Unwanted::OtherSite);
    }
    match (origin, site) {
        (Some(origin), _) if is_own(state, headers, origin) => Ok(()),
        (Some(_), _) => Err(Unwanted::OtherSite),
        (None, Some(_)) => Ok(()),
        (None, None) => Err(Unwanted::NoOrigin),
    }
}

/// Whether an origin is ours: the public address, or the host that the request itself was sent to.
fn is_own(state: &AppState, headers: &HeaderMap, origin: &str) -> bool {
    let Ok(origin) = Url::parse(origin) else { return false };
    match &state.config.public_url {
        Some(own) => origin.origin() == own.origin(),
        // Whether there is TLS in front of us is not known then.
        None => Url::parse(&state.base_url(headers)).is_ok_and(|own| {
            let port = |url: &Url| url.port().or_else(|| url.port_or_known_default().filter(|p| *p != 80 && *p != 443));
            own.host() == origin.host() && port(&own) == port(&origin)
        }),
    }
}

/// Compares by hashes, so that the time tells nothing.
pub(crate) fn same_secret(one: &str, other: &str) -> bool {
    Sha256::of(one.as_bytes()) == Sha256::of(other.as_bytes())
}

/// Ends all sessions of a person: after a change of role or when disabled.
pub(crate) async fn end_all(c: &mut Connection, user_id: i64) -> Result<(), DbError> {
    sessions::delete_of_user(c, user_id).await
}
