//! Executable content of npm packages: what `package.json` makes plausible.
//!
//! npm keeps no list of a package's files. A package that says that it has programs or native code
//! (`bin`, `os`, `cpu`, install scripts, helpers that find addons) or that lists its files is believed:
//! such a statement only explains why the file is there, it makes nothing trusted.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::content::ContentKind;
use crate::evidence::FileFact;

/// Largest `package.json` that is read.
pub(crate) const PACKAGE_BYTES_MAX: u64 = 1 << 20;
/// Most entries of `files` that are kept of one package, and the longest.
const PATTERNS_COUNT_MAX: usize = 500;
const PATTERN_BYTES_MAX: usize = 500;
/// Packages that find or build native code for the package that depends on them.
const ADDON_HELPERS: [&str; 9] = [
    "node-gyp-build",
    "node-gyp",
    "prebuild-install",
    "bindings",
    "node-addon-api",
    "nan",
    "node-pre-gyp",
    "@mapbox/node-pre-gyp",
    "napi-macros",
];

/// What a `package.json` says of the package's content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Package {
    /// Its name, where it says a version too: what every installed package does.
    pub(super) name: Option<String>,
    /// It has programs or native code, or ways to find or build it.
    native: bool,
    /// Files and folders that it lists.
    listed: Vec<String>,
}

impl Package {
    /// Nothing where it is not JSON.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        let package: Value = serde_json::from_slice(text).ok()?;
        let files = package.get("files").and_then(Value::as_array).into_iter().flatten();
        let listed = files.chain(package.get("main")).filter_map(Value::as_str);
        let listed = listed.filter(|pattern| pattern.len() <= PATTERN_BYTES_MAX).take(PATTERNS_COUNT_MAX);
        let text = |field: &str| package.get(field).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
        let name = text("name").filter(|name| name.len() <= PATTERN_BYTES_MAX && text("version").is_some());
        Some(Self {
            name: name.map(str::to_owned),
            native: says_native(&package),
            listed: listed.map(str::to_owned).collect(),
        })
    }

    /// Whether it explains native code.
    pub(super) fn explains(&self, folder: &str, path: &str) -> bool {
        self.native || path.get(folder.len() + 1..).is_some_and(|inside| self.lists(inside))
    }

    /// Whether `files` or `main` covers a path; patterns are read as the folders that they begin with.
    fn lists(&self, inside: &str) -> bool {
        self.listed.iter().any(|pattern| {
            let pattern = pattern.trim_start_matches(['.', '/']);
            let start = pattern.split('*').next().unwrap_or_default().trim_end_matches('/');
            let below = |rest: &str| rest.is_empty() || rest.starts_with('/') || pattern.contains('*');
            (!start.is_empty() || pattern.starts_with('*')) && inside.strip_prefix(start).is_some_and(below)
        })
    }
}

/// The folder of an installed package, of the path of its `package.json`.
pub(crate) fn folder_of_package(path: &str) -> Option<&str> {
    let own = path.strip_suffix("/package.json")?;
    folder(path).filter(|folder| *folder == own)
}

/// Whether the package that a file lies in explains it.
pub(super) fn explains(packages: &BTreeMap<String, Package>, all: &BTreeMap<&str, &FileFact>, file: &FileFact) -> bool {
    let Some(folder) = folder(&file.path) else { return false };
    if !all.contains_key(format!("{folder}/package.json").as_str()) {
        // `node_modules/.bin` holds copies of programs of packages.
        return folder.ends_with("node_modules/.bin") && file.kind != ContentKind::Native;
    }
    // Scripts, archives and portable code are ordinary content of packages.
    file.kind != ContentKind::Native || packages.get(folder).is_some_and(|package| package.explains(folder, &file.path))
}

/// `…/node_modules/NAME` or `…/node_modules/@SCOPE/NAME`, the innermost.
pub(crate) fn folder(path: &str) -> Option<&str> {
    folder_from(path, starts(path).last()?)
}

/// The folders of all packages that a file lies in, from the outside.
pub(super) fn folders(path: &str) -> impl Iterator<Item = &str> {
    starts(path).filter_map(|at| folder_from(path, at))
}

/// Where the names of packages begin.
fn starts(path: &str) -> impl Iterator<Item = usize> {
    const FOLDER: &str = "node_modules/";
    let whole = |at: &usize| *at == 0 || path.as_bytes()[at - 1] == b'/';
    path.match_indices(FOLDER).map(|(at, _)| at).filter(whole).map(|at| at + FOLDER.len())
}

fn folder_from(path: &str, at: usize) -> Option<&str> {
    let parts = if path[at..].starts_with('@') { 2 } else { 1 };
    let (end, _) = path[at..].match_indices('/').nth(parts - 1)?;
    Some(&path[..at + end])
}

fn says_native(package: &Value) -> bool {
    let has = |field: &str| package.get(field).is_some_and(|value| !value.is_null());
    let script = |name: &str| package.get("scripts").is_some_and(|scripts| scripts.get(name).is_some());
    let depends = |field: &str| {
        let all = package.get(field).and_then(Value::as_object);
        all.is_some_and(|all| all.keys().any(|name| ADDON_HELPERS.contains(&name.as_str())))
    };
    ["bin", "os", "cpu", "libc", "gypfile", "binary", "napi"].iter().any(|field| has(field))
        || ["install", "preinstall", "postinstall"].iter().any(|name| script(name))
        || ["dependencies", "optionalDependencies", "devDependencies"].iter().any(|field| depends(field))
}
