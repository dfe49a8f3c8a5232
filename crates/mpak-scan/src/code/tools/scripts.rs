//! Handlers in JavaScript and TypeScript: `tool`, `registerTool`, `setRequestHandler` and their like, decorated methods.

use std::collections::BTreeMap;

use super::super::facts::{Arg, ExprId, ExprKind, FunctionId, Span, Unit};
use super::super::program::{Meaning, Program, UnitId};
use super::super::shapes::{self, Shape};
use super::{DECORATORS_COUNT_MAX, HANDLERS_COUNT_MAX, Handler, Kind, RUNS, Schema, functions, kind, last_name};

/// The handlers of one unit.
pub(super) fn handlers(program: &Program, id: UnitId, unit: &Unit, found: &mut Vec<Handler>) {
    for (call, callee, args) in unit.calls() {
        let ExprKind::Member { name, .. } = unit.expr(callee) else { continue };
        if name == "setRequestHandler" {
            request_handler(program, id, unit.span(call), args, found);
            continue;
        }
        let Some(kind) = kind(name).filter(|_| name != "call_tool") else { continue };
        let (Some(first), Some(last)) = (args.first(), args.last()) else { continue };
        if args.len() < 2 {
            continue;
        }
        let name = program_text(program, id, first.value);
        let within = program.function_around(id, unit.span(call));
        for of in functions(program, id, within, last.value).into_iter().take(HANDLERS_COUNT_MAX) {
            found.push(script_handler(program, (id, unit), of, kind, name.clone(), &args[1..], unit.span(call)));
        }
    }
    decorated(program, id, unit, found);
    // `{ name, description, inputSchema, handler }`.
    for (at, expr) in unit.exprs.iter().enumerate() {
        let ExprKind::Dict(members) = &expr.kind else { continue };
        let member = |wanted: &[&str]| {
            let is = |key: &Option<ExprId>| key.and_then(|key| unit.text(key)).is_some_and(|key| wanted.contains(&key));
            members.iter().find(|(key, _)| is(key)).map(|(_, value)| *value)
        };
        let Some(run) = member(RUNS) else { continue };
        let told = member(&["description", "inputSchema", "parameters", "schema", "paramsSchema", "config"]);
        let (Some(name), Some(_)) = (member(&["name"]).or(Some(run)), told) else { continue };
        if let Meaning::Function(unit_id, function) = program.meaning(id, FunctionId::TOP, run) {
            let name = unit.text(name).map(str::to_owned);
            let all = [Arg { name: None, value: ExprId(u32::try_from(at).unwrap_or(u32::MAX)) }];
            found.push(script_handler(program, (id, unit), (unit_id, function), Kind::Tool, name, &all, expr.span));
        }
    }
}

/// `@Tool({ name, parameters })` above a method.
fn decorated(program: &Program, id: UnitId, unit: &Unit, found: &mut Vec<Handler>) {
    for (at, function) in unit.functions.iter().enumerate() {
        for &decorator in function.decorators.iter().take(DECORATORS_COUNT_MAX) {
            let ExprKind::Call { callee, args, .. } = unit.expr(decorator) else { continue };
            let Some(kind) = last_name(unit, *callee).and_then(kind) else { continue };
            let of = (id, FunctionId(u32::try_from(at).unwrap_or(u32::MAX)));
            let mut handler =
                script_handler(program, (id, unit), of, kind, function.name.clone(), args, unit.span(decorator));
            // What the model chooses comes first, also of a resource.
            handler.inputs = (0..function.params.len().min(1)).collect();
            found.push(handler);
        }
    }
}

/// `server.setRequestHandler(CallToolRequestSchema, handler)`.
fn request_handler(program: &Program, id: UnitId, span: Span, args: &[Arg], found: &mut Vec<Handler>) {
    let [schema, handler, ..] = args else { return };
    let Some(kind) = request_kind(program, id, schema.value) else { return };
    let within = program.function_around(id, span);
    for (unit_id, function) in functions(program, id, within, handler.value).into_iter().take(HANDLERS_COUNT_MAX) {
        // The SDK checks the shape of the request, not of the arguments in it.
        let schema = if checks_itself(program, unit_id, function) { Schema::Typed } else { Schema::None };
        found.push(Handler {
            unit: unit_id,
            function,
            kind,
            name: None,
            description: None,
            inputs: vec![0],
            shapes: BTreeMap::new(),
            schema,
            registered_in: id,
            span,
            by_hand: false,
        });
    }
}

/// What a schema of requests is for.
pub(in crate::code) fn request_kind(program: &Program, unit: UnitId, schema: ExprId) -> Option<Kind> {
    last_name(program.unit(unit), schema).and_then(kind).or_else(|| method_kind(program, unit, schema))
}

