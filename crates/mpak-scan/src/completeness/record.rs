//! `RECORD` of installed Python packages: files with SHA-256. Spec: PyPA, recording installed projects.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use mpak_bundle::digest::Sha256;

use super::{FILES_COUNT_MAX, Listed};
use crate::evidence::FileFact;

/// Largest record that is read.
pub(crate) const RECORD_BYTES_MAX: u64 = 8 << 20;
/// Most lines of all records.
const LINES_COUNT_MAX: usize = 500_000;

/// What all records list.
#[derive(Default)]
pub(super) struct Records {
    listed: Listed,
    /// Folders that packages own: the first folder of each listed path, below the folder of installation.
    owned: BTreeSet<String>,
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
            let site = folder.rsplit_once('/').map_or("", |(site, _)| site);
            records.listed.insert(path.to_owned(), None);
            for line in String::from_utf8_lossy(text).lines() {
                lines += 1;
                if lines > LINES_COUNT_MAX {
                    return records;
                }
                records.line(site, line, all);
            }
        }
        records
    }

    /// `path,sha256=DIGEST,size`; a path with a comma is quoted.
    fn line(&mut self, site: &str, line: &str, all: &HashSet<&str>) {
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
        self.listed.insert(place, hash);
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
        let differs = |(path, wanted): &(&String, &Option<Sha256>)| {
            wanted.is_some() && all.get(path.as_str()).is_some_and(|file| Some(file.sha256) != **wanted)
        };
        self.listed.iter().filter(differs).map(|(path, _)| path.clone()).take(FILES_COUNT_MAX).collect()
    }
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
