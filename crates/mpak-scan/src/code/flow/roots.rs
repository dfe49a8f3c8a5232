//! Where the run begins: handlers with what the model chooses, what decorators put around them, and functions that
//! nobody in the bundle calls.

use foldhash::HashMap;

use super::super::facts::{ExprId, ExprKind, Function, FunctionId, Language, Unit};
use super::super::program::{Meaning, UnitId};
use super::super::tools::{self, Handler};
use super::value::{Source, Value};
use super::{DECORATORS_COUNT_MAX, Engine, Place, env};

impl Engine<'_> {
    pub(super) fn root(&mut self, unit: UnitId, function: FunctionId, args: Vec<Value>) {
        self.root_steps = 0;
        self.call_function(unit, function, args);
    }

    pub(super) fn handler(&mut self, handler: &Handler) {
        let unit = self.program.unit(handler.unit);
        let function = unit.function(handler.function);
        let called = handler.name.as_deref().unwrap_or("a tool");
        let (from, span) = match handler.registered_in {
            own if own == handler.unit => (own, function.span),
            other => (other, handler.span),
        };
        let mut args = Vec::new();
        for (at, param) in function.params.iter().enumerate() {
            args.push(if handler.inputs.contains(&at) {
                let name = if param.name.is_empty() { "arguments" } else { &param.name };
                let what = format!("the model chooses `{name}` of {called}");
                let value = self.source(Source::Tool, name, from, span, what);
                let value = match handler.shapes.get(&at) {
                    Some(shape) => self.shaped(value, shape, ""),
                    None => value,
                };
                match &param.annotation {
                    Some(written) if unit.language == Language::Python => self.typed(handler.unit, written, value),
                    _ => value,
                }
            } else {
                Value::default()
            });
        }
        let decorators = decorators(unit, function);
        if !decorators.is_empty() && self.decorated(handler, &decorators, &args) {
            return;
        }
        self.root(handler.unit, handler.function, args);
    }

    /// Runs what the bundle's own decorators made of a handler; whether they called it.
    fn decorated(&mut self, handler: &Handler, decorators: &[ExprId], args: &[Value]) -> bool {
        let own = (handler.unit, handler.function);
        let place = Place { unit: handler.unit, function: FunctionId::TOP };
        let mut made = Value::meaning(Meaning::Function(own.0, own.1));
        self.root_steps = 0;
        for &decorator in decorators {
            let known = match &*self.meaning(place, decorator) {
                meaning @ Meaning::Function(..) => vec![meaning.clone()],
                _ => match self.program.unit(place.unit).expr(decorator) {
                    ExprKind::Call { .. } => self.eval(place, decorator).meanings().to_vec(),
                    _ => Vec::new(),
                },
            };
            let Some((unit, function)) = known.iter().find_map(|meaning| match meaning {
                Meaning::Function(unit, function) => Some((*unit, *function)),
                _ => None,
            }) else {
                continue;
            };
            let result = self.call_function(unit, function, vec![made.clone()]);
            // Closures would hold what it was given before as well.
            if let Some(param) = self.program.unit(unit).function(function).params.first() {
                self.env.set((unit, param.var), made.clone());
            }
            made.means = result.means.clone().or(made.means);
        }
        let Some((unit, function)) = made.meanings().iter().find_map(|meaning| match meaning {
            Meaning::Function(unit, function) if (*unit, *function) != own => Some((*unit, *function)),
            _ => None,
        }) else {
            return false;
        };
        let before = self.visited.remove(&own);
        let given = self.handed_to(own, (unit, function), args);
        self.root(unit, function, given);
        let called = self.visited.contains(&own);
        if before {
            self.visited.insert(own);
        }
        called
    }

    /// A handler's arguments as the function around it takes them.
    fn handed_to(
        &self,
        (unit, function): (UnitId, FunctionId),
        outer: (UnitId, FunctionId),
        args: &[Value],
    ) -> Vec<Value> {
        let inner = &self.program.unit(unit).function(function).params;
        let params = &self.program.unit(outer.0).function(outer.1).params;
        let mut left: Vec<Option<(&str, &Value)>> =
            inner.iter().map(|param| param.name.as_str()).zip(args).map(Some).collect();
        let at: HashMap<&str, usize> = inner.iter().zip(0..left.len()).map(|(p, at)| (p.name.as_str(), at)).collect();
        let mut given = Vec::with_capacity(params.len());
        for param in params {
            if param.rest && params.iter().any(|other| other.keywords) {
                given.push(Value::default().with_items(Vec::new()));
            } else if param.rest {
                let rest = left.iter_mut().filter_map(Option::take);
                given.push(Value::default().with_items(rest.map(|(_, value)| value.clone()).collect()));
            } else if param.keywords {
                let rest = left.iter_mut().filter_map(Option::take);
                let fields = rest.map(|(name, value)| (name.to_owned(), value.clone())).collect();
                given.push(Value::default().with_fields(fields));
            } else {
                let same = at.get(param.name.as_str()).and_then(|at| left[*at].take());
                given.push(same.map(|(_, value)| value.clone()).unwrap_or_default());
            }
        }
        given
    }

    /// Forgets what only the last root knew. What outlives it is kept: variables of the file, and of functions
    /// that closures stand in, which other handlers may be.
    pub(super) fn next_root(&mut self, top: &mut env::Layer) {
        let changes = self.env.restart(*top);
        let mut kept = false;
        for ((unit, var), value) in changes.vars() {
            let function = self.program.unit(unit).vars[var.0 as usize].function;
            let closes_over = self.locals[unit.0 as usize][function.0 as usize].is_empty();
            let keeps = |value: &Value| !value.taints.is_empty() || value.fields.is_some() || value.items.is_some();
            if (function == FunctionId::TOP || closes_over)
                && let Some(value) = value.filter(keeps)
            {
                let before = self.env.get((unit, var)).cloned().unwrap_or_default();
                self.env.set((unit, var), before.or(&value));
                kept = true;
            }
        }
        if kept {
            *top = self.env.open();
        }
    }

    /// Runs handlers that were found while code ran.
    pub(super) fn registered_ones(&mut self, top: &mut env::Layer, from: usize) {
        let mut at = from;
        while let Some(handler) = self.registered.get(at).cloned() {
            self.next_root(top);
            self.judged = true;
            self.handler(&handler);
            at += 1;
        }
    }

    pub(super) fn unknown_inputs(&mut self, unit: UnitId, function: FunctionId) -> Vec<Value> {
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
}

/// Decorators of a handler that may put another function around it: those below the one that registers it, innermost
/// first.
fn decorators(unit: &Unit, function: &Function) -> Vec<ExprId> {
    if unit.language != Language::Python {
        return Vec::new();
    }
    let registers = |&decorator: &ExprId| tools::registers(unit, decorator);
    let from = function.decorators.iter().position(registers).map_or(0, |at| at + 1);
    function.decorators[from..].iter().rev().take(DECORATORS_COUNT_MAX).copied().collect()
}
