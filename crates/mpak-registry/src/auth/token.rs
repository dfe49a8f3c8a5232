//! Tokens: `mpak_` and 32 random bytes in base64url. Shown once, kept as SHA-256, scoped and expiring.
//!
//! In: an `Authorization` header from anybody. Out: a [`Publisher`], the proof that a package may be
//! published.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mpak_bundle::digest::Sha256;
use mpak_bundle::name::PackageName;
use serde_json::{Value, json};
use thiserror::Error;

use super::actor::{Action, GRANTS, Person, Role, person};
use super::error::AuthError;
use super::identity::Identity;
use crate::db::{Connection, Db, DbError, events, tokens};

/// In front of every token, so that secret scanners find leaked ones.
const PREFIX: &str = "mpak_";
/// Longest life of a token.
pub(crate) const DAYS_MAX: u32 = 90;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// Uses within this time are noted once.
const USE_MS: i64 = 60_000;

/// The action of tokens for CI.
pub(crate) const PUBLISH: &str = "publish";
/// The action that holds all others.
pub(crate) const ADMIN: &str = "admin";

/// The pattern that covers all packages.
const EVERYTHING: &str = "*";

/// The proof that the asker may publish a package.
#[derive(Clone, Debug)]
pub(crate) struct Publisher {
    /// Made by [`publisher`] and by `workload` only.
    package: PackageName,
    by: By,
}

/// How somebody proved it.
#[derive(Clone, Debug)]
enum By {
    /// By a token of ours, perhaps a person's.
    Token {
        id: i64,
        name: String,
        person: Option<Person>,
        /// Nobody's, and for all packages: the operator's own. A narrower one was given to somebody.
        is_operators: bool,
    },
    /// By an identity that an issuer vouches for.
    Workload(Arc<Identity>),
}

impl Publisher {
    /// The package it was checked for.
    pub(crate) fn package(&self) -> &PackageName {
        &self.package
    }

    /// An identity that may publish the package.
    pub(super) fn workload(package: PackageName, identity: Arc<Identity>) -> Self {
        Self { package, by: By::Workload(identity) }
    }

    /// Key of the token, if it is by one of ours.
    pub(crate) fn token_id(&self) -> Option<i64> {
        match &self.by {
            By::Token { id, .. } => Some(*id),
            By::Workload(_) => None,
        }
    }

    /// The identity, if it is by one.
    pub(crate) fn identity(&self) -> Option<&Identity> {
        match &self.by {
            By::Token { .. } => None,
            By::Workload(identity) => Some(identity),
        }
    }

    /// How it is published, in the wire's word.
    pub(crate) fn method(&self) -> &'static str {
        match self.by {
            By::Token { .. } => "upload",
            By::Workload(_) => "oidc",
        }
    }

    /// Whether it is a token of the operator's own, who acts for the registry.
    pub(crate) fn is_operators(&self) -> bool {
        matches!(self.by, By::Token { is_operators: true, .. })
    }

    /// Whose rate counts: a person's, whatever their tokens are called and how many they have.
    pub(crate) fn owner(&self) -> String {
        match &self.by {
            By::Token { person: Some(person), .. } => format!("user {}", person.user_id),
            By::Token { id, .. } => format!("token {id}"),
            By::Workload(identity) => format!("{} {}", identity.issuer, identity.owner_id),
        }
    }

    /// The person behind it, who owns what they publish first.
    pub(crate) fn user_id(&self) -> Option<i64> {
        match &self.by {
            By::Token { person, .. } => person.as_ref().map(|person| person.user_id),
            By::Workload(_) => None,
        }
    }

    /// The actor of events.
    pub(crate) fn actor(&self) -> String {
        match &self.by {
            By::Token { person: Some(person), .. } => format!("user:{}", person.login),
            By::Token { name, .. } => format!("token:{name}"),
            By::Workload(identity) => identity.actor_name(),
        }
    }
}

/// Checks that the request's token may publish a package now.
pub(crate) async fn publisher(
    db: &Db,
    headers: &HeaderMap,
    package: &PackageName,
    now_ms: i64,
) -> Result<Publisher, AuthError> {
    let row = known(db, headers, now_ms).await?;
    let actions = list(&row.actions_json)?;
    let allowed = list(&row.packages_json)?;
    if !actions.iter().any(|a| a == PUBLISH || a == ADMIN) || !allowed.iter().any(|pattern| covers(pattern, package)) {
        return Err(AuthError::Scope { name: row.name, action: PUBLISH, package: package.to_string(), allowed });
    }
    // A person's token never allows more than its person.
    let mut whose = None;
    if let Some(user_id) = row.user_id {
        let mut c = db.read().await?;
        let person = person(&mut c, user_id).await?;
        person.may(&mut c, Action::Publish, Some(package)).await?;
        whose = Some(person);
    }
    let is_operators = whose.is_none() && allowed.iter().any(|pattern| pattern == EVERYTHING);
    let by = By::Token { id: row.id, name: row.name, person: whose, is_operators };
    Ok(Publisher { package: package.clone(), by })
}

