//! Held packages: what an administrator decides about a first publish that looks like something else, and
//! about packages that must go. Reserved scopes, too.
//!
//! Spec: MTF 0.1 §3.7 RG-01, RG-02.

use mpak_bundle::name::PackageName;
use serde_json::json;

use super::{By, LifecycleError, LifecycleResult, checked, note};
use crate::auth::actor::Action;
use crate::db::packages::{HELD, PUBLIC, REMOVED};
use crate::db::{Db, packages, reservations, tombstones, versions};

/// What is decided about a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It may be seen.
    Release,
    /// It is taken away, before anybody saw it.
    Reject,
    /// It is taken away.
    Remove,
    /// It waits, again.
    Hold,
    /// What was taken away comes back.
    Restore,
}

impl Decision {
    /// From its word.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "release" => Self::Release,
            "reject" => Self::Reject,
            "remove" => Self::Remove,
            "hold" => Self::Hold,
            "restore" => Self::Restore,
            _ => return None,
        })
    }

    /// From which states, to which, and the event.
    fn change(self) -> (&'static [&'static str], &'static str, &'static str) {
        match self {
            Self::Release => (&[HELD], PUBLIC, "released"),
            Self::Reject => (&[HELD], REMOVED, "rejected"),
            Self::Remove => (&[PUBLIC, HELD], REMOVED, "removed"),
            Self::Hold => (&[PUBLIC], HELD, "held"),
            Self::Restore => (&[REMOVED], PUBLIC, "restored"),
        }
    }
}

/// Decides about a package; only administrators do.
pub(crate) async fn decide(
    db: &Db,
    by: By<'_>,
    name: &PackageName,
    decision: Decision,
    reason: Option<&str>,
    now_ms: i64,
) -> LifecycleResult<()> {
    let reason = reason.map(|text| checked("the reason", text)).transpose()?;
    let mut tx = db.write().await?;
    by.may(&mut tx, Action::Admin, name).await?;
    let package = packages::find_any(&mut tx, name.as_str()).await?.ok_or(LifecycleError::NoPackage)?;
    let (from, to, kind) = decision.change();
    if !from.contains(&package.state.as_str()) {
        return Err(LifecycleError::State { package: package.name, expected: from[0], found: package.state });
    }
    // What was deleted with its versions does not come back.
    let listed = versions::list(&mut tx, package.id).await?;
    if decision == Decision::Restore && listed.is_empty() {
        return Err(LifecycleError::NoVersion);
    }
    packages::set_state(&mut tx, package.id, to, reason.as_deref().filter(|_| to != PUBLIC)).await?;
    match to {
        // What nobody saw leaves no tombstone to be seen.
        REMOVED if decision == Decision::Reject => {}
        REMOVED => {
            let told = (reason.as_deref(), tombstones::never_shown(&mut tx, &package.name, &listed).await?);
            tombstones::insert(&mut tx, &package.name, tombstones::WHOLE, now_ms, told).await?;
        }
        _ => tombstones::remove(&mut tx, &package.name, tombstones::WHOLE).await?,
    }
    if to == PUBLIC {
        versions::mark_shown(&mut tx, package.id).await?;
    }
    note(&mut tx, by, kind, &package.name, None, &json!({"reason": reason}), now_ms).await?;
    tx.commit().await?;
    Ok(())
}

/// Reserves a scope, or ends that.
pub(crate) async fn reserve(
    db: &Db,
    by: By<'_>,
    scope: &str,
    reason: Option<&str>,
    now_ms: i64,
) -> LifecycleResult<()> {
    let reason = reason.map(|text| checked("the reason", text)).transpose()?;
    let scope = PackageName::publishable(&format!("@{}/x", scope.trim_start_matches('@')))?.scope().to_owned();
    let mut tx = db.write().await?;
    if !by.is_admin() {
        return Err(LifecycleError::NoPerson);
    }
    let kind = if let Some(reason) = &reason {
        if !reservations::reserve(&mut tx, &scope, reason, now_ms).await? {
            return Err(LifecycleError::ScopeOwned { scope });
        }
        "scope_reserved"
    } else {
        if !reservations::release(&mut tx, &scope).await? {
            return Err(LifecycleError::ScopeFree { scope });
        }
        "scope_released"
    };
    let payload = json!({"scope": scope, "reason": reason});
    let label = by.label();
    let event =
        crate::db::events::New { at_ms: now_ms, kind, package: None, version: None, actor: &label, payload: &payload };
    crate::db::events::append(&mut tx, event).await?;
    tx.commit().await?;
    Ok(())
}
