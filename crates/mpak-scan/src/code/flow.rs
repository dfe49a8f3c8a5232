//! Follows values that outsiders choose to where text becomes action.
//!
//! Each unit's top level is run, then each handler with its inputs chosen by the model, then each function
//! that nobody called, with inputs that nobody knows. "Run" is abstract: both ways of a branch, loops twice,
//! calls of the bundle's own functions by going into them. What a test proves is remembered behind it.
//!
//! `value` is what is known of a value, `env` what is known at a point, `statements`, `expressions` and `calls`
//! run the code, `results` tells what functions from outside give back, `sinks` where a value must not go and what
//! makes it safe, `guards` what tests prove, `judge` how bad a flow is.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use foldhash::HashMap;

use super::facts::{ClassId, ExprId, FunctionId, Language, Span, Unit, VarId};
use super::program::{Meaning, Program, UnitId};
use super::shapes::Shape;
use super::tools::{self, Handler};

#[cfg(test)]
mod bounds;
mod calls;
mod entering;
mod entities;
mod env;
mod expressions;
mod feeding;
mod guards;
mod implicit;
mod input;
mod judge;
mod names;
mod passing;
mod results;
mod roots;
pub mod scripts;
mod settings;
pub mod sinks;
mod statements;
mod tables;
mod templates;
#[cfg(test)]
mod tests;
pub mod value;

use env::Env;
use sinks::SinkKind;
use value::{Origin, Resolved, Safe, Source, Step, Taint, Value};

/// Deepest chain of calls that is followed.
const CALLS_DEPTH_MAX: usize = 8;
/// Most expressions that are computed for one root, and for all together.
const ROOT_STEPS_MAX: u64 = 500_000;
const STEPS_MAX: u64 = 6_000_000;
/// Most flows that are told, and how many of these may be harmless ones.
const FLOWS_COUNT_MAX: usize = 4_096;
const HARMLESS_COUNT_MAX: usize = 2_048;
/// Most decorators of one handler that are run.
const DECORATORS_COUNT_MAX: usize = 8;
/// What it costs to find out what a name means, in expressions.
const MEANING_STEPS: u64 = 4;
/// So many expressions that are looked at for one name cost one step more.
const MEANING_STEPS_FREE: u32 = 16;
/// What it costs to ask a class and all its bases for a method.
const METHOD_STEPS: u64 = 8;

/// How bad it is that this text reaches that place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Danger {
    /// Only constants reach it.
    Constant,
    /// Reported for completeness.
    Low,
    /// To be looked at.
    Medium,
    /// An attacker who chooses it does harm.
    High,
    /// An attacker who chooses it runs code.
    Critical,
}

/// One flow.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Flow {
    /// What happens.
    pub kind: SinkKind,
    /// How bad.
    pub danger: Danger,
    /// Who chooses the text; none where it is constant.
    pub source: Option<Source>,
    /// What is called, dotted.
    pub call: String,
    /// Where.
    pub unit: UnitId,
    /// Where.
    pub span: Span,
    /// From the source to the call: places with what happens there.
    pub path: Vec<(UnitId, Span, String)>,
    /// Whether the text is an argument of a program, and not the program or its script.
    pub is_argument: bool,
    /// Whether the text is the whole query, which the tool is there to run.
    pub is_whole_query: bool,
}

/// Finds all flows of the handlers that are to be `run`, and whether all was followed to its end. `first_party` tells the units that are judged in full; in the others only flows that
/// start in a handler count.
pub fn flows(
    program: &Program,
    handlers: &[Handler],
    run: &dyn Fn(&Handler) -> bool,
    first_party: &dyn Fn(&Unit) -> bool,
) -> (Vec<Flow>, bool) {
    let engine = followed(program, handlers, run, first_party);
    (engine.found.into_values().collect(), !engine.cut)
}

