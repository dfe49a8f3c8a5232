//! Texts in code that no registration is known to use, but that speak like orders to a model.
//!
//! In: all constant texts of a stranger's server. Out: those that may reach a model on a way that was not understood:
//! through a decorator, a helper, an update while the server runs, a result. They are only told where they are orders
//! beyond doubt. Patterns, what is compared and what goes to a log are left out.

use std::cell::OnceCell;
use std::collections::HashSet;

use memchr::memmem::Finder;
use serde_json::Value;

use super::Reader;
use super::value::last;
use crate::code::facts::{Arg, ExprId, ExprKind, Language, Statement, Unit};
use crate::code::program::UnitId;
use crate::texts::{ModelText, Reach, Subject, TextKind};

/// Shortest text that may be an order, in bytes.
const BYTES_MIN: usize = 36;
/// Longest text that is looked at, in bytes.
const BYTES_MAX: usize = 16 << 10;
/// Most texts of one bundle.
const COUNT_MAX: usize = 600;
/// Deepest expression that is put together.
const DEPTH_MAX: u32 = 10;
/// Letters without a space that may be something encoded.
const ENCODED_BYTES_MIN: usize = 60;

/// Calls whose texts are patterns, are compared, or go to a log, a shell or a database.
const APART: [&str; 48] = [
    "compile",
    "RegExp",
    "match",
    "search",
    "test",
    "findall",
    "finditer",
    "fullmatch",
    "sub",
    "subn",
    "startsWith",
    "startswith",
    "endsWith",
    "endswith",
    "includes",
    "indexOf",
    "find",
    "count",
    "log",
    "debug",
    "info",
    "warn",
    "warning",
    "error",
    "exception",
    "critical",
    "trace",
    "print",
    "assert",
    "equal",
    "assertEqual",
    "expect",
    "toBe",
    "execute",
    "query",
    "executescript",
    "add_argument",
    "ArgumentParser",
    "option",
    "echo",
    "secho",
    "usage",
    "skip",
    "it",
    "describe_test",
    "fixture",
    "mark",
    "fatal",
];

/// Words of which an order to a model has one at least, in any of the languages that are read by their words.
const ADDRESSED: [&str; 22] = [
    "user",
    "human",
    "assistant",
    "model",
    "instruction",
    "prompt",
    "conversation",
    "chat",
    "~/",
    ".env",
    "ssh",
    "password",
    "token",
    "secret",
    "credential",
    "tool",
    "consent",
    "reveal",
    "never ",
    "ignore",
    "disregard",
    "key",
];

/// Names under which texts for models stand.
const TOLD: [&str; 16] = [
    "description",
    "instructions",
    "title",
    "prompt",
    "content",
    "text",
    "message",
    "summary",
    "help",
    "doc",
    "__doc__",
    "hint",
    "note",
    "about",
    "system",
    "usage",
];

/// Whom a vendored text must speak of.
const ADDRESSEES: [&str; 2] = ["the user", "the human"];
/// Decorators that register nothing.
const PLAIN: [&str; 22] = [
    "property",
    "staticmethod",
    "classmethod",
    "dataclass",
    "lru_cache",
    "cache",
    "cached_property",
    "fixture",
    "wraps",
    "overload",
    "abstractmethod",
    "contextmanager",
    "asynccontextmanager",
    "override",
    "setter",
    "getter",
    "command",
    "option",
    "group",
    "final",
    "field_validator",
    "validator",
];

impl Reader<'_> {
    /// Adds a subject for each file with such texts.
    pub(super) fn loose(&mut self, own: &dyn Fn(&Unit) -> bool) {
        let program = self.program;
        let mut known: HashSet<String> =
            self.found.iter().flat_map(|subject| &subject.texts).map(|text| text.text.clone()).collect();
        let parameters: Vec<String> = self.found.iter().flat_map(|subject| subject.parameters.clone()).collect();
        let mut left = COUNT_MAX;
        // What only tests hold is told by nobody; made when it is asked for.
        let reached: OnceCell<HashSet<UnitId>> = OnceCell::new();
        let runs = |id: &UnitId| {
            let others = || program.units().filter(|(_, unit)| !is_of_tests(&unit.path)).map(|(id, _)| id);
            reached.get_or_init(|| program.closure(others()).into_iter().collect()).contains(id)
        };
        for (id, unit) in program.units().filter(|(_, unit)| unit.language != Language::Shell) {
            let vendored = !own(unit);
            if vendored && !ADDRESSEES.iter().any(|who| Finder::new(who).find(unit.source.as_bytes()).is_some()) {
                continue;
            }
            if vendored && is_of_tests(&unit.path) && !runs(&id) {
                continue;
            }
            let all = self.texts_of(id, unit, vendored);
            for (reach, text, line) in all {
                if left == 0 {
                    return;
                }
                if !known.insert(text.clone()) {
                    continue;
                }
                left -= 1;
                let (file, place, name) = (unit.path.clone(), "text".to_owned(), unit.path.clone());
                let texts = vec![ModelText { kind: TextKind::Description, file, line: Some(line), place, text }];
                self.found.push(Subject { name, tool: false, parameters: parameters.clone(), texts, reach });
            }
        }
    }

    /// The texts of a file that may be orders, with their lines.
    fn texts_of(&mut self, id: UnitId, unit: &Unit, vendored: bool) -> Vec<(Reach, String, u32)> {
        let mut found = Vec::new();
        // 1. What may be one by itself.
        let all = (0..unit.exprs.len()).map(|at| ExprId(u32::try_from(at).unwrap_or(u32::MAX)));
        let mut candidates: Vec<ExprId> = all
            .filter(|&expr| match unit.expr(expr) {
                ExprKind::Text(text) => may_be_order(text, vendored),
                ExprKind::Join(parts) => {
                    parts.iter().any(|&part| unit.text(part).is_some_and(|t| t.len() * 2 >= BYTES_MIN))
                }
                _ => false,
            })
            .collect();
        // 2. What stands under a name for such texts, and what no model reads.
        if !candidates.is_empty() {
            let (apart, told) = (apart(unit), told(unit));
            candidates.extend(told.iter().filter(|&&expr| matches!(unit.expr(expr), ExprKind::Call { .. })));
            candidates.retain(|expr| !apart.contains(expr));
            candidates.sort_unstable();
            candidates.dedup();
            for expr in candidates {
                if self.steps == 0 {
                    break;
                }
                if let Value::String(text) = self.json(id, expr, DEPTH_MAX)
                    && may_be_order(&text, vendored)
                {
                    let reach = if told.contains(&expr) && !vendored { Reach::Likely } else { Reach::Possible };
                    found.push((reach, text, unit.span(expr).line));
                }
            }
        }
        // 3. A decorator of the server's own may register what it stands above.
        if !vendored && unit.language == Language::Python {
            for function in &unit.functions {
                let registering = function.decorators.iter().any(|&decorator| {
                    let callee = match unit.expr(decorator) {
                        ExprKind::Call { callee, .. } => *callee,
                        _ => decorator,
                    };
                    !PLAIN.contains(&last(unit, callee))
                });
                let doc = function.doc.as_ref().filter(|doc| registering && may_be_order(doc, false));
                found.extend(doc.map(|doc| (Reach::Likely, doc.clone(), function.span.line + 1)));
            }
        }
        found
    }
}

