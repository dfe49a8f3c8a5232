//! Goes into functions of the bundle: arguments become parameters, instances get their fields.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::facts::{Arg, ClassId, ExprId, ExprKind, FunctionId, Language};
use super::super::program::{Meaning, UnitId};
use super::super::shapes;
use super::value::Value;
use super::{CALLS_DEPTH_MAX, Engine, Place};

/// Most arguments that lists are spread to.
const POSITIONAL_COUNT_MAX: usize = 1_024;

/// Arguments of a call, sorted out.
#[derive(Default)]
struct Given {
    positional: Vec<Value>,
    keywords: BTreeMap<String, Value>,
    /// What is spread and not known one by one.
    spread: Option<Value>,
}

impl Engine<'_> {
    /// Calls a function or class of the bundle; none where it is neither.
    pub(super) fn inside(
        &mut self,
        place: Place,
        expr: ExprId,
        meaning: &Meaning,
        args: &[Arg],
        values: &[Value],
    ) -> Option<Value> {
        let (unit, function) = match *meaning {
            Meaning::Function(unit, function) => (unit, function),
            Meaning::Class(unit, class) => match self.program.constructor(unit, class) {
                Some((unit, function)) => (unit, function),
                None => {
                    let mut value = self.instance(place, unit, class, args, values);
                    value.means = Some(Rc::new(vec![Meaning::Instance(unit, class)]));
                    return Some(value);
                }
            },
            // An instance that is called.
            Meaning::Instance(unit, class) => self.program.method_of((unit, class), "__call__")?,
            _ => return None,
        };
        let found = self.program.unit(unit).function(function);
        let method = usize::from(self.is_method(unit, function));
        let mut params = self.parameters(place, unit, function, args, values);
        let span = self.unit(place).span(expr);
        let called = found.name.as_deref().unwrap_or("a function");
        for value in &mut params {
            Self::step(value, place, span, || format!("is given to `{called}`"));
        }
        let result = self.call_function(unit, function, params);
        // What the function proved of its parameters is proven of the caller's variables.
        let early = self.early.get(&(unit, function)).copied().unwrap_or_default();
        let params = found.params.iter().skip(method).map(|param| param.var).filter(|_| !early);
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
        Some(match *meaning {
            Meaning::Class(unit, class) => Value::meaning(Meaning::Instance(unit, class)),
            _ => result,
        })
    }

    /// Whether the first parameter of a function is its receiver.
    pub(super) fn is_method(&self, unit: UnitId, function: FunctionId) -> bool {
        let source = self.program.unit(unit);
        let found = source.function(function);
        let is_static =
            |&decorator: &ExprId| matches!(source.expr(decorator), ExprKind::Free(name) if name == "staticmethod");
        source.language == Language::Python && found.class.is_some() && !found.decorators.iter().any(is_static)
    }

    /// Sorts the arguments of a call out.
    fn given(&self, place: Place, args: &[Arg], values: &[Value]) -> Given {
        let mut given = Given::default();
        for (arg, value) in args.iter().zip(values) {
            let spread = matches!(self.unit(place).expr(arg.value), ExprKind::Spread(_));
            match (&arg.name, spread) {
                (Some(name), _) => {
                    given.keywords.entry(name.clone()).or_insert_with(|| value.clone());
                }
                (None, false) => given.positional.push(value.clone()),
                (None, true) => match (&value.items, &value.fields) {
                    (Some(items), _) => {
                        let left = POSITIONAL_COUNT_MAX.saturating_sub(given.positional.len());
                        given.positional.extend(items.iter().take(left).cloned());
                    }
                    (None, Some(fields)) if value.taints.is_empty() => {
                        for (name, value) in fields.iter() {
                            given.keywords.entry(name.clone()).or_insert_with(|| value.clone());
                        }
                    }
                    _ => given.spread = Some(value.clone()),
                },
            }
        }
        given
    }

    /// The value of each parameter.
    fn parameters(
        &mut self,
        place: Place,
        unit: UnitId,
        function: FunctionId,
        args: &[Arg],
        values: &[Value],
    ) -> Vec<Value> {
        let found = self.program.unit(unit).function(function);
        let Given { positional, mut keywords, spread } = self.given(place, args, values);
        let mut positional = positional.into_iter();
        let mut params = Vec::with_capacity(found.params.len());
        for (at, param) in found.params.iter().enumerate() {
            let value = if at == 0 && self.is_method(unit, function) {
                Value::default()
            } else if param.rest {
                let mut rest: Vec<Value> = positional.by_ref().collect();
                if let Some(spread) = &spread {
                    rest.push(self.part(spread, None));
                }
                let mut value = Value::default();
                rest.iter().for_each(|each| value.absorb(&each.derived()));
                value.with_items(rest)
            } else if param.keywords {
                let held = std::mem::take(&mut keywords);
                spread.clone().unwrap_or_default().with_fields(held)
            } else if let Some(named) = keywords.remove(&param.name) {
                named
            } else if let Some(value) = positional.next() {
                value
            } else if let Some(spread) = &spread {
                self.part(spread, Some(&param.name))
            } else {
                Value::default()
            };
            params.push(value);
        }
        params
    }

    /// An instance of a class without a constructor of its own: a dataclass, a model.
    fn instance(&mut self, place: Place, unit: UnitId, class: ClassId, args: &[Arg], values: &[Value]) -> Value {
        let names: Vec<String> =
            self.program.unit(unit).classes[class.0 as usize].types.iter().map(|(name, _)| name.clone()).collect();
        // A member of an enumeration is one of a few, or an error.
        if shapes::class(self.program, unit, class) == shapes::Shape::HARMLESS {
            return Value::default();
        }
        let Given { positional, keywords, spread } = self.given(place, args, values);
        let checked = shapes::is_checked(self.program, unit, class).then(|| shapes::class(self.program, unit, class));
        let mut positional = positional.into_iter();
        let mut fields = BTreeMap::new();
        for name in &names {
            let named = keywords.get(name).cloned();
            let value = match (named, &spread) {
                (Some(value), _) => value,
                (None, Some(spread)) => self.part(spread, Some(name)),
                (None, None) => positional.next().unwrap_or_default(),
            };
            let value = match checked.as_ref().and_then(|shape| shape.member(name)) {
                Some(shape) => self.shaped(value, shape, name),
                None => value,
            };
            let (root, base) = self.program.root_class((unit, class));
            let slot = self.heap.entry((root, base, name.clone())).or_default();
            *slot = std::mem::take(slot).or(&value);
            fields.insert(name.clone(), value);
        }
        let mut value = Value::default();
        if names.is_empty() {
            values.iter().for_each(|arg| value.absorb(arg));
            return value;
        }
        fields.values().for_each(|field| value.absorb(&field.derived()));
        let value = value.with_fields(fields);
        // A dataclass or model that does something when it is made.
        for name in ["__post_init__", "model_post_init", "__attrs_post_init__"] {
            if let Some(function) = self.program.has_method((unit, class), name) {
                self.call_function(unit, function, Vec::new());
            }
        }
        value
    }

    /// Runs a function of the bundle; its result.
    pub(super) fn call_function(&mut self, unit: UnitId, function: FunctionId, args: Vec<Value>) -> Value {
        let mut all = Value::default();
        if self.stack.contains(&(unit, function)) || self.stack.len() > CALLS_DEPTH_MAX || !self.may_go_on() {
            args.iter().for_each(|arg| all.absorb(&arg.derived()));
            return all;
        }
        self.visited.insert((unit, function));
        self.spend(1 + self.program.unit(unit).function(function).params.len() as u64 / 4);
        self.stack.push((unit, function));
        let place = Place { unit, function };
        let found = self.program.unit(unit).function(function);
        let mut args = args.into_iter();
        let closes_over = !found.params.is_empty() && self.locals[unit.0 as usize][function.0 as usize].is_empty();
        for param in &found.params {
            let mut value = args.next().unwrap_or_default();
            if let Some(default) = param.default
                && value.taints.is_empty()
                && value.text.is_none()
                && value.means.is_none()
            {
                value = value.or(&self.eval(place, default));
            }
            if closes_over {
                // Closures of earlier calls still hold what they were given.
                let before = self.env.get((unit, param.var)).and_then(|before| before.means.clone());
                value.may_mean(before.as_ref());
            }
            self.env.set((unit, param.var), value);
        }
        let mut returned = Vec::new();
        let ends = self.body(place, &found.body, &mut returned);
        self.stack.pop();
        self.never_came_back = ends && returned.is_empty();
        let mut returned = returned.into_iter();
        let first = returned.next().unwrap_or_default();
        returned.fold(first, |all, value| all.or(&value))
    }
}
