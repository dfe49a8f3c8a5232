//! What is known at a point of the code: of variables, and of the sources themselves.
//!
//! A branch opens a layer and only what it changes is stored in it, so that a branch costs what it changes
//! and not what is known.

use std::collections::HashMap;
use std::rc::Rc;

use super::super::facts::VarId;
use super::super::program::UnitId;
use super::value::{Origin, Safe, Value};

/// A variable of the program.
pub(super) type VarKey = (UnitId, VarId);

/// What is known.
#[derive(Clone, Default)]
pub(super) struct Env {
    changes: Changes,
    below: Option<Rc<Env>>,
    /// How many layers there are below.
    pub(super) depth: usize,
}

/// What one layer says.
#[derive(Clone, Default)]
pub(super) struct Changes {
    vars: HashMap<VarKey, Value>,
    /// What is proven of a source's own text.
    proven: HashMap<Origin, Safe>,
}

impl Env {
    /// What is known of a variable.
    pub(super) fn get(&self, var: VarKey) -> Option<&Value> {
        let mut layer = Some(self);
        while let Some(env) = layer {
            if let Some(value) = env.changes.vars.get(&var) {
                return Some(value);
            }
            layer = env.below.as_deref();
        }
        None
    }

    /// What is known of a variable, to be changed here.
    pub(super) fn get_mut(&mut self, var: VarKey) -> Option<&mut Value> {
        if !self.changes.vars.contains_key(&var) {
            let value = self.get(var)?.clone();
            self.changes.vars.insert(var, value);
        }
        self.changes.vars.get_mut(&var)
    }

    /// Assigns.
    pub(super) fn set(&mut self, var: VarKey, value: Value) {
        self.changes.vars.insert(var, value);
    }

    /// Forgets what this layer says of a variable.
    pub(super) fn forget(&mut self, var: VarKey) {
        self.changes.vars.remove(&var);
    }

    /// What is proven of a source.
    pub(super) fn proven(&self, origin: Origin) -> Safe {
        let mut layer = Some(self);
        while let Some(env) = layer {
            if let Some(&safe) = env.changes.proven.get(&origin) {
                return safe;
            }
            layer = env.below.as_deref();
        }
        Safe::default()
    }

    /// Adds to what is proven of a source.
    pub(super) fn prove(&mut self, origin: Origin, safe: Safe) {
        let all = self.proven(origin).and(safe);
        self.changes.proven.insert(origin, all);
    }

    /// Makes all that is known a layer, and begins a new one on it; gives back the layer.
    pub(super) fn open(&mut self) -> Rc<Self> {
        let layer = Rc::new(std::mem::take(self));
        *self = Self::on(&layer);
        layer
    }

    /// Begins anew on a layer; gives back what was changed since.
    pub(super) fn restart(&mut self, layer: &Rc<Self>) -> Changes {
        std::mem::replace(self, Self::on(layer)).changes
    }

    fn on(layer: &Rc<Self>) -> Self {
        Self { changes: Changes::default(), below: Some(Rc::clone(layer)), depth: layer.depth + 1 }
    }

    /// Leaves a layer with changes on it.
    pub(super) fn close(&mut self, layer: Rc<Self>, changes: Changes) {
        // Nothing else holds the layer when all that began on it have ended.
        *self = Self::default();
        *self = Rc::try_unwrap(layer).unwrap_or_else(|layer| (*layer).clone());
        self.changes.vars.extend(changes.vars);
        self.changes.proven.extend(changes.proven);
    }

    /// What holds after either of two ways that began on a layer.
    pub(super) fn either(layer: &Self, one: Changes, mut other: Changes) -> Changes {
        let mut vars = HashMap::with_capacity(one.vars.len() + other.vars.len());
        for (var, value) in one.vars {
            let second = other.vars.remove(&var);
            let joined = match second.as_ref().or_else(|| layer.get(var)) {
                Some(second) => value.or(second),
                None => value,
            };
            vars.insert(var, joined);
        }
        for (var, value) in other.vars {
            let joined = match layer.get(var) {
                Some(before) => before.clone().or(&value),
                None => value,
            };
            vars.insert(var, joined);
        }
        let mut proven = HashMap::new();
        for origin in one.proven.keys().chain(other.proven.keys()) {
            let of =
                |changes: &HashMap<Origin, Safe>| changes.get(origin).copied().unwrap_or_else(|| layer.proven(*origin));
            proven.insert(*origin, of(&one.proven).common(of(&other.proven)));
        }
        Changes { vars, proven }
    }

    /// What was proven since a layer was opened on which this many others lay.
    pub(super) fn proven_since(&self, depth: usize) -> HashMap<Origin, Safe> {
        let mut all = HashMap::new();
        let mut layer = Some(self);
        while let Some(env) = layer.filter(|env| env.depth > depth) {
            for (&origin, &safe) in &env.changes.proven {
                all.entry(origin).or_insert(safe);
            }
            layer = env.below.as_deref();
        }
        all
    }
}

impl Changes {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.vars.len() + self.proven.len()
    }
}
