//! Owners: the people who decide about a package. There is always one left.

use mpak_bundle::name::PackageName;
use serde_json::json;

use super::{By, LifecycleError, LifecycleResult, note, opened};
use crate::auth::actor::Action;
use crate::db::{Connection, owners, users};
use crate::ingest::scan;
use crate::state::AppState;

/// The active account of a login.
pub(crate) async fn account(c: &mut Connection, login: &str) -> LifecycleResult<users::User> {
    let mut found = users::with_login(c, login).await?;
    found.retain(|user| user.disabled_at_ms.is_none());
    match (found.len(), found.pop()) {
        (1, Some(user)) => Ok(user),
        (0, _) => Err(LifecycleError::NoUser { login: login.to_owned() }),
        _ => Err(LifecycleError::ManyUsers { login: login.to_owned() }),
    }
}

/// Adds an owner; `false` when they are one already.
pub(crate) async fn add(state: &AppState, by: By<'_>, name: &PackageName, login: &str) -> LifecycleResult<bool> {
    let now_ms = state.clock().now_ms();
    let mut tx = state.db.write().await?;
    let package = opened(&mut tx, by, Action::Own, name).await?;
    let user = account(&mut tx, login).await?;
    let via = if by.is_admin() { "admin" } else { "owner" };
    if !owners::add(&mut tx, package.id, user.id, via, now_ms).await? {
        return Ok(false);
    }
    note(&mut tx, by, "owner_added", &package.name, None, &json!({"owner": user.login}), now_ms).await?;
    scan::again(&mut tx, package.id, now_ms).await?;
    tx.commit().await?;
    Ok(true)
}

/// Takes an owner away; never the last one.
pub(crate) async fn remove(state: &AppState, by: By<'_>, name: &PackageName, login: &str) -> LifecycleResult<()> {
    let now_ms = state.clock().now_ms();
    let mut tx = state.db.write().await?;
    let package = opened(&mut tx, by, Action::Own, name).await?;
    let all = owners::list(&mut tx, package.id).await?;
    let found = all.iter().find(|o| o.login == login);
    let no_owner = || LifecycleError::NoOwner { login: login.to_owned(), package: package.name.clone() };
    let owner = found.ok_or_else(no_owner)?;
    if all.len() == 1 {
        return Err(LifecycleError::LastOwner { login: login.to_owned(), package: package.name });
    }
    owners::remove(&mut tx, package.id, owner.user_id).await?;
    note(&mut tx, by, "owner_removed", &package.name, None, &json!({"owner": login}), now_ms).await?;
    scan::again(&mut tx, package.id, now_ms).await?;
    tx.commit().await?;
    Ok(())
}

/// Says whether one owner allows tokens beside trusted publishing; gives how many do now.
pub(crate) async fn allow_tokens(
    state: &AppState,
    by: By<'_>,
    name: &PackageName,
    allow: bool,
) -> LifecycleResult<i64> {
    let now_ms = state.clock().now_ms();
    let mut tx = state.db.write().await?;
    let package = opened(&mut tx, by, Action::Own, name).await?;
    let user_id = by.user_id().ok_or(LifecycleError::NoPerson)?;
    if !owners::allow_tokens(&mut tx, package.id, user_id, allow).await? {
        return Err(LifecycleError::NoOwner { login: by.label(), package: package.name });
    }
    let count = owners::allowing_tokens(&mut tx, &package.name).await?;
    let kind = if allow { "tokens_allowed" } else { "tokens_disallowed" };
    note(&mut tx, by, kind, &package.name, None, &json!({"owners": count}), now_ms).await?;
    tx.commit().await?;
    Ok(count)
}
