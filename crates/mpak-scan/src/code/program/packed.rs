//! Modules that a bundler packed into one file: tables of functions, looked up by a function of the bundler's.
//!
//! `function load(id) { … table[id](module, module.exports, load) … }` is such a function, `load(7)` a module, and what
//! the module's function assigns to `module.exports`, to a member of `exports`, or hands over as getters is what it offers.

use foldhash::HashMap;

use super::super::facts::{Arg, ExprId, ExprKind, FunctionId, Language, Statement, Unit, VarId};
use super::{Meaning, Program, Steps, UnitId};

/// Most statements of one module that are looked through for what it offers.
const STATEMENTS_COUNT_MAX: usize = 4_000;
/// Most tables of one file.
const TABLES_COUNT_MAX: usize = 16;

/// Functions of modules by their keys.
pub(super) type Modules = HashMap<String, FunctionId>;

/// Whether a callee is one of the functions that compilers put around a module.
pub(super) fn interops(unit: &Unit, callee: ExprId) -> bool {
    let name = match unit.expr(callee) {
        ExprKind::Member { name, .. } | ExprKind::Free(name) => name,
        ExprKind::Var(var) => &unit.vars[var.0 as usize].name,
        _ => return false,
    };
    matches!(
        name.as_str(),
        "__importDefault"
            | "__importStar"
            | "__toESM"
            | "_interopRequireDefault"
            | "_interopRequireWildcard"
            | "_interop_require_default"
            | "_interop_require_wildcard"
    )
}

/// Tables of modules, by the function that looks modules up in them.
pub(super) fn tables(
    unit: &Unit,
    params: &HashMap<VarId, (FunctionId, usize)>,
    definitions: &HashMap<VarId, Vec<ExprId>>,
) -> HashMap<FunctionId, Modules> {
    let mut found = HashMap::default();
    if unit.language == Language::Python || !unit.source.contains("exports") {
        return found;
    }
    for (_, callee, args) in unit.calls() {
        if args.len() < 3 || !takes_exports(unit, args) {
            continue;
        }
        let looked_up = match unit.expr(callee) {
            ExprKind::Member { of, name } if name == "call" => *of,
            _ => callee,
        };
        let ExprKind::Index { of, key: Some(key) } = unit.expr(looked_up) else { continue };
        let (ExprKind::Var(table), ExprKind::Var(key)) = (unit.expr(*of), unit.expr(*key)) else { continue };
        let Some(&(function, 0)) = params.get(key) else { continue };
        let values = definitions.get(table).map_or(&[][..], Vec::as_slice);
        let written =
            values.iter().copied().find(|&value| matches!(unit.expr(value), ExprKind::Dict(_) | ExprKind::List(_)));
        if let Some(written) = written.filter(|_| found.len() < TABLES_COUNT_MAX) {
            found.entry(function).or_insert_with(|| modules(unit, written));
        }
    }
    found
}

/// The functions of a table by their keys.
fn modules(unit: &Unit, table: ExprId) -> Modules {
    let function = |value: ExprId| match unit.expr(value) {
        ExprKind::Function(function) => Some(*function),
        _ => None,
    };
    match unit.expr(table) {
        ExprKind::List(items) => {
            items.iter().enumerate().filter_map(|(at, &item)| Some((at.to_string(), function(item)?))).collect()
        }
        ExprKind::Dict(members) => {
            members.iter().filter_map(|(key, value)| Some((key_of(unit, (*key)?)?, function(*value)?))).collect()
        }
        _ => Modules::default(),
    }
}