fn followed<'p>(
    program: &'p Program,
    handlers: &[Handler],
    run: &dyn Fn(&Handler) -> bool,
    first_party: &dyn Fn(&Unit) -> bool,
) -> Engine<'p> {
    let mut engine = Engine {
        program,
        env: Env::default(),
        heap: HashMap::default(),
        origins: Vec::new(),
        children: HashMap::default(),
        found: BTreeMap::new(),
        stack: Vec::new(),
        visited: BTreeSet::new(),
        shapes: HashMap::default(),
        meanings: HashMap::default(),
        known: HashMap::default(),
        tables: HashMap::default(),
        archives: program.units().map(|(_, unit)| archives(unit)).collect(),
        plumbum: program
            .units()
            .map(|(_, unit)| unit.imports.iter().any(|i| i.module.starts_with("plumbum")))
            .collect(),
        proofs: Vec::new(),
        locals: program.units().map(|(_, unit)| locals(unit)).collect(),
        exits: Vec::new(),
        early: HashMap::default(),
        depth: 0,
        proving: 0,
        tests_left: 0,
        never_came_back: false,
        settled: HashMap::default(),
        bundled: program.units().filter(|(_, unit)| is_bundled(unit)).map(|(id, _)| id).collect(),
        listeners: BTreeMap::new(),
        takers: BTreeSet::new(),
        methods: passing::methods(program, first_party),
        registered: Vec::new(),
        registered_before: handlers.iter().map(|handler| (handler.unit, handler.function)).collect(),
        of_each: false,
        unquoted: false,
        speaks: tools::speaks_itself(program, handlers),
        accessors: implicit::accessors(program),
        steps: 0,
        root_steps: 0,
        cut: false,
        judged: true,
    };
    // 1. What runs when files are loaded.
    for (id, unit) in program.units() {
        engine.judged = first_party(unit);
        engine.root(id, FunctionId::TOP, Vec::new());
    }
    let mut top = engine.env.open();
    // 2. What the model calls; twice, so that what one handler stores another one finds.
    let mine = || handlers.iter().filter(|handler| run(handler));
    engine.cut |= mine().nth(tools::FOLLOWED_COUNT_MAX).is_some();
    for _ in 0..2 {
        for handler in mine().take(tools::FOLLOWED_COUNT_MAX) {
            engine.next_root(&mut top);
            engine.judged = true;
            engine.handler(handler);
        }
        engine.registered_ones(&mut top, 0);
    }
    engine.run_takers(&mut top);
    let serve = |unit: &Unit| first_party(unit) && scripts::is_server(unit);
    for id in program.units().filter(|(_, unit)| serve(unit)).map(|(id, _)| id).collect::<Vec<_>>() {
        engine.script(id);
    }
    let before = engine.registered.len();
    // 3. What nobody called.
    for (id, unit) in program.units().filter(|(_, unit)| first_party(unit)) {
        // What a bundler put in and no handler reaches is nobody's handler.
        if engine.bundled.contains(&id) && !(handlers.is_empty() && engine.registered.is_empty()) {
            continue;
        }
        for at in 1..unit.functions.len() {
            let function = FunctionId(u32::try_from(at).unwrap_or(u32::MAX));
            if !engine.visited.contains(&(id, function)) {
                if engine.steps >= STEPS_MAX {
                    engine.cut = true;
                    break;
                }
                engine.env.restart(top);
                engine.judged = true;
                let args = engine.unknown_inputs(id, function);
                engine.root(id, function, args);
            }
        }
    }
    engine.registered_ones(&mut top, before);
    engine
}

/// Flows of two runs over the same program: of the same flow the worse stays.
pub fn joined(first: Vec<Flow>, second: Vec<Flow>) -> Vec<Flow> {
    let mut found = BTreeMap::new();
    first.into_iter().chain(second).for_each(|flow| keep_worse(&mut found, flow));
    found.into_values().collect()
}

fn keep_worse(found: &mut BTreeMap<FlowKey, Flow>, flow: Flow) {
    match found.get(&flow.key()) {
        Some(before) if (before.danger, before.source) >= (flow.danger, flow.source) => {}
        _ => {
            found.insert(flow.key(), flow);
        }
    }
}

/// What flows are the same by.
type FlowKey = (UnitId, Span, SinkKind, bool);

impl Flow {
    fn key(&self) -> FlowKey {
        (self.unit, self.span, self.kind, self.is_argument)
    }
}

/// The function that is run.
#[derive(Clone, Copy)]
struct Place {
    unit: UnitId,
    function: FunctionId,
}

/// What a value may be, where that is known.
type Means = Option<Rc<Vec<Meaning>>>;

/// Functions of the program.
type Functions = Vec<(UnitId, FunctionId)>;

