//! What is known at a point of the code: of variables, and of the sources themselves.
//!
//! A branch opens a layer. What it changes is written into a journal and undone when another way begins, so
//! that a branch costs what it changes and not what is known, and to look something up costs the same
//! however deep branches nest.

use std::collections::hash_map::Entry;

use foldhash::HashMap;

use super::super::facts::VarId;
use super::super::program::UnitId;
use super::value::{Origin, Safe, Value};

/// A variable of the program.
pub(super) type VarKey = (UnitId, VarId);

/// What is known.
#[derive(Default)]
pub(super) struct Env {
    vars: HashMap<VarKey, Stamped<Value>>,
    /// What is proven of a source's own text.
    proven: HashMap<Origin, Stamped<Safe>>,
    /// What was there before it was changed, in the order of the changes.
    journal: Vec<Before>,
    /// The layer that changes belong to.
    layer: u64,
    layers_count: u64,
}

/// Something with the layer that last wrote it.
#[derive(Clone, Debug)]
struct Stamped<T> {
    layer: u64,
    of: T,
}

/// What was there before a change.
enum Before {
    Var(VarKey, Option<Stamped<Value>>),
    Proven(Origin, Option<Stamped<Safe>>),
}

/// The begin of a layer.
#[derive(Clone, Copy)]
pub(super) struct Layer {
    start: usize,
    around: u64,
}

/// What was changed since a layer began; a variable without a value was forgotten.
#[derive(Default)]
pub(super) struct Changes {
    vars: HashMap<VarKey, Option<Value>>,
    proven: HashMap<Origin, Safe>,
}

impl Env {
    /// What is known of a variable.
    pub(super) fn get(&self, var: VarKey) -> Option<&Value> {
        self.vars.get(&var).map(|held| &held.of)
    }

    /// What is known of a variable, to be changed here.
    pub(super) fn get_mut(&mut self, var: VarKey) -> Option<&mut Value> {
        let layer = self.layer;
        let held = self.vars.get_mut(&var)?;
        if held.layer != layer {
            self.journal.push(Before::Var(var, Some(held.clone())));
            held.layer = layer;
        }
        Some(&mut held.of)
    }

    /// Assigns.
    pub(super) fn set(&mut self, var: VarKey, value: Value) {
        let written = Stamped { layer: self.layer, of: value };
        match self.vars.entry(var) {
            Entry::Occupied(mut held) if held.get().layer == written.layer => {
                held.insert(written);
            }
            Entry::Occupied(mut held) => {
                let before = held.insert(written);
                self.journal.push(Before::Var(var, Some(before)));
            }
            Entry::Vacant(free) => {
                free.insert(written);
                self.journal.push(Before::Var(var, None));
            }
        }
    }

    /// Forgets a variable.
    pub(super) fn forget(&mut self, var: VarKey) {
        if let Some(before) = self.vars.remove(&var) {
            self.journal.push(Before::Var(var, Some(before)));
        }
    }

    /// What is proven of a source.
    pub(super) fn proven(&self, origin: Origin) -> Safe {
        self.proven.get(&origin).map_or_else(Safe::default, |held| held.of)
    }

    /// Adds to what is proven of a source.
    pub(super) fn prove(&mut self, origin: Origin, safe: Safe) {
        let all = self.proven(origin).and(safe);
        self.set_proven(origin, all);
    }

    fn set_proven(&mut self, origin: Origin, safe: Safe) {
        let before = self.proven.insert(origin, Stamped { layer: self.layer, of: safe });
        if before.as_ref().is_none_or(|before| before.layer != self.layer) {
            self.journal.push(Before::Proven(origin, before));
        }
    }

    /// Begins a layer.
    pub(super) fn open(&mut self) -> Layer {
        let layer = Layer { start: self.journal.len(), around: self.layer };
        self.next_layer();
        layer
    }

    /// Undoes what was changed since a layer began, and gives it back.
    pub(super) fn restart(&mut self, layer: Layer) -> Changes {
        let mut changes = Changes::default();
        while self.journal.len() > layer.start {
            match self.journal.pop() {
                Some(Before::Var(var, before)) => {
                    let now = match before {
                        Some(before) => self.vars.insert(var, before),
                        None => self.vars.remove(&var),
                    };
                    changes.vars.entry(var).or_insert(now.map(|now| now.of));
                }
                Some(Before::Proven(origin, before)) => {
                    let now = match before {
                        Some(before) => self.proven.insert(origin, before),
                        None => self.proven.remove(&origin),
                    };
                    if let Some(now) = now {
                        changes.proven.entry(origin).or_insert(now.of);
                    }
                }
                None => break,
            }
        }
        self.next_layer();
        changes
    }

