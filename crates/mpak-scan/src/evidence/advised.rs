//! What is published about the components, what is said against it, and which files are as they were published.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::{HashMap, HashSet};
use mpak_bundle::dependencies::{Component, Ecosystem, Survey};

use super::{FileFact, SbomFile};
use crate::advisories::{Found, Package, PublishedId, Snapshot, SnapshotError, published_id, published_key};
use crate::completeness::folder_of_npm_package;
use crate::vex::Statement;

/// Most components of bills of materials that are looked up beside those that were found.
const LISTED_COUNT_MAX: usize = 50_000;
/// Most folders of Python packages in each other that a file is looked for in.
const FOLDERS_COUNT_MAX: usize = 4;

/// Facts for SC-02, and for how findings in vendored files count.
#[derive(Clone, Debug, Default)]
pub struct Advised {
    found: Option<Found>,
    statements: Vec<Statement>,
    unchanged: BTreeMap<String, String>,
}

impl Advised {
    /// What the bundle itself says.
    pub(super) fn new(statements: Vec<Statement>) -> Self {
        Self { statements, ..Self::default() }
    }

    /// Looks up everything that was found, and what only a bill of materials lists.
    pub(super) fn look_up(
        &mut self,
        snapshot: &Snapshot,
        survey: &Survey,
        sboms: &[SbomFile],
    ) -> Result<(), SnapshotError> {
        let mut components = survey.components.clone();
        let listed =
            sboms.iter().flat_map(|file| file.read.iter().flat_map(|s| &s.components).map(move |c| (&file.path, c)));
        for (path, listed) in listed.take(LISTED_COUNT_MAX) {
            let package = listed.purl.as_ref().and_then(|purl| Package::of_purl(purl));
            let Some(Package { ecosystem, name, version }) = package else { continue };
            let Some(version) = version.or_else(|| listed.version.clone()) else { continue };
            components.push(Component { ecosystem, name, version, license: None, found_in: path.clone() });
        }
        let found = survey.components.len();
        let mut known: std::collections::HashSet<(String, String)> = std::collections::HashSet::new();
        let mut at = 0;
        components.retain(|component| {
            at += 1;
            let first = known.insert((Package::normal_key(component), component.version.clone()));
            first || at <= found
        });
        self.found = Some(snapshot.find(&components)?);
        Ok(())
    }

    /// Compares vendored files with those of the published packages that stand there. `vendored` tells by number which
    /// these are.
    pub(super) fn compare(
        &mut self,
        snapshot: &Snapshot,
        survey: &Survey,
        files: &[FileFact],
        vendored: &[bool],
    ) -> Result<(), SnapshotError> {
        if !snapshot.knows_files() {
            return Ok(());
        }
        let files: Vec<&FileFact> =
            files.iter().zip(vendored).filter(|(_, vendored)| **vendored).map(|(file, _)| file).collect();
        self.unchanged = unchanged(snapshot, survey, &files)?;
        Ok(())
    }

    /// The package and version that a file was published in as it is, if that is known from outside the bundle.
    pub fn published_in(&self, path: &str) -> Option<&str> {
        self.unchanged.get(path).map(String::as_str)
    }

    /// What a snapshot says; `None` where there was none.
    pub fn found(&self) -> Option<&Found> {
        self.found.as_ref()
    }

    /// What the bundle itself states about vulnerabilities, which does not count.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }
}

/// Packages that are installed in some folders: what they are called, and the numbers of the folders.
struct Installed {
    name: String,
    folders: Vec<usize>,
}

/// The files that are as they were published, each with its package.
fn unchanged(
    snapshot: &Snapshot,
    survey: &Survey,
    files: &[&FileFact],
) -> Result<BTreeMap<String, String>, SnapshotError> {
    // 1. Which package stands in which folders.
    let mut numbers: HashMap<&str, usize> = HashMap::default();
    let mut installed: BTreeMap<Vec<u8>, Installed> = BTreeMap::new();
    for component in survey.components.iter().chain(&survey.copies) {
        let Some(folder) = folder_of(component) else { continue };
        let next = numbers.len();
        let number = *numbers.entry(folder).or_insert(next);
        let Component { ecosystem, name, version, .. } = component;
        let one = installed.entry(published_key(*ecosystem, name, version));
        one.or_insert_with(|| Installed { name: format!("{name} {version}"), folders: Vec::new() })
            .folders
            .push(number);
    }
    // 2. What each file is, seen from each folder that it may have been installed into.
    let mut there: Vec<HashMap<PublishedId, &str>> = vec![HashMap::default(); numbers.len()];
    let mut known: HashSet<PublishedId> = HashSet::default();
    for file in files {
        for (number, inside) in places(&numbers, &file.path) {
            let id = published_id(inside, &file.sha256);
            there[number].insert(id, &file.path);
            known.insert(id);
        }
    }
    // 3. Which of them were published so.
    let mut unchanged = BTreeMap::new();
    let keys: BTreeSet<Vec<u8>> = installed.keys().cloned().collect();
    snapshot.published(&keys, &|id| known.contains(id), &mut |key, published| {
        let Some(Installed { name, folders }) = installed.get(key) else { return };
        for there in folders.iter().map(|number| &there[*number]) {
            let mut take = |path: &str| {
                unchanged.entry(path.to_owned()).or_insert_with(|| name.clone());
            };
            // Whichever is less: many packages may share a folder, and a package may be in many.
            if there.len() < published.ids().len() {
                there.iter().filter(|(id, _)| published.holds(id)).for_each(|(_, path)| take(path));
            } else {
                published.ids().iter().filter_map(|id| there.get(id)).for_each(|path| take(path));
            }
        }
    })?;
    Ok(unchanged)
}

/// The folder that a package's files lie in: an npm package's own, and what Python packages are installed into.
fn folder_of(component: &Component) -> Option<&str> {
    let (folder, _) = component.found_in.rsplit_once('/').filter(|_| component.is_installed())?;
    Some(match component.ecosystem {
        Ecosystem::Npm => folder,
        _ => folder.rsplit_once('/').map_or("", |(site, _)| site),
    })
}

/// The folders, by number, that a file may have been installed into, with its path there: the innermost ones.
fn places<'f>(numbers: &HashMap<&str, usize>, path: &'f str) -> Vec<(usize, &'f str)> {
    if let Some(folder) = folder_of_npm_package(path) {
        let inside = path.get(folder.len() + 1..).unwrap_or_default();
        return numbers.get(folder).map(|number| (*number, inside)).into_iter().collect();
    }
    let around = path.rmatch_indices('/').map(|(at, _)| (&path[..at], &path[at + 1..]));
    let known = around.chain([("", path)]).filter_map(|(folder, inside)| Some((*numbers.get(folder)?, inside)));
    known.take(FOLDERS_COUNT_MAX).collect()
}