struct Engine<'p> {
    program: &'p Program,
    env: Env,
    /// Fields of instances, all instances of a class together.
    heap: HashMap<(UnitId, ClassId, String), Value>,
    origins: Vec<String>,
    /// Members of sources that are objects, as sources of their own.
    children: HashMap<(Origin, String), Origin>,
    found: BTreeMap<FlowKey, Flow>,
    stack: Vec<(UnitId, FunctionId)>,
    visited: BTreeSet<(UnitId, FunctionId)>,
    /// What an enforced schema says of a source.
    shapes: HashMap<Origin, Rc<Shape>>,
    /// What names mean, asked again and again.
    meanings: HashMap<(UnitId, FunctionId, ExprId), Rc<Meaning>>,
    /// The same, of names that are something.
    known: HashMap<(UnitId, FunctionId, ExprId), Means>,
    /// Functions that a callee may stand for where it is looked up.
    tables: HashMap<(UnitId, ExprId), Rc<Functions>>,
    /// Of each unit: whether it uses plumbum, where programs are looked up like members of tables.
    plumbum: Vec<bool>,
    /// Of each unit: modules that open archives.
    archives: Vec<Vec<String>>,
    /// Functions that are run for what their answer proves, innermost last.
    proofs: Vec<guards::Proof>,
    /// Of each unit's functions: variables that nothing outside can name, to be forgotten afterwards.
    locals: Vec<Vec<Vec<VarId>>>,
    /// What holds wherever a function that is run comes back, of those that come back early; innermost last.
    exits: Vec<settings::Exit>,
    /// Of functions: whether they may come back early.
    early: HashMap<(UnitId, FunctionId), bool>,
    /// How many expressions are computed inside each other.
    depth: u32,
    /// How many tests are looked at inside each other.
    proving: u32,
    /// How many more parts of the test at hand are looked at.
    tests_left: u32,
    /// Whether the last call of a function of the bundle raised on all ways.
    never_came_back: bool,
    /// Parameters that settle a promise, with what they were given.
    settled: HashMap<(UnitId, VarId), Value>,
    /// Files that a bundler made of many, most of them of others.
    bundled: BTreeSet<UnitId>,
    /// Functions that wait for events, by the event's name.
    listeners: BTreeMap<String, Functions>,
    /// Functions that take something out of a queue.
    takers: BTreeSet<(UnitId, FunctionId)>,
    /// Methods of the server's own classes, by their names.
    methods: BTreeMap<String, Functions>,
    /// Handlers that were found while code ran, and all that are known.
    registered: Vec<Handler>,
    registered_before: BTreeSet<(UnitId, FunctionId)>,
    /// Whether what is proven of an element is proven of each element of its list.
    of_each: bool,
    /// Whether the quoting of zx was replaced.
    unquoted: bool,
    /// Whether the server speaks the protocol itself, without a library.
    speaks: bool,
    /// Names of all properties and getters.
    accessors: BTreeSet<String>,
    steps: u64,
    root_steps: u64,
    /// Whether something was not followed to its end.
    cut: bool,
    /// Whether flows count that do not start in a handler.
    judged: bool,
}

