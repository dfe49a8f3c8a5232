//! Shell scripts as facts: a command is a call of its name, its words are the arguments.
//!
//! What stands around a command is an argument with a name: `stdin` is what a pipe, a here-document or `<`
//! gives it (the call before it in a pipe, a text, a call of `<`), `stdout` and `stderr` are where its output
//! goes. `$(cmd)` is the call itself, `$name` a variable of the whole file, `$1` a free name. Words that only
//! run what follows them (`sudo`, `nohup`, `exec`) are left out. Not a shell: quoting and expansion are read
//! as far as texts can be told, arithmetic and tests are not.

use foldhash::{HashMap, HashSet};

use super::builder::{Builder, assign};
use super::facts::{Arg, Block, ExprId, ExprKind, Language, Reading, Span, Statement, Unit, VarId};

mod assignments;
mod words;

/// Most words of one command; the rest is left out.
const WORDS_COUNT_MAX: usize = 4_096;

/// Words that run what follows them.
const WRAPPERS: [&str; 15] = [
    "sudo", "doas", "nohup", "command", "builtin", "exec", "time", "nice", "ionice", "setsid", "stdbuf", "timeout",
    "busybox", "xargs", "env",
];

/// Reads a text that passed the limits.
pub(super) fn read(path: &str, source: String) -> Unit {
    let text = source.clone();
    let builder = Builder::new(path, Language::Shell, source);
    let mut lower = Lower {
        builder,
        text: text.as_bytes(),
        at: 0,
        end: text.len(),
        vars: HashMap::default(),
        functions: HashSet::default(),
        before: Vec::new(),
        stdin: None,
        bodies: None,
        unclosed: false,
    };
    let mut body = Vec::new();
    lower.list(&mut body, &[]);
    let reading = if lower.unclosed || lower.at < lower.end {
        Reading::Partly("a quote or a group is not closed".to_owned())
    } else {
        Reading::Whole
    };
    lower.builder.finish(body, reading)
}

struct Lower<'a> {
    builder: Builder,
    text: &'a [u8],
    at: usize,
    /// Byte after the last that may be read: of the text, or of the text between two backticks.
    end: usize,
    vars: HashMap<String, VarId>,
    functions: HashSet<String>,
    /// Statements that stand in the words being lowered, and run before them.
    before: Block,
    /// What a group reads from.
    stdin: Option<ExprId>,
    /// The end of the current line and of the here-documents that begin behind it.
    bodies: Option<(usize, usize)>,
    unclosed: bool,
}