    /// Leaves a layer that was restarted, with these changes.
    pub(super) fn close(&mut self, layer: Layer, changes: Changes) {
        self.layer = layer.around;
        for (var, value) in changes.vars {
            match value {
                Some(value) => self.set(var, value),
                None => self.forget(var),
            }
        }
        for (origin, safe) in changes.proven {
            self.set_proven(origin, safe);
        }
    }

    fn next_layer(&mut self) {
        self.layers_count += 1;
        self.layer = self.layers_count;
    }

    /// What holds after either of two ways that began here.
    pub(super) fn either(&self, one: Changes, mut other: Changes) -> Changes {
        let mut vars = HashMap::with_capacity_and_hasher(
            one.vars.len() + other.vars.len(),
            foldhash::fast::RandomState::default(),
        );
        for (var, value) in one.vars {
            let second = match other.vars.remove(&var) {
                Some(second) => second,
                None => self.get(var).cloned(),
            };
            vars.insert(var, either(self.as_proven(value, &one.proven), self.as_proven(second, &other.proven)));
        }
        for (var, value) in other.vars {
            let first = self.as_proven(self.get(var).cloned(), &one.proven);
            vars.insert(var, either(first, self.as_proven(value, &other.proven)));
        }
        let mut proven = HashMap::default();
        for origin in one.proven.keys().chain(other.proven.keys()) {
            let of =
                |changes: &HashMap<Origin, Safe>| changes.get(origin).copied().unwrap_or_else(|| self.proven(*origin));
            proven.insert(*origin, of(&one.proven).common(of(&other.proven)));
        }
        Changes { vars, proven }
    }

    /// A variable at the end of a way, with what the way proved of its sources: the other way may hold something
    /// else in it, and need not prove the same.
    fn as_proven(&self, value: Option<Value>, proven: &HashMap<Origin, Safe>) -> Option<Value> {
        let mut value = value?;
        for taint in &mut value.taints {
            let proven = proven.get(&taint.origin).copied().unwrap_or_else(|| self.proven(taint.origin));
            taint.safe = taint.safe_where(proven);
        }
        Some(value)
    }

    /// What was proven since a layer began.
    pub(super) fn proven_since(&self, layer: Layer) -> HashMap<Origin, Safe> {
        let changed = self.journal.get(layer.start..).unwrap_or_default().iter();
        let origins = changed.filter_map(|before| match before {
            Before::Proven(origin, _) => Some(*origin),
            Before::Var(..) => None,
        });
        origins.map(|origin| (origin, self.proven(origin))).collect()
    }
}

fn either(one: Option<Value>, other: Option<Value>) -> Option<Value> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.or(&other)),
        (one, other) => one.or(other),
    }
}

impl Changes {
    /// The variables among them.
    pub(super) fn vars(self) -> HashMap<VarKey, Option<Value>> {
        self.vars
    }

    /// What was proven.
    pub(super) fn proven(&self) -> Vec<(Origin, Safe)> {
        self.proven.iter().map(|(origin, safe)| (*origin, *safe)).collect()
    }

    /// Keeps of what was proven only this.
    pub(super) fn keep_proven(&mut self, kept: &HashMap<Origin, Safe>) {
        self.proven.retain(|origin, _| kept.contains_key(origin));
        for (origin, safe) in &mut self.proven {
            *safe = safe.common(kept.get(origin).copied().unwrap_or_default());
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.vars.len() + self.proven.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_undone_and_both_are_joined() {
        let (a, b) = ((UnitId(0), VarId(0)), (UnitId(0), VarId(1)));
        let text = |env: &Env, var| env.get(var).and_then(|value| value.text.as_deref().map(str::to_owned));
        let mut env = Env::default();
        env.set(a, Value::text("before"));
        let outer = env.open();
        env.set(b, Value::text("b"));
        let inner = env.open();
        env.set(a, Value::text("one"));
        env.set(a, Value::text("two"));
        env.prove(1, Safe::SHELL.and(Safe::PATH));
        assert_eq!(env.proven_since(inner).len(), 1);
        let one = env.restart(inner);
        assert_eq!((text(&env, a).as_deref(), env.proven(1)), (Some("before"), Safe::default()));
        env.set(a, Value::text("two"));
        env.forget(b);
        env.prove(1, Safe::PATH);
        let other = env.restart(inner);
        let both = env.either(one, other);
        env.close(inner, both);
        assert_eq!((text(&env, a).as_deref(), text(&env, b).as_deref()), (Some("two"), Some("b")));
        assert_eq!(env.proven(1), Safe::PATH);
        env.restart(outer);
        assert_eq!((text(&env, a).as_deref(), env.get(b).is_none()), (Some("before"), true));
        assert_eq!(env.proven(1), Safe::default());
    }
}
