//! What an administrator decides about packages and scopes, on the data itself. A running server sees it
//! with the next look at the database; its search and its files follow within a second.

use mpak_bundle::name::PackageName;
use serde::Serialize;

use super::{AdminError, existing, with_db};
use crate::clock::{Clock, rfc3339};
use crate::config::Config;
use crate::db::{events, owners, packages, reservations, versions};
use crate::lifecycle::hold::{self, Decision};
use crate::lifecycle::{By, LifecycleError};

/// Events of one package that are shown.
const EVENTS_MAX: i64 = 50;

/// What is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A held package may be seen.
    Release,
    /// A held package is taken away.
    Reject,
    /// A public package is taken away.
    Remove,
    /// A public package is held.
    Hold,
    /// What was taken away comes back.
    Restore,
}

impl From<Verdict> for Decision {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Release => Self::Release,
            Verdict::Reject => Self::Reject,
            Verdict::Remove => Self::Remove,
            Verdict::Hold => Self::Hold,
            Verdict::Restore => Self::Restore,
        }
    }
}

/// A package in a list.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// `@scope/name`.
    pub name: String,
    /// `public`, `held`, `removed`.
    pub state: String,
    /// Why it is held or was removed.
    pub reason: Option<String>,
    /// RFC 3339; its first publish.
    pub created_at: String,
    /// RFC 3339; when it became what it is. In lists only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

/// A package with what happened to it.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    /// Name, state, reason.
    #[serde(flatten)]
    pub listed: Listed,
    /// Its versions, newest published first.
    pub versions: Vec<String>,
    /// Logins of its owners.
    pub owners: Vec<String>,
    /// Newest first.
    pub events: Vec<Happened>,
}

/// Something that happened to a package.
#[derive(Clone, Debug, Serialize)]
pub struct Happened {
    /// RFC 3339.
    pub at: String,
    /// What.
    pub kind: String,
    /// Of which version.
    pub version: Option<String>,
    /// Who.
    pub actor: String,
}

/// A reserved scope.
#[derive(Clone, Debug, Serialize)]
pub struct Reserved {
    /// Without `@`.
    pub scope: String,
    /// Why.
    pub reason: String,
}

fn failed(error: LifecycleError) -> AdminError {
    match error {
        LifecycleError::Db(e) => e.into(),
        e => AdminError::Lifecycle(Box::new(e)),
    }
}

fn named(name: &str) -> Result<PackageName, AdminError> {
    PackageName::lookup(name).map_err(|e| AdminError::Lifecycle(Box::new(e)))
}

fn listed(package: packages::Package) -> Listed {
    let created_at = rfc3339(package.created_at_ms);
    Listed { name: package.name, state: package.state, reason: package.held_reason, created_at, since: None }
}

/// Packages that wait for a decision, or (with `removed`) that were taken away; oldest first.
///
/// # Errors
/// [`AdminError`].
pub fn list(config: &Config, removed: bool) -> Result<Vec<Listed>, AdminError> {
    existing(config)?;
    let state = if removed { packages::REMOVED } else { packages::HELD };
    with_db(config, async |db| {
        let mut c = db.read().await?;
        let mut all = Vec::new();
        for package in packages::in_state(&mut c, state).await? {
            let decided = events::decided_at_ms(&mut c, &package.name).await?;
            let since = rfc3339(decided.unwrap_or(package.created_at_ms));
            all.push(Listed { since: Some(since), ..listed(package) });
        }
        Ok(all)
    })
}

/// One package, whatever its state.
///
/// # Errors
/// [`AdminError`].
pub fn show(config: &Config, name: &str) -> Result<Shown, AdminError> {
    existing(config)?;
    let name = named(name)?;
    with_db(config, async |db| {
        let mut c = db.read().await?;
        let found = packages::find_any(&mut c, name.as_str()).await?;
        let package = found.ok_or_else(|| AdminError::NoPackage { name: name.to_string() })?;
        let versions = versions::list(&mut c, package.id).await?;
        let owners = owners::list(&mut c, package.id).await?;
        let events = events::of_package(&mut c, name.as_str(), i64::MAX, EVENTS_MAX).await?;
        let happened =
            |e: events::Event| Happened { at: rfc3339(e.at_ms), kind: e.kind, version: e.version, actor: e.actor };
        Ok(Shown {
            versions: versions.into_iter().map(|v| v.version).collect(),
            owners: owners.into_iter().map(|o| o.login).collect(),
            events: events.into_iter().map(happened).collect(),
            listed: listed(package),
        })
    })
}

/// Decides about a package.
///
/// # Errors
/// [`AdminError`].
pub fn decide(
    config: &Config,
    name: &str,
    verdict: Verdict,
    reason: Option<&str>,
    clock: &Clock,
) -> Result<(), AdminError> {
    existing(config)?;
    let name = named(name)?;
    with_db(config, async |db| {
        hold::decide(db, By::Operator, &name, verdict.into(), reason, clock.now_ms()).await.map_err(failed)
    })
}

/// Reserves a scope; without a reason ends that.
///
/// # Errors
/// [`AdminError`].
pub fn reserve_scope(config: &Config, scope: &str, reason: Option<&str>, clock: &Clock) -> Result<(), AdminError> {
    existing(config)?;
    with_db(config, async |db| hold::reserve(db, By::Operator, scope, reason, clock.now_ms()).await.map_err(failed))
}

/// All reserved scopes.
///
/// # Errors
/// [`AdminError`].
pub fn reserved_scopes(config: &Config) -> Result<Vec<Reserved>, AdminError> {
    existing(config)?;
    with_db(config, async |db| {
        let found = reservations::all_reserved(&mut *db.read().await?).await?;
        Ok(found.into_iter().map(|(scope, reason)| Reserved { scope, reason }).collect())
    })
}
