//! The static read path as files: what any file server can serve in our place.
//!
//! ```text
//! DATA/public/                          or, with an object store, PREFIX/ of it
//! ├── .well-known/mpak.json
//! ├── index/v1/@scope/name.json         the same bytes as the API's
//! └── blobs -> the local blob folder    sha256/…, where the store keeps the blobs
//! DATA/public-through                   public-through: the last event that the files tell of, and for whom
//! ```
//!
//! A worker follows the events and writes the file of each package that they are about; of several
//! replicas with an object store one at a time does. Everything here can be made again from the
//! database; without `public-through`, or when an administrator asks for it (`admin reindex`), it is.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mpak_bundle::digest::Sha256;
use mpak_bundle::durable;
use mpak_bundle::name::PackageName;
use thiserror::Error;
use tokio::sync::watch;

use crate::api::index;
use crate::auth::access::Reader;
use crate::blob::BlobError;
use crate::blob::remote::Remote;
use crate::config::Access;
use crate::db::{DbError, Turn, events, reindexes};
use crate::state::AppState;

/// How often new events are looked for.
const LOOK: Duration = Duration::from_millis(300);
/// Events that are worked off between two writes of the position.
const BATCH: i64 = 500;
/// The name of the position.
const THROUGH: &str = "public-through";
/// Of replicas that write to the same store, one has this turn.
const TURN: i64 = 0x6d70_616b_0001;

