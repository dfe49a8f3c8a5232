//! Servers that are scripts of a shell: what `read` and `jq` take out of the client's messages is followed to `eval`,
//! `sh -c`, other interpreters, files and hosts.
//!
//! Commands are calls (`code::shell`). What a command prints is its value, as far as that is text that came in. Quotes
//! around a word do not matter to what is judged here: text that a second shell reads was never quoted for it.

use std::rc::Rc;

use foldhash::HashMap;

use super::super::facts::{Arg, Block, ExprId, ExprKind, FunctionId, Language, Statement, Unit, VarId};
use super::super::program::UnitId;
use super::super::shapes;
use super::expressions::joined;
use super::judge::Argument;
use super::sinks::{self, SinkKind};
use super::value::{Origin, Resolved, Safe, Source, Step, Taint, Value};
use super::{Engine, Place};

mod checks;

use checks::Check;

/// Most functions inside each other.
const CALLS_DEPTH_MAX: usize = 24;
/// Most commands and words that are run, functions again for each call.
const COMMANDS_COUNT_MAX: usize = 200_000;
/// Most words inside each other: a pipe is the input of the next one.
const WORDS_DEPTH_MAX: usize = 500;

/// A script while it is run.
struct Script {
    place: Place,
    vars: HashMap<VarId, Value>,
    functions: HashMap<String, FunctionId>,
    /// `$1` and the others of each function that is run, innermost last.
    params: Vec<Vec<Value>>,
    /// What commands read that are given nothing else.
    stdin: Value,
    /// What is proven of variables, and from where to where.
    checks: Vec<Check>,
    /// How many branches are around the place that is run: there a variable may keep what it held.
    branches: usize,
    /// What the client sends, as a whole.
    message: Origin,
    depth: usize,
    left: usize,
}

/// Whether a script serves the protocol itself.
pub fn is_server(unit: &Unit) -> bool {
    unit.language == Language::Shell && (unit.source.contains("tools/call") || unit.source.contains("jsonrpc"))
}

