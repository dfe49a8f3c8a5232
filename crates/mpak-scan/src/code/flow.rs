//! Follows values that outsiders choose to where text becomes action.
//!
//! Each unit's top level is run, then each handler with its inputs chosen by the model, then each function
//! that nobody called, with inputs that nobody knows. "Run" is abstract: both ways of a branch, loops twice,
//! calls of the bundle's own functions by going into them. What a test proves is remembered behind it.
//!
//! `value` is what is known of a value, `sinks` where it must not go and what makes it safe, `guards` what
//! tests prove.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use super::facts::{Arg, Block, ClassId, ExprId, ExprKind, FunctionId, Language, Span, Statement, Unit, VarId};
use super::program::{Meaning, Program, UnitId};
use super::tools::Handler;

mod guards;
pub mod sinks;
pub mod value;

use sinks::{Effect, SinkKind};
use value::{Origin, Safe, Source, Step, Taint, Value};

/// Deepest chain of calls that is followed.
const CALLS_DEPTH_MAX: usize = 8;
/// Most expressions that are computed for one root, and for all together.
const ROOT_STEPS_MAX: u64 = 500_000;
const STEPS_MAX: u64 = 6_000_000;

/// How bad it is that this text reaches that place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
#[derive(Clone, Debug)]
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
}

/// Finds all flows. `first_party` tells the units that are judged in full; in the others only flows that
/// start in a handler count.
pub fn flows(program: &Program, handlers: &[Handler], first_party: &dyn Fn(&Unit) -> bool) -> (Vec<Flow>, bool) {
    let mut engine = Engine {
        program,
        env: Env::default(),
        heap: HashMap::new(),
        origins: Vec::new(),
        children: HashMap::new(),
        found: BTreeMap::new(),
        stack: Vec::new(),
        visited: BTreeSet::new(),
        harmless: HashMap::new(),
        proofs: Vec::new(),
        steps: 0,
        root_steps: 0,
        cut: false,
        judged: true,
    };
    // 1. What runs when files are loaded.
    for (id, unit) in program.units() {
        engine.judged = first_party(unit);
        engine.root(id, FunctionId::TOP, Vec::new());
        engine.env.settle();
    }
    let top = engine.env.clone();
    // 2. What the model calls; twice, so that what one handler stores another one finds.
    for _ in 0..2 {
        for handler in handlers {
            engine.env = top.clone();
            engine.judged = true;
            engine.handler(handler);
        }
    }
    // 3. What nobody called.
    for (id, unit) in program.units().filter(|(_, unit)| first_party(unit)) {
        for at in 1..unit.functions.len() {
            let function = FunctionId(u32::try_from(at).unwrap_or(u32::MAX));
            if !engine.visited.contains(&(id, function)) {
                engine.env = top.clone();
                engine.judged = true;
                let args = engine.unknown_inputs(id, function);
                engine.root(id, function, args);
            }
        }
    }
    (engine.found.into_values().collect(), !engine.cut)
}

/// What is known at a point.
#[derive(Clone, Default)]
struct Env {
    /// Of variables, when the root began; shared, since it is copied at every branch.
    before: Rc<HashMap<(UnitId, VarId), Value>>,
    /// Of variables that were assigned since.
    vars: HashMap<(UnitId, VarId), Value>,
    /// What is proven of a source's own text.
    proven: HashMap<Origin, Safe>,
}

impl Env {
    fn get(&self, unit: UnitId, var: VarId) -> Option<&Value> {
        self.vars.get(&(unit, var)).or_else(|| self.before.get(&(unit, var)))
    }

    fn get_mut(&mut self, unit: UnitId, var: VarId) -> Option<&mut Value> {
        if !self.vars.contains_key(&(unit, var)) {
            let value = self.before.get(&(unit, var))?.clone();
            self.vars.insert((unit, var), value);
        }
        self.vars.get_mut(&(unit, var))
    }

    /// Makes what is known the begin of all that follows.
    fn settle(&mut self) {
        let mut before = std::mem::take(&mut self.before);
        Rc::make_mut(&mut before).extend(self.vars.drain());
        self.before = before;
    }

    fn or(mut self, other: &Self) -> Self {
        for (var, value) in &other.vars {
            let joined = match self.vars.remove(var).or_else(|| self.before.get(var).cloned()) {
                Some(before) => before.or(value),
                None => value.clone(),
            };
            self.vars.insert(*var, joined);
        }
        for (var, value) in &mut self.vars {
            if !other.vars.contains_key(var)
                && let Some(before) = other.before.get(var)
            {
                *value = std::mem::take(value).or(before);
            }
        }
        self.proven.retain(|origin, safe| {
            let both = other.proven.get(origin).copied().unwrap_or_default();
            *safe = safe.without(Safe::ALL.without(both));
            *safe != Safe::default()
        });
        self
    }
}