fn key_of(unit: &Unit, key: ExprId) -> Option<String> {
    match unit.expr(key) {
        ExprKind::Text(text) => Some(text.clone()),
        ExprKind::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Whether one of the arguments is `module.exports`.
fn takes_exports(unit: &Unit, args: &[Arg]) -> bool {
    args.iter().take(4).any(|arg| matches!(unit.expr(arg.value), ExprKind::Member { name, .. } if name == "exports"))
}

impl Program {
    /// The modules that a function looks up.
    fn packed(&self, unit: UnitId, function: FunctionId) -> Option<&Modules> {
        self.links[unit.0 as usize].packed.get(&function)
    }

    /// The module that a call looks up.
    pub(super) fn packed_call(&self, unit: UnitId, call: ExprId, steps: Steps<'_>) -> Option<(UnitId, FunctionId)> {
        if self.links[unit.0 as usize].packed.is_empty() {
            return None;
        }
        let source = self.unit(unit);
        let ExprKind::Call { callee, args, .. } = source.expr(call) else { return None };
        let [key] = args.as_slice() else { return None };
        let key = key_of(source, key.value)?;
        let around = self.function_around(unit, source.span(call));
        let (unit, load) = self.loader(unit, around, *callee, steps)?;
        Some((unit, *self.packed(unit, load)?.get(&key)?))
    }

    /// The function that looks modules up, where an expression is one: by its name, or as the third parameter of a module.
    fn loader(
        &self,
        unit: UnitId,
        within: FunctionId,
        callee: ExprId,
        steps: Steps<'_>,
    ) -> Option<(UnitId, FunctionId)> {
        if let Meaning::Function(unit, function) = self.follow(unit, within, callee, steps.checked_sub(1)?) {
            return self.packed(unit, function).map(|_| (unit, function));
        }
        let ExprKind::Var(var) = self.unit(unit).expr(callee) else { return None };
        let &(_, position) = self.links[unit.0 as usize].params.get(var)?;
        let (&load, _) = self.links[unit.0 as usize].packed.iter().next()?;
        (position == 2).then_some((unit, load))
    }

    /// What a module is as a whole: `module.exports = …`.
    pub(super) fn packed_whole(&self, (unit, function): (UnitId, FunctionId), steps: Steps<'_>) -> Option<Meaning> {
        let source = self.unit(unit);
        let module = source.function(function).params.first()?.var;
        let is_whole = |target: ExprId| match source.expr(target) {
            ExprKind::Member { of, name } => {
                name == "exports" && matches!(source.expr(*of), ExprKind::Var(var) if *var == module)
            }
            _ => false,
        };
        let value = source.function(function).body.iter().find_map(|statement| match statement {
            Statement::Assign { target, value } if is_whole(*target) => Some(*value),
            _ => None,
        })?;
        let meaning = self.follow(unit, function, value, steps.checked_sub(1)?);
        (!matches!(meaning, Meaning::Value(..))).then_some(meaning)
    }

    /// What a module offers under a name: `exports.name = …`, `module.exports = { name: … }`, `load.d(exports, { name: () => … })`.
    pub(super) fn packed_export(
        &self,
        (unit, function): (UnitId, FunctionId),
        name: &str,
        steps: Steps<'_>,
    ) -> Option<Meaning> {
        let steps = steps.checked_sub(1)?;
        let source = self.unit(unit);
        let found = source.function(function);
        let (module, exports) = (found.params.first()?.var, found.params.get(1).map(|param| param.var));
        let is = |of: ExprId, wanted: VarId| matches!(source.expr(of), ExprKind::Var(var) if *var == wanted);
        for statement in found.body.iter().take(STATEMENTS_COUNT_MAX) {
            match statement {
                Statement::Assign { target, value } => {
                    let ExprKind::Member { of, name: assigned } = source.expr(*target) else { continue };
                    let of_module = |of: ExprId| match source.expr(of) {
                        ExprKind::Member { of, name } => name == "exports" && is(*of, module),
                        _ => false,
                    };
                    if assigned == name && (exports.is_some_and(|exports| is(*of, exports)) || of_module(*of)) {
                        return Some(self.follow(unit, function, *value, steps));
                    }
                    if assigned == "exports"
                        && is(*of, module)
                        && let Some(member) = self.table_member(unit, *value, name)
                    {
                        return Some(self.follow(unit, function, member, steps));
                    }
                }
                Statement::Do(call) => {
                    let ExprKind::Call { args, .. } = source.expr(*call) else { continue };
                    let [of, getters] = args.as_slice() else { continue };
                    if !exports.is_some_and(|exports| is(of.value, exports)) {
                        continue;
                    }
                    let Some(getter) = self.table_member(unit, getters.value, name) else { continue };
                    if let ExprKind::Function(getter) = *source.expr(getter) {
                        let returns = self.links[unit.0 as usize].returns.get(&getter)?;
                        return Some(self.follow(unit, getter, *returns.first()?, steps));
                    }
                }
                _ => {}
            }
        }
        None
    }
}