impl Engine<'_> {
    /// Follows what a client sends through a script.
    pub(super) fn script(&mut self, unit: UnitId) {
        let source = self.program.unit(unit);
        let place = Place { unit, function: FunctionId::TOP };
        let what = "the client sends it, and the model chooses the arguments in it".to_owned();
        let stdin = self.source(Source::Tool, "message", unit, source.function(FunctionId::TOP).span, what);
        let message = stdin.taints.first().map_or(0, |taint| taint.origin);
        let named = source.functions.iter().zip(0..).filter_map(|(f, at)| Some((f.name.clone()?, FunctionId(at))));
        let mut script = Script {
            place,
            functions: named.collect(),
            vars: HashMap::default(),
            params: Vec::new(),
            stdin,
            checks: checks::of(&source.source),
            branches: 0,
            message,
            depth: 0,
            left: COMMANDS_COUNT_MAX,
        };
        (self.judged, self.root_steps) = (true, 0);
        self.run(&mut script, &source.function(FunctionId::TOP).body);
        self.cut |= script.left == 0;
    }

    /// Runs statements; what they print.
    fn run(&mut self, script: &mut Script, block: &Block) -> Value {
        let mut printed = Value::default();
        for statement in block {
            let Some(left) = script.left.checked_sub(1) else { break };
            script.left = left;
            match statement {
                Statement::Assign { target, value } => {
                    let ExprKind::Var(var) = *self.unit(script.place).expr(*target) else { continue };
                    let mut value = self.word(script, *value);
                    let span = self.unit(script.place).span(*target);
                    let name = self.unit(script.place).vars[var.0 as usize].name.clone();
                    Self::step(&mut value, script.place, span, || format!("becomes `{name}`"));
                    if script.branches > 0
                        && let Some(before) = script.vars.get(&var)
                    {
                        value = value.or(before);
                    }
                    script.vars.insert(var, value);
                }
                Statement::Do(command) => {
                    let value = self.word(script, *command);
                    printed.absorb(&value.derived());
                }
                Statement::If { then, otherwise, .. } => {
                    script.branches += 1;
                    printed.absorb(&self.run(script, then));
                    printed.absorb(&self.run(script, otherwise));
                    script.branches -= 1;
                }
                Statement::Loop { body, .. } => {
                    for _ in 0..2 {
                        printed.absorb(&self.run(script, body));
                    }
                }
                Statement::Any(ways) => {
                    script.branches += 1;
                    for way in ways {
                        printed.absorb(&self.run(script, way));
                    }
                    script.branches -= 1;
                }
                Statement::Return(_) | Statement::Yield(_) | Statement::Raise(_) | Statement::Jump => {}
            }
        }
        printed
    }

    /// What a word is.
    fn word(&mut self, script: &mut Script, word: ExprId) -> Value {
        let Some(left) = script.left.checked_sub(1) else { return Value::default() };
        if script.depth >= WORDS_DEPTH_MAX {
            self.cut = true;
            return Value::default();
        }
        (script.left, script.depth) = (left, script.depth + 1);
        let value = self.meant(script, word);
        script.depth -= 1;
        value
    }

    fn meant(&mut self, script: &mut Script, word: ExprId) -> Value {
        let unit = self.program.unit(script.place.unit);
        match unit.expr(word) {
            ExprKind::Text(text) => Value::text(text),
            ExprKind::Number(number) => Value::text(&number.to_string()),
            ExprKind::Var(var) => {
                let value = script.vars.get(var).cloned().unwrap_or_default();
                let (name, at) = (&unit.vars[var.0 as usize].name, unit.span(word).start);
                // `${x@Q}` quotes it for a shell.
                let spelled = unit.source.get(at as usize..unit.span(word).end as usize).unwrap_or_default();
                let quoted = if spelled.ends_with("@Q}") { Safe::QUOTED.and(Safe::SHELL) } else { Safe::default() };
                let safe = checks::proven(&script.checks, name, at).and(quoted);
                value.each(|taint| taint.safe = taint.safe.and(safe))
            }
            ExprKind::Free(name) => match name.strip_prefix('$') {
                Some("@" | "*") => {
                    let all = script.params.last().cloned().unwrap_or_default();
                    let mut value = Value::default();
                    all.iter().for_each(|each| value.absorb(each));
                    value.with_items(all)
                }
                Some(number) => {
                    let at = number.parse::<usize>().ok().and_then(|at| at.checked_sub(1));
                    let given = at.and_then(|at| script.params.last()?.get(at));
                    given.cloned().unwrap_or_default()
                }
                None if name == "stdin" => script.stdin.clone(),
                None => Value::default(),
            },
            ExprKind::Join(parts) => {
                let values: Vec<Value> = parts.iter().map(|&part| self.word(script, part)).collect();
                joined(&values)
            }
            ExprKind::List(items) => {
                let items: Vec<Value> = items.iter().map(|&item| self.word(script, item)).collect();
                let mut value = Value::default();
                items.iter().for_each(|item| value.absorb(&item.derived()));
                value.with_items(items)
            }
            ExprKind::Either(ways) => {
                let values: Vec<Value> = ways.iter().map(|&way| self.word(script, way)).collect();
                values.iter().skip(1).fold(values.first().cloned().unwrap_or_default(), Value::or)
            }
            ExprKind::Index { of, .. } => {
                let of = self.word(script, *of);
                match &of.items {
                    Some(items) => items.iter().skip(1).fold(items.first().cloned().unwrap_or_default(), Value::or),
                    None => Value { text: None, ..of },
                }
            }
            ExprKind::Call { callee, args, .. } => self.command(script, word, *callee, args),
            _ => Value::default(),
        }
    }

    /// Runs a command; what it prints.
    fn command(&mut self, script: &mut Script, call: ExprId, callee: ExprId, args: &[Arg]) -> Value {
        let Some(left) = script.left.checked_sub(1) else { return Value::default() };
        script.left = left;
        let place = script.place;
        // 1. What it is given.
        let (mut words, mut stdin) = (Vec::new(), None);
        for arg in args {
            let value = self.word(script, arg.value);
            match arg.name.as_deref() {
                None => words.push(value),
                Some("stdin") => stdin = Some(value),
                Some(_) if value.taints.is_empty() => {}
                Some(_) => self.texts(place, call, ">", SinkKind::Path, &value, Argument::No),
            }
        }
        // 2. Functions of the script.
        let unit = self.program.unit(place.unit);
        let name = match unit.expr(callee) {
            ExprKind::Var(var) => match self.function_of(place.unit, *var) {
                Some(function) => return self.function(script, function, words, stdin),
                None => String::new(),
            },
            ExprKind::Free(name) => match script.functions.get(name) {
                // It is called above its definition.
                Some(&function) => return self.function(script, function, words, stdin),
                None => name.clone(),
            },
            _ => String::new(),
        };
        if name.is_empty() {
            let program = self.word(script, callee);
            if program.taints.iter().any(|taint| taint.starts) {
                self.texts(place, call, "a command", SinkKind::Process, &program, Argument::No);
            }
            return Value::default();
        }
        // 3. Where text becomes action, and what comes out.
        let bare = name.rsplit('/').next().unwrap_or(&name).to_owned();
        let input = stdin.clone().unwrap_or_else(|| script.stdin.clone());
        self.acts(place, call, &bare, &words, stdin.as_ref());
        self.prints(script, call, &bare, &words, &input)
    }

    /// The function that a name of the script stands for.
    fn function_of(&self, unit: UnitId, var: VarId) -> Option<FunctionId> {
        self.program.definitions(unit, var).iter().rev().find_map(|&value| match self.program.unit(unit).expr(value) {
            ExprKind::Function(function) => Some(*function),
            _ => None,
        })
    }

    fn function(&mut self, script: &mut Script, of: FunctionId, words: Vec<Value>, stdin: Option<Value>) -> Value {
        if script.params.len() >= CALLS_DEPTH_MAX {
            return Value::default();
        }
        let program = self.program;
        script.params.push(words);
        let outer = stdin.map(|stdin| std::mem::replace(&mut script.stdin, stdin));
        let printed = self.run(script, &program.unit(script.place.unit).function(of).body);
        if let Some(outer) = outer {
            script.stdin = outer;
        }
        script.params.pop();
        Value {
            taints: printed.taints.into_iter().map(|taint| Taint { direct: true, ..taint }).collect(),
            ..Value::default()
        }
    }

    /// Judges a command by where its words go.
    fn acts(&mut self, place: Place, call: ExprId, name: &str, words: &[Value], stdin: Option<&Value>) {
        if matches!(
            name,
            "[" | "[[" | "test" | "echo" | "printf" | ":" | "true" | "return" | "exit" | "shift" | "jq" | "local"
        ) {
            return;
        }
        if matches!(name, "eval" | "source" | "." | "trap") {
            let kind = if matches!(name, "eval" | "trap") { SinkKind::Shell } else { SinkKind::Code };
            for word in words {
                self.texts(place, call, name, kind, word, Argument::No);
            }
            return;
        }
        let of_file = |name: &str| {
            matches!(
                name,
                "cat"
                    | "head"
                    | "tail"
                    | "less"
                    | "more"
                    | "rm"
                    | "rmdir"
                    | "cp"
                    | "mv"
                    | "tee"
                    | "touch"
                    | "mkdir"
                    | "ln"
                    | "tac"
                    | "nl"
                    | "od"
                    | "xxd"
                    | "strings"
                    | "<"
                    | "shred"
                    | "truncate"
                    | "install"
                    | "dd"
                    | "ls"
                    | "tree"
            )
        };
        let text = |at: usize| words.get(at).and_then(|word: &Value| word.text.as_deref());
        for (at, word) in words.iter().enumerate().filter(|(_, word)| !word.taints.is_empty()) {
            let before = at.checked_sub(1).and_then(text).unwrap_or_default();
            if of_file(name) && !matches!(before, "-n" | "-c" | "-I") {
                self.texts(place, call, name, SinkKind::Path, word, Argument::No);
            }
            let url =
                !before.starts_with('-') || matches!(before, "--" | "--url" | "-s" | "-sS" | "-L" | "-sL" | "-fsSL");
            if matches!(name, "curl" | "wget" | "http" | "xh" | "nc" | "ncat") && url {
                self.texts(place, call, name, SinkKind::Host, word, Argument::No);
            }
            if matches!(name, "xdg-open" | "open") {
                self.texts(place, call, name, SinkKind::Opener, word, Argument::No);
            }
        }
        if let Some(stdin) = stdin.filter(|stdin| !stdin.taints.is_empty()) {
            let constant = words.iter().all(|word| word.text.as_deref().is_some_and(|text| text.starts_with('-')));
            if sinks::runs_its_input(name)
                && constant
                && !words.iter().any(|word| matches!(word.text.as_deref(), Some("-c" | "-e" | "-m")))
            {
                self.texts(place, call, name, SinkKind::Code, stdin, Argument::No);
            }
            let database = matches!(name, "sqlite3" | "psql" | "mysql" | "mariadb" | "duckdb");
            if database && stdin.prefix.as_deref().is_some_and(sinks::is_statement) {
                self.texts(place, call, name, SinkKind::Query, stdin, Argument::No);
            }
        }
        let all = std::iter::once(Value::text(name)).chain(words.iter().cloned()).collect();
        self.process(place, call, name, &[&Value::default().with_items(all)]);
    }

    /// What a command prints, of what it is given.
    fn prints(&mut self, script: &Script, call: ExprId, name: &str, words: &[Value], input: &Value) -> Value {
        let texts: Vec<&str> = words.iter().filter_map(|word| word.text.as_deref()).collect();
        let mut all = Value::default();
        match name {
            "echo" => {
                let values: Vec<Value> =
                    words.iter().filter(|word| word.text.as_deref() != Some("-n")).cloned().collect();
                if let [only] = values.as_slice() {
                    return only.clone();
                }
                joined(&values)
            }
            "printf" => {
                let format = words.first().and_then(|word| word.text.as_deref()).unwrap_or_default();
                if let (true, [_, only]) = (format.trim_end_matches("\\n") == "%s", words) {
                    return only.clone();
                }
                let given = words.get(1..).unwrap_or_default();
                given.iter().for_each(|word| all.absorb(&word.derived()));
                if let Some(first) = words.first() {
                    all.absorb(&first.derived());
                }
                all.prefix = Some(format.split('%').next().unwrap_or_default().into());
                match () {
                    () if format.contains("%q") => {
                        all.each(|taint| taint.safe = taint.safe.and(Safe::QUOTED.and(Safe::SHELL)))
                    }
                    () if !format.contains("%s") && format.contains("%d") => Value::default(),
                    () => all,
                }
            }
            "jq" | "yq" | "gojq" | "jaq" => {
                let given = words.iter().filter(|word| word.text.is_none());
                given.for_each(|word| all.absorb(&word.derived()));
                let filter = texts.iter().find(|text| !text.starts_with('-')).copied().unwrap_or_default();
                if !texts.contains(&"-n") {
                    all.absorb(&self.extracted(script, call, input, &texts));
                }
                let safe = match () {
                    () if filter.contains("@sh") => Safe::QUOTED.and(Safe::SHELL),
                    () if filter.contains("@uri") => Safe::HOST.and(Safe::SHELL).and(Safe::PATH),
                    () if filter.contains("tonumber") || filter.contains("length") => return Value::default(),
                    () => Safe::default(),
                };
                all.each(|taint| taint.safe = taint.safe.and(safe))
            }
            "cat" | "tee" if texts.iter().all(|text| text.starts_with('-')) && words.len() == texts.len() => {
                input.clone()
            }
            "tr" => {
                let class = matches!(texts.first(), Some(&("-cd" | "-dc"))).then(|| texts.get(1)).flatten();
                let safe =
                    class.map(|class| shapes::matched(&format!("^[{}]*$", bracketed(class)))).unwrap_or_default();
                self.extracted(script, call, input, &texts).each(|taint| taint.safe = taint.safe.and(safe))
            }
            "sed" | "gsed" => {
                let class =
                    texts.iter().find_map(|text| text.strip_prefix("s/[^")?.split_once("]//g").map(|(class, _)| class));
                let safe =
                    class.map(|class| shapes::matched(&format!("^[{}]*$", bracketed(class)))).unwrap_or_default();
                let requoted = texts.iter().any(|text| text.starts_with("s/'/'") && text.ends_with("/g"));
                let between = if requoted { Safe::BETWEEN_QUOTES } else { Safe::default() };
                self.extracted(script, call, input, &texts).each(|taint| taint.safe = taint.safe.and(safe).and(between))
            }
            "awk" | "gawk" | "grep" | "egrep" | "rg" | "cut" | "head" | "tail" | "sort" | "uniq" | "rev" | "fold"
            | "base64" | "python3" | "python" | "perl" | "node" | "ruby" | "php" | "xargs" | "paste" | "column" => {
                self.extracted(script, call, input, &texts)
            }
            "basename" => {
                words.iter().for_each(|word| all.absorb(&word.derived()));
                all.each(|taint| taint.safe = taint.safe.and(Safe::PATH))
            }
            "realpath" | "readlink" => {
                words.iter().for_each(|word| all.absorb(&word.derived()));
                let plain = texts.iter().any(|text| matches!(*text, "-s" | "--no-symlinks" | "-ms" | "-sm"));
                let resolved = if plain { Resolved::Dots } else { Resolved::Links };
                all.each(|taint| taint.resolved = taint.resolved.max(resolved))
            }
            "dirname" | "cygpath" | "envsubst" => {
                words.iter().for_each(|word| all.absorb(&word.derived()));
                all
            }
            _ => all,
        }
    }

    /// What a filter takes out of a message: an argument, unless it asks for what the client alone chooses.
    fn extracted(&mut self, script: &Script, call: ExprId, input: &Value, filter: &[&str]) -> Value {
        let whole = |taint: &Taint| taint.origin == script.message;
        if !input.taints.iter().any(whole) {
            return input.derived().each(|taint| taint.direct = true);
        }
        let filter = filter.join(" ");
        let structured = filter.contains('.') && !filter.contains("s/") && !filter.contains("grep");
        let asks = if structured && !filter.contains("import ") {
            let named = filter.replace(".params.name", "");
            named.contains("params") || named.contains("argument") || filter.trim() == "."
        } else {
            !["\"id\"", "\"method\"", "\"name\"", "jsonrpc"].iter().any(|word| filter.contains(word))
        };
        if !asks {
            return Value::default();
        }
        let span = self.unit(script.place).span(call);
        let before = input.taints.first().map(|taint| Rc::clone(&taint.path));
        let length = before.as_ref().map_or(1, |step| step.length + 1);
        let what = "takes what the model chooses out of the message".to_owned();
        let path = Rc::new(Step { unit: script.place.unit, span, what, before, length });
        let origin = self.origin("arguments");
        let taint = Taint {
            source: Source::Tool,
            origin,
            safe: Safe::default(),
            resolved: Resolved::No,
            edited: false,
            followed: false,
            direct: true,
            starts: true,
            path,
        };
        Value { taints: vec![taint], ..Value::default() }
    }
}

