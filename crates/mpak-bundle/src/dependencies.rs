//! Components vendored in a bundle: what package managers left as records of their own, and what compilers
//! left in programs.
//!
//! In: the files of a bundle, from an attacker. Out: components, sorted, without doubles. What is
//! installed counts; a lockfile is only asked where nothing of its ecosystem is installed, because it
//! states an intention (development packages, other platforms) and not the content.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::manifest::Contents;

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
    let mut records = Records { contents, components: Vec::new(), unreadable: BTreeSet::new() };
    // 1. What is installed.
    npm::installed(&paths, &mut records);
    pypi::installed(&paths, &mut records);
    binary::built_in(&paths, &mut records);
    // 2. Lockfiles of ecosystems of which nothing is installed.
    let installed: BTreeSet<Ecosystem> = records.components.iter().map(|c| c.ecosystem).collect();
    for (ecosystem, lockfiles) in [
        (Ecosystem::Npm, npm::locked as fn(&[String], &mut Records<'_>)),
        (Ecosystem::Pypi, pypi::locked),
        (Ecosystem::Cargo, cargo::locked),
        (Ecosystem::Golang, golang::locked),
    ] {
        if !installed.contains(&ecosystem) {
            lockfiles(&paths, &mut records);
        }
    }
    // 3. What lockfiles and projects say.
    let locks = lock::read(&paths, &mut records);
    // 4. Sorted, one per name and version, bounded.
    Survey { locks, ..records.finish() }
}

/// Reads records and gathers what they say.
struct Records<'a> {
    contents: &'a dyn Contents,
    components: Vec<Component>,
    unreadable: BTreeSet<String>,
}

impl Records<'_> {
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

    fn finish(mut self) -> Survey {
        // A record that knows the licence comes first and stays.
        self.components.sort_by(|a, b| {
            let key = |c: &Component| (c.ecosystem, c.name.clone(), c.version.clone(), c.license.is_none());
            key(a).cmp(&key(b)).then_with(|| a.found_in.cmp(&b.found_in))
        });
        self.components.dedup_by(|b, a| a.ecosystem == b.ecosystem && a.name == b.name && a.version == b.version);
        let truncated = self.components.len() > COMPONENTS_COUNT_MAX;
        self.components.truncate(COMPONENTS_COUNT_MAX);
        Survey {
            components: self.components,
            unreadable: self.unreadable.into_iter().collect(),
            truncated,
            locks: lock::Locks::default(),
        }
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
    use crate::manifest::FileKind;

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
