//! What a name may mean, by all ways that lead to it: aliases, wrappers, lists and objects of functions, what
//! functions answer, and what callers within the bundle hand over.
//!
//! [`Program::meaning`] gives the likeliest meaning; permissions ask for every one. Each expression is resolved
//! once and remembered, so that the work is linear in the code.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::layout::Layout;
use crate::code::facts::{Arg, ClassId, ExprId, ExprKind, FunctionId, Import, Language, Unit, VarId};
use crate::code::program::{Program, UnitId};

/// Most meanings of one expression.
const SENSES_COUNT_MAX: usize = 8;
/// Most values of one variable, and callers of one function, that are looked at.
const SOURCES_COUNT_MAX: usize = 12;
/// Deepest chain of names.
const DEPTH_MAX: u32 = 40;
/// Most expressions that are being resolved at once.
const NESTED_COUNT_MAX: usize = 200;
/// Most members, modules and classes that are looked into for one expression: objects spread into each other
/// lead to the same places by ways that double at each.
const WALK_STEPS_MAX: u32 = 256;
/// Longest dotted name, in bytes.
const PATH_BYTES_MAX: usize = 200;

/// One meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sense {
    /// Something from outside the bundle, dotted.
    Outside(String),
    /// A function of the bundle.
    Function(UnitId, FunctionId),
    /// A class of the bundle.
    Class(UnitId, ClassId),
    /// An instance of one.
    Instance(UnitId, ClassId),
    /// A whole unit.
    Unit(UnitId),
    /// A list or an object that is written out.
    Value(UnitId, ExprId),
}

type Senses = Rc<[Sense]>;

/// Where the value of a parameter comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Given {
    /// It is this.
    Value(UnitId, ExprId),
    /// It is one of the elements of this.
    Element(UnitId, ExprId),
}

/// The names of a program.
pub(super) struct Names<'p> {
    pub(super) program: &'p Program,
    pub(super) layouts: Vec<Layout>,
    memo: RefCell<HashMap<(UnitId, ExprId), Senses>>,
    active: RefCell<HashSet<(UnitId, ExprId)>>,
    /// How many steps are left for the expression that is being resolved.
    left: Cell<u32>,
    /// What parameters are given by calls within the bundle.
    given: HashMap<(UnitId, VarId), Vec<Given>>,
    /// The functions whose parameter a variable is, with its place.
    params: HashMap<(UnitId, VarId), (FunctionId, usize)>,
    /// The imports that bind a variable, as places in [`Unit::imports`].
    imports: HashMap<(UnitId, VarId), Vec<usize>>,
    /// Modules of which a unit takes over everything.
    stars: HashMap<UnitId, Vec<String>>,
}

/// Calls that give back what they are given, only called another way.
const WRAPPERS: [&str; 16] = [
    "util.promisify",
    "promisify",
    "pify",
    "bluebird.promisify",
    "es6-promisify.promisify",
    "util.callbackify",
    "functools.partial",
    "functools.wraps",
    "functools.lru_cache",
    "functools.cache",
    "asgiref.sync.sync_to_async",
    "Object.freeze",
    "Object.create",
    "structuredClone",
    "staticmethod",
    "Promise.resolve",
];
/// Names of the languages themselves, free in every file.
const BUILTINS: [&str; 34] = [
    "open",
    "getattr",
    "__import__",
    "eval",
    "exec",
    "compile",
    "/",
    "isinstance",
    "fetch",
    "WebSocket",
    "EventSource",
    "XMLHttpRequest",
    "process",
    "require",
    "navigator",
    "globalThis",
    "global",
    "window",
    "self",
    "Bun",
    "Deno",
    "module",
    "import",
    "import.meta",
    "Object",
    "Reflect",
    "Promise",
    "Function",
    "__builtins__",
    "promisify",
    "typeof",
    "staticmethod",
    "structuredClone",
    "super",
];

