//! Calls: into functions of the bundle, and of functions that are handed over.

use std::rc::Rc;

use super::super::facts::{Arg, ExprId, ExprKind, FunctionId, Language};
use super::super::program::{Meaning, UnitId};
use super::value::Value;
use super::{CALLS_DEPTH_MAX, Engine, Place};

impl Engine<'_> {
    pub(super) fn call(&mut self, place: Place, expr: ExprId, callee: ExprId, args: &[Arg]) -> Value {
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

    pub(super) fn inside(
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
                let inner = self.env.get((unit, param)).cloned().unwrap_or_default();
                if let Some(outer) = self.env.get_mut((place.unit, var)) {
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
    pub(super) fn forget(&mut self, unit: UnitId, function: FunctionId) {
        if self.stack.first().is_some_and(|(_, root)| *root == FunctionId::TOP) {
            return;
        }
        for &var in &self.locals[unit.0 as usize][function.0 as usize] {
            self.env.forget((unit, var));
        }
    }

    /// Runs functions that are given to a call; what they give back.
    pub(super) fn callbacks(
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

    /// Runs a function of the bundle; its result.
    pub(super) fn call_function(&mut self, unit: UnitId, function: FunctionId, args: Vec<Value>) -> Value {
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
            self.env.set((unit, param.var), value);
        }
        let mut returned = Vec::new();
        self.block(place, &found.body, &mut returned);
        self.stack.pop();
        let mut returned = returned.into_iter();
        let first = returned.next().unwrap_or_default();
        returned.fold(first, |all, value| all.or(&value))
    }
}
