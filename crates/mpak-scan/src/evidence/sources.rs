//! Which files of a bundle are source code, whose they are, and what they do.
//!
//! The server's own code is judged in full. Vendored code is read as well where it registers tools, because
//! a flow that starts in a handler counts wherever it is (`decisions`: a record inside the bundle lowers
//! nothing, it only says which package a file is of).

use std::collections::{BTreeSet, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use aho_corasick::AhoCorasick;
use mpak_bundle::digest::Sha256;

use super::cache::Cache;
use super::followed::{self, Followed, Whole};
use super::source::Item;
use super::{FileFact, GatherError};
use crate::code::facts::{Reading, Unit};
use crate::code::flow::Flow;
use crate::code::program::Program;
use crate::code::tools::{self, Handler};
use crate::code::{self, SOURCE_BYTES_MAX};
use crate::completeness::Reasons;
use crate::content::ContentKind;
use crate::malware::{self, Malware, Suspect};

/// Most bytes of source code that are read; its facts are held until all of it is.
const SOURCES_BYTES_MAX: u64 = 64 << 20;
/// Largest file without an extension that may be a script.
const SCRIPT_BYTES_MAX: u64 = 1 << 20;
/// What code that registers tools says.
const REGISTRATIONS: [&[u8]; 5] = [b"setRequestHandler", b"registerTool", b".tool(", b"call_tool", b"addTool"];

/// The code of a bundle, read and followed.
#[derive(Debug, Default)]
pub struct Code {
    /// Units that were read, linked.
    pub program: Program,
    /// What a model can call.
    pub handlers: Vec<Handler>,
    /// Values that reach dangerous calls.
    pub flows: Vec<Flow>,
    /// Whether all flows could be followed to their end.
    pub whole: bool,
    /// Files of the server's own code that could not be read, with the reason.
    pub unread: Vec<(String, String)>,
    /// How many files of source code are the server's own.
    pub first_party_count: usize,
    /// What only malware does.
    pub malware: Malware,
}

/// Whose a file is.
///
/// What a bundle says of itself proves nothing, so as little as possible is believed: a file is taken for vendored
/// where an installed package's own record names its digest, or where it lies in an npm package, which has no record.
/// What starts, what is of the bundle's own name, and what no record explains is the server's own.
#[derive(Debug, Default)]
pub(super) struct Ownership {
    /// What package managers recorded; `None` until that is read.
    reasons: Option<Arc<Reasons>>,
    /// Folders with a trailing `/` in which a package manager installed packages.
    installed: BTreeSet<String>,
    /// Packages that hold what the manifest starts, by folder, and by the number of their record.
    started: BTreeSet<String>,
    started_records: BTreeSet<usize>,
    /// Files whose bytes are not the recorded ones.
    changed: HashSet<String>,
}

impl Ownership {
    /// From all paths of a bundle, before anything is read.
    pub(super) fn new<'p>(paths: impl Iterator<Item = &'p str>, entry_point: Option<&str>) -> Self {
        let mut installed = BTreeSet::new();
        for path in paths {
            let mut at = 0;
            for part in path.split('/') {
                let end = at + part.len();
                if part == "node_modules" {
                    installed.insert(path[..end].to_owned() + "/");
                } else if part.ends_with(".dist-info") {
                    installed.insert(path[..at].to_owned());
                }
                at = end + 1;
            }
        }
        let mut ownership = Self { installed, ..Self::default() };
        ownership.started.extend(entry_point.and_then(|entry| ownership.package(entry)));
        ownership
    }

    /// Adds what package managers recorded.
    fn settle(&mut self, reasons: Arc<Reasons>) {
        for path in reasons.started() {
            self.started.extend(self.package(path));
            self.started_records.extend(reasons.recorded(path).map(|(record, _)| record));
        }
        self.reasons = Some(reasons);
    }

    /// The folder of the installed package that a file is of.
    fn package(&self, path: &str) -> Option<String> {
        let mut folder = None;
        for (at, _) in path.match_indices('/') {
            if self.installed.contains(&path[..=at]) {
                folder = Some(at + 1);
            }
        }
        if folder.is_none() && self.installed.contains("") {
            folder = Some(0);
        }
        let start = folder?;
        let mut parts = path[start..].split('/');
        let first = parts.next()?;
        let scoped = first.starts_with('@');
        let name = if scoped { format!("{first}/{}", parts.next()?) } else { first.to_owned() };
        // A file beside the packages, with no folder of its own, is a package of one file; the server's own
        // code often lies there, so it is not taken for vendored.
        parts.next()?;
        Some(path[..start].to_owned() + &name)
    }

    /// Whether a file is the server's own, as far as its path tells.
    pub(super) fn is_own(&self, path: &str) -> bool {
        if self.changed.contains(path) {
            return true;
        }
        let Some(package) = self.package(path) else { return true };
        if self.started.contains(&package) {
            return true;
        }
        let Some(reasons) = &self.reasons else { return false };
        // Programs that an installer made for a project's functions are not the project's own code.
        let made = package.rsplit('/').next().is_some_and(|folder| matches!(folder, "bin" | "Scripts"));
        let started = |record: &usize| !made && self.started_records.contains(record);
        let recorded = reasons.recorded(path).filter(|(record, _)| !started(record));
        recorded.is_none() && !reasons.is_of_npm_package(path)
    }

    /// Whether a file's bytes are not those that a record names for it.
    pub(super) fn is_changed(&self, path: &str, sha256: &Sha256) -> bool {
        let recorded = self.reasons.as_ref().and_then(|reasons| reasons.recorded(path));
        recorded.is_some_and(|(_, wanted)| wanted != *sha256)
    }
}