impl<'p> Names<'p> {
    /// Lays out all units, and finds what functions are given; that needs names, so it is done twice.
    pub(super) fn new(program: &'p Program) -> Self {
        let layouts = program.units().map(|(_, unit)| Layout::new(unit)).collect();
        let mut names = Self {
            program,
            layouts,
            memo: RefCell::default(),
            active: RefCell::default(),
            left: Cell::new(WALK_STEPS_MAX),
            given: HashMap::new(),
            params: HashMap::new(),
            imports: HashMap::new(),
            stars: HashMap::new(),
        };
        for (id, unit) in program.units() {
            for (at, function) in unit.functions.iter().enumerate() {
                let function_id = FunctionId(u32::try_from(at).unwrap_or(u32::MAX));
                for (place, param) in function.params.iter().enumerate() {
                    names.params.insert((id, param.var), (function_id, place));
                }
            }
            for (at, import) in unit.imports.iter().enumerate() {
                if let Some(var) = import.var {
                    let known = names.imports.entry((id, var)).or_default();
                    if known.len() < SENSES_COUNT_MAX {
                        known.push(at);
                    }
                }
            }
            let all = unit.imports.iter().filter(|import| import.member.as_deref() == Some("*"));
            let all: Vec<String> = all.map(|import| import.module.clone()).collect();
            names.stars.insert(id, all);
        }
        for _ in 0..2 {
            names.given = names.handed_over();
            names.memo.borrow_mut().clear();
        }
        names
    }

    pub(super) fn layout(&self, unit: UnitId) -> &Layout {
        &self.layouts[unit.0 as usize]
    }

    /// Every meaning of an expression.
    pub(super) fn senses(&self, unit: UnitId, expr: ExprId) -> Senses {
        self.at(unit, expr, DEPTH_MAX)
    }

    /// The dotted names that an expression may stand for.
    pub(super) fn outside(&self, unit: UnitId, expr: ExprId) -> Vec<String> {
        let senses = self.senses(unit, expr);
        senses.iter().filter_map(|s| if let Sense::Outside(path) = s { Some(path.clone()) } else { None }).collect()
    }

    /// Whether an expression may stand for one of these names.
    pub(super) fn is_one_of(&self, unit: UnitId, expr: ExprId, names: &[&str]) -> bool {
        self.senses(unit, expr).iter().any(|s| matches!(s, Sense::Outside(path) if names.contains(&path.as_str())))
    }

    /// What a variable is assigned, imported as, or given.
    pub(super) fn sources(&self, unit: UnitId, var: VarId) -> Vec<Given> {
        if let Some(import) = self.program.import(unit, var) {
            return self.imported_value(unit, import).into_iter().collect();
        }
        let assigned = self.program.definitions(unit, var).iter().map(|&value| Given::Value(unit, value));
        let mut sources: Vec<Given> = assigned.take(SOURCES_COUNT_MAX).collect();
        if let Some(&(function, place)) = self.params.get(&(unit, var)) {
            let param = &self.program.unit(unit).function(function).params[place];
            sources.extend(param.default.map(|default| Given::Value(unit, default)));
            sources.extend(self.given.get(&(unit, var)).into_iter().flatten().copied());
        }
        sources
    }

    /// The function that a variable is a parameter of.
    pub(super) fn parameter(&self, unit: UnitId, var: VarId) -> Option<(FunctionId, usize)> {
        self.params.get(&(unit, var)).copied()
    }

    fn imported_value(&self, unit: UnitId, import: &Import) -> Option<Given> {
        let inside = self.program.module(unit, &import.module)?;
        let name = import.member.as_deref()?;
        let export = self.program.unit(inside).exports.iter().rev().find(|export| export.name == name)?;
        Some(Given::Value(inside, export.value))
    }

    fn at(&self, unit: UnitId, expr: ExprId, depth: u32) -> Senses {
        let key = (unit, expr);
        if let Some(known) = self.memo.borrow().get(&key) {
            return known.clone();
        }
        let nested = self.active.borrow().len() >= NESTED_COUNT_MAX;
        if depth == 0 || nested || !self.active.borrow_mut().insert(key) {
            return Rc::from([]);
        }
        let mut found = Vec::new();
        let around = self.left.replace(WALK_STEPS_MAX);
        self.resolve(unit, expr, depth - 1, &mut found);
        self.left.set(around);
        self.active.borrow_mut().remove(&key);
        let mut senses: Vec<Sense> = Vec::new();
        for sense in found {
            let short = !matches!(&sense, Sense::Outside(path) if path.len() > PATH_BYTES_MAX);
            if short && !senses.contains(&sense) && senses.len() < SENSES_COUNT_MAX {
                senses.push(sense);
            }
        }
        let senses: Senses = senses.into();
        self.memo.borrow_mut().insert(key, senses.clone());
        senses
    }

