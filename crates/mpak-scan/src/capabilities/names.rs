//! What a name may mean, by all ways that lead to it: aliases, wrappers, lists and objects of functions, what
//! functions answer, and what callers within the bundle hand over.
//!
//! [`Program::meaning`] gives the likeliest meaning; permissions ask for every one. Each expression is resolved
//! once and remembered, so that the work is linear in the code.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use foldhash::{HashMap, HashSet};

use super::layout::Layout;
use crate::code::facts::{ClassId, ExprId, ExprKind, FunctionId, Import, VarId};
use crate::code::program::{Program, UnitId};
use crate::malware::constants::Constants;

mod calls;
mod members;
mod variables;

pub(super) use calls::is_per_element;

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
/// Most steps of all walks together, so that hostile code ends.
pub(super) const STEPS_MAX: u64 = 12_000_000;
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
    /// How many steps all of them took.
    steps: Cell<u64>,
    /// What the code computes from literals.
    constants: Constants<'p>,
    /// What parameters are given by calls within the bundle.
    given: HashMap<(UnitId, VarId), Vec<Given>>,
    /// The functions whose parameter a variable is, with its place.
    params: HashMap<(UnitId, VarId), (FunctionId, usize)>,
    /// The imports that bind a variable, as places in [`Unit::imports`].
    imports: HashMap<(UnitId, VarId), Vec<usize>>,
    /// Modules of which a unit takes over everything.
    stars: HashMap<UnitId, Vec<String>>,
}

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
            steps: Cell::new(0),
            constants: Constants::new(program),
            given: HashMap::default(),
            params: HashMap::default(),
            imports: HashMap::default(),
            stars: HashMap::default(),
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
        Some(Given::Value(inside, self.program.exported(inside, name)?))
    }

    fn at(&self, unit: UnitId, expr: ExprId, depth: u32) -> Senses {
        let key = (unit, expr);
        if let Some(known) = self.memo.borrow().get(&key) {
            return known.clone();
        }
        let nested = self.active.borrow().len() >= NESTED_COUNT_MAX;
        self.charge(1);
        if depth == 0 || nested || self.is_cut() || !self.active.borrow_mut().insert(key) {
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
        self.charge(1);
        if self.is_cut() {
            return None;
        }
        depth.checked_sub(1)
    }

    /// Whether the work ended before the code did.
    pub(super) fn is_cut(&self) -> bool {
        self.steps.get() >= STEPS_MAX
    }

    /// Counts work that is more than a step.
    fn charge(&self, steps: usize) {
        self.steps.set(self.steps.get().saturating_add(steps as u64).min(STEPS_MAX));
    }

    /// How many steps the work took.
    #[cfg(test)]
    pub(super) fn steps(&self) -> u64 {
        self.steps.get()
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
}