/// Which files are read as source code, decided before the first of them is.
#[derive(Debug, Default)]
pub(super) struct Sources {
    ownership: Ownership,
    /// By number: whether the file is the server's own, as far as its path tells.
    own: Vec<bool>,
    /// By number: whether the file may be read as code.
    may_be_read: Vec<bool>,
    unread: Vec<(String, String)>,
    /// Words that the manifest starts the server with.
    words: Vec<String>,
}

/// What one file of source code gives.
#[derive(Debug)]
pub(super) struct Read {
    own: bool,
    unit: Unit,
    sha256: Sha256,
}

impl Sources {
    /// From all files: the server's own ones first, then the others, as far as the limit reaches.
    pub(super) fn new(items: &[Item], entry_point: Option<&str>, words: Vec<String>) -> Self {
        let ownership = Ownership::new(items.iter().map(|item| item.path.as_str()), entry_point);
        let mut sources = Self { ownership, words, ..Self::default() };
        sources.choose(items);
        sources
    }

    /// Adds what package managers recorded, and decides again.
    pub(super) fn settle(&mut self, items: &[Item], reasons: Arc<Reasons>) {
        self.ownership.settle(reasons);
        self.choose(items);
    }

    /// Adds files whose bytes are not the recorded ones: they are the server's own.
    pub(super) fn changed(&mut self, paths: &[String]) {
        self.ownership.changed.extend(paths.iter().cloned());
    }

    /// Whether a file's bytes are not those that a record names for it.
    pub(super) fn is_changed(&self, path: &str, sha256: &Sha256) -> bool {
        self.ownership.is_changed(path, sha256)
    }

    /// Decides which files may be read.
    fn choose(&mut self, items: &[Item]) {
        (self.may_be_read, self.unread) = (vec![false; items.len()], Vec::new());
        self.own = items.iter().map(|item| self.ownership.is_own(&item.path)).collect();
        let sources: Vec<usize> = (0..items.len()).filter(|number| may_be_source(&items[*number])).collect();
        let mut left = SOURCES_BYTES_MAX;
        for own in [true, false] {
            for number in sources.iter().copied().filter(|number| self.own[*number] == own).collect::<Vec<_>>() {
                let item = &items[number];
                if item.bytes > SOURCE_BYTES_MAX as u64 {
                    let reason = format!("it has {} bytes, expected at most {SOURCE_BYTES_MAX}", item.bytes);
                    self.not_read(own, &item.path, reason);
                } else if item.bytes > left {
                    let reason = format!("the bundle has more than {SOURCES_BYTES_MAX} bytes of source code");
                    self.not_read(own, &item.path, reason);
                } else {
                    left -= item.bytes;
                    self.may_be_read[number] = true;
                }
            }
        }
    }

    fn not_read(&mut self, own: bool, path: &str, reason: String) {
        // Without an extension it may be code or not.
        if own && code::language(path, b"").is_some() {
            self.unread.push((path.to_owned(), reason));
        }
    }

    /// Whether it is not decided by its content alone what a file gives: it would be read if there were room.
    pub(super) fn is_open(&self, number: usize, item: &Item) -> bool {
        may_be_source(item) && !self.may_be_read[number]
    }

    /// Whether a file is the server's own.
    pub(super) fn is_own(&self, path: &str) -> bool {
        self.ownership.is_own(path)
    }

    /// The package that a vendored file is of.
    pub(super) fn package_of(&self, number: usize, path: &str) -> Option<String> {
        if self.is_own_at(number, path) { None } else { self.ownership.package(path) }
    }

    /// Whether a file is vendored code that may be followed with the other files of its package.
    pub(super) fn is_joined(&self, number: usize, path: &str) -> bool {
        self.may_be_read[number] && !is_typing(path)
    }

