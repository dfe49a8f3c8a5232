//! Blobs: bytes by their digest, put once, never changed; in a local folder or in an object store.
//!
//! Layout everywhere, below the folder or the bucket's prefix: `sha256/ab/cdef…`. The database says what
//! must be there; a blob that nothing names is harmless and used again by the next publish of its bytes.
//! What a remote store gives is not trusted: whole blobs are hashed on their way, and the last piece is
//! held back until the digest fits.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use axum::body::Bytes;
use futures_util::stream::BoxStream;
use mpak_bundle::digest::Sha256;
use tempfile::NamedTempFile;
use thiserror::Error;
use url::Url;

use crate::config::{Outbound, Storage};

mod address;
mod beside;
mod connector;
mod local;
pub(crate) mod remote;
mod verified;

use address::Address;
pub(crate) use address::AddressError;
use local::Local;
use remote::Remote;

/// A store of blobs; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) enum Blobs {
    /// A folder of this machine.
    Local(Local),
    /// S3, Google Cloud Storage or Azure Blob Storage.
    Remote(Remote),
}

/// Bytes on their way out.
pub(crate) type Pieces = BoxStream<'static, Result<Bytes, BlobError>>;

/// A blob, or a part of it, being read.
pub(crate) struct Reading {
    /// Length of the whole blob.
    pub(crate) size_bytes: u64,
    /// What is read of it.
    pub(crate) range: Range<u64>,
    /// The bytes; an error ends them.
    pub(crate) pieces: Pieces,
}

