//! Names and places of one unit by look-up: whoever asks for each of many must not search all of them each time.

use foldhash::HashMap;
use std::sync::OnceLock;

use super::super::facts::{ClassId, ExprId, ExprKind, FunctionId, Span, Unit};
use super::{Program, UnitId};

/// Members from which on a table is indexed.
const TABLE_MEMBERS_MIN: usize = 24;

/// Most registrations, imports of everything and the like that one question looks through.
const STARS_COUNT_MAX: usize = 64;

/// Index of one unit.
#[derive(Debug, Default)]
pub(super) struct Index {
    exports: HashMap<String, ExprId>,
    stars: Vec<ExprId>,
    classes: HashMap<String, ClassId>,
    /// Imports by the name of their variable.
    imports: HashMap<String, usize>,
    /// Imports by the member that they ask for.
    imported: HashMap<String, usize>,
    methods: HashMap<ClassId, HashMap<String, FunctionId>>,
    fields: HashMap<ClassId, HashMap<String, ExprId>>,
    /// Members of large tables by their constant names.
    tables: HashMap<ExprId, HashMap<String, ExprId>>,
    /// Functions by where they begin, each with the one around it.
    places: Vec<(Span, FunctionId, Option<usize>)>,
    /// Begin and end of calls that check what they are given.
    pub(super) checks: OnceLock<Vec<(u32, u32)>>,
}

impl Index {
    pub(super) fn new(unit: &Unit) -> Self {
        let mut index = Self::default();
        for export in &unit.exports {
            if export.name == "*" {
                index.stars.push(export.value);
            } else {
                index.exports.insert(export.name.clone(), export.value);
            }
        }
        index.stars.truncate(STARS_COUNT_MAX);
        for (at, import) in unit.imports.iter().enumerate() {
            if let Some(var) = import.var.and_then(|var| unit.vars.get(var.0 as usize)) {
                index.imports.entry(var.name.clone()).or_insert(at);
            }
            if let Some(member) = &import.member {
                index.imported.entry(member.clone()).or_insert(at);
            }
        }
        for (at, class) in unit.classes.iter().enumerate() {
            let id = ClassId(u32::try_from(at).unwrap_or(u32::MAX));
            if let Some(name) = &class.name {
                index.classes.entry(name.clone()).or_insert(id);
            }
            let methods = index.methods.entry(id).or_default();
            for (name, function) in &class.methods {
                methods.entry(name.clone()).or_insert(*function);
            }
            let fields = index.fields.entry(id).or_default();
            for (name, value) in &class.fields {
                fields.entry(name.clone()).or_insert(*value);
            }
        }
        for (at, expr) in unit.exprs.iter().enumerate() {
            let ExprKind::Dict(members) = &expr.kind else { continue };
            if members.len() >= TABLE_MEMBERS_MIN {
                let named = members.iter().filter_map(|(key, value)| Some((unit.text((*key)?)?.to_owned(), *value)));
                index.tables.insert(ExprId(u32::try_from(at).unwrap_or(u32::MAX)), named.collect());
            }
        }
        index.places = places(unit);
        index
    }

    fn function_around(&self, span: Span) -> FunctionId {
        let before = self.places.partition_point(|(of, ..)| of.start <= span.start);
        let mut at = before.checked_sub(1);
        while let Some((of, function, around)) = at.and_then(|at| self.places.get(at)) {
            if span.end <= of.end {
                return *function;
            }
            at = *around;
        }
        FunctionId::TOP
    }
}

/// All functions by where they begin; of those that begin at one place the outer first.
fn places(unit: &Unit) -> Vec<(Span, FunctionId, Option<usize>)> {
    let id = |at: usize| FunctionId(u32::try_from(at).unwrap_or(u32::MAX));
    let mut all: Vec<(Span, FunctionId, Option<usize>)> =
        unit.functions.iter().enumerate().map(|(at, function)| (function.span, id(at), None)).collect();
    all.sort_by_key(|(span, function, _)| (span.start, std::cmp::Reverse(span.end), *function));
    let mut open: Vec<usize> = Vec::new();
    for at in 0..all.len() {
        while open.last().is_some_and(|&last| all[last].0.end < all[at].0.end) {
            open.pop();
        }
        all[at].2 = open.last().copied();
        open.push(at);
    }
    all
}

impl Program {
    fn index(&self, unit: UnitId) -> &Index {
        &self.links[unit.0 as usize].index
    }