/// A set of characters of `tr` or `sed` as one of a pattern.
fn bracketed(class: &str) -> String {
    let class = class.trim_matches(['[', ']']);
    let named =
        [(":alnum:", "a-zA-Z0-9"), (":alpha:", "a-zA-Z"), (":digit:", "0-9"), (":lower:", "a-z"), (":upper:", "A-Z")];
    let mut class = class.to_owned();
    for (name, chars) in named {
        class = class.replace(&format!("[{name}]"), chars).replace(&format!("[{name}"), chars).replace(name, chars);
    }
    class.trim_end_matches("\\n").to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::flows;
    use crate::code::program::Program;
    use crate::code::{on_large_stack, read};

    /// How many flows there are in a script, and whether all was followed.
    fn followed(source: &str) -> (usize, bool) {
        let program = Program::new(read("run.sh", source.as_bytes()).into_iter().collect());
        let (found, whole) = flows(&program, &[], &|_| true, &|_| true);
        (found.iter().filter(|flow| flow.danger >= super::super::Danger::High).count(), whole)
    }

    #[test]
    fn what_a_client_sends_is_followed_where_the_script_serves_it() {
        let line = "read -r line\nx=$(printf '%s' \"$line\" | jq -r .params.arguments.x)\n";
        let cases = [
            ("# tools/call\n", "eval \"$x\"\n", 1),
            ("# tools/call\n", "sh -c 'echo \"$1\"' _ \"$x\"\n", 0),
            ("# tools/call\n", "case $x in *[!0-9]*) exit ;; esac\nsh -c \"sleep $x\"\n", 0),
            ("", "eval \"$x\"\n", 0),
        ];
        for (head, tail, expected) in cases {
            assert_eq!(followed(&format!("{head}{line}{tail}")).0, expected, "{tail}");
        }
    }

    #[test]
    fn hostile_scripts_end() {
        on_large_stack(|| {
            let head = "# tools/call\nread -r x\n";
            assert!(!followed(&format!("{head}{}cat\n", "cat|".repeat(100_000))).1);
            let twice = (0..40).map(|n| format!("f{n}() {{ f{}; f{}; }}\n", n + 1, n + 1));
            assert!(!followed(&format!("{head}{}f0\n", twice.collect::<String>())).1);
            followed(&format!("{head}{}", "[[ $x =~ ^a$ ]] || return\n".repeat(20_000)));
            followed(&format!("{head}{}", "case $x in a) ".repeat(20_000)));
        });
    }
}