/// Why a store cannot be used at all.
#[derive(Debug, Error)]
pub(crate) enum OpenError {
    /// The settings do not name a store.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The folder cannot be made.
    #[error("cannot use the folder of blobs `{path}`")]
    Folder {
        /// Which folder.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The settings of the store contradict each other.
    #[error("cannot use the {store}")]
    Settings {
        /// Which kind of store.
        store: &'static str,
        /// Why.
        source: object_store::Error,
    },
}

/// Why a blob was not put or read.
#[derive(Debug, Error)]
pub(crate) enum BlobError {
    /// It is not there.
    #[error("the blob {sha256} is missing")]
    Missing {
        /// Which blob.
        sha256: Sha256,
    },
    /// Other bytes are there.
    #[error("the blob {expected} is damaged: {found} was found")]
    Damaged {
        /// Which blob.
        expected: Sha256,
        /// What was found under its name: a digest or a length.
        found: String,
    },
    /// There is no room for more.
    #[error("the storage is full")]
    Full(#[source] io::Error),
    /// The store does not answer, or refuses us.
    #[error("the storage does not work")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Our disk.
    #[error("cannot read or write a blob")]
    Io(#[source] io::Error),
}

impl From<io::Error> for BlobError {
    fn from(error: io::Error) -> Self {
        if is_full(&error) { Self::Full(error) } else { Self::Io(error) }
    }
}

/// Whether a write failed because there is no room.
pub(crate) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

impl Blobs {
    /// Opens the store that the settings name; a local folder is created. Whole blobs of remote stores
    /// that must lie in a file are fetched to `tmp`. Whether a remote store answers is not asked:
    /// [`Blobs::check`] does.
    ///
    /// # Errors
    /// [`OpenError`].
    pub(crate) fn open(storage: &Storage, outbound: &Outbound, tmp: &Path) -> Result<Self, OpenError> {
        match Address::parse(storage)? {
            Address::Folder(folder) => Local::open(&folder)
                .map(Self::Local)
                .map_err(|source| OpenError::Folder { path: folder.display().to_string(), source }),
            Address::Remote(address) => Remote::open(&address, storage, outbound, tmp).map(Self::Remote),
        }
    }

    /// Keeps a complete file under its digest, which is that of its bytes. When a blob of this name is
    /// there already and sound, nothing is written; a torn or wrong one is replaced.
    ///
    /// # Errors
    /// [`BlobError`]; nothing half-written is then found under the digest.
    pub(crate) async fn put(&self, file: NamedTempFile, sha256: &Sha256, size_bytes: u64) -> Result<(), BlobError> {
        match self {
            Self::Local(local) => {
                let (local, sha256) = (local.clone(), *sha256);
                blocking(move || local.put(file, &sha256, size_bytes)).await
            }
            Self::Remote(remote) => remote.put(&file, sha256, size_bytes).await,
        }
    }

    /// The length of a blob; nothing when it is not there.
    ///
    /// # Errors
    /// [`BlobError`].
    pub(crate) async fn size(&self, sha256: &Sha256) -> Result<Option<u64>, BlobError> {
        match self {
            Self::Local(local) => {
                let (local, sha256) = (local.clone(), *sha256);
                blocking(move || local.size(&sha256)).await
            }
            Self::Remote(remote) => remote.size(sha256).await,
        }
    }

    /// Reads a blob, or the part of it that a caller who knows its size asks for.
    ///
    /// # Errors
    /// [`BlobError`], also at the end of the bytes: those of a remote store are hashed when all are read.
    pub(crate) async fn read(&self, sha256: &Sha256, range: Option<Range<u64>>) -> Result<Reading, BlobError> {
        match self {
            Self::Local(local) => {
                let (opener, digest) = (local.clone(), *sha256);
                let (file, size_bytes) = blocking(move || opener.file(&digest)).await?;
                Local::read(file, size_bytes, range)
            }
            Self::Remote(remote) => remote.read(sha256, range).await,
        }
    }

    /// A blob as a file at its start, for those who must seek; a remote one is fetched and verified first.
    ///
    /// # Errors
    /// [`BlobError`].
    pub(crate) async fn file(&self, sha256: &Sha256) -> Result<File, BlobError> {
        match self {
            Self::Local(local) => {
                let (local, sha256) = (local.clone(), *sha256);
                blocking(move || local.file(&sha256)).await.map(|(file, _)| file)
            }
            Self::Remote(remote) => remote.file(sha256).await,
        }
    }

    /// An address that gives the blob to whoever has it, for a time; nothing where the store has no such
    /// addresses. Saved under `filename` where the store can say so.
    ///
    /// # Errors
    /// [`BlobError::Unavailable`].
    pub(crate) async fn signed_url(
        &self,
        sha256: &Sha256,
        ttl: Duration,
        filename: Option<&str>,
    ) -> Result<Option<Url>, BlobError> {
        match self {
            Self::Local(_) => Ok(None),
            Self::Remote(remote) => remote.signed_url(sha256, ttl, filename).await.map(Some),
        }
    }

    /// Digests and lengths of all blobs, in no order; what is not named like a blob is passed over.
    pub(crate) fn list(&self) -> BoxStream<'static, Result<(Sha256, u64), BlobError>> {
        match self {
            Self::Local(local) => local.list(),
            Self::Remote(remote) => remote.list(),
        }
    }

    /// Removes a blob; nothing happens when it is not there.
    ///
    /// # Errors
    /// [`BlobError`].
    pub(crate) async fn delete(&self, sha256: &Sha256) -> Result<(), BlobError> {
        match self {
            Self::Local(local) => {
                let (local, sha256) = (local.clone(), *sha256);
                blocking(move || local.delete(&sha256)).await
            }
            Self::Remote(remote) => remote.delete(sha256).await,
        }
    }

    /// The remote store, for what lies in it beside the blobs.
    pub(crate) fn remote(&self) -> Option<&Remote> {
        match self {
            Self::Local(_) => None,
            Self::Remote(remote) => Some(remote),
        }
    }

    /// Whether the store answers and lets us in.
    ///
    /// # Errors
    /// [`BlobError`].
    pub(crate) async fn check(&self) -> Result<(), BlobError> {
        match self {
            Self::Local(local) => {
                let local = local.clone();
                blocking(move || local.check()).await
            }
            Self::Remote(remote) => remote.check().await,
        }
    }
}

/// Where a blob lies below its root: `sha256`, `ab`, `cdef…`.
fn parts(sha256: &Sha256) -> [String; 3] {
    let hex = sha256.to_string();
    ["sha256".to_owned(), hex[..2].to_owned(), hex[2..].to_owned()]
}

/// The digest that a blob's last two parts name.
fn digest_of(first: &str, others: &str) -> Option<Sha256> {
    let lower = |t: &str| t.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let fits = first.len() == 2 && others.len() == 62 && lower(first) && lower(others);
    fits.then(|| format!("{first}{others}").parse().ok()).flatten()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, BlobError> {
    tokio::task::spawn_blocking(work).await.map_err(|died| BlobError::Io(io::Error::other(died)))?
}

/// Removes what uploads of a killed server left behind.
pub(crate) fn empty_tmp(tmp: &Path) -> io::Result<()> {
    fs::create_dir_all(tmp)?;
    for entry in fs::read_dir(tmp)? {
        let path = entry?.path();
        if path.is_dir() { fs::remove_dir_all(&path)? } else { fs::remove_file(&path)? }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blobs_place_names_its_digest_and_nothing_else_does() {
        let sha256 = Sha256::of(b"bytes");
        let [kind, first, others] = parts(&sha256);
        assert_eq!((kind.as_str(), digest_of(&first, &others)), ("sha256", Some(sha256)));
        assert_eq!(digest_of(&first.to_uppercase(), &others.to_uppercase()), None);
        assert_eq!(digest_of(&first, &others[1..]), None);
        assert_eq!(digest_of("..", &others), None);
        assert_eq!(digest_of("é", &others), None);
    }
}
