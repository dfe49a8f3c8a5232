//! Tools that are classes: a name, a description or a schema beside a method that runs, or a base class that says
//! that it is a tool.

use std::collections::BTreeMap;

use super::super::facts::{FunctionId, Language};
use super::super::program::{BASES_COUNT_MAX, ClassKey, Meaning, Program};
use super::super::shapes::{self, Shape};
use super::{Handler, Kind, Schema, checks_itself};

/// Methods that run a tool.
const METHODS: [&str; 14] = [
    "execute", "run", "call", "handle", "handler", "invoke", "apply", "_run", "_arun", "arun", "run_tool", "runTool",
    "__call__", "forward",
];

/// Fields that tell a model of a tool.
const TOLD: [&str; 8] =
    ["inputSchema", "input_schema", "schema", "parameters", "args_schema", "description", "definition", "paramsSchema"];

/// Handlers that are methods.
pub(super) fn handlers(program: &Program) -> Vec<Handler> {
    program.classes().filter_map(|class| handler(program, class)).collect()
}

fn handler(program: &Program, key: ClassKey) -> Option<Handler> {
    let (unit, class) = key;
    let source = program.unit(unit);
    let found = &source.classes[class.0 as usize];
    let function = METHODS.iter().find_map(|name| program.has_method(key, name))?;
    if !(tells(program, key) || is_tool(program, key)) {
        return None;
    }
    let method = source.function(function);
    let first = usize::from(source.language == Language::Python);
    let count = method.params.len();
    let inputs: Vec<usize> = match source.language {
        Language::Python => (first..count).filter(|&at| !is_context(method.params[at].annotation.as_deref())).collect(),
        _ => (0..count.min(1)).collect(),
    };
    if inputs.is_empty() {
        return None;
    }
    let mut shapes = BTreeMap::new();
    for &at in &inputs {
        if let Some(annotation) = method.params[at].annotation.as_deref()
            && source.language == Language::Python
        {
            match shapes::of_annotation(program, unit, annotation) {
                Shape::Free => {}
                shape => {
                    shapes.insert(at, shape);
                }
            }
        }
    }
    let typed = inputs.iter().all(|&at| method.params[at].annotation.is_some()) && source.language == Language::Python;
    let told = found.fields.iter().any(|(name, _)| TOLD[..5].contains(&name.as_str()));
    let schema = if typed || told || checks_itself(program, unit, function) { Schema::Typed } else { Schema::None };
    let name = program.field_text(key, "name").map(str::to_owned);
    let description = program.field_text(key, "description").map(str::to_owned);
    let found = Handler::at(unit, function, Kind::Tool, (unit, method.span));
    Some(Handler { name, description, inputs, shapes, schema, ..found })
}

/// A name and something that a model is told, as fields or as answers of methods.
fn tells(program: &Program, key: ClassKey) -> bool {
    let (unit, class) = key;
    let has = |name: &str| {
        program.own_field(unit, class, name).is_some()
            || program.own_method(unit, class, name).is_some()
            || !program.fields(unit, class, name).is_empty()
    };
    has("name") && TOLD.iter().any(|name| has(name))
}

/// Whether a base says that it is a tool.
fn is_tool(program: &Program, (unit, class): ClassKey) -> bool {
    let mut at = (unit, class);
    for _ in 0..8 {
        let bases = program.unit(at.0).classes[at.1.0 as usize].bases.iter().copied().take(BASES_COUNT_MAX);
        let mut next = None;
        for base in bases {
            let name = match program.meaning(at.0, FunctionId::TOP, base) {
                Meaning::Outside(path) => path.rsplit('.').next().map(str::to_owned),
                Meaning::Class(unit, class) => {
                    next = Some((unit, class));
                    program.unit(unit).classes[class.0 as usize].name.clone()
                }
                _ => None,
            };
            let named = name.as_deref().is_some_and(|name| {
                matches!(
                    name,
                    "Tool" | "BaseTool" | "MCPTool" | "McpTool" | "AbstractTool" | "ToolHandler" | "ToolBase"
                )
            });
            if named {
                return true;
            }
        }
        match next {
            Some(base) => at = base,
            None => return false,
        }
    }
    false
}

fn is_context(annotation: Option<&str>) -> bool {
    annotation.is_some_and(|annotation| annotation.contains("Context"))
}
