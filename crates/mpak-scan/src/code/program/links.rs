//! What is asked of one unit again and again, gathered once.

use foldhash::HashMap;

use super::super::facts::{ClassId, ExprId, ExprKind, FunctionId, Language, Statement, Unit, VarId};
use super::DEFINITIONS_COUNT_MAX;
use super::index::Index;

/// Links of one unit.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// Values that a variable is assigned, anywhere.
    pub(super) definitions: HashMap<VarId, Vec<ExprId>>,
    pub(super) imports: HashMap<VarId, usize>,
    /// Values that a function gives back, the first few.
    pub(super) returns: HashMap<FunctionId, Vec<ExprId>>,
    /// Values that a field of a class's instances is assigned, anywhere.
    pub(super) fields: HashMap<(ClassId, String), Vec<(FunctionId, ExprId)>>,
    /// Parameters by their variable.
    pub(super) params: HashMap<VarId, (FunctionId, usize)>,
    /// Tables of modules that a bundler made, by the function that looks modules up in them.
    pub(super) packed: HashMap<FunctionId, super::packed::Modules>,
    /// Names and places.
    pub(super) index: Index,
}

impl Links {
    pub(super) fn new(unit: &Unit) -> Self {
        let mut links = Self { index: Index::new(unit), ..Self::default() };
        for (at, import) in unit.imports.iter().enumerate() {
            if let Some(var) = import.var {
                links.imports.entry(var).or_insert(at);
            }
        }
        for (at, function) in unit.functions.iter().enumerate() {
            let id = FunctionId(u32::try_from(at).unwrap_or(u32::MAX));
            for (position, param) in function.params.iter().enumerate() {
                links.params.insert(param.var, (id, position));
            }
            links.block(unit, id, &function.body);
        }
        links.packed = super::packed::tables(unit, &links.params, &links.definitions);
        links
    }

    fn block(&mut self, unit: &Unit, within: FunctionId, statements: &[Statement]) {
        for statement in statements {
            match statement {
                Statement::Assign { target, value } => self.assigned(unit, within, *target, *value),
                Statement::If { then, otherwise, .. } => {
                    self.block(unit, within, then);
                    self.block(unit, within, otherwise);
                }
                Statement::Loop { body, .. } => self.block(unit, within, body),
                Statement::Any(ways) => ways.iter().for_each(|way| self.block(unit, within, way)),
                Statement::Return(Some(value)) => {
                    let returns = self.returns.entry(within).or_default();
                    if returns.len() < DEFINITIONS_COUNT_MAX {
                        returns.push(*value);
                    }
                }
                Statement::Do(_)
                | Statement::Return(None)
                | Statement::Yield(_)
                | Statement::Raise(_)
                | Statement::Jump => {}
            }
        }
    }

    fn assigned(&mut self, unit: &Unit, within: FunctionId, target: ExprId, value: ExprId) {
        match unit.expr(target) {
            ExprKind::Var(var) => self.definitions.entry(*var).or_default().push(value),
            ExprKind::Member { of, name } => {
                let mut function = unit.function(within);
                // `this` of an arrow function is that of the method around it.
                while let (None, Some(parent)) = (function.class, function.parent) {
                    function = unit.function(parent);
                }
                let Some(class) = function.class else { return };
                let receiver = match unit.expr(*of) {
                    ExprKind::Free(name) => name == "this",
                    ExprKind::Var(var) => {
                        unit.language == Language::Python && function.params.first().is_some_and(|p| p.var == *var)
                    }
                    _ => false,
                };
                if receiver {
                    self.fields.entry((class, name.clone())).or_default().push((within, value));
                }
            }
            _ => {}
        }
    }
}
