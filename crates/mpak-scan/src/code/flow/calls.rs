//! Calls: into functions of the bundle, and of functions that are handed over.

use std::rc::Rc;

use super::super::facts::{Arg, ExprId, ExprKind, FunctionId, Unit};
use super::super::program::{Meaning, UnitId};
use super::results::changed;
use super::sinks;
use super::tables::filtered;
use super::value::Value;
use super::{Engine, Place};

/// Longest name of what makes a thing that is remembered of it.
const MADE_PATH_BYTES_MAX: usize = 120;

impl Engine<'_> {
    pub(super) fn call(&mut self, place: Place, expr: ExprId, callee: ExprId, args: &[Arg]) -> Value {
        let unit = self.program.unit(place.unit);
        // `__awaiter(this, void 0, void 0, function* () { … })`, as compilers write `async`.
        if let (Some("__awaiter"), Some(body)) = (last_name(unit, callee), args.get(3))
            && let ExprKind::Function(function) = unit.expr(body.value)
        {
            // `[_a]`: the parameters, which are taken apart inside.
            let given = args.get(1).and_then(|list| match unit.expr(list.value) {
                ExprKind::List(items) => Some(items.clone()),
                _ => None,
            });
            let given = self.eval_all(place, &given.unwrap_or_default());
            return self.call_function(place.unit, *function, given);
        }
        let mut meaning = self.meaning(place, callee);
        // `const run = require("./run")`, where that is a function.
        if let Meaning::Unit(unit) = *meaning
            && let Some(offered) = self.program.offered(unit).filter(|offered| !matches!(offered, Meaning::Unit(_)))
        {
            meaning = Rc::new(offered);
        }
        let receiver = match unit.expr(callee) {
            ExprKind::Member { of, name } => Some((self.eval(place, *of), name.clone())),
            ExprKind::Var(_) | ExprKind::Free(_) => None,
            _ => Some((self.eval(place, callee), String::new())),
        };
        let mut values: Vec<Value> = args.iter().map(|arg| self.eval(place, arg.value)).collect();
        // `str(thing)` is what its class makes of it.
        if let [only] = values.as_mut_slice()
            && matches!(&*meaning, Meaning::Outside(path) if matches!(path.as_str(), "str" | "String" | "format" | "repr" | "os.fspath"))
        {
            *only = self.in_text(std::mem::take(only));
        }
        if let ExprKind::Var(var) = unit.expr(callee)
            && let Some(settled) = self.settled.get_mut(&(place.unit, *var))
        {
            *settled = std::mem::take(settled).or(values.first().unwrap_or(&Value::default()));
            return Value::default();
        }
        // 1. Functions of the bundle: by name, by what the value at hand may be, by what a table may hold.
        let handed_this = receiver.as_ref().is_some_and(|(_, name)| matches!(name.as_str(), "bind" | "call" | "apply"));
        if handed_this && receiver.as_ref().is_some_and(|(value, name)| name == "bind" && value.means.is_some()) {
            return receiver.map(|(value, _)| value).unwrap_or_default();
        }
        if !handed_this && let Some(value) = self.inside(place, expr, &meaning, args, &values) {
            return self.overridden(place, expr, callee, args, &values, Some(value)).unwrap_or_default();
        }
        let mut path = match &*meaning {
            Meaning::Outside(path) => Some(path.clone()),
            _ => None,
        };
        if path.is_none() {
            if let Some(value) = self.overridden(place, expr, callee, args, &values, None) {
                return value;
            }
            let (value, outside) = self.held(place, expr, callee, receiver.as_ref(), args, &values);
            if value.is_some() && outside.is_none() {
                return value.unwrap_or_default();
            }
            path = outside;
            if path.is_none()
                && let Some(value) = self.looked_up(place, expr, callee, &meaning, args, &values)
            {
                return value;
            }
        }
        if let Some(value) = self.by_name(place, expr, path.as_deref(), receiver.as_ref(), args, &values) {
            return value;
        }
        let path = path.or_else(|| receiver.as_ref().map(|(_, name)| format!("?.{name}"))).unwrap_or_default();
        self.registration(place, &path, args, &values);
        self.emitted(&path, args, &values, place);
        if let Some(value) = self.passed(place, &path, receiver.as_ref(), args, &values) {
            return value;
        }
        // 2. Where text becomes action.
        self.sink(place, expr, &path, receiver.as_ref(), args, &values);
        // 3. Functions that are handed over.
        let handed = self.callbacks(place, expr, &path, receiver.as_ref().map(|(value, _)| value), args, &values);
        if receiver.as_ref().is_some_and(|(_, name)| name == "relative_to") {
            self.proven_by_call(place, expr);
        }
        // 4. What comes out.
        let mut value = self.result(place, expr, &path, receiver, args, &values, handed);
        if value.means.is_none() && !path.is_empty() && !path.starts_with('?') && path.len() < MADE_PATH_BYTES_MAX {
            value.means =
                self.known_meaning(place, expr).or_else(|| Some(Rc::new(vec![Meaning::Outside(path + "()")])));
        }
        value
    }

    /// A call of a method of the receiver that classes which extend its class have as well.
    fn overridden(
        &mut self,
        place: Place,
        expr: ExprId,
        callee: ExprId,
        args: &[Arg],
        values: &[Value],
        own: Option<Value>,
    ) -> Option<Value> {
        let unit = self.program.unit(place.unit);
        let ExprKind::Member { of, name } = unit.expr(callee) else { return own };
        let Some(class) = self.program.class_around(place.unit, place.function) else { return own };
        let receives = match unit.expr(*of) {
            ExprKind::Free(name) => name == "this",
            ExprKind::Var(_) => *self.meaning(place, *of) == Meaning::Instance(place.unit, class),
            _ => false,
        };
        if !receives {
            return own;
        }
        let mut all = own;
        let (overrides, seen) = self.program.overrides_with_cost((place.unit, class), name);
        self.spend(seen as u64 / 4);
        for (unit, function) in overrides {
            let value = self.inside(place, expr, &Meaning::Function(unit, function), args, values).unwrap_or_default();
            all = Some(match all {
                Some(all) => all.or(&value),
                None => value,
            });
        }
        all
    }

    /// A call of what a variable or member holds: functions and classes of the bundle that were handed over
    /// are called; what from outside it may be is told.
    fn held(
        &mut self,
        place: Place,
        expr: ExprId,
        callee: ExprId,
        receiver: Option<&(Value, String)>,
        args: &[Arg],
        values: &[Value],
    ) -> (Option<Value>, Option<String>) {
        let (value, name) = match receiver {
            Some((value, name)) => (value.clone(), name.as_str()),
            None => (self.eval(place, callee), ""),
        };
        // `f.call(this, …)`, `f.apply(this, […])`
        let is_function = |meaning: &Meaning| matches!(meaning, Meaning::Function(..));
        let calls = matches!(name, "call" | "apply") && value.meanings().iter().any(is_function);
        let (means, skipped) = match name {
            _ if calls => (value.means.clone(), 1),
            "" => (value.means.clone(), 0),
            name => {
                let exact = value.fields.as_ref().is_none_or(|fields| fields.contains_key(name));
                let part = exact.then(|| self.part(&value, Some(name)).means).flatten();
                (part.or_else(|| self.member_means(&value, name)), 0)
            }
        };
        let mut all: Option<Value> = None;
        let mut outside = None;
        for meaning in means.iter().flat_map(|means| means.iter()) {
            let result = match meaning {
                Meaning::Function(unit, function) if name == "apply" && calls => {
                    let items = values.get(1).and_then(|value| value.items.clone());
                    let given = items.map_or(Vec::new(), |items| (*items).clone());
                    Some(self.call_function(*unit, *function, given))
                }
                Meaning::Function(..) | Meaning::Class(..) | Meaning::Instance(..) => {
                    let args = args.get(skipped..).unwrap_or_default();
                    let values = values.get(skipped..).unwrap_or_default();
                    self.inside(place, expr, meaning, args, values)
                }
                Meaning::Outside(path) => {
                    outside = Some(path.clone());
                    None
                }
                _ => None,
            };
            if let Some(result) = result {
                all = Some(match all {
                    Some(all) => all.or(&result),
                    None => result,
                });
            }
        }
        (all, outside)
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
        expr: ExprId,
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
                | "findLast"
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
            let given = if let Some(read) = self.input_given(place, expr, path, at, args) {
                read
            } else if at > 0 && matches!(name, "on" | "once") && receiver.is_some_and(|value| !value.taints.is_empty())
            {
                // `request.on("data", …)`
                receiver.map(Value::derived).unwrap_or_default()
            } else if first_gives {
                values.get(1).cloned().unwrap_or_default()
            } else if element {
                receiver.cloned().unwrap_or_default()
            } else {
                Value::default()
            };
            if element
                && let ExprKind::Var(var) = self.unit(place).expr(arg.value)
                && let Some(settled) = self.settled.get_mut(&(place.unit, *var))
            {
                // `.then(resolve)`
                *settled = std::mem::take(settled).or(&given);
                continue;
            }
            let returned = match &*meaning {
                // `new Promise((resolve) => …)`: what it is resolved with.
                Meaning::Function(unit, function) if path == "Promise" => {
                    let param = self.program.unit(*unit).function(*function).params.first().map(|param| param.var);
                    let key = param.map(|param| (*unit, param));
                    if let Some(key) = key {
                        self.settled.insert(key, Value::default());
                    }
                    self.call_function(*unit, *function, Vec::new());
                    return key.and_then(|key| self.settled.remove(&key));
                }
                // `run_in_executor(None, TABLE[name], arguments)`
                Meaning::Value(..) if handed_on == Some(at) => {
                    let rest = values.get(at + 1..).unwrap_or_default().to_vec();
                    let held = values.get(at).and_then(|value| value.means.clone());
                    let mut all: Option<Value> = None;
                    for meaning in held.iter().flat_map(|held| held.iter()) {
                        let Meaning::Function(unit, function) = *meaning else { continue };
                        let method = usize::from(self.is_method(unit, function));
                        let given = std::iter::repeat_n(Value::default(), method).chain(rest.iter().cloned()).collect();
                        let value = self.call_function(unit, function, given);
                        all = Some(match all {
                            Some(all) => all.or(&value),
                            None => value,
                        });
                    }
                    let Some(all) = all else { continue };
                    all
                }
                Meaning::Function(unit, function) if handed_on == Some(at) => {
                    let rest = values.get(at + 1..).unwrap_or_default().to_vec();
                    let method = usize::from(self.is_method(*unit, *function));
                    let given = std::iter::repeat_n(Value::default(), method).chain(rest).collect();
                    self.call_function(*unit, *function, given)
                }
                Meaning::Function(unit, function) if name == "filter" => {
                    let list = if first_gives { values.get(1) } else { receiver };
                    let list = list.cloned().unwrap_or_default();
                    let element = self.part(&list, None);
                    let proven = self.proven_by(true, |engine| {
                        engine.call_function(*unit, *function, vec![element]);
                    });
                    filtered(&list, &proven)
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
                // `words.filter(Boolean)`: what is left is what was there.
                Meaning::Outside(_) if name == "filter" => {
                    let list = if first_gives { values.get(1) } else { receiver };
                    list.cloned().unwrap_or_default()
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
