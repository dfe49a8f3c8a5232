//! Rename and transfer: asked for by an owner, accepted by the other side, in effect seven days later.
//!
//! The other side is the new owner; where the scope changes, somebody who owns a package of the new scope,
//! or an administrator. A rename within the scope by its owner needs nobody else. Until it takes effect,
//! either side may cancel. Former names lead to the package for ever.

use mpak_bundle::name::PackageName;
use serde_json::json;

use super::{By, LifecycleError, LifecycleResult, note, opened, owners as people, refresh};
use crate::auth::actor::Action;
use crate::db::transfers::{self, Transfer};
use crate::db::{Connection, Db, DbResult, owners, packages, reservations, scopes, tombstones, users};
use crate::ingest::{review, scan};
use crate::state::AppState;

/// Between acceptance and effect, so that an owner who did not ask for it can object.
const NOTICE_MS: i64 = 7 * 24 * 60 * 60 * 1_000;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish<'a> {
    /// The new name.
    pub(crate) name: Option<&'a str>,
    /// Login of the new owner.
    pub(crate) owner: Option<&'a str>,
}

/// Asks for a transfer.
pub(crate) async fn request(
    state: &AppState,
    by: By<'_>,
    name: &PackageName,
    wish: Wish<'_>,
) -> LifecycleResult<Transfer> {
    let now_ms = state.clock().now_ms();
    let suspicion = suspicion(state, by, wish.name).await?;
    let mut tx = state.db.write().await?;
    // 1. What it is about.
    let package = opened(&mut tx, by, Action::Own, name).await?;
    if package.state != packages::PUBLIC {
        let found = package.state;
        return Err(LifecycleError::State { package: package.name, expected: packages::PUBLIC, found });
    }
    if transfers::open(&mut tx, package.id).await?.is_some() {
        return Err(LifecycleError::TransferOpen { package: package.name });
    }
    // 2. Where it goes.
    let target = match wish.name {
        Some(text) => PackageName::publishable(text)?,
        None => name.clone(),
    };
    let owner = match wish.owner {
        Some(login) => Some(people::account(&mut tx, login).await?),
        None => None,
    };
    if target == *name && owner.is_none() {
        return Err(LifecycleError::NothingToTransfer);
    }
    if target != *name {
        free(&mut tx, &target, package.id).await?;
    }
    // 3. The request, and that it happened.
    let label = by.label();
    let new = transfers::New {
        package_id: package.id,
        target_name: target.as_str(),
        target_user_id: owner.as_ref().map(|o| o.id),
        requested_by: &label,
        requested_at_ms: now_ms,
    };
    let id = transfers::insert(&mut tx, new).await?;
    let payload = json!({"name": target.as_str(), "owner": owner.as_ref().map(|o| &o.login)});
    note(&mut tx, by, "transfer_requested", &package.name, None, &payload, now_ms).await?;
    // 4. Nobody else has to agree to another name in the own scope, unless names are not theirs to take.
    let is_open = suspicion.is_none() && (by.is_admin() || names_are_open(&mut tx, target.scope()).await?);
    if owner.is_none() && target.scope() == name.scope() && is_open {
        accept_now(&mut tx, by, &package.name, id, now_ms).await?;
    }
    let transfer = transfers::open(&mut tx, package.id).await?;
    tx.commit().await?;
    transfer.ok_or(LifecycleError::NoTransfer { package: package.name })
}

/// Why a new name waits for an administrator, as a first publish under it would.
async fn suspicion(state: &AppState, by: By<'_>, name: Option<&str>) -> LifecycleResult<Option<String>> {
    match name.and_then(|name| PackageName::publishable(name).ok()) {
        Some(name) if !by.is_admin() => Ok(review::review(state, &name).await?),
        _ => Ok(None),
    }
}

/// Whether tokens and people take new names in a scope: not where they are made by the builds of its owner.
async fn names_are_open(c: &mut Connection, scope: &str) -> DbResult<bool> {
    Ok(scopes::owner(c, scope).await?.is_none())
}

