//! What is handed from one part of a server to another, and run there: threads, tasks, queues, messages.

use std::collections::BTreeMap;

use super::super::facts::{Arg, ExprId, FunctionId, Unit};
use super::super::program::{Meaning, Program, UnitId};
use super::tables::ANY;
use super::value::Value;
use super::{Engine, Functions, Place};

/// Most functions that take something out of a queue and are run again once all handlers have put theirs in.
const TAKERS_COUNT_MAX: usize = 64;
/// Most classes that a method is looked for in by its name alone.
const NAMESAKES_COUNT_MAX: usize = 3;
/// Most functions that wait for messages.
const LISTENERS_COUNT_MAX: usize = 32;
/// Under which name those are kept that wait for messages without a name.
const MESSAGES: &str = "message";

/// Methods of first-party classes by their names.
pub(super) fn methods(program: &Program, first_party: &dyn Fn(&Unit) -> bool) -> BTreeMap<String, Functions> {
    let mut all: BTreeMap<String, Functions> = BTreeMap::new();
    for (id, unit) in program.units().filter(|(_, unit)| first_party(unit)) {
        for (name, method) in unit.classes.iter().flat_map(|class| &class.methods) {
            if is_own_name(name) {
                let of_name = all.entry(name.clone()).or_default();
                if of_name.len() <= NAMESAKES_COUNT_MAX {
                    of_name.push((id, *method));
                }
            }
        }
    }
    all
}

