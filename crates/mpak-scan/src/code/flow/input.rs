//! What comes in by hand-written protocols, and handlers that are registered by code that runs.

use std::collections::BTreeMap;

use super::super::facts::{Arg, ExprId, ExprKind, Language};
use super::super::program::Meaning;
use super::super::tools::{self, Handler, Schema};
use super::value::{Source, Value};
use super::{Engine, Place};

/// Most handlers that are found while code runs.
const REGISTERED_COUNT_MAX: usize = 256;
/// Most functions that wait for one event.
const LISTENERS_COUNT_MAX: usize = 32;

impl Engine<'_> {
    /// What is read from the standard input: what the model sends, in a server that speaks the protocol itself.
    pub(super) fn read_from_input(&mut self, place: Place, expr: ExprId, path: &str) -> Value {
        let span = self.unit(place).span(expr);
        let (source, what) = if self.speaks {
            (Source::Tool, "the client sends it, and the model chooses the arguments in it".to_owned())
        } else {
            (Source::Unknown, format!("`{path}` reads it"))
        };
        self.source(source, "message", place.unit, span, what)
    }

    /// What a callback is given by a stream of input: `process.stdin.on("data", …)`, `rl.on("line", …)`.
    pub(super) fn input_given(
        &mut self,
        place: Place,
        expr: ExprId,
        path: &str,
        at: usize,
        args: &[Arg],
    ) -> Option<Value> {
        let (stream, name) = path.rsplit_once('.')?;
        // Whoever reaches a port of the server chooses what is asked.
        if serves_requests(stream, name) {
            let what = format!("whoever reaches `{path}` sends it");
            let span = self.unit(place).span(expr);
            return Some(self.source(Source::Network, "request", place.unit, span, what));
        }
        if at == 0 || !listens(name) || !is_input(stream) {
            return None;
        }
        let event = self.unit(place).text(args.first()?.value)?;
        matches!(event, "line" | "data" | "message").then(|| self.read_from_input(place, expr, stream))
    }

    /// `bus.on("job", run)` and `bus.emit("job", what)`: what is told reaches who listens.
    pub(super) fn emitted(&mut self, path: &str, args: &[Arg], values: &[Value], place: Place) {
        let Some((_, name)) = path.rsplit_once('.') else { return };
        let Some(event) = args.first().and_then(|arg| self.unit(place).text(arg.value)).map(str::to_owned) else {
            return;
        };
        if listens(name) {
            for meaning in values.get(1).map_or(&[][..], Value::meanings) {
                if let Meaning::Function(unit, function) = *meaning {
                    let listeners = self.listeners.entry(event.clone()).or_default();
                    if listeners.len() < LISTENERS_COUNT_MAX && !listeners.contains(&(unit, function)) {
                        listeners.push((unit, function));
                    }
                }
            }
        } else if matches!(name, "emit" | "publish" | "dispatch" | "send" | "trigger" | "fire" | "send_signal") {
            for (unit, function) in self.listeners.get(&event).cloned().unwrap_or_default() {
                let method = usize::from(self.is_method(unit, function));
                let given = values.get(1..).unwrap_or_default().iter().cloned();
                self.call_function(
                    unit,
                    function,
                    std::iter::repeat_n(Value::default(), method).chain(given).collect(),
                );
            }
        }
    }

    /// Remembers functions that a call registers as handlers, where the code alone did not tell which they are.
    pub(super) fn registration(&mut self, place: Place, path: &str, args: &[Arg], values: &[Value]) {
        let name = path.rsplit('.').next().unwrap_or(path);
        if !path.contains('.') || self.registered.len() >= REGISTERED_COUNT_MAX {
            return;
        }
        let kind = match name {
            "setRequestHandler" => {
                args.first().and_then(|arg| tools::request_kind(self.program, place.unit, arg.value))
            }
            name => tools::kind(name).filter(|_| name != "call_tool"),
        };
        let Some(kind) = kind else { return };
        let mut functions = Vec::new();
        let mut gather = |value: &Value| {
            for meaning in value.meanings() {
                if let Meaning::Function(unit, function) = *meaning {
                    functions.push((unit, function));
                }
            }
        };
        if let Some(last) = values.last() {
            gather(last);
        }
        for value in values {
            for name in tools::RUNS {
                if let Some(field) = value.fields.as_ref().and_then(|fields| fields.get(*name)) {
                    gather(field);
                }
            }
        }
        let span = args.first().map(|arg| self.unit(place).span(arg.value)).unwrap_or_default();
        for (unit, function) in functions {
            if !self.registered_before.insert((unit, function)) || self.registered.len() >= REGISTERED_COUNT_MAX {
                continue;
            }
            let source = self.program.unit(unit);
            let found = source.function(function);
            let method = usize::from(self.is_method(unit, function));
            let count = found.params.len();
            let context = |at: &usize| !found.params[*at].annotation.as_deref().unwrap_or_default().contains("Context");
            let inputs = match source.language {
                Language::Python => (method..count).filter(context).collect(),
                _ if kind == tools::Kind::Resource => Vec::new(),
                _ => (0..count.min(1)).collect(),
            };
            let name = args.first().and_then(|arg| self.unit(place).text(arg.value)).map(str::to_owned);
            self.registered.push(Handler {
                unit,
                function,
                kind,
                name: name.or_else(|| found.name.clone()),
                description: None,
                inputs,
                shapes: BTreeMap::new(),
                schema: Schema::None,
                registered_in: place.unit,
                span,
                by_hand: false,
            });
        }
    }

    /// An element of a stream of input: `for line in sys.stdin`, `for await (const line of rl)`.
    pub(super) fn input_element(&mut self, place: Place, of: ExprId) -> Option<Value> {
        if !matches!(self.unit(place).expr(of), ExprKind::Var(_) | ExprKind::Member { .. } | ExprKind::Call { .. }) {
            return None;
        }
        let meaning = self.meaning(place, of);
        let Meaning::Outside(path) = &*meaning else { return None };
        is_input(path).then(|| self.read_from_input(place, of, path))
    }
}

