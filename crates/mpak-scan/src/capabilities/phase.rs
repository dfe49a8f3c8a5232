//! When each function runs: while the server starts, when a model calls it, or otherwise; and which files it
//! comes to at all.

use std::collections::BTreeSet;

use foldhash::{HashMap, HashSet};

use super::When;
use super::names::{Names, Sense, is_per_element};
use crate::code::facts::{ExprId, ExprKind, FunctionId, Language, Unit};
use crate::code::program::UnitId;
use crate::code::tools::Handler;

type Node = (UnitId, FunctionId);

/// Calls that load a module by its name.
const LOADERS: [&str; 10] = [
    "importlib.import_module",
    "__import__",
    "require",
    "import",
    "module.createRequire()",
    "runpy.run_path",
    "runpy.run_module",
    "importlib.util.spec_from_file_location",
    "pkgutil.iter_modules",
    "pkgutil.walk_packages",
];
/// Arguments by which a framework is told what to run while it starts.
const BEGINNINGS: [&str; 4] = ["lifespan", "on_startup", "startup", "server_lifespan"];
/// Longest constant text that may name a file of the bundle, in bytes.
const NAME_BYTES_MAX: usize = 200;

/// When what runs.
#[derive(Debug, Default)]
pub(super) struct Phases {
    starting: HashSet<Node>,
    handling: HashSet<Node>,
    /// Units that the server comes to.
    reached: HashSet<UnitId>,
}

impl Phases {
    /// `entries` are the files that the manifest starts; where none is known every file is taken for one.
    pub(super) fn new(
        names: &Names<'_>,
        handlers: &[Handler],
        entries: &[UnitId],
        own: &dyn Fn(&Unit) -> bool,
    ) -> Self {
        let mut phases = Self::default();
        let all: Vec<UnitId> = names.program.units().filter(|(_, unit)| own(unit)).map(|(id, _)| id).collect();
        let modules = Modules::new(names, &all);
        let calls = Calls::new(names, &modules);
        let entries = if entries.is_empty() { &all } else { entries };
        // 1. What loading and starting runs, from call to call and from import to import.
        let mut roots: Vec<Node> = entries.iter().map(|&unit| (unit, FunctionId::TOP)).collect();
        roots.extend(entries.iter().flat_map(|&unit| uncalled_mains(names, unit, &calls)));
        phases.starting = calls.reach(roots);
        // 2. What a model calls.
        let handled: Vec<Node> = handlers.iter().map(|handler| (handler.unit, handler.function)).collect();
        phases.handling = calls.reach(handled.clone());
        // 3. Files: by import from anywhere within a file, and by name.
        phases.reached = reached(names, &modules, entries, &all);
        // Handlers that nothing comes to are loaded in a way that was not seen: their files are entered, too.
        let mut loaded: Vec<UnitId> = handled.iter().map(|(unit, _)| *unit).collect();
        loaded.retain(|unit| own(names.program.unit(*unit)));
        loaded.dedup();
        if !loaded.iter().any(|unit| phases.reached.contains(unit)) {
            let mut roots: Vec<Node> = loaded.iter().map(|&unit| (unit, FunctionId::TOP)).collect();
            roots.extend(loaded.iter().flat_map(|&unit| uncalled_mains(names, unit, &calls)));
            phases.starting.extend(calls.reach(roots));
            phases.reached.extend(reached(names, &modules, &loaded, &all));
        }
        phases
    }

    /// Whether the server comes to a unit.
    pub(super) fn reaches(&self, unit: UnitId) -> bool {
        self.reached.contains(&unit)
    }

    /// When a function runs.
    pub(super) fn when(&self, unit: UnitId, function: FunctionId) -> When {
        if self.starting.contains(&(unit, function)) {
            When::Start
        } else if self.handling.contains(&(unit, function)) {
            When::Handler
        } else {
            When::Elsewhere
        }
    }
}

