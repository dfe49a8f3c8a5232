//! Which lockfiles, requirements and installed packages belong to the server; SC-03, SC-04 and SC-05 ask.
//!
//! A bundle may carry projects that the server is not (examples, fixtures of packages). Those count that
//! lie at the root or in a folder above the entry point.

use std::collections::{BTreeMap, BTreeSet};

use mpak_bundle::dependencies::lock::{Index, Lockfile, Origin, Requirement};
use mpak_bundle::dependencies::{Component, Ecosystem};
use serde_json::Value;

use crate::evidence::Evidence;

/// All ecosystems.
pub(crate) const ECOSYSTEMS: [Ecosystem; 4] = [Ecosystem::Npm, Ecosystem::Pypi, Ecosystem::Cargo, Ecosystem::Golang];

/// The supply of one ecosystem.
pub(crate) struct Supply<'a> {
    pub(crate) ecosystem: Ecosystem,
    pub(crate) lockfiles: Vec<&'a Lockfile>,
    /// What the server's own project asks for, but for itself.
    pub(crate) requirements: Vec<&'a Requirement>,
    pub(crate) indexes: Vec<&'a Index>,
    /// Vendored packages, but for the project itself.
    pub(crate) installed: Vec<&'a Component>,
    projects: BTreeSet<&'a str>,
}

impl Supply<'_> {
    /// Nothing of this ecosystem is used.
    pub(crate) fn is_empty(&self) -> bool {
        let locked = self.lockfiles.iter().flat_map(|lock| &lock.packages).any(|p| !p.dev && p.origin != Origin::Own);
        self.requirements.is_empty() && self.installed.is_empty() && !locked
    }

    /// Whether a name is the project's own.
    pub(crate) fn is_project(&self, name: &str) -> bool {
        self.projects.contains(name)
    }

    /// Lockfiles that name everything.
    pub(crate) fn complete(&self) -> impl Iterator<Item = &&Lockfile> {
        self.lockfiles.iter().filter(|lock| lock.complete)
    }

    /// Versions by name, of what the lockfiles name.
    pub(crate) fn locked_versions(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for package in self.lockfiles.iter().flat_map(|lock| &lock.packages) {
            versions.entry(&package.name).or_default().extend(package.version.as_deref());
        }
        versions
    }
}

/// What the server's project and its installation say, by ecosystem.
pub(crate) fn supplies(evidence: &Evidence) -> Vec<Supply<'_>> {
    let survey = evidence.dependencies();
    let locks = &survey.locks;
    let folders = project_folders(evidence);
    let ours = |path: &str| {
        // The record of an installed package counts wherever the package lies.
        if path.ends_with(".dist-info/direct_url.json") {
            return true;
        }
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let folder = folder.strip_suffix("node_modules").map_or(folder, |rest| rest.trim_end_matches('/'));
        folders.contains(folder)
    };
    let supply = |ecosystem| {
        let projects: BTreeSet<&str> =
            locks.projects.iter().filter(|(e, _)| *e == ecosystem).map(|(_, name)| name.as_str()).collect();
        Supply {
            ecosystem,
            lockfiles: locks.lockfiles.iter().filter(|l| l.ecosystem == ecosystem && ours(&l.path)).collect(),
            requirements: locks
                .requirements
                .iter()
                .filter(|r| r.ecosystem == ecosystem && ours(&r.file) && !projects.contains(r.name.as_str()))
                .collect(),
            indexes: locks.indexes.iter().filter(|i| i.ecosystem == ecosystem && ours(&i.file)).collect(),
            installed: survey
                .components
                .iter()
                .filter(|c| c.ecosystem == ecosystem && c.is_installed() && !projects.contains(c.name.as_str()))
                .collect(),
            projects,
        }
    };
    ECOSYSTEMS.into_iter().map(supply).filter(|supply| !supply.is_empty()).collect()
}

/// The root, and every folder above the entry point.
fn project_folders(evidence: &Evidence) -> BTreeSet<String> {
    let mut folders = BTreeSet::from([String::new()]);
    let entry = evidence.document().and_then(|d| d.get("server")?.get("entry_point")?.as_str()).unwrap_or_default();
    let entry = entry.trim_start_matches("./");
    folders.extend(entry.match_indices('/').take(64).map(|(at, _)| entry[..at].to_owned()));
    folders
}

/// One command line that starts the server: where it stands, and its words.
pub(crate) struct Launch {
    /// JSON pointer.
    pub(crate) pointer: String,
    pub(crate) words: Vec<String>,
    /// Names of variables that are set for it.
    pub(crate) variables: Vec<String>,
}

/// Every command line of `server.mcp_config`, also those for one platform.
pub(crate) fn launches(document: &Value) -> Vec<Launch> {
    let Some(config) = document.get("server").and_then(|s| s.get("mcp_config")) else { return Vec::new() };
    let read = |part: &Value, pointer: String| {
        let field = |name: &str| part.get(name).or_else(|| config.get(name));
        let command = field("command").and_then(Value::as_str)?;
        let args = field("args").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let variables = field("env").and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.clone());
        let words = std::iter::once(command).chain(args).take(10_000).map(str::to_owned).collect();
        Some(Launch { pointer, words, variables: variables.collect() })
    };
    let mut all: Vec<Launch> = read(config, "/server/mcp_config".into()).into_iter().collect();
    for (platform, part) in config.get("platform_overrides").and_then(Value::as_object).into_iter().flatten().take(16) {
        all.extend(read(part, format!("/server/mcp_config/platform_overrides/{platform}")));
    }
    all
}
