//! The units of a bundle, linked: what a name means across files.
//!
//! Everything here asks facts only. A meaning is followed through aliases, imports, re-exports and
//! instances, a bounded number of steps.

use std::cell::Cell;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use foldhash::HashMap;

use super::facts::{ClassId, ExprId, ExprKind, FunctionId, Import, Language, Unit, VarId};

mod classes;
mod closure;
mod index;
mod links;
mod modules;
mod packed;
mod possible;

pub(crate) use classes::BASES_COUNT_MAX;
pub use classes::ClassKey;
use classes::Families;
use links::Links;

/// Most steps from a name to what it means.
const STEPS_MAX: u32 = 24;

/// Most meanings that are remembered.
const MEANINGS_COUNT_MAX: usize = 200_000;

/// Most expressions that are looked at for what one means.
const FOLLOWED_COUNT_MAX: u32 = 256;

/// Most assignments of one variable, and answers of one function, that are looked at for what it means.
const DEFINITIONS_COUNT_MAX: usize = 8;

/// Key of a unit in [`Program::units`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct UnitId(pub u32);

/// What an expression means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Something from outside the bundle, dotted: `child_process.exec`, `subprocess.Popen()` for an instance.
    Outside(String),
    /// A function of the bundle.
    Function(UnitId, FunctionId),
    /// A class of the bundle.
    Class(UnitId, ClassId),
    /// An instance of a class of the bundle.
    Instance(UnitId, ClassId),
    /// A whole unit.
    Unit(UnitId),
    /// A value that is none of these.
    Value(UnitId, ExprId),
}

/// Units, and what links them.
#[derive(Debug, Default)]
pub struct Program {
    units: Vec<Arc<Unit>>,
    links: Vec<Arc<Links>>,
    by_path: HashMap<String, UnitId>,
    /// Which unit a module is, by the first unit of the folder that names it.
    modules: Mutex<HashMap<UnitId, HashMap<String, Option<UnitId>>>>,
    /// By unit: the first one in the same folder and of a language that is linked in the same way.
    neighbours: Vec<UnitId>,
    /// What was asked for already: the same is asked in every round.
    meanings: Mutex<HashMap<(UnitId, FunctionId, ExprId), Meaning>>,
    families: OnceLock<Families>,
    /// Small packages of others that start shells, by their names.
    helpers: HashMap<String, UnitId>,
}

/// How far a name is still followed.
#[derive(Clone, Copy)]
struct Steps<'q> {
    /// How much deeper.
    depth: u32,
    /// How many more expressions, on all ways together.
    left: &'q Cell<u32>,
}

impl Steps<'_> {
    fn checked_sub(self, steps: u32) -> Option<Self> {
        self.left.set(self.left.get().checked_sub(1)?);
        Some(Self { depth: self.depth.checked_sub(steps)?, left: self.left })
    }
}

impl Program {
    /// Links units.
    pub fn new(units: Vec<Unit>) -> Self {
        let links = units.iter().map(|unit| Arc::new(Links::new(unit))).collect();
        Self::linked(units.into_iter().map(Arc::new).collect(), links)
    }

    fn linked(units: Vec<Arc<Unit>>, links: Vec<Arc<Links>>) -> Self {
        let by_path = units.iter().zip(0..).map(|(unit, at)| (unit.path.clone(), UnitId(at))).collect();
        let mut first = HashMap::default();
        let mut neighbours = Vec::with_capacity(units.len());
        for (unit, at) in units.iter().zip(0..) {
            let folder = unit.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            neighbours.push(*first.entry((folder, unit.language == Language::Python)).or_insert(UnitId(at)));
        }
        let helpers = modules::helpers(&units);
        Self { units, links, by_path, neighbours, helpers, ..Self::default() }
    }

    /// Some of the units as a program of their own, in the same order. They are shared, not copied.
    pub(crate) fn part(&self, of: &[UnitId]) -> Self {
        let units = of.iter().map(|id| Arc::clone(&self.units[id.0 as usize]));
        let links = of.iter().map(|id| Arc::clone(&self.links[id.0 as usize]));
        Self::linked(units.collect(), links.collect())
    }

