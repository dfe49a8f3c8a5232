//! What a model can call: the handlers of tools, prompts and resources, found where code registers them.
//!
//! Python: decorators and `add_tool` of FastMCP and of the SDK's low-level server. JavaScript and
//! TypeScript: `tool`, `registerTool`, `setRequestHandler` and their like, and objects that carry a name, a
//! schema and a function.

use std::collections::BTreeMap;

use super::facts::{Arg, ExprId, ExprKind, FunctionId, Language, Span, Unit};
use super::program::{Meaning, Program, UnitId};
use super::shapes::{self, Shape};

mod classes;
mod protocol;
mod scripts;

use scripts::checks_itself;
pub(super) use scripts::request_kind;

/// Members under which objects that describe a tool keep its function.
pub(super) const RUNS: &[&str] =
    &["handler", "execute", "run", "callback", "cb", "handle", "fn", "func", "invoke", "call"];

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
    /// What an enforced schema or type says of these parameters, by position.
    pub shapes: BTreeMap<usize, Shape>,
    /// Checking.
    pub schema: Schema,
    /// The unit whose code registers it, which need not be its own.
    pub registered_in: UnitId,
    /// Where it is registered there.
    pub span: Span,
    /// Whether it was found by the words of the protocol, in a server without a library.
    pub by_hand: bool,
}

impl Handler {
    /// A function of which nothing is known but where it is registered: unit and place.
    fn at(unit: UnitId, function: FunctionId, kind: Kind, (registered_in, span): (UnitId, Span)) -> Self {
        Self {
            unit,
            function,
            kind,
            name: None,
            description: None,
            inputs: Vec::new(),
            shapes: BTreeMap::new(),
            schema: Schema::None,
            registered_in,
            span,
            by_hand: false,
        }
    }
}

/// Finds all handlers.
pub fn handlers(program: &Program) -> Vec<Handler> {
    let mut found = Vec::new();
    for (id, unit) in program.units() {
        match unit.language {
            Language::Python => python(program, id, unit, &mut found),
            Language::JavaScript | Language::TypeScript => scripts::handlers(program, id, unit, &mut found),
            Language::Shell => {}
        }
    }
    found.extend(classes::handlers(program));
    if found.is_empty() {
        found.extend(protocol::handlers(program));
    }
    // A function that is registered twice is kept with the registration that says most of its input.
    found.sort_by_key(|handler| (handler.unit, handler.function, handler.shapes.is_empty(), handler.span));
    found.dedup_by(|other, kept| {
        let same = (other.unit, other.function) == (kept.unit, kept.function);
        // Whoever takes a function of another file for a tool is told: it is his doing.
        if same && kept.registered_in == kept.unit && other.registered_in != other.unit {
            (kept.registered_in, kept.span) = (other.registered_in, other.span);
        }
        same
    });
    found
}

/// Whether a server speaks the protocol itself, without a library that was found to register its tools.
pub fn speaks_itself(program: &Program, handlers: &[Handler]) -> bool {
    handlers.iter().all(|handler| handler.by_hand) && protocol::is_named(program)
}

/// What a name of a registering function registers.
pub(super) fn kind(name: &str) -> Option<Kind> {
    match name {
        "tool"
        | "registerTool"
        | "register_tool"
        | "defineTool"
        | "define_tool"
        | "createTool"
        | "create_tool"
        | "Tool"
        | "McpTool"
        | "mcp_tool"
        | "kernel_function"
        | "call_tool"
        | "add_tool"
        | "addTool"
        | "CallToolRequestSchema" => Some(Kind::Tool),
        "prompt"
        | "registerPrompt"
        | "register_prompt"
        | "get_prompt"
        | "add_prompt"
        | "addPrompt"
        | "Prompt"
        | "McpPrompt"
        | "GetPromptRequestSchema" => Some(Kind::Prompt),
        "resource"
        | "registerResource"
        | "read_resource"
        | "add_resource"
        | "addResource"
        | "ReadResourceRequestSchema"
        | "resource_template"
        | "register_resource"
        | "Resource"
        | "ResourceTemplate"
        | "McpResource"
        | "addResourceTemplate" => Some(Kind::Resource),
        _ => None,
    }
}

/// Whether a decorator registers what it stands above.
pub(super) fn registers(unit: &Unit, decorator: ExprId) -> bool {
    let callee = match unit.expr(decorator) {
        ExprKind::Call { callee, .. } => *callee,
        _ => decorator,
    };
    last_name(unit, callee).and_then(decorates).is_some()
}

