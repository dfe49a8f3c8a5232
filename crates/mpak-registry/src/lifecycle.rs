//! What becomes of a package after its publish: yanked, deprecated, deleted, renamed, given away, held.
//!
//! In: who asks, and what for. Out: the change with its event, in one transaction, or the refusal. Who may
//! do what is decided by `auth::actor`; here is what is possible. Search follows after the commit.

use mpak_bundle::name::PackageName;
use serde_json::Value;
use thiserror::Error;

use crate::auth::actor::{Action, Actor};
use crate::auth::error::AuthError;
use crate::db::packages::{self, Package};
use crate::db::{Connection, DbError, DbResult, events};
use crate::state::AppState;

pub(crate) mod delete;
pub(crate) mod deprecate;
pub(crate) mod hold;
pub(crate) mod owners;
mod refusal;
pub(crate) mod transfer;
pub(crate) mod yank;

/// Longest reason or message, in characters.
pub(crate) const TEXT_CHARS_MAX: usize = 500;

/// On whose word something is done.
#[derive(Clone, Copy, Debug)]
pub(crate) enum By<'a> {
    /// Somebody who asks over HTTP.
    Actor(&'a Actor),
    /// The operator, on the data itself.
    Operator,
}

impl By<'_> {
    /// The actor of events.
    pub(crate) fn label(self) -> String {
        match self {
            Self::Actor(actor) => actor.label(),
            Self::Operator => "admin".to_owned(),
        }
    }

    /// Whether they run the registry.
    pub(crate) fn is_admin(self) -> bool {
        match self {
            Self::Actor(actor) => actor.is_admin(),
            Self::Operator => true,
        }
    }

    /// The account behind it.
    pub(crate) fn user_id(self) -> Option<i64> {
        match self {
            Self::Actor(actor) => actor.person().map(|p| p.user_id),
            Self::Operator => None,
        }
    }

    /// See [`Actor::may`].
    pub(crate) async fn may(&self, c: &mut Connection, action: Action, package: &PackageName) -> Result<(), AuthError> {
        match self {
            Self::Actor(actor) => actor.may(c, action, Some(package)).await,
            Self::Operator => Ok(()),
        }
    }
}