/// The valid token that a request carries.
pub(super) async fn known(db: &Db, headers: &HeaderMap, now_ms: i64) -> Result<tokens::Token, AuthError> {
    // 1. A token, and one that we made.
    let text = bearer(headers).ok_or(AuthError::Missing)?;
    let hash = Sha256::of(text.as_bytes());
    let row = tokens::find(&mut *db.read().await?, &hash).await?.ok_or(AuthError::Unknown)?;
    // 2. Still valid.
    valid(&row, now_ms)?;
    Ok(row)
}

/// Checks that a token is neither revoked nor expired, and its person not disabled.
pub(crate) fn valid(row: &tokens::Token, now_ms: i64) -> Result<(), AuthError> {
    if row.revoked_at_ms.is_some() || row.user_disabled_at_ms.is_some() {
        return Err(AuthError::Revoked { name: row.name.clone() });
    }
    if row.expires_at_ms <= now_ms {
        let expired_at = crate::clock::rfc3339(row.expires_at_ms);
        return Err(AuthError::Expired { name: row.name.clone(), expired_at });
    }
    Ok(())
}

/// What a token is for now: of a person's token, what the person's role still allows.
pub(crate) fn actions(row: &tokens::Token) -> Result<Vec<String>, DbError> {
    let mut actions = list(&row.actions_json)?;
    if row.user_id.is_some() {
        let role = row.user_role.as_deref().and_then(Role::parse).unwrap_or(Role::Reader);
        actions.retain(|action| role.actions().contains(&action.as_str()));
    }
    Ok(actions)
}

/// The patterns of packages that a token covers.
pub(crate) fn packages(row: &tokens::Token) -> Result<Vec<String>, DbError> {
    list(&row.packages_json)
}

/// The row of the request's token, valid or not.
pub(crate) async fn sent(db: &Db, headers: &HeaderMap) -> Result<Option<tokens::Token>, DbError> {
    // Ours only: tokens of workloads are no rows.
    let Some(text) = bearer(headers).filter(|text| text.starts_with(PREFIX)) else { return Ok(None) };
    tokens::find(&mut *db.read().await?, &Sha256::of(text.as_bytes())).await
}

/// The patterns of packages that the request's token lets its holder read; nothing without a valid one.
pub(crate) async fn readable(db: &Db, headers: &HeaderMap, now_ms: i64) -> Result<Option<Vec<String>>, DbError> {
    let Some(row) = sent(db, headers).await?.filter(|row| valid(row, now_ms).is_ok()) else { return Ok(None) };
    let reads = actions(&row)?.iter().any(|action| GRANTS.contains(&action.as_str()));
    if reads {
        note_use(db, &row, now_ms);
    }
    if reads { packages(&row).map(Some) } else { Ok(None) }
}

/// Notes that a token is used, for its list; at most once a minute, and beside the request, which neither waits
/// for it nor fails with it. A publish notes it itself.
pub(super) fn note_use(db: &Db, row: &tokens::Token, now_ms: i64) {
    if row.last_used_at_ms.is_some_and(|at_ms| (at_ms..at_ms + USE_MS).contains(&now_ms)) {
        return;
    }
    let (db, id) = (db.clone(), row.id);
    tokio::spawn(async move {
        let noted = async {
            let mut tx = db.update().await?;
            tokens::used(&mut tx, id, now_ms).await?;
            tx.commit().await
        };
        if let Err(error) = noted.await {
            tracing::warn!(%error, "the use of a token was not noted");
        }
    });
}

/// The text of a request's `Authorization: Bearer …`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim()).filter(|t| !t.is_empty())
}

pub(super) fn list(json: &str) -> Result<Vec<String>, DbError> {
    serde_json::from_str(json).map_err(|_not_a_list| DbError::Corrupt { what: "list", found: json.to_owned() })
}

/// Whether a pattern (`*`, `@scope/*`, `@scope/name`) covers a package.
pub(super) fn covers(pattern: &str, package: &PackageName) -> bool {
    match pattern.strip_suffix("/*") {
        Some(scope) => scope.strip_prefix('@') == Some(package.scope()),
        None => pattern == EVERYTHING || pattern == package.as_str(),
    }
}

