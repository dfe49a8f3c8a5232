//! Which files published packages consist of, so that a vendored file is known to be unchanged without believing the
//! bundle that it lies in.
//!
//! In: archives as their ecosystems publish them (wheels, source distributions, npm packages), from outside. Out:
//! for each version of a package the digests of its files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek as _};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use mpak_bundle::archive::Archive;
use mpak_bundle::dependencies::Ecosystem;
use mpak_bundle::digest::Sha256;
use mpak_bundle::limits::Limits;
use serde_json::Value;

use super::input::InputError;
use super::snapshot::BLOCK_BYTES;
use super::wire::{Reader, Writer};
use super::{BuildError, name};

/// What is kept of a file's SHA-256: another file with the same begin cannot be made.
const DIGEST_BYTES: usize = 16;
/// Largest file of a package, and all files of one together.
const FILE_BYTES_MAX: u64 = 512 << 20;
const PACKAGE_BYTES_MAX: u64 = 8 << 30;
/// Most files of one package, most archives.
const FILES_COUNT_MAX: usize = 200_000;
const ARCHIVES_COUNT_MAX: usize = 1_000_000;
/// Largest description of a package.
const ABOUT_BYTES_MAX: u64 = 4 << 20;
/// Longest name and version.
const WORD_BYTES_MAX: usize = 300;

/// The first bytes of a digest.
type Begin = [u8; DIGEST_BYTES];

fn begin(sha256: &Sha256) -> Begin {
    let mut begin = Begin::default();
    begin.copy_from_slice(&sha256.as_bytes()[..DIGEST_BYTES]);
    begin
}

/// The files of one version of a package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Published(BTreeSet<Begin>);

impl Published {
    /// Whether a file of these bytes is one of them.
    pub(crate) fn holds(&self, sha256: &Sha256) -> bool {
        self.0.contains(&begin(sha256))
    }

    /// Reads an entry of a block; `None` where it is none.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let count = reader.count()?;
        let mut files = BTreeSet::new();
        for _ in 0..count {
            let digest: Begin = reader.take(DIGEST_BYTES)?.try_into().ok()?;
            if files.last().is_some_and(|last| *last >= digest) {
                return None;
            }
            files.insert(digest);
        }
        Some(Self(files))
    }

    fn write(&self, writer: &mut Writer) {
        writer.number(self.0.len() as u64);
        self.0.iter().for_each(|digest| writer.0.extend_from_slice(digest));
    }
}

/// Where a version of a package stands in a snapshot. Versions are compared as written: both sides have them from
/// the package itself.
pub(super) fn key(ecosystem: Ecosystem, package: &str, version: &str) -> Vec<u8> {
    let mut key = name::key(ecosystem, package);
    key.push(0);
    key.extend_from_slice(version.as_bytes());
    key
}

/// The files of many packages.
#[derive(Debug, Default)]
pub(super) struct Packages {
    all: BTreeMap<Vec<u8>, Published>,
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
        let mut entries = Vec::new();
        for entry in fs::read_dir(path).map_err(io)? {
            let entry = entry.map_err(io)?;
            let kind = entry.file_type().map_err(io)?;
            // Links are not followed, so that there is an end.
            if kind.is_dir() || kind.is_file() && is_archive(&entry.path()) {
                entries.push(entry.path());
            }
        }
        entries.sort();
        entries.iter().try_for_each(|entry| self.take(entry))
    }

    fn archive(&mut self, path: &Path) -> Result<(), BuildError> {
        self.archives_count += 1;
        if self.archives_count > ARCHIVES_COUNT_MAX {
            return Err(InputError::TooMany { path: path.to_owned() }.into());
        }
        let mut file = File::open(path).map_err(|source| InputError::Io { path: path.to_owned(), source })?;
        let mut first = [0; 2];
        let known = file.read(&mut first).and_then(|_| file.rewind());
        known.map_err(|source| InputError::Io { path: path.to_owned(), source })?;
        let found = match first {
            [b'P', b'K'] => of_zip(file, path)?,
            [0x1f, 0x8b] => of_tar(file, path)?,
            _ => return Err(unfit(path, "it is neither a wheel nor a compressed tar")),
        };
        let (ecosystem, package, version) = found.about.ok_or_else(|| unfit(path, "it says no name and version"))?;
        self.all.entry(key(ecosystem, &package, &version)).or_default().0.extend(found.files);
        Ok(())
    }

    /// Blocks with their first keys.
    pub(super) fn blocks(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut out: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for (key, files) in &self.all {
            let mut writer = Writer::default();
            writer.bytes(key);
            files.write(&mut writer);
            match out.last_mut() {
                Some((_, block)) if block.len() + writer.0.len() <= BLOCK_BYTES => block.extend(writer.0),
                _ => out.push((key.clone(), writer.0)),
            }
        }
        out
    }
}