/// Which function runs which.
struct Calls {
    edges: HashMap<Node, BTreeSet<Node>>,
    called: HashSet<Node>,
}

impl Calls {
    fn new(names: &Names<'_>, modules: &Modules) -> Self {
        let mut calls = Self { edges: HashMap::default(), called: HashSet::default() };
        for (id, unit) in names.program.units() {
            let layout = names.layout(id);
            for (call, callee, args) in unit.calls() {
                if layout.role(call) == super::layout::Role::Dead {
                    continue;
                }
                let from = (id, layout.owner(call));
                calls.runs(names, from, id, callee);
                // Callbacks that are run at once, or in a moment.
                if runs_callbacks(names, id, unit, callee) {
                    args.iter().for_each(|arg| calls.runs(names, from, id, arg.value));
                }
                // What a server runs before it serves.
                let begins =
                    args.iter().filter(|arg| arg.name.as_deref().is_some_and(|name| BEGINNINGS.contains(&name)));
                for arg in begins {
                    calls.runs_each(names, from, id, arg.value);
                }
            }
            for import in &unit.imports {
                let from = (id, import.var.map_or(FunctionId::TOP, |var| unit.vars[var.0 as usize].function));
                for other in modules.of(names, id, &import.module, import.member.as_deref()) {
                    calls.add(from, (other, FunctionId::TOP));
                }
            }
            // Class statements run what a base has for those who extend it.
            for class in &unit.classes {
                let from = (id, names.program.function_around(id, class.span));
                for &base in &class.bases {
                    calls.extends(names, from, id, base);
                }
            }
            // Properties and decorators: what a decorator of the bundle is, runs where it stands.
            for (at, function) in unit.functions.iter().enumerate() {
                let outer = (id, function.parent.unwrap_or(FunctionId::TOP));
                for &decorator in &function.decorators {
                    calls.runs(names, outer, id, decorator);
                    if is_startup(unit, decorator) {
                        calls.add(outer, (id, FunctionId(u32::try_from(at).unwrap_or(u32::MAX))));
                    }
                }
            }
        }
        calls
    }

    fn add(&mut self, from: Node, to: Node) {
        self.edges.entry(from).or_default().insert(to);
        self.called.insert(to);
    }

