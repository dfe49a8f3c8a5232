//! Stage 17, activate: from here on a request means this folder.
//!
//! In: [`Extracted`]. Out: [`Activated`]. Our record of the package is replaced in one step; then the copy
//! for existing clients is. A kill between the two leaves their older copy, which is still whole.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use mpak_bundle::digest::Sha256;
use mpak_bundle::extract::{ExtractOptions, extract as unpack};
use mpak_runner::runtime::python::vendored_abis;

use super::download::discard;
use super::extract::{Extracted, StoreError, program};
use super::resolve::Resolved;
use crate::home::meta::{META, Meta};
use crate::home::record::{Installed, Record};
use crate::home::{self, Home, HomeError, lock};
use crate::ui;

/// A bundle that may be run.
#[derive(Clone, Debug)]
pub struct Activated {
    folder: PathBuf,
    sha256: Sha256,
    python_abis: BTreeSet<String>,
}

impl Activated {
    /// The folder to run from.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
    /// Digest of the bundle.
    pub fn sha256(&self) -> &Sha256 {
        &self.sha256
    }
    /// Interpreters that its native Python modules need.
    pub fn python_abis(&self) -> &BTreeSet<String> {
        &self.python_abis
    }

    /// An artifact of a record, if its folder is still there. Records are written by activation only.
    pub(super) fn from_record(home: &Home, artifact: &Installed) -> Option<Self> {
        Self::stored(home, artifact.sha256, artifact.python_abis.clone())
    }

    pub(super) fn stored(home: &Home, sha256: Sha256, python_abis: BTreeSet<String>) -> Option<Self> {
        let folder = home.stored(&sha256);
        folder.is_dir().then_some(Self { folder, sha256, python_abis })
    }
}

/// What was resolved is installed already: notes that it was asked for.
///
/// # Errors
/// [`HomeError`].
pub fn again(home: &Home, resolved: &Resolved) -> Result<Option<Activated>, HomeError> {
    let Some(record) = Record::read(home, resolved.registry(), resolved.name())? else { return Ok(None) };
    let same = |a: &&Installed| a.sha256 == *resolved.sha256() && a.version == resolved.version();
    let Some(artifact) = record.artifacts.iter().find(same) else { return Ok(None) };
    let Some(activated) = Activated::from_record(home, artifact) else { return Ok(None) };
    note(home, resolved, artifact.clone())?;
    touch(home, resolved);
    Ok(Some(activated))
}

/// Makes the bundle what its name means.
///
/// # Errors
/// [`StoreError`].
pub fn activate(home: &Home, extracted: &Extracted) -> Result<Activated, StoreError> {
    let verified = extracted.verified();
    let paths = verified.bundle().archive.entries().iter().map(|e| e.path.as_str());
    let python_abis = vendored_abis(paths);
    if let Some(resolved) = verified.resolved() {
        // 1. our own record
        let installed = Installed {
            version: resolved.version().to_owned(),
            platform: resolved.platform().clone(),
            sha256: *verified.sha256(),
            size: verified.size(),
            pulled_at: home::now(),
            python_abis: python_abis.clone(),
        };
        note(home, resolved, installed)?;
        // 2. the copy for existing clients; ours runs without it
        if let Err(error) = copy(home, extracted, resolved) {
            ui::note(&format!("warning: the copy for other clients was not made: {error}"));
        }
        discard(verified.path());
    }
    Ok(Activated { folder: extracted.folder().to_owned(), sha256: *extracted.verified().sha256(), python_abis })
}

/// Puts an artifact in front of a package's record.
fn note(home: &Home, resolved: &Resolved, artifact: Installed) -> Result<(), HomeError> {
    let _held = lock::exclusive(home, "records")?;
    let mut record = Record::read(home, resolved.registry(), resolved.name())?.unwrap_or_else(|| Record {
        registry: resolved.registry().to_owned(),
        name: resolved.name().to_string(),
        current: resolved.version().to_owned(),
        artifacts: Vec::new(),
    });
    record.artifacts.retain(|a| a.version != artifact.version || a.platform != artifact.platform);
    record.artifacts.insert(0, artifact);
    if resolved.becomes_current() {
        resolved.version().clone_into(&mut record.current);
    }
    home.write_json(&home.record(resolved.registry(), resolved.name()), &record)
}

/// A full copy with its `.mpak-meta.json`, made apart and put in place by renaming.
fn copy(home: &Home, extracted: &Extracted, resolved: &Resolved) -> Result<(), StoreError> {
    let meta = Meta {
        version: resolved.version().to_owned(),
        pulled_at: home::now(),
        last_checked_at: Some(home::now()),
        platform: resolved.platform().clone(),
    };
    put_copy(home, extracted, &home.cache_entry(resolved.name()), META, &meta.to_bytes())
}

pub(super) fn put_copy(
    home: &Home,
    extracted: &Extracted,
    entry: &Path,
    meta_name: &str,
    meta: &[u8],
) -> Result<(), StoreError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| HomeError::Io { verb: "write", path, source }
    };
    home.create(&home.tmp())?;
    let staging = tempfile::Builder::new().prefix("copy-").tempdir_in(home.tmp()).map_err(io(&home.tmp()))?;
    let fresh = staging.path().join("new");
    let bundle = extracted.verified().bundle();
    let options = ExtractOptions { force_executable: program(&bundle.manifest), ..ExtractOptions::default() };
    unpack(&bundle.archive, &fresh, options)?;
    // a bundle may hold a file of that name; the last word is ours
    let path = fresh.join(meta_name);
    if fs::symlink_metadata(&path).is_ok_and(|m| m.is_dir()) {
        home::remove(&path)?;
    }
    mpak_bundle::durable::replace(&path, meta, 0o644).map_err(io(&path))?;

    let _held = lock::exclusive(home, "cache")?;
    home.create(entry.parent().expect("entries lie in the cache"))?;
    if fs::symlink_metadata(entry).is_ok() {
        fs::rename(entry, staging.path().join("old")).map_err(io(entry))?;
    }
    mpak_bundle::durable::rename(&fresh, entry).map_err(io(entry))?;
    Ok(())
}

/// Notes in the copy for existing clients that the registry was asked, if the copy is of that version.
fn touch(home: &Home, resolved: &Resolved) {
    let entry = home.cache_entry(resolved.name());
    let Some(meta) = Meta::read(&entry).filter(|m| m.version == resolved.version()) else { return };
    let meta = Meta { last_checked_at: Some(home::now()), ..meta };
    // only existing clients look at it
    let _tried = mpak_bundle::durable::replace(&entry.join(META), &meta.to_bytes(), 0o644);
}