impl Engine<'_> {
    fn unit(&self, place: Place) -> &Unit {
        self.program.unit(place.unit)
    }

    fn origin(&mut self, name: &str) -> Origin {
        self.origins.push(name.to_owned());
        u32::try_from(self.origins.len() - 1).unwrap_or(u32::MAX)
    }

    fn source(&mut self, source: Source, name: &str, unit: UnitId, span: Span, what: String) -> Value {
        let origin = self.origin(name);
        let path = Rc::new(Step { unit, span, what, before: None, length: 1 });
        let (safe, resolved) = (Safe::default(), Resolved::default());
        let taint =
            Taint { source, origin, safe, resolved, edited: false, followed: false, direct: true, starts: true, path };
        Value { taints: vec![taint], ..Value::default() }
    }

    /// A value that an enforced schema was applied to.
    fn shaped(&mut self, value: Value, shape: &Shape, key: &str) -> Value {
        match shape {
            Shape::Free => value,
            harmless if *harmless == Shape::HARMLESS => Value::default(),
            Shape::Safe(safe) => value.each(|taint| taint.safe = taint.safe.and(*safe)),
            Shape::Members(_) | Shape::Elements(_) => {
                let mut shaped = Value::default();
                let held = Rc::new(shape.clone());
                for mut taint in value.taints {
                    taint.safe = self.safe(&taint);
                    taint.origin = self.child(taint.origin, key);
                    self.shapes.insert(taint.origin, Rc::clone(&held));
                    shaped.taints.push(taint);
                }
                shaped
            }
        }
    }

    /// A part of a source, as a source of its own.
    fn child(&mut self, origin: Origin, name: &str) -> Origin {
        let key = (origin, name.to_owned());
        if let Some(&child) = self.children.get(&key) {
            return child;
        }
        let shown = if name.is_empty() { self.origins[origin as usize].clone() } else { name.to_owned() };
        let child = self.origin(&shown);
        self.children.insert(key, child);
        child
    }

    /// What an expression of a function means.
    fn meaning(&mut self, place: Place, expr: ExprId) -> Rc<Meaning> {
        let key = (place.unit, place.function, expr);
        if let Some(meaning) = self.meanings.get(&key) {
            return Rc::clone(meaning);
        }
        let (meaning, steps) = self.program.meaning_with_cost(place.unit, place.function, expr);
        // Of classes with many bases a look-up goes through all of them.
        self.spend(MEANING_STEPS + u64::from(steps / MEANING_STEPS_FREE));
        let meaning = Rc::new(meaning);
        self.meanings.insert(key, Rc::clone(&meaning));
        meaning
    }

    fn may_go_on(&mut self) -> bool {
        let may = self.root_steps < ROOT_STEPS_MAX && self.steps < STEPS_MAX;
        self.cut |= !may;
        may
    }

    /// Counts work.
    fn spend(&mut self, steps: u64) {
        self.steps += steps;
        self.root_steps += steps;
    }

    /// Counts work that grows with what is known: joins after branches, copies of containers.
    fn charge(&mut self, items: usize) {
        self.spend(items as u64 / 32);
    }

    /// Runs two ways and goes on with what holds after either; whether each of them ends in itself.
    fn branch<A, B>(
        &mut self,
        first: impl FnOnce(&mut Self) -> (bool, A),
        second: impl FnOnce(&mut Self) -> (bool, B),
    ) -> (bool, A, B) {
        let layer = self.env.open();
        let (first_ends, a) = first(self);
        let one = self.env.restart(layer);
        let (second_ends, b) = second(self);
        let other = self.env.restart(layer);
        self.charge(one.count() + other.count());
        let after = match (first_ends, second_ends) {
            (true, false) => other,
            (false, true) => one,
            _ => self.env.either(one, other),
        };
        self.env.close(layer, after);
        (first_ends && second_ends, a, b)
    }

    /// What a value's source is safe for at this point.
    fn safe(&self, taint: &Taint) -> Safe {
        taint.safe_where(self.env.proven(taint.origin))
    }

    fn report(&mut self, mut flow: Flow) {
        if flow.source == Some(Source::Unknown) && self.bundled.contains(&flow.unit) {
            flow.danger = flow.danger.min(Danger::Medium);
        }
        if !self.judged && flow.source != Some(Source::Tool) {
            return;
        }
        // Of very many, the harmless ones are left out first.
        let most = if flow.danger <= Danger::Low { HARMLESS_COUNT_MAX } else { FLOWS_COUNT_MAX };
        if self.found.len() >= most && !self.found.contains_key(&flow.key()) {
            // No verdict is about harmless ones.
            self.cut |= flow.danger > Danger::Low;
            return;
        }
        keep_worse(&mut self.found, flow);
    }
}

/// Modules of a unit that open archives.
fn archives(unit: &Unit) -> Vec<String> {
    let modules: BTreeSet<&String> =
        unit.imports.iter().map(|import| &import.module).filter(|module| sinks::opens_archives(module)).collect();
    modules.into_iter().cloned().collect()
}

/// Whether a bundler made a file of many: it says so, or its lines are long.
fn is_bundled(unit: &Unit) -> bool {
    const SIGNS: [&str; 6] =
        ["__commonJS", "__webpack_require__", "// node_modules/", "/node_modules/", "__toESM(", "parcelRequire"];
    const LINE_BYTES_MIN: usize = 400;
    const FILE_BYTES_MIN: usize = 16 << 10;
    if matches!(unit.language, Language::Python | Language::Shell) || unit.source.len() < FILE_BYTES_MIN {
        return false;
    }
    let lines = memchr::memchr_iter(b'\n', unit.source.as_bytes()).count() + 1;
    SIGNS.iter().any(|sign| unit.source.contains(sign)) || unit.source.len() / lines > LINE_BYTES_MIN
}

/// Variables of each function that is closed around no other.
fn locals(unit: &Unit) -> Vec<Vec<VarId>> {
    let mut locals = vec![Vec::new(); unit.functions.len()];
    for (at, var) in unit.vars.iter().enumerate() {
        if let Some(of) = locals.get_mut(var.function.0 as usize) {
            of.push(VarId(u32::try_from(at).unwrap_or(u32::MAX)));
        }
    }
    for function in &unit.functions {
        if let Some(parent) = function.parent {
            locals[parent.0 as usize].clear();
        }
    }
    locals
}
