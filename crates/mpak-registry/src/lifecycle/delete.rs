//! Delete: a version or package goes while nobody can depend on it, and leaves a tombstone.
//!
//! Within 72 hours of its publish, or as long as nobody downloaded it. What is deleted is never used again:
//! neither the version nor the name. The bytes go when nothing else names them, after the commit.

use mpak_bundle::digest::Sha256;
use mpak_bundle::name::PackageName;
use serde_json::json;

use super::{By, LifecycleError, LifecycleResult, checked, note, opened, refresh};
use crate::auth::actor::Action;
use crate::counts;
use crate::db::packages::Package;
use crate::db::versions::Listed;
use crate::db::{Connection, artifacts, blobs, downloads, packages, tombstones, transfers, unsigned, versions};
use crate::state::AppState;

/// How long a version may be deleted whatever its downloads.
const REGRET_HOURS: i64 = 72;
const REGRET_MS: i64 = REGRET_HOURS * 60 * 60 * 1_000;

/// What was deleted.
#[derive(Clone, Debug)]
pub(crate) struct Deleted {
    /// The versions.
    pub(crate) versions: Vec<String>,
    /// Whether the package is gone with them.
    pub(crate) package: bool,
}

/// Deletes one version, or all and the package with them. The last version takes the package along.
pub(crate) async fn delete(
    state: &AppState,
    by: By<'_>,
    name: &PackageName,
    version: Option<&str>,
    reason: Option<&str>,
) -> LifecycleResult<Deleted> {
    let reason = reason.map(|text| checked("the reason", text)).transpose()?;
    let now_ms = state.clock().now_ms();
    if state.db.is_shared() && !by.is_admin() && hangs_on_counts(state, by, name, version, now_ms).await? {
        tokio::time::sleep(counts::WRITTEN_WITHIN).await;
    }
    let mut tx = state.db.write().await?;
    // 1. What it is about.
    let package = opened(&mut tx, by, Action::Delete, name).await?;
    let listed = versions::list(&mut tx, package.id).await?;
    let going: Vec<&Listed> = listed.iter().filter(|v| version.is_none_or(|wanted| wanted == v.version)).collect();
    if going.is_empty() && version.is_some() {
        return Err(LifecycleError::NoVersion);
    }
    // 2. Nobody depends on it, or an administrator decides.
    if !by.is_admin() {
        for v in &going {
            let written = unsigned(downloads::of_version(&mut tx, v.id).await?);
            deletable(v, state.counts.version(v.id).max(written), now_ms)?;
        }
    }
    // 3. The versions go, and are never used again; of what nobody saw, nobody is told.
    let unseen = tombstones::never_shown(&mut tx, &package.name, &listed).await?;
    let mut digests = Vec::new();
    for v in &going {
        digests.extend(artifacts::of_version(&mut tx, v.id).await?.into_iter().map(|a| a.sha256));
        versions::delete(&mut tx, v.id).await?;
        let told = (reason.as_deref(), v.shown == 0);
        tombstones::insert(&mut tx, &package.name, &v.version, now_ms, told).await?;
        let payload = json!({"reason": reason, "downloads": state.counts.version(v.id)});
        note(&mut tx, by, "version_deleted", &package.name, Some(&v.version), &payload, now_ms).await?;
    }
    // 4. Without versions there is no package.
    let whole = going.len() == listed.len();
    if whole {
        bury(&mut tx, by, &package, (reason.as_deref(), unseen), now_ms).await?;
    } else {
        packages::choose_latest(&mut tx, package.id).await?;
    }
    let versions = going.iter().map(|v| v.version.clone()).collect();
    tx.commit().await?;
    // 5. The bytes.
    for sha256 in digests {
        drop_bytes(state, &sha256).await?;
    }
    refresh(state, &package.name).await;
    Ok(Deleted { versions, package: whole })
}

/// Whether something goes only because nobody downloaded it, as far as this replica knows: another one may
/// have counted a download a moment ago. Who may not delete is told so at once: whether somebody is made to wait
/// would tell of packages that nobody may see.
async fn hangs_on_counts(
    state: &AppState,
    by: By<'_>,
    name: &PackageName,
    version: Option<&str>,
    now_ms: i64,
) -> LifecycleResult<bool> {
    let mut c = state.db.read().await?;
    let package = opened(&mut c, by, Action::Delete, name).await?;
    let listed = versions::list(&mut c, package.id).await?;
    let mut going = listed.iter().filter(|v| version.is_none_or(|wanted| wanted == v.version));
    Ok(going.any(|v| !is_young(v, now_ms) && state.counts.version(v.id) == 0))
}

fn is_young(version: &Listed, now_ms: i64) -> bool {
    now_ms - version.published_at_ms <= REGRET_MS
}

fn deletable(version: &Listed, downloads: u64, now_ms: i64) -> LifecycleResult<()> {
    if downloads == 0 || is_young(version, now_ms) {
        return Ok(());
    }
    Err(LifecycleError::InUse { version: version.version.clone(), hours: REGRET_HOURS, downloads })
}

/// The package's row stays as the name's grave: the name, and those it had before, are never used again.
async fn bury(
    c: &mut Connection,
    by: By<'_>,
    package: &Package,
    (reason, unseen): (Option<&str>, bool),
    now_ms: i64,
) -> LifecycleResult<()> {
    packages::set_state(c, package.id, packages::REMOVED, reason).await?;
    let former = packages::former_names(c, package.id).await?;
    for name in former.iter().chain([&package.name]) {
        tombstones::insert(c, name, tombstones::WHOLE, now_ms, (reason, unseen)).await?;
    }
    if let Some(transfer) = transfers::open(c, package.id).await? {
        transfers::end(c, transfer.id, "cancelled").await?;
    }
    note(c, by, "package_deleted", &package.name, None, &json!({"reason": reason}), now_ms).await?;
    Ok(())
}

/// Drops bytes that nothing names any more. The write turn is held meanwhile, so that no publish can name
/// them between the question and the answer; a kill in between leaves a blob that no row names.
async fn drop_bytes(state: &AppState, sha256: &Sha256) -> LifecycleResult<()> {
    let mut tx = state.db.write().await?;
    if blobs::forget_unnamed(&mut tx, sha256).await? {
        state.blobs.delete(sha256).await.map_err(|e| LifecycleError::Storage(Box::new(e)))?;
    }
    tx.commit().await?;
    Ok(())
}