    /// One step deeper on the walk for an expression, if there is one left.
    fn deeper(&self, depth: u32) -> Option<u32> {
        self.left.set(self.left.get().checked_sub(1)?);
        depth.checked_sub(1)
    }

    fn resolve(&self, unit: UnitId, expr: ExprId, depth: u32, out: &mut Vec<Sense>) {
        let source = self.program.unit(unit);
        match source.expr(expr) {
            ExprKind::Var(var) => self.variable(unit, *var, depth, out),
            ExprKind::Free(name) => self.free(unit, expr, name, out),
            ExprKind::Member { of, name } => {
                for sense in self.at(unit, *of, depth).iter() {
                    self.member(sense, name, depth, out);
                }
            }
            ExprKind::Index { of, key } => self.index(unit, *of, *key, depth, out),
            ExprKind::Call { callee, args, new } => self.called(unit, *callee, args, *new, depth, out),
            ExprKind::Either(ways) | ExprKind::All(ways) => {
                for &way in ways.iter().take(SENSES_COUNT_MAX) {
                    out.extend(self.at(unit, way, depth).iter().cloned());
                }
            }
            ExprKind::Choice { then, otherwise, .. } => {
                out.extend(self.at(unit, *then, depth).iter().cloned());
                out.extend(self.at(unit, *otherwise, depth).iter().cloned());
            }
            ExprKind::Function(function) => out.push(Sense::Function(unit, *function)),
            ExprKind::Class(class) => out.push(Sense::Class(unit, *class)),
            ExprKind::List(_) | ExprKind::Dict(_) => out.push(Sense::Value(unit, expr)),
            _ => {}
        }
    }

    fn free(&self, unit: UnitId, expr: ExprId, name: &str, out: &mut Vec<Sense>) {
        let source = self.program.unit(unit);
        if name == "this" {
            let within = self.layout(unit).owner(expr);
            out.extend(self.program.class_around(unit, within).map(|class| Sense::Instance(unit, class)));
            return;
        }
        if source.language == Language::Python {
            for module in self.stars.get(&unit).into_iter().flatten() {
                match self.program.module(unit, module) {
                    Some(inside) => self.exported(inside, name, DEPTH_MAX / 4, out),
                    None if super::table::knows(Language::Python, &format!("{module}.{name}")) => {
                        out.push(Sense::Outside(format!("{module}.{name}")));
                    }
                    None => {}
                }
            }
        }
        if out.is_empty() && BUILTINS.contains(&name) && (name != "open" || source.language == Language::Python) {
            out.push(Sense::Outside(name.to_owned()));
        }
    }

    fn variable(&self, unit: UnitId, var: VarId, depth: u32, out: &mut Vec<Sense>) {
        if self.program.import(unit, var).is_some() {
            // One name may be bound by several: `try: import a as x except: import b as x`.
            for &at in self.imports.get(&(unit, var)).into_iter().flatten() {
                let mut one = Vec::new();
                self.imported(unit, &self.program.unit(unit).imports[at], depth, &mut one);
                out.append(&mut one);
            }
            // `try: import a except: a = None` assigns, too.
            for &value in self.program.definitions(unit, var).iter().take(SOURCES_COUNT_MAX) {
                out.extend(self.at(unit, value, depth).iter().cloned());
            }
            return;
        }
        let source = self.program.unit(unit);
        let parameter = self.parameter(unit, var);
        if let Some((function, place)) = parameter {
            let function = source.function(function);
            if let (Language::Python, Some(class), 0) = (source.language, function.class, place) {
                out.push(Sense::Instance(unit, class));
                return;
            }
            let annotation = function.params[place].annotation.as_deref();
            out.extend(annotation.and_then(|annotation| self.annotated(unit, annotation)));
        }
        for given in self.sources(unit, var) {
            match given {
                Given::Value(unit, value) => out.extend(self.at(unit, value, depth).iter().cloned()),
                Given::Element(unit, value) => self.elements(unit, value, depth, out),
            }
        }
    }

