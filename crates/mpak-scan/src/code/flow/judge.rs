//! How bad it is that a text reaches a call.

use std::rc::Rc;

use super::super::facts::{Arg, ExprId, ExprKind, Span};
use super::super::program::{Meaning, UnitId};
use super::sinks::{self, Sink, SinkKind};
use super::value::{Safe, Source, Step, Taint, Value};
use super::{Danger, Engine, Flow, Place};

/// Whether a text is an argument of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Argument {
    /// It is something else.
    No,
    /// It is.
    Yes,
    /// It is, and the program's options start programs or write files.
    OfDangerous,
    /// Any number of arguments, which whoever chooses them chooses freely.
    Any,
}

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
        self.fed(place, expr, path, receiver, args, values);
        self.document(place, expr, path, args, values);
        if path.starts_with("git.Repo().git.") {
            return self.words_of_git(place, expr, path, args, values);
        }
        if self.command_line(place, expr, path, args, values) {
            return;
        }
        if let Some(sink) = sinks::find(self.unit(place).language, path) {
            self.known(place, expr, path, sink, receiver.map(|(value, _)| value), args, values);
        } else if sinks::is_fragment(path, name) {
            if let Some(value) =
                values.first().filter(|value| !value.prefix.as_deref().is_some_and(sinks::is_statement))
            {
                self.texts(place, expr, path, SinkKind::Query, value, Argument::No);
            }
        } else if let Some(value) = values.first().filter(|value| sinks::is_condition(name, value.prefix.as_deref()))
            && value.text.is_none()
        {
            self.texts(place, expr, path, SinkKind::Query, value, Argument::No);
        } else if sinks::is_filter_search(name) {
            let given: Vec<Value> = values.iter().chain(values.iter().filter_map(of_filter)).cloned().collect();
            for value in given {
                if value.prefix.as_deref().is_some_and(sinks::is_filter) {
                    self.texts(place, expr, path, SinkKind::Query, &value, Argument::No);
                }
            }
        } else if sinks::is_query(name) || path == "duckdb.sql" || path == "duckdb.query" {
            let statement = |value: &&Value| value.prefix.as_deref().is_some_and(sinks::is_statement);
            // `pool.query({ text, values })`, `execute(connection, sql)`, `read_sql(sql=…)`
            let told = values.iter().take(2).filter_map(|value| value.fields.as_deref());
            let told = told.flat_map(|fields| sinks::STATEMENTS.iter().filter_map(|name| fields.get(*name)));
            let named = args
                .iter()
                .zip(values)
                .filter(|(arg, _)| arg.name.as_deref().is_some_and(|name| sinks::STATEMENTS.contains(&name)));
            let later = values.iter().skip(1).take(1).chain(named.map(|(_, value)| value)).chain(told);
            let all: Vec<Value> = values.first().into_iter().chain(later.filter(statement)).cloned().collect();
            for value in &all {
                let begins = value.prefix.as_deref().is_some_and(sinks::is_statement);
                let whole = sinks::runs_whole_queries(name) && self.is_whole_query(value);
                if begins || whole {
                    self.texts(place, expr, path, SinkKind::Query, value, Argument::No);
                }
            }
        }
    }

    /// `repo.git.diff(target)`: a method for each command, its arguments are the command's.
    fn words_of_git(&mut self, place: Place, expr: ExprId, path: &str, args: &[Arg], values: &[Value]) {
        let mut words: Vec<Value> = Vec::new();
        for (arg, value) in args.iter().zip(values) {
            match (&arg.name, &value.items) {
                (Some(_), _) => {}
                (None, Some(items)) => words.extend(items.iter().cloned()),
                (None, None) => words.push(value.clone()),
            }
        }
        for (at, word) in words.iter().enumerate() {
            if word.text.as_deref() == Some("--") {
                return;
            }
            let before = at.checked_sub(1).and_then(|at| words[at].text.clone());
            let is_value = before.is_some_and(|option| sinks::takes_a_value("git", &option));
            if !is_value && word.taints.iter().any(|taint| taint.starts) {
                self.texts(place, expr, path, SinkKind::Process, word, Argument::OfDangerous);
            }
        }
    }

    /// Whether a text is the parameter in which the model hands a whole query over.
    fn is_whole_query(&self, value: &Value) -> bool {
        let named = |taint: &Taint| {
            let name = self.origins.get(taint.origin as usize).map_or("", String::as_str);
            taint.source == Source::Tool && taint.direct && sinks::names_a_query(name)
        };
        value.taints.iter().any(named)
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
            SinkKind::Extract => {
                if let Some(value) = receiver
                    && !args.iter().any(|arg| self.filters(place, arg))
                {
                    self.texts(place, expr, path, SinkKind::Extract, value, Argument::No);
                }
            }
            SinkKind::Host if self.checks_requests(place, expr, receiver, values) => {}
            SinkKind::Host => {
                for value in chosen {
                    self.request(place, expr, path, value);
                }
            }
            SinkKind::Path if path != "open" && self.is_stream(place, args, values) => {}
            SinkKind::Process if self.says_shell(place, args, values) || self.is_partial_shell(place, expr) => {
                for value in chosen {
                    self.texts(place, expr, path, SinkKind::Shell, value, Argument::No);
                }
            }
            SinkKind::Process => {
                self.process(place, expr, path, &chosen);
                self.input(place, expr, path, &chosen, args, values);
            }
            SinkKind::Deserialise if self.is_safe_load(place, path, args) => {}
            SinkKind::Code if path == "compile" && only_parses(self.program.unit(place.unit), args) => {}
            SinkKind::Code if self.is_function(place, args) => {}
            SinkKind::Code if matches!(path, "setTimeout" | "setInterval" | "setImmediate") => {
                // Only a text is run; a function is the common case.
                for value in chosen.into_iter().filter(|value| !value.taints.is_empty()) {
                    if value.prefix.is_some() {
                        self.texts(place, expr, path, SinkKind::Code, value, Argument::No);
                    }
                }
            }
            kind => {
                for value in chosen {
                    self.texts(place, expr, path, kind, value, Argument::No);
                }
            }
        }
    }

    /// A request to a URL, or as an object tells.
    fn request(&mut self, place: Place, expr: ExprId, path: &str, value: &Value) {
        let Some(fields) = &value.fields else {
            return self.texts(place, expr, path, SinkKind::Host, value, Argument::No);
        };
        for name in ["url", "uri", "baseURL", "prefixUrl", "host", "hostname", "href", "origin"] {
            if let Some(field) = fields.get(name) {
                self.texts(place, expr, path, SinkKind::Host, field, Argument::No);
            }
        }
        let spread = Value { fields: None, ..value.clone() };
        if !fields.contains_key("url") && !fields.contains_key("host") && !fields.contains_key("hostname") {
            self.texts(place, expr, path, SinkKind::Host, &spread, Argument::No);
        }
    }

    /// Whether an argument of a call that extracts an archive keeps its members below the folder.
    fn filters(&self, place: Place, arg: &Arg) -> bool {
        let (inside, value) = self.program.value(place.unit, arg.value);
        let unit = self.program.unit(inside);
        let lists_all = |value: ExprId| match unit.expr(value) {
            ExprKind::Call { callee, .. } => {
                matches!(unit.expr(*callee), ExprKind::Member { name, .. } if name == "getmembers")
            }
            _ => false,
        };
        match arg.name.as_deref() {
            Some("filter") => {
                let trusted = unit.text(value) == Some("fully_trusted");
                let path = self.program.outside(place.unit, place.function, arg.value);
                !trusted && path.is_none_or(|path| path != "tarfile.fully_trusted_filter")
            }
            Some("members") => !lists_all(value),
            _ => false,
        }
    }

    fn is_function(&self, place: Place, args: &[Arg]) -> bool {
        let unit = self.program.unit(place.unit);
        args.first().is_some_and(|arg| matches!(unit.expr(arg.value), ExprKind::Function(_)))
    }

    /// Whether the first argument is bytes in memory that are read as a file.
    fn is_stream(&mut self, place: Place, args: &[Arg], values: &[Value]) -> bool {
        let in_memory = |meaning: &Meaning| match meaning {
            Meaning::Outside(path) => matches!(
                path.as_str(),
                "io.BytesIO()"
                    | "io.StringIO()"
                    | "BytesIO()"
                    | "Buffer.from()"
                    | "base64.b64decode()"
                    | "Uint8Array()"
            ),
            _ => false,
        };
        values.first().is_some_and(|value| value.meanings().iter().any(in_memory))
            || args.first().is_some_and(|arg| in_memory(&self.meaning(place, arg.value)))
    }

    /// `run = partial(subprocess.run, shell=True)`.
    fn is_partial_shell(&self, place: Place, expr: ExprId) -> bool {
        let ExprKind::Call { callee, .. } = self.program.unit(place.unit).expr(expr) else { return false };
        let (unit, made) = self.program.value(place.unit, *callee);
        let place = Place { unit, function: place.function };
        match self.program.unit(unit).expr(made) {
            ExprKind::Call { args, .. } => args.len() > 1 && self.through_a_shell(place, &args[1..]),
            _ => false,
        }
    }

    /// Whether options as they are known here, or as they are written, ask for a shell.
    fn says_shell(&self, place: Place, args: &[Arg], values: &[Value]) -> bool {
        for (arg, value) in args.iter().zip(values) {
            let option = match arg.name.as_deref() {
                Some("shell") => Some(value),
                Some(_) => None,
                None => value.fields.as_ref().and_then(|fields| fields.get("shell")),
            };
            match option {
                Some(option) if option.is == Some(false) => return false,
                Some(option) if option.is == Some(true) || option.text.is_some() || !option.taints.is_empty() => {
                    return true;
                }
                _ => {}
            }
        }
        self.through_a_shell(place, args)
    }

    /// `shell=True`, `{ shell: true }`, `**options` with such a member.
    pub(super) fn through_a_shell(&self, place: Place, args: &[Arg]) -> bool {
        let unit = self.program.unit(place.unit);
        args.iter().any(|arg| match arg.name.as_deref() {
            Some("shell") => !matches!(unit.expr(arg.value), ExprKind::Bool(false) | ExprKind::Nothing),
            Some(_) => false,
            None => self.options_say_shell(place.unit, arg.value, 6),
        })
    }

    fn options_say_shell(&self, unit: UnitId, options: ExprId, steps: u32) -> bool {
        let Some(steps) = steps.checked_sub(1) else { return false };
        let (unit, options) = self.program.value(unit, options);
        let source = self.program.unit(unit);
        let on = |value: ExprId| !matches!(source.expr(value), ExprKind::Bool(false) | ExprKind::Nothing);
        match source.expr(options) {
            ExprKind::Dict(members) => members.iter().take(64).any(|(key, value)| match key {
                Some(key) => source.text(*key) == Some("shell") && on(*value),
                None => self.options_say_shell(unit, *value, steps),
            }),
            ExprKind::Spread(of) => self.options_say_shell(unit, *of, steps),
            // `dict(options, more=…)`, `Object.assign({}, options)`
            ExprKind::Call { callee, args, .. } => {
                let copies = match source.expr(*callee) {
                    ExprKind::Free(name) => name == "dict",
                    ExprKind::Member { name, .. } => name == "assign" || name == "copy",
                    _ => false,
                };
                copies
                    && args.iter().any(|arg| match arg.name.as_deref() {
                        Some(name) => name == "shell" && on(arg.value),
                        None => self.options_say_shell(unit, arg.value, steps),
                    })
            }
            _ => false,
        }
    }

    /// A program with arguments.
    pub(super) fn process(&mut self, place: Place, expr: ExprId, path: &str, chosen: &[&Value]) {
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
        if rest.is_empty() && sinks::splits_its_text(path) && self.split(place, expr, path, program) {
            return;
        }
        // 2. Who chooses the program runs what they like.
        if program.text.is_none() && program.taints.iter().any(|t| t.starts || program.prefix.is_none()) {
            self.texts(place, expr, path, SinkKind::Process, program, Argument::No);
        }
        // 3. Interpreters run what stands behind an option; others may take an argument for an option.
        let dangerous = |text: &&Rc<str>| sinks::has_dangerous_options(text);
        let one = program.all_texts().find(dangerous).or_else(|| program.all_texts().next());
        let called = one.cloned().unwrap_or_default();
        self.remote(place, expr, path, &called, rest);
        let texts: Vec<Option<&str>> = rest.iter().map(|word| word.text.as_deref()).collect();
        if let Some(script) = sinks::script_word(&called, &texts).and_then(|at| rest.get(at))
            && !script.taints.is_empty()
        {
            self.texts(place, expr, path, SinkKind::Code, script, Argument::No);
        }
        let mut options_end = false;
        for (at, word) in rest.iter().enumerate() {
            if matches!(word.text.as_deref(), Some("--" | "--end-of-options")) {
                options_end = true;
            }
            let before = at.checked_sub(1).and_then(|at| rest[at].text.clone());
            // `docker exec name sh -c …` runs another program.
            let inner = at.checked_sub(2).and_then(|at| rest[at].text.clone()).unwrap_or_default();
            let runs = |option: &str| {
                sinks::runs_its_argument(&called, option)
                    || sinks::runs_its_input(&inner) && sinks::runs_its_argument(&inner, option)
            };
            if sinks::runs_a_script(&called) && is_script(before.as_deref(), at.checked_sub(1).map(|at| &rest[at])) {
                options_end = true;
            }
            if before.as_deref().is_some_and(|option| sinks::takes_a_value(&called, option)) {
                continue;
            }
            if before.as_deref().is_some_and(runs) {
                self.texts(place, expr, path, SinkKind::Code, word, Argument::No);
                // What follows is handed to the script.
                options_end = true;
            } else if !options_end && word.taints.iter().any(|taint| taint.starts) {
                let dangerous = sinks::has_dangerous_options(&called);
                let argument = match (dangerous, word.several) {
                    (true, _) => Argument::OfDangerous,
                    (false, true) => Argument::Any,
                    (false, false) => Argument::Yes,
                };
                self.texts(place, expr, path, SinkKind::Process, word, argument);
            }
        }
    }

    /// A program with its arguments in one text, which is taken apart at its blanks; whether it was one.
    fn split(&mut self, place: Place, expr: ExprId, path: &str, line: &Value) -> bool {
        let Some(begin) = line.prefix.clone().filter(|_| line.text.is_none() && !line.taints.is_empty()) else {
            return false;
        };
        let words: Vec<&str> = begin.split_whitespace().collect();
        let Some(program) = words.first().filter(|_| begin.contains(' ')) else { return false };
        let runs = words.windows(2).any(|pair| sinks::runs_its_argument(pair[0], pair[1]))
            || sinks::shell_words_from(program, &words[1..].iter().copied().map(Some).collect::<Vec<_>>()).is_some();
        if runs {
            self.texts(place, expr, path, SinkKind::Code, line, Argument::No);
        } else {
            let starts = line.clone().each(|taint| taint.starts = true);
            self.texts(place, expr, path, SinkKind::Process, &starts, Argument::Any);
        }
        true
    }

    /// What programs hand to a shell, on another machine or here, whatever the words are: `ssh host …`.
    fn remote(&mut self, place: Place, expr: ExprId, path: &str, program: &str, words: &[Value]) {
        let texts: Vec<Option<&str>> = words.iter().map(|word| word.text.as_deref()).collect();
        let Some(from) = sinks::shell_words_from(program, &texts) else { return };
        for word in words.get(from..).unwrap_or_default() {
            if !word.taints.is_empty() {
                self.texts(place, expr, path, SinkKind::Shell, word, Argument::No);
            }
        }
    }

    /// Reports the worst source of a text that reaches a call.
    pub(super) fn texts(
        &mut self,
        place: Place,
        expr: ExprId,
        path: &str,
        kind: SinkKind,
        value: &Value,
        argument: Argument,
    ) {
        let mut all = value.clone();
        for item in value.items.iter().flat_map(|items| items.iter()) {
            all.absorb(item);
        }
        let needed = match kind {
            SinkKind::Shell => Safe::SHELL,
            SinkKind::Process if argument != Argument::No => Safe::ARGUMENT,
            SinkKind::Process | SinkKind::Code | SinkKind::Deserialise | SinkKind::Template | SinkKind::Markup => {
                Safe::CODE
            }
            SinkKind::Query => Safe::QUERY,
            SinkKind::Path => Safe::PATH,
            SinkKind::Extract => Safe::ALL,
            SinkKind::Host => Safe::HOST,
            SinkKind::Opener => Safe::OPENER,
        };
        let unsafe_taints = all.taints.iter().filter(|taint| !self.safe(taint).has(needed));
        let judged = unsafe_taints.map(|taint| {
            let danger = danger(kind, taint, value, argument);
            // Below the folder by its name; only a link could lead out of it.
            let below = kind == SinkKind::Path && self.safe(taint).has(Safe::BELOW);
            (if below { danger.min(Danger::Medium) } else { danger }, taint)
        });
        let worst = judged.max_by_key(|(danger, taint)| (*danger, taint.source));
        let (danger, source, steps) = match worst {
            Some((danger, taint)) => (danger, Some(taint.source), way(&taint.path)),
            None if all.taints.is_empty() && matches!(kind, SinkKind::Shell | SinkKind::Code) => {
                (Danger::Constant, None, Vec::new())
            }
            None => return,
        };
        self.charge(steps.len() * 8);
        let span = self.program.unit(place.unit).span(expr);
        let call = path.trim_start_matches("?.").to_owned();
        let is_argument = argument != Argument::No;
        let is_whole_query = kind == SinkKind::Query && danger == Danger::Medium && source == Some(Source::Tool);
        let flow =
            Flow { kind, danger, source, call, unit: place.unit, span, path: steps, is_argument, is_whole_query };
        self.report(flow);
    }
}

