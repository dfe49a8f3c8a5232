//! Which files of a bundle are source code, whose they are, and what they do.
//!
//! The server's own code is judged in full. Vendored code is read as well where it registers tools, because
//! a flow that starts in a handler counts wherever it is (`decisions`: a record inside the bundle lowers
//! nothing, it only says which package a file is of).

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use memchr::memmem::Finder;

use super::source::Item;
use crate::code::facts::{Reading, Unit};
use crate::code::flow::{self, Flow};
use crate::code::program::Program;
use crate::code::tools::{self, Handler};
use crate::code::{self, SOURCE_BYTES_MAX};
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
#[derive(Debug, Default)]
pub(super) struct Ownership {
    /// Folders with a trailing `/` in which a package manager installed packages.
    installed: BTreeSet<String>,
    /// The package that holds the entry point, where it is one of them.
    entry_package: Option<String>,
}

impl Ownership {
    /// From all paths of a bundle.
    pub(super) fn new<'p>(paths: impl Iterator<Item = &'p str>, entry_point: Option<&str>) -> Self {
        let mut installed = BTreeSet::new();
        for path in paths {
            let mut at = 0;
            for part in path.split('/') {
                let end = at + part.len();
                if part == "node_modules" {
                    installed.insert(path[..end].to_owned() + "/");
                } else if part.ends_with(".dist-info") || part.ends_with(".egg-info") {
                    installed.insert(path[..at].to_owned());
                }
                at = end + 1;
            }
        }
        let mut ownership = Self { installed, entry_package: None };
        ownership.entry_package = entry_point.and_then(|entry| ownership.package(entry));
        ownership
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

    /// Whether a file is the server's own.
    pub(super) fn is_own(&self, path: &str) -> bool {
        match self.package(path) {
            None => true,
            package => package == self.entry_package,
        }
    }
}

/// Which files are read as source code, decided before the first of them is.
#[derive(Debug, Default)]
pub(super) struct Sources {
    pub(super) ownership: Ownership,
    /// By number: whether the file may be read as code.
    may_be_read: Vec<bool>,
    unread: Vec<(String, String)>,
}

/// What one file of source code gives.
#[derive(Debug)]
pub(super) struct Read {
    own: bool,
    unit: Unit,
}

impl Sources {
    /// From all files: the server's own ones first, then the others, as far as the limit reaches.
    pub(super) fn new(items: &[Item], entry_point: Option<&str>) -> Self {
        let ownership = Ownership::new(items.iter().map(|item| item.path.as_str()), entry_point);
        let mut sources = Self { ownership, may_be_read: vec![false; items.len()], unread: Vec::new() };
        let mut left = SOURCES_BYTES_MAX;
        for pass_own in [true, false] {
            for (number, item) in items.iter().enumerate().filter(|(_, item)| may_be_source(item)) {
                let own = sources.ownership.is_own(&item.path);
                if own != pass_own {
                    continue;
                }
                if item.bytes > SOURCE_BYTES_MAX as u64 {
                    let reason = format!("it has {} bytes, expected at most {SOURCE_BYTES_MAX}", item.bytes);
                    sources.not_read(own, &item.path, reason);
                } else if item.bytes > left {
                    let reason = format!("the bundle has more than {SOURCES_BYTES_MAX} bytes of source code");
                    sources.not_read(own, &item.path, reason);
                } else {
                    left -= item.bytes;
                    sources.may_be_read[number] = true;
                }
            }
        }
        sources
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

    /// Reads a whole file as code, where it is to be read: the server's own, and what registers tools.
    /// To be called on a thread with a large stack.
    pub(super) fn read(&self, number: usize, path: &str, bytes: &[u8]) -> Option<Read> {
        let language = self.may_be_read[number].then(|| code::language(path, bytes))??;
        let own = self.is_own(path);
        if !own && !registers_tools(bytes) {
            return None;
        }
        let unit = catch_unwind(AssertUnwindSafe(|| code::read(path, bytes)));
        let unit = unit.unwrap_or_else(|_panic| Some(code::unread(path, language, "reading it failed")))?;
        Some(Read { own, unit })
    }

    /// Judges a file by itself for malware, where it is not judged together with the server's own code. To be
    /// called on a thread with a large stack.
    pub(super) fn suspect(&self, number: usize, path: &str, bytes: &[u8], is_read: bool) -> Option<Suspect> {
        let is_code = !is_read && self.may_be_read[number] && code::language(path, bytes).is_some();
        let judge = || Suspect::of(path, bytes, self.is_own(path), is_code);
        catch_unwind(AssertUnwindSafe(judge)).unwrap_or_else(|_panic| Some(Suspect::failed(path)))
    }

    /// Links and follows what was read, given in the order of the bundle, on a thread with a large stack.
    pub(super) fn link(&self, all: Vec<Read>, suspects: Vec<Suspect>) -> Code {
        let mut unread = self.unread.clone();
        let mut first_party_count = 0;
        let mut units = Vec::with_capacity(all.len());
        for Read { own, unit } in all {
            if own {
                first_party_count += 1;
                if let Reading::Unread(reason) = &unit.reading {
                    unread.push((unit.path.clone(), reason.clone()));
                }
            }
            units.push(unit);
        }
        let program = Program::new(units);
        let handlers = tools::handlers(&program);
        let own = |unit: &Unit| self.is_own(&unit.path);
        let (flows, whole) = flow::flows(&program, &handlers, &own);
        let malware = malware::judge(&program, &handlers, suspects);
        Code { program, handlers, flows, whole, unread, first_party_count, malware }
    }
}

/// By name and size; a file without an extension may be a script.
fn may_be_source(item: &Item) -> bool {
    let path = item.path.as_str();
    let plain = path.rsplit('/').next().is_some_and(|name| !name.contains('.'));
    (code::language(path, b"").is_some() || plain && item.bytes < SCRIPT_BYTES_MAX) && !is_typing(path)
}

fn registers_tools(bytes: &[u8]) -> bool {
    REGISTRATIONS.iter().any(|words| Finder::new(words).find(bytes).is_some())
}

/// Declarations of types do nothing.
fn is_typing(path: &str) -> bool {
    [".pyi", ".d.ts", ".d.mts", ".d.cts"].iter().any(|end| path.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_the_servers_own_unless_a_package_manager_installed_it() {
        let paths = [
            "manifest.json",
            "server/index.js",
            "node_modules/a/x.js",
            "node_modules/@s/b/y.js",
            "lib/six.py",
            "lib/requests/api.py",
            "lib/requests-2.0.dist-info/METADATA",
            "vendor/evil.py",
            "lib/srv/main.py",
        ];
        let ownership = Ownership::new(paths.into_iter(), Some("lib/srv/main.py"));
        for (path, own) in [
            ("server/index.js", true),
            ("vendor/evil.py", true),
            ("lib/six.py", true),
            ("lib/srv/main.py", true),
            ("lib/requests/api.py", false),
            ("node_modules/a/x.js", false),
            ("node_modules/@s/b/y.js", false),
            ("src/inspector.js", true),
        ] {
            assert_eq!(ownership.is_own(path), own, "{path}");
        }
        let ownership = Ownership::new(paths.into_iter(), Some("node_modules/@s/b/y.js"));
        assert!(ownership.is_own("node_modules/@s/b/z/w.js") && !ownership.is_own("node_modules/a/x.js"));
    }
}