/// Whether a file is called as tests are.
fn is_of_tests(path: &str) -> bool {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
    folders.split('/').any(|part| matches!(part, "test" | "tests" | "__tests__" | "spec" | "specs"))
        || ending == "py" && (stem == "conftest" || stem.starts_with("test_") || stem.ends_with("_test"))
        || ending != "py" && matches!(stem.rsplit_once('.'), Some((_, "test" | "spec")))
}

/// Expressions that stand under a name like `description`.
fn told(unit: &Unit) -> HashSet<ExprId> {
    let named = |name: &str| TOLD.contains(&name);
    let mut found = HashSet::new();
    for expr in &unit.exprs {
        match &expr.kind {
            ExprKind::Dict(members) => found.extend(
                members.iter().filter(|(key, _)| key.and_then(|key| unit.text(key)).is_some_and(named)).map(|m| m.1),
            ),
            ExprKind::Call { args, .. } => {
                found.extend(args.iter().filter(|arg| arg.name.as_deref().is_some_and(named)).map(|arg| arg.value));
            }
            _ => {}
        }
    }
    for function in &unit.functions {
        assigned(unit, &function.body, &mut found);
    }
    found
}

/// What is assigned to such a name: `inner.__doc__ = …`.
fn assigned(unit: &Unit, body: &[Statement], found: &mut HashSet<ExprId>) {
    for statement in body {
        match statement {
            Statement::Assign { target, value } => {
                if matches!(unit.expr(*target), ExprKind::Member { name, .. } if TOLD.contains(&name.as_str())) {
                    found.insert(*value);
                }
            }
            Statement::If { then, otherwise, .. } => {
                assigned(unit, then, found);
                assigned(unit, otherwise, found);
            }
            Statement::Loop { body, .. } => assigned(unit, body, found),
            Statement::Any(ways) => ways.iter().for_each(|way| assigned(unit, way, found)),
            _ => {}
        }
    }
}

/// Expressions that are parts of a larger text, or that no model reads.
fn apart(unit: &Unit) -> HashSet<ExprId> {
    let mut found = HashSet::new();
    for expr in &unit.exprs {
        match &expr.kind {
            ExprKind::Join(parts) => found.extend(parts),
            ExprKind::Compare { left, right, .. } => found.extend([*left, *right]),
            ExprKind::Dict(members) => found.extend(members.iter().filter_map(|(key, _)| *key)),
            ExprKind::Call { callee, args, .. } if APART.contains(&last(unit, *callee)) => {
                found.extend(args.iter().map(|arg: &Arg| arg.value));
            }
            _ => {}
        }
    }
    for function in &unit.functions {
        found.extend(function.body.iter().filter_map(|statement| match statement {
            Statement::Do(expr) if unit.text(*expr).is_some() => Some(*expr),
            _ => None,
        }));
    }
    found
}

/// Whether a text is long enough for an order, and neither a pattern nor code.
pub(in crate::texts) fn may_be_order(text: &str, vendored: bool) -> bool {
    if !(BYTES_MIN..=BYTES_MAX).contains(&text.len()) {
        return false;
    }
    let words = text.split_whitespace().count();
    if text.is_ascii() {
        if words == 1 {
            return !vendored
                && text.len() >= ENCODED_BYTES_MIN
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'-' | b'_'));
        }
        if words < 5 {
            return false;
        }
        let lower = text.to_ascii_lowercase();
        if !ADDRESSED.iter().any(|word| lower.contains(word))
            || vendored && !ADDRESSEES.iter().any(|who| lower.contains(who))
        {
            return false;
        }
    } else if vendored {
        return false;
    }
    !is_pattern(text)
}

/// A regular expression, SQL, markup or a script.
fn is_pattern(text: &str) -> bool {
    const SIGNS: [&str; 12] =
        ["\\s", "\\b", "(?", ".*", ".+?", "[^", "SELECT", "INSERT ", "CREATE TABLE", "</div", "</script", "function ("];
    SIGNS.iter().filter(|sign| text.contains(**sign)).count() > 0 && !text.contains("\\s ")
}