/// What a decorator registers, by its name: `@tool`, `@server.prompt`, `@our_tool`.
fn decorates(name: &str) -> Option<Kind> {
    let own = name.strip_suffix("_tool").is_some_and(|word| {
        !matches!(
            word,
            "log"
                | "trace"
                | "time"
                | "timed"
                | "wrap"
                | "require"
                | "requires"
                | "audit"
                | "validate"
                | "check"
                | "with"
        )
    });
    kind(name).or(own.then_some(Kind::Tool))
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
        for &decorator in function.decorators.iter().take(DECORATORS_COUNT_MAX) {
            let (callee, args): (ExprId, &[Arg]) = match unit.expr(decorator) {
                ExprKind::Call { callee, args, .. } => (*callee, args),
                _ => (decorator, &[]),
            };
            if let Some(kind) = last_name(unit, callee).and_then(decorates) {
                found.push(python_handler(program, id, (id, function_id), kind, args, unit.span(decorator)));
            }
        }
    }
    for (call, callee, args) in unit.calls() {
        // `mcp.tool()(function)`, `mcp.add_tool(function)`, `Tool.from_function(function)`.
        let registering = match unit.expr(callee) {
            ExprKind::Call { callee: inner, args: options, .. } => {
                last_name(unit, *inner).filter(|name| !name.starts_with("add_")).and_then(kind).map(|k| (k, options))
            }
            _ => match last_name(unit, callee) {
                Some("from_function") => Some((Kind::Tool, &EMPTY)),
                // `mcp.tool(function)`, `registry.register_tool("name", function)`
                Some("tool" | "prompt") if !matches!(unit.expr(callee), ExprKind::Member { .. }) => None,
                Some("Tool" | "Prompt" | "Resource" | "ResourceTemplate" | "call_tool") => None,
                Some(name) => kind(name).map(|kind| (kind, &EMPTY)),
                None => None,
            },
        };
        let Some((kind, options)) = registering else { continue };
        let within = program.function_around(id, unit.span(call));
        let all: Vec<Arg> = args.iter().chain(options).cloned().collect();
        let functions = args.iter().flat_map(|arg| functions(program, id, within, arg.value)).take(HANDLERS_COUNT_MAX);
        for (unit_id, function) in functions {
            found.push(python_handler(program, id, (unit_id, function), kind, &all, unit.span(call)));
        }
    }
}

/// Most decorators of one function that are looked at.
const DECORATORS_COUNT_MAX: usize = 32;

/// Most handlers of one program that are followed; who has more is told that not all was.
pub const FOLLOWED_COUNT_MAX: usize = 4_096;

/// No arguments.
static EMPTY: Vec<Arg> = Vec::new();

/// Most functions that one registration may be of.
const HANDLERS_COUNT_MAX: usize = 64;

/// The functions that an expression may stand for.
fn functions(program: &Program, unit: UnitId, within: FunctionId, expr: ExprId) -> Vec<(UnitId, FunctionId)> {
    if let Meaning::Function(unit, function) = program.meaning(unit, within, expr) {
        return vec![(unit, function)];
    }
    let possible = program.possible(unit, expr).into_iter();
    let function = |(unit, expr): (UnitId, ExprId)| match program.meaning(unit, FunctionId::TOP, expr) {
        Meaning::Function(unit, function) => Some((unit, function)),
        _ => None,
    };
    possible.filter_map(function).collect()
}

fn python_handler(
    program: &Program,
    from: UnitId,
    (id, function): (UnitId, FunctionId),
    kind: Kind,
    args: &[Arg],
    span: Span,
) -> Handler {
    let unit = program.unit(id);
    let found = unit.function(function);
    let named = |name: &str| args.iter().find(|arg| arg.name.as_deref() == Some(name));
    let registering = &program.unit(from).exprs;
    let given = |name: &str| named(name).and_then(|arg| registering.get(arg.value.0 as usize)).and_then(text_of);
    let name = given("name").map(str::to_owned).or_else(|| found.name.clone());
    let description = given("description").map(str::to_owned).or_else(|| found.doc.clone());
    let method = usize::from(found.class.is_some());
    let (mut inputs, mut untyped, mut shapes) = (Vec::new(), Vec::new(), BTreeMap::new());
    for (at, param) in found.params.iter().enumerate().skip(method) {
        let annotation = param.annotation.as_deref().unwrap_or_default();
        if annotation.contains("Context") {
            continue;
        }
        if annotation.is_empty() || is_loose(annotation) {
            untyped.push(param.name.clone());
        }
        match shapes::of_annotation(program, id, annotation) {
            Shape::Free => {}
            shape => {
                shapes.insert(at, shape);
            }
        }
        inputs.push(at);
    }
    let low_level = last_decorator_is(unit, found, "call_tool");
    let schema = match (untyped.is_empty(), untyped.len() < found.params.len() - method) {
        // The SDK checks the arguments of `call_tool` against the declared schema.
        _ if low_level => Schema::Typed,
        (true, _) => Schema::Typed,
        (false, true) => Schema::Partly(untyped),
        (false, false) => Schema::None,
    };
    Handler { name, description, inputs, shapes, schema, ..Handler::at(id, function, kind, (from, span)) }
}

fn last_decorator_is(unit: &Unit, function: &super::facts::Function, name: &str) -> bool {
    function.decorators.iter().take(DECORATORS_COUNT_MAX).any(|&decorator| {
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

fn text_of(expr: &super::facts::Expr) -> Option<&str> {
    match &expr.kind {
        ExprKind::Text(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::read;

    type Shown = (Kind, String, Vec<usize>, Vec<String>, Schema);

    fn found(path: &str, source: &str) -> Vec<Shown> {
        let program = Program::new(read(path, source.as_bytes()).into_iter().collect());
        let harmless = |shape: Option<&Shape>| match shape {
            Some(Shape::Members(members)) => {
                let harmless = members.iter().filter(|(_, shape)| **shape == Shape::HARMLESS);
                harmless.map(|(name, _)| name.clone()).collect()
            }
            _ => Vec::new(),
        };
        let shown = |h: Handler| {
            let harmless = harmless(h.shapes.get(&0));
            (h.kind, h.name.unwrap_or_default(), h.inputs, harmless, h.schema)
        };
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
                (Kind::Tool, "run".into(), vec![0, 1], vec![], Schema::Typed),
                (Kind::Tool, "b".into(), vec![0, 1], vec![], Schema::Typed),
                (Kind::Prompt, "c".into(), vec![0], vec![], Schema::None),
                (Kind::Tool, "d".into(), vec![1, 2], vec![], Schema::Typed),
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
