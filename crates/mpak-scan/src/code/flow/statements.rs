//! Runs statements, and stores what they assign.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::facts::{Block, ClassId, ExprId, ExprKind, Span, Statement, VarId};
use super::super::program::{Meaning, UnitId};
use super::env::Changes;
use super::judge::Argument;
use super::sinks::SinkKind;
use super::value::{Safe, Step, Taint, Value};
use super::{Engine, Place, tables};

/// Most places on the way of a value that are remembered: the first ones.
const PATH_STEPS_MAX: u32 = 64;

/// Most members of an object that are marked with what is proven of them.
const ANSWER_FIELDS_MAX: usize = 8;

/// Deepest nesting of statements in which a jump is looked for.
const JUMPS_DEPTH_MAX: u32 = 32;

/// Whether statements leave a loop's turn before its end, or may.
fn jumps(block: &Block, depth: u32) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return true };
    block.iter().any(|statement| match statement {
        Statement::Jump => true,
        Statement::If { then, otherwise, .. } => jumps(then, depth) || jumps(otherwise, depth),
        Statement::Any(ways) => ways.iter().any(|way| jumps(way, depth)),
        _ => false,
    })
}

impl Engine<'_> {
    /// Runs statements; whether the way ends in them.
    pub(super) fn block(&mut self, place: Place, block: &Block, returned: &mut Vec<Value>) -> bool {
        block.iter().any(|statement| !self.may_go_on() || self.statement(place, statement, returned))
    }

    pub(super) fn statement(&mut self, place: Place, statement: &Statement, returned: &mut Vec<Value>) -> bool {
        match statement {
            Statement::Assign { target, value } => {
                let computed = self.eval(place, *value);
                let computed = self.as_proven(computed);
                self.assign(place, *target, computed, *value);
                if let ExprKind::Function(function) = *self.unit(place).expr(*value) {
                    self.defined(place, function);
                }
                false
            }
            Statement::Do(value) => {
                self.never_came_back = false;
                self.eval(place, *value);
                self.never_came_back && self.calls_the_bundle(place, *value)
            }
            Statement::Return(value) => {
                self.proven_by_answer(place, *value);
                let value = value.map(|value| self.eval(place, value)).unwrap_or_default();
                self.exited();
                returned.push(self.as_proven(value));
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
                if otherwise.is_empty()
                    && let Some(ends) = self.by_default(place, *test, then, returned)
                {
                    return ends;
                }
                let (mut first, mut second) = (Vec::new(), Vec::new());
                let off = self.is_off_by_default(place, *test);
                let (ends, (), ()) = self.branch(
                    |engine| {
                        engine.prove(place, *test, true);
                        let exits = if off { std::mem::take(&mut engine.exits) } else { Vec::new() };
                        let ends = engine.block(place, then, &mut first);
                        if off {
                            engine.exits = exits;
                        }
                        (ends, ())
                    },
                    |engine| {
                        engine.prove(place, *test, false);
                        (engine.block(place, otherwise, &mut second), ())
                    },
                );
                returned.append(&mut first);
                returned.append(&mut second);
                ends
            }
            Statement::Loop { test, body } => {
                // What a loop over elements refuses, it refuses of each of them.
                let refuses = test.is_none() && !jumps(body, JUMPS_DEPTH_MAX);
                // The second time finds what the first one stored.
                for _ in 0..2 {
                    let layer = self.env.open();
                    if let Some(test) = test {
                        self.eval(place, *test);
                        self.prove(place, *test, true);
                    }
                    self.block(place, body, returned);
                    let checked = if refuses { self.checked_element(place, body) } else { None };
                    let changes = self.env.restart(layer);
                    self.charge(changes.count());
                    let proven = if refuses { changes.proven() } else { Vec::new() };
                    let after = self.env.either(changes, Changes::default());
                    self.env.close(layer, after);
                    for (origin, safe) in proven {
                        self.env.prove(origin, safe);
                    }
                    if let Some((list, element, safe)) = checked {
                        self.mark_list(place, list, &element, safe);
                    }
                }
                false
            }
            Statement::Any(ways) => self.any(place, ways, returned),
        }
    }

    /// The element of a loop over a list and what it is safe for at the end of a turn.
    fn checked_element(&mut self, place: Place, body: &Block) -> Option<(VarId, Value, Safe)> {
        let Some(Statement::Assign { target, .. }) = body.first() else { return None };
        let list = self.list_of_element(place, *target)?;
        let ExprKind::Var(element) = self.unit(place).expr(*target) else { return None };
        let element = self.env.get((place.unit, *element))?.clone();
        let safe = element.taints.iter().map(|taint| self.safe(taint)).reduce(Safe::common)?;
        (safe != Safe::default()).then_some((list, element, safe))
    }

    /// A value with what is proven here of its sources.
    pub(super) fn as_proven(&self, mut value: Value) -> Value {
        for taint in &mut value.taints {
            taint.safe = self.safe(taint);
        }
        // Of an answer such as `{ ok: true, path }` as well.
        if let Some(fields) = value.fields.as_mut().filter(|fields| fields.len() <= ANSWER_FIELDS_MAX) {
            let is_new = |taint: &Taint| self.safe(taint) != taint.safe;
            if fields.values().any(|field| field.taints.iter().any(is_new)) {
                for field in Rc::make_mut(fields).values_mut() {
                    for taint in &mut field.taints {
                        taint.safe = self.safe(taint);
                    }
                }
            }
        }
        value
    }

    /// Whether an expression calls a function of the bundle by name.
    fn calls_the_bundle(&mut self, place: Place, expr: ExprId) -> bool {
        let ExprKind::Call { callee, .. } = self.unit(place).expr(expr) else { return false };
        let callee = *callee;
        matches!(*self.meaning(place, callee), Meaning::Function(..))
    }

    /// Any of some ways.
    fn any(&mut self, place: Place, ways: &[Block], returned: &mut Vec<Value>) -> bool {
        let layer = self.env.open();
        let mut after: Option<Changes> = None;
        for way in ways {
            let ends = self.block(place, way, returned);
            let changes = self.env.restart(layer);
            if !ends {
                self.charge(changes.count() + after.as_ref().map_or(0, Changes::count));
                after = Some(match after {
                    Some(other) => self.env.either(other, changes),
                    None => changes,
                });
            }
        }
        let ends = after.is_none() && !ways.is_empty();
        self.env.close(layer, after.unwrap_or_default());
        ends
    }

    pub(super) fn assign(&mut self, place: Place, target: ExprId, mut value: Value, from: ExprId) {
        let span = self.unit(place).span(target);
        match self.unit(place).expr(target) {
            ExprKind::Var(var) => {
                let key = (place.unit, *var);
                let name = self.unit(place).vars[var.0 as usize].name.clone();
                if !name.is_empty() && !matches!(self.unit(place).expr(from), ExprKind::Var(_)) {
                    Self::step(&mut value, place, span, || format!("becomes `{name}`"));
                }
                self.env.set(key, value);
            }
            ExprKind::Member { of, name } => {
                let (of, name) = (*of, name.clone());
                if name == "quote" {
                    self.quoting(place, of, from);
                }
                if matches!(name.as_str(), "innerHTML" | "outerHTML") && !self.escapes(place, from) {
                    self.texts(place, target, &name, SinkKind::Markup, &value, Argument::No);
                }
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

    /// `$.quote = (text) => text` of zx: from then on nothing is quoted, unless it is one of its own functions.
    fn quoting(&mut self, place: Place, of: ExprId, from: ExprId) {
        let is_tag = matches!(&*self.meaning(place, of), Meaning::Outside(path) if path == "zx.$");
        if is_tag {
            let own = matches!(&*self.meaning(place, from), Meaning::Outside(path) if path.starts_with("zx.quote"));
            self.unquoted |= !own;
        }
    }

    /// Whether a text comes out of something that, by its name, makes markup harmless.
    fn escapes(&self, place: Place, from: ExprId) -> bool {
        let unit = self.unit(place);
        let ExprKind::Call { callee, .. } = unit.expr(from) else { return false };
        let name = match unit.expr(*callee) {
            ExprKind::Member { name, .. } | ExprKind::Free(name) => name,
            ExprKind::Var(var) => &unit.vars[var.0 as usize].name,
            _ => return false,
        };
        let name = name.to_ascii_lowercase();
        name.contains("saniti") || name.contains("escape") || name.contains("encode")
    }

    /// Stores into a member of what an expression holds.
    pub(super) fn store(&mut self, place: Place, of: ExprId, name: Option<String>, value: Value) {
        if let Some(class) = self.receiver(place, of) {
            if let Some(name) = &name
                && self.accessors.contains(name)
                && let Some((unit, setter)) = self.program.method_of(class, &format!("set {name}"))
            {
                self.call_method(unit, setter, vec![value.clone()]);
            }
            let (unit, class) = self.program.root_class(class);
            if let Some(name) = name {
                let slot = self.heap.entry((unit, class, name)).or_default();
                *slot = std::mem::take(slot).or(&value);
            }
            return;
        }
        // `this.tools[name] = run`, `options.headers.host = host`
        let holder = match self.unit(place).expr(of) {
            ExprKind::Member { of, name } => Some((*of, Some(name.clone()))),
            ExprKind::Index { of, key: Some(key) } => Some((*of, self.unit(place).text(*key).map(str::to_owned))),
            _ => None,
        };
        if let Some((holder, field)) = holder {
            let mut held = self.eval(place, of);
            if held.fields.is_none() && held.taints.is_empty() {
                held.fields = Some(Rc::new(BTreeMap::new()));
            }
            self.charge(held.fields.as_ref().map_or(0, |fields| fields.len()));
            held.absorb(&value.derived());
            tables::keep(&mut held, name.unwrap_or_else(|| tables::ANY.to_owned()), &value);
            return self.store(place, holder, field, held);
        }
        let ExprKind::Var(var) = self.unit(place).expr(of) else { return };
        let var = *var;
        let key = (place.unit, var);
        if self.env.get(key).is_none() {
            self.env.set(key, Value::default());
        }
        let held = self.env.get(key).and_then(|value| value.fields.as_ref()).map_or(0, |fields| fields.len());
        self.charge(held);
        let Some(slot) = self.env.get_mut(key) else { return };
        let value = slot.part(value);
        match (name, &mut slot.fields) {
            (Some(name), Some(fields)) => {
                Rc::make_mut(fields).insert(name, value);
            }
            (Some(name), None) if slot.taints.is_empty() => {
                slot.fields = Some(Rc::new(BTreeMap::from([(name, value)])));
            }
            (None, Some(_)) => {
                slot.absorb(&value.derived());
                tables::keep(slot, tables::ANY.to_owned(), &value);
            }
            _ => {
                slot.absorb(&value.derived());
                slot.may_mean(value.means.as_ref());
            }
        }
    }

    /// The class whose instance an expression is, when that is the receiver of a method.
    pub(super) fn receiver(&mut self, place: Place, of: ExprId) -> Option<(UnitId, ClassId)> {
        if !matches!(self.unit(place).expr(of), ExprKind::Free(_) | ExprKind::Var(_)) {
            return None;
        }
        if let Meaning::Instance(unit, class) = *self.meaning(place, of) {
            return Some((unit, class));
        }
        let ExprKind::Var(var) = self.unit(place).expr(of) else { return None };
        let value = self.env.get((place.unit, *var))?;
        match value.meanings() {
            &[Meaning::Instance(unit, class)] if value.fields.is_none() => Some((unit, class)),
            _ => None,
        }
    }

    pub(super) fn step(value: &mut Value, place: Place, span: Span, what: impl Fn() -> String) {
        for taint in &mut value.taints {
            let same = taint.path.unit == place.unit && taint.path.span.line == span.line;
            if !same && taint.path.length < PATH_STEPS_MAX {
                let (before, length) = (Some(Rc::clone(&taint.path)), taint.path.length + 1);
                taint.path = Rc::new(Step { unit: place.unit, span, what: what(), before, length });
            }
        }
    }
}
