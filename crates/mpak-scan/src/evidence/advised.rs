//! What is published about the components, and what is said against it.

use mpak_bundle::dependencies::{Component, Survey};

use super::SbomFile;
use crate::advisories::{Found, Package, Snapshot, SnapshotError};
use crate::vex::Statement;

/// Most components of bills of materials that are looked up beside those that were found.
const LISTED_COUNT_MAX: usize = 50_000;

/// Facts for SC-02.
#[derive(Clone, Debug, Default)]
pub struct Advised {
    found: Option<Found>,
    statements: Vec<Statement>,
}

impl Advised {
    /// What the bundle itself says.
    pub(super) fn new(statements: Vec<Statement>) -> Self {
        Self { found: None, statements }
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

    /// What a snapshot says; `None` where there was none.
    pub fn found(&self) -> Option<&Found> {
        self.found.as_ref()
    }

    /// What the bundle itself states about vulnerabilities, which does not count.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }
}