    /// All units with their keys.
    pub fn units(&self) -> impl Iterator<Item = (UnitId, &Unit)> {
        self.units.iter().zip(0..).map(|(unit, at)| (UnitId(at), unit.as_ref()))
    }

    /// A unit.
    pub fn unit(&self, id: UnitId) -> &Unit {
        &self.units[id.0 as usize]
    }

    /// Values that a variable is assigned anywhere in its unit.
    pub fn definitions(&self, unit: UnitId, var: VarId) -> &[ExprId] {
        self.links[unit.0 as usize].definitions.get(&var).map_or(&[], Vec::as_slice)
    }

    /// The import that binds a variable.
    pub fn import(&self, unit: UnitId, var: VarId) -> Option<&Import> {
        let at = self.links[unit.0 as usize].imports.get(&var)?;
        self.unit(unit).imports.get(*at)
    }

    /// Values that a field of a class's instances is assigned, with the function that does it.
    pub fn fields(&self, unit: UnitId, class: ClassId, name: &str) -> &[(FunctionId, ExprId)] {
        self.links[unit.0 as usize].fields.get(&(class, name.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// What an expression of a function means.
    pub fn meaning(&self, unit: UnitId, within: FunctionId, expr: ExprId) -> Meaning {
        self.meaning_with_cost(unit, within, expr).0
    }

    /// The same, with how many expressions were looked at for it.
    pub fn meaning_with_cost(&self, unit: UnitId, within: FunctionId, expr: ExprId) -> (Meaning, u32) {
        let known = || self.meanings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(meaning) = known().get(&(unit, within, expr)) {
            return (meaning.clone(), 1);
        }
        let left = Cell::new(FOLLOWED_COUNT_MAX);
        let meaning = self.follow(unit, within, expr, Steps { depth: STEPS_MAX, left: &left });
        let mut known = known();
        if known.len() < MEANINGS_COUNT_MAX {
            known.insert((unit, within, expr), meaning.clone());
        }
        (meaning, FOLLOWED_COUNT_MAX - left.get())
    }

    /// The dotted name of something from outside the bundle.
    pub fn outside(&self, unit: UnitId, within: FunctionId, expr: ExprId) -> Option<String> {
        match self.meaning(unit, within, expr) {
            Meaning::Outside(path) => Some(path),
            _ => None,
        }
    }

    /// The expression that a variable stands for, through single assignments and imports of the bundle.
    pub fn value(&self, mut unit: UnitId, mut expr: ExprId) -> (UnitId, ExprId) {
        for _ in 0..STEPS_MAX {
            if let ExprKind::Member { of, name } = self.unit(unit).expr(expr) {
                match self.member_value(unit, *of, name) {
                    Some(value) => (unit, expr) = value,
                    None => break,
                }
                continue;
            }
            let ExprKind::Var(var) = self.unit(unit).expr(expr) else { break };
            let imported = self.import(unit, *var).and_then(|import| {
                let inside = self.module(unit, &import.module)?;
                let name = import.member.as_deref()?;
                Some((inside, self.exported(inside, name)?))
            });
            (unit, expr) = match (imported, self.definitions(unit, *var)) {
                (Some(imported), _) => imported,
                (None, &[only]) => (unit, only),
                _ => break,
            };
        }
        (unit, expr)
    }

    /// The expression that a member of a module or of a constant object stands for.
    fn member_value(&self, unit: UnitId, of: ExprId, name: &str) -> Option<(UnitId, ExprId)> {
        match self.meaning(unit, FunctionId::TOP, of) {
            Meaning::Unit(inside) => Some((inside, self.exported(inside, name)?)),
            Meaning::Value(unit, expr) => self.table_member(unit, expr, name).map(|value| (unit, value)),
            _ => None,
        }
    }

    fn follow(&self, unit: UnitId, within: FunctionId, expr: ExprId, steps: Steps<'_>) -> Meaning {
        let value = Meaning::Value(unit, expr);
        let Some(steps) = steps.checked_sub(1) else { return value };
        let source = self.unit(unit);
        match source.expr(expr) {
            ExprKind::Var(var) => self.variable(unit, within, *var, expr, steps),
            ExprKind::Free(name) if name == "this" => match self.class_around(unit, within) {
                Some(class) => Meaning::Instance(unit, class),
                None => Meaning::Outside(name.clone()),
            },
            ExprKind::Free(name) => Meaning::Outside(name.clone()),
            ExprKind::Member { of, name } => {
                let of = self.follow(unit, within, *of, steps);
                match of {
                    // `call`, `apply` and `default` change nothing about what is meant in a script.
                    Meaning::Outside(path)
                        if source.language != Language::Python
                            && matches!(name.as_str(), "default" | "call" | "apply") =>
                    {
                        Meaning::Outside(path)
                    }
                    of => self.member(of, name, steps).unwrap_or(value),
                }
            }
            // What compilers put around a module changes nothing about what is meant.
            ExprKind::Call { callee, args, .. } if args.len() <= 2 && packed::interops(source, *callee) => {
                args.first().map_or(value, |module| self.follow(unit, within, module.value, steps))
            }
            ExprKind::Call { .. } if self.packed_call(unit, expr, steps).is_some() => {
                let module = self.packed_call(unit, expr, steps);
                module.and_then(|module| self.packed_whole(module, steps)).unwrap_or(value)
            }
            ExprKind::Call { callee, args, .. } => match self.follow(unit, within, *callee, steps) {
                Meaning::Outside(path) if wraps(&path) && !args.is_empty() => {
                    self.follow(unit, within, args[0].value, steps)
                }
                Meaning::Outside(path) if matches!(path.as_str(), "__import__" | "importlib.import_module") => {
                    let module = args.first().and_then(|arg| source.text(arg.value));
                    module.map_or(value, |module| Meaning::Outside(module.to_owned()))
                }
                // `getattr(thing, "name")` is a member; with a name that is not constant it may be any.
                Meaning::Outside(path) if path == "getattr" => match args.as_slice() {
                    [of, name, ..] => match source.text(name.value) {
                        Some(name) => {
                            let of = self.follow(unit, within, of.value, steps);
                            self.member(of, name, steps).unwrap_or(value)
                        }
                        None => value,
                    },
                    _ => value,
                },
                Meaning::Outside(path) => match path.strip_suffix(".bind") {
                    Some(bound) => Meaning::Outside(bound.to_owned()),
                    None => Meaning::Outside(path + "()"),
                },
                Meaning::Class(unit, class) => Meaning::Instance(unit, class),
                Meaning::Function(unit, function) => self.answer(unit, function, steps).unwrap_or(value),
                // `module.exports = class …`: the module is what it offers.
                Meaning::Unit(unit) => match self.export(unit, "default", steps) {
                    Some(Meaning::Class(unit, class)) => Meaning::Instance(unit, class),
                    Some(Meaning::Function(unit, function)) => self.answer(unit, function, steps).unwrap_or(value),
                    _ => value,
                },
                // `Model.model_validate(…)` that the class inherits.
                Meaning::Value(..) => self.made_by_class(unit, within, *callee, steps).unwrap_or(value),
                Meaning::Instance(..) => value,
            },
            ExprKind::Either(ways) => match ways.first() {
                Some(&first) => self.follow(unit, within, first, steps),
                None => value,
            },
            ExprKind::Function(function) => Meaning::Function(unit, *function),
            ExprKind::Class(class) => Meaning::Class(unit, *class),
            _ => value,
        }
    }

    /// An instance that an inherited method of a class makes.
    fn made_by_class(&self, unit: UnitId, within: FunctionId, callee: ExprId, steps: Steps<'_>) -> Option<Meaning> {
        let ExprKind::Member { of, name } = self.unit(unit).expr(callee) else { return None };
        if !makes_an_instance(name) {
            return None;
        }
        match self.follow(unit, within, *of, steps) {
            Meaning::Class(unit, class) => Some(Meaning::Instance(unit, class)),
            _ => None,
        }
    }

    /// What a function of the bundle gives back, where that is a function, a class, an instance or from outside.
    fn answer(&self, unit: UnitId, function: FunctionId, steps: Steps<'_>) -> Option<Meaning> {
        let steps = steps.checked_sub(4)?;
        let returns = self.links[unit.0 as usize].returns.get(&function)?;
        returns.iter().map(|&value| self.follow(unit, function, value, steps)).find(|meaning| match meaning {
            Meaning::Function(of, inner) => (*of, *inner) != (unit, function),
            Meaning::Instance(..) | Meaning::Class(..) => true,
            Meaning::Outside(path) => path.contains('.') && path.ends_with("()"),
            Meaning::Value(..) | Meaning::Unit(_) => false,
        })
    }

    fn variable(&self, unit: UnitId, within: FunctionId, var: VarId, expr: ExprId, steps: Steps<'_>) -> Meaning {
        if let Some(import) = self.import(unit, var) {
            return self.imported(unit, import, steps);
        }
        let source = self.unit(unit);
        // The receiver of a Python method.
        let function = source.function(source.vars[var.0 as usize].function);
        if source.language == Language::Python
            && let (Some(class), Some(first)) = (function.class, function.params.first())
            && first.var == var
        {
            return Meaning::Instance(unit, class);
        }
        if let Some((_, at)) = self.links[unit.0 as usize].params.get(&var)
            && let Some(param) = function.params.get(*at)
            && let Some(meaning) = self.annotated(unit, param)
        {
            return meaning;
        }
        let definitions = self.definitions(unit, var);
        let meanings = definitions
            .iter()
            .take(DEFINITIONS_COUNT_MAX)
            .map(|&definition| self.follow(unit, within, definition, steps));
        let mut known = meanings.filter(|meaning| !matches!(meaning, Meaning::Value(..)));
        let known = known.next().or_else(|| self.of_type(unit, source.types.get(&var)?, steps.checked_sub(1)?));
        known.unwrap_or_else(|| match definitions {
            // `const { api } = require("./client")`
            [only] if matches!(source.expr(*only), ExprKind::Member { .. }) => self.follow(unit, within, *only, steps),
            [only] => Meaning::Value(unit, *only),
            _ => Meaning::Value(unit, expr),
        })
    }

    fn imported(&self, unit: UnitId, import: &Import, steps: Steps<'_>) -> Meaning {
        let module = &import.module;
        let member = import.member.as_deref();
        if let Some(inside) = self.module(unit, module) {
            return match member {
                None => Meaning::Unit(inside),
                Some(name) => self.export(inside, name, steps).unwrap_or(Meaning::Unit(inside)),
            };
        }
        // `from . import tools` names a module of the package.
        if let Some(name) = member
            && let Some(inside) = self.module(unit, &submodule(module, name))
        {
            return Meaning::Unit(inside);
        }
        let file = [".js", ".mjs", ".cjs"].iter().find_map(|end| module.strip_suffix(end));
        let module = file.filter(|file| file.contains('/')).unwrap_or(module).replace('/', ".");
        Meaning::Outside(match member {
            None | Some("default") => module,
            Some(name) => format!("{module}.{name}"),
        })
    }

    fn member(&self, of: Meaning, name: &str, steps: Steps<'_>) -> Option<Meaning> {
        match of {
            Meaning::Outside(path) => Some(Meaning::Outside(format!("{path}.{name}"))),
            Meaning::Unit(unit) => self.export(unit, name, steps).or_else(|| {
                if let Some(inside) = self.module(unit, &format!(".{name}")) {
                    return Some(Meaning::Unit(inside));
                }
                // `module.exports = new Store()`
                match self.export(unit, "default", steps)? {
                    of @ Meaning::Instance(..) => self.member(of, name, steps.checked_sub(1)?),
                    _ => None,
                }
            }),
            Meaning::Class(unit, class) => self.method(unit, class, name, steps),
            Meaning::Instance(unit, class) => match self.method(unit, class, name, steps) {
                // A property is what it gives back.
                Some(Meaning::Function(unit, function)) if self.unit(unit).function(function).accessor => {
                    self.answer(unit, function, steps)
                }
                Some(method) if !matches!(method, Meaning::Value(..)) => Some(method),
                of_class => {
                    let fields = &self.links[unit.0 as usize].fields;
                    let assigned = fields.get(&(class, name.to_owned())).and_then(|assigned| assigned.first());
                    let steps = steps.checked_sub(1)?;
                    let known = assigned.map(|&(within, value)| self.follow(unit, within, value, steps));
                    match known.or(of_class) {
                        Some(known) if !matches!(known, Meaning::Value(..)) => Some(known),
                        known => self.declared((unit, class), name, steps).or(known),
                    }
                }
            },
            Meaning::Value(unit, expr) => {
                if let Some(module) = self.packed_call(unit, expr, steps) {
                    return self.packed_export(module, name, steps);
                }
                let value = self.table_member(unit, expr, name)?;
                Some(self.follow(unit, FunctionId::TOP, value, steps))
            }
            Meaning::Function(unit, function) if matches!(name, "bind" | "call" | "apply") => {
                Some(Meaning::Function(unit, function))
            }
            Meaning::Function(..) => None,
        }
    }

    fn method(&self, unit: UnitId, class: ClassId, name: &str, steps: Steps<'_>) -> Option<Meaning> {
        let found = &self.unit(unit).classes[class.0 as usize];
        if let Some(method) = self.own_method(unit, class, name) {
            return Some(Meaning::Function(unit, method));
        }
        if let Some(value) = self.own_field(unit, class, name) {
            return Some(self.follow(unit, FunctionId::TOP, value, steps.checked_sub(1)?));
        }
        let steps = steps.checked_sub(1)?;
        found.bases.iter().take(BASES_COUNT_MAX).find_map(|&base| {
            match self.follow(unit, FunctionId::TOP, base, steps) {
                Meaning::Class(unit, class) => self.method(unit, class, name, steps),
                _ => None,
            }
        })
    }

    /// The function that makes instances of a class, its own or a base's.
    pub fn constructor(&self, unit: UnitId, class: ClassId) -> Option<(UnitId, FunctionId)> {
        let left = Cell::new(FOLLOWED_COUNT_MAX);
        match self.method(unit, class, "__init__", Steps { depth: STEPS_MAX, left: &left }) {
            Some(Meaning::Function(unit, function)) => Some((unit, function)),
            _ => None,
        }
    }

    /// A method of a class, its own or a base's.
    pub fn method_of(&self, (unit, class): ClassKey, name: &str) -> Option<(UnitId, FunctionId)> {
        let left = Cell::new(FOLLOWED_COUNT_MAX);
        match self.method(unit, class, name, Steps { depth: STEPS_MAX, left: &left }) {
            Some(Meaning::Function(unit, function)) => Some((unit, function)),
            _ => None,
        }
    }

    fn export(&self, unit: UnitId, name: &str, steps: Steps<'_>) -> Option<Meaning> {
        let steps = steps.checked_sub(1)?;
        if let Some(value) = self.exported(unit, name) {
            return Some(self.follow(unit, FunctionId::TOP, value, steps));
        }
        self.stars(unit).iter().find_map(|&value| match self.follow(unit, FunctionId::TOP, value, steps) {
            Meaning::Unit(other) if other != unit => self.export(other, name, steps),
            _ => None,
        })
    }

    /// What a module that is one thing is: `module.exports = function …`.
    pub fn offered(&self, unit: UnitId) -> Option<Meaning> {
        let left = Cell::new(FOLLOWED_COUNT_MAX);
        self.export(unit, "default", Steps { depth: STEPS_MAX, left: &left })
    }

    /// The class whose method a function is, or stands in.
    pub fn class_around(&self, unit: UnitId, within: FunctionId) -> Option<ClassId> {
        let source = self.unit(unit);
        let mut at = Some(within);
        while let Some(function) = at {
            let function = source.function(function);
            if function.class.is_some() {
                return function.class;
            }
            at = function.parent;
        }
        None
    }
}

/// Functions that give back what they are given, only called another way.
fn wraps(path: &str) -> bool {
    matches!(
        path,
        "util.promisify"
            | "promisify"
            | "pify"
            | "functools.partial"
            | "partial"
            | "functools.wraps"
            | "asyncio.to_thread"
            | "bluebird.promisify"
            | "util.callbackify"
    )
}

/// Methods of classes, inherited from libraries, that make an instance of what they are given.
pub fn makes_an_instance(name: &str) -> bool {
    matches!(
        name,
        "model_validate"
            | "model_validate_json"
            | "model_validate_strings"
            | "model_construct"
            | "parse_obj"
            | "parse_raw"
            | "from_orm"
            | "construct"
            | "from_dict"
            | "from_json"
    )
}

fn submodule(module: &str, name: &str) -> String {
    if module.ends_with('.') { format!("{module}{name}") } else { format!("{module}.{name}") }
}

#[cfg(test)]
mod tests;
