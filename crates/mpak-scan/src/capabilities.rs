//! What the server's own code can do: files, network, environment, processes, native code; where, and when.
//!
//! In: the linked code of a bundle. Out: uses with their places. `names` resolves what is called, `table` (rules
//! in `rules/capabilities.toml`) says what it does, `values` what it is done with, `phase` when it runs,
//! `permissions` compares with what the manifest declares. Comments, types, and modules that are only imported
//! do nothing. What a package does counts where the server's own code calls it.

use crate::code::facts::{Reading, Unit};
use crate::code::native::Native;
use crate::evidence::Code;

mod layout;
mod names;
mod natives;
pub(crate) mod permissions;
mod phase;
mod sensitive;
mod start;
mod table;
#[cfg(test)]
mod tests;
mod uses;
mod values;

pub use table::CAPABILITIES_TOML;
pub(crate) use table::prepare;

/// Most uses that are kept; what is beyond repeats what is known.
const USES_COUNT_MAX: usize = 5_000;

/// Most texts that are run as code and looked at.
const SCRIPTS_COUNT_MAX: usize = 100;
/// Most things named in one line of a summary.
const SUMMARY_COUNT_MAX: usize = 8;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Another program is run.
    Subprocess,
    /// Native code is loaded.
    Native,
    /// Connections to others.
    Outbound,
    /// Connections from others.
    Inbound,
    /// Files are read.
    Read,
    /// Files are written, made, renamed or removed.
    Write,
    /// Environment variables are read.
    EnvironmentRead,
    /// Environment variables are set.
    EnvironmentWrite,
}

/// When it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum When {
    /// While files are loaded and the server starts.
    Start,
    /// When a model calls a tool, prompt or resource.
    Handler,
    /// Otherwise, or nobody knows.
    Elsewhere,
}

/// One use of a capability.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// What is done.
    pub access: Access,
    /// When.
    pub when: When,
    /// Path in the bundle.
    pub file: String,
    /// From 1; none where a file as a whole is meant.
    pub line: Option<u32>,
    /// The line of code.
    pub code: String,
    /// What is called, dotted.
    pub call: String,
    /// Host, program, path or name, as far as it is constant.
    pub what: Option<String>,
    /// It is about keys, sessions or secrets.
    pub secret: bool,
    /// It is about other programs' configuration.
    pub configuration: bool,
    /// The program that is run cannot be told, or is a shell whose script cannot.
    pub open: bool,
    /// The model chooses the program.
    pub chosen: bool,
    /// It is done by a package only, which the server's own code may never ask to.
    pub dependency: bool,
    /// Native code can do it by what it is linked with; nobody knows whether it does.
    pub linked: bool,
}

impl Use {
    /// A use of which nothing more is known.
    pub(crate) fn new(access: Access, when: When, file: &str, call: &str) -> Self {
        Self {
            access,
            when,
            file: file.to_owned(),
            line: None,
            code: String::new(),
            call: call.to_owned(),
            what: None,
            secret: false,
            configuration: false,
            open: false,
            chosen: false,
            dependency: false,
            linked: false,
        }
    }
}

/// Everything that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// In the order of files and lines.
    pub uses: Vec<Use>,
    /// Files of the server's own that its entry point does not come to; what they do does not count.
    pub unreached: Vec<String>,
    /// Whether some code could not be read, so that more may be done than was found.
    pub partly: bool,
    /// Code that the server comes to and that could not be read, with the reason.
    pub unread: Vec<(String, String)>,
    /// Native code that is started or loaded; what it does beyond its imports nobody knows.
    pub natives: Vec<String>,
    /// Those of them that do not even say what they ask of the system, with the reason.
    pub silent: Vec<(String, &'static str)>,
    /// Whether anything could be judged at all.
    pub judged: bool,
}

