//! What is published about the components, what is said against it, and which files are as they were published.

use std::collections::BTreeMap;

use mpak_bundle::dependencies::{Component, Ecosystem, Survey};

use super::{FileFact, SbomFile};
use crate::advisories::{Found, Package, Published, Snapshot, SnapshotError};
use crate::completeness::folder_of_npm_package;
use crate::vex::Statement;

/// Most components of bills of materials that are looked up beside those that were found.
const LISTED_COUNT_MAX: usize = 50_000;

/// Facts for SC-02, and for how findings in vendored files count.
#[derive(Clone, Debug, Default)]
pub struct Advised {
    found: Option<Found>,
    statements: Vec<Statement>,
    unchanged: BTreeMap<String, String>,
}

/// Packages installed below one folder, with their names.
type Installed = BTreeMap<String, Vec<(String, Published)>>;

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
        let installed = installed(snapshot, survey)?;
        for (file, _) in files.iter().zip(vendored).filter(|(_, vendored)| **vendored) {
            if let Some(name) = published_in(&installed, file) {
                self.unchanged.insert(file.path.clone(), name.to_owned());
            }
        }
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

/// By the folder that a package's files lie in: an npm package's own, and what Python packages are installed into.
fn installed(snapshot: &Snapshot, survey: &Survey) -> Result<Installed, SnapshotError> {
    let mut installed = Installed::new();
    for component in survey.components.iter().filter(|component| component.is_installed()) {
        let Some((folder, _)) = component.found_in.rsplit_once('/') else { continue };
        let folder = match component.ecosystem {
            Ecosystem::Npm => folder,
            _ => folder.rsplit_once('/').map_or("", |(site, _)| site),
        };
        let Component { ecosystem, name, version, .. } = component;
        if let Some(files) = snapshot.published(*ecosystem, name, version)? {
            installed.entry(folder.to_owned()).or_default().push((format!("{name} {version}"), files));
        }
    }
    Ok(installed)
}

/// The package that a file was published in as it is, of those that it may belong to.
fn published_in<'i>(installed: &'i Installed, file: &FileFact) -> Option<&'i str> {
    let of = |folder: &str| {
        let packages = installed.get(folder).into_iter().flatten();
        packages.filter(|(_, files)| files.holds(&file.sha256)).map(|(name, _)| name.as_str()).next()
    };
    if let Some(folder) = folder_of_npm_package(&file.path) {
        return of(folder);
    }
    let folders = file.path.match_indices('/').map(|(at, _)| &file.path[..at]);
    std::iter::once("").chain(folders).find_map(of)
}
