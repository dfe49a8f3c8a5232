//! Extraction: every file into a fresh staging folder beside the target, then one rename.
//!
//! In: an [`Archive`]. Out: a folder with exactly its files, modes 0644 or 0755, or nothing at all.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::archive::{Archive, ArchiveError};

/// A finished extraction.
#[derive(Debug)]
pub struct Extracted {
    folder: PathBuf,
}

impl Extracted {
    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Why nothing was extracted; nothing is left behind.
#[derive(Debug, Error)]
pub enum ExtractError {
    /// The archive is unsound.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The target exists and is not an empty folder.
    #[error("`{}` already exists and is not an empty folder", path.display())]
    Occupied {
        /// The target.
        path: PathBuf,
    },
    /// The file system refuses.
    #[error("cannot write `{}`", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// How files are written.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExtractOptions {
    /// Remove write permission from files and folders at the end (for the store).
    pub read_only: bool,
}

/// Extracts everything to `folder`, which must not exist or be empty.
///
/// # Errors
/// [`ExtractError`].
pub fn extract(archive: &Archive, folder: &Path, options: ExtractOptions) -> Result<Extracted, ExtractError> {
    let _ = (archive, folder, options);
    unimplemented!("helper: container")
}