impl Capabilities {
    /// The first places of each kind of use, for people.
    pub fn summary(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (access, does) in [
            (Access::Read, "reads files"),
            (Access::Write, "writes files"),
            (Access::Outbound, "connects to others"),
            (Access::Inbound, "takes connections"),
            (Access::EnvironmentRead, "reads environment variables"),
            (Access::EnvironmentWrite, "sets environment variables"),
            (Access::Subprocess, "runs programs"),
            (Access::Native, "loads native code"),
        ] {
            let uses: Vec<&Use> = self.uses.iter().filter(|used| used.access == access).collect();
            let Some(first) = uses.first() else { continue };
            let line = first.line.map(|line| format!(":{line}")).unwrap_or_default();
            let mut what: Vec<&str> = uses.iter().filter_map(|used| used.what.as_deref()).collect();
            what.sort_unstable();
            what.dedup();
            what.truncate(SUMMARY_COUNT_MAX);
            let what = if what.is_empty() { String::new() } else { format!(": {}", what.join(", ")) };
            let more = if uses.len() > 1 { format!(" and {} more", uses.len() - 1) } else { String::new() };
            lines.push(format!("{does} ({}{line}{more}){what}", first.file));
        }
        lines
    }
}

/// What the manifest and the files say about how the server starts.
pub(crate) struct Server<'a> {
    /// The manifest.
    pub(crate) document: Option<&'a serde_json::Value>,
    /// Files that are native code, with whether they are programs or the server's entry point.
    pub(crate) native_files: Vec<&'a str>,
    /// What those of the server's own say of themselves.
    pub(crate) natives: &'a [Native],
    /// Whether a file is the server's own.
    pub(crate) is_own: &'a dyn Fn(&str) -> bool,
}

/// Finds all uses.
pub(crate) fn infer(code: &Code, server: &Server<'_>) -> Capabilities {
    let own = |unit: &Unit| (server.is_own)(&unit.path);
    // 1. What names mean, and when functions run.
    let names = names::Names::new(&code.program);
    let entries = start::entries(&code.program, server.document);
    let phases = phase::Phases::new(&names, &code.handlers, &entries, &own);
    // 2. What the server's own code does.
    let mut found = Capabilities::default();
    let mut scripts = SCRIPTS_COUNT_MAX;
    for (id, unit) in code.program.units().filter(|(_, unit)| own(unit)) {
        if !phases.reaches(id) {
            found.unreached.push(unit.path.clone());
            continue;
        }
        uses::of_unit(&names, &phases, code, id, &mut found.uses);
        uses::of_scripts(&names, &phases, id, &mut scripts, &mut found.uses);
    }
    // 3. What the manifest starts, and native code that is there.
    let mentioned = |name: &str| {
        let units = code.program.units().filter(|(id, unit)| own(unit) && phases.reaches(*id));
        let mut imports = units.flat_map(|(_, unit)| &unit.imports);
        imports.any(|import| {
            import.member.as_deref() == Some(name) || import.module.rsplit(['.', '/']).next() == Some(name)
        })
    };
    let started = start::uses(server, &mentioned);
    natives::add(server, &started, &mut found);
    found.uses.extend(started);
    found.judged = code.first_party_count > 0 || !found.uses.is_empty();
    found.partly = !code.unread.is_empty() || names.is_cut();
    found.unread = unread(code, &phases);
    if names.is_cut() {
        let first = code.program.units().find(|(_, unit)| own(unit)).map_or("", |(_, unit)| unit.path.as_str());
        let reason =
            "the code is larger than what is followed: not every use of files, network and programs was looked for";
        found.unread.push((first.to_owned(), reason.to_owned()));
    }
    // Of uses in one place the earliest counts, and the one that is about more.
    let place = |used: &Use| (used.file.clone(), used.line, used.access, used.what.clone());
    found.uses.sort_by_cached_key(|used| (place(used), used.when, !used.secret, !used.open));
    found.uses.dedup_by(|a, b| (&a.file, a.line, a.access, &a.what) == (&b.file, b.line, b.access, &b.what));
    found.uses.truncate(USES_COUNT_MAX);
    found
}

/// Code that could not be read and that the server comes to, as far as that is known.
fn unread(code: &Code, phases: &phase::Phases) -> Vec<(String, String)> {
    let out_of_reach = |path: &str| {
        let mut units = code.program.units().filter(|(_, unit)| unit.path == path);
        units.any(|(id, unit)| matches!(unit.reading, Reading::Unread(_)) && !phases.reaches(id))
    };
    code.unread.iter().filter(|(path, _)| !out_of_reach(path)).cloned().collect()
}
