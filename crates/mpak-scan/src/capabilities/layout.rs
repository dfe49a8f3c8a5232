//! Which function each expression of a unit runs in, and what it is there for.

use foldhash::HashMap;

use crate::code::facts::{Block, ExprId, ExprKind, FunctionId, Language, Statement, Unit};

/// What an expression is there for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Role {
    /// It does not run: nothing holds it.
    #[default]
    Dead,
    /// It is computed, and something is made of it.
    Part,
    /// It is called.
    Callee,
    /// It is given to a call.
    Argument,
    /// It is kept: in a list, an object, a field, as an answer.
    Kept,
    /// It is put into a variable.
    Assigned,
    /// It gets a value.
    Target,
    /// A member of it is taken.
    Base,
}

/// One unit, laid out.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// By expression.
    places: Vec<(Role, FunctionId, Option<ExprId>)>,
    /// What each function answers.
    returns: HashMap<FunctionId, Vec<ExprId>>,
}

impl Layout {
    pub(super) fn new(unit: &Unit) -> Self {
        let mut layout =
            Self { places: vec![(Role::Dead, FunctionId::TOP, None); unit.exprs.len()], returns: HashMap::default() };
        for (at, function) in unit.functions.iter().enumerate() {
            let id = FunctionId(u32::try_from(at).unwrap_or(u32::MAX));
            let outer = function.parent.unwrap_or(FunctionId::TOP);
            for &decorator in &function.decorators {
                layout.expr(unit, outer, decorator, Role::Part, None);
            }
            for default in function.params.iter().filter_map(|param| param.default) {
                layout.expr(unit, outer, default, Role::Assigned, None);
            }
            layout.block(unit, id, &function.body);
        }
        // Python's fields are statements of the class's body already.
        for class in unit.classes.iter().filter(|_| unit.language != Language::Python) {
            for &(_, value) in &class.fields {
                layout.expr(unit, FunctionId::TOP, value, Role::Assigned, None);
            }
        }
        layout
    }

    /// What an expression is for.
    pub(super) fn role(&self, id: ExprId) -> Role {
        self.places[id.0 as usize].0
    }

    /// The function it runs in.
    pub(super) fn owner(&self, id: ExprId) -> FunctionId {
        self.places[id.0 as usize].1
    }

    /// The expression it is a part of.
    pub(super) fn parent(&self, id: ExprId) -> Option<ExprId> {
        self.places[id.0 as usize].2
    }

    /// What a function answers.
    pub(super) fn returns(&self, function: FunctionId) -> &[ExprId] {
        self.returns.get(&function).map_or(&[], Vec::as_slice)
    }

    fn block(&mut self, unit: &Unit, within: FunctionId, block: &Block) {
        for statement in block {
            match statement {
                Statement::Assign { target, value } => {
                    self.expr(unit, within, *target, Role::Target, None);
                    let role = if matches!(unit.expr(*target), ExprKind::Var(_)) { Role::Assigned } else { Role::Kept };
                    self.expr(unit, within, *value, role, Some(*target));
                }
                Statement::Do(value) | Statement::Raise(Some(value)) => {
                    self.expr(unit, within, *value, Role::Part, None);
                }
                Statement::Return(Some(value)) | Statement::Yield(Some(value)) => {
                    self.returns.entry(within).or_default().push(*value);
                    self.expr(unit, within, *value, Role::Kept, None);
                }
                Statement::Return(None) | Statement::Yield(None) | Statement::Raise(None) | Statement::Jump => {}
                Statement::If { test, then, otherwise } => {
                    self.expr(unit, within, *test, Role::Part, None);
                    self.block(unit, within, then);
                    self.block(unit, within, otherwise);
                }
                Statement::Loop { test, body } => {
                    if let Some(test) = test {
                        self.expr(unit, within, *test, Role::Part, None);
                    }
                    self.block(unit, within, body);
                }
                Statement::Any(ways) => ways.iter().for_each(|way| self.block(unit, within, way)),
            }
        }
    }

    fn expr(&mut self, unit: &Unit, within: FunctionId, id: ExprId, role: Role, parent: Option<ExprId>) {
        let place = &mut self.places[id.0 as usize];
        // An expression that stands in two places, as a subject of tests, is looked at once.
        if place.0 != Role::Dead {
            return;
        }
        *place = (role, within, parent);
        let above = Some(id);
        match unit.expr(id) {
            ExprKind::Member { of, .. } => self.expr(unit, within, *of, Role::Base, above),
            ExprKind::Index { of, key } => {
                self.expr(unit, within, *of, Role::Base, above);
                if let Some(key) = key {
                    self.expr(unit, within, *key, Role::Part, above);
                }
            }
            ExprKind::Call { callee, args, .. } => {
                self.expr(unit, within, *callee, Role::Callee, above);
                for arg in args {
                    self.expr(unit, within, arg.value, Role::Argument, above);
                }
            }
            ExprKind::List(of) => of.iter().for_each(|&of| self.expr(unit, within, of, Role::Kept, above)),
            ExprKind::Dict(members) => {
                for (key, value) in members {
                    if let Some(key) = key {
                        self.expr(unit, within, *key, Role::Part, above);
                    }
                    self.expr(unit, within, *value, Role::Kept, above);
                }
            }
            ExprKind::Join(of) | ExprKind::Other(of) => {
                of.iter().for_each(|&of| self.expr(unit, within, of, Role::Part, above));
            }
            // One of these goes on as what it all is for.
            ExprKind::All(of) | ExprKind::Either(of) => {
                of.iter().for_each(|&of| self.expr(unit, within, of, role, above));
            }
            ExprKind::Choice { test, then, otherwise } => {
                self.expr(unit, within, *test, Role::Part, above);
                self.expr(unit, within, *then, role, above);
                self.expr(unit, within, *otherwise, role, above);
            }
            ExprKind::Compare { left, right, .. } => {
                self.expr(unit, within, *left, Role::Part, above);
                self.expr(unit, within, *right, Role::Part, above);
            }
            ExprKind::Not(of) => self.expr(unit, within, *of, Role::Part, above),
            ExprKind::Spread(of) => self.expr(unit, within, *of, Role::Kept, above),
            ExprKind::Text(_)
            | ExprKind::Number(_)
            | ExprKind::Bool(_)
            | ExprKind::Nothing
            | ExprKind::Bytes(_)
            | ExprKind::Var(_)
            | ExprKind::Free(_)
            | ExprKind::Function(_)
            | ExprKind::Class(_)
            | ExprKind::Pattern(_) => {}
        }
    }
}