    /// What a parameter of a type is: `Path`, `httpx.AsyncClient | None`, `"Optional[Session]"`.
    fn annotated(&self, unit: UnitId, annotation: &str) -> Option<Sense> {
        let bare = annotation.trim_matches(['"', '\'', ' ']).trim_start_matches("Optional[").trim_end_matches(']');
        let bare = bare.split('|').next()?.trim();
        let mut parts = bare.split('.');
        let first = parts.next()?;
        let source = self.program.unit(unit);
        let named = |import: &&Import| {
            import.var.is_some_and(|var| {
                let var = &source.vars[var.0 as usize];
                var.name == first && var.function == FunctionId::TOP
            })
        };
        let import = source.imports.iter().find(named)?;
        if self.program.module(unit, &import.module).is_some() {
            let mut found = Vec::new();
            self.imported(unit, import, DEPTH_MAX / 4, &mut found);
            return found.into_iter().find_map(|sense| match sense {
                Sense::Class(unit, class) => Some(Sense::Instance(unit, class)),
                _ => None,
            });
        }
        let mut path = import.module.replace('/', ".");
        for part in import.member.as_deref().filter(|member| *member != "default").into_iter().chain(parts) {
            path = format!("{path}.{part}");
        }
        path.rsplit('.').next()?.starts_with(|c: char| c.is_ascii_uppercase()).then(|| Sense::Outside(path + "()"))
    }

    fn imported(&self, unit: UnitId, import: &Import, depth: u32, out: &mut Vec<Sense>) {
        let (module, member) = (&import.module, import.member.as_deref());
        if let Some(inside) = self.program.module(unit, module) {
            match member {
                None => out.push(Sense::Unit(inside)),
                Some(name) => {
                    self.exported(inside, name, depth, out);
                    if out.is_empty() && name != "default" {
                        let below = self.program.module(inside, &format!(".{name}"));
                        out.extend(below.filter(|_| self.is_python(unit)).map(Sense::Unit));
                    } else if out.is_empty() {
                        out.push(Sense::Unit(inside));
                    }
                }
            }
            return;
        }
        if let Some(name) = member.filter(|_| self.is_python(unit)) {
            let joined = if module.ends_with('.') { format!("{module}{name}") } else { format!("{module}.{name}") };
            if let Some(inside) = self.program.module(unit, &joined) {
                out.push(Sense::Unit(inside));
                return;
            }
        }
        let module = module.replace('/', ".");
        out.push(Sense::Outside(match member {
            None | Some("default" | "*") => module,
            Some(name) => format!("{module}.{name}"),
        }));
    }

    fn is_python(&self, unit: UnitId) -> bool {
        self.program.unit(unit).language == Language::Python
    }

    fn exported(&self, unit: UnitId, name: &str, depth: u32, out: &mut Vec<Sense>) {
        let Some(depth) = self.deeper(depth) else { return };
        let exports = &self.program.unit(unit).exports;
        if let Some(export) = exports.iter().rev().find(|export| export.name == name) {
            out.extend(self.at(unit, export.value, depth).iter().cloned());
            return;
        }
        for export in exports.iter().filter(|export| export.name == "*").take(SOURCES_COUNT_MAX) {
            for sense in self.at(unit, export.value, depth).iter() {
                match sense {
                    Sense::Unit(other) if *other != unit => self.exported(*other, name, depth, out),
                    Sense::Outside(path) => out.push(Sense::Outside(format!("{path}.{name}"))),
                    _ => {}
                }
            }
        }
    }

