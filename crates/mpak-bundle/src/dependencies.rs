//! Components vendored in a bundle: what package managers left as records of their own, and what compilers
//! left in programs.
//!
//! In: the files of a bundle, from an attacker. Out: components, sorted, without doubles. What is
//! installed counts; a lockfile is only asked where nothing of its ecosystem is installed, because it
//! states an intention (development packages, other platforms) and not the content.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::manifest::{Contents, FileKind};

mod binary;
mod cargo;
mod golang;
pub mod lock;
mod npm;
mod pypi;

/// Largest record of one installed package that is read.
const RECORD_BYTES_MAX: usize = 1 << 20;
/// Largest lockfile that is read.
const LOCKFILE_BYTES_MAX: usize = 32 << 20;
/// Most components kept.
const COMPONENTS_COUNT_MAX: usize = 50_000;
/// Longest name, version or licence that is believed.
const FIELD_BYTES_MAX: usize = 512;

/// Where a component comes from, in purl's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ecosystem {
    /// `pkg:npm`
    Npm,
    /// `pkg:pypi`
    Pypi,
    /// `pkg:cargo`
    Cargo,
    /// `pkg:golang`
    Golang,
}

impl Ecosystem {
    /// The type in a package URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pypi => "pypi",
            Self::Cargo => "cargo",
            Self::Golang => "golang",
        }
    }
}

/// One vendored component.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Component {
    /// Ecosystem.
    pub ecosystem: Ecosystem,
    /// Name in the ecosystem's normal form.
    pub name: String,
    /// Exact version.
    pub version: String,
    /// SPDX expression or free text, if recorded.
    pub license: Option<String>,
    /// The record it was found in.
    pub found_in: String,
}

impl Component {
    /// Whether it was found installed; otherwise only a lockfile names it.
    pub fn is_installed(&self) -> bool {
        matches!(file_name(&self.found_in), "package.json" | "METADATA" | "PKG-INFO")
    }

    /// Its package URL, for example `pkg:npm/%40acme/widget@1.0.0`.
    pub fn purl(&self) -> String {
        let name = self.name.split('/').map(encoded).collect::<Vec<_>>().join("/");
        format!("pkg:{}/{name}@{}", self.ecosystem.as_str(), encoded(&self.version))
    }
}

/// Percent-encodes all but what a package URL lets stand in names and versions.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' | b':' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// What a search for components gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Sorted by ecosystem, name and version; one per name and version.
    pub components: Vec<Component>,
    /// Further places in which one of them is installed, as components of their own.
    pub copies: Vec<Component>,
    /// Records that could not be read, sorted: what they stand for is not among the components.
    pub unreadable: Vec<String>,
    /// Whether there were more components than are kept.
    pub truncated: bool,
    /// What lockfiles and projects say.
    pub locks: lock::Locks,
}

/// Finds all components, sorted, without doubles.
pub fn find(contents: &dyn Contents) -> Vec<Component> {
    survey(contents).components
}

/// Finds all components, and says which records could not be read.
pub fn survey(contents: &dyn Contents) -> Survey {
    let paths = contents.paths();
    let size = |path: &str| match contents.kind(path) {
        Some(FileKind::File(bytes)) => bytes,
        Some(FileKind::Folder) | None => 0,
    };
    let programs = programs(paths.iter().map(|path| (path.as_str(), size(path))));
    let of = |path: &String| {
        let program = programs.contains(path);
        if !program && !is_record(path) {
            return None;
        }
        let bytes = usize::try_from(size(path)).ok().filter(|bytes| program || *bytes <= LOCKFILE_BYTES_MAX);
        let content = bytes.and_then(|bytes| contents.head(path, bytes));
        Some(if program { read_program(path, &content.unwrap_or_default()) } else { read(path, content.as_deref()) })
    };
    merge(paths.iter().filter_map(of))
}

