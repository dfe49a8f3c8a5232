//! Which files are there for a reason: named by the manifest, listed in the record of an installed package,
//! part of an npm package, or spoken of in the server's own files. AI-05 and SC-04 judge what is left.
//!
//! In: the files with their kinds and digests, from an attacker. Out: paths with reasons, bounded.

use std::collections::{BTreeMap, BTreeSet};

use mpak_bundle::digest::Sha256;
use mpak_bundle::manifest::Contents;
use serde_json::Value;

use crate::content::ContentKind;
use crate::evidence::FileFact;

mod manifest;
mod mention;
mod package;
mod record;

/// Most files kept per list.
const FILES_COUNT_MAX: usize = 10_000;

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

/// Looks at all files.
pub(crate) fn look(contents: &dyn Contents, files: &[FileFact], document: Option<&Value>) -> Completeness {
    // 1. What records list, and what differs from them.
    let all: BTreeMap<&str, &FileFact> = files.iter().map(|file| (file.path.as_str(), file)).collect();
    let records = record::read(contents, &all);
    let changed = records.changed(&all);
    // 2. What the manifest names, virtual environments, npm packages.
    let named = manifest::named(document, &all);
    let environments: Vec<String> =
        all.keys().filter_map(|path| environment(path)).take(100).map(str::to_owned).collect();
    let server = document.and_then(|d| d.get("server")?.get("type")?.as_str()).unwrap_or_default();
    let mut packages = package::Packages::new(contents, &all);
    // 3. What is left of executable content.
    let mut left: Vec<Unexpected> = Vec::new();
    let mut archives: Vec<&str> = Vec::new();
    for file in files {
        let path = file.path.as_str();
        let expected = named.contains(path)
            || records.lists(path)
            || environments.iter().any(|folder| in_environment(path, folder))
            || (file.kind == ContentKind::Pyc && has_source(path, &all))
            || packages.explains(file);
        if expected || left.len() >= FILES_COUNT_MAX {
            continue;
        }
        match executable(file, server) {
            Some(what) => left.push(Unexpected { path: path.to_owned(), what, unlisted: false }),
            None if records.owns(path) && is_code(path) => {
                left.push(Unexpected { path: path.to_owned(), what: "code", unlisted: true });
            }
            None if file.kind == ContentKind::Archive => archives.push(path),
            None => {}
        }
    }
    // 4. Of that, what the server's own files speak of.
    let own = |path: &str| !records.lists(path) && !path.split('/').any(|part| part == "node_modules");
    let wanted = left.iter().filter(|u| !u.unlisted).map(|u| u.path.as_str()).chain(archives.iter().copied());
    let wanted: Vec<&str> = wanted.collect();
    let mentioned: Paths = mention::mentioned(contents, files, &wanted, &own).into_iter().map(str::to_owned).collect();
    left.retain(|unexpected| unexpected.unlisted || !mentioned.contains(unexpected.path.as_str()));
    archives.retain(|path| !mentioned.contains(*path));
    archives.truncate(FILES_COUNT_MAX);
    left.sort();
    let archives = archives.into_iter().map(str::to_owned).collect();
    Completeness { unexpected: left, archives, changed, environments }
}

/// What kind of executable content a file is, if it is one that needs a reason.
fn executable(file: &FileFact, server: &str) -> Option<&'static str> {
    let name = file.path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let hidden = file.path.split('/').any(|part| part.starts_with('.') && !matches!(part, "." | ".bin" | ".pnpm"));
    let hook = name.starts_with("postinstall") || name.starts_with("preinstall");
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
