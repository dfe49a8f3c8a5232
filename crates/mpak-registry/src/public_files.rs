//! The static read path as files: `DATA/public/` is what any file server can serve in our place.
//!
//! ```text
//! DATA/public/
//! ├── .well-known/mpak.json
//! ├── index/v1/@scope/name.json     the same bytes as the API's
//! └── blobs -> the local blob folder
//! DATA/public-through               the last event that the files tell of
//! ```
//!
//! A worker follows the events and writes the file of each package that they are about. Everything here
//! can be made again from the database; without `public-through` it is.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mpak_bundle::durable;
use mpak_bundle::name::PackageName;
use thiserror::Error;
use tokio::sync::watch;

use crate::api::index;
use crate::config::Reads;
use crate::db::{DbError, events};
use crate::state::AppState;

/// How often new events are looked for.
const LOOK: Duration = Duration::from_millis(300);
/// Events that are worked off between two writes of the position.
const BATCH: i64 = 1_000;

/// Why a file was not written.
#[derive(Debug, Error)]
enum PublicError {
    #[error("cannot write below `{path}`")]
    Io { path: String, source: io::Error },
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Keeps the files up to date until told to stop.
pub(crate) async fn keep(state: AppState, local_blobs: Option<PathBuf>, mut stop: watch::Receiver<bool>) {
    let root = state.config.data.join("public");
    let base = state.config.public_url.as_ref().map_or(String::new(), |u| u.as_str().trim_end_matches('/').to_owned());
    let mut begun = false;
    while !*stop.borrow() {
        let kept = async {
            if !begun {
                begin(&root, &base, local_blobs.as_deref()).map_err(|source| failed(&root, source))?;
                begun = true;
            }
            follow(&state, &root).await
        };
        match kept.await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(error = %error, cause, "the public files are not up to date");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = stop.changed() => return,
        }
    }
}

fn failed(path: &Path, source: io::Error) -> PublicError {
    PublicError::Io { path: path.display().to_string(), source }
}

/// What does not depend on packages.
fn begin(root: &Path, base: &str, local_blobs: Option<&Path>) -> io::Result<()> {
    fs::create_dir_all(root.join("index").join("v1"))?;
    fs::create_dir_all(root.join(".well-known"))?;
    durable::replace(&root.join(".well-known").join("mpak.json"), index::root(base).as_bytes(), 0o644)?;
    #[cfg(unix)]
    if let Some(blobs) = local_blobs {
        let link = root.join("blobs");
        let target = fs::canonicalize(blobs)?;
        if fs::read_link(&link).ok().as_deref() != Some(&*target) {
            let _none = fs::remove_file(&link);
            std::os::unix::fs::symlink(target, link)?;
        }
    }
    #[cfg(not(unix))]
    let _ = local_blobs;
    Ok(())
}

/// Writes the files of the packages that the next events are about; `false` when there is no event.
async fn follow(state: &AppState, root: &Path) -> Result<bool, PublicError> {
    let through = state.config.data.join("public-through");
    let before = fs::read_to_string(&through).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    let changed = events::packages_after(&mut *state.db.read().await?, before, BATCH).await?;
    let Some((last, _)) = changed.last().cloned() else { return Ok(false) };
    let names: BTreeSet<String> = changed.into_iter().map(|(_, name)| name).collect();
    for name in names {
        // Read after the event, so the file tells at least of it; a later one comes round again.
        let document =
            if is_public(state, &name) { index::document(&mut *state.db.read().await?, &name).await? } else { None };
        write(root, &name, document.as_deref()).map_err(|source| failed(root, source))?;
    }
    durable::replace(&through, last.to_string().as_bytes(), 0o600).map_err(|source| failed(&through, source))?;
    Ok(true)
}

/// Whether everybody may read it.
fn is_public(state: &AppState, name: &str) -> bool {
    let access = &state.config.access;
    let scope = name.trim_start_matches('@').split('/').next().unwrap_or_default();
    access.reads == Reads::Public && !access.private_scopes.iter().any(|private| private == scope)
}

fn write(root: &Path, name: &str, document: Option<&str>) -> io::Result<()> {
    // Names in the database were checked; this makes sure that none leads out of the folder.
    let Ok(name) = PackageName::lookup(name) else { return Ok(()) };
    let path = root.join("index").join("v1").join(format!("{name}.json"));
    let Some(document) = document else {
        return fs::remove_file(&path).or_else(|e| if e.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(e) });
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    durable::replace_derived(&path, document.as_bytes(), 0o644)
}