impl Lower<'_> {
    fn peek(&self) -> Option<u8> {
        self.text[..self.end].get(self.at).copied()
    }

    fn starts(&self, with: &str) -> bool {
        self.text[..self.end].get(self.at..).is_some_and(|rest| rest.starts_with(with.as_bytes()))
    }

    fn span(&self, start: usize) -> Span {
        self.between(start, self.at)
    }

    fn between(&self, start: usize, end: usize) -> Span {
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        self.builder.span(offset(start), offset(end))
    }

    fn slice(&self, start: usize, end: usize) -> String {
        String::from_utf8_lossy(self.text.get(start..end).unwrap_or_default()).into_owned()
    }

    fn rest(&self) -> &[u8] {
        self.text.get(self.at..self.end).unwrap_or_default()
    }

    fn push(&mut self, kind: ExprKind, start: usize) -> ExprId {
        let span = self.span(start);
        self.builder.push(kind, span)
    }

    fn var(&mut self, name: &str) -> VarId {
        if let Some(&var) = self.vars.get(name) {
            return var;
        }
        let var = self.builder.declare(name);
        self.vars.insert(name.to_owned(), var);
        var
    }

    /// Blanks, line continuations and comments.
    fn blanks(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'\\' if self.starts("\\\n") => self.at += 2,
                b'#' => {
                    let start = self.at;
                    let length = memchr::memchr(b'\n', self.rest());
                    self.at = length.map_or(self.end, |n| self.at + n);
                    let span = self.span(start);
                    self.builder.comment(span);
                }
                _ => break,
            }
        }
    }

    /// Blanks and everything that ends a command.
    fn separators(&mut self) {
        loop {
            self.blanks();
            match self.peek() {
                Some(b'\n') => self.newline(),
                Some(b';') if !self.starts(";;") => self.at += 1,
                Some(b'&') if !self.starts("&>") => self.at += 1,
                Some(b'|') if self.starts("||") => self.at += 2,
                _ => break,
            }
        }
    }

    /// Goes over the end of a line, and over the here-documents that begin behind it.
    fn newline(&mut self) {
        self.at = match self.bodies.take() {
            Some((line_end, bodies_end)) if line_end == self.at => bodies_end,
            bodies => {
                self.bodies = bodies;
                self.at + 1
            }
        };
    }

    /// The word at this place, if it is one of these and stands alone.
    fn keyword(&self, words: &[&'static str]) -> Option<&'static str> {
        words.iter().copied().find(|word| {
            let behind = self.text[..self.end].get(self.at + word.len());
            self.starts(word) && behind.is_none_or(|b| b" \t\r\n;&|()`<>".contains(b) || *word == ";;" || *word == ")")
        })
    }

    /// Commands until one of these words, which is left to be read.
    fn list(&mut self, out: &mut Block, until: &[&'static str]) {
        if !self.builder.deeper() {
            self.at = self.end;
            return;
        }
        loop {
            self.separators();
            if self.peek().is_none() || self.keyword(until).is_some() {
                break;
            }
            let start = self.at;
            self.pipeline(out);
            // Whatever could not be read is stepped over.
            if self.at == start {
                self.at += 1;
            }
        }
        self.builder.higher();
    }

    fn closing(&mut self, word: &'static str) {
        if self.keyword(&[word]).is_some() {
            self.at += word.len();
        } else {
            self.unclosed = true;
        }
    }

    /// `a | b | c`: the last one's call, which holds the others as its input.
    fn pipeline(&mut self, out: &mut Block) {
        let mut input = self.stdin;
        loop {
            self.blanks();
            let from = out.len();
            let value = self.command(out, input);
            self.blanks();
            if self.peek() != Some(b'|') || self.starts("||") {
                out.extend(value.map(Statement::Do));
                return;
            }
            self.at += if self.starts("|&") { 2 } else { 1 };
            self.blanks();
            while self.peek() == Some(b'\n') {
                self.newline();
                self.blanks();
            }
            let value = value.or_else(|| self.printed(&out[from..]));
            input = value.or(input);
        }
    }

    /// What a group of commands prints: whatever one of them does.
    fn printed(&mut self, group: &[Statement]) -> Option<ExprId> {
        const COMMANDS_COUNT_MAX: usize = 64;
        let mut open: Vec<&Statement> = group.iter().collect();
        let mut found = Vec::new();
        while let Some(statement) = open.pop().filter(|_| found.len() < COMMANDS_COUNT_MAX) {
            match statement {
                Statement::Do(value) => found.push(*value),
                Statement::If { then, otherwise, .. } => {
                    open.extend(then.iter().chain(otherwise).take(COMMANDS_COUNT_MAX));
                }
                Statement::Loop { body, .. } => open.extend(body.iter().take(COMMANDS_COUNT_MAX)),
                Statement::Any(ways) => open.extend(ways.iter().flatten().take(COMMANDS_COUNT_MAX)),
                _ => {}
            }
        }
        let at = self.at;
        (!found.is_empty()).then(|| self.push(ExprKind::Either(found), at))
    }

    /// One command or group. Its call, where it is a simple one.
    fn command(&mut self, out: &mut Block, input: Option<ExprId>) -> Option<ExprId> {
        const COMPOUND: [&str; 9] = ["if", "while", "until", "for", "select", "case", "function", "{", "!"];
        if !self.builder.deeper() {
            self.at = self.end;
            return None;
        }
        let value = if let Some(word) = self.keyword(&COMPOUND) {
            self.at += word.len();
            let outer = std::mem::replace(&mut self.stdin, input);
            self.compound(word, out);
            self.stdin = outer;
            self.redirected(out)
        } else if self.starts("((") {
            self.at += memchr::memmem::find(self.rest(), b"))").map_or(self.rest().len(), |n| n + 2);
            None
        } else if self.peek() == Some(b'(') {
            self.at += 1;
            let outer = std::mem::replace(&mut self.stdin, input);
            self.list(out, &[")"]);
            self.closing(")");
            self.stdin = outer;
            self.redirected(out)
        } else {
            self.simple(out, input)
        };
        self.builder.higher();
        value
    }

    fn compound(&mut self, word: &str, out: &mut Block) {
        match word {
            "{" => {
                self.list(out, &["}"]);
                self.closing("}");
            }
            "!" => {
                self.blanks();
                let input = self.stdin;
                let value = self.command(out, input);
                out.extend(value.map(Statement::Do));
            }
            "if" => self.branch(out),
            "while" | "until" => {
                let mut body = Vec::new();
                self.list(&mut body, &["do"]);
                self.closing("do");
                self.list(&mut body, &["done"]);
                self.closing("done");
                out.push(Statement::Loop { test: None, body });
            }
            "for" | "select" => self.each(out),
            "case" => self.case(out),
            _ => {
                self.blanks();
                let name = self.name();
                self.blanks();
                if self.starts("()") {
                    self.at += 2;
                }
                self.function(&name, out);
            }
        }
    }

    fn branch(&mut self, out: &mut Block) {
        self.list(out, &["then"]);
        self.closing("then");
        let test = self.push(ExprKind::Other(Vec::new()), self.at);
        let mut then = Vec::new();
        self.list(&mut then, &["elif", "else", "fi"]);
        // A chain of `elif` is no deeper than one: each is a way of its own.
        let mut ways = Vec::new();
        while self.keyword(&["elif"]).is_some() {
            self.at += "elif".len();
            let mut way = Vec::new();
            self.list(&mut way, &["then"]);
            self.closing("then");
            self.list(&mut way, &["elif", "else", "fi"]);
            ways.push(way);
        }
        if self.keyword(&["else"]).is_some() {
            self.at += "else".len();
            let mut last = Vec::new();
            self.list(&mut last, &["fi"]);
            ways.push(last);
        }
        self.closing("fi");
        let otherwise = if ways.is_empty() { Vec::new() } else { vec![Statement::Any(ways)] };
        out.push(Statement::If { test, then, otherwise });
    }

    fn each(&mut self, out: &mut Block) {
        self.blanks();
        let (start, name) = (self.at, self.name());
        let var = self.var(&name);
        let span = self.span(start);
        self.separators();
        let mut items = Vec::new();
        if self.keyword(&["in"]).is_some() {
            self.at += 2;
            self.blanks();
            while !matches!(self.peek(), None | Some(b'\n' | b';' | b'&' | b'|' | b')')) {
                let Some(item) = self.word() else { break };
                if items.len() < WORDS_COUNT_MAX {
                    items.push(item);
                }
                self.blanks();
            }
        }
        out.append(&mut self.before);
        let of = self.builder.push(ExprKind::List(items), span);
        let each = self.builder.push(ExprKind::Index { of, key: None }, span);
        let target = self.builder.push(ExprKind::Var(var), span);
        let mut body = vec![assign(target, each)];
        self.separators();
        self.closing("do");
        self.list(&mut body, &["done"]);
        self.closing("done");
        out.push(Statement::Loop { test: None, body });
    }

    fn case(&mut self, out: &mut Block) {
        self.blanks();
        self.word();
        out.append(&mut self.before);
        self.separators();
        if self.keyword(&["in"]).is_some() {
            self.at += 2;
        }
        let mut ways = Vec::new();
        loop {
            self.separators();
            if self.peek().is_none() || self.keyword(&["esac"]).is_some() {
                break;
            }
            // The pattern is not code.
            self.at += memchr::memchr(b')', self.rest()).map_or(self.rest().len(), |n| n + 1);
            let mut way = Vec::new();
            self.list(&mut way, &[";;", "esac"]);
            if self.starts(";;") {
                self.at += 2;
            }
            ways.push(way);
        }
        self.closing("esac");
        out.push(Statement::Any(ways));
    }

    /// `name() { … }`: a function, which a call of its name calls.
    fn function(&mut self, name: &str, out: &mut Block) {
        self.functions.insert(name.to_owned());
        let span = self.span(self.at);
        let (id, before) = self.builder.enter(Some(name), span);
        let mut body = Vec::new();
        self.separators();
        let value = self.command(&mut body, None);
        body.extend(value.map(Statement::Do));
        self.builder.leave(before);
        self.builder.function_mut(id).body = body;
        let var = self.var(name);
        let target = self.builder.push(ExprKind::Var(var), span);
        let value = self.builder.push(ExprKind::Function(id), span);
        out.push(assign(target, value));
    }

    /// What stands behind a group: redirections, as a call of `{`.
    fn redirected(&mut self, out: &mut Block) -> Option<ExprId> {
        let start = self.at;
        let mut args = Vec::new();
        loop {
            self.blanks();
            let Some(arg) = self.redirection() else { break };
            args.push(arg);
        }
        out.append(&mut self.before);
        if args.is_empty() {
            return None;
        }
        let callee = self.push(ExprKind::Free("{".to_owned()), start);
        Some(self.push(ExprKind::Call { callee, args, new: false }, start))
    }

    /// Assignments, words and redirections.
    fn simple(&mut self, out: &mut Block, input: Option<ExprId>) -> Option<ExprId> {
        let start = self.at;
        let (mut words, mut args): (Vec<ExprId>, Vec<Arg>) = (Vec::new(), Vec::new());
        if let Some(value) = input {
            args.push(Arg { name: Some("stdin".to_owned()), value });
        }
        loop {
            self.blanks();
            if let Some(arg) = self.redirection() {
                args.push(arg);
                continue;
            }
            match self.peek() {
                Some(b'(') if words.len() == 1 && self.starts("()") => {
                    let name = self.builder.unit().text(words[0]).unwrap_or_default().to_owned();
                    self.at += 2;
                    self.function(&name, out);
                    return None;
                }
                Some(b'(') => {
                    self.at += 1;
                    continue;
                }
                None | Some(b'\n' | b';' | b'&' | b'|' | b')') => break,
                _ => {}
            }
            if words.is_empty() && self.assignment(out, true) {
                continue;
            }
            match self.word() {
                Some(word) if words.len() < WORDS_COUNT_MAX => words.push(word),
                Some(_) => {}
                None => break,
            }
        }
        out.append(&mut self.before);
        let span = self.span(start);
        self.call(&words, args, input, span, out)
    }

    fn call(
        &mut self,
        words: &[ExprId],
        mut args: Vec<Arg>,
        input: Option<ExprId>,
        span: Span,
        out: &mut Block,
    ) -> Option<ExprId> {
        // 1. What really runs.
        let (first, spreads) = self.unwrapped(words);
        let Some((&callee, rest)) = words.get(first..).and_then(<[ExprId]>::split_first) else {
            // `> file`, or only assignments.
            if args.iter().all(|arg| Some(arg.value) == input) {
                return None;
            }
            let callee = self.builder.push(ExprKind::Free(":".to_owned()), span);
            return Some(self.builder.push(ExprKind::Call { callee, args, new: false }, span));
        };
        // 2. `read a b` assigns what comes in.
        let called = self.builder.unit().text(callee).map(str::to_owned);
        if called.as_deref() == Some("read") {
            self.read_into(rest, input, span, out);
            return None;
        }
        // 3. The call.
        let callee = match called {
            Some(called) if self.functions.contains(&called) => {
                let var = self.var(&called);
                self.builder.push(ExprKind::Var(var), span)
            }
            Some(called) => self.builder.push(ExprKind::Free(called), span),
            None => callee,
        };
        let positional = rest.iter().map(|&value| Arg { name: None, value });
        let spread = input.filter(|_| spreads).map(|value| Arg { name: None, value });
        args.splice(0..0, positional.chain(spread));
        Some(self.builder.push(ExprKind::Call { callee, args, new: false }, span))
    }

    /// Position of the word that really runs, and whether its input becomes its arguments.
    fn unwrapped(&self, words: &[ExprId]) -> (usize, bool) {
        let unit = self.builder.unit();
        let (mut first, mut spreads) = (0, false);
        while let Some(word) = words.get(first).and_then(|&word| unit.text(word)) {
            let word = word.rsplit('/').next().unwrap_or(word);
            if !WRAPPERS.contains(&word) {
                break;
            }
            let skipped = |&&id: &&ExprId| match unit.text(id) {
                None => false,
                Some(text) => {
                    text.starts_with('-')
                        || text.contains('=')
                        || word == "timeout" && text.starts_with(|c: char| c.is_ascii_digit())
                }
            };
            let next = first + 1 + words[first + 1..].iter().take_while(skipped).count();
            if next >= words.len() {
                break;
            }
            spreads |= word == "xargs";
            first = next;
        }
        (first, spreads)
    }

    fn read_into(&mut self, words: &[ExprId], input: Option<ExprId>, span: Span, out: &mut Block) {
        let of = input.unwrap_or_else(|| self.builder.push(ExprKind::Free("stdin".to_owned()), span));
        let names: Vec<String> =
            words.iter().filter_map(|&word| self.builder.unit().text(word).map(str::to_owned)).collect();
        for name in names.iter().filter(|name| !name.starts_with('-')) {
            let var = self.var(name);
            let target = self.builder.push(ExprKind::Var(var), span);
            let value = self.builder.push(ExprKind::Index { of, key: None }, span);
            out.push(assign(target, value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::on_large_stack;
    use crate::code::show::show;

    #[test]
    fn commands_are_calls() {
        insta::assert_snapshot!(show(&read("run.sh", include_str!("shell/example.sh").to_owned())));
    }

    #[test]
    fn hostile_texts_end() {
        on_large_stack(|| {
            for piece in [
                "$(",
                "`",
                "\"",
                "'",
                "((",
                "{ ",
                "if ",
                "a|",
                "<<E\n",
                "<(",
                "${",
                "x=(",
                "f() ",
                "case a in ",
                "$((",
                "\\",
                "! ",
                "export ",
                "a <<E <<F\n",
            ] {
                let unit = crate::code::read("x.sh", piece.repeat(20_000).as_bytes()).unwrap();
                assert!(!unit.functions.is_empty(), "{piece}");
            }
        });
    }
}
