//! What holds after a test: noted of values and their sources, also where a function of the bundle makes the test.

use foldhash::HashMap;

use crate::code::facts::{Arg, ExprId, ExprKind, VarId};
use crate::code::flow::env::{Changes, Layer};
use crate::code::flow::value::{Origin, Resolved, Safe, Value};
use crate::code::flow::{Engine, Place};
use crate::code::shapes;

/// Most functions that are run as proofs inside each other.
const PROOFS_DEPTH_MAX: usize = 4;

/// A function that is run for what its answer proves.
pub(in crate::code::flow) struct Proof {
    /// The answer.
    holds: bool,
    /// How deep in calls the function is.
    depth: usize,
    /// What is known begins a layer where it began.
    layer: Layer,
    /// What holds wherever it gives that answer.
    proven: Option<HashMap<Origin, Safe>>,
}

/// Most calls around a text that only change its form.
const FORMS_COUNT_MAX: usize = 8;

/// Methods that change a text's case, or take off what stands around it.
fn keeps_the_text(name: &str) -> bool {
    matches!(
        name,
        "lower"
            | "strip"
            | "lstrip"
            | "rstrip"
            | "casefold"
            | "toLowerCase"
            | "toLocaleLowerCase"
            | "trim"
            | "trimEnd"
            | "upper"
            | "toUpperCase"
            | "toString"
            | "normalize"
    )
}

