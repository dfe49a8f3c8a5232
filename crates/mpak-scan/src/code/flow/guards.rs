//! What a test proves about the values that it looks at.
//!
//! Tests that work: membership in a fixed set, equality with a constant, a whole-text match of a strict
//! pattern, containment of a resolved path by components, the host of a parsed URL in a fixed set. Tests that
//! do not work prove nothing: a prefix without separator, a path that is not resolved, a deny list.

use super::super::facts::{Arg, Comparison, ExprId, ExprKind};
use super::super::program::Meaning;
use super::super::shapes;
use super::env::Changes;
use super::value::{Resolved, Safe, Source, Value};
use super::{Engine, Place, sinks};

mod absent;
mod proven;

pub(super) use proven::Proof;

/// Deepest nesting of tests that is looked into.
const DEPTH_MAX: u32 = 12;

/// Most tests that are looked at inside each other.
const PROVING_DEPTH_MAX: u32 = 12;

/// Most parts of one test that are looked at: one part may stand in many others.
const TESTS_COUNT_MAX: u32 = 4_000;

/// Whether a property of an address, come out like this, keeps inner hosts away.
fn refuses_inner_hosts(name: &str, holds: bool) -> bool {
    matches!((name, holds), ("is_private", false) | ("is_global", true))
}

