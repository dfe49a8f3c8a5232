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
pub(crate) use package::{PACKAGE_BYTES_MAX, Package, folder_of_package};
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
pub(crate) struct Reasons {
    records: Records,
    named: Paths,
    environments: Vec<String>,
    /// By folder.
    packages: BTreeMap<String, Package>,
    server: String,
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
        let (records, named) = (Records::read(records, all), manifest::named(document, all));
        Self { records, named, environments, packages, server }
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
    Completeness { unexpected: left, archives, changed, environments: reasons.environments.clone() }
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

/// Whether files of this ending are in the language of the server.
fn speaks(server: &str, extension: &str) -> bool {
    match server {
        "python" | "uv" => matches!(extension, "py"),
        "node" => matches!(extension, "js" | "mjs" | "cjs" | "ts" | "mts" | "cts"),
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

/// Paths with the digests that something names for them.
type Listed = BTreeMap<String, Option<Sha256>>;
/// Paths of files, sorted.
type Paths = BTreeSet<String>;

#[cfg(test)]
mod tests;
