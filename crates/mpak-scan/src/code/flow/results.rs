//! What calls of functions from outside the bundle give back.

use std::rc::Rc;

use super::super::facts::{Arg, ExprId, ExprKind, Language, Span};
use super::super::program::{Meaning, makes_an_instance};
use super::super::shapes;
use super::input::reads_input;
use super::passing::fills;
use super::sinks::{self, Effect, SinkKind};
use super::tables::{self, of_table};
use super::value::{Resolved, Safe, Source, Taint, Value};
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
        if let Some(started) = self.started_program(place, path, args, values) {
            return started;
        }
        if reads_input(path) {
            return self.read_from_input(place, expr, path);
        }
        if sinks::lists_members(path) {
            let what = format!("`{path}` gives names inside an archive");
            return self.source(Source::Archive, path, place.unit, span, what);
        }
        let name = path.rsplit('.').next().unwrap_or(path);
        if (matches!(name, "parse" | "safeParse" | "parseAsync" | "safeParseAsync") || makes_an_instance(name))
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
        if let ("setattr" | "object.__setattr__", [_, name, value]) = (path, values) {
            let known = name.text.as_deref().filter(|_| name.taints.is_empty());
            let field = known.unwrap_or(tables::ANY).to_owned();
            self.store(place, args[0].value, Some(field), value.clone());
            return Value::default();
        }
        if path.ends_with("cast") && values.len() == 2 && python_cast(path) {
            return values[1].clone();
        }
        if path == "getattr"
            && let [of, name, ..] = values
        {
            return self.attribute(of, name);
        }
        // Lists grow in place.
        if let Some((of, method)) = &receiver
            && (matches!(method.as_str(), "append" | "push" | "extend" | "insert" | "add" | "unshift" | "update")
                || fills(path, method, of))
        {
            self.grow(place, expr, values, method == "extend" || method == "update");
            return Value::default();
        }
        // What a table of text and functions holds, taken out one way or another.
        if let Some(value) = of_table(path, receiver.as_ref(), values) {
            return value;
        }
        if self.put(place, expr, receiver.as_ref(), values) {
            return Value::default();
        }
        // Each element became what a function made of it.
        if path == "Promise"
            && let Some(handed) = handed
        {
            return handed;
        }
        // `command.split(" ")`: words that begin with what is known of the text.
        if matches!(name, "split" | "quote")
            && let Some(words) = words_of(path, receiver.as_ref(), values)
        {
            return words;
        }
        if name == "filter"
            && let Some(handed) = &handed
        {
            return handed.clone();
        }
        // A predicate's answer tells which element it is, or whether there is one: it is no part of what comes out.
        let answered = matches!(name, "find" | "findLast" | "findIndex" | "some" | "every") && handed.is_some();
        if let Some((list, _)) = receiver.as_ref().filter(|_| answered) {
            let list = list.clone();
            let gives_element = name.starts_with("find") && name != "findIndex";
            return if gives_element { self.part(&list, None) } else { Value::default() };
        }
        if matches!(name, "map" | "flatMap" | "then")
            && let Some(handed) = &handed
        {
            let mut value = Value::default();
            value.absorb(&handed.derived());
            if name == "flatMap" && handed.items.is_some() {
                return handed.clone();
            }
            return if name == "then" { handed.clone() } else { value.with_items(vec![handed.clone()]) };
        }
        if decodes(path, values) {
            let text = values.first().cloned().unwrap_or_default();
            return self.decoded(&text, place, span, path);
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
                | "raw"
                | "dedent"
                | "normalize"
                | "trimStart"
                | "lstrip"
                | "rstrip"
        );
        // What a table holds is not what it is asked for.
        let takes = matches!(name, "shift" | "popleft" | "get_nowait" | "receive" | "recv" | "take" | "dequeue")
            && values.is_empty();
        if takes && receiver.is_some() {
            return self.part(&all, None);
        }
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
            if matches!(name, "toString" | "decode" | "str" | "String") {
                value.means = None;
            }
            if matches!(name, "strip" | "lstrip") && !values.is_empty() {
                value = value.each(|taint| taint.edited = true);
            }
            if path == "pathlib.Path" && values.len() > 1 {
                values[1..].iter().for_each(|part| value.absorb(&part.derived()));
            }
            Self::step(&mut value, place, span, || format!("passes `{}`", shown(path)));
            return value;
        }
        let receiver_text = all.prefix.clone();
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
        let template =
            receiver_text.filter(|_| matches!(name, "format" | "format_map" | "substitute" | "safe_substitute"));
        for value in values {
            // A text that is made of a table holds all that the table holds.
            all.absorb(&if template.is_some() || makes_text(name) { value.deep() } else { value.derived() });
        }
        let mut all = all.derived();
        all.prefix = template.map(|text| text.split(['{', '$']).next().unwrap_or_default().into());
        // Without its begin an absolute path is another one, which is below whatever folder it is joined to.
        if name == "removeprefix" {
            all = all.each(|taint| taint.edited = true);
        }
        if let Some(handed) = handed {
            all = all.or(&handed);
        }
        if let Some(effect) = sinks::effect(path) {
            if effect == Effect::Cleans {
                return Value::default();
            }
            all = self.resolved(all, effect);
        }
        let python = self.unit(place).language == Language::Python;
        if matches!(name, "realpath" | "realpathSync" | "canonicalize") || name == "resolve" && python {
            all = self.resolved(all, Effect::Resolves(Resolved::Links));
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

    /// A text that was written in another way before: what was found of that says nothing of what it is now.
    fn decoded(&mut self, text: &Value, place: Place, span: Span, path: &str) -> Value {
        let mut value = text.derived();
        for taint in &mut value.taints {
            taint.origin = self.child(taint.origin, "decoded");
            (taint.safe, taint.direct) = (Safe::default(), true);
        }
        Self::step(&mut value, place, span, || format!("passes `{}`", shown(path)));
        value
    }

    /// What a call makes of a value at this point, where something may be proven of its sources.
    fn resolved(&mut self, value: Value, effect: Effect) -> Value {
        if effect == Effect::Resolves(Resolved::Links) {
            let safe: Vec<Safe> = value.taints.iter().map(|taint| self.safe(taint)).collect();
            let mut value = value;
            for (taint, safe) in value.taints.iter_mut().zip(safe) {
                taint.safe = safe;
            }
            return changed(value, effect);
        }
        changed(value, effect)
    }

    /// What a schema gives back of what it was given.
    fn validated(&mut self, place: Place, expr: ExprId, values: &[Value]) -> Option<Value> {
        let unit = self.program.unit(place.unit);
        let ExprKind::Call { callee, .. } = unit.expr(expr) else { return None };
        let ExprKind::Member { of, .. } = unit.expr(*callee) else { return None };
        let class = match *self.meaning(place, *of) {
            Meaning::Class(unit, class) => Some((unit, class)),
            _ => None,
        };
        let shape = match class {
            Some((unit, class)) => shapes::class(self.program, unit, class),
            None => shapes::of_schema(self.program, place.unit, *of)?,
        };
        let value = values.first()?.clone();
        let value = self.shaped(value, &shape, &format!("checked at {}", unit.span(expr).start));
        Some(match class {
            Some(class) => self.made_of(class, value),
            None => value,
        })
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
        if pattern.as_deref().is_some_and(|pattern| pattern.starts_with('^') && pattern.contains('/')) {
            left = left.each(|taint| taint.edited = true);
        }
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
                if let Some(class) = self.receiver(place, *of) {
                    let (unit, class) = self.program.root_class(class);
                    // Where it is made is not run: a field begins empty.
                    let empty = || Value::default().with_items(Vec::new());
                    grown(self.heap.entry((unit, class, name)).or_insert_with(empty), values, flat);
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
        list.absorb(&value.deep());
        list.may_mean(value.means.as_ref());
        if list.items.is_some() {
            let more: Vec<Value> = match (&value.items, flat) {
                (Some(more), true) => more.iter().take(ITEMS_COUNT_MAX).map(|item| list.part(item.clone())).collect(),
                (None, true) if !value.taints.is_empty() => {
                    vec![Value { several: true, ..value.clone() }]
                }
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

/// The words of a text of which only the begin is constant: those are known, what follows may be any words.
fn words_of(path: &str, receiver: Option<&(Value, String)>, values: &[Value]) -> Option<Value> {
    let text = match path {
        "shlex.split" | "string-argv" => values.first()?,
        _ => {
            let separator = values.first().and_then(|value| value.text.as_deref());
            if !(values.is_empty() || separator == Some(" ")) {
                return None;
            }
            &receiver?.0
        }
    };
    let prefix = text.prefix.as_deref().filter(|_| text.text.is_none() && !text.taints.is_empty())?;
    let (whole, _) = prefix.rsplit_once(' ')?;
    let mut items: Vec<Value> = whole.split(' ').filter(|word| !word.is_empty()).map(Value::text).collect();
    items.push(text.derived().each(|taint| {
        taint.starts = true;
        taint.edited = true;
    }));
    let mut value = text.derived();
    value.taints.iter_mut().for_each(|taint| taint.starts = true);
    Some(value.with_items(items))
}

/// What a call makes of a value.
pub(super) fn changed(value: Value, effect: Effect) -> Value {
    match effect {
        Effect::Cleans => Value::default(),
        Effect::Makes(safe) => value.each(|taint| taint.safe = taint.safe.and(safe)),
        Effect::Resolves(resolved) => value.each(|taint| {
            // Where a link leads was not checked by who checked its name.
            if resolved == Resolved::Links && taint.safe.has(Safe::BELOW) && !taint.safe.has(Safe::PATH) {
                taint.safe = taint.safe.without(Safe::BELOW);
                taint.followed = true;
            }
            taint.resolved = taint.resolved.max(resolved);
        }),
    }
}

/// Calls that turn a text into what it was encoded from.
fn decodes(path: &str, values: &[Value]) -> bool {
    match path {
        "decodeURIComponent"
        | "decodeURI"
        | "unescape"
        | "atob"
        | "querystring.unescape"
        | "he.decode"
        | "html-entities.decode"
        | "urllib.parse.unquote"
        | "urllib.parse.unquote_plus"
        | "html.unescape"
        | "base64.b64decode"
        | "base64.urlsafe_b64decode"
        | "base64.standard_b64decode"
        | "base64.b32decode"
        | "base64.b16decode"
        | "bytes.fromhex"
        | "binascii.unhexlify"
        | "binascii.a2b_base64"
        | "codecs.decode" => true,
        "Buffer.from" => {
            let coded = |coding: &Value| matches!(coding.text.as_deref(), Some("base64" | "hex" | "base64url"));
            values.get(1).is_some_and(coded)
        }
        _ => false,
    }
}

/// Methods that write a table or a list down as text.
fn makes_text(name: &str) -> bool {
    matches!(name, "dumps" | "stringify" | "dump" | "format" | "inspect" | "repr")
}

/// Calls that say of what type a value is, and give it back.
fn python_cast(path: &str) -> bool {
    matches!(path, "typing.cast" | "cast" | "typing_extensions.cast")
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