/// The function that is run.
#[derive(Clone, Copy)]
struct Place {
    unit: UnitId,
    function: FunctionId,
}

struct Engine<'p> {
    program: &'p Program,
    env: Env,
    /// Fields of instances, all instances of a class together.
    heap: HashMap<(UnitId, ClassId, String), Value>,
    origins: Vec<String>,
    /// Members of sources that are objects, as sources of their own.
    children: HashMap<(Origin, String), Origin>,
    found: BTreeMap<(UnitId, Span, SinkKind, bool), Flow>,
    stack: Vec<(UnitId, FunctionId)>,
    visited: BTreeSet<(UnitId, FunctionId)>,
    /// Members of a source that hold no free text.
    harmless: HashMap<Origin, Vec<String>>,
    /// Functions that are run for what their answer proves, innermost last.
    proofs: Vec<guards::Proof>,
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
        let path = Rc::new(Step { unit, span, what, before: None });
        let taint = Taint { source, origin, safe: Safe::default(), resolved: false, direct: true, starts: true, path };
        Value { taints: vec![taint], ..Value::default() }
    }

    fn root(&mut self, unit: UnitId, function: FunctionId, args: Vec<Value>) {
        self.root_steps = 0;
        self.call_function(unit, function, args);
    }

    fn handler(&mut self, handler: &Handler) {
        let unit = self.program.unit(handler.unit);
        let function = unit.function(handler.function);
        let called = handler.name.as_deref().unwrap_or("a tool");
        let mut args = Vec::new();
        for (at, param) in function.params.iter().enumerate() {
            args.push(if handler.inputs.contains(&at) {
                let name = if param.name.is_empty() { "arguments" } else { &param.name };
                let what = format!("the model chooses `{name}` of {called}");
                let value = self.source(Source::Tool, name, handler.unit, function.span, what);
                if let Some(taint) = value.taints.first() {
                    self.harmless.insert(taint.origin, handler.harmless.clone());
                }
                value
            } else {
                Value::default()
            });
        }
        self.root(handler.unit, handler.function, args);
    }

    fn unknown_inputs(&mut self, unit: UnitId, function: FunctionId) -> Vec<Value> {
        let source = self.program.unit(unit);
        let found = source.function(function);
        let method = source.language == Language::Python && found.class.is_some();
        let mut args = Vec::new();
        for (at, param) in found.params.iter().enumerate() {
            let what = format!("`{}` is given by callers that are not in the bundle", param.name);
            args.push(if method && at == 0 || param.default.is_some() {
                Value::default()
            } else {
                self.source(Source::Unknown, &param.name, unit, found.span, what)
            });
        }
        args
    }

    /// Runs a function of the bundle; its result.
    fn call_function(&mut self, unit: UnitId, function: FunctionId, args: Vec<Value>) -> Value {
        let mut all = Value::default();
        if self.stack.contains(&(unit, function)) || self.stack.len() > CALLS_DEPTH_MAX || !self.may_go_on() {
            args.iter().for_each(|arg| all.absorb(&arg.derived()));
            return all;
        }
        self.visited.insert((unit, function));
        self.stack.push((unit, function));
        let place = Place { unit, function };
        let found = self.program.unit(unit).function(function);
        let mut args = args.into_iter();
        for param in &found.params {
            let mut value = args.next().unwrap_or_default();
            if param.rest {
                let rest: Vec<Value> = std::iter::once(value).chain(args.by_ref()).collect();
                value = Value::default();
                rest.iter().for_each(|each| value.absorb(each));
                value.items = Some(Rc::new(rest));
            } else if let Some(default) = param.default
                && value.taints.is_empty()
                && value.text.is_none()
            {
                value = value.or(&self.eval(place, default));
            }
            self.env.vars.insert((unit, param.var), value);
        }
        let mut returned = Vec::new();
        self.block(place, &found.body, &mut returned);
        self.stack.pop();
        let mut returned = returned.into_iter();
        let first = returned.next().unwrap_or_default();
        returned.fold(first, |all, value| all.or(&value))
    }

    fn may_go_on(&mut self) -> bool {
        let may = self.root_steps < ROOT_STEPS_MAX && self.steps < STEPS_MAX;
        self.cut |= !may;
        may
    }

    /// Counts work that grows with what is known: copies at branches and in containers.
    fn charge(&mut self, items: usize) {
        self.steps += items as u64 / 32;
        self.root_steps += items as u64 / 32;
    }

    /// What is known, to come back to it.
    fn remembered(&mut self) -> Env {
        self.charge(self.env.vars.len() + self.env.proven.len());
        self.env.clone()
    }

    /// Runs statements; whether the way ends in them.
    fn block(&mut self, place: Place, block: &Block, returned: &mut Vec<Value>) -> bool {
        block.iter().any(|statement| !self.may_go_on() || self.statement(place, statement, returned))
    }

    fn statement(&mut self, place: Place, statement: &Statement, returned: &mut Vec<Value>) -> bool {
        match statement {
            Statement::Assign { target, value } => {
                let computed = self.eval(place, *value);
                self.assign(place, *target, computed, *value);
                false
            }
            Statement::Do(value) => {
                self.eval(place, *value);
                self.proven_by_call(place, *value);
                false
            }
            Statement::Return(value) => {
                self.proven_by_answer(place, *value);
                let value = value.map(|value| self.eval(place, value)).unwrap_or_default();
                returned.push(value);
                true
            }
            Statement::Yield(value) => {
                let value = value.map(|value| self.eval(place, value)).unwrap_or_default();
                returned.push(value);
                false
            }
            Statement::Raise(value) => {
                if let Some(value) = value {
                    self.eval(place, *value);
                }
                true
            }
            Statement::Jump => true,
            Statement::If { test, then, otherwise } => {
                self.eval(place, *test);
                let before = self.remembered();
                self.prove(place, *test, true);
                let then_ends = self.block(place, then, returned);
                let after_then = std::mem::replace(&mut self.env, before);
                self.prove(place, *test, false);
                let otherwise_ends = self.block(place, otherwise, returned);
                let mine = std::mem::take(&mut self.env);
                self.env = match (then_ends, otherwise_ends) {
                    (true, false) => mine,
                    (false, true) => after_then,
                    _ => after_then.or(&mine),
                };
                then_ends && otherwise_ends
            }
            Statement::Loop { test, body } => {
                // The second time finds what the first one stored.
                for _ in 0..2 {
                    let before = self.remembered();
                    if let Some(test) = test {
                        self.eval(place, *test);
                        self.prove(place, *test, true);
                    }
                    self.block(place, body, returned);
                    self.env = std::mem::take(&mut self.env).or(&before);
                }
                false
            }
            Statement::Any(ways) => {
                let before = self.remembered();
                let mut ends = true;
                let mut after: Option<Env> = None;
                for way in ways {
                    self.env = before.clone();
                    self.charge(before.vars.len());
                    let way_ends = self.block(place, way, returned);
                    if !way_ends {
                        let mine = std::mem::take(&mut self.env);
                        after = Some(match after {
                            Some(other) => other.or(&mine),
                            None => mine,
                        });
                        ends = false;
                    }
                }
                self.env = after.unwrap_or(before);
                ends && !ways.is_empty()
            }
        }
    }

    fn assign(&mut self, place: Place, target: ExprId, mut value: Value, from: ExprId) {
        let span = self.unit(place).span(target);
        match self.unit(place).expr(target) {
            ExprKind::Var(var) => {
                let key = (place.unit, *var);
                let name = self.unit(place).vars[var.0 as usize].name.clone();
                if !name.is_empty() && !matches!(self.unit(place).expr(from), ExprKind::Var(_)) {
                    Self::step(&mut value, place, span, || format!("becomes `{name}`"));
                }
                self.env.vars.insert(key, value);
            }
            ExprKind::Member { of, name } => {
                let (of, name) = (*of, name.clone());
                self.store(place, of, Some(name), value);
            }
            ExprKind::Index { of, key } => {
                let of = *of;
                let name = key.and_then(|key| self.unit(place).text(key)).map(str::to_owned);
                self.store(place, of, name, value);
            }
            _ => {}
        }
    }

    /// Stores into a member of what an expression holds.
    fn store(&mut self, place: Place, of: ExprId, name: Option<String>, value: Value) {
        if let Some((unit, class)) = self.receiver(place, of) {
            if let Some(name) = name {
                let slot = self.heap.entry((unit, class, name)).or_default();
                *slot = std::mem::take(slot).or(&value);
            }
            return;
        }
        let ExprKind::Var(var) = self.unit(place).expr(of) else { return };
        let var = *var;
        if self.env.get(place.unit, var).is_none() {
            self.env.vars.insert((place.unit, var), Value::default());
        }
        let held =
            self.env.get(place.unit, var).and_then(|value| value.fields.as_ref()).map_or(0, |fields| fields.len());
        self.charge(held);
        let Some(slot) = self.env.get_mut(place.unit, var) else { return };
        match (name, &mut slot.fields) {
            (Some(name), Some(fields)) => {
                Rc::make_mut(fields).insert(name, value);
            }
            (Some(name), None) if slot.taints.is_empty() => {
                slot.fields = Some(Rc::new(BTreeMap::from([(name, value)])));
            }
            _ => slot.absorb(&value.derived()),
        }
    }

    /// The class whose instance an expression is, when that is the receiver of a method.
    fn receiver(&self, place: Place, of: ExprId) -> Option<(UnitId, ClassId)> {
        if !matches!(self.unit(place).expr(of), ExprKind::Free(_) | ExprKind::Var(_)) {
            return None;
        }
        match self.program.meaning(place.unit, place.function, of) {
            Meaning::Instance(unit, class) => Some((unit, class)),
            _ => None,
        }
    }

    fn step(value: &mut Value, place: Place, span: Span, what: impl Fn() -> String) {
        for taint in &mut value.taints {
            let same = taint.path.unit == place.unit && taint.path.span.line == span.line;
            if !same {
                let before = Some(Rc::clone(&taint.path));
                taint.path = Rc::new(Step { unit: place.unit, span, what: what(), before });
            }
        }
    }

    fn eval_all(&mut self, place: Place, parts: &[ExprId]) -> Vec<Value> {
        parts.iter().map(|&part| self.eval(place, part)).collect()
    }

    fn eval(&mut self, place: Place, expr: ExprId) -> Value {
        self.steps += 1;
        self.root_steps += 1;
        if !self.may_go_on() {
            return Value::default();
        }
        let unit = self.program.unit(place.unit);
        match unit.expr(expr) {
            ExprKind::Text(text) => Value::text(text),
            ExprKind::Number(_)
            | ExprKind::Bool(_)
            | ExprKind::Nothing
            | ExprKind::Bytes(_)
            | ExprKind::Pattern(_)
            | ExprKind::Class(_) => Value::default(),
            ExprKind::Function(_) => Value::default(),
            ExprKind::Var(var) => self.variable(place, *var, expr),
            ExprKind::Free(name) => self.free(place, name, expr),
            ExprKind::Member { of, name } => self.member(place, expr, *of, name),
            ExprKind::Index { of, key } => self.index(place, *of, *key),
            ExprKind::Call { callee, args, .. } => self.call(place, expr, *callee, args),
            ExprKind::Join(parts) => {
                let values = self.eval_all(place, parts);
                joined(&values)
            }
            ExprKind::Compare { left, right, .. } => {
                self.eval(place, *left);
                self.eval(place, *right);
                Value::default()
            }
            ExprKind::Not(of) => {
                self.eval(place, *of);
                Value::default()
            }
            ExprKind::All(parts) => self.logical(place, parts, true),
            ExprKind::Either(parts) => self.logical(place, parts, false),
            ExprKind::Choice { test, then, otherwise } => {
                self.eval(place, *test);
                let before = self.remembered();
                self.prove(place, *test, true);
                let first = self.eval(place, *then);
                let after = std::mem::replace(&mut self.env, before);
                self.prove(place, *test, false);
                let second = self.eval(place, *otherwise);
                self.env = std::mem::take(&mut self.env).or(&after);
                first.or(&second)
            }
            ExprKind::List(parts) => {
                let items = self.eval_all(place, parts);
                let mut value = Value::default();
                items.iter().for_each(|item| value.absorb(&item.derived()));
                value.items = Some(Rc::new(items));
                value
            }
            ExprKind::Dict(members) => self.dict(place, members),
            ExprKind::Spread(of) => {
                let value = self.eval(place, *of);
                Value { items: value.items.clone(), ..value }
            }
            ExprKind::Other(parts) => {
                let mut value = Value::default();
                self.eval_all(place, parts).iter().for_each(|part| value.absorb(&part.derived()));
                value
            }
        }
    }

    /// `a and b`, `a or b`: what the first ones prove holds in the later ones.
    fn logical(&mut self, place: Place, parts: &[ExprId], holds: bool) -> Value {
        let before = self.remembered();
        let mut value: Option<Value> = None;
        for &part in parts {
            let this = self.eval(place, part);
            self.prove(place, part, holds);
            value = Some(match value {
                Some(value) => value.or(&this),
                None => this,
            });
        }
        self.env = std::mem::take(&mut self.env).or(&before);
        value.unwrap_or_default()
    }

    fn dict(&mut self, place: Place, members: &[(Option<ExprId>, ExprId)]) -> Value {
        let (mut value, mut fields) = (Value::default(), BTreeMap::new());
        for (key, member) in members {
            let member = self.eval(place, *member);
            match key {
                Some(key) => match self.unit(place).text(*key).map(str::to_owned) {
                    Some(name) => {
                        fields.insert(name, member);
                    }
                    None => {
                        let key = self.eval(place, *key);
                        value.absorb(&key.derived());
                        value.absorb(&member.derived());
                    }
                },
                None => {
                    if let Some(spread) = &member.fields {
                        fields.extend(spread.iter().map(|(name, value)| (name.clone(), value.clone())));
                    } else {
                        value.absorb(&member.derived());
                    }
                }
            }
        }
        value.fields = Some(Rc::new(fields));
        value
    }

    fn variable(&mut self, place: Place, var: VarId, expr: ExprId) -> Value {
        if let Some(value) = self.env.get(place.unit, var) {
            return value.clone();
        }
        if let Some(import) = self.program.import(place.unit, var)
            && let (unit, value) = self.program.value(place.unit, expr)
            && (unit, value) != (place.unit, expr)
            && import.member.is_some()
            && let ExprKind::Var(var) = self.program.unit(unit).expr(value)
        {
            return self.env.get(unit, *var).cloned().unwrap_or_default();
        }
        Value::default()
    }

    fn free(&mut self, place: Place, name: &str, expr: ExprId) -> Value {
        let unit = self.unit(place);
        if is_known(unit.language, name) {
            return Value::default();
        }
        let (span, what) = (unit.span(expr), format!("`{name}` comes from outside the bundle"));
        self.source(Source::Unknown, name, place.unit, span, what)
    }

    fn member(&mut self, place: Place, expr: ExprId, of: ExprId, name: &str) -> Value {
        if let Some((unit, class)) = self.receiver(place, of) {
            return self.heap.get(&(unit, class, name.to_owned())).cloned().unwrap_or_default();
        }
        let unit = self.unit(place);
        if let Some(path) = self.program.outside(place.unit, place.function, expr)
            && is_environment(&path)
        {
            let (span, what) = (unit.span(expr), format!("`{path}` is set by whoever starts the server"));
            return self.source(Source::Environment, &path, place.unit, span, what);
        }
        let value = self.eval(place, of);
        self.part(&value, Some(name))
    }

    fn index(&mut self, place: Place, of: ExprId, key: Option<ExprId>) -> Value {
        let value = self.eval(place, of);
        let name = match key {
            Some(key) => {
                self.eval(place, key);
                match self.unit(place).expr(key) {
                    ExprKind::Text(text) => Some(text.clone()),
                    ExprKind::Number(number) => Some(format!("{number}")),
                    _ => None,
                }
            }
            None => None,
        };
        if let (Some(items), Some(Ok(at))) = (&value.items, name.as_ref().map(|name| name.parse::<usize>())) {
            return items.get(at).cloned().unwrap_or_else(|| value.derived());
        }
        self.part(&value, name.as_deref())
    }

    /// A member of a value.
    fn part(&mut self, value: &Value, name: Option<&str>) -> Value {
        if let (Some(fields), Some(name)) = (&value.fields, name) {
            if let Some(field) = fields.get(name) {
                return field.clone();
            }
            if value.taints.is_empty() {
                return Value::default();
            }
        }
        if name.is_some_and(|name| matches!(name, "length" | "size")) {
            return Value::default();
        }
        let mut part = Value::default();
        for taint in &value.taints {
            let mut taint = taint.clone();
            if taint.direct
                && let Some(name) = name
            {
                let envelope = matches!(name, "params" | "arguments" | "args" | "input" | "body" | "query");
                let harmless = self.harmless.get(&taint.origin).cloned().unwrap_or_default();
                if harmless.iter().any(|field| field == name) {
                    continue;
                }
                let key = (taint.origin, name.to_owned());
                let child = match self.children.get(&key) {
                    Some(&child) => child,
                    None => {
                        let child = self.origin(name);
                        self.children.insert(key, child);
                        if envelope {
                            self.harmless.insert(child, harmless);
                        }
                        child
                    }
                };
                if let Some(proven) = self.env.proven.get(&taint.origin).copied() {
                    taint.safe = taint.safe.and(proven);
                }
                taint.origin = child;
            }
            part.taints.push(taint);
        }
        if name.is_none() || value.items.is_some() {
            for item in value.items.iter().flat_map(|items| items.iter()) {
                part = part.or(item);
            }
        }
        part
    }

    /// What a value's source is safe for at this point.
    fn safe(&self, taint: &Taint) -> Safe {
        taint.safe.and(self.env.proven.get(&taint.origin).copied().unwrap_or_default())
    }

    fn call(&mut self, place: Place, expr: ExprId, callee: ExprId, args: &[Arg]) -> Value {
        let unit = self.program.unit(place.unit);
        let meaning = self.program.meaning(place.unit, place.function, callee);
        let receiver = match unit.expr(callee) {
            ExprKind::Member { of, name } => Some((self.eval(place, *of), name.clone())),
            ExprKind::Var(_) | ExprKind::Free(_) => None,
            _ => Some((self.eval(place, callee), String::new())),
        };
        let values: Vec<Value> = args.iter().map(|arg| self.eval(place, arg.value)).collect();
        // 1. Functions of the bundle.
        if let Some(value) = self.inside(place, expr, &meaning, args, &values) {
            return value;
        }
        let path = match &meaning {
            Meaning::Outside(path) => path.clone(),
            _ => receiver.as_ref().map(|(_, name)| format!("?.{name}")).unwrap_or_default(),
        };
        // 2. Where text becomes action.
        self.sink(place, expr, &path, receiver.as_ref(), args, &values);
        // 3. Functions that are handed over.
        let handed = self.callbacks(place, &path, receiver.as_ref().map(|(value, _)| value), args, &values);
        // 4. What comes out.
        self.result(place, expr, &path, receiver, &values, handed)
    }

    fn inside(
        &mut self,
        place: Place,
        expr: ExprId,
        meaning: &Meaning,
        args: &[Arg],
        values: &[Value],
    ) -> Option<Value> {
        let (unit, function, is_class) = match *meaning {
            Meaning::Function(unit, function) => (unit, function, false),
            Meaning::Class(unit, class) => {
                let found = &self.program.unit(unit).classes[class.0 as usize];
                match found.methods.iter().find(|(name, _)| name == "__init__") {
                    Some((_, function)) => (unit, *function, true),
                    None => {
                        // Dataclasses and their like hold what they are made of.
                        let mut value = Value::default();
                        values.iter().for_each(|arg| value.absorb(arg));
                        return Some(value);
                    }
                }
            }
            _ => return None,
        };
        let target = self.program.unit(unit);
        let found = target.function(function);
        let method = target.language == Language::Python && found.class.is_some();
        let mut given = vec![None; found.params.len()];
        let mut at = usize::from(method);
        for (arg, value) in args.iter().zip(values) {
            match &arg.name {
                Some(name) => {
                    if let Some(slot) = found.params.iter().position(|param| param.name == *name) {
                        given[slot] = Some(value.clone());
                    }
                }
                None if matches!(self.unit(place).expr(arg.value), ExprKind::Spread(_)) => {
                    let items = value.items.clone();
                    for (slot, param) in given.iter_mut().zip(&found.params).skip(at).enumerate() {
                        let item = items.as_ref().and_then(|items| items.get(slot)).cloned();
                        param.0.get_or_insert(item.unwrap_or_else(|| self.part(value, Some(&param.1.name))));
                    }
                }
                None => {
                    if at < given.len() {
                        given[at] = Some(value.clone());
                    } else if let Some(last) = given.last_mut().and_then(Option::as_mut) {
                        last.absorb(value);
                    }
                    at += 1;
                }
            }
        }
        let span = self.unit(place).span(expr);
        let called = found.name.clone().unwrap_or_else(|| "a function".to_owned());
        let mut given: Vec<Value> = given.into_iter().map(Option::unwrap_or_default).collect();
        for value in &mut given {
            Self::step(value, place, span, || format!("is given to `{called}`"));
        }
        let result = self.call_function(unit, function, given);
        // What the function proved of its parameters is proven of the caller's variables.
        let params = found.params.iter().skip(usize::from(method)).map(|param| param.var);
        for (arg, param) in args.iter().zip(params) {
            if let ExprKind::Var(var) = self.unit(place).expr(arg.value) {
                let var = *var;
                let inner = self.env.get(unit, param).cloned().unwrap_or_default();
                if let Some(outer) = self.env.get_mut(place.unit, var) {
                    for taint in &mut outer.taints {
                        if let Some(same) = inner.taints.iter().find(|t| t.origin == taint.origin && t.direct) {
                            taint.safe = taint.safe.and(same.safe);
                        }
                    }
                }
            }
        }
        self.forget(unit, function);
        Some(if is_class { Value::default() } else { result })
    }

    /// Forgets the variables of a function that is done, unless functions inside it may still use them.
    fn forget(&mut self, unit: UnitId, function: FunctionId) {
        if self.stack.first().is_some_and(|(_, root)| *root == FunctionId::TOP) {
            return;
        }
        let source = self.program.unit(unit);
        if source.functions.iter().any(|inner| inner.parent == Some(function)) {
            return;
        }
        self.env.vars.retain(|(of, var), _| *of != unit || source.vars[var.0 as usize].function != function);
    }

    /// Runs functions that are given to a call; what they give back.
    fn callbacks(
        &mut self,
        place: Place,
        path: &str,
        receiver: Option<&Value>,
        args: &[Arg],
        values: &[Value],
    ) -> Option<Value> {
        let name = path.rsplit('.').next().unwrap_or(path);
        let element = matches!(
            name,
            "map"
                | "forEach"
                | "filter"
                | "some"
                | "every"
                | "find"
                | "findIndex"
                | "flatMap"
                | "reduce"
                | "then"
                | "sort"
        );
        let first_gives = matches!(path, "map" | "filter");
        let mut result: Option<Value> = None;
        for arg in args {
            let Meaning::Function(unit, function) = self.program.meaning(place.unit, place.function, arg.value) else {
                continue;
            };
            if !matches!(self.unit(place).expr(arg.value), ExprKind::Function(_)) && !element && !first_gives {
                // A function that is only named may be a handler, which has its own turn.
                continue;
            }
            let given = if first_gives {
                values.get(1).cloned().unwrap_or_default()
            } else if element {
                receiver.cloned().unwrap_or_default()
            } else {
                Value::default()
            };
            let given = self.part(&given, None);
            let returned = self.call_function(unit, function, vec![given.clone(), given]);
            result = Some(match result {
                Some(before) => before.or(&returned),
                None => returned,
            });
        }
        result.filter(|_| element || first_gives || name == "catch")
    }

    fn result(
        &mut self,
        place: Place,
        expr: ExprId,
        path: &str,
        receiver: Option<(Value, String)>,
        values: &[Value],
        handed: Option<Value>,
    ) -> Value {
        let span = self.unit(place).span(expr);
        if is_environment(path) {
            let what = format!("`{path}` is set by whoever starts the server");
            return self.source(Source::Environment, path, place.unit, span, what);
        }
        if sinks::find(self.unit(place).language, path).is_some_and(|sink| sink.kind == SinkKind::Host) {
            let what = format!("`{path}` brings it from the network");
            return self.source(Source::Network, path, place.unit, span, what);
        }
        if matches!(path, "input" | "readline.question" | "prompt") {
            return self.source(Source::Unknown, path, place.unit, span, format!("`{path}` reads it"));
        }
        let name = path.rsplit('.').next().unwrap_or(path);
        // Lists grow in place.
        if let Some((_, method)) = &receiver
            && matches!(method.as_str(), "append" | "push" | "extend" | "insert" | "add" | "unshift" | "update")
        {
            self.grow(place, expr, values, method == "extend" || method == "update");
            return Value::default();
        }
        let mut all = receiver.as_ref().map(|(value, _)| value.clone()).unwrap_or_default();
        let same_text = matches!(
            name,
            "strip"
                | "trim"
                | "lower"
                | "upper"
                | "toLowerCase"
                | "toUpperCase"
                | "toString"
                | "str"
                | "String"
                | "trimEnd"
                | "decode"
                | "encode"
                | "expanduser"
                | "Path"
                | "fspath"
                | "parse"
                | "safeParse"
                | "parseAsync"
                | "model_validate"
                | "cast"
                | "as_posix"
                | "freeze"
                | "loads"
                | "dict"
                | "model_dump"
        );
        if name == "get"
            && receiver.is_some()
            && let Some(text) = values.first().and_then(|value| value.text.clone())
        {
            let part = self.part(&all, Some(&text));
            return values.get(1).map_or(part.clone(), |default| part.or(default));
        }
        if same_text {
            let mut value = match receiver {
                Some((value, _)) if !value.taints.is_empty() || values.is_empty() => value,
                _ => values.first().cloned().unwrap_or_default(),
            };
            if path == "pathlib.Path" && values.len() > 1 {
                values[1..].iter().for_each(|part| value.absorb(&part.derived()));
            }
            Self::step(&mut value, place, span, || format!("passes `{}`", shown(path)));
            return value;
        }
        if name == "join" || name == "/" || path == "urllib.parse.urljoin" || path == "pathlib.Path" {
            // The second part may replace the first where it is absolute, and climbs out of it where it has `..`.
            let text = joined_parts(values);
            all.absorb(&text.derived());
            all.prefix = values.first().and_then(|first| first.prefix.clone());
            if name == "/"
                && let Some(first) = values.first()
            {
                all.taints.iter_mut().for_each(|t| t.starts = first.taints.iter().any(|f| f.origin == t.origin));
            }
            Self::step(&mut all, place, span, || format!("passes `{}`", shown(path)));
            return all;
        }
        for value in values {
            all.absorb(&value.derived());
        }
        let mut all = all.derived();
        if let Some(handed) = handed {
            all = all.or(&handed);
        }
        match sinks::effect(path) {
            Some(Effect::Cleans) => return Value::default(),
            Some(Effect::Makes(safe)) => all = all.each(|taint| taint.safe = taint.safe.and(safe)),
            Some(Effect::Resolves) => all = all.each(|taint| taint.resolved = true),
            None => {}
        }
        if matches!(name, "resolve" | "realpath" | "absolute" | "canonicalize") {
            all = all.each(|taint| taint.resolved = true);
        }
        if matches!(name, "split" | "splitlines" | "keys" | "values" | "items" | "entries") {
            all.items = None;
        }
        if sinks::find(self.unit(place).language, path).is_some_and(|sink| !matches!(sink.kind, SinkKind::Opener)) {
            return Value::default();
        }
        Self::step(&mut all, place, span, || format!("passes `{}`", shown(path)));
        all
    }

    fn grow(&mut self, place: Place, expr: ExprId, values: &[Value], flat: bool) {
        let ExprKind::Call { callee, .. } = self.unit(place).expr(expr) else { return };
        let ExprKind::Member { of, .. } = self.unit(place).expr(*callee) else { return };
        let ExprKind::Var(var) = self.unit(place).expr(*of) else { return };
        let var = *var;
        if self.env.get(place.unit, var).is_none() {
            self.env.vars.insert((place.unit, var), Value::default());
        }
        let Some(slot) = self.env.get_mut(place.unit, var) else { return };
        for value in values {
            slot.absorb(&value.derived());
            if let Some(items) = &mut slot.items {
                let items = Rc::make_mut(items);
                match (&value.items, flat) {
                    (Some(more), true) => items.extend(more.iter().cloned()),
                    _ => items.push(value.clone()),
                }
                items.truncate(64);
            }
        }
    }

    fn report(&mut self, place: Place, flow: Flow) {
        if !self.judged && flow.source != Some(Source::Tool) {
            return;
        }
        let key = (place.unit, flow.span, flow.kind, flow.is_argument);
        match self.found.get(&key) {
            Some(before) if (before.danger, before.source) >= (flow.danger, flow.source) => {}
            _ => {
                self.found.insert(key, flow);
            }
        }
    }
}

