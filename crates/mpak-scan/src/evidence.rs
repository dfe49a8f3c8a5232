//! What the controls judge: everything read once, from a bundle or a folder.
//!
//! In: an opened archive or a folder, from an attacker. Out: facts of bounded size; the content of the
//! files passes through once and is not kept.

use std::path::Path;

use mpak_bundle::archive::Archive;
use mpak_bundle::limits::Limits;
use mpak_bundle::manifest::{self, ManifestRead, Reading};
use serde_json::Value;

use crate::controls::CONTROLS;
use crate::report::{self, Report};

mod source;

use source::{ArchiveSource, FolderSource, Source};

/// The manifest's path.
pub const MANIFEST: &str = "manifest.json";

/// Facts about one bundle.
pub struct Evidence {
    files: Vec<FileFact>,
    manifest: ManifestFacts,
}

/// One file of the bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFact {
    /// Path in the bundle.
    pub path: String,
    /// Size.
    pub bytes: u64,
    /// Whether it gets an execute bit.
    pub executable: bool,
}

/// What is known of `manifest.json`.
pub enum ManifestFacts {
    /// There is none at the root.
    Missing,
    /// It is too large to be read.
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// It was read.
    Read {
        /// The typed reading, with its problems and those against the contents.
        read: Box<ManifestRead>,
        /// The document, also where the typed reading refuses it; `None` where it is not JSON at all.
        document: Option<Value>,
    },
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
    /// The folder holds more than a bundle may.
    #[error("the folder has more than {limit} files")]
    TooManyFiles {
        /// Most files.
        limit: usize,
    },
}

impl Evidence {
    /// From an opened archive (its container is sound; the manifest may be missing or bad).
    ///
    /// # Errors
    /// [`GatherError`].
    pub fn from_archive(archive: &Archive, limits: &Limits) -> Result<Self, GatherError> {
        Self::gather(&ArchiveSource::new(archive), limits)
    }

    /// From a folder, with the ignore rules of `pack`.
    ///
    /// # Errors
    /// [`GatherError`].
    pub fn from_folder(folder: &Path, limits: &Limits) -> Result<Self, GatherError> {
        Self::gather(&FolderSource::collect(folder, limits)?, limits)
    }

    fn gather(source: &dyn Source, limits: &Limits) -> Result<Self, GatherError> {
        // 1. The manifest, and the manifest against the contents.
        let manifest = manifest_facts(source, limits);
        // 2. The list of files.
        let files = source.files();
        // 3. Every file once, to its end: an archive whose data is unsound gives no evidence.
        for file in &files {
            source.copy(&file.path, &mut std::io::sink())?;
        }
        Ok(Self { files, manifest })
    }

    /// Nothing at all.
    #[cfg(test)]
    pub(crate) fn empty() -> Self {
        Self { files: Vec::new(), manifest: ManifestFacts::Missing }
    }

    /// All files, sorted by path.
    pub fn files(&self) -> &[FileFact] {
        &self.files
    }

    /// What is known of the manifest.
    pub fn manifest(&self) -> &ManifestFacts {
        &self.manifest
    }

    /// The manifest as a JSON document, also where the typed reading refuses it.
    pub fn document(&self) -> Option<&Value> {
        match &self.manifest {
            ManifestFacts::Read { document, .. } => document.as_ref(),
            ManifestFacts::Missing | ManifestFacts::TooLarge { .. } => None,
        }
    }
}

fn manifest_facts(source: &dyn Source, limits: &Limits) -> ManifestFacts {
    let bytes = match source.kind(MANIFEST) {
        Some(manifest::FileKind::File(bytes)) if bytes <= limits.manifest_bytes_max => bytes,
        Some(manifest::FileKind::File(bytes)) => {
            return ManifestFacts::TooLarge { bytes, limit: limits.manifest_bytes_max };
        }
        Some(manifest::FileKind::Folder) | None => return ManifestFacts::Missing,
    };
    let Some(text) = source.head(MANIFEST, usize::try_from(bytes).unwrap_or(usize::MAX)) else {
        return ManifestFacts::Missing;
    };
    let mut read = manifest::read(&text, Reading::Tolerant, limits);
    if let Some(manifest) = &read.manifest {
        let problems = manifest::check_contents(manifest, source.contents(), Reading::Tolerant, limits);
        read.problems.extend(problems);
    }
    let document = match &read.manifest {
        Some(manifest) => Some(manifest.raw.clone()),
        None => serde_json::from_slice(text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text)).ok(),
    };
    ManifestFacts::Read { read: Box::new(read), document }
}

/// Judges everything.
pub fn scan(evidence: &Evidence) -> Report {
    report::assemble(CONTROLS, evidence)
}