/// Why nothing was changed.
#[derive(Debug, Error)]
pub(crate) enum LifecycleError {
    /// They may not.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// There is no such package for them.
    #[error("Package not found")]
    NoPackage,
    /// The package has no such version.
    #[error("Version not found")]
    NoVersion,
    /// It is called something else now.
    #[error("`{found}` was renamed to `{now}`")]
    Renamed {
        /// As asked for.
        found: String,
        /// As it is called.
        now: String,
    },
    /// A text that cannot be used.
    #[error("{what} must have 1 to {TEXT_CHARS_MAX} characters and no control characters, this one has {chars}")]
    Text {
        /// Which one.
        what: &'static str,
        /// Its length.
        chars: usize,
    },
    /// A replacement that is none.
    #[error("`{found}` cannot replace `{package}`")]
    Replacement {
        /// What was given.
        found: String,
        /// Of which package.
        package: String,
    },
    /// Somebody uses it, and it is not new.
    #[error("{version} was published more than {hours} hours ago and downloaded {downloads} times")]
    InUse {
        /// Which version.
        version: String,
        /// How long a version may be deleted whatever its downloads.
        hours: i64,
        /// How often it was downloaded.
        downloads: u64,
    },
    /// Nobody has this login.
    #[error("there is no active account `{login}`")]
    NoUser {
        /// What was given.
        login: String,
    },
    /// Several providers have one.
    #[error("there are several accounts `{login}`")]
    ManyUsers {
        /// What was given.
        login: String,
    },
    /// A package keeps at least one owner.
    #[error("`{login}` is the only owner of `{package}`")]
    LastOwner {
        /// Who.
        login: String,
        /// Of what.
        package: String,
    },
    /// They own it not.
    #[error("`{login}` is not an owner of `{package}`")]
    NoOwner {
        /// Who.
        login: String,
        /// Of what.
        package: String,
    },
    /// Only people can do this.
    #[error("this is done by a person who signed in, not by a token of nobody's")]
    NoPerson,
    /// The new name cannot be taken.
    #[error("the name `{name}` cannot be taken: {reason}")]
    NameTaken {
        /// The new name.
        name: String,
        /// Why.
        reason: &'static str,
    },
    /// The new name is none.
    #[error(transparent)]
    Name(#[from] mpak_bundle::name::NameError),
    /// Neither name nor owner would change.
    #[error("a transfer gives a new name or a new owner")]
    NothingToTransfer,
    /// One at a time.
    #[error("`{package}` has a transfer under way already")]
    TransferOpen {
        /// Which package.
        package: String,
    },
    /// There is none.
    #[error("`{package}` has no transfer under way")]
    NoTransfer {
        /// Which package.
        package: String,
    },
    /// Only the other side accepts.
    #[error("this transfer is accepted by {needed}")]
    NotTheOtherSide {
        /// Who would have to.
        needed: String,
    },
    /// It is in another state.
    #[error("`{package}` is {found}, not {expected}")]
    State {
        /// Which package.
        package: String,
        /// What is needed.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// Somebody owns the scope.
    #[error("the scope `@{scope}` belongs to somebody")]
    ScopeOwned {
        /// Without `@`.
        scope: String,
    },
    /// Nobody reserved the scope.
    #[error("the scope `@{scope}` is not reserved")]
    ScopeFree {
        /// Without `@`.
        scope: String,
    },
    /// Our storage.
    #[error("the storage failed")]
    Storage(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Our database.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What functions here give.
pub(crate) type LifecycleResult<T> = Result<T, LifecycleError>;

/// The package of a name, for somebody who may do something to it.
pub(crate) async fn opened(
    c: &mut Connection,
    by: By<'_>,
    action: Action,
    name: &PackageName,
) -> LifecycleResult<Package> {
    // 1. Whoever may not, learns nothing of what is hidden.
    let package = packages::find_any(c, name.as_str()).await?;
    let hidden = package.as_ref().is_some_and(|p| p.state != packages::PUBLIC);
    match by.may(c, action, name).await {
        Err(AuthError::NotOwner { .. }) if hidden || package.is_none() => return Err(not_there(c, name).await?),
        other => other?,
    }
    // 2. What was taken away, only administrators work with.
    match package {
        Some(package) if package.state != packages::REMOVED || by.is_admin() => Ok(package),
        _ => Err(not_there(c, name).await?),
    }
}

/// Where it went, or that it is not there.
async fn not_there(c: &mut Connection, name: &PackageName) -> DbResult<LifecycleError> {
    Ok(match packages::renamed(c, name.as_str()).await? {
        Some(now) => LifecycleError::Renamed { found: name.to_string(), now },
        None => LifecycleError::NoPackage,
    })
}

/// Appends what happened to a package.
pub(crate) async fn note(
    c: &mut Connection,
    by: By<'_>,
    kind: &str,
    package: &str,
    version: Option<&str>,
    payload: &Value,
    now_ms: i64,
) -> DbResult<i64> {
    let actor = by.label();
    let event = events::New { at_ms: now_ms, kind, package: Some(package), version, actor: &actor, payload };
    events::append(c, event).await
}

/// A text for people, checked.
pub(crate) fn checked(what: &'static str, text: &str) -> LifecycleResult<String> {
    let text = text.trim();
    let chars = text.chars().count();
    if chars == 0 || chars > TEXT_CHARS_MAX || text.chars().any(|c| c.is_control() && c != '\n') {
        return Err(LifecycleError::Text { what, chars });
    }
    Ok(text.to_owned())
}

/// Lets search see what changed; a failure is healed at the next start.
pub(crate) async fn refresh(state: &AppState, package: &str) {
    if let Err(error) = state.search.refresh(&state.db, package).await {
        tracing::error!(%package, error = %error, "the search index was not brought up to date");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_short_and_visible() {
        assert_eq!(checked("the reason", "  leaks keys \n").unwrap(), "leaks keys");
        for bad in ["", "  ", "a\u{1b}[31m", "a\0", &"x".repeat(TEXT_CHARS_MAX + 1)] {
            assert!(checked("the reason", bad).is_err(), "{bad:?}");
        }
    }
}
