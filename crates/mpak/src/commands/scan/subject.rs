//! What is scanned: a bundle's file or a folder, opened once.

use std::path::Path;

use mpak_bundle::archive::Archive;
use mpak_bundle::collect::{Collected, collect_any};
use mpak_bundle::digest::Sha256;
use mpak_bundle::limits::Limits;
use mpak_bundle::manifest::Contents;
use mpak_bundle::pack::{PackOptions, pack};
use mpak_scan::evidence::{Cache, Evidence, GatherError, Gathering};
use mpak_scan::outside::Outside;

use crate::bundle_file::{not_a_bundle, open_file};
use crate::error::{CommandError, Kind};

/// A bundle or a folder.
pub enum Subject {
    /// The file of a bundle.
    Bundle(Box<Archive>),
    /// A folder, as `mpak pack` would pack it.
    Folder(Collected),
}

impl Subject {
    /// Opens what stands at a path.
    ///
    /// # Errors
    /// Not found, not readable, or no bundle.
    pub fn open(path: &Path) -> Result<Self, CommandError> {
        let limits = Limits::default();
        if path.is_dir() {
            return collect_any(path, &limits, &[]).map(Self::Folder).map_err(|error| unreadable(path, &error.into()));
        }
        let archive = Archive::open(open_file(path)?, &limits).map_err(|error| not_a_bundle(path, &error))?;
        Ok(Self::Bundle(Box::new(archive)))
    }

    /// The files.
    pub fn contents(&self) -> &dyn Contents {
        match self {
            Self::Bundle(archive) => archive.as_ref(),
            Self::Folder(collected) => collected,
        }
    }

    /// Reads everything once.
    ///
    /// # Errors
    /// Not readable, or evidence from outside about another bundle.
    pub fn evidence(
        &self,
        path: &Path,
        outside: Option<Outside>,
        cache: Option<&Cache>,
    ) -> Result<Evidence, CommandError> {
        let (limits, how) = (Limits::default(), Gathering { cache, ..Gathering::default() });
        let gathered = match self {
            Self::Bundle(archive) => Evidence::from_archive_with(archive, &limits, how),
            Self::Folder(collected) => Evidence::from_collected_with(collected, &limits, how),
        };
        let gathered = gathered.map_err(|error| unreadable(path, &error))?;
        let Some(outside) = outside else { return Ok(gathered) };
        // Evidence about other bytes proves nothing about these.
        let with_digest = match self {
            Self::Bundle(archive) => {
                let sha256 = archive.sha256().map_err(|error| not_a_bundle(path, &error))?;
                gathered.with_artifact(sha256)
            }
            Self::Folder(_) => Ok(gathered),
        };
        with_digest.and_then(|evidence| evidence.with_outside(outside)).map_err(|error| {
            CommandError::from_error(Kind::Verification, &error).hint("ask the registry for the evidence of this file")
        })
    }

    /// Length and digest of the bundle's file; a folder has none.
    pub fn file_digest(&self) -> Option<(u64, Sha256)> {
        match self {
            Self::Bundle(archive) => Some((archive.bytes(), archive.sha256().ok()?)),
            Self::Folder(_) => None,
        }
    }

    /// Digest of the bundle's file; of a folder, of the file that `mpak pack` would write.
    ///
    /// # Errors
    /// Not readable.
    pub fn sha256(&self, path: &Path, source_date_epoch: Option<i64>) -> Result<Sha256, CommandError> {
        match self {
            Self::Bundle(archive) => archive.sha256().map_err(|error| not_a_bundle(path, &error)),
            Self::Folder(collected) => {
                let failed = |error: &dyn std::error::Error| {
                    CommandError::from_error(Kind::No, error).context("the folder cannot be packed to know its digest")
                };
                let folder = tempfile::tempdir().map_err(|error| failed(&error))?;
                let options = PackOptions { source_date_epoch };
                let packed = pack(collected, &folder.path().join("bundle.mcpb"), &options);
                packed.map(|packed| packed.sha256).map_err(|error| failed(&error))
            }
        }
    }
}

fn unreadable(path: &Path, error: &GatherError) -> CommandError {
    match error {
        GatherError::Archive(error) => not_a_bundle(path, error),
        _ => CommandError::from_error(Kind::NotABundle, error)
            .hint("give the path of a .mcpb file, or of a folder with a manifest.json"),
    }
}