impl Engine<'_> {
    /// What a function of the bundle proves of its arguments by its answer: it is run, and what holds at
    /// each place where it may give this answer holds for the caller.
    pub(super) fn proven_inside(&mut self, place: Place, test: ExprId, callee: ExprId, args: &[Arg], holds: bool) {
        if self.proofs.len() > PROOFS_DEPTH_MAX {
            return;
        }
        let meaning = self.program.meaning(place.unit, place.function, callee);
        let values: Vec<Value> = args.iter().map(|arg| self.eval(place, arg.value)).collect();
        self.answered(holds, |engine| {
            engine.inside(place, test, &meaning, args, &values);
        });
    }

    /// Runs something as a proof.
    pub(super) fn answered(&mut self, holds: bool, run: impl FnOnce(&mut Self)) {
        for (origin, safe) in self.proven_by(holds, run) {
            self.env.prove(origin, safe);
        }
    }

    /// What holds wherever something that is run gives this answer.
    pub(in crate::code::flow) fn proven_by(
        &mut self,
        holds: bool,
        run: impl FnOnce(&mut Self),
    ) -> HashMap<Origin, Safe> {
        let layer = self.env.open();
        self.proofs.push(Proof { holds, depth: self.stack.len() + 1, layer, proven: None });
        run(self);
        let proven = self.proofs.pop().and_then(|proof| proof.proven).unwrap_or_default();
        self.env.restart(layer);
        self.env.close(layer, Changes::default());
        proven
    }

    /// Notes what holds at a place where a function that is run as a proof gives its answer.
    pub(in crate::code::flow) fn proven_by_answer(&mut self, place: Place, answer: Option<ExprId>) {
        let Some(proof) = self.proofs.last().filter(|proof| proof.depth == self.stack.len()) else { return };
        let holds = proof.holds;
        let Some(answer) = answer else { return };
        match self.program.unit(place.unit).expr(answer) {
            ExprKind::Bool(value) if *value != holds => return,
            ExprKind::Nothing if holds => return,
            _ => {}
        }
        let begin = proof.layer;
        let layer = self.env.open();
        self.prove(place, answer, holds);
        let mine = self.env.proven_since(begin);
        self.env.restart(layer);
        self.env.close(layer, Changes::default());
        let Some(proof) = self.proofs.last_mut() else { return };
        proof.proven = Some(match proof.proven.take() {
            None => mine,
            Some(others) => others
                .into_iter()
                .filter_map(|(origin, safe)| Some((origin, safe.common(*mine.get(&origin)?))))
                .collect(),
        });
    }

    /// `path.relative_to(root)` raises where the path is not below the root.
    pub(in crate::code::flow) fn proven_by_call(&mut self, place: Place, expr: ExprId) {
        let unit = self.program.unit(place.unit);
        let ExprKind::Call { callee, args, .. } = unit.expr(expr) else { return };
        let Some(root) = args.first().map(|arg| arg.value) else { return };
        if let ExprKind::Member { of, name } = unit.expr(*callee)
            && name == "relative_to"
            && !self.is_chosen(place, root)
        {
            self.mark_path(place, *of);
        }
    }

    pub(super) fn mark_matched(&mut self, place: Place, pattern: &str, subject: ExprId) {
        let safe = shapes::matched(pattern);
        if safe != Safe::default() {
            self.mark(place, subject, safe);
        }
    }

    /// A subject that equals something fixed: itself, or the host of what it was parsed from.
    pub(super) fn mark_subject(&mut self, place: Place, subject: ExprId) {
        let unit = self.program.unit(place.unit);
        let is_host = |name: &str| matches!(name, "hostname" | "host" | "netloc" | "origin");
        match unit.expr(subject) {
            ExprKind::Member { of, name } if is_host(name) => {
                self.mark_parsed(place, *of, Safe::HOST.and(Safe::OPENER));
            }
            ExprKind::Member { of, name } if matches!(name.as_str(), "protocol" | "scheme") => {
                self.mark_parsed(place, *of, Safe::OPENER);
            }
            ExprKind::Var(var) => {
                // `host = urlparse(url).hostname`
                if let &[only] = self.program.definitions(place.unit, *var)
                    && let only = self.without_form(place, only)
                    && matches!(unit.expr(only), ExprKind::Member { name, .. } if is_host(name))
                {
                    self.mark_subject(place, only);
                }
                self.mark(place, subject, Safe::ALL);
                self.mark_path(place, subject);
            }
            // What a slice is says nothing of the rest.
            ExprKind::Index { key: None, .. } => {}
            ExprKind::Member { .. } | ExprKind::Index { .. } => self.mark(place, subject, Safe::ALL),
            ExprKind::Call { .. } | ExprKind::Either(_) => {
                let inner = self.without_form(place, subject);
                if inner != subject {
                    self.mark_subject(place, inner);
                }
            }
            _ => {}
        }
    }

    /// What a text was before its case, blanks and dots around it were taken off: `(x or "").rstrip(".").lower()`.
    fn without_form(&self, place: Place, text: ExprId) -> ExprId {
        let unit = self.program.unit(place.unit);
        let mut at = text;
        for _ in 0..FORMS_COUNT_MAX {
            at = match unit.expr(at) {
                ExprKind::Call { callee, args, .. } => match unit.expr(*callee) {
                    ExprKind::Member { of, name } if keeps_the_text(name) => *of,
                    ExprKind::Free(name) if matches!(name.as_str(), "str" | "String") => match args.first() {
                        Some(arg) => arg.value,
                        None => break,
                    },
                    // `host.replace(/\.$/, "")`
                    ExprKind::Member { of, name } if name == "replace" => match args
                        .first()
                        .map(|arg| unit.expr(arg.value))
                    {
                        Some(ExprKind::Pattern(pattern)) if pattern.ends_with('$') || pattern.starts_with('^') => *of,
                        _ => break,
                    },
                    _ => break,
                },
                ExprKind::Either(ways) => match ways.as_slice() {
                    &[first, other] if unit.text(other) == Some("") => first,
                    _ => break,
                },
                _ => break,
            };
        }
        at
    }

    /// Marks what was parsed, and the text that it was parsed from.
    fn mark_parsed(&mut self, place: Place, of: ExprId, safe: Safe) {
        for taint in &self.eval(place, of).taints {
            self.env.prove(taint.origin, safe);
        }
        self.mark(place, of, safe);
    }

    /// The URL whose host a text is.
    pub(super) fn mark_host(&mut self, place: Place, subject: ExprId) {
        let (_, subject) = match self.program.unit(place.unit).expr(subject) {
            ExprKind::Var(_) => self.program.value(place.unit, subject),
            _ => (place.unit, subject),
        };
        let subject = self.without_form(place, subject);
        let unit = self.program.unit(place.unit);
        if let Some(ExprKind::Member { of, name }) = unit.exprs.get(subject.0 as usize).map(|expr| &expr.kind)
            && matches!(name.as_str(), "hostname" | "host" | "netloc")
        {
            self.mark_parsed(place, *of, Safe::HOST.and(Safe::OPENER));
        }
    }

    /// A path that lies below a root, if it was resolved before. Whoever opens the source's own text opens the same
    /// file, but follows its links once more.
    pub(super) fn mark_path(&mut self, place: Place, subject: ExprId) {
        self.mark_path_at_least(place, subject, Resolved::No);
    }

    pub(super) fn mark_path_at_least(&mut self, place: Place, subject: ExprId, at_least: Resolved) {
        // `str(path)` is the path.
        if let ExprKind::Call { callee, args, .. } = self.program.unit(place.unit).expr(subject) {
            let unit = self.program.unit(place.unit);
            let same = |name: &str| {
                matches!(
                    name,
                    "str"
                        | "String"
                        | "fspath"
                        | "as_posix"
                        | "toString"
                        | "__str__"
                        | "__fspath__"
                        | "toLowerCase"
                        | "lower"
                        | "normcase"
                        | "concat"
                        | "casefold"
                )
            };
            let inner = match unit.expr(*callee) {
                ExprKind::Free(name) if same(name) => args.first().map(|arg| arg.value),
                ExprKind::Member { of, name } if same(name) => {
                    Some(args.first().map_or(*of, |arg| if name == "concat" { *of } else { arg.value }))
                }
                _ => None,
            };
            if let Some(inner) = inner {
                self.mark_path_at_least(place, inner, at_least);
            }
            return;
        }
        // `path + os.sep`
        if let ExprKind::Join(parts) = self.program.unit(place.unit).expr(subject)
            && let &[first, _] = parts.as_slice()
            && matches!(self.program.unit(place.unit).expr(first), ExprKind::Var(_) | ExprKind::Call { .. })
        {
            return self.mark_path_at_least(place, first, at_least);
        }
        let value = self.eval(place, subject);
        let ExprKind::Var(var) = self.program.unit(place.unit).expr(subject) else { return };
        let Some(resolved) = value.taints.iter().map(|taint| taint.resolved).min() else { return };
        let resolved = resolved.max(at_least);
        let safe = match resolved {
            Resolved::No => return,
            Resolved::Dots => Safe::BELOW,
            Resolved::Links => Safe::PATH,
        };
        let of_source = if resolved == Resolved::Links { Safe::BELOW.and(Safe::LINKS_SEEN) } else { Safe::BELOW };
        for taint in value.taints.iter().filter(|taint| !taint.edited) {
            self.env.prove(taint.origin, of_source);
        }
        if let Some(held) = self.env.get_mut((place.unit, *var)) {
            held.taints.iter_mut().for_each(|taint| taint.safe = taint.safe.and(safe));
        }
    }

    /// Marks a variable, and the source itself where the variable is its unchanged text.
    pub(super) fn mark(&mut self, place: Place, subject: ExprId, safe: Safe) {
        let value = self.eval(place, subject);
        for taint in value.taints.iter().filter(|taint| taint.direct) {
            self.env.prove(taint.origin, safe);
        }
        if let ExprKind::Var(var) = self.program.unit(place.unit).expr(subject)
            && let Some(held) = self.env.get_mut((place.unit, *var))
        {
            held.taints.iter_mut().for_each(|taint| taint.safe = taint.safe.and(safe));
        }
        if self.of_each
            && let Some(list) = self.list_of_element(place, subject)
        {
            self.mark_list(place, list, &value, safe);
        }
    }

    /// The variable that holds the list of which a variable is each element.
    pub(in crate::code::flow) fn list_of_element(&self, place: Place, element: ExprId) -> Option<VarId> {
        let unit = self.program.unit(place.unit);
        let ExprKind::Var(element) = unit.expr(element) else { return None };
        let &[only] = self.program.definitions(place.unit, *element) else { return None };
        let ExprKind::Index { of, key: None } = unit.expr(only) else { return None };
        match unit.expr(*of) {
            ExprKind::Var(list) => Some(*list),
            _ => None,
        }
    }

    /// Marks a list each of whose elements was found safe.
    pub(in crate::code::flow) fn mark_list(&mut self, place: Place, list: VarId, element: &Value, safe: Safe) {
        let Some(held) = self.env.get_mut((place.unit, list)) else { return };
        for taint in &mut held.taints {
            if element.taints.iter().any(|of| of.origin == taint.origin) {
                taint.safe = taint.safe.and(safe);
            }
        }
    }
}