    /// The same by its number.
    pub(super) fn is_own_at(&self, number: usize, path: &str) -> bool {
        self.own[number] || self.ownership.changed.contains(path)
    }

    /// Reads a whole file as code, where it is to be read: the server's own, and what registers tools.
    /// To be called on a thread with a large stack.
    pub(super) fn read(&self, number: usize, fact: &FileFact, bytes: &[u8], own: bool) -> Option<Read> {
        let path = fact.path.as_str();
        let language = self.may_be_read[number].then(|| code::language(path, bytes))??;
        if !own && !registers_tools(bytes) && !code::is_small_helper(path, bytes) {
            return None;
        }
        let unit = catch_unwind(AssertUnwindSafe(|| code::read(path, bytes)));
        let unit = unit.unwrap_or_else(|_panic| Some(code::unread(path, language, "reading it failed")))?;
        Some(Read { own, unit, sha256: fact.sha256 })
    }

    /// Judges a file by itself for malware, where it is not judged together with the server's own code. To be
    /// called on a thread with a large stack.
    pub(super) fn suspect(&self, number: usize, path: &str, bytes: &[u8], own: bool, is_read: bool) -> Option<Suspect> {
        let is_source = !is_read && code::language(path, bytes).is_some() && !is_typing(path);
        let judge = || {
            if malware::is_unread_place(path, bytes.len() as u64) {
                return Some(Suspect::unread(path, format!("it has {} bytes and runs by itself", bytes.len())));
            }
            if matches!(ContentKind::of(bytes), ContentKind::Native | ContentKind::Bytecode) {
                let mut texts = malware::Texts::default();
                texts.feed(bytes);
                return Suspect::of_program(path, &texts);
            }
            if is_source && !self.may_be_read[number] {
                let mut words = malware::Words::default();
                words.feed(bytes);
                return Suspect::of_words(path, &words, || too_large(bytes.len() as u64));
            }
            Suspect::of(path, bytes, own, is_source)
        };
        catch_unwind(AssertUnwindSafe(judge)).unwrap_or_else(|_panic| Some(Suspect::failed(path)))
    }

    /// Links and follows what was read, given in the order of the bundle, on a thread with a large stack.
    ///
    /// # Errors
    /// [`GatherError::Thread`].
    pub(super) fn link(
        &self,
        all: Vec<Read>,
        suspects: Vec<Suspect>,
        cache: Option<&Cache>,
    ) -> Result<Code, GatherError> {
        let mut unread = self.unread.clone();
        let mut first_party_count = 0;
        let (mut units, mut digests) = (Vec::with_capacity(all.len()), Vec::with_capacity(all.len()));
        for Read { own, unit, sha256 } in all {
            if own {
                first_party_count += 1;
                if let Reading::Unread(reason) = &unit.reading {
                    unread.push((unit.path.clone(), reason.clone()));
                }
            }
            units.push(unit);
            digests.push(sha256);
        }
        let program = Program::new(units);
        let handlers = tools::handlers(&program);
        let is_own = |path: &str| self.is_own(path);
        let whole = Whole {
            program: &program,
            digests,
            handlers: &handlers,
            hooks: malware::hooks(&suspects),
            words: self.words.clone(),
            is_own: &is_own,
        };
        let Followed { flows, whole, hits } = followed::follow(&whole, cache)?;
        let malware = malware::judge(&program, hits, suspects);
        Ok(Code { program, handlers, flows, whole, unread, first_party_count, malware })
    }
}

/// By name and size; a file without an extension may be a script.
fn may_be_source(item: &Item) -> bool {
    let path = item.path.as_str();
    let plain = path.rsplit('/').next().is_some_and(|name| !name.contains('.'));
    (code::language(path, b"").is_some() || plain && item.bytes < SCRIPT_BYTES_MAX) && !is_typing(path)
}

/// Why a file of code was not parsed.
pub(super) fn too_large(bytes: u64) -> String {
    format!("it has {bytes} bytes; expected at most {SOURCE_BYTES_MAX}, and {SOURCES_BYTES_MAX} of all code together")
}

fn registers_tools(bytes: &[u8]) -> bool {
    static WORDS: OnceLock<Option<AhoCorasick>> = OnceLock::new();
    match WORDS.get_or_init(|| AhoCorasick::new(REGISTRATIONS).ok()) {
        Some(words) => words.is_match(bytes),
        None => true,
    }
}

