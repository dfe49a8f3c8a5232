//! What a model can call: the handlers of tools, prompts and resources, found where code registers them.
//!
//! Python: decorators and `add_tool` of FastMCP and of the SDK's low-level server. JavaScript and
//! TypeScript: `tool`, `registerTool`, `setRequestHandler` and their like, and objects that carry a name, a
//! schema and a function.

use super::facts::{Arg, ExprId, ExprKind, FunctionId, Language, Span, Unit};
use super::program::{Meaning, Program, UnitId};

/// What is registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A tool, or the one function that runs all tools.
    Tool,
    /// A prompt.
    Prompt,
    /// A resource.
    Resource,
}

/// How the input of a handler is checked before it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schema {
    /// Each parameter has a type, or a schema is handed over.
    Typed,
    /// These parameters have none.
    Partly(Vec<String>),
    /// None was found.
    None,
}

/// A function that a model can call.
#[derive(Clone, Debug)]
pub struct Handler {
    /// Its unit.
    pub unit: UnitId,
    /// The function.
    pub function: FunctionId,
    /// What it is.
    pub kind: Kind,
    /// Its name, where that is constant.
    pub name: Option<String>,
    /// What the model reads about it, where that is constant.
    pub description: Option<String>,
    /// Parameters, by position, that the model chooses.
    pub inputs: Vec<usize>,
    /// Members of the one object of inputs that cannot hold any text: numbers, choices.
    pub harmless: Vec<String>,
    /// Checking.
    pub schema: Schema,
    /// Where it is registered.
    pub span: Span,
}

/// Finds all handlers.
pub fn handlers(program: &Program) -> Vec<Handler> {
    let mut found = Vec::new();
    for (id, unit) in program.units() {
        match unit.language {
            Language::Python => python(program, id, unit, &mut found),
            Language::JavaScript | Language::TypeScript => script(program, id, unit, &mut found),
            Language::Shell => {}
        }
    }
    found.sort_by_key(|handler| (handler.unit, handler.function, handler.span));
    found.dedup_by_key(|handler| (handler.unit, handler.function));
    found
}

fn kind(name: &str) -> Option<Kind> {
    match name {
        "tool" | "registerTool" | "call_tool" | "add_tool" | "addTool" | "CallToolRequestSchema" => Some(Kind::Tool),
        "prompt" | "registerPrompt" | "get_prompt" | "add_prompt" | "addPrompt" | "GetPromptRequestSchema" => {
            Some(Kind::Prompt)
        }
        "resource"
        | "registerResource"
        | "read_resource"
        | "add_resource"
        | "addResource"
        | "ReadResourceRequestSchema"
        | "resource_template"
        | "addResourceTemplate" => Some(Kind::Resource),
        _ => None,
    }
}

/// The last part of a name: `tool` of `mcp.tool`.
fn last_name(unit: &Unit, callee: ExprId) -> Option<&str> {
    match unit.expr(callee) {
        ExprKind::Member { name, .. } | ExprKind::Free(name) => Some(name),
        ExprKind::Var(var) => Some(&unit.vars[var.0 as usize].name),
        _ => None,
    }
}

fn python(program: &Program, id: UnitId, unit: &Unit, found: &mut Vec<Handler>) {
    for (at, function) in unit.functions.iter().enumerate() {
        let function_id = FunctionId(u32::try_from(at).unwrap_or(u32::MAX));
        for &decorator in &function.decorators {
            let (callee, args): (ExprId, &[Arg]) = match unit.expr(decorator) {
                ExprKind::Call { callee, args, .. } => (*callee, args),
                _ => (decorator, &[]),
            };
            if let Some(kind) = last_name(unit, callee).and_then(kind) {
                found.push(python_handler(unit, (id, function_id), kind, args, unit.span(decorator)));
            }
        }
    }
    for (call, callee, args) in unit.calls() {
        let Some(name) = last_name(unit, callee) else { continue };
        let kind = match name {
            "from_function" => Some(Kind::Tool),
            name if name.starts_with("add_") => kind(name),
            _ => None,
        };
        let Some(kind) = kind else { continue };
        for arg in args {
            if let Meaning::Function(unit_id, function) = program.meaning(id, FunctionId::TOP, arg.value) {
                let unit = program.unit(unit_id);
                found.push(python_handler(unit, (unit_id, function), kind, args, unit.span(call)));
                break;
            }
        }
    }
}