mod judge;

/// Texts put together.
fn joined(values: &[Value]) -> Value {
    let mut all = Value::default();
    for (at, value) in values.iter().enumerate() {
        let behind = at > 0;
        all.absorb(&value.derived().each(|taint| taint.starts &= !behind));
    }
    all.prefix = values.first().and_then(|first| first.prefix.clone());
    all
}

/// Paths or URLs put together: any part may be the begin.
fn joined_parts(values: &[Value]) -> Value {
    let mut all = Value::default();
    values.iter().for_each(|value| all.absorb(&value.derived()));
    all
}

fn shown(path: &str) -> &str {
    path.strip_prefix("?.").unwrap_or(path)
}

fn is_environment(path: &str) -> bool {
    path.starts_with("process.env.")
        || path.starts_with("import.meta.env.")
        || matches!(path, "process.env" | "os.environ" | "os.getenv" | "os.environ.get" | "sys.argv" | "process.argv")
}

/// Names that a language brings along.
fn is_known(language: Language, name: &str) -> bool {
    let first_upper = name.chars().next().is_some_and(|c| c.is_ascii_uppercase());
    let common = name.starts_with("__") || matches!(name, "self" | "cls" | "this" | "super" | "open" | "/" | "typeof");
    common
        || match language {
            Language::Python => {
                first_upper
                    || matches!(
                        name,
                        "print"
                            | "len"
                            | "str"
                            | "int"
                            | "float"
                            | "bool"
                            | "list"
                            | "dict"
                            | "set"
                            | "tuple"
                            | "range"
                            | "enumerate"
                            | "zip"
                            | "map"
                            | "filter"
                            | "sorted"
                            | "reversed"
                            | "any"
                            | "all"
                            | "min"
                            | "max"
                            | "sum"
                            | "abs"
                            | "isinstance"
                            | "issubclass"
                            | "getattr"
                            | "setattr"
                            | "hasattr"
                            | "type"
                            | "repr"
                            | "iter"
                            | "next"
                            | "id"
                            | "hash"
                            | "hex"
                            | "ord"
                            | "chr"
                            | "bytes"
                            | "bytearray"
                            | "object"
                            | "property"
                            | "staticmethod"
                            | "classmethod"
                            | "vars"
                            | "dir"
                            | "callable"
                            | "round"
                            | "format"
                            | "frozenset"
                            | "slice"
                            | "globals"
                            | "locals"
                            | "eval"
                            | "exec"
                            | "compile"
                            | "input"
                            | "exit"
                            | "quit"
                            | "divmod"
                            | "pow"
                            | "bin"
                            | "oct"
                            | "memoryview"
                            | "delattr"
                            | "breakpoint"
                            | "unicode"
                            | "ascii"
                            | "complex"
                    )
            }
            _ => {
                first_upper
                    || matches!(
                        name,
                        "console"
                            | "process"
                            | "globalThis"
                            | "window"
                            | "global"
                            | "module"
                            | "exports"
                            | "require"
                            | "fetch"
                            | "setTimeout"
                            | "setInterval"
                            | "setImmediate"
                            | "clearTimeout"
                            | "clearInterval"
                            | "queueMicrotask"
                            | "structuredClone"
                            | "encodeURIComponent"
                            | "decodeURIComponent"
                            | "encodeURI"
                            | "decodeURI"
                            | "isNaN"
                            | "isFinite"
                            | "parseInt"
                            | "parseFloat"
                            | "eval"
                            | "atob"
                            | "btoa"
                            | "crypto"
                            | "performance"
                            | "navigator"
                            | "document"
                            | "import.meta"
                            | "import"
                            | "arguments"
                            | "self"
                            | "escape"
                            | "unescape"
                    )
            }
        }
}

#[cfg(test)]
mod tests;
