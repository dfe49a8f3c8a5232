//! The uses of capabilities in one unit.

use super::layout::Role;
use super::names::{Names, Sense};
use super::phase::{self, Phases};
use super::sensitive::{self, Stake};
use super::table::{self, Effect};
use super::values::UNKNOWN;
use super::{Access, Use, When};
use crate::code::facts::{Arg, Comparison, ExprId, ExprKind, Import, Language, Span, Unit};
use crate::code::flow::Danger;
use crate::code::flow::sinks::SinkKind;
use crate::code::program::{Program, UnitId};
use crate::evidence::Code;

mod addresses;
mod commands;
mod environment;

use addresses::{host, is_local, is_remote, loads_models};

/// Methods of files' paths that hardly anything else has, for receivers that nobody knows.
const PATH_READS: [&str; 4] = ["read_text", "read_bytes", "iterdir", "rglob"];
const PATH_WRITES: [&str; 3] = ["write_text", "write_bytes", "rmtree"];
/// Calls that only look at what a function is.
const LOOKS: [&str; 12] = [
    "isinstance",
    "issubclass",
    "hasattr",
    "callable",
    "typeof",
    "type",
    "inspect",
    "console",
    "repr",
    "str",
    "print",
    "id",
];

/// A unit on its way.
struct Finder<'a> {
    names: &'a Names<'a>,
    phases: &'a Phases,
    code: &'a Code,
    id: UnitId,
    unit: &'a Unit,
    found: Vec<Use>,
}

/// Adds what a unit does.
pub(super) fn of_unit(names: &Names<'_>, phases: &Phases, code: &Code, id: UnitId, found: &mut Vec<Use>) {
    let unit = names.program.unit(id);
    let mut finder = Finder { names, phases, code, id, unit, found: Vec::new() };
    for import in &unit.imports {
        finder.import(import);
    }
    for at in 0..unit.exprs.len() {
        let expr = ExprId(u32::try_from(at).unwrap_or(u32::MAX));
        if names.layout(id).role(expr) != Role::Dead {
            finder.look(expr);
        }
    }
    finder.settings_classes();
    found.append(&mut finder.found);
}

/// Longest text that is run as code and looked at, in bytes.
const SCRIPT_BYTES_MAX: usize = 64 << 10;

/// Adds what constant texts do that a unit runs as code: `exec("import os; …")`, `new Function("…")`.
pub(super) fn of_scripts(names: &Names<'_>, phases: &Phases, id: UnitId, budget: &mut usize, found: &mut Vec<Use>) {
    let unit = names.program.unit(id);
    let runs: &[&str] = if unit.language == Language::Python {
        &["exec", "eval", "compile", "runpy.run_string", "code.InteractiveInterpreter().runsource"]
    } else {
        &[
            "eval",
            "Function",
            "vm.runInThisContext",
            "vm.runInNewContext",
            "vm.runInContext",
            "vm.Script",
            "worker_threads.Worker",
        ]
    };
    for (call, callee, args) in unit.calls() {
        let Some(last) = args.iter().rev().find(|arg| arg.name.is_none()) else { continue };
        // The last text of `new Function("a", "b", "…")` is the code; of all others the first.
        let is_function = names.is_one_of(id, callee, &["Function"]);
        let script = if is_function { last } else { &args[0] };
        if *budget == 0 || !names.is_one_of(id, callee, runs) {
            continue;
        }
        let Some(text) = names.constant(id, script.value, 8).filter(|text| text.len() <= SCRIPT_BYTES_MAX) else {
            continue;
        };
        *budget -= 1;
        let Some(read) = crate::code::read(&unit.path, text.as_bytes()) else { continue };
        // As if it stood there: the place is that of the call.
        let program = Program::new(vec![read]);
        let inner = Names::new(&program);
        let own = Phases::new(&inner, &[], &[], &|_| true);
        let mut uses = Vec::new();
        for (id, _) in program.units() {
            of_unit(&inner, &own, &Code::default(), id, &mut uses);
        }
        let span = unit.span(call);
        let when = phases.when(id, names.layout(id).owner(call));
        let code: String = unit.line(span).chars().take(300).collect();
        found.extend(uses.into_iter().map(|used| Use { line: Some(span.line), code: code.clone(), when, ..used }));
    }
}