impl Engine<'_> {
    /// Remembers what holds when a test came out like this.
    pub(super) fn prove(&mut self, place: Place, test: ExprId, holds: bool) {
        // What a test says may be computed by expressions with tests of their own, in circles.
        if self.proving < PROVING_DEPTH_MAX {
            if self.proving == 0 {
                self.tests_left = TESTS_COUNT_MAX;
            }
            self.proving += 1;
            self.prove_deep(place, test, holds, DEPTH_MAX);
            self.proving -= 1;
        }
    }

    fn prove_deep(&mut self, place: Place, test: ExprId, holds: bool, depth: u32) {
        let Some(depth) = depth.checked_sub(1) else { return };
        self.spend(1);
        let Some(left) = self.tests_left.checked_sub(1) else {
            self.cut = true;
            return;
        };
        self.tests_left = left;
        if !self.may_go_on() {
            return;
        }
        let unit = self.program.unit(place.unit);
        match unit.expr(test) {
            ExprKind::Not(inner) => self.prove_deep(place, *inner, !holds, depth),
            ExprKind::All(parts) if holds => parts.iter().for_each(|&part| self.prove_deep(place, part, true, depth)),
            ExprKind::Either(parts) if !holds => {
                parts.iter().for_each(|&part| self.prove_deep(place, part, false, depth));
            }
            // One of them holds, nobody knows which.
            ExprKind::All(parts) | ExprKind::Either(parts) => self.one_of(place, parts, holds, depth),
            ExprKind::Compare { op, left, right } => self.compared(place, *op, (*left, *right), holds, depth),
            ExprKind::Call { callee, args, .. } => self.called(place, test, *callee, args, holds, depth),
            ExprKind::Var(var) => {
                if let &[only] = self.program.definitions(place.unit, *var) {
                    self.prove_deep(place, only, holds, depth);
                    if !holds {
                        self.none_left(place, only);
                    }
                }
                // A text that counts as false is empty.
                if !holds {
                    self.mark(place, test, Safe::ALL);
                }
            }
            // `if (refused.length)`
            ExprKind::Member { of, name } if !holds && matches!(name.as_str(), "length" | "size") => {
                self.none_left(place, *of);
            }
            // `address.is_private`, and nothing was refused by it; `address.is_global`.
            ExprKind::Member { of, name } if refuses_inner_hosts(name, holds) => {
                let value = self.eval(place, *of);
                for taint in &value.taints {
                    self.env.prove(taint.origin, Safe::HOST.and(Safe::OPENER));
                }
            }
            // Of a list of tests, as `any(…)` takes it.
            ExprKind::List(items) if items.len() == 1 => self.prove_deep(place, items[0], holds, depth),
            _ => {}
        }
    }

    /// That nothing is left of a list from which elements were picked by a test: the test fails for all of them.
    fn none_left(&mut self, place: Place, list: ExprId) {
        let (unit, list) = self.program.value(place.unit, list);
        if unit != place.unit {
            return;
        }
        let source = self.program.unit(unit);
        match source.expr(list) {
            // `[name for name in names if name not in KNOWN]`
            ExprKind::List(items) if items.len() == 1 => {
                if let Some(&[test]) = source.kept.get(&items[0]).map(Vec::as_slice) {
                    let around = std::mem::replace(&mut self.of_each, true);
                    self.prove(place, test, false);
                    self.of_each = around;
                }
            }
            ExprKind::Call { callee, args, .. } => {
                let (ExprKind::Member { of, name }, Some(arg)) = (source.expr(*callee), args.first()) else { return };
                match name.as_str() {
                    // `names.filter((name) => !KNOWN.has(name))`
                    "filter" => {
                        let meaning = self.program.meaning(place.unit, place.function, arg.value);
                        if let Meaning::Function(inner, function) = meaning {
                            let list = self.eval(place, *of);
                            let element = self.part(&list, None);
                            self.answered(false, |engine| {
                                engine.call_function(inner, function, vec![element]);
                            });
                        }
                    }
                    "difference" if self.is_fixed(place, arg.value) => self.mark_elements(place, *of),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// Marks the elements of a list, or of the set that is made of it, as those of a fixed set.
    fn mark_elements(&mut self, place: Place, list: ExprId) {
        let value = self.eval(place, list);
        let element = self.part(&value, None);
        for taint in value.taints.iter().chain(&element.taints) {
            self.env.prove(taint.origin, Safe::ALL);
        }
    }

    /// What each of some tests proves that may be the one that holds.
    fn one_of(&mut self, place: Place, parts: &[ExprId], holds: bool, depth: u32) {
        let layer = self.env.open();
        let mut all: Option<Changes> = None;
        for &part in parts {
            self.prove_deep(place, part, holds, depth);
            let changes = self.env.restart(layer);
            self.charge(changes.count() + all.as_ref().map_or(0, Changes::count));
            all = Some(match all {
                Some(all) => self.env.either(all, changes),
                None => changes,
            });
        }
        self.env.close(layer, all.unwrap_or_default());
    }

    fn compared(&mut self, place: Place, op: Comparison, (left, right): (ExprId, ExprId), holds: bool, depth: u32) {
        let equal = matches!((op, holds), (Comparison::Equal, true) | (Comparison::Unequal, false));
        let within = matches!((op, holds), (Comparison::In, true) | (Comparison::NotIn, false));
        let unit = self.program.unit(place.unit);
        // `pattern.fullmatch(x) is None`
        if matches!(op, Comparison::Equal | Comparison::Unequal)
            && matches!(unit.expr(right), ExprKind::Nothing)
            && matches!(unit.expr(left), ExprKind::Call { .. } | ExprKind::Var(_))
        {
            return self.prove_deep(place, left, !equal, depth);
        }
        // `refused.length > 0`, `len(refused) == 0`
        let none = equal || matches!((op, holds), (Comparison::More, false) | (Comparison::AtMost, true));
        if none && matches!(unit.expr(right), ExprKind::Number(number) if *number == 0.0) {
            if let ExprKind::Call { callee, args, .. } = unit.expr(left)
                && matches!(unit.expr(*callee), ExprKind::Free(name) if name == "len")
                && let Some(arg) = args.first()
            {
                self.none_left(place, arg.value);
            }
            if let ExprKind::Member { of, name } = unit.expr(left)
                && matches!(name.as_str(), "length" | "size")
            {
                self.none_left(place, *of);
            }
        }
        // `".." not in name`, `"/" not in name`, `".." not in path.parts`
        if matches!((op, holds), (Comparison::In, false) | (Comparison::NotIn, true))
            && let Some(text) = unit.text(left)
        {
            let subject = match unit.expr(right) {
                ExprKind::Member { of, name } if name == "parts" => *of,
                _ => right,
            };
            return self.without_text(place, text, subject);
        }
        if !equal && !within {
            return;
        }
        // `basename(x) === x`
        if equal && (self.is_unchanged(place, left, right) || self.is_unchanged(place, right, left)) {
            return;
        }
        // `typeof x === "number"`
        if equal
            && let ExprKind::Call { callee, args, .. } = unit.expr(left)
            && matches!(unit.expr(*callee), ExprKind::Free(name) if name == "typeof")
        {
            if matches!(unit.text(right), Some("number" | "boolean" | "bigint"))
                && let Some(arg) = args.first()
            {
                self.mark(place, arg.value, Safe::ALL);
            }
            return;
        }
        // `commonpath([root, path]) == root`, `root in path.parents`
        for test in [left, right] {
            if self.is_containment(place, test, equal) {
                return;
            }
        }
        // `relative(root, path) === ""`: the root itself.
        if equal && unit.text(right) == Some("") && self.is_below(place, left) {
            return;
        }
        // A fixed set, or a constant, on one side.
        for (subject, fixed) in [(left, right), (right, left)] {
            if within && subject == right {
                continue;
            }
            if self.is_fixed(place, fixed) && !self.is_fixed(place, subject) {
                self.mark_subject(place, subject);
                return;
            }
        }
    }

    /// `basename(x) === x`: what the function makes safe was so before.
    fn is_unchanged(&mut self, place: Place, made: ExprId, from: ExprId) -> bool {
        let unit = self.program.unit(place.unit);
        let ExprKind::Call { callee, args, .. } = unit.expr(made) else { return false };
        let (Some(arg), ExprKind::Var(var)) = (args.first(), unit.expr(from)) else { return false };
        let path = self.program.outside(place.unit, place.function, *callee).unwrap_or_default();
        let same = matches!(unit.expr(arg.value), ExprKind::Var(other) if other == var);
        match sinks::effect(&path) {
            Some(sinks::Effect::Makes(safe)) if same => {
                self.mark(place, from, safe);
                true
            }
            _ => false,
        }
    }

    /// Marks the path of a test of containment.
    fn is_containment(&mut self, place: Place, test: ExprId, equal: bool) -> bool {
        let unit = self.program.unit(place.unit);
        match unit.expr(test) {
            ExprKind::Call { callee, args, .. } if equal => {
                let path = self.program.outside(place.unit, place.function, *callee).unwrap_or_default();
                // The folder that it lies in is the one that is wanted.
                if matches!(path.as_str(), "os.path.dirname" | "path.dirname" | "path.posix.dirname")
                    && let Some(arg) = args.first()
                {
                    self.mark_path(place, arg.value);
                    return true;
                }
                if !matches!(path.as_str(), "os.path.commonpath" | "commonpath" | "posixpath.commonpath") {
                    return false;
                }
                let Some(ExprKind::List(parts)) = args.first().map(|arg| unit.expr(arg.value)) else { return false };
                for &part in parts {
                    self.mark_path(place, part);
                }
                true
            }
            ExprKind::Member { of, name } if name == "parents" || equal && name == "parent" => {
                self.mark_path(place, *of);
                true
            }
            _ => false,
        }
    }

    /// Whether no outsider chooses any of it.
    fn is_fixed(&mut self, place: Place, expr: ExprId) -> bool {
        let value = self.eval(place, expr);
        let items = value.items.iter().flat_map(|items| items.iter());
        let fields = value.fields.iter().flat_map(|fields| fields.values());
        // Whoever starts the server may fix things.
        let fixed = |value: &Value| value.taints.iter().all(|taint| taint.source == Source::Environment);
        fixed(&value) && items.chain(fields).all(fixed)
    }

    fn called(&mut self, place: Place, test: ExprId, callee: ExprId, args: &[Arg], holds: bool, depth: u32) {
        let unit = self.program.unit(place.unit);
        // A function of the bundle that gives back what a test says.
        if let Meaning::Function(..) = self.program.meaning(place.unit, place.function, callee) {
            self.proven_inside(place, test, callee, args, holds);
            return;
        }
        let path = self.program.outside(place.unit, place.function, callee).unwrap_or_default();
        let first = args.first().map(|arg| arg.value);
        if let Some(first) = first {
            match path.as_str() {
                // That one character is harmless says nothing of the others.
                "any" if holds && self.is_of_one_character(place, first) => return,
                "any" | "all" => {
                    let around = std::mem::replace(&mut self.of_each, true);
                    self.prove_deep(place, first, holds, depth);
                    self.of_each = around;
                    return;
                }
                "isinstance" if holds => {
                    let kind = args.get(1).map(|arg| unit.expr(arg.value));
                    let number = |kind: &ExprKind| matches!(kind, ExprKind::Free(name) if matches!(name.as_str(), "int" | "float" | "bool"));
                    let numbers = match kind {
                        Some(ExprKind::List(kinds)) => kinds.iter().all(|&kind| number(unit.expr(kind))),
                        Some(kind) => number(kind),
                        None => false,
                    };
                    if numbers {
                        self.mark(place, first, Safe::ALL);
                    }
                    return;
                }
                "os.path.isabs" | "path.isAbsolute" | "path.posix.isAbsolute" | "path.win32.isAbsolute" if !holds => {
                    return self.mark(place, first, Safe::ROOTLESS);
                }
                "re.search" | "re.match" if !holds => {
                    if let (Some(pattern), Some(subject)) = (unit.text(first), args.get(1)) {
                        let (pattern, subject) = (pattern.to_owned(), subject.value);
                        self.without_match(place, &pattern, subject);
                    }
                    return;
                }
                "Number.isInteger" | "Number.isFinite" | "Number.isSafeInteger" if holds => {
                    return self.mark(place, first, Safe::ALL);
                }
                "re.fullmatch" | "re.match" if holds => {
                    if let (Some(pattern), Some(subject)) = (unit.text(first), args.get(1))
                        && shapes::is_whole(pattern, path == "re.fullmatch")
                    {
                        let subject = subject.value;
                        self.mark_matched(place, pattern, subject);
                    }
                    return;
                }
                _ => {}
            }
        }
        let ExprKind::Member { of, name } = unit.expr(callee) else { return };
        let (of, name) = (*of, name.clone());
        self.method_test(place, (of, &name), args, holds);
    }

    /// `c.isalnum() for c in text`, `c in LETTERS for c in text`.
    fn is_of_one_character(&mut self, place: Place, test: ExprId) -> bool {
        let unit = self.program.unit(place.unit);
        match unit.expr(test) {
            ExprKind::List(items) if items.len() == 1 => self.is_of_one_character(place, items[0]),
            ExprKind::Call { callee, args, .. } => match unit.expr(*callee) {
                ExprKind::Member { name, .. } => args.is_empty() && name.starts_with("is"),
                _ => false,
            },
            ExprKind::Compare { op: Comparison::In, left, right } => {
                matches!(unit.expr(*left), ExprKind::Var(_)) && self.is_fixed(place, *right)
            }
            _ => false,
        }
    }

    fn method_test(&mut self, place: Place, (of, name): (ExprId, &str), args: &[Arg], holds: bool) {
        let first = args.first().map(|arg| arg.value);
        match (name, first) {
            ("includes" | "has" | "contains" | "indexOf", Some(subject)) if holds && self.is_fixed(place, of) => {
                self.mark_subject(place, subject);
            }
            ("includes" | "contains" | "__contains__", Some(refused)) if !holds && !self.is_fixed(place, of) => {
                if let Some(text) = self.program.unit(place.unit).text(refused) {
                    self.without_text(place, text, of);
                }
            }
            ("is_absolute", None) if !holds => self.mark(place, of, Safe::ROOTLESS),
            ("some" | "every", Some(function)) => {
                let element = self.eval(place, of);
                if let Meaning::Function(inner, function) = self.program.meaning(place.unit, place.function, function) {
                    let element = self.part(&element, None);
                    self.answered(holds, |engine| {
                        engine.call_function(inner, function, vec![element]);
                    });
                }
            }
            ("isalnum" | "isidentifier" | "isdigit" | "isnumeric" | "isdecimal" | "isalpha", None) if holds => {
                self.mark(place, of, Safe::ALL);
            }
            ("isUUID" | "isInt" | "isNumeric" | "isAlphanumeric" | "isAlpha" | "isHexadecimal", Some(subject))
                if holds =>
            {
                self.mark(place, subject, Safe::ALL);
            }
            ("isIP" | "isIPv4" | "isIPv6", Some(subject)) if holds => {
                self.mark(place, subject, Safe::ALL.without(Safe::HOST));
            }
            ("issubset" | "isSubsetOf", Some(set)) if holds && self.is_fixed(place, set) => {
                self.mark_elements(place, of);
            }
            ("issuperset" | "isSupersetOf", Some(list)) if holds && self.is_fixed(place, of) => {
                self.mark_elements(place, list);
            }
            ("is_relative_to", Some(root)) if holds && !self.is_chosen(place, root) => self.mark_path(place, of),
            // `host.endsWith(".example.com")`: a domain of one's own.
            ("endswith" | "endsWith", Some(suffix)) if holds => {
                let suffix = self.eval(place, suffix);
                let own = |text: &str| text.starts_with('.') && text.len() > 3;
                // Whoever starts the server may name the domain.
                let named = suffix.prefix.as_deref() == Some(".") || suffix.text.as_deref().is_some_and(own);
                let fixed = suffix.taints.iter().all(|taint| taint.source == Source::Environment);
                if named && fixed {
                    self.mark_host(place, of);
                }
            }
            ("startswith" | "startsWith", Some(prefix)) => self.prefix_test(place, of, prefix, holds),
            ("test" | "search" | "exec", Some(subject)) if !holds => {
                if let Some(pattern) = self.pattern(place, of) {
                    self.without_match(place, &pattern, subject);
                }
            }
            ("match", Some(argument)) if !holds => {
                if let Some(pattern) = self.pattern(place, argument) {
                    self.without_match(place, &pattern, of);
                }
            }
            ("test", Some(subject)) if holds => {
                if let Some(pattern) = self.pattern(place, of)
                    && shapes::is_whole(&pattern, false)
                {
                    self.mark_matched(place, &pattern, subject);
                }
            }
            ("match" | "fullmatch", Some(argument)) if holds => {
                // `text.match(/…/)` of JavaScript, `compiled.match(text)` of Python.
                if let Some(pattern) = self.pattern(place, argument) {
                    if shapes::is_whole(&pattern, false) {
                        self.mark_matched(place, &pattern, of);
                    }
                } else if let Some(pattern) = self.pattern(place, of)
                    && shapes::is_whole(&pattern, name == "fullmatch")
                {
                    self.mark_matched(place, &pattern, argument);
                }
            }
            _ => {}
        }
    }

    /// The pattern of a regular expression, literal or compiled.
    pub(super) fn pattern(&self, place: Place, expr: ExprId) -> Option<String> {
        let (unit, expr) = self.program.value(place.unit, expr);
        let source = self.program.unit(unit);
        match source.expr(expr) {
            // With `m` a line is enough.
            ExprKind::Pattern(pattern) => (!source.pattern_flags(expr).contains('m')).then(|| pattern.clone()),
            ExprKind::Call { callee, args, .. } => {
                let path = self.program.outside(unit, place.function, *callee)?;
                let multiline = args.get(1).is_some_and(|flags| {
                    let span = source.span(flags.value);
                    let text = source.source.get(span.start as usize..span.end as usize).unwrap_or_default();
                    text.contains('m') || text.contains("re.M") || text.contains("MULTILINE")
                });
                let named = matches!(path.as_str(), "re.compile" | "RegExp") && !(multiline && path == "RegExp");
                named.then(|| source.text(args.first()?.value).map(str::to_owned))?
            }
            _ => None,
        }
    }

    fn prefix_test(&mut self, place: Place, subject: ExprId, prefix: ExprId, holds: bool) {
        let unit = self.program.unit(place.unit);
        let text = match unit.expr(prefix) {
            ExprKind::Text(text) => Some(text.clone()),
            // `` `..${path.sep}` ``
            ExprKind::Join(parts) if !holds => parts.first().and_then(|&part| unit.text(part)).map(str::to_owned),
            _ => None,
        };
        if !holds {
            match text.as_deref() {
                Some("-") => self.mark(place, subject, Safe::ARGUMENT),
                Some("/") => self.mark(place, subject, Safe::ROOTLESS),
                // `relative(root, path)` that does not climb.
                Some(text) if text.starts_with("..") => {
                    self.is_below(place, subject);
                }
                _ => {}
            }
            return;
        }
        if text.as_deref().is_some_and(sinks::fixes_host) {
            self.mark(place, subject, Safe::HOST.and(Safe::OPENER));
        }
        if self.ends_with_separator(place, prefix) && !self.is_chosen(place, prefix) {
            self.mark_path(place, subject);
        }
    }

    /// What from outside a callee is, by its name or by the value at hand.
    fn outside_at(&mut self, place: Place, callee: ExprId) -> String {
        if let Some(path) = self.program.outside(place.unit, place.function, callee) {
            return path;
        }
        let value = self.eval(place, callee);
        let outside = value.meanings().iter().find_map(|meaning| match meaning {
            Meaning::Outside(path) => Some(path.clone()),
            _ => None,
        });
        outside.unwrap_or_default()
    }

    /// Marks the path of which a text is the way from a root: it does not climb. Whether it is such a way.
    fn is_below(&mut self, place: Place, subject: ExprId) -> bool {
        let (unit, defined) = self.program.value(place.unit, subject);
        if unit != place.unit {
            return false;
        }
        let ExprKind::Call { callee, args, .. } = self.program.unit(unit).expr(defined) else { return false };
        let path = self.outside_at(place, *callee);
        if !matches!(path.as_str(), "path.relative" | "os.path.relpath" | "path.posix.relative" | "path.win32.relative")
        {
            return false;
        }
        // The way is computed from paths without dots, whatever they were before.
        for arg in args {
            self.mark_path_at_least(place, arg.value, Resolved::Dots);
        }
        self.mark(place, subject, Safe::BELOW);
        true
    }

    /// Whether the model chooses some of it, as where the root is a parameter, too.
    fn is_chosen(&mut self, place: Place, expr: ExprId) -> bool {
        let value = self.eval(place, expr);
        value.taints.iter().any(|taint| taint.source == Source::Tool && !self.safe(taint).has(Safe::BELOW))
    }

    /// `root + os.sep`, `root + "/"`, `` `${root}/` ``, `path.join(root, "")` does not count.
    fn ends_with_separator(&self, place: Place, prefix: ExprId) -> bool {
        let (unit, prefix) = self.program.value(place.unit, prefix);
        let source = self.program.unit(unit);
        match source.expr(prefix) {
            ExprKind::Text(text) => text.len() > 1 && text.ends_with(['/', '\\']) && !text.contains("://"),
            ExprKind::Join(parts) => parts.last().is_some_and(|&last| match source.expr(last) {
                ExprKind::Text(text) => text.ends_with(['/', '\\']),
                _ => self
                    .program
                    .outside(unit, place.function, last)
                    .is_some_and(|path| matches!(path.as_str(), "os.sep" | "os.path.sep" | "path.sep")),
            }),
            // `root.replace(/\/?$/, "/")`
            ExprKind::Call { callee, args, .. } => {
                let replaced = matches!(source.expr(*callee), ExprKind::Member { name, .. } if name == "replace");
                let at_end = args.first().is_some_and(|arg| match source.expr(arg.value) {
                    ExprKind::Pattern(pattern) => pattern.ends_with('$'),
                    _ => false,
                });
                replaced
                    && at_end
                    && args.get(1).and_then(|arg| source.text(arg.value)).is_some_and(|t| t == "/" || t == "\\")
            }
            // The separator alone is the root of all folders.
            _ => self
                .program
                .outside(unit, place.function, prefix)
                .is_some_and(|path| matches!(path.as_str(), "os.sep" | "os.path.sep" | "path.sep")),
        }
    }
}
