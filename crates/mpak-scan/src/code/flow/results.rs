//! What calls of functions from outside the bundle give back.

use std::rc::Rc;

use super::super::facts::{Arg, ExprId, ExprKind, Language};
use super::super::program::Meaning;
use super::super::shapes;
use super::sinks::{self, Effect, SinkKind};
use super::value::{Safe, Source, Taint, Value};
use super::{Engine, Place};

impl Engine<'_> {
    #[expect(clippy::too_many_arguments, reason = "a call is all of these")]
    pub(super) fn result(
        &mut self,
        place: Place,
        expr: ExprId,
        path: &str,
        receiver: Option<(Value, String)>,
        args: &[Arg],
        values: &[Value],
        handed: Option<Value>,
    ) -> Value {
        let span = self.unit(place).span(expr);
        if is_environment(path) {
            let what = format!("`{path}` is set by whoever starts the server");
            return self.source(Source::Environment, path, place.unit, span, what);
        }
        if sinks::find(self.unit(place).language, path).is_some_and(|sink| sink.kind == SinkKind::Host)
            && !makes_a_client(path)
        {
            let what = format!("`{path}` brings it from the network");
            return self.source(Source::Network, path, place.unit, span, what);
        }
        if matches!(path, "input" | "readline.question" | "prompt") {
            return self.source(Source::Unknown, path, place.unit, span, format!("`{path}` reads it"));
        }
        if sinks::lists_members(path) {
            let what = format!("`{path}` gives names inside an archive");
            return self.source(Source::Archive, path, place.unit, span, what);
        }
        let name = path.rsplit('.').next().unwrap_or(path);
        if matches!(name, "parse" | "safeParse" | "parseAsync" | "safeParseAsync" | "model_validate")
            && let Some(value) = self.validated(place, expr, values)
        {
            return value;
        }
        // Hexadecimal digits are all that is left.
        let hexadecimal = |value: &Value| matches!(value.text.as_deref(), Some("hex" | "base64url"));
        if matches!(name, "toString" | "digest") && values.first().is_some_and(hexadecimal)
            || matches!(name, "hex" | "hexdigest") && receiver.is_some()
        {
            return Value::default();
        }
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
                | "model_dump"
                | "text"
                | "SQL"
                | "dedent"
                | "normalize"
                | "trimStart"
                | "lstrip"
                | "rstrip"
        );
        // What a table holds is not what it is asked for.
        if matches!(name, "get" | "pop" | "setdefault" | "at") && receiver.is_some() {
            let text = values.first().and_then(|value| value.text.clone());
            let part = self.part(&all, text.as_deref());
            return values.get(1).map_or(part.clone(), |default| part.or(default));
        }
        if matches!(name, "replace" | "replaceAll" | "sub")
            && let Some(value) = self.replaced(place, expr, path, receiver.as_ref(), args, values)
        {
            return value;
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
        let receiver_prefix = all.items.as_ref().and_then(|items| items.first()).and_then(|item| item.prefix.clone());
        if name == "join" && sinks::effect(path).is_none()
            || name == "/"
            || path == "urllib.parse.urljoin"
            || path == "pathlib.Path"
        {
            // The second part may replace the first where it is absolute, and climbs out of it where it has `..`.
            let text = joined_parts(values);
            all.absorb(&text.derived());
            all.prefix = values.first().and_then(|first| first.prefix.clone());
            if name == "join" && values.len() <= 1 && !path.contains("path") {
                // Words of a list with a text between them.
                let quoted = |taint: &Taint| taint.safe.has(Safe::QUOTED);
                all.taints.iter_mut().filter(|t| quoted(t)).for_each(|t| t.safe = t.safe.and(Safe::SHELL));
                all.prefix = receiver_prefix;
            }
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
        if let Some(effect) = sinks::effect(path) {
            if effect == Effect::Cleans {
                return Value::default();
            }
            all = changed(all, effect);
        }
        if matches!(name, "resolve" | "realpath" | "realpathSync" | "absolute" | "canonicalize") {
            all = all.each(|taint| taint.resolved = true);
        }
        if matches!(name, "split" | "splitlines" | "keys" | "values" | "items" | "entries") {
            all.items = None;
        }
        if sinks::find(self.unit(place).language, path).is_some_and(|sink| !matches!(sink.kind, SinkKind::Opener))
            && !opens_an_archive(path)
        {
            return Value::default();
        }
        Self::step(&mut all, place, span, || format!("passes `{}`", shown(path)));
        all
    }

    /// What a schema gives back of what it was given.
    fn validated(&mut self, place: Place, expr: ExprId, values: &[Value]) -> Option<Value> {
        let unit = self.program.unit(place.unit);
        let ExprKind::Call { callee, .. } = unit.expr(expr) else { return None };
        let ExprKind::Member { of, .. } = unit.expr(*callee) else { return None };
        let shape = match *self.meaning(place, *of) {
            Meaning::Class(unit, class) => shapes::class(self.program, unit, class),
            _ => shapes::of_schema(self.program, place.unit, *of)?,
        };
        let value = values.first()?.clone();
        Some(self.shaped(value, &shape, &format!("checked at {}", unit.span(expr).start)))
    }

    /// `text.replace(…)`, `re.sub(…)`: safe where only harmless characters are left.
    fn replaced(
        &mut self,
        place: Place,
        expr: ExprId,
        path: &str,
        receiver: Option<&(Value, String)>,
        args: &[Arg],
        values: &[Value],
    ) -> Option<Value> {
        let unit = self.program.unit(place.unit);
        let ExprKind::Call { callee, .. } = unit.expr(expr) else { return None };
        let of = match unit.expr(*callee) {
            ExprKind::Member { of, .. } => Some(*of),
            _ => None,
        };
        // 1. Which text, what is looked for, by what it is replaced.
        let arg = |at: usize| args.get(at).map(|arg| arg.value);
        let (text, wanted, by) = match path {
            "re.sub" => (values.get(2)?, arg(0)?, arg(1)?),
            _ if path.rsplit('.').next() == Some("sub") => (values.get(1)?, of?, arg(0)?),
            _ => (&receiver?.0, arg(0)?, arg(1)?),
        };
        let by = unit.text(by)?;
        let mut left = text.derived();
        // 2. Everything but harmless characters.
        let (pattern_unit, pattern) = self.program.value(place.unit, wanted);
        let spelled = self.program.unit(pattern_unit);
        let all = unit.language == Language::Python || path.ends_with("replaceAll") || {
            spelled.pattern_flags(pattern).contains('g')
        };
        let pattern = match spelled.expr(pattern) {
            ExprKind::Pattern(pattern) => Some(pattern.clone()),
            _ if path == "re.sub" => unit.text(wanted).map(str::to_owned),
            _ => self.pattern(place, wanted),
        };
        let plain = by.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
        if let Some(class) = pattern.as_deref().and_then(|pattern| pattern.strip_prefix("[^"))
            && let Some(class) = class.trim_end_matches('+').strip_suffix(']')
            && all
            && plain
        {
            let safe = shapes::matched(&format!("^[{class}]*$"));
            left = left.each(|taint| taint.safe = taint.safe.and(safe));
        }
        // 3. Single quotes, which are closed, written and opened again.
        let quote = unit.text(wanted) == Some("'") || pattern.as_deref() == Some("'");
        if quote && all && matches!(by, "'\\''" | "'\"'\"'" | "") {
            left = left.each(|taint| taint.safe = taint.safe.and(Safe::BETWEEN_QUOTES));
        }
        let span = unit.span(expr);
        Self::step(&mut left, place, span, || format!("passes `{}`", shown(path)));
        Some(left)
    }

    /// A list that gets more elements.
    fn grow(&mut self, place: Place, expr: ExprId, values: &[Value], flat: bool) {
        let ExprKind::Call { callee, .. } = self.unit(place).expr(expr) else { return };
        let ExprKind::Member { of, .. } = self.unit(place).expr(*callee) else { return };
        match self.unit(place).expr(*of) {
            ExprKind::Var(var) => {
                let key = (place.unit, *var);
                if self.env.get(key).is_none() {
                    self.env.set(key, Value::default());
                }
                let held = self.env.get(key).and_then(|value| value.items.as_ref()).map_or(0, |items| items.len());
                self.charge(held);
                if let Some(slot) = self.env.get_mut(key) {
                    grown(slot, values, flat);
                }
            }
            // `self.parts.append(…)`
            ExprKind::Member { of, name } => {
                let name = name.clone();
                if let Some((unit, class)) = self.receiver(place, *of) {
                    grown(self.heap.entry((unit, class, name)).or_default(), values, flat);
                }
            }
            _ => {}
        }
    }
}