/// What a schema of requests is for, by the method in it: names are lost in minified code.
fn method_kind(program: &Program, unit: UnitId, schema: ExprId) -> Option<Kind> {
    let (unit, schema) = program.value(unit, schema);
    let source = program.unit(unit);
    let ExprKind::Call { args, .. } = source.expr(schema) else { return None };
    let (unit, first) = program.value(unit, args.first()?.value);
    let source = program.unit(unit);
    let ExprKind::Dict(members) = source.expr(first) else { return None };
    let (_, method) = members.iter().find(|(key, _)| key.and_then(|key| source.text(key)) == Some("method"))?;
    let ExprKind::Call { args, .. } = source.expr(*method) else { return None };
    match source.text(args.first()?.value)? {
        "tools/call" => Some(Kind::Tool),
        "prompts/get" => Some(Kind::Prompt),
        "resources/read" => Some(Kind::Resource),
        _ => None,
    }
}

fn program_text(program: &Program, unit: UnitId, expr: ExprId) -> Option<String> {
    let (unit, expr) = program.value(unit, expr);
    program.unit(unit).text(expr).map(str::to_owned)
}

fn script_handler(
    program: &Program,
    (from, source): (UnitId, &Unit),
    (id, function): (UnitId, FunctionId),
    kind: Kind,
    name: Option<String>,
    args: &[Arg],
    span: Span,
) -> Handler {
    let mut description = None;
    let (mut shape, mut schema) = (None, Schema::None);
    for arg in args {
        if let Some(text) = source.text(arg.value) {
            description = Some(text.to_owned());
        } else if let Some((found, is_schema)) = schema_of(program, from, arg.value, &mut description) {
            shape = shape.or(found);
            if is_schema {
                schema = Schema::Typed;
            }
        }
    }
    let params = program.unit(id).function(function).params.len();
    // A resource is given its address and the variables of its template; a fixed address is nobody's choice.
    let templated = kind == Kind::Resource
        && args
            .iter()
            .any(|arg| program.outside(from, FunctionId::TOP, arg.value).is_some_and(|p| p.contains("Template")));
    let inputs: Vec<usize> = match kind {
        Kind::Resource if templated => (0..params.min(2)).collect(),
        Kind::Resource => Vec::new(),
        _ => (0..params.min(1)).collect(),
    };
    let mut shapes = BTreeMap::new();
    if let Some(shape) = shape.filter(|shape| *shape != Shape::Free && kind != Kind::Resource) {
        shapes.insert(0, shape);
    }
    if schema == Schema::None && checks_itself(program, id, function) {
        schema = Schema::Typed;
    }
    Handler { name, description, inputs, shapes, schema, ..Handler::at(id, function, kind, (from, span)) }
}

/// The shape that an argument of a registration tells, and whether it is a schema at all; none where the
/// argument is neither a schema nor an object with one. Fills in the description.
fn schema_of(
    program: &Program,
    unit: UnitId,
    expr: ExprId,
    description: &mut Option<String>,
) -> Option<(Option<Shape>, bool)> {
    let (inside, value) = program.value(unit, expr);
    let source = program.unit(inside);
    if let ExprKind::Dict(members) = source.expr(value) {
        let mut schema = None;
        for (key, value) in members {
            match key.and_then(|key| source.text(key)) {
                Some("description") if source.text(*value).is_some() => {
                    *description = source.text(*value).map(str::to_owned);
                }
                Some("inputSchema" | "parameters" | "schema" | "paramsSchema" | "argsSchema") => schema = Some(*value),
                Some("config") => {
                    if let Some(found) = schema_of(program, inside, *value, description) {
                        return Some(found);
                    }
                }
                _ => {}
            }
        }
        if let Some(schema) = schema {
            return Some((shapes::of_schema(program, inside, schema), true));
        }
    }
    let shape = shapes::of_schema(program, inside, value)?;
    Some((Some(shape), true))
}

/// Whether a handler begins by checking its input: `Schema.parse(args)`, `validate(args)`.
pub(super) fn checks_itself(program: &Program, unit: UnitId, function: FunctionId) -> bool {
    program.checks_in(unit, program.unit(unit).function(function).span, |source, call| {
        let ExprKind::Call { callee, args, .. } = source.expr(call) else { return false };
        let callee = *callee;
        let named = matches!(
            last_name(source, callee),
            Some(
                "parse"
                    | "safeParse"
                    | "parseAsync"
                    | "safeParseAsync"
                    | "validate"
                    | "assert"
                    | "decode"
                    | "Check"
                    | "Decode"
            )
        );
        let json = matches!(source.expr(callee), ExprKind::Member { of, .. }
            if matches!(source.expr(*of), ExprKind::Free(name) if name == "JSON" || name == "console"));
        named && !json && !args.is_empty()
    })
}