    fn member(&self, of: &Sense, name: &str, depth: u32, out: &mut Vec<Sense>) {
        // What is remembered is given back at any depth, so that a walk counts its own steps.
        let Some(depth) = self.deeper(depth) else { return };
        match of {
            Sense::Outside(path) if matches!(name, "default" | "call" | "apply" | "bind") && path != "subprocess" => {
                out.push(Sense::Outside(path.clone()));
            }
            Sense::Outside(path) => out.push(Sense::Outside(dotted(path, name))),
            Sense::Unit(unit) => {
                self.exported(*unit, name, depth, out);
                if self.is_python(*unit) {
                    out.extend(self.program.module(*unit, &format!(".{name}")).map(Sense::Unit));
                } else if name == "default" {
                    out.push(of.clone());
                }
            }
            Sense::Class(unit, class) => self.method(*unit, *class, name, depth, out),
            Sense::Instance(unit, class) => {
                self.method(*unit, *class, name, depth, out);
                for &(_, value) in self.program.fields(*unit, *class, name).iter().take(SOURCES_COUNT_MAX) {
                    out.extend(self.at(*unit, value, depth).iter().cloned());
                }
            }
            Sense::Value(unit, value) => self.item(*unit, *value, Some(name), depth, out),
            Sense::Function(unit, function)
                if matches!(name, "bind" | "call" | "apply" | "__call__" | "__wrapped__") =>
            {
                out.push(Sense::Function(*unit, *function));
            }
            Sense::Function(..) => {}
        }
    }

    fn method(&self, unit: UnitId, class: ClassId, name: &str, depth: u32, out: &mut Vec<Sense>) {
        let Some(depth) = self.deeper(depth) else { return };
        let found = &self.program.unit(unit).classes[class.0 as usize];
        if let Some((_, method)) = found.methods.iter().find(|(method, _)| method == name) {
            // A property is what it answers.
            if self.is_property(unit, *method) {
                self.answers(unit, *method, depth, out);
            } else {
                out.push(Sense::Function(unit, *method));
            }
            return;
        }
        if let Some((_, value)) = found.fields.iter().find(|(field, _)| field == name) {
            out.extend(self.at(unit, *value, depth).iter().cloned());
            return;
        }
        for &base in found.bases.iter().take(SENSES_COUNT_MAX) {
            for sense in self.at(unit, base, depth).iter() {
                match sense {
                    Sense::Class(unit, class) => self.method(*unit, *class, name, depth, out),
                    // Inherited from outside.
                    Sense::Outside(path) => out.push(Sense::Outside(dotted(path, name))),
                    _ => {}
                }
            }
        }
    }

    fn is_property(&self, unit: UnitId, function: FunctionId) -> bool {
        let source = self.program.unit(unit);
        source.function(function).decorators.iter().any(|&decorator| match source.expr(decorator) {
            ExprKind::Free(name) => name == "property",
            ExprKind::Member { name, .. } => name == "cached_property",
            ExprKind::Var(var) => source.vars[var.0 as usize].name == "cached_property",
            _ => false,
        })
    }

    /// A member of a written-out object or list; any of them where the name is not known.
    fn item(&self, unit: UnitId, value: ExprId, name: Option<&str>, depth: u32, out: &mut Vec<Sense>) {
        let Some(depth) = self.deeper(depth) else { return };
        let source = self.program.unit(unit);
        match source.expr(value) {
            ExprKind::Dict(members) => {
                let is = |key: Option<ExprId>| name.is_none() || key.and_then(|key| source.text(key)) == name;
                for (key, value) in members.iter().filter(|(key, _)| key.is_some() && is(*key)).take(SOURCES_COUNT_MAX)
                {
                    let _ = key;
                    out.extend(self.at(unit, *value, depth).iter().cloned());
                }
                if let Some(name) = name.filter(|_| out.is_empty()) {
                    for (_, spread) in members.iter().filter(|(key, _)| key.is_none()).take(SOURCES_COUNT_MAX) {
                        for sense in self.at(unit, *spread, depth).iter() {
                            self.member(sense, name, depth, out);
                        }
                    }
                }
            }
            ExprKind::List(items) => {
                let at = name.and_then(|name| name.parse::<usize>().ok());
                let some = at.map_or(0..items.len(), |at| at..at.saturating_add(1).min(items.len()));
                for &item in items.get(some).unwrap_or_default().iter().take(SOURCES_COUNT_MAX) {
                    out.extend(self.at(unit, item, depth).iter().cloned());
                }
            }
            _ => {}
        }
    }

    fn elements(&self, unit: UnitId, of: ExprId, depth: u32, out: &mut Vec<Sense>) {
        for sense in self.at(unit, of, depth).iter() {
            if let Sense::Value(unit, value) = sense {
                self.item(*unit, *value, None, depth, out);
            }
        }
    }

