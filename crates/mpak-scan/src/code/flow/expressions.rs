//! Computes expressions: what is known of each value.

use std::collections::BTreeMap;

use super::super::facts::{ExprId, ExprKind, VarId};
use super::super::program::Meaning;
use super::super::shapes::Shape;
use super::env::Changes;
use super::judge::Argument;
use super::names::is_known;
use super::results::is_environment;
use super::sinks::{self, SinkKind};
use super::value::{Safe, Source, Taint, Value};
use super::{Engine, Place};

/// Most expressions that are computed inside each other, through calls and tests: the stack ends somewhere.
const EVAL_DEPTH_MAX: u32 = 1_500;

impl Engine<'_> {
    pub(super) fn eval_all(&mut self, place: Place, parts: &[ExprId]) -> Vec<Value> {
        parts.iter().map(|&part| self.eval(place, part)).collect()
    }

    pub(super) fn eval(&mut self, place: Place, expr: ExprId) -> Value {
        self.steps += 1;
        self.root_steps += 1;
        if !self.may_go_on() {
            return Value::default();
        }
        if self.depth >= EVAL_DEPTH_MAX {
            self.cut = true;
            return Value::default();
        }
        self.depth += 1;
        let value = self.computed(place, expr);
        self.depth -= 1;
        value
    }

    fn computed(&mut self, place: Place, expr: ExprId) -> Value {
        let unit = self.program.unit(place.unit);
        match unit.expr(expr) {
            ExprKind::Text(text) => Value::text(text),
            ExprKind::Number(_)
            | ExprKind::Bool(_)
            | ExprKind::Nothing
            | ExprKind::Bytes(_)
            | ExprKind::Pattern(_)
            | ExprKind::Class(_) => Value::default(),
            ExprKind::Function(function) => Value { function: Some((place.unit, *function)), ..Value::default() },
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
                let (_, first, second) = self.branch(
                    |engine| {
                        engine.prove(place, *test, true);
                        (false, engine.eval(place, *then))
                    },
                    |engine| {
                        engine.prove(place, *test, false);
                        (false, engine.eval(place, *otherwise))
                    },
                );
                first.or(&second)
            }
            ExprKind::List(parts) => {
                let items = self.eval_all(place, parts);
                let mut value = Value::default();
                items.iter().for_each(|item| value.absorb(&item.derived()));
                value.with_items(items)
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
    pub(super) fn logical(&mut self, place: Place, parts: &[ExprId], holds: bool) -> Value {
        let layer = self.env.open();
        let mut value: Option<Value> = None;
        for &part in parts {
            let this = self.eval(place, part);
            self.prove(place, part, holds);
            value = Some(match value {
                Some(value) => value.or(&this),
                None => this,
            });
        }
        let changes = self.env.restart(layer);
        self.charge(changes.count());
        let after = self.env.either(changes, Changes::default());
        self.env.close(layer, after);
        value.unwrap_or_default()
    }

    pub(super) fn dict(&mut self, place: Place, members: &[(Option<ExprId>, ExprId)]) -> Value {
        let (mut value, mut fields) = (Value::default(), BTreeMap::new());
        for (key, source) in members {
            let member = self.eval(place, *source);
            match key {
                Some(key) => match self.unit(place).text(*key).map(str::to_owned) {
                    Some(name) => {
                        // Databases of documents run the text of these.
                        if matches!(name.as_str(), "$where" | "$function" | "$accumulator") {
                            self.texts(place, *source, &name, SinkKind::Code, &member, Argument::No);
                        }
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
        value.with_fields(fields)
    }

    pub(super) fn variable(&mut self, place: Place, var: VarId, expr: ExprId) -> Value {
        if let Some(value) = self.env.get((place.unit, var)) {
            return value.clone();
        }
        if let Some(import) = self.program.import(place.unit, var)
            && let (unit, value) = self.program.value(place.unit, expr)
            && (unit, value) != (place.unit, expr)
            && import.member.is_some()
            && let ExprKind::Var(var) = self.program.unit(unit).expr(value)
        {
            return self.env.get((unit, *var)).cloned().unwrap_or_default();
        }
        Value::default()
    }

    pub(super) fn free(&mut self, place: Place, name: &str, expr: ExprId) -> Value {
        let unit = self.unit(place);
        if is_known(unit.language, name) {
            return Value::default();
        }
        let (span, what) = (unit.span(expr), format!("`{name}` comes from outside the bundle"));
        self.source(Source::Unknown, name, place.unit, span, what)
    }

    pub(super) fn member(&mut self, place: Place, expr: ExprId, of: ExprId, name: &str) -> Value {
        if let Some((unit, class)) = self.receiver(place, of) {
            return self.heap.get(&(unit, class, name.to_owned())).cloned().unwrap_or_default();
        }
        let span = self.unit(place).span(expr);
        if let Meaning::Outside(path) = &*self.meaning(place, expr) {
            match path.as_str() {
                "sys.executable" => return Value::text("python"),
                "process.execPath" | "process.argv0" => return Value::text("node"),
                // The last component of a path.
                path if is_last_component(path) => {
                    return self.eval(place, of).derived().each(|taint| taint.safe = taint.safe.and(Safe::PATH));
                }
                path if is_environment(path) => {
                    let what = format!("`{path}` is set by whoever starts the server");
                    return self.source(Source::Environment, path, place.unit, span, what);
                }
                _ => {}
            }
        }
        if self.unit(place).imports.iter().any(|import| sinks::names_a_member(&import.module, name)) {
            let what = format!("`{name}` is a name inside an archive");
            return self.source(Source::Archive, name, place.unit, span, what);
        }
        let value = self.eval(place, of);
        self.part(&value, Some(name))
    }

    pub(super) fn index(&mut self, place: Place, of: ExprId, key: Option<ExprId>) -> Value {
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

    /// A source's own part, where the value is the source itself; none where it holds no text.
    fn taint_of_part(&mut self, taint: &Taint, name: Option<&str>) -> Option<Taint> {
        let mut taint = taint.clone();
        if !taint.direct {
            return Some(taint);
        }
        let shape = self.shapes.get(&taint.origin).cloned();
        let inner = match (&shape, name) {
            (Some(Shape::Elements(element)), _) => Some((**element).clone()),
            (Some(shape), Some(name)) => {
                let envelope = matches!(
                    name,
                    "params" | "arguments" | "args" | "input" | "body" | "query" | "data" | "value" | "output"
                );
                shape.member(name).cloned().or_else(|| envelope.then(|| shape.clone()))
            }
            _ => None,
        };
        if inner.as_ref() == Some(&Shape::HARMLESS) {
            return None;
        }
        taint.safe = self.safe(&taint).and(inner.as_ref().map(Shape::safe).unwrap_or_default());
        if let Some(key) = name.or(inner.is_some().then_some("")) {
            taint.origin = self.child(taint.origin, key);
            if let Some(inner) = inner {
                self.shapes.insert(taint.origin, inner);
            }
        }
        Some(taint)
    }

    /// A member of a value.
    pub(super) fn part(&mut self, value: &Value, name: Option<&str>) -> Value {
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
            part.taints.extend(self.taint_of_part(taint, name));
        }
        if name.is_none() || value.items.is_some() {
            for item in value.items.iter().flat_map(|items| items.iter()) {
                part = part.or(item);
            }
        }
        part
    }
}

/// `path.parse(x).base`, `Path(x).name`.
fn is_last_component(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(before, name)| match before {
        "path.parse()" | "path.posix.parse()" | "path.win32.parse()" => matches!(name, "base" | "name" | "ext"),
        "pathlib.Path()" | "pathlib.PurePath()" | "pathlib.PurePosixPath()" => {
            matches!(name, "name" | "stem" | "suffix")
        }
        _ => false,
    })
}

/// Texts put together. What is quoted for a shell is safe where no other quotes stand around it.
pub(super) fn joined(values: &[Value]) -> Value {
    let mut all = Value::default();
    let mut quotes = None;
    for (at, value) in values.iter().enumerate() {
        let behind = at > 0;
        let quoted = match quotes {
            None => Safe::QUOTED,
            Some('\'') => Safe::BETWEEN_QUOTES,
            Some(_) => Safe::SHELL,
        };
        let part = value.derived().each(|taint| {
            taint.starts &= !behind;
            if taint.safe.has(quoted) {
                taint.safe = taint.safe.and(Safe::SHELL);
            }
        });
        all.absorb(&part);
        if let Some(text) = &value.text {
            quotes = text.chars().fold(quotes, |open, c| match (open, c) {
                (None, '"' | '\'') => Some(c),
                (Some(open), c) if open == c => None,
                (open, _) => open,
            });
        }
    }
    all.prefix = values.first().and_then(|first| first.prefix.clone());
    all
}