/// What one file says of components: of records by [`read`], of programs by [`read_program`].
#[derive(Clone, Debug, Default)]
pub struct Said {
    installed: Vec<Component>,
    /// Of a lockfile, for ecosystems of which nothing is installed.
    locked: Option<Locked>,
    /// Whether it is a precise lockfile of Python; others do not count beside it.
    precise: bool,
    /// The file itself, where it could not be read.
    unreadable: BTreeSet<String>,
    locks: lock::Locks,
}

/// Components of a lockfile.
#[derive(Clone, Debug)]
struct Locked {
    ecosystem: Ecosystem,
    components: Vec<Component>,
    unreadable: BTreeSet<String>,
}

/// Whether a file of this path is a record that [`read`] understands.
pub fn is_record(path: &str) -> bool {
    npm::package_of(path).is_some() || pypi::is_record(path) || lock::reader(path).is_some()
}

/// Paths of the files that may be programs of the bundle's own, which [`read_program`] reads: the first few.
pub fn programs<'a>(files: impl Iterator<Item = (&'a str, u64)>) -> Vec<String> {
    let may_be = files.filter(|(path, bytes)| binary::may_be_program(path, *bytes));
    may_be.take(binary::PROGRAMS_COUNT_MAX).map(|(path, _)| path.to_owned()).collect()
}

/// Largest file that [`read`] needs to see.
pub const READ_BYTES_MAX: u64 = LOCKFILE_BYTES_MAX as u64;

/// Reads one record, by its path; without its content (it is too large, or cannot be read) it is noted as unreadable.
pub fn read(path: &str, content: Option<&[u8]>) -> Said {
    let one = One { path, content };
    let paths = [path.to_owned()];
    // 1. What is installed, and what the file says as a lockfile or project.
    let mut records = Records::new(&one);
    npm::installed(&paths, &mut records);
    pypi::installed(&paths, &mut records);
    let mut locks = lock::Locks::default();
    if let Some(reader) = lock::reader(path) {
        reader(path, &mut records, &mut locks);
    }
    let (installed, unreadable) = (records.components, records.unreadable);
    // 2. Components of a lockfile.
    let lockfiles = [
        (Ecosystem::Npm, npm::locked as fn(&[String], &mut Records<'_>)),
        (Ecosystem::Pypi, pypi::locked),
        (Ecosystem::Cargo, cargo::locked),
        (Ecosystem::Golang, golang::locked),
    ];
    let locked = lockfiles.into_iter().find_map(|(ecosystem, lockfile)| {
        let mut records = Records::new(&one);
        lockfile(&paths, &mut records);
        let Records { components, unreadable, .. } = records;
        (!components.is_empty() || !unreadable.is_empty()).then_some(Locked { ecosystem, components, unreadable })
    });
    Said { installed, locked, precise: pypi::is_precise(path), unreadable, locks }
}

/// Reads one program that [`programs`] named.
pub fn read_program(path: &str, content: &[u8]) -> Said {
    let one = One { path, content: None };
    let mut records = Records::new(&one);
    binary::built_in(path, content, &mut records);
    Said { installed: records.components, unreadable: records.unreadable, ..Said::default() }
}

/// Puts together what all files say, given in the order of the bundle.
pub fn merge(all: impl IntoIterator<Item = Said>) -> Survey {
    let (mut components, mut unreadable, mut locks) = (Vec::new(), BTreeSet::new(), lock::Locks::default());
    let (mut locked, mut precise, mut room) = (Vec::new(), false, COMPONENTS_COUNT_MAX);
    for said in all {
        components.extend(said.installed);
        unreadable.extend(said.unreadable);
        locks.merge(said.locks, &mut room);
        precise |= said.precise;
        locked.extend(said.locked.map(|locked| (locked, said.precise)));
    }
    // Lockfiles count for ecosystems of which nothing is installed.
    let installed: BTreeSet<Ecosystem> = components.iter().map(|c| c.ecosystem).collect();
    for (locked, exact) in locked {
        let beaten = locked.ecosystem == Ecosystem::Pypi && precise && !exact;
        if !installed.contains(&locked.ecosystem) && !beaten {
            components.extend(locked.components);
            unreadable.extend(locked.unreadable);
        }
    }
    finish(components, unreadable, locks)
}

/// One file, as contents.
struct One<'a> {
    path: &'a str,
    content: Option<&'a [u8]>,
}

impl Contents for One<'_> {
    fn kind(&self, path: &str) -> Option<FileKind> {
        (path == self.path).then_some(FileKind::File(self.content.map_or(0, |content| content.len() as u64)))
    }
    fn paths(&self) -> Vec<String> {
        vec![self.path.to_owned()]
    }
    fn head(&self, path: &str, bytes_max: usize) -> Option<Vec<u8>> {
        let content = self.content.filter(|_| path == self.path)?;
        Some(content[..content.len().min(bytes_max)].to_vec())
    }
}

