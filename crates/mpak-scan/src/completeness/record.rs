//! `RECORD` of installed Python packages: files with SHA-256. Spec: PyPA, recording installed projects.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use mpak_bundle::digest::Sha256;

use super::FILES_COUNT_MAX;
use crate::evidence::FileFact;

/// Largest record that is read.
pub(crate) const RECORD_BYTES_MAX: u64 = 8 << 20;
/// Most lines of all records.
const LINES_COUNT_MAX: usize = 500_000;

/// What all records list.
#[derive(Debug, Default)]
pub(super) struct Records {
    listed: BTreeMap<String, Line>,
    /// Folders that packages own: the first folder of each listed path, below the folder of installation.
    owned: BTreeSet<String>,
    /// By number: the project that a record is of, and the folder that it was installed into.
    projects: Vec<Project>,
    /// Records that name files without digests, by number.
    without_hash: BTreeSet<usize>,
}

/// What a record says of one file.
#[derive(Debug)]
struct Line {
    hash: Option<Sha256>,
    record: usize,
}

/// A project that was installed.
#[derive(Debug)]
struct Project {
    /// Path of its record.
    path: String,
    /// In the normal form of names.
    name: String,
    /// With `/` behind it, empty at the root.
    site: String,
}

/// Whether a file is such a record.
pub(crate) fn is_record(path: &str) -> bool {
    path.ends_with(".dist-info/RECORD")
}

impl Records {
    /// From the records' paths and contents.
    pub(super) fn read<'r>(texts: impl IntoIterator<Item = (&'r str, &'r [u8])>, all: &HashSet<&str>) -> Self {
        let mut records = Self::default();
        let mut lines = 0;
        for (path, text) in texts {
            let folder = path.trim_end_matches("/RECORD");
            let (site, of) = folder.rsplit_once('/').unwrap_or(("", folder));
            let record = records.projects.len();
            let inside = if site.is_empty() { String::new() } else { format!("{site}/") };
            let name = plain_name(of.split('-').next().unwrap_or_default());
            records.projects.push(Project { path: path.to_owned(), name, site: inside });
            records.listed.insert(path.to_owned(), Line { hash: None, record });
            for line in String::from_utf8_lossy(text).lines() {
                lines += 1;
                if lines > LINES_COUNT_MAX {
                    return records;
                }
                records.line(record, site, line, all);
            }
        }
        records
    }

    /// `path,sha256=DIGEST,size`; a path with a comma is quoted.
    fn line(&mut self, record: usize, site: &str, line: &str, all: &HashSet<&str>) {
        let (path, rest) = match line.strip_prefix('"').and_then(|quoted| quoted.split_once("\",")) {
            Some((path, rest)) => (path.replace("\"\"", "\""), rest),
            None => match line.split_once(',') {
                Some((path, rest)) => (path.to_owned(), rest),
                None => return,
            },
        };
        let path = path.replace('\\', "/");
        let hash = rest.split(',').next().and_then(|hash| hash.strip_prefix("sha256=")).and_then(digest);
        let place = joined(site, &path).filter(|place| all.contains(place.as_str())).or_else(|| {
            // `pip install --target` moves programs into `bin` below the target and leaves the record as it was.
            let name = path.rsplit_once("bin/").or(path.rsplit_once("Scripts/")).filter(|_| path.starts_with("../"))?.1;
            let bin = ["bin", "Scripts"]
                .map(|bin| if site.is_empty() { format!("{bin}/{name}") } else { format!("{site}/{bin}/{name}") });
            bin.into_iter().find(|place| all.contains(place.as_str()))
        });
        let Some(place) = place else { return };
        if let Some((first, _)) =
            path.split_once('/').filter(|(first, _)| *first != ".." && !first.ends_with(".dist-info"))
        {
            self.owned.insert(if site.is_empty() { format!("{first}/") } else { format!("{site}/{first}/") });
        }
        // Only the record itself and what Python compiled have no digest; another line without one explains nothing.
        if hash.is_none() {
            if !is_compiled(&path) && !path.contains(".dist-info/RECORD") {
                self.without_hash.insert(record);
            }
            return;
        }
        self.listed.insert(place, Line { hash, record });
    }

    /// The record that lists a file in the folder that it was installed into, with the digest that it names.
    pub(super) fn installed(&self, path: &str) -> Option<(usize, Sha256)> {
        let Line { hash, record } = self.listed.get(path)?;
        let hash = hash.filter(|_| path.starts_with(&self.projects[*record].site))?;
        Some((*record, hash))
    }

    /// The project of a record, in the normal form of names.
    pub(super) fn project(&self, record: usize) -> &str {
        &self.projects[record].name
    }

    /// Paths of records that name files without digests.
    pub(super) fn without_hash(&self) -> Vec<String> {
        self.without_hash.iter().map(|record| self.projects[*record].path.clone()).take(FILES_COUNT_MAX).collect()
    }

    /// Whether a record lists a file, whatever its bytes.
    pub(super) fn lists(&self, path: &str) -> bool {
        self.listed.contains_key(path)
    }

    /// Whether a file lies in a folder of an installed package.
    pub(super) fn owns(&self, path: &str) -> bool {
        path.match_indices('/').any(|(at, _)| self.owned.contains(&path[..=at]))
    }

    /// Files whose bytes are not the listed ones.
    pub(super) fn changed(&self, all: &BTreeMap<&str, &FileFact>) -> Vec<String> {
        let differs = |(path, line): &(&String, &Line)| {
            line.hash.is_some() && all.get(path.as_str()).is_some_and(|file| Some(file.sha256) != line.hash)
        };
        self.listed.iter().filter(differs).map(|(path, _)| path.clone()).take(FILES_COUNT_MAX).collect()
    }
}

/// A name in the form in which names of projects are compared. Spec: PyPA, name normalization.
pub(super) fn plain_name(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    for c in name.chars().flat_map(char::to_lowercase) {
        match c {
            '-' | '_' | '.' if plain.ends_with('-') => {}
            '-' | '_' | '.' => plain.push('-'),
            c => plain.push(c),
        }
    }
    plain
}

fn is_compiled(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, extension)| extension == "pyc")
}

fn digest(text: &str) -> Option<Sha256> {
    let bytes = URL_SAFE_NO_PAD.decode(text).or_else(|_padded| URL_SAFE.decode(text)).ok()?;
    Some(Sha256::from_bytes(bytes.try_into().ok()?))
}

/// A relative path below a folder; `None` where it leaves the bundle.
fn joined(folder: &str, path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