impl Engine<'_> {
    /// What a call hands to a function that runs elsewhere or later; none where it does no such thing.
    pub(super) fn passed(
        &mut self,
        place: Place,
        path: &str,
        receiver: Option<&(Value, String)>,
        args: &[Arg],
        values: &[Value],
    ) -> Option<Value> {
        let name = path.rsplit('.').next().unwrap_or(path);
        if let Some((of, _)) = receiver {
            self.taken(place, path, name);
            if let Some(value) = self.handed_to_worker(path, name, of, args, values) {
                return Some(value);
            }
        }
        // A queue that is made with the function that works on it.
        if matches!(
            path,
            "fastq" | "fastq.promise" | "async.queue" | "async.cargo" | "async.priorityQueue" | "better-queue"
        ) {
            let function = |value: &&Value| value.meanings().iter().any(|m| matches!(m, Meaning::Function(..)));
            return values.iter().find(function).map(|value| Value { means: value.means.clone(), ..Value::default() });
        }
        self.message(path, name, args, values, place);
        if matches!(path, "setInterval" | "setTimeout" | "setImmediate" | "threading.Timer") {
            for meaning in values.iter().take(2).flat_map(|value| value.meanings().to_vec()) {
                if let Meaning::Function(unit, function) = meaning {
                    self.takes(unit, function);
                }
            }
        }
        self.started(name, args, values)
    }

    /// `Thread(target=f, args=(x,))`, `pool.apply_async(f, (x,))`, `tasks.add_task(f, x)`.
    fn started(&mut self, name: &str, args: &[Arg], values: &[Value]) -> Option<Value> {
        let listed = match name {
            "Thread" | "Process" | "Timer" | "apply_async" | "apply" | "add_job" | "starmap_async" => true,
            "add_task"
            | "enqueue"
            | "map_async"
            | "imap"
            | "imap_unordered"
            | "run_in_threadpool"
            | "spawn"
            | "call_soon_threadsafe"
            | "defer"
            | "run_in_thread"
            | "enqueue_call" => false,
            _ => return None,
        };
        let named = |wanted: &[&str]| {
            let is = |arg: &Arg| arg.name.as_deref().is_some_and(|name| wanted.contains(&name));
            args.iter().zip(values).find(|(arg, _)| is(arg)).map(|(_, value)| value)
        };
        let positional: Vec<&Value> =
            args.iter().zip(values).filter(|(arg, _)| arg.name.is_none()).map(|(_, v)| v).collect();
        let is_function = |value: &Value| value.meanings().iter().any(|m| matches!(m, Meaning::Function(..)));
        let at = positional.iter().position(|value| is_function(value));
        let function = named(&["target", "func", "function", "fn", "f"]).or_else(|| at.map(|at| positional[at]))?;
        let behind = at.map_or(&[][..], |at| &positional[at + 1..]);
        let items = |value: &Value| value.items.as_ref().map_or_else(|| vec![value.clone()], |items| (**items).clone());
        let given = match named(&["args"]).or_else(|| behind.first().copied().filter(|_| listed)) {
            Some(list) => items(list),
            None => behind.iter().map(|value| (*value).clone()).collect(),
        };
        let keywords = named(&["kwargs"]).cloned();
        let mut all: Option<Value> = None;
        for meaning in function.meanings().to_vec() {
            let Meaning::Function(unit, function) = meaning else { continue };
            let mut given = given.clone();
            if let Some(keywords) = &keywords {
                let params = self.program.unit(unit).function(function).params.clone();
                let method = usize::from(self.is_method(unit, function));
                for param in params.iter().skip(method + given.len()) {
                    given.push(self.part(keywords, Some(&param.name)));
                }
            }
            let value = self.call_method(unit, function, given);
            all = Some(all.map_or_else(|| value.clone(), |all| all.or(&value)));
        }
        all.map(|_| Value::default())
    }

    /// `f.delay(x)`, and `queue.push(x)` of a queue that was made with the function that works on it.
    fn handed_to_worker(
        &mut self,
        path: &str,
        name: &str,
        of: &Value,
        args: &[Arg],
        values: &[Value],
    ) -> Option<Value> {
        let of_function =
            matches!(name, "delay" | "send" | "kiq" | "defer" | "schedule" | "remote" | "apply_async" | "submit")
                && !path.starts_with("concurrent.");
        let of_queue = matches!(name, "push" | "unshift" | "pushAsync" | "createJob")
            && ["fastq", "async.queue", "async.cargo", "async.priorityQueue", "better-queue", "queue()"]
                .iter()
                .any(|made| path.starts_with(made));
        if !of_function && !of_queue {
            return None;
        }
        let mut all: Option<Value> = None;
        for meaning in of.meanings().to_vec() {
            let Meaning::Function(unit, function) = meaning else { continue };
            let listed = args.iter().zip(values).find(|(arg, _)| arg.name.as_deref() == Some("args"));
            let given = match (name, listed.map(|(_, list)| list).or(values.first())) {
                ("apply_async", Some(list)) => {
                    list.items.as_ref().map_or_else(|| vec![list.clone()], |items| (**items).clone())
                }
                _ => values.to_vec(),
            };
            let value = self.call_method(unit, function, given);
            all = Some(all.map_or_else(|| value.clone(), |all| all.or(&value)));
        }
        all
    }

    /// Messages between workers, and jobs of queues that live outside the server.
    fn message(&mut self, path: &str, name: &str, args: &[Arg], values: &[Value], place: Place) {
        let waits =
            matches!(path, "bullmq.Worker" | "bull().process" | "bee-queue().process" | "bull.default().process")
                || matches!(name, "subscribe" | "connect" | "register") && args.len() == 1;
        if waits {
            for meaning in values.iter().take(3).flat_map(|value| value.meanings().to_vec()) {
                if let Meaning::Function(unit, function) = meaning {
                    let listeners = self.listeners.entry(listened(path).to_owned()).or_default();
                    if listeners.len() < LISTENERS_COUNT_MAX && !listeners.contains(&(unit, function)) {
                        listeners.push((unit, function));
                    }
                }
            }
            return;
        }
        let event = match (path, name) {
            ("bullmq.Queue().add" | "bull().add" | "bee-queue().createJob", _) => "\0job",
            (_, "postMessage") => MESSAGES,
            (_, "send") if args.first().is_some_and(|arg| self.unit(place).text(arg.value).is_none()) => MESSAGES,
            (_, "next") if args.len() == 1 => "\0next",
            _ => return,
        };
        let Some(listeners) = self.listeners.get(event).cloned() else { return };
        let given: Vec<Value> = if event == "\0job" {
            let data = values.last().cloned().unwrap_or_default();
            vec![Value::default().with_fields(BTreeMap::from([("data".to_owned(), data)]))]
        } else {
            // In a browser's worker the message is a member of the event.
            values.iter().map(enveloped).collect()
        };
        for (unit, function) in listeners {
            self.call_method(unit, function, given.clone());
        }
    }

    /// Remembers who takes something out of a queue.
    fn taken(&mut self, place: Place, path: &str, name: &str) {
        let takes = match name {
            "get" | "get_nowait" | "receive" | "recv" | "take" | "dequeue" | "receive_nowait" | "get_async" => {
                path.contains("ueue") || path.contains("stream") || path.contains("Pipe") || path.starts_with('?')
            }
            "shift" | "popleft" | "pop" => true,
            _ => false,
        };
        if takes {
            self.takes(place.unit, place.function);
        }
    }

    fn takes(&mut self, unit: UnitId, function: FunctionId) {
        if function != FunctionId::TOP && self.takers.len() < TAKERS_COUNT_MAX {
            self.takers.insert((unit, function));
        }
    }

    /// Runs those again that take something out of a queue: by now all handlers have put theirs in.
    pub(super) fn run_takers(&mut self, top: &mut super::env::Layer) {
        let own = |at: &(UnitId, FunctionId)| !self.registered_before.contains(at);
        let takers: Vec<_> = self.takers.iter().copied().filter(own).collect();
        for (unit, function) in takers {
            self.next_root(top);
            self.judged = true;
            self.root(unit, function, Vec::new());
        }
    }

    /// A method that is called on something of which nothing is known: that of the few classes that have one of this
    /// name.
    pub(super) fn by_name(
        &mut self,
        place: Place,
        expr: ExprId,
        path: Option<&str>,
        receiver: Option<&(Value, String)>,
        args: &[Arg],
        values: &[Value],
    ) -> Option<Value> {
        let (of, name) = receiver?;
        let held_by_server = |path: &str| path.contains(".lifespan_context.") || path.contains(".state.");
        if path.is_some_and(|path| !held_by_server(path))
            || of.means.is_some() && path.is_none()
            || of.text.is_some()
            || of.items.is_some()
            || of.taints.iter().any(|taint| taint.direct)
            || values.iter().all(|value| value.taints.is_empty() && value.fields.is_none() && value.items.is_none())
        {
            return None;
        }
        let found = self.methods.get(name).filter(|found| found.len() <= NAMESAKES_COUNT_MAX)?.clone();
        let language = self.unit(place).language;
        let mut all: Option<Value> = None;
        for (unit, function) in found {
            let source = self.program.unit(unit);
            let method = usize::from(self.is_method(unit, function));
            let params = &source.function(function).params;
            let many = params.iter().any(|param| param.rest || param.keywords);
            if (source.language == super::Language::Python) != (language == super::Language::Python)
                || !many && args.len() + method > params.len()
            {
                continue;
            }
            let value = self.inside(place, expr, &Meaning::Function(unit, function), args, values)?;
            all = Some(all.map_or_else(|| value.clone(), |all| all.or(&value)));
        }
        all
    }
}