/// Sorted, one per name and version, bounded.
fn finish(mut components: Vec<Component>, unreadable: BTreeSet<String>, locks: lock::Locks) -> Survey {
    // A record that knows the licence comes first and stays.
    components.sort_by(|a, b| {
        a.ecosystem
            .cmp(&b.ecosystem)
            .then_with(|| a.name.cmp(&b.name))
            .then_with(|| a.version.cmp(&b.version))
            .then_with(|| a.license.is_none().cmp(&b.license.is_none()))
            .then_with(|| a.found_in.cmp(&b.found_in))
    });
    let mut copies = Vec::new();
    components.dedup_by(|b, a| {
        let same = a.ecosystem == b.ecosystem && a.name == b.name && a.version == b.version;
        if same && b.is_installed() && copies.len() < COMPONENTS_COUNT_MAX {
            copies.push(b.clone());
        }
        same
    });
    let truncated = components.len() > COMPONENTS_COUNT_MAX;
    components.truncate(COMPONENTS_COUNT_MAX);
    Survey { components, copies, unreadable: unreadable.into_iter().collect(), truncated, locks }
}

/// Reads records and gathers what they say.
struct Records<'a> {
    contents: &'a dyn Contents,
    components: Vec<Component>,
    unreadable: BTreeSet<String>,
}

impl<'a> Records<'a> {
    fn new(contents: &'a dyn Contents) -> Self {
        Self { contents, components: Vec::new(), unreadable: BTreeSet::new() }
    }

    /// The text of a record; a record that is too large or not UTF-8 is noted as unreadable.
    fn text(&mut self, path: &str, bytes_max: usize) -> Option<String> {
        let head = self.contents.head(path, bytes_max + 1).filter(|head| head.len() <= bytes_max);
        let text = head.and_then(|head| String::from_utf8(head).ok());
        if text.is_none() {
            self.unreadable(path);
        }
        text.map(|text| text.trim_start_matches('\u{feff}').to_owned())
    }

    /// A record as JSON.
    fn json(&mut self, path: &str, bytes_max: usize) -> Option<serde_json::Value> {
        let value = serde_json::from_str(&self.text(path, bytes_max)?).ok();
        if value.is_none() {
            self.unreadable(path);
        }
        value
    }

    /// A record as TOML.
    fn toml(&mut self, path: &str, bytes_max: usize) -> Option<toml::Table> {
        let value = self.text(path, bytes_max)?.parse().ok();
        if value.is_none() {
            self.unreadable(path);
        }
        value
    }

    fn unreadable(&mut self, path: &str) {
        self.unreadable.insert(path.to_owned());
    }

    /// Keeps a component whose name and version are credible.
    fn found(&mut self, ecosystem: Ecosystem, name: &str, version: &str, license: Option<String>, found_in: &str) {
        let credible =
            |text: &str| !text.is_empty() && text.len() <= FIELD_BYTES_MAX && !text.chars().any(char::is_control);
        if !credible(name) || !credible(version) {
            return self.unreadable(found_in);
        }
        let license = license.map(|l| l.trim().to_owned()).filter(|l| credible(l));
        self.components.push(Component {
            ecosystem,
            name: name.to_owned(),
            version: version.to_owned(),
            license,
            found_in: found_in.to_owned(),
        });
    }
}

