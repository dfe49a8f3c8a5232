//! What a test proves about the values that it looks at.
//!
//! Tests that work: membership in a fixed set, equality with a constant, a whole-text match of a strict
//! pattern, containment of a resolved path by components, the host of a parsed URL in a fixed set. Tests that
//! do not work prove nothing: a prefix without separator, a path that is not resolved, a deny list.

use super::super::facts::{Arg, Comparison, ExprId, ExprKind};
use super::super::program::Meaning;
use super::value::Safe;
use super::{Engine, Place, sinks};

/// Deepest nesting of tests that is looked into.
const DEPTH_MAX: u32 = 12;

impl Engine<'_> {
    /// Remembers what holds when a test came out like this.
    pub(super) fn prove(&mut self, place: Place, test: ExprId, holds: bool) {
        self.prove_deep(place, test, holds, DEPTH_MAX);
    }

    fn prove_deep(&mut self, place: Place, test: ExprId, holds: bool, depth: u32) {
        let Some(depth) = depth.checked_sub(1) else { return };
        let unit = self.program.unit(place.unit);
        match unit.expr(test) {
            ExprKind::Not(inner) => self.prove_deep(place, *inner, !holds, depth),
            ExprKind::All(parts) if holds => parts.iter().for_each(|&part| self.prove_deep(place, part, true, depth)),
            ExprKind::Either(parts) if !holds => {
                parts.iter().for_each(|&part| self.prove_deep(place, part, false, depth));
            }
            ExprKind::Compare { op, left, right } => self.compared(place, *op, (*left, *right), holds),
            ExprKind::Call { callee, args, .. } => self.called(place, *callee, args, holds, depth),
            ExprKind::Var(var) => {
                if let &[only] = self.program.definitions(place.unit, *var) {
                    self.prove_deep(place, only, holds, depth);
                }
            }
            // Of a list of tests, as `any(…)` takes it.
            ExprKind::List(items) if items.len() == 1 => self.prove_deep(place, items[0], holds, depth),
            _ => {}
        }
    }

    fn compared(&mut self, place: Place, op: Comparison, (left, right): (ExprId, ExprId), holds: bool) {
        let equal = matches!((op, holds), (Comparison::Equal, true) | (Comparison::Unequal, false));
        let within = matches!((op, holds), (Comparison::In, true) | (Comparison::NotIn, false));
        if !equal && !within {
            return;
        }
        let unit = self.program.unit(place.unit);
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

    /// Marks the path of a test of containment.
    fn is_containment(&mut self, place: Place, test: ExprId, equal: bool) -> bool {
        let unit = self.program.unit(place.unit);
        match unit.expr(test) {
            ExprKind::Call { callee, args, .. } if equal => {
                let path = self.program.outside(place.unit, place.function, *callee).unwrap_or_default();
                if !matches!(path.as_str(), "os.path.commonpath" | "commonpath") {
                    return false;
                }
                let Some(ExprKind::List(parts)) = args.first().map(|arg| unit.expr(arg.value)) else { return false };
                for &part in parts {
                    self.mark_path(place, part);
                }
                true
            }
            ExprKind::Member { of, name } if name == "parents" => {
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
        value.taints.is_empty() && items.chain(fields).all(|value| value.taints.is_empty())
    }

    fn called(&mut self, place: Place, callee: ExprId, args: &[Arg], holds: bool, depth: u32) {
        let unit = self.program.unit(place.unit);
        // A function of the bundle that gives back what a test says.
        if let Meaning::Function(inner, function) = self.program.meaning(place.unit, place.function, callee) {
            self.proven_inside(place, (inner, function), args, holds, depth);
            return;
        }
        let path = self.program.outside(place.unit, place.function, callee).unwrap_or_default();
        let first = args.first().map(|arg| arg.value);
        if let Some(first) = first {
            match path.as_str() {
                "any" | "all" => return self.prove_deep(place, first, holds, depth),
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
                "Number.isInteger" | "Number.isFinite" | "Number.isSafeInteger" if holds => {
                    return self.mark(place, first, Safe::ALL);
                }
                "re.fullmatch" | "re.match" if holds => {
                    if let (Some(pattern), Some(subject)) = (unit.text(first), args.get(1))
                        && whole(pattern, path == "re.fullmatch")
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
        self.method_test(place, (of, &name), args, holds, depth);
    }

    fn method_test(&mut self, place: Place, (of, name): (ExprId, &str), args: &[Arg], holds: bool, depth: u32) {
        let first = args.first().map(|arg| arg.value);
        match (name, first) {
            ("includes" | "has" | "contains" | "indexOf", Some(subject)) if holds => {
                if self.is_fixed(place, of) {
                    self.mark_subject(place, subject);
                }
            }
            ("some" | "every", Some(function)) => {
                if let Meaning::Function(inner, function) = self.program.meaning(place.unit, place.function, function) {
                    let inner_place = Place { unit: inner, function };
                    let tests = super::returns(self.program.unit(inner), function);
                    tests.into_iter().for_each(|test| self.prove_deep(inner_place, test, holds, depth));
                }
            }
            ("isalnum" | "isidentifier" | "isdigit" | "isnumeric" | "isdecimal" | "isalpha", None) if holds => {
                self.mark(place, of, Safe::ALL);
            }
            ("is_relative_to", Some(_)) if holds => self.mark_path(place, of),
            ("startswith" | "startsWith", Some(prefix)) => self.prefix_test(place, of, prefix, holds),
            ("test", Some(subject)) if holds => {
                if let Some(pattern) = self.pattern(place, of)
                    && whole(&pattern, false)
                {
                    self.mark_matched(place, &pattern, subject);
                }
            }
            ("match" | "fullmatch", Some(argument)) if holds => {
                // `text.match(/…/)` of JavaScript, `compiled.match(text)` of Python.
                if let Some(pattern) = self.pattern(place, argument) {
                    if whole(&pattern, false) {
                        self.mark_matched(place, &pattern, of);
                    }
                } else if let Some(pattern) = self.pattern(place, of)
                    && whole(&pattern, name == "fullmatch")
                {
                    self.mark_matched(place, &pattern, argument);
                }
            }
            _ => {}
        }
    }

    /// The pattern of a regular expression, literal or compiled.
    fn pattern(&self, place: Place, expr: ExprId) -> Option<String> {
        let (unit, expr) = self.program.value(place.unit, expr);
        let source = self.program.unit(unit);
        match source.expr(expr) {
            ExprKind::Pattern(pattern) => Some(pattern.clone()),
            ExprKind::Call { callee, args, .. } => {
                let path = self.program.outside(unit, place.function, *callee)?;
                let named = matches!(path.as_str(), "re.compile" | "RegExp");
                named.then(|| source.text(args.first()?.value).map(str::to_owned))?
            }
            _ => None,
        }
    }

    fn prefix_test(&mut self, place: Place, subject: ExprId, prefix: ExprId, holds: bool) {
        let unit = self.program.unit(place.unit);
        let text = match unit.expr(prefix) {
            ExprKind::Text(text) => Some(text.clone()),
            _ => None,
        };
        if !holds {
            match text.as_deref() {
                Some("-") => self.mark(place, subject, Safe::ARGUMENT),
                // `relative(root, path)` that does not climb.
                Some(text) if text.starts_with("..") => {
                    let (_, defined) = self.program.value(place.unit, subject);
                    if let ExprKind::Call { callee, args, .. } = unit.expr(defined) {
                        let path = self.program.outside(place.unit, place.function, *callee).unwrap_or_default();
                        if matches!(path.as_str(), "path.relative" | "os.path.relpath" | "path.posix.relative") {
                            for arg in args {
                                self.mark(place, arg.value, Safe::PATH);
                            }
                            self.mark(place, subject, Safe::PATH);
                        }
                    }
                }
                _ => {}
            }
            return;
        }
        if text.as_deref().is_some_and(sinks::fixes_host) {
            self.mark(place, subject, Safe::HOST);
        }
        if self.ends_with_separator(place, prefix) {
            self.mark_path(place, subject);
        }
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
            _ => false,
        }
    }

    /// What a function of the bundle that gives back a test proves of its arguments.
    fn proven_inside(
        &mut self,
        place: Place,
        (unit, function): (super::UnitId, super::FunctionId),
        args: &[Arg],
        holds: bool,
        depth: u32,
    ) {
        let inner = Place { unit, function };
        let source = self.program.unit(unit);
        let found = source.function(function);
        let receiver = usize::from(source.language == super::Language::Python && found.class.is_some());
        let tests: Vec<ExprId> = super::returns(source, function)
            .into_iter()
            .filter(|&test| !matches!(source.expr(test), ExprKind::Bool(value) if *value != holds))
            .collect();
        // Several ways to say yes prove only what each of them proves; one is the common case.
        if let &[test] = tests.as_slice() {
            self.prove_deep(inner, test, holds, depth);
        }
        let params: Vec<_> = found.params.iter().skip(receiver).map(|param| param.var).collect();
        for (arg, param) in args.iter().zip(params) {
            let inner = self.env.vars.get(&(unit, param)).cloned().unwrap_or_default();
            let ExprKind::Var(var) = self.program.unit(place.unit).expr(arg.value) else { continue };
            if let Some(outer) = self.env.vars.get_mut(&(place.unit, *var)) {
                for taint in &mut outer.taints {
                    if let Some(same) = inner.taints.iter().find(|t| t.origin == taint.origin) {
                        taint.safe = taint.safe.and(same.safe);
                    }
                }
            }
        }
    }

    /// `path.relative_to(root)` raises where the path is not below the root.
    pub(super) fn proven_by_call(&mut self, place: Place, expr: ExprId) {
        let unit = self.program.unit(place.unit);
        let ExprKind::Call { callee, .. } = unit.expr(expr) else { return };
        if let ExprKind::Member { of, name } = unit.expr(*callee)
            && name == "relative_to"
        {
            self.mark_path(place, *of);
        }
    }

    fn mark_matched(&mut self, place: Place, pattern: &str, subject: ExprId) {
        if !sinks::is_strict(pattern) {
            return;
        }
        let inner = pattern.trim_start_matches('^');
        let dash = inner.starts_with('-')
            || inner.strip_prefix('[').is_some_and(|c| {
                c.split(']').next().is_some_and(|c| c.ends_with('-') || c.starts_with('-') || c.contains("\\-"))
            });
        let dots = inner.contains('.') && (inner.contains('/') || inner.contains('\\'));
        let mut safe = Safe::ALL;
        if dash {
            safe = safe.without(Safe::ARGUMENT);
        }
        if dots && inner.contains("./") {
            safe = safe.without(Safe::PATH);
        }
        self.mark(place, subject, safe);
    }

    /// A subject that equals something fixed: itself, or the host of what it was parsed from.
    fn mark_subject(&mut self, place: Place, subject: ExprId) {
        let unit = self.program.unit(place.unit);
        let is_host = |name: &str| matches!(name, "hostname" | "host" | "netloc" | "origin");
        match unit.expr(subject) {
            ExprKind::Member { of, name } if is_host(name) => {
                let value = self.eval(place, *of);
                for taint in &value.taints {
                    let proven = self.env.proven.entry(taint.origin).or_default();
                    *proven = proven.and(Safe::HOST);
                }
                self.mark(place, *of, Safe::HOST);
            }
            ExprKind::Var(var) => {
                // `host = urlparse(url).hostname`
                if let &[only] = self.program.definitions(place.unit, *var)
                    && matches!(unit.expr(only), ExprKind::Member { name, .. } if is_host(name))
                {
                    self.mark_subject(place, only);
                }
                self.mark(place, subject, Safe::ALL);
            }
            ExprKind::Member { .. } | ExprKind::Index { .. } => self.mark(place, subject, Safe::ALL),
            ExprKind::Call { callee, .. } => {
                if let ExprKind::Member { of, name } = unit.expr(*callee)
                    && matches!(name.as_str(), "lower" | "strip" | "toLowerCase" | "trim" | "upper" | "toUpperCase")
                {
                    self.mark_subject(place, *of);
                }
            }
            _ => {}
        }
    }

    /// A path that lies below a root, if it was resolved before.
    fn mark_path(&mut self, place: Place, subject: ExprId) {
        let value = self.eval(place, subject);
        let ExprKind::Var(var) = self.program.unit(place.unit).expr(subject) else { return };
        if value.taints.iter().all(|taint| taint.resolved)
            && let Some(held) = self.env.vars.get_mut(&(place.unit, *var))
        {
            held.taints.iter_mut().for_each(|taint| taint.safe = taint.safe.and(Safe::PATH));
        }
    }

    /// Marks a variable, and the source itself where the variable is its unchanged text.
    fn mark(&mut self, place: Place, subject: ExprId, safe: Safe) {
        let value = self.eval(place, subject);
        for taint in value.taints.iter().filter(|taint| taint.direct) {
            let proven = self.env.proven.entry(taint.origin).or_default();
            *proven = proven.and(safe);
        }
        if let ExprKind::Var(var) = self.program.unit(place.unit).expr(subject)
            && let Some(held) = self.env.vars.get_mut(&(place.unit, *var))
        {
            held.taints.iter_mut().for_each(|taint| taint.safe = taint.safe.and(safe));
        }
    }
}

/// Whether a pattern speaks of the whole text.
fn whole(pattern: &str, full: bool) -> bool {
    full || (pattern.starts_with('^') || pattern.starts_with("\\A"))
        && (pattern.ends_with('$') || pattern.ends_with("\\Z") || pattern.ends_with("\\z"))
}