/// Methods that wait for an event.
fn listens(name: &str) -> bool {
    matches!(name, "on" | "once" | "addListener" | "addEventListener" | "subscribe" | "prependListener")
}

/// Calls that are given a function for requests that reach a port.
fn serves_requests(made_by: &str, name: &str) -> bool {
    match name {
        "createServer" => matches!(made_by, "http" | "https" | "http2" | "net" | "tls"),
        "get" | "post" | "put" | "patch" | "delete" | "all" | "use" | "route" => matches!(
            made_by,
            "express()"
                | "express.Router()"
                | "fastify()"
                | "fastify.fastify()"
                | "hono.Hono()"
                | "koa-router()"
                | "polka()"
        ),
        "on" => matches!(made_by, "ws.WebSocketServer()" | "ws.Server()" | "ws.WebSocket.Server()"),
        _ => false,
    }
}

/// Streams of what the client sends.
fn is_input(path: &str) -> bool {
    let path = path.strip_suffix(".setEncoding()").unwrap_or(path);
    matches!(
        path,
        "process.stdin"
            | "sys.stdin"
            | "sys.stdin.buffer"
            | "fileinput.input()"
            | "readline.createInterface()"
            | "readline.promises.createInterface()"
            | "readline.Interface()"
            | "split2()"
            | "process.stdin.pipe()"
            | "byline()"
            | "anyio.wrap_file()"
            | "asyncio.StreamReader()"
    )
}

/// Calls that read what the client sends.
pub(super) fn reads_input(path: &str) -> bool {
    match path.rsplit_once('.') {
        Some((stream, "readline" | "readlines" | "read" | "readuntil" | "readexactly" | "read1" | "question")) => {
            is_input(stream)
        }
        Some(_) => false,
        None => matches!(path, "input" | "prompt"),
    }
}
