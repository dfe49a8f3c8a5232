//! Which files are there for a reason: named by the manifest, listed in the record of an installed package,
//! part of an npm package, or spoken of in the server's own files. AI-05 and SC-04 judge what is left.
//!
//! In: the files with their kinds and digests, from an attacker. Out: paths with reasons, bounded.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use mpak_bundle::digest::Sha256;
use serde_json::Value;

use crate::content::ContentKind;
use crate::evidence::FileFact;

mod manifest;
mod mention;
mod package;
mod record;

pub(crate) use mention::Mentions;
pub(crate) use package::{PACKAGE_BYTES_MAX, Package, folder as folder_of_npm_package, folder_of_package};
pub(crate) use record::{RECORD_BYTES_MAX, is_record};

use record::Records;

/// Most files kept per list.
const FILES_COUNT_MAX: usize = 10_000;
/// Most virtual environments.
const ENVIRONMENTS_COUNT_MAX: usize = 100;

/// What is known of the files' reasons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completeness {
    /// Executable content that nothing explains, by path.
    pub unexpected: Vec<Unexpected>,
    /// Archives that nothing explains, by path.
    pub archives: Vec<String>,
    /// Files whose bytes are not those that their package's record names, by path.
    pub changed: Vec<String>,
    /// Records of packages that name files without digests, by path.
    pub without_hash: Vec<String>,
    /// Source files that the entry point does not come to, and that no package explains.
    pub unreached: Vec<String>,
    /// Folders of virtual environments.
    pub environments: Vec<String>,
}

/// Executable content that nothing explains.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unexpected {
    /// Its path.
    pub path: String,
    /// What it is, in words.
    pub what: &'static str,
    /// Whether it lies in the folder of an installed package whose record does not list it.
    pub unlisted: bool,
}

/// What is known of the reasons of files before the files themselves are read.
#[derive(Debug)]
pub(crate) struct Reasons {
    records: Records,
    named: Paths,
    environments: Vec<String>,
    /// By folder.
    packages: BTreeMap<String, Package>,
    server: String,
    /// The bundle's own name, and its last part in the normal form of names.
    whole_name: String,
    name: String,
}

impl Reasons {
    /// From all paths, the contents of the installers' records, and what packages say of themselves.
    pub(crate) fn new<'r>(
        all: &HashSet<&str>,
        records: impl IntoIterator<Item = (&'r str, &'r [u8])>,
        packages: BTreeMap<String, Package>,
        document: Option<&Value>,
    ) -> Self {
        let mut environments: Vec<String> =
            all.iter().filter_map(|path| environment(path)).map(str::to_owned).collect();
        environments.sort();
        environments.truncate(ENVIRONMENTS_COUNT_MAX);
        let server = document.and_then(|d| d.get("server")?.get("type")?.as_str()).unwrap_or_default().to_owned();
        let whole_name = document.and_then(|d| d.get("name")?.as_str()).unwrap_or_default().to_owned();
        let name = record::plain_name(whole_name.rsplit('/').next().unwrap_or_default());
        let (records, named) = (Records::read(records, all), manifest::named(document, all));
        Self { records, named, environments, packages, server, whole_name, name }
    }

    /// Files that the manifest names to be started.
    pub(crate) fn started(&self) -> impl Iterator<Item = &str> {
        self.named.iter().map(String::as_str)
    }

    /// The digest that the record of a Python package names for a file, and the number of that record. A record of
    /// the bundle's own project does not count: its files are the server's own.
    pub(crate) fn recorded(&self, path: &str) -> Option<(usize, Sha256)> {
        let is_other = |record: &usize| self.name.is_empty() || self.records.project(*record) != self.name;
        self.records.installed(path).filter(|(record, _)| is_other(record))
    }

    /// Whether a file is of an npm package: of one that says its name and version, other than the bundle itself.
    pub(crate) fn is_of_npm_package(&self, path: &str) -> bool {
        let name = |folder| self.packages.get(folder).and_then(|package| package.name.as_deref());
        package::folders(path).filter_map(name).any(|name| name != self.whole_name)
            || package::folders(path).any(|folder| folder.ends_with("node_modules/.bin"))
    }

    /// What the server's own files are searched for: names of files that nothing explains so far.
    pub(crate) fn mentions(&self, all: &HashSet<&str>) -> Mentions {
        let mut wanted: Vec<&str> = all.iter().copied().filter(|path| self.may_need_mention(path)).collect();
        wanted.sort_unstable();
        Mentions::new(wanted)
    }

    /// Whether a file belongs to the server itself: what it speaks of is there for a reason.
    pub(crate) fn is_own(&self, path: &str) -> bool {
        !self.records.lists(path) && !path.split('/').any(|part| part == "node_modules")
    }

    /// Judged by its path alone. What is named like a document or like source code in the server's own language
    /// and is something else is not explained by its name being used.
    fn may_need_mention(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        let plain =
            DOCUMENTS.contains(&extension) || (speaks(&self.server, extension) && !is_hidden(path) && !is_hook(&name));
        let explained = || match package::folder(path) {
            Some(folder) => {
                is_code(path) && !is_native_name(path)
                    || self.packages.get(folder).is_some_and(|p| p.explains(folder, path))
            }
            None => false,
        };
        !plain && !self.is_explained_by_path(path) && !explained()
    }

    fn is_explained_by_path(&self, path: &str) -> bool {
        self.named.contains(path)
            || self.records.lists(path)
            || self.environments.iter().any(|folder| in_environment(path, folder))
    }
}