impl Finder<'_> {
    /// A native module, imported.
    fn import(&mut self, import: &Import) {
        if is_addon(&import.module) {
            let what = Some(import.module.clone());
            self.add(Access::Native, false, "require", import.span, None, |found| found.what = what);
        }
    }

    fn look(&mut self, expr: ExprId) {
        let unit = self.unit;
        let role = self.names.layout(self.id).role(expr);
        if unit.language == Language::Shell {
            if let ExprKind::Call { callee, args, .. } = unit.expr(expr) {
                self.command(expr, *callee, args);
            }
            return;
        }
        match unit.expr(expr) {
            ExprKind::Call { callee, args, .. } => {
                self.call(expr, *callee, args);
                self.environment_call(expr, *callee, args);
            }
            ExprKind::Member { of, name } => self.environment_member(expr, *of, name, role),
            ExprKind::Index { of, key } => self.environment_index(expr, *of, *key, role),
            ExprKind::Compare { op: Comparison::In | Comparison::NotIn, left, right } => {
                self.environment_test(expr, *left, *right);
            }
            _ => {}
        }
        if matches!(role, Role::Argument | Role::Kept) {
            self.environment_whole(expr);
            self.reference(expr);
        }
    }

    /// A function that is handed on and called by others.
    fn reference(&mut self, expr: ExprId) {
        if !matches!(self.unit.expr(expr), ExprKind::Var(_) | ExprKind::Member { .. } | ExprKind::Free(_)) {
            return;
        }
        if let Some(parent) = self.names.layout(self.id).parent(expr)
            && let ExprKind::Call { callee, .. } = self.unit.expr(parent)
        {
            let called = match self.unit.expr(*callee) {
                ExprKind::Free(name) => name,
                ExprKind::Member { of, .. } => match self.unit.expr(*of) {
                    ExprKind::Free(name) => name,
                    _ => "",
                },
                _ => "",
            };
            // What wraps it is seen where the wrapped one is called.
            let wrapped = self
                .names
                .senses(self.id, parent)
                .iter()
                .any(|sense| matches!(sense, Sense::Outside(path) if !path.ends_with(')')));
            let ours =
                self.names.senses(self.id, *callee).iter().any(|s| matches!(s, Sense::Function(..) | Sense::Class(..)));
            if LOOKS.contains(&called) || wrapped || ours {
                return;
            }
        }
        for path in self.names.outside(self.id, expr) {
            if self.handed_getter(expr, &path) {
                continue;
            }
            let last = last(&path);
            // A method that is handed on may never be called, unless that is what it is handed over for.
            let is_kept = path.contains("()") && !self.is_run_by_what_takes_it(expr);
            if is_kept || last.starts_with(|c: char| c.is_ascii_uppercase()) || path == "require" {
                continue;
            }
            let module = !path.contains('.') && path != "fetch" && path != "open";
            for effect in table::find(self.unit.language, &path) {
                if !module {
                    self.add(effect.access, effect.later, &path, self.unit.span(expr), Some(expr), |_| {});
                }
            }
        }
    }

    fn call(&mut self, call: ExprId, callee: ExprId, args: &[Arg]) {
        let paths = self.names.outside(self.id, callee);
        let language = self.unit.language;
        for path in &paths {
            self.server_transport(call, path, args);
            self.native_module(call, path, args);
            self.option_variable(call, path, args);
            if let Some((module, after)) = path.split_once(".?")
                && (after.is_empty() || module == "ctypes")
                && self.any_of(call, module)
            {
                continue;
            }
            for effect in table::find(language, path.trim_end_matches(".?")) {
                self.effect(call, callee, path.trim_end_matches(".?"), args, effect);
            }
        }
        for path in self.inherited(callee) {
            for effect in table::find(language, &path) {
                self.effect(call, callee, &path, args, effect);
            }
        }
        // `folder.read_text()` on what nobody knows.
        let unknown = self.names.senses(self.id, callee).is_empty();
        if let ExprKind::Member { of, name } = self.unit.expr(callee)
            && unknown
            && language == Language::Python
            && !self.names.is_made_by_own(self.id, *of, 8)
        {
            let access = if PATH_READS.contains(&name.as_str()) {
                Access::Read
            } else if PATH_WRITES.contains(&name.as_str()) {
                Access::Write
            } else {
                return;
            };
            let texts = self.names.texts(self.id, *of);
            self.file(call, access, name, &texts);
        }
    }

    /// `require("./addon.node")`, by any name.
    fn native_module(&mut self, call: ExprId, path: &str, args: &[Arg]) {
        let loads = matches!(path, "require" | "import" | "module.require" | "module.createRequire()");
        let first = args.first().filter(|_| loads);
        let Some(first) = first else { return };
        for text in self.names.texts(self.id, first.value) {
            if is_addon(&text) {
                let what = Some(text.replace(super::values::HERE, "."));
                self.add(Access::Native, false, path, self.unit.span(call), Some(call), |found| found.what = what);
            }
        }
    }

    /// A member of a module whose name is computed.
    fn any_of(&mut self, call: ExprId, module: &str) -> bool {
        let access = match module {
            "child_process" | "subprocess" => Access::Subprocess,
            "fs" | "fs.promises" => Access::Write,
            "ctypes" | "_ctypes" | "cffi" => Access::Native,
            _ => return false,
        };
        self.add(access, false, module, self.unit.span(call), Some(call), |found| found.open = true);
        true
    }

    /// Whether an expression is given to a call that runs what it is given.
    fn is_run_by_what_takes_it(&self, expr: ExprId) -> bool {
        let parent = self.names.layout(self.id).parent(expr);
        let callee = parent.and_then(|parent| match self.unit.expr(parent) {
            ExprKind::Call { callee, .. } => Some(*callee),
            _ => None,
        });
        callee.is_some_and(|callee| phase::runs_callbacks(self.names, self.id, self.unit, callee))
    }

    /// What classes of the bundle are made of that come from outside, where one of them is called.
    fn inherited(&self, callee: ExprId) -> Vec<String> {
        const CLASSES_COUNT_MAX: usize = 16;
        let class = |sense: &Sense| if let Sense::Class(unit, class) = sense { Some((*unit, *class)) } else { None };
        let mut left: Vec<_> = self.names.senses(self.id, callee).iter().filter_map(class).collect();
        let (mut paths, mut at) = (Vec::new(), 0);
        while let Some(&(unit, class_id)) = left.get(at) {
            at += 1;
            for &base in &self.names.program.unit(unit).classes[class_id.0 as usize].bases {
                for sense in self.names.senses(unit, base).iter() {
                    match sense {
                        Sense::Outside(path) => paths.push(path.clone()),
                        other => left.extend(class(other).filter(|_| left.len() < CLASSES_COUNT_MAX)),
                    }
                }
            }
        }
        paths.truncate(CLASSES_COUNT_MAX);
        paths
    }

    fn effect(&mut self, call: ExprId, callee: ExprId, path: &str, args: &[Arg], effect: Effect) {
        let span = self.unit.span(call);
        match effect.access {
            Access::Read | Access::Write => {
                let both = ["copy", "move", "rename", "replace", "link", "cp"].iter().any(|name| path.contains(name));
                let mut texts = self.arguments(args, if both { 2 } else { 1 });
                if let ExprKind::Member { of, .. } = self.unit.expr(callee)
                    && path.starts_with("pathlib.")
                {
                    texts = self.names.texts(self.id, *of);
                }
                let access = if self.opens_for_writing(path, args) { Access::Write } else { effect.access };
                if path.starts_with("git.") {
                    texts.clear();
                }
                if path.starts_with("netrc.") && args.is_empty() {
                    texts = vec!["~/.netrc".to_owned()];
                }
                // What lies elsewhere is fetched: `read_csv("https://…")`.
                let hosts: Vec<String> = texts.iter().filter_map(|text| host(text)).collect();
                if !hosts.is_empty() && texts.iter().any(|text| is_remote(text)) {
                    let what = Some(hosts.join(", "));
                    self.add(Access::Outbound, false, path, span, Some(call), |found| found.what = what);
                    return;
                }
                if !texts.is_empty() && texts.iter().all(|text| text == ":memory:") {
                    return;
                }
                self.file(call, access, path, &texts);
            }
            Access::Outbound => {
                let texts = self.arguments(args, 2);
                if loads_models(path) && texts.first().is_some_and(|text| is_local(text)) {
                    let first = texts[..1].to_vec();
                    self.file(call, Access::Read, path, &first);
                    return;
                }
                if texts.iter().any(|text| text.starts_with("sqlite:") || text.starts_with("sqlite+")) {
                    self.file(call, Access::Write, path, &texts);
                    return;
                }
                let hosts: Vec<String> = texts.iter().filter_map(|text| host(text)).collect();
                let what = (!hosts.is_empty()).then(|| hosts.join(", "));
                self.add(effect.access, effect.later, path, span, Some(call), |found| found.what = what);
            }
            Access::Subprocess => {
                let (what, open) = self.program(path, args);
                let chosen = self.code.flows.iter().any(|flow| {
                    flow.unit == self.id
                        && flow.span == span
                        && matches!(flow.kind, SinkKind::Shell | SinkKind::Process)
                        && !flow.is_argument
                        && flow.danger >= Danger::High
                });
                self.add(effect.access, effect.later, path, span, Some(call), |found| {
                    (found.what, found.open, found.chosen) = (what, open, chosen);
                });
            }
            Access::EnvironmentRead => {
                let first = args.first().map(|arg| arg.value);
                if path.ends_with("expandvars") {
                    self.expanded(call, path, first);
                } else {
                    self.variables(call, effect.access, path, first);
                }
            }
            Access::Native => {
                let what = args.first().map(|arg| self.names.texts(self.id, arg.value).join(", "));
                let what = what.filter(|text| !text.contains(UNKNOWN));
                self.add(effect.access, effect.later, path, span, Some(call), |found| found.what = what);
            }
            Access::Inbound | Access::EnvironmentWrite => {
                self.add(effect.access, effect.later, path, span, Some(call), |_| {});
            }
        }
    }

    /// Texts that the first arguments may be; those of lists and objects among them.
    fn arguments(&self, args: &[Arg], count: usize) -> Vec<String> {
        let mut texts = Vec::new();
        for arg in args.iter().filter(|arg| arg.name.is_none()).take(count) {
            match self.unit.expr(arg.value) {
                ExprKind::Dict(members) => {
                    let named = |key: Option<ExprId>| {
                        let key = key.and_then(|key| self.unit.text(key));
                        matches!(
                            key,
                            Some("url" | "baseURL" | "hostname" | "host" | "uri" | "path" | "file" | "filename")
                        )
                    };
                    for &(_, value) in members.iter().filter(|(key, _)| named(*key)) {
                        texts.extend(self.names.texts(self.id, value));
                    }
                }
                // `read([home / ".aws" / "config"])`
                ExprKind::List(_) => texts.extend(self.names.element_texts(self.id, arg.value)),
                _ => texts.extend(self.names.texts(self.id, arg.value)),
            }
        }
        let named = |arg: &&Arg| {
            matches!(
                arg.name.as_deref(),
                Some("url" | "base_url" | "file" | "path" | "filename" | "host" | "database" | "name")
            )
        };
        for arg in args.iter().filter(named).take(count) {
            texts.extend(self.names.texts(self.id, arg.value));
        }
        texts
    }

    fn file(&mut self, call: ExprId, access: Access, path: &str, texts: &[String]) {
        let starts = access == Access::Write && texts.iter().any(|text| sensitive::starts_programs(text));
        let stake = texts.iter().map(|text| sensitive::path(text)).max().unwrap_or_default();
        let stake = if starts { Stake::Keys } else { stake };
        // Reading what the bundle itself brings needs no leave.
        let plain = texts.iter().all(|text| !text.contains(UNKNOWN) && text.matches("..").count() < 3);
        if access == Access::Read && stake == Stake::Plain && plain && !texts.is_empty() && Names::is_here(texts) {
            return;
        }
        let worst = texts.iter().max_by_key(|text| sensitive::path(text));
        let what = worst.filter(|text| text.chars().any(|c| c != UNKNOWN && c != '/'));
        let what = what.map(|text| text.replace(super::values::HERE, "."));
        self.add(access, false, path, self.unit.span(call), Some(call), |found| {
            found.what = what;
            found.secret = stake == Stake::Keys;
            found.configuration = stake == Stake::Configuration;
        });
    }

    /// Whether a file is opened for more than reading.
    fn opens_for_writing(&self, path: &str, args: &[Arg]) -> bool {
        let plain = path.replace("()", "");
        let at = match plain.as_str() {
            "open" | "io.open" | "codecs.open" | "gzip.open" | "bz2.open" | "lzma.open" | "aiofiles.open"
            | "anyio.open_file" | "zipfile.ZipFile" | "tarfile.open" | "h5py.File" | "io.FileIO" | "fs.open"
            | "fs.openSync" | "fs.promises.open" | "os.open" | "Deno.open" => 1,
            _ if plain.starts_with("pathlib") && last(&plain) == "open" => 0,
            _ => return false,
        };
        let named = args.iter().find(|arg| arg.name.as_deref() == Some("mode"));
        let placed = args.iter().filter(|arg| arg.name.is_none()).nth(at);
        let Some(mode) = named.or(placed) else { return false };
        if let ExprKind::Function(_) | ExprKind::Number(_) | ExprKind::Dict(_) = self.unit.expr(mode.value) {
            return false;
        }
        if plain == "os.open" {
            let words = self.unit.span(mode.value);
            let text = self.unit.source.get(words.start as usize..words.end as usize).unwrap_or_default();
            return ["O_WRONLY", "O_RDWR", "O_CREAT", "O_APPEND", "O_TRUNC"].iter().any(|flag| text.contains(flag));
        }
        self.names.texts(self.id, mode.value).iter().any(|mode| mode.contains(['w', 'a', 'x', '+']) && mode.len() < 16)
    }

    /// The program that is run, and whether that stays open.
    fn program(&self, path: &str, args: &[Arg]) -> (Option<String>, bool) {
        let plain = path.replace("()", "");
        // Libraries that run one program of their own.
        let runs_any = plain.starts_with("subprocess.")
            || plain.starts_with("os.")
            || plain.starts_with("asyncio.")
            || plain.starts_with("anyio.")
            || plain.starts_with("child_process.")
            || plain.starts_with("execa")
            || plain.starts_with("cross-spawn")
            || plain.starts_with("node-pty")
            || plain.starts_with("shelljs")
            || plain.starts_with("zx")
            || plain.starts_with("Bun.")
            || plain.starts_with("Deno.")
            || plain.starts_with("tinyexec")
            || plain.starts_with("pexpect")
            || plain.starts_with("pty.")
            || plain.starts_with("invoke.")
            || plain.starts_with("commands.")
            || plain.starts_with("posix.");
        if !runs_any {
            return (None, false);
        }
        if plain == "child_process.fork" {
            return (Some("node".to_owned()), false);
        }
        if matches!(plain.as_str(), "os.fork" | "os.forkpty" | "pty.fork") {
            return (None, false);
        }
        let skip = usize::from(plain.starts_with("os.spawn"));
        let named = |arg: &&Arg| matches!(arg.name.as_deref(), Some("args" | "cmd" | "command"));
        let placed = args.iter().filter(|arg| arg.name.is_none()).nth(skip);
        let Some(first) = placed.or_else(|| args.iter().find(named)) else { return (None, true) };
        let rest: Vec<&Arg> = args.iter().filter(|arg| arg.name.is_none()).skip(skip + 1).collect();
        let lines = self.command_lines(first.value, &rest);
        let open = lines.is_empty() || lines.iter().any(|words| is_open(words));
        let mut programs: Vec<String> = lines.iter().filter_map(|words| words.first().cloned()).collect();
        programs.retain(|program| !program.contains(UNKNOWN));
        programs.sort();
        programs.dedup();
        programs.truncate(4);
        ((!programs.is_empty()).then(|| programs.join(", ")), open)
    }

    /// The words of the command lines that a call may run.
    fn command_lines(&self, first: ExprId, rest: &[&Arg]) -> Vec<Vec<String>> {
        let senses = self.names.senses(self.id, first);
        let lists: Vec<(UnitId, ExprId)> =
            senses.iter().filter_map(|s| if let Sense::Value(u, e) = s { Some((*u, *e)) } else { None }).collect();
        let mut lines = Vec::new();
        for (unit, list) in lists {
            if let ExprKind::List(items) = self.names.program.unit(unit).expr(list) {
                let words = items.iter().take(4).map(|&item| self.names.texts(unit, item).concat());
                lines.push(words.collect());
            }
        }
        if lines.is_empty() {
            for text in self.names.texts(self.id, first) {
                let mut words: Vec<String> = text.split_whitespace().take(4).map(str::to_owned).collect();
                if words.len() == 1 {
                    words.extend(rest.iter().take(2).flat_map(|arg| self.flat(arg.value)));
                }
                lines.push(words);
            }
        }
        lines
    }

    fn flat(&self, expr: ExprId) -> Vec<String> {
        match self.unit.expr(expr) {
            ExprKind::List(items) => {
                items.iter().take(3).map(|&item| self.names.texts(self.id, item).concat()).collect()
            }
            _ => vec![self.names.texts(self.id, expr).concat()],
        }
    }

    /// `mcp.run(transport="sse")` listens.
    fn server_transport(&mut self, call: ExprId, path: &str, args: &[Arg]) {
        let server = path.contains("FastMCP") && (path.ends_with(").run") || path.ends_with(").run_async"))
            || path.contains("fastmcp") && path.ends_with(").start");
        if !server {
            return;
        }
        let mut texts: Vec<String> = Vec::new();
        for arg in args.iter().filter(|arg| arg.name.as_deref().is_none_or(|name| name == "transport")).take(1) {
            match self.unit.expr(arg.value) {
                ExprKind::Dict(members) => {
                    let is = |key: Option<ExprId>| key.and_then(|key| self.unit.text(key)) == Some("transportType");
                    for &(_, value) in members.iter().filter(|(key, _)| is(*key)) {
                        texts.extend(self.names.texts(self.id, value));
                    }
                }
                _ => texts.extend(self.names.texts(self.id, arg.value)),
            }
        }
        if texts.iter().any(|text| matches!(text.as_str(), "sse" | "http" | "streamable-http" | "httpStream")) {
            self.add(Access::Inbound, false, path, self.unit.span(call), Some(call), |_| {});
        }
    }

    fn add(
        &mut self,
        access: Access,
        later: bool,
        call: &str,
        span: Span,
        at: Option<ExprId>,
        fill: impl FnOnce(&mut Use),
    ) {
        let owner = at.map_or(crate::code::facts::FunctionId::TOP, |at| self.names.layout(self.id).owner(at));
        let when = match self.phases.when(self.id, owner) {
            When::Start if later => When::Elsewhere,
            when => when,
        };
        let mut found = Use {
            line: Some(span.line),
            code: self.unit.line(span).chars().take(300).collect(),
            ..Use::new(access, when, &self.unit.path, call)
        };
        fill(&mut found);
        self.found.push(found);
    }
}

/// The last part of a dotted name.
fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// A native module of Node.
fn is_addon(name: &str) -> bool {
    last(name) == "node"
}

/// Whether a command line may be anything.
fn is_open(words: &[String]) -> bool {
    let Some(program) = words.first() else { return true };
    if program.contains(UNKNOWN) {
        return true;
    }
    let name = program.rsplit(['/', '\\']).next().unwrap_or(program).trim_end_matches(".exe");
    let shell = matches!(
        name,
        "sh" | "bash" | "zsh" | "dash" | "ksh" | "fish" | "cmd" | "powershell" | "pwsh" | "env" | "sudo" | "eval"
    );
    let script = words.get(1).is_some_and(|word| word.starts_with(['-', '/']) || word.contains(UNKNOWN));
    shell && script && words.iter().skip(1).any(|word| word.contains(UNKNOWN))
}
