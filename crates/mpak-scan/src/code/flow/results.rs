//! What calls of functions from outside the bundle give back.

use std::rc::Rc;

use super::super::facts::{ExprId, ExprKind};
use super::sinks::{self, Effect, SinkKind};
use super::value::{Source, Value};
use super::{Engine, Place};

impl Engine<'_> {
    pub(super) fn result(
        &mut self,
        place: Place,
        expr: ExprId,
        path: &str,
        receiver: Option<(Value, String)>,
        values: &[Value],
        handed: Option<Value>,
    ) -> Value {
        let span = self.unit(place).span(expr);
        if is_environment(path) {
            let what = format!("`{path}` is set by whoever starts the server");
            return self.source(Source::Environment, path, place.unit, span, what);
        }
        if sinks::find(self.unit(place).language, path).is_some_and(|sink| sink.kind == SinkKind::Host) {
            let what = format!("`{path}` brings it from the network");
            return self.source(Source::Network, path, place.unit, span, what);
        }
        if matches!(path, "input" | "readline.question" | "prompt") {
            return self.source(Source::Unknown, path, place.unit, span, format!("`{path}` reads it"));
        }
        let name = path.rsplit('.').next().unwrap_or(path);
        // Lists grow in place.
        if let Some((_, method)) = &receiver
            && matches!(method.as_str(), "append" | "push" | "extend" | "insert" | "add" | "unshift" | "update")
        {
            self.grow(place, expr, values, method == "extend" || method == "update");
            return Value::default();
        }
        let mut all = receiver.as_ref().map(|(value, _)| value.clone()).unwrap_or_default();
        let same_text = matches!(
            name,
            "strip"
                | "trim"
                | "lower"
                | "upper"
                | "toLowerCase"
                | "toUpperCase"
                | "toString"
                | "str"
                | "String"
                | "trimEnd"
                | "decode"
                | "encode"
                | "expanduser"
                | "Path"
                | "fspath"
                | "parse"
                | "safeParse"
                | "parseAsync"
                | "model_validate"
                | "cast"
                | "as_posix"
                | "freeze"
                | "loads"
                | "dict"
                | "model_dump"
        );
        if name == "get"
            && receiver.is_some()
            && let Some(text) = values.first().and_then(|value| value.text.clone())
        {
            let part = self.part(&all, Some(&text));
            return values.get(1).map_or(part.clone(), |default| part.or(default));
        }
        if same_text {
            let mut value = match receiver {
                Some((value, _)) if !value.taints.is_empty() || values.is_empty() => value,
                _ => values.first().cloned().unwrap_or_default(),
            };
            if path == "pathlib.Path" && values.len() > 1 {
                values[1..].iter().for_each(|part| value.absorb(&part.derived()));
            }
            Self::step(&mut value, place, span, || format!("passes `{}`", shown(path)));
            return value;
        }
        if name == "join" || name == "/" || path == "urllib.parse.urljoin" || path == "pathlib.Path" {
            // The second part may replace the first where it is absolute, and climbs out of it where it has `..`.
            let text = joined_parts(values);
            all.absorb(&text.derived());
            all.prefix = values.first().and_then(|first| first.prefix.clone());
            if name == "/"
                && let Some(first) = values.first()
            {
                all.taints.iter_mut().for_each(|t| t.starts = first.taints.iter().any(|f| f.origin == t.origin));
            }
            Self::step(&mut all, place, span, || format!("passes `{}`", shown(path)));
            return all;
        }
        for value in values {
            all.absorb(&value.derived());
        }
        let mut all = all.derived();
        if let Some(handed) = handed {
            all = all.or(&handed);
        }
        match sinks::effect(path) {
            Some(Effect::Cleans) => return Value::default(),
            Some(Effect::Makes(safe)) => all = all.each(|taint| taint.safe = taint.safe.and(safe)),
            Some(Effect::Resolves) => all = all.each(|taint| taint.resolved = true),
            None => {}
        }
        if matches!(name, "resolve" | "realpath" | "absolute" | "canonicalize") {
            all = all.each(|taint| taint.resolved = true);
        }
        if matches!(name, "split" | "splitlines" | "keys" | "values" | "items" | "entries") {
            all.items = None;
        }
        if sinks::find(self.unit(place).language, path).is_some_and(|sink| !matches!(sink.kind, SinkKind::Opener)) {
            return Value::default();
        }
        Self::step(&mut all, place, span, || format!("passes `{}`", shown(path)));
        all
    }

    pub(super) fn grow(&mut self, place: Place, expr: ExprId, values: &[Value], flat: bool) {
        let ExprKind::Call { callee, .. } = self.unit(place).expr(expr) else { return };
        let ExprKind::Member { of, .. } = self.unit(place).expr(*callee) else { return };
        let ExprKind::Var(var) = self.unit(place).expr(*of) else { return };
        let var = *var;
        let key = (place.unit, var);
        if self.env.get(key).is_none() {
            self.env.set(key, Value::default());
        }
        let Some(slot) = self.env.get_mut(key) else { return };
        for value in values {
            slot.absorb(&value.derived());
            if let Some(items) = &mut slot.items {
                let items = Rc::make_mut(items);
                match (&value.items, flat) {
                    (Some(more), true) => items.extend(more.iter().cloned()),
                    _ => items.push(value.clone()),
                }
                items.truncate(64);
            }
        }
    }
}

/// Paths or URLs put together: any part may be the begin.
pub(super) fn joined_parts(values: &[Value]) -> Value {
    let mut all = Value::default();
    values.iter().for_each(|value| all.absorb(&value.derived()));
    all
}

pub(super) fn shown(path: &str) -> &str {
    path.strip_prefix("?.").unwrap_or(path)
}

pub(super) fn is_environment(path: &str) -> bool {
    path.starts_with("process.env.")
        || path.starts_with("import.meta.env.")
        || matches!(path, "process.env" | "os.environ" | "os.getenv" | "os.environ.get" | "sys.argv" | "process.argv")
}