/// Looks at all files. `packages_at` says where packages stand, `mentioned` which files the server's own ones speak of.
pub(crate) fn look(reasons: &Reasons, files: &[FileFact], mentioned: &BTreeSet<&str>) -> Completeness {
    // 1. What differs from the records.
    let all: BTreeMap<&str, &FileFact> = files.iter().map(|file| (file.path.as_str(), file)).collect();
    let changed = reasons.records.changed(&all);
    // 2. What is left of executable content.
    let mut left: Vec<Unexpected> = Vec::new();
    let mut archives: Vec<&str> = Vec::new();
    for file in files {
        let path = file.path.as_str();
        let expected = reasons.is_explained_by_path(path)
            || (file.kind == ContentKind::Pyc && has_source(path, &all))
            || package::explains(&reasons.packages, &all, file);
        if expected || left.len() >= FILES_COUNT_MAX {
            continue;
        }
        match executable(file, &reasons.server) {
            Some(what) => left.push(Unexpected { path: path.to_owned(), what, unlisted: false }),
            None if reasons.records.owns(path) && is_code(path) => {
                left.push(Unexpected { path: path.to_owned(), what: "code", unlisted: true });
            }
            None if file.kind == ContentKind::Archive => archives.push(path),
            None => {}
        }
    }
    // 3. Of that, what the server's own files speak of.
    left.retain(|unexpected| unexpected.unlisted || !mentioned.contains(unexpected.path.as_str()));
    archives.retain(|path| !mentioned.contains(*path));
    archives.truncate(FILES_COUNT_MAX);
    left.sort();
    let archives = archives.into_iter().map(str::to_owned).collect();
    let (without_hash, environments) = (reasons.records.without_hash(), reasons.environments.clone());
    Completeness { unexpected: left, archives, changed, without_hash, unreached: Vec::new(), environments }
}

impl Completeness {
    /// Adds source files that the entry point does not come to.
    pub(crate) fn add_unreached(&mut self, paths: &[String], reasons: &Reasons) {
        let explained = |path: &str| reasons.is_explained_by_path(path) || package::folder(path).is_some();
        let told = |path: &str| self.unexpected.iter().any(|unexpected| unexpected.path == path);
        let left: Vec<String> = paths.iter().filter(|path| !explained(path) && !told(path)).cloned().collect();
        self.unreached = left;
    }
}