    fn index(&self, unit: UnitId, of: ExprId, key: Option<ExprId>, depth: u32, out: &mut Vec<Sense>) {
        let source = self.program.unit(unit);
        let name = key.and_then(|key| match source.expr(key) {
            ExprKind::Number(number) if number.fract() == 0.0 && *number >= 0.0 => Some(format!("{number:.0}")),
            _ => self.constant(unit, key, depth),
        });
        for sense in self.at(unit, of, depth).iter() {
            match (sense, &name) {
                (Sense::Value(unit, value), _) => self.item(*unit, *value, name.as_deref(), depth, out),
                (_, Some(name)) => self.member(sense, name, depth, out),
                (Sense::Outside(path), None) => out.push(Sense::Outside(format!("{path}.?"))),
                _ => {}
            }
        }
    }

    /// A text that is constant by way of names.
    pub(super) fn constant(&self, unit: UnitId, expr: ExprId, depth: u32) -> Option<String> {
        let (mut unit, mut expr) = (unit, expr);
        for _ in 0..depth.min(8) {
            let source = self.program.unit(unit);
            match source.expr(expr) {
                ExprKind::Text(text) => return Some(text.clone()),
                ExprKind::Var(var) => {
                    let sources = self.sources(unit, *var);
                    let [Given::Value(next, value)] = sources.as_slice() else { return None };
                    (unit, expr) = (*next, *value);
                }
                ExprKind::Join(parts) => {
                    let parts: Option<Vec<String>> =
                        parts.iter().map(|&part| self.constant(unit, part, depth.min(8) - 1)).collect();
                    return parts.map(|parts| parts.concat());
                }
                _ => return None,
            }
        }
        None
    }

    fn called(&self, unit: UnitId, callee: ExprId, args: &[Arg], new: bool, depth: u32, out: &mut Vec<Sense>) {
        let first = args.first().map(|arg| arg.value);
        for sense in self.at(unit, callee, depth).iter() {
            match sense {
                Sense::Outside(path) => self.outside_call(unit, path, args, depth, out),
                Sense::Class(unit, class) => out.push(Sense::Instance(*unit, *class)),
                Sense::Function(unit, function) if new => {
                    let _ = (unit, function);
                }
                Sense::Function(unit, function) => self.answers(*unit, *function, depth, out),
                _ => {}
            }
        }
        // `"x".bind(…)` of our own functions, and wrappers that are free names.
        if let (ExprKind::Free(name), Some(first)) = (self.program.unit(unit).expr(callee), first)
            && WRAPPERS.contains(&name.as_str())
        {
            out.extend(self.at(unit, first, depth).iter().cloned());
        }
    }

    fn outside_call(&self, unit: UnitId, path: &str, args: &[Arg], depth: u32, out: &mut Vec<Sense>) {
        let first = args.first().map(|arg| arg.value);
        let module = |name: Option<String>, out: &mut Vec<Sense>| {
            let Some(name) = name else { return };
            match self.program.module(unit, &name) {
                Some(inside) => out.push(Sense::Unit(inside)),
                None => {
                    let name = name.strip_prefix("node:").unwrap_or(&name).replace('/', ".");
                    out.push(Sense::Outside(name));
                }
            }
        };
        match (path, first) {
            ("getattr" | "Reflect.get", Some(of)) => {
                let name = args.get(1).and_then(|arg| self.constant(unit, arg.value, depth));
                for sense in self.at(unit, of, depth).iter() {
                    match (&name, sense) {
                        (Some(name), _) => self.member(sense, name, depth, out),
                        (None, Sense::Outside(path)) => out.push(Sense::Outside(format!("{path}.?"))),
                        _ => {}
                    }
                }
            }
            (
                "__import__"
                | "importlib.import_module"
                | "require"
                | "import"
                | "module.require"
                | "process.mainModule.require"
                | "importlib.__import__"
                | "process.getBuiltinModule"
                | "module.createRequire()",
                Some(name),
            ) => module(self.constant(unit, name, depth), out),
            ("/", Some(folder)) => {
                let senses = self.at(unit, folder, depth);
                out.extend(senses.iter().cloned());
                if senses.is_empty() {
                    out.push(Sense::Outside("pathlib.Path()".to_owned()));
                }
            }
            (_, Some(first)) if WRAPPERS.contains(&path) => out.extend(self.at(unit, first, depth).iter().cloned()),
            ("Object.assign", _) => {
                for arg in args.iter().take(SENSES_COUNT_MAX) {
                    out.extend(self.at(unit, arg.value, depth).iter().cloned());
                }
            }
            ("Promise.all" | "asyncio.gather", Some(first)) => out.extend(self.at(unit, first, depth).iter().cloned()),
            _ => out.push(Sense::Outside(format!("{path}()"))),
        }
    }