/// Accepts a transfer for the other side.
pub(crate) async fn accept(state: &AppState, by: By<'_>, name: &PackageName) -> LifecycleResult<Transfer> {
    let now_ms = state.clock().now_ms();
    let target = target_of(state, name).await?;
    let suspicion = suspicion(state, by, target.as_deref()).await?;
    let mut tx = state.db.write().await?;
    let package = packages::find(&mut tx, name.as_str()).await?.ok_or(LifecycleError::NoPackage)?;
    let no_transfer = || LifecycleError::NoTransfer { package: package.name.clone() };
    let transfer = transfers::open(&mut tx, package.id).await?.ok_or_else(no_transfer)?;
    if transfer.state == "requested" {
        other_side(&mut tx, by, &package.name, &transfer).await?;
        if let Some(reason) = suspicion {
            return Err(LifecycleError::NotTheOtherSide { needed: format!("an administrator: {reason}") });
        }
        accept_now(&mut tx, by, &package.name, transfer.id, now_ms).await?;
    }
    let transfer = transfers::open(&mut tx, package.id).await?.ok_or_else(no_transfer)?;
    tx.commit().await?;
    Ok(transfer)
}

/// The new name that an open transfer would give.
async fn target_of(state: &AppState, name: &PackageName) -> DbResult<Option<String>> {
    let mut c = state.db.read().await?;
    let Some(package) = packages::find(&mut c, name.as_str()).await? else { return Ok(None) };
    let transfer = transfers::open(&mut c, package.id).await?;
    Ok(transfer.map(|transfer| transfer.target_name).filter(|target| *target != package.name))
}

/// Whether somebody may become the owner; see [`crate::auth::actor::Actor::may_take`].
async fn may_take(c: &mut Connection, by: By<'_>, package: &str, transfer: &Transfer) -> LifecycleResult<()> {
    let By::Actor(actor) = by else { return Ok(()) };
    let names: Vec<PackageName> =
        [package, &transfer.target_name].iter().filter_map(|name| PackageName::lookup(name).ok()).collect();
    Ok(actor.may_take(c, &names.iter().collect::<Vec<_>>()).await?)
}

/// Whether they are the side that has to accept.
async fn other_side(c: &mut Connection, by: By<'_>, package: &str, transfer: &Transfer) -> LifecycleResult<()> {
    if by.is_admin() {
        return Ok(());
    }
    may_take(c, by, package, transfer).await?;
    let user_id = by.user_id().ok_or(LifecycleError::NoPerson)?;
    let (scope, new_scope) = (scope_of(package), scope_of(&transfer.target_name));
    let right_person = transfer.target_user_id.is_none_or(|id| id == user_id);
    if package != transfer.target_name && !names_are_open(c, new_scope).await? {
        let needed = format!("an administrator: new names in `@{new_scope}` are made by the builds of its owner");
        return Err(LifecycleError::NotTheOtherSide { needed });
    }
    let right_scope = scope == new_scope || packages::owns_in_scope(c, new_scope, user_id).await?;
    if right_person && right_scope {
        return Ok(());
    }
    let needed = match transfer.target_user_id {
        Some(id) => users::find(c, id).await?.map_or_else(|| "its new owner".to_owned(), |u| format!("`{}`", u.login)),
        None => format!("an owner of a package in `@{new_scope}`"),
    };
    let needed = if scope == new_scope || transfer.target_user_id.is_none() {
        format!("{needed} or an administrator")
    } else {
        format!("{needed}, who needs a package in `@{new_scope}`, or an administrator")
    };
    Err(LifecycleError::NotTheOtherSide { needed })
}

fn scope_of(name: &str) -> &str {
    name.trim_start_matches('@').split('/').next().unwrap_or_default()
}

async fn accept_now(c: &mut Connection, by: By<'_>, package: &str, id: i64, now_ms: i64) -> DbResult<()> {
    let effective_at_ms = now_ms + NOTICE_MS;
    transfers::accept(c, id, &by.label(), effective_at_ms).await?;
    let payload = json!({"effective_at_ms": effective_at_ms});
    note(c, by, "transfer_accepted", package, None, &payload, now_ms).await.map(|_seq| ())
}

/// Ends a transfer that has not taken effect, for either side.
pub(crate) async fn cancel(state: &AppState, by: By<'_>, name: &PackageName) -> LifecycleResult<()> {
    let now_ms = state.clock().now_ms();
    let mut tx = state.db.write().await?;
    let package = packages::find(&mut tx, name.as_str()).await?.ok_or(LifecycleError::NoPackage)?;
    let no_transfer = || LifecycleError::NoTransfer { package: package.name.clone() };
    let transfer = transfers::open(&mut tx, package.id).await?.ok_or_else(no_transfer)?;
    let is_target = transfer.target_user_id.is_some() && transfer.target_user_id == by.user_id();
    if is_target {
        may_take(&mut tx, by, &package.name, &transfer).await?;
    } else {
        opened(&mut tx, by, Action::Own, name).await?;
    }
    transfers::end(&mut tx, transfer.id, "cancelled").await?;
    note(&mut tx, by, "transfer_cancelled", &package.name, None, &json!({}), now_ms).await?;
    tx.commit().await?;
    Ok(())
}