    fn runs(&mut self, names: &Names<'_>, from: Node, unit: UnitId, what: ExprId) {
        for sense in names.senses(unit, what).iter() {
            match sense {
                Sense::Function(unit, function) => self.add(from, (*unit, *function)),
                Sense::Class(unit, class) => {
                    let methods = &names.program.unit(*unit).classes[class.0 as usize].methods;
                    for (name, method) in methods {
                        if matches!(
                            name.as_str(),
                            "__init__" | "__new__" | "__post_init__" | "__enter__" | "__aenter__"
                        ) {
                            self.add(from, (*unit, *method));
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// What runs where a class is extended: `__init_subclass__` of it or of what it extends, and its metaclass.
    fn extends(&mut self, names: &Names<'_>, from: Node, unit: UnitId, base: ExprId) {
        const CLASSES_COUNT_MAX: usize = 16;
        let class = |sense: &Sense| if let Sense::Class(unit, class) = sense { Some((*unit, *class)) } else { None };
        let mut bases: Vec<_> = names.senses(unit, base).iter().filter_map(class).collect();
        let mut at = 0;
        while let Some(&(unit, class_id)) = bases.get(at) {
            at += 1;
            let found = &names.program.unit(unit).classes[class_id.0 as usize];
            let hook = |name: &str| matches!(name, "__init_subclass__" | "__prepare__" | "__mro_entries__");
            for (_, method) in found.methods.iter().filter(|(name, _)| hook(name)) {
                self.add(from, (unit, *method));
            }
            for &base in &found.bases {
                let more = names.senses(unit, base);
                let new: Vec<_> = more.iter().filter_map(class).filter(|one| !bases.contains(one)).collect();
                bases.extend(new.into_iter().take(CLASSES_COUNT_MAX.saturating_sub(bases.len())));
            }
        }
    }

    /// As [`Calls::runs`], of one function or of a list of them.
    fn runs_each(&mut self, names: &Names<'_>, from: Node, unit: UnitId, what: ExprId) {
        self.runs(names, from, unit, what);
        if let ExprKind::List(items) = names.program.unit(unit).expr(what) {
            items.iter().take(16).for_each(|&item| self.runs(names, from, unit, item));
        }
    }

    fn reach(&self, roots: Vec<Node>) -> HashSet<Node> {
        let mut reached: HashSet<Node> = roots.iter().copied().collect();
        let mut left = roots;
        while let Some(node) = left.pop() {
            for &next in self.edges.get(&node).into_iter().flatten() {
                if reached.insert(next) {
                    left.push(next);
                }
            }
        }
        reached
    }
}

/// `@app.on_event("startup")`, `@app.before_serving`.
fn is_startup(unit: &Unit, decorator: ExprId) -> bool {
    let (callee, args) = match unit.expr(decorator) {
        ExprKind::Call { callee, args, .. } => (*callee, args.as_slice()),
        _ => (decorator, &[][..]),
    };
    let ExprKind::Member { name, .. } = unit.expr(callee) else { return false };
    let first = args.first().and_then(|arg| unit.text(arg.value));
    matches!(name.as_str(), "before_serving" | "before_server_start" | "on_startup")
        || name == "on_event" && first == Some("startup")
}

/// Whether a call runs the functions that it is given at once or by itself, and not when something is asked of it.
pub(super) fn runs_callbacks(names: &Names<'_>, id: UnitId, unit: &Unit, callee: ExprId) -> bool {
    if let ExprKind::Member { name, .. } = unit.expr(callee) {
        let name = name.as_str();
        let promised =
            matches!(name, "then" | "catch" | "finally" | "reduce" | "sort" | "nextTick" | "run_until_complete");
        if promised
            || is_per_element(name)
            || matches!(name, "create_task" | "ensure_future" | "start_soon" | "run_in_executor" | "submit")
        {
            return true;
        }
    }
    if let ExprKind::Free(name) = unit.expr(callee)
        && matches!(
            name.as_str(),
            "setTimeout" | "setImmediate" | "setInterval" | "queueMicrotask" | "Promise" | "map" | "filter"
        )
    {
        return true;
    }
    names.is_one_of(
        id,
        callee,
        &[
            "asyncio.run",
            "anyio.run",
            "trio.run",
            "threading.Thread",
            "threading.Timer",
            "asyncio.create_task",
            "asyncio.to_thread",
            "process.nextTick",
            "Promise",
            "functools.reduce",
            "timers.setTimeout",
            "timers.promises.setTimeout",
            "multiprocessing.Process",
        ],
    )
}

/// `main` of a file that a launcher starts from outside.
fn uncalled_mains(names: &Names<'_>, unit: UnitId, calls: &Calls) -> Vec<Node> {
    let source = names.program.unit(unit);
    let mut found = Vec::new();
    for (at, function) in source.functions.iter().enumerate() {
        let id = FunctionId(u32::try_from(at).unwrap_or(u32::MAX));
        let top = function.parent == Some(FunctionId::TOP) && function.class.is_none();
        if top && function.name.as_deref() == Some("main") && !calls.called.contains(&(unit, id)) {
            found.push((unit, id));
        }
    }
    found
}

/// Modules of the server's own that lie in a folder of packages, which is on the path of the interpreter: by their
/// dotted name.
struct Modules {
    packaged: HashMap<String, UnitId>,
}

impl Modules {
    fn new(names: &Names<'_>, own: &[UnitId]) -> Self {
        /// Folders that authors put packages into, where no package manager's record stands beside them.
        const FOLDERS: [&str; 8] =
            ["deps", "lib", "libs", "vendor", "_vendor", "site-packages", "third_party", "packages"];
        let mut packaged = HashMap::default();
        for &id in own {
            let unit = names.program.unit(id);
            if unit.language != Language::Python {
                continue;
            }
            let Some(stem) = unit.path.strip_suffix(".py") else { continue };
            let stem = stem.strip_suffix("/__init__").unwrap_or(stem);
            let parts: Vec<&str> = stem.split('/').collect();
            if let Some(at) = parts[..parts.len() - 1].iter().position(|part| FOLDERS.contains(part)) {
                packaged.entry(parts[at + 1..].join(".")).or_insert(id);
            }
        }
        Self { packaged }
    }

    /// The units that an import loads: the module, what is around it, and the member if that is a module.
    fn of(&self, names: &Names<'_>, from: UnitId, module: &str, member: Option<&str>) -> Vec<UnitId> {
        let program = names.program;
        let python = program.unit(from).language == Language::Python;
        let find = |module: &str| {
            let packaged = || self.packaged.get(module).copied().filter(|_| python);
            program.module(from, module).or_else(packaged)
        };
        let mut found: Vec<UnitId> = find(module).into_iter().collect();
        if python {
            if let Some(member) = member {
                let joined =
                    if module.ends_with('.') { format!("{module}{member}") } else { format!("{module}.{member}") };
                found.extend(find(&joined));
            }
            let mut outer = module;
            while let Some((before, _)) = outer.rsplit_once('.').filter(|(before, _)| !before.is_empty()) {
                outer = before;
                found.extend(find(outer));
            }
        }
        found
    }
}

/// Units that the entries come to.
fn reached(names: &Names<'_>, modules: &Modules, entries: &[UnitId], all: &[UnitId]) -> HashSet<UnitId> {
    let mut by_name: HashMap<&str, Vec<UnitId>> = all.iter().fold(HashMap::default(), |mut map, &id| {
        let path = &names.program.unit(id).path;
        let name = path.rsplit('/').next().unwrap_or(path);
        map.entry(name).or_default().push(id);
        map
    });
    let mut reached: HashSet<UnitId> = entries.iter().copied().collect();
    let mut left: Vec<UnitId> = entries.to_vec();
    let mut loads_all = false;
    while let Some(id) = left.pop() {
        let unit = names.program.unit(id);
        let mut next: Vec<UnitId> = Vec::new();
        for import in &unit.imports {
            next.extend(modules.of(names, id, &import.module, import.member.as_deref()));
        }
        for expr in &unit.exprs {
            // `spawn("node", ["worker.js"])`, `new Worker("./worker.js")`, `import_module("app.plugin")`.
            let ExprKind::Text(text) = &expr.kind else { continue };
            if text.len() > NAME_BYTES_MAX {
                continue;
            }
            for word in text.split([' ', '"', '\'', '=']) {
                let name = word.rsplit(['/', '\\']).next().unwrap_or(word);
                // Once is enough: then all of them are reached.
                next.extend(by_name.remove(name).into_iter().flatten());
            }
        }
        for (_, callee, args) in unit.calls() {
            // `import_module("app.plugin")`.
            if let Some(first) = args.first()
                && names.is_one_of(id, callee, &LOADERS)
                && let Some(module) = names.constant(id, first.value, 8)
            {
                next.extend(modules.of(names, id, &module, None));
            }
        }
        if !loads_all && loads_by_name(names, id, unit) {
            next.extend(all);
            loads_all = true;
        }
        left.extend(next.into_iter().filter(|next| reached.insert(*next)));
    }
    reached
}

/// Whether a unit loads modules whose names it computes.
fn loads_by_name(names: &Names<'_>, id: UnitId, unit: &Unit) -> bool {
    unit.calls().any(|(_, callee, args)| {
        let constant = args.first().is_some_and(|arg| names.constant(id, arg.value, 8).is_some());
        !constant && names.is_one_of(id, callee, &LOADERS)
    })
}