    /// What a function answers.
    fn answers(&self, unit: UnitId, function: FunctionId, depth: u32, out: &mut Vec<Sense>) {
        for &value in self.layout(unit).returns(function).iter().take(SOURCES_COUNT_MAX) {
            out.extend(self.at(unit, value, depth).iter().cloned());
        }
    }

    /// What parameters are given by calls within the bundle.
    fn handed_over(&self) -> HashMap<(UnitId, VarId), Vec<Given>> {
        let mut given: HashMap<(UnitId, VarId), Vec<Given>> = HashMap::new();
        let mut add = |key: (UnitId, VarId), value: Given| {
            let known = given.entry(key).or_default();
            if known.len() < SOURCES_COUNT_MAX && !known.contains(&value) {
                known.push(value);
            }
        };
        for (unit, source) in self.program.units() {
            for (_, callee, args) in source.calls() {
                for sense in self.senses(unit, callee).iter() {
                    let target = match sense {
                        Sense::Function(unit, function) => Some((*unit, *function)),
                        Sense::Class(unit, class) => {
                            let methods = &self.program.unit(*unit).classes[class.0 as usize].methods;
                            methods.iter().find(|(name, _)| name == "__init__").map(|(_, method)| (*unit, *method))
                        }
                        _ => None,
                    };
                    if let Some((callee_unit, function)) = target {
                        for (var, value) in bound(self.program.unit(callee_unit), function, args) {
                            add((callee_unit, var), Given::Value(unit, value));
                        }
                    }
                }
                self.given_to_callbacks(unit, source, callee, args, &mut add);
            }
        }
        given
    }

    /// `list.map(f)` gives elements to `f`, `promise.then(f)` what is promised.
    fn given_to_callbacks(
        &self,
        unit: UnitId,
        source: &Unit,
        callee: ExprId,
        args: &[Arg],
        add: &mut impl FnMut((UnitId, VarId), Given),
    ) {
        let ExprKind::Member { of, name } = source.expr(callee) else { return };
        let given = match name.as_str() {
            "then" => Given::Value(unit, *of),
            name if is_per_element(name) => Given::Element(unit, *of),
            _ => return,
        };
        let Some(first) = args.first() else { return };
        for sense in self.senses(unit, first.value).iter() {
            if let Sense::Function(unit, function) = sense
                && let Some(param) = self.program.unit(*unit).function(*function).params.first()
            {
                add((*unit, param.var), given);
            }
        }
    }
}

/// Whether a method of lists calls its argument with elements.
pub(super) fn is_per_element(name: &str) -> bool {
    matches!(name, "map" | "forEach" | "filter" | "some" | "every" | "find" | "flatMap" | "findIndex")
}

/// Which argument each parameter of a function gets.
fn bound(unit: &Unit, function: FunctionId, args: &[Arg]) -> Vec<(VarId, ExprId)> {
    let function = unit.function(function);
    let method = unit.language == Language::Python && function.class.is_some();
    let params = &function.params[usize::from(method).min(function.params.len())..];
    let mut places = params.iter().filter(|param| !param.keywords);
    let mut bound = Vec::new();
    for arg in args {
        let param = match &arg.name {
            Some(name) => params.iter().find(|param| param.name == *name),
            None => places.next(),
        };
        bound.extend(param.filter(|param| !param.rest).map(|param| (param.var, arg.value)));
    }
    bound
}

/// A member of something outside. `globalThis.fetch` is `fetch`, `builtins.open` is `open`.
fn dotted(path: &str, name: &str) -> String {
    match path {
        "globalThis" | "global" | "window" | "self" | "builtins" | "__builtins__" => name.to_owned(),
        _ => format!("{path}.{name}"),
    }
}
