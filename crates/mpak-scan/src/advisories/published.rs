//! Which files published packages consist of, so that a vendored file is known to be unchanged without believing the
//! bundle that it lies in.
//!
//! In: archives as their ecosystems publish them (wheels, source distributions, npm packages), from outside. Out:
//! for each version of a package what its files are and where they stand in it. A file counts in its own place only: a
//! test's fixture in the place of the module that is loaded is not as it was published.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use mpak_bundle::dependencies::Ecosystem;
use mpak_bundle::digest::Sha256;

use super::input::InputError;
use super::snapshot::BLOCK_BYTES;
use super::wire::{Reader, Writer};
use super::{BuildError, name};

mod archive;

use archive::{Form, Held};

/// What is kept of a file: a SHA-256.
const ID_BYTES: usize = 32;
/// Most archives.
const ARCHIVES_COUNT_MAX: usize = 1_000_000;

/// A file in its place: the SHA-256 of its path in the folder that packages are installed into (Python), or in its
/// package (npm), of a zero byte, and of the SHA-256 of its content.
pub(crate) type Id = [u8; ID_BYTES];

/// The file of this path and content.
pub(crate) fn id(inside: &str, content: &Sha256) -> Id {
    let mut text = Vec::with_capacity(inside.len() + 1 + ID_BYTES);
    text.extend_from_slice(inside.as_bytes());
    text.push(0);
    text.extend_from_slice(content.as_bytes());
    *Sha256::of(&text).as_bytes()
}

/// The files of one version of a package, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Published(Vec<Id>);

impl Published {
    /// Whether a file is one of them.
    pub(crate) fn holds(&self, id: &Id) -> bool {
        self.0.binary_search(id).is_ok()
    }

    /// All of them.
    pub(crate) fn ids(&self) -> &[Id] {
        &self.0
    }

    /// Reads those files of an entry of a block that are `wanted`; `None` where it is none.
    pub(super) fn read(reader: &mut Reader<'_>, wanted: &dyn Fn(&Id) -> bool) -> Option<Self> {
        let count = reader.count()?;
        let (mut files, mut last) = (Vec::new(), None::<Id>);
        for _ in 0..count {
            let id: Id = reader.take(ID_BYTES)?.try_into().ok()?;
            if last.is_some_and(|last| last >= id) {
                return None;
            }
            last = Some(id);
            if wanted(&id) {
                files.push(id);
            }
        }
        Some(Self(files))
    }
}

/// Where a version of a package stands in a snapshot. Versions are compared as written: both sides have them from
/// the package itself.
pub(crate) fn key(ecosystem: Ecosystem, package: &str, version: &str) -> Vec<u8> {
    let mut key = name::key(ecosystem, package);
    key.push(0);
    key.extend_from_slice(version.as_bytes());
    key
}

/// The archives of one version of a package.
#[derive(Debug, Default)]
struct Version {
    files: BTreeSet<Id>,
    /// Of the forms of which there is one for all platforms: which files it held.
    single: BTreeMap<Form, BTreeSet<Id>>,
}

/// The files of many packages.
#[derive(Debug, Default)]
pub(super) struct Packages {
    all: BTreeMap<Vec<u8>, Version>,
    archives_count: usize,
}

impl Packages {
    /// How many versions of packages there are.
    pub(super) fn count(&self) -> u64 {
        self.all.len() as u64
    }

    /// Takes an archive, or all archives of a folder and of those in it.
    pub(super) fn take(&mut self, path: &Path) -> Result<(), BuildError> {
        if !path.is_dir() {
            return self.archive(path);
        }
        let io = |source| InputError::Io { path: path.to_owned(), source };
        let mut entries: Vec<PathBuf> = Vec::new();
        for entry in fs::read_dir(path).map_err(io)? {
            let entry = entry.map_err(io)?;
            let kind = entry.file_type().map_err(io)?;
            // Links are not followed, so that there is an end.
            if kind.is_dir() || kind.is_file() && archive::is_archive(&entry.path()) {
                entries.push(entry.path());
            }
        }
        entries.sort();
        entries.iter().try_for_each(|entry| self.take(entry))
    }

    fn archive(&mut self, path: &Path) -> Result<(), BuildError> {
        self.archives_count += 1;
        if self.archives_count > ARCHIVES_COUNT_MAX {
            return Err(BuildError::TooManyPackages);
        }
        let Held { form, about: (package, version), files } = archive::read(path)?;
        let key = key(form.ecosystem(), &package, &version);
        let version = self.all.entry(key).or_default();
        // Wheels are made for many platforms; of the other forms there is one.
        if form != Form::Wheel {
            match version.single.get(&form) {
                Some(before) if *before != files => {
                    return Err(unfit(path, "another archive of the same name and version has other files"));
                }
                _ => version.single.insert(form, files.clone()),
            };
        }
        version.files.extend(files);
        Ok(())
    }

    /// Blocks with their first keys.
    pub(super) fn blocks(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut out: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for (key, version) in &self.all {
            let mut writer = Writer::default();
            writer.bytes(key);
            writer.number(version.files.len() as u64);
            version.files.iter().for_each(|id| writer.0.extend_from_slice(id));
            match out.last_mut() {
                Some((_, block)) if block.len() + writer.0.len() <= BLOCK_BYTES => block.extend(writer.0),
                _ => out.push((key.clone(), writer.0)),
            }
        }
        out
    }
}

fn unfit(path: &Path, reason: &'static str) -> BuildError {
    BuildError::Package { path: path.to_owned(), reason }
}
