//! Runs statements, and stores what they assign.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::facts::{Block, ClassId, ExprId, ExprKind, Span, Statement};
use super::super::program::{Meaning, UnitId};
use super::env::Changes;
use super::value::{Step, Value};
use super::{Engine, Place};

/// Most places on the way of a value that are remembered: the first ones.
const PATH_STEPS_MAX: u32 = 64;

impl Engine<'_> {
    /// Runs statements; whether the way ends in them.
    pub(super) fn block(&mut self, place: Place, block: &Block, returned: &mut Vec<Value>) -> bool {
        block.iter().any(|statement| !self.may_go_on() || self.statement(place, statement, returned))
    }

    pub(super) fn statement(&mut self, place: Place, statement: &Statement, returned: &mut Vec<Value>) -> bool {
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
                let (mut first, mut second) = (Vec::new(), Vec::new());
                let (ends, (), ()) = self.branch(
                    |engine| {
                        engine.prove(place, *test, true);
                        (engine.block(place, then, &mut first), ())
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
                // The second time finds what the first one stored.
                for _ in 0..2 {
                    let layer = self.env.open();
                    if let Some(test) = test {
                        self.eval(place, *test);
                        self.prove(place, *test, true);
                    }
                    self.block(place, body, returned);
                    let changes = self.env.restart(layer);
                    self.charge(changes.count());
                    let after = self.env.either(changes, Changes::default());
                    self.env.close(layer, after);
                }
                false
            }
            Statement::Any(ways) => self.any(place, ways, returned),
        }
    }

    /// Any of some ways.
    fn any(&mut self, place: Place, ways: &[Block], returned: &mut Vec<Value>) -> bool {
        let layer = self.env.open();
        let mut after: Option<Changes> = None;
        for way in ways {
            let ends = self.block(place, way, returned);
            let changes = self.env.restart(layer);
            if !ends {
                self.charge(changes.count());
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
    pub(super) fn store(&mut self, place: Place, of: ExprId, name: Option<String>, value: Value) {
        if let Some((unit, class)) = self.receiver(place, of) {
            if let Some(name) = name {
                let slot = self.heap.entry((unit, class, name)).or_default();
                *slot = std::mem::take(slot).or(&value);
            }
            return;
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
            _ => slot.absorb(&value.derived()),
        }
    }

    /// The class whose instance an expression is, when that is the receiver of a method.
    pub(super) fn receiver(&mut self, place: Place, of: ExprId) -> Option<(UnitId, ClassId)> {
        if !matches!(self.unit(place).expr(of), ExprKind::Free(_) | ExprKind::Var(_)) {
            return None;
        }
        match *self.meaning(place, of) {
            Meaning::Instance(unit, class) => Some((unit, class)),
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
