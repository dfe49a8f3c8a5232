//! Deprecate: a package stays installable, and says that it should not be used any more, and what instead.
//!
//! Spec: MTF 0.1 §3.10 UP-03.

use mpak_bundle::name::PackageName;
use serde_json::json;

use super::{By, LifecycleError, LifecycleResult, checked, note, opened, refresh};
use crate::auth::actor::Action;
use crate::db::packages;
use crate::state::AppState;

/// What a deprecated package says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notice<'a> {
    /// Why, and what to do.
    pub(crate) message: &'a str,
    /// Another package.
    pub(crate) replacement: Option<&'a str>,
}

/// Deprecates a package, or takes that back; `false` when it was so already.
pub(crate) async fn set(
    state: &AppState,
    by: By<'_>,
    name: &PackageName,
    notice: Option<Notice<'_>>,
) -> LifecycleResult<bool> {
    // 1. What it will say.
    let message = notice.map(|n| checked("the message", n.message)).transpose()?;
    let replacement = notice.and_then(|n| n.replacement).map(|text| replacement(name, text)).transpose()?;
    let now_ms = state.clock().now_ms();
    let mut tx = state.db.write().await?;
    // 2. The change.
    let package = opened(&mut tx, by, Action::Deprecate, name).await?;
    let before = (package.deprecated_message, package.deprecated_replacement);
    if before == (message.clone(), replacement.clone()) {
        return Ok(false);
    }
    packages::set_deprecated(&mut tx, package.id, message.as_deref(), replacement.as_deref()).await?;
    // 3. That it happened.
    let kind = if message.is_some() { "deprecated" } else { "undeprecated" };
    let payload = json!({"message": message, "replacement": replacement});
    note(&mut tx, by, kind, &package.name, None, &payload, now_ms).await?;
    tx.commit().await?;
    refresh(state, &package.name).await;
    Ok(true)
}

fn replacement(package: &PackageName, text: &str) -> LifecycleResult<String> {
    let found = PackageName::lookup(text)?;
    if found == *package {
        return Err(LifecycleError::Replacement { found: text.to_owned(), package: package.to_string() });
    }
    Ok(found.to_string())
}