    /// What a unit offers under a name.
    pub fn exported(&self, unit: UnitId, name: &str) -> Option<ExprId> {
        self.index(unit).exports.get(name).copied()
    }

    /// Modules of which a unit offers everything, the first few.
    pub fn stars(&self, unit: UnitId) -> &[ExprId] {
        &self.index(unit).stars
    }

    /// A class of a unit by its name.
    pub fn class_of_name(&self, unit: UnitId, name: &str) -> Option<ClassId> {
        self.index(unit).classes.get(name).copied()
    }

    /// The first import whose variable has a name.
    pub fn import_as(&self, unit: UnitId, name: &str) -> Option<&super::Import> {
        self.unit(unit).imports.get(*self.index(unit).imports.get(name)?)
    }

    /// The first import that asks for a member.
    pub fn import_of(&self, unit: UnitId, member: &str) -> Option<&super::Import> {
        self.unit(unit).imports.get(*self.index(unit).imported.get(member)?)
    }

    /// A class's own method.
    pub fn own_method(&self, unit: UnitId, class: ClassId, name: &str) -> Option<FunctionId> {
        self.index(unit).methods.get(&class)?.get(name).copied()
    }

    /// A class's own field.
    pub fn own_field(&self, unit: UnitId, class: ClassId, name: &str) -> Option<ExprId> {
        self.index(unit).fields.get(&class)?.get(name).copied()
    }

    /// A member of a table that is written out, by its constant name: the last one counts.
    pub fn table_member(&self, unit: UnitId, table: ExprId, name: &str) -> Option<ExprId> {
        if let Some(members) = self.index(unit).tables.get(&table) {
            return members.get(name).copied();
        }
        let source = self.unit(unit);
        let ExprKind::Dict(members) = source.expr(table) else { return None };
        let is = |key: &Option<ExprId>| key.and_then(|key| source.text(key)) == Some(name);
        members.iter().rev().find(|(key, _)| is(key)).map(|(_, value)| *value)
    }

    /// The innermost function around a place.
    pub fn function_around(&self, unit: UnitId, span: Span) -> FunctionId {
        self.index(unit).function_around(span)
    }

    /// Whether a call that checks what it is given stands in a place; `is_check` tells of each call once.
    pub fn checks_in(&self, unit: UnitId, place: Span, is_check: impl Fn(&Unit, ExprId) -> bool) -> bool {
        let checks = self.index(unit).checks.get_or_init(|| {
            let source = self.unit(unit);
            let calls = source.calls().map(|(call, ..)| call).filter(|&call| is_check(source, call));
            let mut spans: Vec<(u32, u32)> = calls.map(|call| source.span(call)).map(|s| (s.start, s.end)).collect();
            spans.sort_unstable();
            spans
        });
        let from = checks.partition_point(|(start, _)| *start < place.start);
        checks.get(from).is_some_and(|(_, end)| *end <= place.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::read;

    #[test]
    fn the_function_around_a_place_is_the_innermost_one() {
        let text = "const a = (x) => { f(1); function g(y) { f(2); return (z) => f(3); } f(4); };\nf(5);\nclass C { m() { f(6); } n = () => f(7); }\n";
        let program = Program::new(read("s.js", text.as_bytes()).into_iter().collect());
        let unit = program.unit(UnitId(0));
        for (call, ..) in unit.calls() {
            let span = unit.span(call);
            let around =
                unit.functions.iter().enumerate().filter(|(_, f)| f.span.start <= span.start && span.end <= f.span.end);
            let innermost = around.min_by_key(|(_, f)| f.span.end - f.span.start).unwrap().0;
            assert_eq!(program.function_around(UnitId(0), span).0 as usize, innermost, "{span:?}");
        }
    }

    #[test]
    fn a_large_table_is_looked_up_like_a_small_one() {
        for count in [3, 100] {
            let members: String = (0..count).map(|i| format!("k{i}: {i}, ")).collect();
            let text = format!("const T = {{ {members} k1: 77 }};\n");
            let program = Program::new(read("s.js", text.as_bytes()).into_iter().collect());
            let unit = program.unit(UnitId(0));
            let table = unit.exprs.iter().position(|e| matches!(e.kind, ExprKind::Dict(_))).unwrap();
            let member = |name: &str| program.table_member(UnitId(0), ExprId(u32::try_from(table).unwrap()), name);
            assert_eq!(member("k1").map(|value| unit.expr(value).clone()), Some(ExprKind::Number(77.0)));
            assert_eq!(member("other"), None);
        }
    }
}
