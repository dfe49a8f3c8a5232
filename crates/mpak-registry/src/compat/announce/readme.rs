//! A version whose bundle has no README shows the one of its repository, as it was at the release's tag.
//!
//! In: an announced version that is recorded already. Out: its README, if the forge has one. Nothing
//! depends on it, so that a forge which does not answer costs a moment, never the publish; announcing
//! again tries again. What comes is as hostile as a bundle's own.
//! Compatibility: the existing registry asks for `README.md` at the root of the repository, no other name.

use std::time::Duration;

use crate::db::{DbError, packages, versions};
use crate::forge::{self, ForgeError};
use crate::ingest::admit::README_BYTES_MAX;
use crate::ingest::receive::Upload;
use crate::state::AppState;

/// Longest wait: the publisher waits with us.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is none.
#[derive(Debug, thiserror::Error)]
enum ReadmeError {
    #[error(transparent)]
    Forge(#[from] ForgeError),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Adds what is missing.
pub(super) async fn complete(state: &AppState, upload: &Upload) {
    match tokio::time::timeout(PATIENCE, fetch(state, upload)).await {
        Ok(Ok(())) => {}
        Ok(Err(ReadmeError::Forge(error))) => {
            tracing::debug!(package = %upload.publisher.package(), %error, "no README of the repository");
        }
        // Ours to mend, so it is not whispered.
        Ok(Err(ReadmeError::Db(error))) => {
            tracing::warn!(package = %upload.publisher.package(), %error, "the repository's README was not stored");
        }
        Err(_elapsed) => tracing::debug!(package = %upload.publisher.package(), "the repository's README did not come"),
    }
}

async fn fetch(state: &AppState, upload: &Upload) -> Result<(), ReadmeError> {
    // 1. Whether one is missing, and where there may be one.
    let (Some(identity), Some(release)) = (upload.publisher.identity(), &upload.release) else { return Ok(()) };
    let Some(issuer) = state.issuers.find(&identity.issuer) else { return Ok(()) };
    let mut c = state.db.read().await?;
    let Some(package) = packages::find_any(&mut c, upload.publisher.package().as_str()).await? else { return Ok(()) };
    let version = versions::find(&mut c, package.id, &upload.version.to_string()).await?;
    drop(c);
    let Some(version) = version.filter(|version| version.readme.is_none()) else { return Ok(()) };
    // 2. What the repository has.
    let at = (release.tag.as_str(), "README.md");
    let repository = (identity.repository.as_str(), identity.repository_id.as_str());
    let bytes = forge::file(&state.outbound, issuer, repository, at).await?;
    if bytes.len() as u64 > README_BYTES_MAX {
        return Ok(());
    }
    // 3. Beside the version; a README that it has by now stays.
    let mut tx = state.db.update().await?;
    versions::add_readme(&mut tx, version.id, &String::from_utf8_lossy(&bytes)).await?;
    tx.commit().await?;
    Ok(())
}
