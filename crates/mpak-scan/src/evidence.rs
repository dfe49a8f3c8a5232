//! What the controls judge: everything read once, from a bundle or a folder.

use std::path::Path;

use mpak_bundle::archive::Archive;
use mpak_bundle::limits::Limits;

/// Facts about one bundle.
pub struct Evidence {
    _files: (),
}

/// Why nothing could be gathered.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    /// The archive is unsound.
    #[error(transparent)]
    Archive(#[from] mpak_bundle::archive::ArchiveError),
    /// The folder cannot be read.
    #[error("cannot read `{path}`")]
    Io {
        /// Where.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

impl Evidence {
    /// From an opened archive (its container is sound; the manifest may be missing or bad).
    ///
    /// # Errors
    /// [`GatherError`].
    pub fn from_archive(archive: &Archive, limits: &Limits) -> Result<Self, GatherError> {
        let _ = (archive, limits);
        unimplemented!("helper: scan")
    }

    /// From a folder, with the ignore rules of `pack`.
    ///
    /// # Errors
    /// [`GatherError`].
    pub fn from_folder(folder: &Path, limits: &Limits) -> Result<Self, GatherError> {
        let _ = (folder, limits);
        unimplemented!("helper: scan")
    }
}

/// Judges everything.
pub fn scan(evidence: &Evidence) -> crate::report::Report {
    let _ = evidence;
    unimplemented!("helper: scan")
}
