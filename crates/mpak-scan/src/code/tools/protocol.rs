//! Servers that speak the protocol themselves: who compares a method's name with `tools/call`, or keeps a function
//! under that name, handles what the model sends.

use super::super::facts::{Comparison, ExprId, ExprKind, FunctionId, Language, Unit};
use super::super::program::{Program, UnitId};
use super::{Handler, Kind, Schema, checks_itself, functions};

/// The method that calls a tool, as the protocol names it.
const CALL: &str = "tools/call";

/// Most handlers of a server that are found by the protocol's words.
const HANDLERS_COUNT_MAX: usize = 32;

/// Whether some code names the method that calls a tool.
pub(super) fn is_named(program: &Program) -> bool {
    program.units().any(|(_, unit)| unit.language != Language::Shell && unit.source.contains(CALL))
}

/// Handlers of servers without a library.
pub(super) fn handlers(program: &Program) -> Vec<Handler> {
    let mut found: Vec<(UnitId, FunctionId)> = Vec::new();
    for (id, unit) in program.units() {
        if unit.language == Language::Shell || !unit.source.contains(CALL) {
            continue;
        }
        for at in 0..unit.exprs.len() {
            let expr = ExprId(u32::try_from(at).unwrap_or(u32::MAX));
            found.extend(named(program, (id, unit), expr));
            if found.len() >= HANDLERS_COUNT_MAX {
                break;
            }
        }
        registered_by_decorator(id, unit, &mut found);
    }
    found.sort_unstable();
    found.dedup();
    found.truncate(HANDLERS_COUNT_MAX);
    found.into_iter().filter_map(|(unit, function)| handler(program, unit, function)).collect()
}

/// Functions that an expression with the method's name tells of.
fn named(program: &Program, (id, unit): (UnitId, &Unit), expr: ExprId) -> Vec<(UnitId, FunctionId)> {
    let is_call = |expr: ExprId| unit.text(expr) == Some(CALL) || is_constant(program, id, unit, expr);
    let within = || program.function_around(id, unit.span(expr));
    let stored = |value: ExprId| functions(program, id, within(), value);
    match unit.expr(expr) {
        ExprKind::Compare { op: Comparison::Equal | Comparison::Unequal, left, right } => {
            if is_call(*left) || is_call(*right) { vec![(id, within())] } else { Vec::new() }
        }
        // `{ "tools/call": run }`
        ExprKind::Dict(members) => {
            let is = |key: &Option<ExprId>| key.is_some_and(is_call);
            members.iter().filter(|(key, _)| is(key)).flat_map(|(_, value)| stored(*value)).collect()
        }
        // `["tools/call", run]`
        ExprKind::List(pair) if pair.len() == 2 && is_call(pair[0]) => stored(pair[1]),
        // `rpc.on("tools/call", run)`
        ExprKind::Call { args, .. } if args.first().is_some_and(|arg| is_call(arg.value)) => {
            args.iter().skip(1).take(4).flat_map(|arg| stored(arg.value)).collect()
        }
        _ => Vec::new(),
    }
}

/// Whether a name stands for the method's name.
fn is_constant(program: &Program, id: UnitId, unit: &Unit, expr: ExprId) -> bool {
    if !matches!(unit.expr(expr), ExprKind::Var(_)) {
        return false;
    }
    let (unit, value) = program.value(id, expr);
    program.unit(unit).text(value) == Some(CALL)
}

/// `@rpc.method("tools/call")`
fn registered_by_decorator(id: UnitId, unit: &Unit, found: &mut Vec<(UnitId, FunctionId)>) {
    for (at, function) in unit.functions.iter().enumerate() {
        let names = |&decorator: &ExprId| match unit.expr(decorator) {
            ExprKind::Call { args, .. } => args.iter().any(|arg| unit.text(arg.value) == Some(CALL)),
            _ => false,
        };
        if function.decorators.iter().any(names) {
            found.push((id, FunctionId(u32::try_from(at).unwrap_or(u32::MAX))));
        }
    }
}

fn handler(program: &Program, unit: UnitId, function: FunctionId) -> Option<Handler> {
    let source = program.unit(unit);
    let found = source.function(function);
    let method = usize::from(found.class.is_some() && source.language == Language::Python);
    let inputs: Vec<usize> = (method..found.params.len()).collect();
    // What the top level compares comes from a stream, which is a source itself.
    if function == FunctionId::TOP || inputs.is_empty() {
        return None;
    }
    let schema = if checks_itself(program, unit, function) { Schema::Typed } else { Schema::None };
    Some(Handler { inputs, schema, by_hand: true, ..Handler::at(unit, function, Kind::Tool, (unit, found.span)) })
}