fn python_handler(unit: &Unit, (id, function): (UnitId, FunctionId), kind: Kind, args: &[Arg], span: Span) -> Handler {
    let found = unit.function(function);
    let given = |name: &str| args.iter().find(|arg| arg.name.as_deref() == Some(name)).and_then(|a| unit.text(a.value));
    let name = given("name").map(str::to_owned).or_else(|| found.name.clone());
    let description = given("description").map(str::to_owned).or_else(|| found.doc.clone());
    let method = usize::from(found.class.is_some());
    let (mut inputs, mut untyped) = (Vec::new(), Vec::new());
    for (at, param) in found.params.iter().enumerate().skip(method) {
        let annotation = param.annotation.as_deref().unwrap_or_default();
        if annotation.contains("Context") {
            continue;
        }
        if annotation.is_empty() || is_loose(annotation) {
            untyped.push(param.name.clone());
        }
        if !holds_no_text(annotation) {
            inputs.push(at);
        }
    }
    let low_level = last_decorator_is(unit, found, "call_tool");
    let schema = match (untyped.is_empty(), untyped.len() < found.params.len() - method) {
        // The SDK checks the arguments of `call_tool` against the declared schema.
        _ if low_level => Schema::Typed,
        (true, _) => Schema::Typed,
        (false, true) => Schema::Partly(untyped),
        (false, false) => Schema::None,
    };
    Handler { unit: id, function, kind, name, description, inputs, harmless: Vec::new(), schema, span }
}

fn last_decorator_is(unit: &Unit, function: &super::facts::Function, name: &str) -> bool {
    function.decorators.iter().any(|&decorator| {
        let callee = match unit.expr(decorator) {
            ExprKind::Call { callee, .. } => *callee,
            _ => decorator,
        };
        last_name(unit, callee) == Some(name)
    })
}

/// A type that says nothing about what is inside.
fn is_loose(annotation: &str) -> bool {
    let bare = annotation.trim().trim_end_matches("| None").trim();
    matches!(bare, "dict" | "Dict" | "Any" | "typing.Any" | "object" | "list" | "dict[str, Any]" | "Dict[str, Any]")
}

/// A type whose values hold no text that an attacker could choose.
fn holds_no_text(annotation: &str) -> bool {
    let bare = annotation.replace("Optional[", "").replace(['[', ']', '|', ',', '"', '\''], " ");
    if annotation.trim_start().starts_with("Literal[") || annotation.trim_start().starts_with("typing.Literal[") {
        return true;
    }
    let mut words = bare.split_whitespace().peekable();
    words.peek().is_some()
        && words.all(|word| {
            matches!(
                word,
                "int"
                    | "float"
                    | "bool"
                    | "None"
                    | "datetime"
                    | "date"
                    | "timedelta"
                    | "Decimal"
                    | "UUID"
                    | "uuid.UUID"
                    | "datetime.datetime"
                    | "datetime.date"
                    | "Annotated"
                    | "list"
                    | "List"
            )
        })
}