/// Why a file was not written.
#[derive(Debug, Error)]
enum PublicError {
    #[error("cannot write below `{path}`")]
    Io { path: String, source: io::Error },
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Keeps the files up to date until told to stop.
pub(crate) async fn keep(state: AppState, mut stop: watch::Receiver<bool>) {
    let place = Place::of(&state);
    let (mut begun, mut told_to, mut seen) = (None, String::new(), 0);
    while !*stop.borrow() {
        let kept = async {
            let asked = reindexes::last(&mut *state.db.read().await?).await?;
            if begun != Some(asked) {
                place.begin().await?;
                told_to = made_for(&state.config.access, asked);
                seen = place.through(&told_to).await?;
                begun = Some(asked);
            }
            follow(&state, &place, (&mut seen, &told_to)).await
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

/// Whether the files tell of the last event.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn are_current(state: &AppState) -> Result<bool, DbError> {
    let mut c = state.db.read().await?;
    let told_to = made_for(&state.config.access, reindexes::last(&mut c).await?);
    let through = Place::of(state).through(&told_to).await.unwrap_or(0);
    Ok(events::packages_after(&mut c, through, 1).await?.is_empty())
}

/// Writes the files of the packages that the next events are about; `false` when there is no event, or
/// another replica writes them.
async fn follow(state: &AppState, place: &Place, (seen, told_to): (&mut i64, &str)) -> Result<bool, PublicError> {
    // 1. Whether anything is new since we looked last: asks the database only.
    if events::packages_after(&mut *state.db.read().await?, *seen, 1).await?.is_empty() {
        return Ok(false);
    }
    let _turn = match place {
        Place::Folder { .. } => None,
        Place::Store(_) => match state.db.try_turn(TURN).await? {
            Turn::Mine(turn) => turn,
            Turn::Others => return Ok(false),
        },
    };
    *seen = place.through(told_to).await?;
    let changed = events::packages_after(&mut *state.db.read().await?, *seen, BATCH).await?;
    let Some((last, _)) = changed.last().cloned() else { return Ok(false) };
    // 2. Its files, read after the event, so that they tell at least of it; a later one comes round again.
    let names: BTreeSet<String> = changed.into_iter().map(|(_, name)| name).collect();
    // Files have no gate: they hold what strangers may read.
    let stranger = Reader::stranger(&state.config.access);
    for name in names {
        let document =
            if stranger.may_read(&name) { index::document(&mut *state.db.read().await?, &name).await? } else { None };
        // Names in the database were checked; this makes sure that none leads elsewhere.
        if let Ok(name) = PackageName::lookup(&name) {
            place.write(&format!("index/v1/{name}.json"), document).await?;
        }
    }
    // 3. How far we came.
    place.set_through(last, told_to).await?;
    *seen = last;
    Ok(true)
}

/// For whom the files are, and for which request to make them anew: when that changes, all are written, and
/// those of private packages go.
fn made_for(access: &Access, asked: i64) -> String {
    let request = if asked == 0 { String::new() } else { format!(" {asked}") };
    Sha256::of(format!("{access:?}{request}").as_bytes()).to_string()
}

/// Where the files lie.
enum Place {
    /// Below the data folder.
    Folder { root: PathBuf, through: PathBuf, blobs: Option<PathBuf> },
    /// Beside the blobs.
    Store(Remote),
}

impl Place {
    fn of(state: &AppState) -> Self {
        let data = &state.config.data;
        match state.blobs.remote() {
            Some(remote) => Self::Store(remote.clone()),
            None => Self::Folder {
                root: data.join("public"),
                through: data.join(THROUGH),
                blobs: state.config.storage.local_folder(),
            },
        }
    }

    /// Writes what does not depend on packages.
    async fn begin(&self) -> Result<(), PublicError> {
        // Whoever serves or copies the files serves all of them: what they name lies beside them, wherever that
        // is, also when the registry itself is gone.
        let root = index::relative_root(if matches!(self, Self::Store(_)) { "." } else { "blobs" });
        self.write(".well-known/mpak.json", Some(root)).await?;
        match self {
            #[cfg(unix)]
            Self::Folder { root, blobs: Some(blobs), .. } => {
                link(&root.join("blobs"), blobs).map_err(|source| failed(root, source))
            }
            _ => Ok(()),
        }
    }

    /// Writes a file, or removes it.
    async fn write(&self, path: &str, content: Option<String>) -> Result<(), PublicError> {
        match (self, content) {
            (Self::Folder { root, .. }, content) => {
                write(&root.join(path), content.as_deref()).map_err(|source| failed(root, source))
            }
            (Self::Store(remote), Some(content)) => Ok(remote.put_beside(path, content.into_bytes()).await?),
            (Self::Store(remote), None) => Ok(remote.delete_beside(path).await?),
        }
    }

    /// The last event that the files tell of; none where they were written for other readers.
    async fn through(&self, told_to: &str) -> Result<i64, PublicError> {
        let text = match self {
            Self::Folder { through, .. } => fs::read(through).ok(),
            Self::Store(remote) => remote.read_beside(THROUGH).await?,
        };
        let text = text.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        Ok(text.trim().strip_suffix(told_to).and_then(|seq| seq.trim().parse().ok()).unwrap_or(0))
    }

    async fn set_through(&self, seq: i64, told_to: &str) -> Result<(), PublicError> {
        let text = format!("{seq} {told_to}");
        match self {
            Self::Folder { through, .. } => {
                durable::replace(through, text.as_bytes(), 0o600).map_err(|source| failed(through, source))
            }
            Self::Store(remote) => Ok(remote.put_beside(THROUGH, text.into_bytes()).await?),
        }
    }
}

fn failed(path: &Path, source: io::Error) -> PublicError {
    PublicError::Io { path: path.display().to_string(), source }
}

fn write(path: &Path, content: Option<&str>) -> io::Result<()> {
    let Some(content) = content else {
        return fs::remove_file(path).or_else(|e| if e.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(e) });
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    durable::replace_derived(path, content.as_bytes(), 0o644)
}

/// Makes a link to the blobs, unless it is there.
#[cfg(unix)]
fn link(link: &Path, blobs: &Path) -> io::Result<()> {
    let target = fs::canonicalize(blobs)?;
    if fs::read_link(link).ok().as_deref() == Some(&*target) {
        return Ok(());
    }
    let _none = fs::remove_file(link);
    std::os::unix::fs::symlink(target, link)
}