/// Most elements of a growing list that are known one by one.
const ITEMS_COUNT_MAX: usize = 64;

/// Adds elements to a list.
fn grown(list: &mut Value, values: &[Value], flat: bool) {
    for value in values {
        list.absorb(&value.derived());
        if list.items.is_some() {
            let more: Vec<Value> = match (&value.items, flat) {
                (Some(more), true) => more.iter().take(ITEMS_COUNT_MAX).map(|item| list.part(item.clone())).collect(),
                _ => vec![list.part(value.clone())],
            };
            if let Some(items) = &mut list.items {
                let items = Rc::make_mut(items);
                items.extend(more);
                items.truncate(ITEMS_COUNT_MAX);
            }
        }
    }
}

/// What a call makes of a value.
pub(super) fn changed(value: Value, effect: Effect) -> Value {
    match effect {
        Effect::Cleans => Value::default(),
        Effect::Makes(safe) => value.each(|taint| taint.safe = taint.safe.and(safe)),
        Effect::Resolves => value.each(|taint| taint.resolved = true),
    }
}

/// Calls that make a client for a host.
fn makes_a_client(path: &str) -> bool {
    matches!(
        path,
        "httpx.Client"
            | "httpx.AsyncClient"
            | "aiohttp.ClientSession"
            | "axios.create"
            | "http.client.HTTPConnection"
            | "http.client.HTTPSConnection"
    )
}

/// Calls that name a file and give its archive.
fn opens_an_archive(path: &str) -> bool {
    matches!(path, "tarfile.open" | "tarfile.TarFile" | "tarfile.TarFile.open" | "zipfile.ZipFile")
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
