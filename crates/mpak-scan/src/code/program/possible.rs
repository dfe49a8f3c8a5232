//! What an expression may stand for, through variables, tables and lists.

use super::super::facts::{ExprId, ExprKind, FunctionId};
use super::{DEFINITIONS_COUNT_MAX, Meaning, Program, UnitId};

/// Most expressions that one may stand for.
const POSSIBLE_COUNT_MAX: usize = 64;

/// Most expressions that are looked at for what one may stand for.
const POSSIBLE_STEPS_MAX: usize = 256;

/// What is found of what an expression may stand for.
struct Search {
    found: Vec<(UnitId, ExprId)>,
    left: usize,
}

impl Program {
    /// The expressions that an expression may stand for, through variables, tables and lists: for calls whose
    /// callee is looked up.
    pub fn possible(&self, unit: UnitId, expr: ExprId) -> Vec<(UnitId, ExprId)> {
        let mut search = Search { found: Vec::new(), left: POSSIBLE_STEPS_MAX };
        self.possibly(unit, expr, &mut search, 12);
        search.found
    }

    fn possibly(&self, unit: UnitId, expr: ExprId, search: &mut Search, steps: u32) {
        let Some(steps) = steps.checked_sub(1) else { return };
        if search.left == 0 || search.found.len() >= POSSIBLE_COUNT_MAX {
            return;
        }
        search.left -= 1;
        let source = self.unit(unit);
        match source.expr(expr) {
            ExprKind::Var(var) => {
                if let Some(import) = self.import(unit, *var) {
                    let name = import.member.as_deref().unwrap_or("default");
                    let export = self.module(unit, &import.module);
                    let export = export.and_then(|inside| Some((inside, self.exported(inside, name)?)));
                    if let Some((inside, value)) = export {
                        return self.possibly(inside, value, search, steps);
                    }
                }
                let definitions = self.definitions(unit, *var);
                if definitions.is_empty() {
                    search.found.push((unit, expr));
                }
                for &definition in definitions.iter().take(DEFINITIONS_COUNT_MAX) {
                    self.possibly(unit, definition, search, steps);
                }
            }
            ExprKind::Index { of, .. } => self.elements(unit, *of, search, steps),
            ExprKind::Member { of, name } => {
                if let Meaning::Unit(inside) = self.meaning(unit, FunctionId::TOP, *of)
                    && let Some(value) = self.exported(inside, name)
                {
                    return self.possibly(inside, value, search, steps);
                }
                for (unit, of) in self.inner(unit, *of, search, steps) {
                    if let Some(value) = self.table_member(unit, of, name) {
                        self.possibly(unit, value, search, steps);
                    }
                }
            }
            ExprKind::Call { callee, .. } => match source.expr(*callee) {
                ExprKind::Member { of, name } if matches!(name.as_str(), "get" | "find" | "at" | "pop") => {
                    self.elements(unit, *of, search, steps);
                }
                ExprKind::Member { of, name } if name == "bind" => self.possibly(unit, *of, search, steps),
                _ => search.found.push((unit, expr)),
            },
            ExprKind::Either(parts) | ExprKind::All(parts) => {
                parts.iter().for_each(|&part| self.possibly(unit, part, search, steps));
            }
            ExprKind::Choice { then, otherwise, .. } => {
                self.possibly(unit, *then, search, steps);
                self.possibly(unit, *otherwise, search, steps);
            }
            _ => search.found.push((unit, expr)),
        }
    }

    /// The elements of what an expression may stand for.
    fn elements(&self, unit: UnitId, of: ExprId, search: &mut Search, steps: u32) {
        for (unit, table) in self.inner(unit, of, search, steps) {
            let source = self.unit(unit);
            let is_map = |callee: ExprId| matches!(source.expr(callee), ExprKind::Free(name) if name == "Map");
            match source.expr(table) {
                ExprKind::Dict(members) => {
                    for (key, value) in members.iter().take(POSSIBLE_COUNT_MAX) {
                        match key {
                            Some(_) => self.possibly(unit, *value, search, steps),
                            None => self.elements(unit, *value, search, steps.saturating_sub(1)),
                        }
                    }
                }
                ExprKind::List(items) => {
                    for &item in items.iter().take(POSSIBLE_COUNT_MAX) {
                        match source.expr(item) {
                            ExprKind::Spread(of) => self.elements(unit, *of, search, steps.saturating_sub(1)),
                            _ => self.possibly(unit, item, search, steps),
                        }
                    }
                }
                // `new Map([[key, value], …])`
                ExprKind::Call { callee, args, .. } if is_map(*callee) => {
                    let Some(ExprKind::List(pairs)) = args.first().map(|arg| source.expr(arg.value)) else { continue };
                    for &pair in pairs.iter().take(POSSIBLE_COUNT_MAX) {
                        if let ExprKind::List(pair) = source.expr(pair)
                            && let &[_, value] = pair.as_slice()
                        {
                            self.possibly(unit, value, search, steps);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn inner(&self, unit: UnitId, of: ExprId, search: &mut Search, steps: u32) -> Vec<(UnitId, ExprId)> {
        let mut inner = Search { found: Vec::new(), left: search.left };
        self.possibly(unit, of, &mut inner, steps);
        search.left = inner.left;
        inner.found
    }
}