/// Endings of texts that nothing runs.
const DOCUMENTS: [&str; 12] = ["md", "txt", "rst", "json", "map", "pyi", "html", "css", "svg", "png", "yml", "yaml"];

fn is_native_name(path: &str) -> bool {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    matches!(extension, "so" | "pyd" | "node" | "dll" | "dylib")
}

fn is_hidden(path: &str) -> bool {
    path.split('/').any(|part| part.starts_with('.') && !matches!(part, "." | ".bin" | ".pnpm"))
}

fn is_hook(name: &str) -> bool {
    name.starts_with("postinstall") || name.starts_with("preinstall")
}

/// What kind of executable content a file is, if it is one that needs a reason.
fn executable(file: &FileFact, server: &str) -> Option<&'static str> {
    let name = file.path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let (hidden, hook) = (is_hidden(&file.path), is_hook(&name));
    match file.kind {
        ContentKind::Native => Some("native code"),
        ContentKind::Bytecode if extension == "wasm" && !hidden => None,
        ContentKind::Bytecode => Some("code for a virtual machine"),
        ContentKind::Pyc => Some("compiled Python without its source"),
        // A server's own language, in the open.
        ContentKind::Script if !hidden && !hook && speaks(server, extension) => None,
        ContentKind::Script => Some("a script"),
        ContentKind::Text
            if matches!(
                extension,
                "sh" | "bash" | "zsh" | "ksh" | "bat" | "cmd" | "ps1" | "psm1" | "command" | "vbs"
            ) =>
        {
            Some("a shell script")
        }
        ContentKind::Text if hook && is_code(&name) => Some("an install hook"),
        ContentKind::Text if hidden && is_code(&name) => Some("hidden code"),
        ContentKind::Archive
            if matches!(extension, "jar" | "war" | "pyz" | "whl" | "egg" | "msi" | "apk" | "appimage") =>
        {
            Some("an archive that is run")
        }
        _ => None,
    }
}

/// Whether files of this ending are in the language of the server; where nothing says which that is, in any.
fn speaks(server: &str, extension: &str) -> bool {
    let python = || extension == "py";
    let node = || matches!(extension, "js" | "mjs" | "cjs" | "ts" | "mts" | "cts");
    match server {
        "python" | "uv" => python(),
        "node" => node(),
        "" => python() || node(),
        _ => false,
    }
}

fn is_code(path: &str) -> bool {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    matches!(extension, "py" | "pyc" | "pyd" | "so" | "js" | "mjs" | "cjs" | "ts" | "go" | "rs" | "rb" | "pl" | "php")
}

/// `x/__pycache__/m.cpython-312.pyc` has its source at `x/m.py`.
fn has_source(path: &str, all: &BTreeMap<&str, &FileFact>) -> bool {
    let Some((folder, name)) = path.rsplit_once('/') else { return false };
    let module = name.split('.').next().unwrap_or_default();
    let Some(above) = folder.strip_suffix("__pycache__") else {
        return all.contains_key(format!("{folder}/{module}.py").as_str());
    };
    all.contains_key(format!("{above}{module}.py").as_str())
}

/// The folder of a virtual environment, with `/` behind it.
fn environment(path: &str) -> Option<&str> {
    path.strip_suffix("pyvenv.cfg").filter(|folder| folder.ends_with('/'))
}

/// Whether a file is what making a virtual environment puts into it.
fn in_environment(path: &str, folder: &str) -> bool {
    let name = path.strip_prefix(folder).and_then(|rest| rest.strip_prefix("bin/").or(rest.strip_prefix("Scripts/")));
    name.is_some_and(|name| {
        let name = name.to_ascii_lowercase();
        ["activate", "deactivate", "python", "pip", "wheel", "easy_install"].iter().any(|known| name.starts_with(known))
    })
}

/// Paths of files, sorted.
type Paths = BTreeSet<String>;

#[cfg(test)]
mod tests;
