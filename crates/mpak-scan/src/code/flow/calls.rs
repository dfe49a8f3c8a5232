//! Calls: into functions of the bundle, and of functions that are handed over.

use std::rc::Rc;

use super::super::facts::{Arg, ExprId, ExprKind, FunctionId, Unit};
use super::super::program::{Meaning, UnitId};
use super::results::changed;
use super::sinks;
use super::value::Value;
use super::{Engine, Place};

impl Engine<'_> {
    pub(super) fn call(&mut self, place: Place, expr: ExprId, callee: ExprId, args: &[Arg]) -> Value {
        let unit = self.program.unit(place.unit);
        // `__awaiter(this, void 0, void 0, function* () { … })`, as compilers write `async`.
        if let (Some("__awaiter"), Some(body)) = (last_name(unit, callee), args.get(3))
            && let ExprKind::Function(function) = unit.expr(body.value)
        {
            return self.call_function(place.unit, *function, Vec::new());
        }
        let meaning = self.meaning(place, callee);
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
        if let Some(value) = self.looked_up(place, expr, callee, &meaning, args, &values) {
            return value;
        }
        if let Some(value) = self.held(place, expr, callee, &meaning, receiver.as_ref(), args, &values) {
            return value;
        }
        let path = match &*meaning {
            Meaning::Outside(path) => path.clone(),
            _ => receiver.as_ref().map(|(_, name)| format!("?.{name}")).unwrap_or_default(),
        };
        // 2. Where text becomes action.
        self.sink(place, expr, &path, receiver.as_ref(), args, &values);
        // 3. Functions that are handed over.
        let handed = self.callbacks(place, &path, receiver.as_ref().map(|(value, _)| value), args, &values);
        // 4. What comes out.
        self.result(place, expr, &path, receiver, args, &values, handed)
    }

    /// A call of a function that a variable or member holds: one that was handed over.
    #[expect(clippy::too_many_arguments, reason = "a call is all of these")]
    fn held(
        &mut self,
        place: Place,
        expr: ExprId,
        callee: ExprId,
        meaning: &Meaning,
        receiver: Option<&(Value, String)>,
        args: &[Arg],
        values: &[Value],
    ) -> Option<Value> {
        if !matches!(meaning, Meaning::Value(..)) {
            return None;
        }
        let (value, name) = match receiver {
            Some((value, name)) => (value.clone(), name.as_str()),
            None => (self.eval(place, callee), ""),
        };
        // `f.call(this, …)`, `f.apply(this, […])`
        let (value, skipped) = match name {
            "call" | "apply" | "bind" => (value, 1),
            "" => (value, 0),
            name => (self.part(&value, Some(name)), 0),
        };
        let (unit, function) = value.function?;
        let meaning = Meaning::Function(unit, function);
        if name == "apply" {
            let given =
                values.get(1).and_then(|value| value.items.clone()).map_or(Vec::new(), |items| (*items).clone());
            return Some(self.call_function(unit, function, given));
        }
        let (args, values) = (args.get(skipped..).unwrap_or_default(), values.get(skipped..).unwrap_or_default());
        self.inside(place, expr, &meaning, args, values)
    }

    /// A call of what a table, a list or a `Map` holds: any of its functions.
    fn looked_up(
        &mut self,
        place: Place,
        expr: ExprId,
        callee: ExprId,
        meaning: &Meaning,
        args: &[Arg],
        values: &[Value],
    ) -> Option<Value> {
        if !matches!(meaning, Meaning::Value(..)) {
            return None;
        }
        let key = (place.unit, callee);
        let functions = if let Some(functions) = self.tables.get(&key) {
            Rc::clone(functions)
        } else {
            self.charge(2_048);
            let possible = self.program.possible(place.unit, callee);
            let found = possible.into_iter().filter_map(|(unit, expr)| {
                match self.program.meaning(unit, FunctionId::TOP, expr) {
                    Meaning::Function(unit, function) => Some((unit, function)),
                    _ => None,
                }
            });
            let functions = Rc::new(found.collect::<Vec<_>>());
            self.tables.insert(key, Rc::clone(&functions));
            functions
        };
        let mut all: Option<Value> = None;
        for &(unit, function) in functions.iter() {
            let value = self.inside(place, expr, &Meaning::Function(unit, function), args, values)?;
            all = Some(match all {
                Some(all) => all.or(&value),
                None => value,
            });
        }
        all
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
        let handed_on = handed_on(path);
        let mut result: Option<Value> = None;
        for (at, arg) in args.iter().enumerate() {
            let meaning = self.meaning(place, arg.value);
            let given = if first_gives {
                values.get(1).cloned().unwrap_or_default()
            } else if element {
                receiver.cloned().unwrap_or_default()
            } else {
                Value::default()
            };
            let returned = match &*meaning {
                Meaning::Function(unit, function) if handed_on == Some(at) => {
                    let rest = values.get(at + 1..).unwrap_or_default().to_vec();
                    let method = usize::from(self.is_method(*unit, *function));
                    let given = std::iter::repeat_n(Value::default(), method).chain(rest).collect();
                    self.call_function(*unit, *function, given)
                }
                Meaning::Function(unit, function) => {
                    if !matches!(self.unit(place).expr(arg.value), ExprKind::Function(_)) && !element && !first_gives {
                        // A function that is only named may be a handler, which has its own turn.
                        continue;
                    }
                    let given = self.part(&given, None);
                    // The second is the place in the list.
                    let both = !element || matches!(name, "reduce" | "sort");
                    let second = if both { given.clone() } else { Value::default() };
                    self.call_function(*unit, *function, vec![given, second])
                }
                // `map(shlex.quote, words)`
                Meaning::Outside(path) if element || first_gives => {
                    let Some(effect) = sinks::effect(path) else { continue };
                    let given = self.part(&given, None);
                    changed(given.derived(), effect)
                }
                _ => continue,
            };
            result = Some(match result {
                Some(before) => before.or(&returned),
                None => returned,
            });
        }
        result.filter(|_| element || first_gives || handed_on.is_some() || name == "catch")
    }
}

/// The last part of a callee's name.
fn last_name(unit: &Unit, callee: ExprId) -> Option<&str> {
    match unit.expr(callee) {
        ExprKind::Member { name, .. } | ExprKind::Free(name) => Some(name),
        ExprKind::Var(var) => Some(&unit.vars[var.0 as usize].name),
        _ => None,
    }
}

/// Which argument of a call is a function that is called with the arguments behind it.
fn handed_on(path: &str) -> Option<usize> {
    let name = path.rsplit('.').next().unwrap_or(path);
    match name {
        "to_thread" | "submit" | "partial" | "run_sync" | "call_soon" | "start_soon" => Some(0),
        "run_in_executor" | "call_later" => Some(1),
        _ => None,
    }
}