/// Whether a call puts something into a queue.
pub(super) fn fills(path: &str, name: &str, receiver: &Value) -> bool {
    let is_queue = |path: &str| path.contains("ueue") || path.contains("stream") || path.contains("Pipe");
    let held = |meaning: &Meaning| matches!(meaning, Meaning::Outside(path) if is_queue(path));
    matches!(name, "put" | "put_nowait" | "enqueue" | "send" | "send_nowait" | "appendleft" | "offer")
        && (name == "appendleft" || is_queue(path) || receiver.meanings().iter().any(held))
}

/// Under which name those are kept that wait.
fn listened(path: &str) -> &'static str {
    if path.contains("Worker") || path.contains("process") { "\0job" } else { "\0next" }
}

/// A message by itself, and as a member of its event.
fn enveloped(value: &Value) -> Value {
    let mut event = value.clone();
    let own = event.part(value.clone());
    super::tables::keep(&mut event, "data".to_owned(), &own);
    if value.fields.is_none() {
        super::tables::keep(&mut event, ANY.to_owned(), &own);
    }
    event
}

/// Whether a method's name is one that its author chose, and not one that lists, texts and promises have as well.
fn is_own_name(name: &str) -> bool {
    !name.starts_with("__")
        && name.len() > 2
        && !matches!(
            name,
            "get"
                | "set"
                | "has"
                | "add"
                | "delete"
                | "clear"
                | "keys"
                | "values"
                | "items"
                | "entries"
                | "map"
                | "filter"
                | "forEach"
                | "find"
                | "push"
                | "pop"
                | "join"
                | "split"
                | "replace"
                | "slice"
                | "trim"
                | "strip"
                | "lower"
                | "upper"
                | "toString"
                | "toJSON"
                | "then"
                | "catch"
                | "finally"
                | "once"
                | "emit"
                | "write"
                | "end"
                | "read"
                | "close"
                | "format"
                | "append"
                | "extend"
                | "insert"
                | "update"
                | "copy"
                | "count"
                | "index"
                | "encode"
                | "decode"
                | "parse"
                | "stringify"
                | "call"
                | "apply"
                | "bind"
                | "test"
                | "match"
                | "connect"
                | "disconnect"
                | "listen"
                | "next"
                | "json"
                | "text"
                | "start"
                | "stop"
                | "info"
                | "debug"
                | "warn"
                | "warning"
                | "error"
                | "log"
        )
}
