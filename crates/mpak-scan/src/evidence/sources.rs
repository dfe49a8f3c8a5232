//! Which files of a bundle are source code, whose they are, and what they do.
//!
//! The server's own code is judged in full. Vendored code is read as well where it registers tools, because
//! a flow that starts in a handler counts wherever it is (`decisions`: a record inside the bundle lowers
//! nothing, it only says which package a file is of).

use std::collections::BTreeSet;
use std::thread;

use memchr::memmem::Finder;

use crate::code::facts::{Reading, Unit};
use crate::code::flow::{self, Flow};
use crate::code::program::Program;
use crate::code::tools::{self, Handler};
use crate::code::{self, SOURCE_BYTES_MAX, STACK_BYTES};

/// Most bytes of source code that are held at once; what is beyond is not read.
const SOURCES_BYTES_MAX: usize = 64 << 20;
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
    pub(super) fn new(paths: &[String], entry_point: Option<&str>) -> Self {
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

/// Source files on their way to be read.
#[derive(Debug, Default)]
pub(super) struct Sources {
    ownership: Ownership,
    held: Vec<(String, Vec<u8>)>,
    held_bytes: usize,
    unread: Vec<(String, String)>,
}

impl Sources {
    pub(super) fn new(ownership: Ownership) -> Self {
        Self { ownership, ..Self::default() }
    }

    /// Whether the bytes of a file are wanted.
    pub(super) fn wants(&mut self, path: &str, bytes: u64) -> bool {
        let named = path.rsplit('/').next().is_some_and(|name| !name.contains('.'));
        let source = code::language(path, b"").is_some() || named && bytes < 1 << 20;
        if source && bytes > SOURCE_BYTES_MAX as u64 {
            self.not_read(path, format!("it has {bytes} bytes, expected at most {SOURCE_BYTES_MAX}"));
            return false;
        }
        source && !is_typing(path)
    }

    /// Takes a whole file.
    pub(super) fn add(&mut self, path: &str, bytes: Vec<u8>) {
        if code::language(path, &bytes).is_none() {
            return;
        }
        let own = self.ownership.is_own(path);
        if !own && !REGISTRATIONS.iter().any(|words| Finder::new(words).find(&bytes).is_some()) {
            return;
        }
        if self.held_bytes + bytes.len() > SOURCES_BYTES_MAX {
            self.not_read(path, format!("the bundle has more than {SOURCES_BYTES_MAX} bytes of source code"));
            return;
        }
        self.held_bytes += bytes.len();
        self.held.push((path.to_owned(), bytes));
    }

    fn not_read(&mut self, path: &str, reason: String) {
        if self.ownership.is_own(path) {
            self.unread.push((path.to_owned(), reason));
        }
    }

    /// Reads, links and follows everything, on a thread with a large stack.
    pub(super) fn read(self) -> Code {
        let spawned = thread::scope(|scope| {
            let thread = thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, || self.read_here());
            thread.map(thread::ScopedJoinHandle::join)
        });
        match spawned {
            Ok(Ok(code)) => code,
            Ok(Err(_)) => Code { unread: vec![(String::new(), "reading it failed".to_owned())], ..Code::default() },
            Err(error) => {
                let reason = format!("no thread could be started: {error}");
                Code { unread: vec![(String::new(), reason)], ..Code::default() }
            }
        }
    }

    fn read_here(self) -> Code {
        let Self { ownership, held, mut unread, .. } = self;
        let mut units = Vec::with_capacity(held.len());
        let mut first_party_count = 0;
        for (path, bytes) in held {
            let Some(unit) = code::read(&path, &bytes) else { continue };
            if ownership.is_own(&path) {
                first_party_count += 1;
                if let Reading::Unread(reason) = &unit.reading {
                    unread.push((path, reason.clone()));
                }
            }
            units.push(unit);
        }
        let program = Program::new(units);
        let handlers = tools::handlers(&program);
        let own = |unit: &Unit| ownership.is_own(&unit.path);
        let (flows, whole) = flow::flows(&program, &handlers, &own);
        Code { program, handlers, flows, whole, unread, first_party_count }
    }
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
        ]
        .map(str::to_owned);
        let ownership = Ownership::new(&paths, Some("lib/srv/main.py"));
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
        let ownership = Ownership::new(&paths, Some("node_modules/@s/b/y.js"));
        assert!(ownership.is_own("node_modules/@s/b/z/w.js") && !ownership.is_own("node_modules/a/x.js"));
    }
}