fn script(program: &Program, id: UnitId, unit: &Unit, found: &mut Vec<Handler>) {
    for (call, callee, args) in unit.calls() {
        let ExprKind::Member { name, .. } = unit.expr(callee) else { continue };
        if name == "setRequestHandler" {
            let [schema, handler, ..] = args else { continue };
            let Some(kind) = last_name(unit, schema.value).and_then(kind) else { continue };
            if let Meaning::Function(unit_id, function) = program.meaning(id, FunctionId::TOP, handler.value) {
                // The SDK checks the shape of the request, not of the arguments in it.
                let schema = if checks_itself(program, unit_id, function) { Schema::Typed } else { Schema::None };
                let (name, description) = (None, None);
                let (inputs, harmless, span) = (vec![0], Vec::new(), unit.span(call));
                found.push(Handler {
                    unit: unit_id,
                    function,
                    kind,
                    name,
                    description,
                    inputs,
                    harmless,
                    schema,
                    span,
                });
            }
            continue;
        }
        let Some(kind) = kind(name).filter(|_| name != "call_tool") else { continue };
        let Some(last) = args.last() else { continue };
        if let Meaning::Function(unit_id, function) = program.meaning(id, FunctionId::TOP, last.value)
            && args.len() > 1
        {
            let name = program_text(program, id, args[0].value);
            found.push(script_handler(
                program,
                (id, unit),
                (unit_id, function),
                kind,
                name,
                &args[1..],
                unit.span(call),
            ));
        }
    }
    // `{ name, description, inputSchema, handler }`.
    for (at, expr) in unit.exprs.iter().enumerate() {
        let ExprKind::Dict(members) = &expr.kind else { continue };
        let member = |wanted: &[&str]| {
            let is = |key: &Option<ExprId>| key.and_then(|key| unit.text(key)).is_some_and(|key| wanted.contains(&key));
            members.iter().find(|(key, _)| is(key)).map(|(_, value)| *value)
        };
        let Some(run) = member(&["handler", "execute", "run", "callback", "cb"]) else { continue };
        let told = member(&["description", "inputSchema", "parameters", "schema", "paramsSchema"]);
        let (Some(name), Some(_)) = (member(&["name"]).or(Some(run)), told) else { continue };
        if let Meaning::Function(unit_id, function) = program.meaning(id, FunctionId::TOP, run) {
            let name = unit.text(name).map(str::to_owned);
            let all = [Arg { name: None, value: ExprId(u32::try_from(at).unwrap_or(u32::MAX)) }];
            found.push(script_handler(program, (id, unit), (unit_id, function), Kind::Tool, name, &all, expr.span));
        }
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
    let (mut harmless, mut schema) = (Vec::new(), Schema::None);
    for arg in args {
        if let Some(text) = source.text(arg.value) {
            description = Some(text.to_owned());
            continue;
        }
        let fields = schema_fields(program, from, arg.value, &mut description, 4);
        if let Some(fields) = fields {
            schema = Schema::Typed;
            harmless.extend(fields);
        }
    }
    let inputs = if program.unit(id).function(function).params.is_empty() { Vec::new() } else { vec![0] };
    if schema == Schema::None && checks_itself(program, id, function) {
        schema = Schema::Typed;
    }
    Handler { unit: id, function, kind, name, description, inputs, harmless, schema, span }
}

/// Members of a schema that hold no free text; none where it is no schema. Fills in the description.
fn schema_fields(
    program: &Program,
    unit: UnitId,
    expr: ExprId,
    description: &mut Option<String>,
    steps: u32,
) -> Option<Vec<String>> {
    let steps = steps.checked_sub(1)?;
    let (unit, expr) = program.value(unit, expr);
    let source = program.unit(unit);
    match source.expr(expr) {
        ExprKind::Dict(members) => {
            let (mut harmless, mut is_schema) = (Vec::new(), false);
            for (key, value) in members {
                let Some(key) = key.and_then(|key| source.text(key)) else { continue };
                match key {
                    "description" if source.text(*value).is_some() => {
                        *description = source.text(*value).map(str::to_owned);
                    }
                    "inputSchema" | "parameters" | "schema" | "paramsSchema" | "argsSchema" => {
                        if let Some(inner) = schema_fields(program, unit, *value, &mut None, steps) {
                            return Some(inner);
                        }
                        return Some(Vec::new());
                    }
                    _ => {
                        let chain = chain(source, *value);
                        is_schema |= !chain.is_empty();
                        if chain.iter().any(|name| holds_no_free_text(name)) {
                            harmless.push(key.to_owned());
                        }
                    }
                }
            }
            is_schema.then_some(harmless)
        }
        // `z.object({ … })`, `S.shape`.
        ExprKind::Call { args, .. } => schema_fields(program, unit, args.first()?.value, &mut None, steps),
        ExprKind::Member { of, name } if name == "shape" => schema_fields(program, unit, *of, &mut None, steps),
        _ => None,
    }
}

/// Names of a chain of calls: `z.number().int()` is `z`, `number`, `int`.
fn chain(unit: &Unit, mut at: ExprId) -> Vec<&str> {
    let mut names = Vec::new();
    for _ in 0..32 {
        match unit.expr(at) {
            ExprKind::Call { callee, .. } => at = *callee,
            ExprKind::Member { of, name } => {
                names.push(name.as_str());
                at = *of;
            }
            ExprKind::Var(_) | ExprKind::Free(_) if !names.is_empty() => return names,
            _ => break,
        }
    }
    Vec::new()
}

fn holds_no_free_text(name: &str) -> bool {
    matches!(
        name,
        "number"
            | "int"
            | "boolean"
            | "bool"
            | "enum"
            | "nativeEnum"
            | "literal"
            | "bigint"
            | "date"
            | "uuid"
            | "cuid"
            | "ulid"
            | "nanoid"
    )
}

/// Whether a handler begins by checking its input: `Schema.parse(args)`, `validate(args)`.
fn checks_itself(program: &Program, unit: UnitId, function: FunctionId) -> bool {
    let source = program.unit(unit);
    let span = source.function(function).span;
    source.calls().any(|(call, callee, args)| {
        let at = source.span(call);
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
        named && !json && !args.is_empty() && span.start <= at.start && at.end <= span.end
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::read;

    type Shown = (Kind, String, Vec<usize>, Vec<String>, Schema);

    fn found(path: &str, source: &str) -> Vec<Shown> {
        let program = Program::new(read(path, source.as_bytes()).into_iter().collect());
        let shown = |h: Handler| (h.kind, h.name.unwrap_or_default(), h.inputs, h.harmless, h.schema);
        handlers(&program).into_iter().map(shown).collect()
    }

    #[test]
    fn python_decorators_are_found() {
        let source = "
@mcp.tool(name='run')
def a(cmd: str, n: int, ctx: Context) -> str: ...
@server.call_tool()
async def b(name, arguments): ...
@mcp.prompt
def c(x): ...
class S:
  @tool()
  def d(self, mode: Literal['a'], q: str | None = None): ...
def e(p: dict): ...
mcp.add_tool(e, description='x')
@property
def f(x): ...
";
        assert_eq!(
            found("s.py", source),
            [
                (Kind::Tool, "run".into(), vec![0], vec![], Schema::Typed),
                (Kind::Tool, "b".into(), vec![0, 1], vec![], Schema::Typed),
                (Kind::Prompt, "c".into(), vec![0], vec![], Schema::None),
                (Kind::Tool, "d".into(), vec![2], vec![], Schema::Typed),
                (Kind::Tool, "e".into(), vec![0], vec![], Schema::None),
            ]
        );
    }

    #[test]
    fn script_registrations_are_found() {
        let source = "
server.tool('a', 'Does.', { cmd: z.string(), n: z.number().int() }, async ({ cmd, n }) => x);
const S = z.object({ mode: z.enum(['a']), p: z.string().min(1) });
server.registerTool('b', { description: 'D', inputSchema: S.shape }, b);
async function b(args) {}
server.setRequestHandler(CallToolRequestSchema, async (request) => { switch (request.params.name) {} });
server.setRequestHandler(ListToolsRequestSchema, async () => ({}));
export const c = { name: 'c', description: 'C', inputSchema: { type: 'object' }, handler: (args) => args };
list.forEach((x) => x);
";
        let names = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let mut found = found("s.js", source);
        found.sort_by(|a, b| a.1.cmp(&b.1));
        assert_eq!(
            found,
            [
                (Kind::Tool, String::new(), vec![0], vec![], Schema::None),
                (Kind::Tool, "a".into(), vec![0], names(&["n"]), Schema::Typed),
                (Kind::Tool, "b".into(), vec![0], names(&["mode"]), Schema::Typed),
                (Kind::Tool, "c".into(), vec![0], vec![], Schema::Typed),
            ]
        );
    }
}
