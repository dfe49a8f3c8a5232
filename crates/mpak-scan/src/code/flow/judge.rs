//! How bad it is that a text reaches a call.

use std::rc::Rc;

use super::super::facts::{Arg, ExprId, ExprKind};
use super::sinks::{self, Sink, SinkKind};
use super::value::{Safe, Source, Step, Taint, Value};
use super::{Danger, Engine, Flow, Place};

impl Engine<'_> {
    /// Judges a call by where its text goes.
    pub(super) fn sink(
        &mut self,
        place: Place,
        expr: ExprId,
        path: &str,
        receiver: Option<&(Value, String)>,
        args: &[Arg],
        values: &[Value],
    ) {
        let name = receiver.map_or("", |(_, name)| name.as_str());
        if let Some(sink) = sinks::find(self.unit(place).language, path) {
            self.known(place, expr, path, sink, receiver.map(|(value, _)| value), args, values);
        } else if sinks::is_query(name) {
            let first = values.first().into_iter();
            for value in first.filter(|value| value.prefix.as_deref().is_some_and(sinks::is_statement)) {
                self.texts(place, expr, path, SinkKind::Query, value, false);
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a call is all of these")]
    fn known(
        &mut self,
        place: Place,
        expr: ExprId,
        path: &str,
        sink: Sink,
        receiver: Option<&Value>,
        args: &[Arg],
        values: &[Value],
    ) {
        let mut chosen: Vec<&Value> = Vec::new();
        let mut position = 0;
        for (arg, value) in args.iter().zip(values) {
            match &arg.name {
                Some(name) if sink.keywords.contains(&name.as_str()) => chosen.push(value),
                Some(_) => {}
                None => {
                    if sink.args.contains(&position) {
                        chosen.push(value);
                    }
                    position += 1;
                }
            }
        }
        // Methods of paths act on what they are called on.
        if sink.args.is_empty() {
            chosen.extend(receiver);
        }
        match sink.kind {
            SinkKind::Process if self.through_a_shell(place, args) => {
                for value in chosen {
                    self.texts(place, expr, path, SinkKind::Shell, value, false);
                }
            }
            SinkKind::Process => self.process(place, expr, path, &chosen),
            SinkKind::Deserialise if is_safe_load(self.program.unit(place.unit), path, args) => {}
            SinkKind::Code if self.is_function(place, args) => {}
            SinkKind::Code if matches!(path, "setTimeout" | "setInterval" | "setImmediate") => {
                // Only a text is run; a function is the common case.
                for value in chosen.into_iter().filter(|value| !value.taints.is_empty()) {
                    if value.prefix.is_some() {
                        self.texts(place, expr, path, SinkKind::Code, value, false);
                    }
                }
            }
            kind => {
                for value in chosen {
                    self.texts(place, expr, path, kind, value, false);
                }
            }
        }
    }

    fn is_function(&self, place: Place, args: &[Arg]) -> bool {
        let unit = self.program.unit(place.unit);
        args.first().is_some_and(|arg| matches!(unit.expr(arg.value), ExprKind::Function(_)))
    }

    /// `shell=True`, `{ shell: true }`.
    fn through_a_shell(&self, place: Place, args: &[Arg]) -> bool {
        let unit = self.program.unit(place.unit);
        let says = |id: ExprId| !matches!(unit.expr(id), ExprKind::Bool(false) | ExprKind::Nothing);
        let keyword = args.iter().any(|arg| arg.name.as_deref() == Some("shell") && says(arg.value));
        let option = args.iter().any(|arg| {
            let (unit, value) = self.program.value(place.unit, arg.value);
            let source = self.program.unit(unit);
            let ExprKind::Dict(members) = source.expr(value) else { return false };
            members.iter().any(|(key, value)| {
                let named = key.and_then(|key| source.text(key)) == Some("shell");
                named && !matches!(source.expr(*value), ExprKind::Bool(false) | ExprKind::Nothing)
            })
        });
        keyword || option
    }

    /// A program with arguments.
    fn process(&mut self, place: Place, expr: ExprId, path: &str, chosen: &[&Value]) {
        // 1. All words: the program, then its arguments, lists taken apart.
        let mut words: Vec<Value> = Vec::new();
        for (at, value) in chosen.iter().enumerate() {
            match &value.items {
                Some(items) => words.extend(items.iter().cloned()),
                None if at == 0 || value.text.is_some() || !value.taints.is_empty() => words.push((*value).clone()),
                None => {}
            }
        }
        let Some((program, rest)) = words.split_first() else { return };
        // 2. Who chooses the program runs what they like.
        if program.text.is_none() && program.taints.iter().any(|t| t.starts || program.prefix.is_none()) {
            self.texts(place, expr, path, SinkKind::Process, program, false);
        }
        // 3. Interpreters run what stands behind an option; others may take an argument for an option.
        let called = program.text.clone().unwrap_or_default();
        let mut options_end = false;
        for (at, word) in rest.iter().enumerate() {
            if word.text.as_deref() == Some("--") {
                options_end = true;
            }
            let before = at.checked_sub(1).and_then(|at| rest[at].text.clone());
            if before.is_some_and(|option| sinks::runs_its_argument(&called, &option)) {
                self.texts(place, expr, path, SinkKind::Code, word, false);
            } else if !options_end && word.taints.iter().any(|taint| taint.starts) {
                self.texts(place, expr, path, SinkKind::Process, word, true);
            }
        }
    }

    /// Reports the worst source of a text that reaches a call.
    fn texts(&mut self, place: Place, expr: ExprId, path: &str, kind: SinkKind, value: &Value, is_argument: bool) {
        let mut all = value.clone();
        for item in value.items.iter().flat_map(|items| items.iter()) {
            all.absorb(item);
        }
        let needed = match kind {
            SinkKind::Shell => Safe::SHELL,
            SinkKind::Process if is_argument => Safe::ARGUMENT,
            SinkKind::Process | SinkKind::Code | SinkKind::Deserialise | SinkKind::Template => Safe::CODE,
            SinkKind::Query => Safe::QUERY,
            SinkKind::Path => Safe::PATH,
            SinkKind::Host | SinkKind::Opener => Safe::HOST,
        };
        let unsafe_taints = all.taints.iter().filter(|taint| !self.safe(taint).has(needed));
        let judged = unsafe_taints.map(|taint| (danger(kind, taint, value, is_argument), taint));
        let worst = judged.max_by_key(|(danger, taint)| (*danger, taint.source));
        let (danger, source, steps) = match worst {
            Some((danger, taint)) => (danger, Some(taint.source), way(&taint.path)),
            None if all.taints.is_empty() && matches!(kind, SinkKind::Shell | SinkKind::Code) => {
                (Danger::Constant, None, Vec::new())
            }
            None => return,
        };
        let span = self.program.unit(place.unit).span(expr);
        let call = path.trim_start_matches("?.").to_owned();
        let flow = Flow { kind, danger, source, call, unit: place.unit, span, path: steps, is_argument };
        self.report(place, flow);
    }
}

fn danger(kind: SinkKind, taint: &Taint, value: &Value, is_argument: bool) -> Danger {
    use Danger as D;
    use SinkKind as K;
    match (taint.source, kind) {
        (Source::Tool, K::Process) if is_argument => D::Medium,
        (Source::Tool, K::Shell | K::Code | K::Process | K::Deserialise | K::Template) => D::Critical,
        // A whole statement from the model is what a database tool is for.
        (Source::Tool, K::Query) if taint.direct => D::Medium,
        (Source::Tool, K::Host) => {
            let fixed = !taint.starts && value.prefix.as_deref().is_none_or(sinks::fixes_host);
            if fixed { D::Low } else { D::High }
        }
        (Source::Tool, _) => D::High,
        (Source::Network, K::Shell | K::Code | K::Deserialise | K::Template | K::Opener) => D::High,
        (Source::Network, K::Process) if !is_argument => D::High,
        (Source::Network, _) => D::Low,
        (Source::Unknown, K::Shell | K::Code | K::Deserialise) => D::High,
        (Source::Unknown, K::Query) if !taint.direct => D::High,
        (Source::Unknown, K::Process | K::Template) if !is_argument => D::Medium,
        (Source::Unknown, _) => D::Low,
        (Source::Environment, K::Shell | K::Code) => D::Medium,
        (Source::Environment, _) => D::Low,
    }
}

/// The places on the way, from the source on.
fn way(last: &Rc<Step>) -> Vec<(super::UnitId, super::Span, String)> {
    let mut steps = Vec::new();
    let mut at = Some(last);
    while let Some(step) = at {
        steps.push((step.unit, step.span, step.what.clone()));
        at = step.before.as_ref();
        if steps.len() > 64 {
            break;
        }
    }
    steps.reverse();
    steps
}

/// `yaml.load(text, Loader=yaml.SafeLoader)`.
fn is_safe_load(unit: &super::Unit, path: &str, args: &[Arg]) -> bool {
    if !path.starts_with("yaml.") {
        return path == "torch.load"
            && args.iter().any(|arg| {
                arg.name.as_deref() == Some("weights_only") && matches!(unit.expr(arg.value), ExprKind::Bool(true))
            });
    }
    let positional = args.iter().filter(|arg| arg.name.is_none()).nth(1);
    let loader = args.iter().find(|arg| arg.name.as_deref() == Some("Loader")).or(positional);
    loader.is_some_and(|loader| match unit.expr(loader.value) {
        ExprKind::Member { name, .. } | ExprKind::Free(name) => name.contains("Safe") || name.contains("BaseLoader"),
        ExprKind::Var(var) => unit.vars[var.0 as usize].name.contains("Safe"),
        _ => false,
    })
}