fn is_archive(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_ascii_lowercase();
    [".whl", ".tgz", ".tar.gz"].iter().any(|end| name.ends_with(end))
}

fn unfit(path: &Path, reason: &'static str) -> BuildError {
    BuildError::Package { path: path.to_owned(), reason }
}

/// What an archive holds.
#[derive(Default)]
struct Held {
    about: Option<(Ecosystem, String, String)>,
    files: BTreeSet<Begin>,
}

impl Held {
    /// Takes a file; `inside` is its path in the package.
    fn file(&mut self, inside: &str, bytes: &[u8]) {
        self.files.insert(begin(&Sha256::of(bytes)));
        if bytes.len() as u64 > ABOUT_BYTES_MAX {
            return;
        }
        let told = match inside {
            "package.json" => of_json(bytes).map(|(name, version)| (Ecosystem::Npm, name, version)),
            "PKG-INFO" => of_headers(bytes).map(|(name, version)| (Ecosystem::Pypi, name, version)),
            _ => None,
        };
        self.about = self.about.take().or(told);
    }
}

fn of_zip(file: File, path: &Path) -> Result<Held, BuildError> {
    let error = |source| InputError::Zip { path: path.to_owned(), source };
    let limits = Limits {
        archive_bytes_max: PACKAGE_BYTES_MAX,
        unpacked_bytes_max: PACKAGE_BYTES_MAX,
        entry_bytes_max: FILE_BYTES_MAX,
        entries_count_max: FILES_COUNT_MAX,
        ..Limits::default()
    };
    let archive = Archive::open(file, &limits).map_err(error)?;
    let mut held = Held::default();
    for entry in archive.entries() {
        let bytes = archive.read(entry, FILE_BYTES_MAX).map_err(error)?;
        let is_about = entry
            .path
            .as_str()
            .split_once('/')
            .is_some_and(|(folder, name)| folder.ends_with(".dist-info") && name == "METADATA");
        held.file(if is_about { "PKG-INFO" } else { "" }, &bytes);
    }
    Ok(held)
}

fn of_tar(file: File, path: &Path) -> Result<Held, BuildError> {
    let io = |source: io::Error| InputError::Io { path: path.to_owned(), source };
    let text = MultiGzDecoder::new(BufReader::new(file)).take(PACKAGE_BYTES_MAX);
    let mut archive = tar::Archive::new(text);
    let mut held = Held::default();
    for (count, entry) in archive.entries().map_err(io)?.enumerate() {
        let entry = entry.map_err(io)?;
        if count >= FILES_COUNT_MAX || entry.size() > FILE_BYTES_MAX {
            return Err(unfit(path, "it has more files, or larger ones, than a package has"));
        }
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let whole = entry.path_bytes().into_owned();
        let mut bytes = Vec::new();
        entry.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(io)?;
        // Everything lies in one folder, whatever its name.
        let inside = String::from_utf8_lossy(&whole);
        let inside = inside.trim_start_matches("./").split_once('/').map_or("", |(_, inside)| inside);
        held.file(inside, &bytes);
    }
    Ok(held)
}

fn of_json(text: &[u8]) -> Option<(String, String)> {
    let about: Value = serde_json::from_slice(text).ok()?;
    told(about.get("name")?.as_str()?, about.get("version")?.as_str()?)
}

/// Core metadata: headers like those of a mail. Spec: PyPA, core metadata.
fn of_headers(text: &[u8]) -> Option<(String, String)> {
    let text = String::from_utf8_lossy(text);
    let value = |wanted: &str| {
        let mut headers = text.lines().take_while(|line| !line.trim().is_empty());
        headers.find_map(|line| {
            let (header, value) = line.split_once(':')?;
            header.eq_ignore_ascii_case(wanted).then(|| value.trim())
        })
    };
    told(value("Name")?, value("Version")?)
}

fn told(name: &str, version: &str) -> Option<(String, String)> {
    let fits = |word: &str| (1..=WORD_BYTES_MAX).contains(&word.len()) && !word.contains(char::is_control);
    (fits(name) && fits(version)).then(|| (name.to_owned(), version.to_owned()))
}