/// A pattern is none.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{found}` is not `*`, `@scope/*` or `@scope/name`")]
pub struct PatternError {
    /// What was given.
    pub found: String,
}

/// Checks a pattern before it is stored.
pub(crate) fn check_pattern(pattern: &str) -> Result<(), PatternError> {
    let example = pattern.strip_suffix("/*").map_or_else(|| pattern.to_owned(), |scope| format!("{scope}/x"));
    if pattern == "*" || PackageName::publishable(&example).is_ok() {
        Ok(())
    } else {
        Err(PatternError { found: pattern.to_owned() })
    }
}

/// What a new token is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct New<'a> {
    pub(crate) name: &'a str,
    /// What it may do, of [`super::actor::GRANTS`].
    pub(crate) actions: &'a [&'a str],
    /// Patterns, checked.
    pub(crate) packages: &'a [String],
    /// 1 to [`DAYS_MAX`].
    pub(crate) days: u32,
    /// Whose it is.
    pub(crate) user_id: Option<i64>,
}

/// A token that was stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored {
    pub(crate) id: i64,
    pub(crate) expires_at_ms: i64,
}

/// Stores the hash of a token that an administrator makes, with the event that tells of it.
pub(crate) async fn store(db: &Db, token: &str, new: New<'_>, now_ms: i64) -> Result<Stored, DbError> {
    let mut tx = db.write().await?;
    let stored = store_in(&mut tx, token, new, "admin", now_ms).await?;
    tx.commit().await?;
    Ok(stored)
}

/// The same, by somebody, in a transaction of [`Db::write`].
pub(crate) async fn store_in(
    c: &mut Connection,
    token: &str,
    new: New<'_>,
    actor: &str,
    now_ms: i64,
) -> Result<Stored, DbError> {
    let expires_at_ms = now_ms + i64::from(new.days) * DAY_MS;
    let row = tokens::New {
        name: new.name,
        hash: &Sha256::of(token.as_bytes()),
        actions_json: &json!(new.actions).to_string(),
        packages_json: &json!(new.packages).to_string(),
        created_at_ms: now_ms,
        expires_at_ms,
        user_id: new.user_id,
    };
    let id = tokens::insert(c, row).await?;
    let payload = json!({
        "token_id": id, "name": new.name, "actions": new.actions, "packages": new.packages,
        "expires_at_ms": expires_at_ms,
    });
    note(c, "token_created", &payload, actor, now_ms).await?;
    Ok(Stored { id, expires_at_ms })
}

/// Ends a token now; `false` when there is no such valid one.
pub(crate) async fn revoke(db: &Db, id: i64, now_ms: i64) -> Result<bool, DbError> {
    revoke_by(db, id, "admin", now_ms).await
}

/// The same, by somebody.
pub(crate) async fn revoke_by(db: &Db, id: i64, actor: &str, now_ms: i64) -> Result<bool, DbError> {
    let mut tx = db.write().await?;
    let revoked = tokens::revoke(&mut tx, id, now_ms).await?;
    if revoked {
        note(&mut tx, "token_revoked", &json!({"token_id": id}), actor, now_ms).await?;
    }
    tx.commit().await?;
    Ok(revoked)
}

async fn note(c: &mut Connection, kind: &str, payload: &Value, actor: &str, now_ms: i64) -> Result<(), DbError> {
    let event = events::New { at_ms: now_ms, kind, package: None, version: None, actor, payload };
    events::append(c, event).await.map(|_seq| ())
}

/// A new secret.
pub(crate) fn random() -> Result<String, DbError> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|e| DbError::Random(e.to_string()))?;
    Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_what_they_name() {
        let package = PackageName::publishable("@acme/widget").unwrap();
        for (pattern, expect) in [
            ("*", true),
            ("@acme/*", true),
            ("@acme/widget", true),
            ("@acme/widget2", false),
            ("@acm/*", false),
            ("@acme", false),
            ("", false),
            ("/*", false),
        ] {
            assert_eq!(covers(pattern, &package), expect, "{pattern}");
        }
    }

    #[test]
    fn only_patterns_that_can_cover_something_are_stored() {
        for good in ["*", "@acme/*", "@acme/widget"] {
            assert_eq!(check_pattern(good), Ok(()), "{good}");
        }
        for bad in ["", "acme", "@acme", "@Acme/*", "**", "@a/b/*", "@acme/wid*"] {
            assert!(check_pattern(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn tokens_are_long_random_and_recognisable() {
        let (one, two) = (random().unwrap(), random().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), PREFIX.len() + 43);
        assert!(one.starts_with(PREFIX));
    }
}
