//! Executable content of npm packages: what `package.json` makes plausible.
//!
//! npm keeps no list of a package's files. A package that says that it has programs or native code
//! (`bin`, `os`, `cpu`, install scripts, helpers that find addons) or that lists its files is believed:
//! such a statement only explains why the file is there, it makes nothing trusted.

use std::collections::BTreeMap;

use mpak_bundle::manifest::Contents;
use serde_json::Value;

use crate::content::ContentKind;
use crate::evidence::FileFact;

/// Largest `package.json` that is read.
const PACKAGE_BYTES_MAX: usize = 1 << 20;
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

/// npm packages, read when first needed.
pub(super) struct Packages<'a> {
    contents: &'a dyn Contents,
    all: &'a BTreeMap<&'a str, &'a FileFact>,
    read: BTreeMap<String, Option<Value>>,
}

impl<'a> Packages<'a> {
    pub(super) fn new(contents: &'a dyn Contents, all: &'a BTreeMap<&'a str, &'a FileFact>) -> Self {
        Self { contents, all, read: BTreeMap::new() }
    }

    /// Whether the package that a file lies in explains it.
    pub(super) fn explains(&mut self, file: &FileFact) -> bool {
        let Some(folder) = package_folder(&file.path) else { return false };
        if !self.all.contains_key(format!("{folder}/package.json").as_str()) {
            // `node_modules/.bin` holds copies of programs of packages.
            return folder.ends_with("node_modules/.bin") && file.kind != ContentKind::Native;
        }
        // Scripts, archives and portable code are ordinary content of packages.
        if file.kind != ContentKind::Native {
            return true;
        }
        let inside = file.path[folder.len() + 1..].to_owned();
        let package = self.package(folder);
        package.is_some_and(|package| says_native(package) || lists(package, &inside))
    }

    fn package(&mut self, folder: &str) -> Option<&Value> {
        let contents = self.contents;
        let read = || {
            let text = contents.head(&format!("{folder}/package.json"), PACKAGE_BYTES_MAX)?;
            serde_json::from_slice(&text).ok()
        };
        self.read.entry(folder.to_owned()).or_insert_with(read).as_ref()
    }
}

/// `…/node_modules/NAME` or `…/node_modules/@SCOPE/NAME`, the innermost.
fn package_folder(path: &str) -> Option<&str> {
    let at =
        path.rfind("node_modules/").filter(|at| *at == 0 || path.as_bytes()[at - 1] == b'/')? + "node_modules/".len();
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

/// Whether `files` or `main` covers a path; patterns are read as the folders that they begin with.
fn lists(package: &Value, inside: &str) -> bool {
    let files = package.get("files").and_then(Value::as_array).into_iter().flatten();
    let main = package.get("main");
    files.chain(main).filter_map(Value::as_str).any(|pattern| {
        let pattern = pattern.trim_start_matches(['.', '/']);
        let start = pattern.split('*').next().unwrap_or_default().trim_end_matches('/');
        let below = |rest: &str| rest.is_empty() || rest.starts_with('/') || pattern.contains('*');
        (!start.is_empty() || pattern.starts_with('*')) && inside.strip_prefix(start).is_some_and(below)
    })
}