/// Declarations of types do nothing.
fn is_typing(path: &str) -> bool {
    [".pyi", ".d.ts", ".d.mts", ".d.cts"].iter().any(|end| path.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::collections::BTreeMap;

    use serde_json::json;

    use crate::completeness::Package;

    /// The ownership of a bundle with these records and npm packages, by folder.
    fn ownership(paths: &[&str], records: &[(&str, &str)], packages: &[(&str, &str)], entry: &str) -> Ownership {
        let mut ownership = Ownership::new(paths.iter().copied(), Some(entry));
        let records = records.iter().map(|(path, text)| (*path, text.as_bytes()));
        let read = |(folder, text): &(&str, &str)| ((*folder).to_owned(), Package::read(text.as_bytes()).unwrap());
        let packages: BTreeMap<String, Package> = packages.iter().map(read).collect();
        let document = json!({"name": "@acme/me", "server": {"entry_point": entry}});
        let reasons = Reasons::new(&paths.iter().copied().collect(), records, packages, Some(&document));
        ownership.settle(Arc::new(reasons));
        ownership
    }

    const HASH: &str = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0";

    #[test]
    fn a_python_file_is_vendored_where_a_record_names_its_digest() {
        let paths = [
            "server/main.py",
            "server/evil/x.py",
            "server/x-1.dist-info/METADATA",
            "lib/six.py",
            "lib/requests/api.py",
            "lib/requests/added.py",
            "lib/requests/bare.py",
            "lib/requests-2.0.dist-info/RECORD",
            "lib/srv/main.py",
            "lib/srv/core.py",
            "lib/srvlib/y.py",
            "lib/srv-1.dist-info/RECORD",
            "lib/bin/srv",
            "lib/me/core.py",
            "lib/me-1.dist-info/RECORD",
            "tools/run.py",
        ];
        let requests = format!("requests/api.py,{HASH}\nrequests/bare.py,,\nsix.py,{HASH}\n../tools/run.py,{HASH}\n");
        let srv = format!("srv/main.py,{HASH}\nsrv/core.py,{HASH}\nsrvlib/y.py,{HASH}\n../../bin/srv,{HASH}\n");
        let me = format!("me/core.py,{HASH}\n");
        let records = [
            ("lib/requests-2.0.dist-info/RECORD", requests.as_str()),
            ("lib/srv-1.dist-info/RECORD", &srv),
            ("lib/me-1.dist-info/RECORD", &me),
        ];
        let mut ownership = ownership(&paths, &records, &[], "lib/srv/main.py");
        for (path, own) in [
            ("server/main.py", true),
            // A folder for installed packages that somebody made up.
            ("server/evil/x.py", true),
            ("lib/six.py", true),
            ("lib/requests/api.py", false),
            ("lib/requests/added.py", true),
            ("lib/requests/bare.py", true),
            // All of the project that starts, and the bundle's own.
            ("lib/srv/main.py", true),
            ("lib/srv/core.py", true),
            ("lib/srvlib/y.py", true),
            ("lib/bin/srv", false),
            ("lib/me/core.py", true),
            // A record speaks for the folder that it is in.
            ("tools/run.py", true),
        ] {
            assert_eq!(ownership.is_own(path), own, "{path}");
        }
        // Other bytes are the server's own.
        assert!(!ownership.is_changed("lib/requests/api.py", &Sha256::of(b"")));
        assert!(ownership.is_changed("lib/requests/api.py", &Sha256::of(b"x")));
        assert!(!ownership.is_changed("lib/requests/added.py", &Sha256::of(b"x")));
        ownership.changed.insert("lib/requests/api.py".to_owned());
        assert!(ownership.is_own("lib/requests/api.py"));
    }

    #[test]
    fn an_npm_file_is_vendored_in_a_package_that_says_name_and_version() {
        let paths = [
            "src/inspector.js",
            "node_modules/a/x.js",
            "node_modules/a/dist/node_modules/inner/x.js",
            "node_modules/@s/b/y.js",
            "node_modules/nobody/x.js",
            "node_modules/noversion/x.js",
            "node_modules/@acme/me/x.js",
        ];
        let packages = [
            ("node_modules/a", r#"{"name":"a","version":"1"}"#),
            ("node_modules/@s/b", r#"{"name":"@s/b","version":"1"}"#),
            ("node_modules/noversion", r#"{"name":"noversion"}"#),
            ("node_modules/@acme/me", r#"{"name":"@acme/me","version":"1"}"#),
        ];
        let ownership = ownership(&paths, &[], &packages, "node_modules/@s/b/y.js");
        for (path, own) in [
            ("src/inspector.js", true),
            ("node_modules/a/x.js", false),
            ("node_modules/a/dist/node_modules/inner/x.js", false),
            ("node_modules/@s/b/y.js", true),
            ("node_modules/@s/b/z/w.js", true),
            ("node_modules/nobody/x.js", true),
            ("node_modules/noversion/x.js", true),
            ("node_modules/@acme/me/x.js", true),
            ("node_modules/.bin/a", false),
        ] {
            assert_eq!(ownership.is_own(path), own, "{path}");
        }
    }
}
