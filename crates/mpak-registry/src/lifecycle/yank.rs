//! Yank: a version stays downloadable by its exact name and is resolved by nothing else any more.

use mpak_bundle::name::PackageName;
use serde_json::json;

use super::{By, LifecycleError, LifecycleResult, checked, note, opened, refresh};
use crate::auth::actor::Action;
use crate::db::{packages, versions, yanks};
use crate::state::AppState;

/// Yanks a version or takes that back; `false` when it was so already.
pub(crate) async fn set(
    state: &AppState,
    by: By<'_>,
    name: &PackageName,
    version: &str,
    yanked: bool,
    reason: Option<&str>,
) -> LifecycleResult<bool> {
    let reason = reason.map(|text| checked("the reason", text)).transpose()?;
    let now_ms = state.clock().now_ms();
    let mut tx = state.db.write().await?;
    // 1. What it is about.
    let package = opened(&mut tx, by, Action::Yank, name).await?;
    let id = versions::id_of(&mut tx, package.id, version).await?.ok_or(LifecycleError::NoVersion)?;
    // 2. The change, and which version a bare name means now.
    let changed = if yanked {
        yanks::insert(&mut tx, id, now_ms, reason.as_deref()).await?
    } else {
        yanks::remove(&mut tx, id).await?
    };
    if !changed {
        return Ok(false);
    }
    packages::choose_latest(&mut tx, package.id).await?;
    // 3. That it happened.
    let kind = if yanked { "yanked" } else { "unyanked" };
    note(&mut tx, by, kind, &package.name, Some(version), &json!({"reason": reason}), now_ms).await?;
    tx.commit().await?;
    refresh(state, &package.name).await;
    Ok(true)
}
