//! Stage 16, extract: into the store, under its digest, read-only.
//!
//! In: [`Verified`]. Out: [`Extracted`], a folder with exactly the bundle's files, complete or not there at
//! all, and beside it the digest of each file for `mpak cache verify`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use mpak_bundle::digest::Sha256;
use mpak_bundle::extract::{ExtractError, ExtractOptions, extract as unpack};
use mpak_bundle::manifest::{Manifest, ServerType};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::verify::Verified;
use crate::error::{CommandError, Kind};
use crate::home::{self, Home, HomeError};

/// A bundle in the store.
pub struct Extracted {
    verified: Verified,
    folder: PathBuf,
}

impl Extracted {
    /// What it was made from.
    pub fn verified(&self) -> &Verified {
        &self.verified
    }
    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// The files of a stored bundle: path to digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// By path, `/`-separated.
    pub files: BTreeMap<String, Sha256>,
}

/// Why nothing was stored.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Extraction.
    #[error("cannot extract the bundle")]
    Extract(#[from] ExtractError),
    /// The home folder.
    #[error(transparent)]
    Home(#[from] HomeError),
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Home(error) => error.into(),
            StoreError::Extract(ExtractError::Archive(_)) => Self::from_error(Kind::NotABundle, &error),
            StoreError::Extract(_) => Self::from_error(Kind::NeedsPerson, &error),
        }
    }
}

/// Extracts into the store, where the bundle may be already.
///
/// # Errors
/// [`StoreError`].
pub fn extract(home: &Home, verified: Verified) -> Result<Extracted, StoreError> {
    let folder = home.stored(verified.sha256());
    if !folder.is_dir() {
        home.create(&home.store())?;
        let force_executable = program(&verified.bundle().manifest);
        unpack(&verified.bundle().archive, &folder, ExtractOptions { read_only: true, sync: true, force_executable })?;
    }
    let list = home.files(verified.sha256());
    if !list.is_file() {
        home.write_json(&list, &files(&folder)?)?;
    }
    Ok(Extracted { verified, folder })
}

/// The entry point of a binary server, which archives made on Windows do not mark as executable.
pub(super) fn program(manifest: &Manifest) -> Option<&str> {
    let server = &manifest.server;
    (server.kind == ServerType::Binary).then_some(server.entry_point.as_str())
}

/// Reads every file of a folder.
///
/// # Errors
/// [`HomeError::Io`].
pub fn files(folder: &Path) -> Result<Files, HomeError> {
    let mut files = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(current) = open.pop() {
        let error = |source| HomeError::Io { verb: "read", path: current.clone(), source };
        for entry in fs::read_dir(&current).map_err(error)? {
            let entry = entry.map_err(error)?;
            if entry.file_type().map_err(error)?.is_dir() {
                open.push(entry.path());
                continue;
            }
            let path = entry.path();
            let relative = path.strip_prefix(folder).expect("found below it").to_string_lossy().replace('\\', "/");
            let read = File::open(&path).and_then(|mut file| Sha256::of_reader(&mut file));
            let (sha256, _) = read.map_err(|source| HomeError::Io { verb: "read", path: path.clone(), source })?;
            files.insert(relative, sha256);
        }
    }
    Ok(Files { files })
}

/// Which files of a stored bundle are not as they were: changed, gone, or new. `None` where nothing is
/// known about them.
///
/// # Errors
/// [`HomeError`].
pub fn changed(home: &Home, sha256: &Sha256) -> Result<Option<Vec<String>>, HomeError> {
    let Some(known) = home::read_json::<Files>(&home.files(sha256))? else { return Ok(None) };
    let found = files(&home.stored(sha256))?;
    let mut paths: Vec<String> = Vec::new();
    for (path, digest) in &known.files {
        if found.files.get(path) != Some(digest) {
            paths.push(path.clone());
        }
    }
    paths.extend(found.files.keys().filter(|path| !known.files.contains_key(*path)).cloned());
    Ok(Some(paths))
}