/// Whether a name can be taken by a package.
async fn free(c: &mut Connection, name: &PackageName, package_id: i64) -> LifecycleResult<()> {
    let taken = |reason| LifecycleError::NameTaken { name: name.to_string(), reason };
    if packages::find_any(c, name.as_str()).await?.is_some_and(|p| p.id != package_id) {
        return Err(taken("another package has it"));
    }
    let own = packages::former_names(c, package_id).await?.iter().any(|former| former == name.as_str());
    if !own && packages::renamed(c, name.as_str()).await?.is_some() {
        return Err(taken("another package had it and is still found by it"));
    }
    if !tombstones::of_package(c, name.as_str()).await?.is_empty() && !own {
        return Err(taken("it was deleted"));
    }
    if reservations::reserved(c, name.scope()).await?.is_some() {
        return Err(taken("its scope is reserved"));
    }
    if transfers::towards(c, name.as_str()).await?.is_some_and(|id| id != package_id) {
        return Err(taken("another package is on its way to it"));
    }
    Ok(())
}

/// Lets transfers whose notice is over take effect; gives the names whose search entries changed.
async fn apply_due(db: &Db, now_ms: i64) -> LifecycleResult<Vec<String>> {
    // Asked before the write turn is taken.
    if transfers::due(&mut *db.read().await?, now_ms).await?.is_empty() {
        return Ok(Vec::new());
    }
    let mut tx = db.write().await?;
    let mut changed = Vec::new();
    for transfer in transfers::due(&mut tx, now_ms).await? {
        changed.extend(apply(&mut tx, &transfer, now_ms).await?);
    }
    tx.commit().await?;
    Ok(changed)
}

async fn apply(c: &mut Connection, transfer: &Transfer, now_ms: i64) -> LifecycleResult<Vec<String>> {
    let gone = || LifecycleError::NoPackage;
    let package = packages::by_id(c, transfer.package_id).await?.ok_or_else(gone)?;
    let (from, to) = (package.name.as_str(), transfer.target_name.as_str());
    // 1. What could be taken then may not be so now.
    let target = PackageName::publishable(to)?;
    let possible =
        from == to || (free(c, &target, package.id).await.is_ok() && still_open(c, &target, transfer).await?);
    if !possible || package.state != packages::PUBLIC {
        transfers::end(c, transfer.id, "cancelled").await?;
        note(c, By::Operator, "transfer_cancelled", from, None, &json!({"reason": "not possible any more"}), now_ms)
            .await?;
        return Ok(Vec::new());
    }
    // 2. The owner. The old one's workloads publish no more.
    if let Some(user_id) = transfer.target_user_id {
        owners::remove_all(c, package.id).await?;
        owners::add(c, package.id, user_id, "transfer", now_ms).await?;
        packages::forget_publishers(c, package.id, from).await?;
    }
    // 3. The name.
    if from != to {
        packages::rename(c, package.id, from, to, now_ms).await?;
    }
    scan::again(c, package.id, now_ms).await?;
    // 4. That it happened, told under both names.
    transfers::end(c, transfer.id, "done").await?;
    let owner = match transfer.target_user_id {
        Some(id) => users::find(c, id).await?.map(|u| u.login),
        None => None,
    };
    let payload = json!({"from": from, "to": to, "owner": owner});
    note(c, By::Operator, "transferred", to, None, &payload, now_ms).await?;
    if from != to {
        note(c, By::Operator, "transferred", from, None, &payload, now_ms).await?;
    }
    Ok(vec![from.to_owned(), to.to_owned()])
}

/// Whether the scope is not given to an owner since the transfer was accepted.
async fn still_open(c: &mut Connection, target: &PackageName, transfer: &Transfer) -> DbResult<bool> {
    let accepted_at_ms = transfer.effective_at_ms - NOTICE_MS;
    let scope = scopes::find(c, target.scope()).await?;
    Ok(scope.is_none_or(|scope| scope.owner().is_none() || scope.created_at_ms <= accepted_at_ms))
}

/// The same, with search brought up to date.
pub(crate) async fn work(state: &AppState) -> LifecycleResult<()> {
    for name in apply_due(&state.db, state.clock().now_ms()).await? {
        refresh(state, &name).await;
    }
    Ok(())
}