/// The member of options that holds a filter.
fn of_filter(options: &Value) -> Option<&Value> {
    options.fields.as_ref()?.get("filter")
}

fn danger(kind: SinkKind, taint: &Taint, value: &Value, argument: Argument) -> Danger {
    use Danger as D;
    use SinkKind as K;
    let is_argument = argument != Argument::No;
    match (taint.source, kind) {
        (Source::Tool | Source::Network, K::Markup) => D::Medium,
        (_, K::Markup) => D::Low,
        (Source::Tool, K::Process) if matches!(argument, Argument::OfDangerous | Argument::Any) => D::High,
        (Source::Tool, K::Process) if is_argument => D::Medium,
        (Source::Tool, K::Shell | K::Code | K::Process | K::Deserialise | K::Template) => D::Critical,
        // A whole statement from the model is what a database tool is for.
        (Source::Tool, K::Query) if taint.direct => D::Medium,
        (Source::Tool, K::Host | K::Opener) => {
            let fixed = !taint.starts && value.prefix.as_deref().is_none_or(sinks::fixes_host);
            if fixed { D::Low } else { D::High }
        }
        (Source::Tool, _) => D::High,
        (Source::Archive, K::Path | K::Shell | K::Code) => D::High,
        (Source::Archive, _) => D::Low,
        (Source::Network, K::Extract) => D::High,
        (Source::Unknown, K::Extract) => D::Medium,
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

/// Whether a word of a command line is the script to run, which nobody else chooses.
fn is_script(text: Option<&str>, word: Option<&Value>) -> bool {
    match text {
        Some(text) => !text.starts_with('-') || text == "-",
        None => word.is_some_and(|word| word.taints.is_empty()),
    }
}

/// The places on the way, from the source on.
fn way(last: &Rc<Step>) -> Vec<(UnitId, Span, String)> {
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

/// `compile(text, name, "eval", flags=ast.PyCF_ONLY_AST)`: nothing is run.
fn only_parses(unit: &super::Unit, args: &[Arg]) -> bool {
    args.iter().any(|arg| {
        let span = unit.span(arg.value);
        unit.source.get(span.start as usize..span.end as usize).is_some_and(|text| text.contains("PyCF_ONLY_AST"))
    })
}

/// Loaders of YAML that make data only.
fn is_safe_loader(name: &str) -> bool {
    matches!(name.rsplit('.').next(), Some("SafeLoader" | "CSafeLoader" | "BaseLoader" | "CBaseLoader"))
}

impl Engine<'_> {
    /// `yaml.load(text, Loader=yaml.SafeLoader)`, `torch.load(path, weights_only=True)`.
    fn is_safe_load(&mut self, place: Place, path: &str, args: &[Arg]) -> bool {
        let unit = self.program.unit(place.unit);
        if !path.starts_with("yaml.") {
            return path == "torch.load"
                && args.iter().any(|arg| {
                    arg.name.as_deref() == Some("weights_only") && matches!(unit.expr(arg.value), ExprKind::Bool(true))
                });
        }
        let positional = args.iter().filter(|arg| arg.name.is_none()).nth(1);
        let Some(loader) = args.iter().find(|arg| arg.name.as_deref() == Some("Loader")).or(positional) else {
            return false;
        };
        // One of several imports of one name: `try: from yaml import CSafeLoader as Loader`.
        if let ExprKind::Var(var) = unit.expr(loader.value) {
            self.charge(unit.imports.len());
            let mut imports = unit.imports.iter().filter(|import| import.var == Some(*var)).peekable();
            if imports.peek().is_some() {
                return imports.all(|import| import.member.as_deref().is_some_and(is_safe_loader));
            }
        }
        let value = self.eval(place, loader.value);
        let mut means = value.meanings().to_vec();
        means.push((*self.meaning(place, loader.value)).clone());
        means.retain(|meaning| !matches!(meaning, Meaning::Value(..)));
        !means.is_empty()
            && means.iter().all(|meaning| match meaning {
                Meaning::Outside(path) => is_safe_loader(path.trim_end_matches("()")),
                Meaning::Class(unit, class) => {
                    let bases = &self.program.unit(*unit).classes[class.0 as usize].bases;
                    bases.iter().any(|&base| {
                        self.program.outside(*unit, place.function, base).is_some_and(|path| is_safe_loader(&path))
                    })
                }
                _ => false,
            })
    }
}