/// The last part of a path.
fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// Whether a file stands where a project's own files do: not inside an installed package.
fn first_party(path: &str) -> bool {
    !path.split('/').any(|part| matches!(part, "node_modules" | "site-packages") || part.ends_with(".dist-info"))
}

/// Whether a file of this name is a project's own.
fn own_file(path: &str, name: &str) -> bool {
    file_name(path) == name && first_party(path)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Files in memory.
    pub(crate) struct Files(BTreeMap<String, Vec<u8>>);

    impl Files {
        pub(crate) fn of<T: AsRef<[u8]>>(files: &[(&str, T)]) -> Self {
            Self(files.iter().map(|(path, content)| ((*path).to_owned(), content.as_ref().to_vec())).collect())
        }
    }

    impl Contents for Files {
        fn kind(&self, path: &str) -> Option<FileKind> {
            self.0.get(path).map(|content| FileKind::File(content.len() as u64))
        }
        fn paths(&self) -> Vec<String> {
            self.0.keys().cloned().collect()
        }
        fn head(&self, path: &str, bytes_max: usize) -> Option<Vec<u8>> {
            self.0.get(path).map(|content| content[..content.len().min(bytes_max)].to_vec())
        }
    }

    /// Package URLs of all components.
    pub(crate) fn purls<T: AsRef<[u8]>>(files: &[(&str, T)]) -> Vec<String> {
        find(&Files::of(files)).iter().map(Component::purl).collect()
    }

    #[test]
    fn an_installed_ecosystem_beats_its_lockfile() {
        let lock = r#"{"lockfileVersion":3,"packages":{"node_modules/x":{"version":"9.9.9"}}}"#;
        let package = r#"{"name":"a","version":"1.0.0"}"#;
        assert_eq!(
            purls(&[("package-lock.json", lock), ("node_modules/a/package.json", package)]),
            ["pkg:npm/a@1.0.0"]
        );
        assert_eq!(purls(&[("package-lock.json", lock)]), ["pkg:npm/x@9.9.9"]);
    }

    #[test]
    fn package_urls_encode_what_they_must() {
        let component = |ecosystem, name: &str, version: &str| Component {
            ecosystem,
            name: name.to_owned(),
            version: version.to_owned(),
            license: None,
            found_in: String::new(),
        };
        for (component, expected) in [
            (component(Ecosystem::Npm, "@acme/widget", "1.0.0+b 1"), "pkg:npm/%40acme/widget@1.0.0%2Bb%201"),
            (component(Ecosystem::Golang, "example.org/a/b", "v1.2.3"), "pkg:golang/example.org/a/b@v1.2.3"),
            (component(Ecosystem::Pypi, "é", "1?x#y"), "pkg:pypi/%C3%A9@1%3Fx%23y"),
        ] {
            assert_eq!(component.purl(), expected);
        }
    }

    #[test]
    fn hostile_records_are_noted_and_never_panic() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let huge = " ".repeat(RECORD_BYTES_MAX + 1);
        let long = format!(r#"{{"name":"{}","version":"1"}}"#, "x".repeat(10_000));
        for (path, content) in [
            ("node_modules/a/package.json", deep.as_bytes()),
            ("node_modules/a/package.json", huge.as_bytes()),
            ("node_modules/a/package.json", long.as_bytes()),
            ("node_modules/a/package.json", b"\xff\xfe{}".as_slice()),
            ("node_modules/a/package.json", b"{\"name\":\"a\\u0000\",\"version\":\"1\"}".as_slice()),
            ("package-lock.json", deep.as_bytes()),
            ("uv.lock", b"[[package]]\nname = ".as_slice()),
            ("Cargo.lock", b"\0\0\0".as_slice()),
            ("a-1.dist-info/METADATA", b"\xff".as_slice()),
        ] {
            let survey = survey(&Files::of(&[(path, content)]));
            assert_eq!(survey.components, [], "{path}");
            assert_eq!(survey.unreadable, [path], "{path}");
        }
    }
}
