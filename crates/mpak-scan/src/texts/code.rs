//! The texts that code registers: tools, prompts and resources with their schemas, and instructions.
//!
//! In: the linked code of a stranger's server. What the SDKs make of a registration is put together as the JSON
//! that a client would be sent, as far as it is constant, and then read like that JSON. Comments and documents
//! for people are not looked at.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::collect::Collector;
use super::{ModelText, Subject, TextKind};
use crate::code::facts::{Arg, ClassId, ExprId, ExprKind, Function, FunctionId, Language, Unit};
use crate::code::program::{Meaning, Program, UnitId};
use crate::code::tools::{Handler, Kind};

/// Most subjects that one bundle's code gives.
const SUBJECTS_COUNT_MAX: usize = 2_000;
/// Most expressions that are put together for all of them.
const STEPS_MAX: u32 = 400_000;
/// Deepest nesting of a schema.
const DEPTH_MAX: u32 = 24;

/// Everything that the units of the server's own register.
pub(crate) fn subjects(program: &Program, handlers: &[Handler], own: &dyn Fn(&Unit) -> bool) -> Vec<Subject> {
    let mut reader = Reader { program, steps: STEPS_MAX, lines: HashMap::new(), found: Vec::new() };
    // 1. Functions that are decorated, or handed to `add_tool`.
    for handler in handlers.iter().filter(|handler| own(program.unit(handler.unit))) {
        reader.handler(handler);
    }
    for (id, unit) in program.units().filter(|(_, unit)| own(unit)) {
        for at in 0..unit.exprs.len() {
            if reader.found.len() >= SUBJECTS_COUNT_MAX || reader.steps == 0 {
                return reader.found;
            }
            let expr = ExprId(u32::try_from(at).unwrap_or(u32::MAX));
            match unit.expr(expr) {
                // 2. Calls: `registerTool(name, {…}, f)`, `Tool(name=…)`, `FastMCP(instructions=…)`.
                ExprKind::Call { callee, args, .. } => reader.call(id, expr, *callee, args),
                // 3. Objects that are tools: `{ name, description, inputSchema }`.
                ExprKind::Dict(members) => reader.object(id, expr, members),
                _ => {}
            }
        }
    }
    reader.found
}

struct Reader<'p> {
    program: &'p Program,
    steps: u32,
    /// Where the texts stand that are being put together.
    lines: HashMap<String, u32>,
    found: Vec<Subject>,
}

impl Reader<'_> {
    fn unit(&self, id: UnitId) -> &Unit {
        self.program.unit(id)
    }

    /// Reads what was put together as a client would.
    fn add(&mut self, unit: UnitId, line: u32, kind: Kind, tool: &Map<String, Value>) {
        let lines = std::mem::take(&mut self.lines);
        let file = self.unit(unit).path.clone();
        let name = tool.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        if name.is_empty() {
            return;
        }
        let mut collector = Collector::new(&file, name.clone(), kind == Kind::Tool);
        collector.tool(tool, &name);
        let mut subject = collector.subject;
        for text in &mut subject.texts {
            text.line = Some(lines.get(&text.text).copied().unwrap_or(line));
        }
        let known = |other: &Subject| other.name == subject.name && same(&other.texts, &subject.texts);
        if !subject.texts.is_empty() && !self.found.iter().any(known) {
            self.found.push(subject);
        }
    }

    /// A Python function that is a tool: its docstring, its parameters with their fields.
    fn handler(&mut self, handler: &Handler) {
        let program = self.program;
        let unit = program.unit(handler.unit);
        if unit.language != Language::Python {
            return;
        }
        let function = unit.function(handler.function);
        // `call_tool` runs all tools and is none itself.
        let decorated =
            |names: &[&str]| function.decorators.iter().any(|&d| names.contains(&last(unit, callee(unit, d))));
        if decorated(&["call_tool", "get_prompt", "read_resource"]) {
            return;
        }
        self.lines.clear();
        let mut tool = Map::new();
        tool.extend(handler.name.as_ref().map(|name| ("name".to_owned(), json!(name))));
        for &decorator in &function.decorators {
            if let ExprKind::Call { args, .. } = unit.expr(decorator) {
                for arg in args
                    .iter()
                    .filter(|arg| matches!(arg.name.as_deref(), Some("name" | "title" | "description" | "annotations")))
                {
                    let value = self.json(handler.unit, arg.value, DEPTH_MAX);
                    tool.insert(arg.name.clone().unwrap_or_default(), value);
                }
            }
        }
        if let (None, Some(description)) = (tool.get("description"), &handler.description) {
            self.lines.insert(description.clone(), function.span.line + 1);
            tool.insert("description".to_owned(), json!(description));
        }
        let properties = self.parameters(handler, function);
        if !properties.is_empty() {
            tool.insert("inputSchema".to_owned(), json!({"properties": properties}));
        }
        self.add(handler.unit, function.span.line, handler.kind, &tool);
    }

    fn parameters(&mut self, handler: &Handler, function: &Function) -> Map<String, Value> {
        let mut properties = Map::new();
        for &at in &handler.inputs {
            let Some(param) = function.params.get(at) else { continue };
            let mut schema = Map::new();
            if let Some(annotation) = &param.annotation {
                for (key, text) in annotated(annotation) {
                    self.lines.insert(text.clone(), function.span.line);
                    schema.insert(key, json!(text));
                }
            }
            if let Some(default) = param.default {
                match self.json(handler.unit, default, DEPTH_MAX) {
                    Value::Object(field) => schema.extend(field),
                    Value::Null => {}
                    value => {
                        schema.insert("default".to_owned(), value);
                    }
                }
            }
            properties.insert(param.name.clone(), Value::Object(schema));
        }
        properties
    }

    fn call(&mut self, id: UnitId, expr: ExprId, callee: ExprId, args: &[Arg]) {
        let program = self.program;
        let unit = program.unit(id);
        let line = unit.span(expr).line;
        let name = last(unit, callee);
        let kind = match name {
            "Tool" | "tool" | "registerTool" | "addTool" => Kind::Tool,
            "Prompt" | "prompt" | "registerPrompt" | "addPrompt" => Kind::Prompt,
            "Resource"
            | "ResourceTemplate"
            | "resource"
            | "registerResource"
            | "addResource"
            | "addResourceTemplate" => Kind::Resource,
            "FastMCP" | "Server" | "McpServer" | "MCPServer" => return self.instructions(id, line, args),
            _ => return,
        };
        self.lines.clear();
        let mut tool = Map::new();
        if unit.language == Language::Python {
            // Of the protocol's types; a decorator is looked at with its function.
            if !name.starts_with(|c: char| c.is_ascii_uppercase()) {
                return;
            }
            for arg in args {
                if let Some(key) = &arg.name {
                    let value = self.json(id, arg.value, DEPTH_MAX);
                    tool.insert(key.clone(), value);
                }
            }
            let fits = tool.contains_key("inputSchema") || tool.contains_key("description") || tool.contains_key("uri");
            if fits {
                self.add(id, line, kind, &tool);
            }
            return;
        }
        // `tool(name, description?, schema?, annotations?, f)`, `registerTool(name, { … }, f)`.
        if args.len() < 2 || !matches!(unit.expr(callee), ExprKind::Member { .. }) {
            return;
        }
        let Value::String(first) = self.json(id, args[0].value, DEPTH_MAX) else { return };
        tool.insert("name".to_owned(), json!(first));
        for arg in &args[1..] {
            if self.is_function(id, arg.value) {
                continue;
            }
            match self.json(id, arg.value, DEPTH_MAX) {
                Value::String(text) if kind != Kind::Resource => {
                    tool.insert("description".to_owned(), json!(text));
                }
                Value::Object(object) => {
                    let whole = ["description", "inputSchema", "title", "argsSchema", "paramsSchema", "annotations"];
                    let described = |key: &&str| object.get(*key).is_some_and(|v| v.is_string() || v.is_object());
                    let hints = object.keys().any(|key| key.ends_with("Hint"));
                    if name != "tool" && whole.iter().any(described) {
                        tool.extend(object.into_iter().map(renamed));
                    } else if hints {
                        tool.insert("annotations".to_owned(), Value::Object(object));
                    } else if object.contains_key("properties") {
                        tool.insert("inputSchema".to_owned(), Value::Object(object));
                    } else {
                        tool.insert("inputSchema".to_owned(), json!({"properties": shape(object)}));
                    }
                }
                _ => {}
            }
        }
        if tool.len() > 1 {
            self.add(id, line, kind, &tool);
        }
    }

    /// What a server tells the model about itself.
    fn instructions(&mut self, id: UnitId, line: u32, args: &[Arg]) {
        self.lines.clear();
        let mut found = None;
        let mut name = String::new();
        for arg in args {
            let value = self.json(id, arg.value, 4);
            match (arg.name.as_deref(), value) {
                (Some("instructions"), Value::String(text)) => found = Some(text),
                (None | Some("name"), Value::String(text)) if name.is_empty() => name = text,
                (None, Value::Object(object)) => {
                    if let Some(Value::String(text)) = object.get("instructions") {
                        found = Some(text.clone());
                    }
                    if let (true, Some(Value::String(text))) = (name.is_empty(), object.get("name")) {
                        name.clone_from(text);
                    }
                }
                _ => {}
            }
        }
        let Some(text) = found.filter(|text| !text.is_empty()) else { return };
        let line = Some(self.lines.get(&text).copied().unwrap_or(line));
        let (file, place) = (self.unit(id).path.clone(), "instructions".to_owned());
        let text = ModelText { kind: TextKind::Instructions, file, line, place, text };
        self.found.push(Subject { name, texts: vec![text], ..Subject::default() });
    }

    fn object(&mut self, id: UnitId, expr: ExprId, members: &[(Option<ExprId>, ExprId)]) {
        let program = self.program;
        let unit = program.unit(id);
        let has = |wanted: &[&str]| {
            members.iter().any(|(key, _)| key.and_then(|key| unit.text(key)).is_some_and(|key| wanted.contains(&key)))
        };
        let kind = if has(&["name"]) && has(&["inputSchema", "input_schema"])
            || has(&["name"])
                && has(&["description"])
                && has(&["parameters", "schema", "paramsSchema"])
                && has(&["execute", "handler", "run", "callback"])
        {
            Kind::Tool
        } else if has(&["uri", "uriTemplate"]) && has(&["name"]) && has(&["description"]) {
            Kind::Resource
        } else {
            return;
        };
        self.lines.clear();
        if let Value::Object(object) = self.json(id, expr, DEPTH_MAX) {
            let object = object.into_iter().map(renamed).collect();
            self.add(id, unit.span(expr).line, kind, &object);
        }
    }

    fn is_function(&self, id: UnitId, expr: ExprId) -> bool {
        matches!(self.program.meaning(id, FunctionId::TOP, expr), Meaning::Function(..))
    }

    /// The constant part of a value, as JSON.
    fn json(&mut self, id: UnitId, expr: ExprId, depth: u32) -> Value {
        if depth == 0 || self.steps == 0 {
            return Value::Null;
        }
        self.steps -= 1;
        let depth = depth - 1;
        let program = self.program;
        let (id, expr) = program.value(id, expr);
        let unit = program.unit(id);
        match unit.expr(expr) {
            ExprKind::Text(text) => {
                self.lines.insert(text.clone(), unit.span(expr).line);
                json!(text)
            }
            ExprKind::Number(number) => json!(number),
            ExprKind::Bool(bool) => json!(bool),
            ExprKind::Join(parts) => {
                let mut text = String::new();
                for &part in parts {
                    match self.json(id, part, depth) {
                        Value::String(part) => text.push_str(&part),
                        Value::Number(part) => text.push_str(&part.to_string()),
                        _ => text.push('…'),
                    }
                }
                self.lines.insert(text.clone(), unit.span(expr).line);
                json!(text)
            }
            ExprKind::List(items) => {
                let mut list = Vec::new();
                for &item in items {
                    match (unit.expr(item), self.json(id, item, depth)) {
                        (ExprKind::Spread(_), Value::Array(items)) => list.extend(items),
                        (_, value) => list.push(value),
                    }
                }
                Value::Array(list)
            }
            ExprKind::Dict(members) => {
                let mut object = Map::new();
                for &(key, value) in members {
                    let value = self.json(id, value, depth);
                    match key.map(|key| self.json(id, key, depth)) {
                        Some(Value::String(key)) => {
                            object.insert(key, value);
                        }
                        Some(_) => {}
                        None => object.extend(value.as_object().cloned().unwrap_or_default()),
                    }
                }
                Value::Object(object)
            }
            ExprKind::Spread(of) => self.json(id, *of, depth),
            ExprKind::Either(ways) => ways.first().map_or(Value::Null, |&way| self.json(id, way, depth)),
            ExprKind::Choice { then, .. } => self.json(id, *then, depth),
            // `Tools.ADD.value` of an enumeration.
            ExprKind::Member { of, name } if name == "value" => self.json(id, *of, depth),
            ExprKind::Member { of, name } => {
                let (of_unit, of) = self.written(id, *of);
                match program.unit(of_unit).expr(of) {
                    ExprKind::Dict(_) => match self.json(of_unit, of, depth) {
                        Value::Object(object) => object.get(name).cloned().unwrap_or(Value::Null),
                        _ => Value::Null,
                    },
                    ExprKind::Call { .. } if name == "shape" => self.json(of_unit, of, depth),
                    ExprKind::Class(class) => self.field(of_unit, *class, name, depth),
                    _ => Value::Null,
                }
            }
            ExprKind::Call { callee, args, .. } => self.called(id, *callee, args, depth),
            _ => Value::Null,
        }
    }

    /// What an expression is written out as: an object, a class, a call.
    fn written(&self, id: UnitId, expr: ExprId) -> (UnitId, ExprId) {
        match self.program.meaning(id, FunctionId::TOP, expr) {
            Meaning::Value(unit, value) => (unit, value),
            _ => self.program.value(id, expr),
        }
    }

    fn field(&mut self, id: UnitId, class: ClassId, name: &str, depth: u32) -> Value {
        let field = self.unit(id).classes[class.0 as usize].fields.iter().find(|(field, _)| field == name).map(|f| f.1);
        field.map_or(Value::Null, |field| self.json(id, field, depth))
    }

    /// What the calls of schema libraries make: Zod, Pydantic; and of texts.
    fn called(&mut self, id: UnitId, callee: ExprId, args: &[Arg], depth: u32) -> Value {
        let program = self.program;
        let unit = program.unit(id);
        let name = last(unit, callee);
        let first = args.first().map(|arg| arg.value);
        if name == "Field" {
            let mut field = Map::new();
            for arg in args {
                let key = arg.name.clone().unwrap_or_else(|| "default".to_owned());
                let value = self.json(id, arg.value, depth);
                field.insert(key, value);
            }
            return Value::Object(field);
        }
        let of = match unit.expr(callee) {
            ExprKind::Member { of, .. } => Some(*of),
            _ => None,
        };
        match (name, of, first) {
            ("model_json_schema" | "schema", Some(of), _) => self.model(id, of, depth),
            ("dedent" | "cleandoc" | "zodToJsonSchema" | "toJSONSchema" | "freeze" | "strict", _, Some(first)) => {
                self.json(id, first, depth)
            }
            (
                "trim" | "strip" | "rstrip" | "replace" | "strict" | "passthrough" | "optional" | "nullable" | "min"
                | "max" | "int" | "positive" | "nonnegative" | "email" | "url" | "uuid" | "refine" | "superRefine"
                | "transform" | "nullish" | "regex" | "length" | "partial" | "toString",
                Some(of),
                _,
            ) => self.json(id, of, depth),
            ("join", Some(of), _) => match self.json(id, of, depth) {
                Value::Array(parts) => {
                    let text = parts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n");
                    self.lines.insert(text.clone(), unit.span(of).line);
                    json!(text)
                }
                _ => Value::Null,
            },
            ("describe" | "default" | "title", Some(of), Some(first)) => {
                let mut schema = self.json(id, of, depth).as_object().cloned().unwrap_or_default();
                let key = if name == "describe" { "description" } else { name };
                let value = self.json(id, first, depth);
                schema.insert(key.to_owned(), value);
                Value::Object(schema)
            }
            ("object" | "strictObject" | "looseObject" | "interface", Some(_), Some(first)) => {
                let fields = self.json(id, first, depth).as_object().cloned().unwrap_or_default();
                json!({"properties": shape(fields)})
            }
            ("extend" | "merge", Some(of), Some(first)) => {
                let mut all = self.json(id, of, depth);
                let more = self.json(id, first, depth).as_object().cloned().unwrap_or_default();
                let more = more.get("properties").and_then(Value::as_object).cloned().unwrap_or(more);
                if let Some(fields) = all.get_mut("properties").and_then(Value::as_object_mut) {
                    fields.extend(shape(more));
                }
                all
            }
            ("enum" | "nativeEnum", Some(_), Some(first)) => json!({"enum": self.json(id, first, depth)}),
            ("literal", Some(_), Some(first)) => json!({"const": self.json(id, first, depth)}),
            ("array" | "union" | "tuple" | "record" | "set" | "discriminatedUnion", Some(_), Some(_)) => {
                let inner =
                    args.iter().map(|arg| self.json(id, arg.value, depth)).filter(|v| v.is_object() || v.is_array());
                json!({"items": inner.collect::<Vec<_>>()})
            }
            ("string" | "number" | "boolean" | "any" | "unknown" | "bigint" | "date" | "null", Some(_), _) => json!({}),
            _ => Value::Null,
        }
    }

    /// The schema of a class of Pydantic.
    fn model(&mut self, id: UnitId, class: ExprId, depth: u32) -> Value {
        let Meaning::Class(id, class) = self.program.meaning(id, FunctionId::TOP, class) else { return Value::Null };
        let program = self.program;
        let unit = program.unit(id);
        let mut properties = Map::new();
        for (name, value) in &unit.classes[class.0 as usize].fields {
            let schema = match unit.expr(*value) {
                // The text of the annotation, where there is no value.
                ExprKind::Text(annotation) => {
                    let mut schema = Map::new();
                    for (key, text) in annotated(annotation) {
                        self.lines.insert(text.clone(), unit.span(*value).line);
                        schema.insert(key, json!(text));
                    }
                    Value::Object(schema)
                }
                _ => match self.json(id, *value, depth) {
                    value @ Value::Object(_) => value,
                    value => json!({"default": value}),
                },
            };
            properties.insert(name.clone(), schema);
        }
        json!({"properties": properties})
    }
}

/// Members of a Zod object that are no schemas have no texts.
fn shape(fields: Map<String, Value>) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name, if value.is_object() { value } else { json!({}) })).collect()
}

/// What libraries call the schema of the input.
fn renamed((key, value): (String, Value)) -> (String, Value) {
    let schema = matches!(
        key.as_str(),
        "parameters" | "schema" | "paramsSchema" | "argsSchema" | "input_schema" | "inputSchema"
    );
    if !schema {
        return (key, value);
    }
    let value = match value {
        Value::Object(fields) if !fields.contains_key("properties") && !fields.contains_key("type") => {
            json!({"properties": shape(fields)})
        }
        value => value,
    };
    ("inputSchema".to_owned(), value)
}

/// `description="…"` and the like in an annotation: `Annotated[str, Field(description="…")]`, `Annotated[str, "…"]`.
fn annotated(annotation: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let bytes = annotation.as_bytes();
    let mut at = 0;
    while let Some(start) = bytes.get(at..).and_then(|rest| rest.iter().position(|b| matches!(b, b'"' | b'\''))) {
        let start = at + start;
        let quote = bytes[start];
        let Some(length) = bytes[start + 1..].iter().position(|&b| b == quote) else { break };
        let end = start + 1 + length;
        let (before, text) = (annotation[..start].trim_end(), &annotation[start + 1..end]);
        let key = ["description", "title", "examples", "default", "pattern"]
            .into_iter()
            .find(|key| before.strip_suffix('=').is_some_and(|b| b.trim_end().ends_with(key)));
        let plain = annotation.contains("Annotated") && before.ends_with(',');
        let literal = annotation.trim_start().starts_with("Literal");
        if let Some(key) = key.or_else(|| (plain && !literal).then_some("description")) {
            found.push((key.to_owned(), text.to_owned()));
        }
        at = end + 1;
    }
    found
}

/// The callee of a decorator, with or without brackets.
fn callee(unit: &Unit, decorator: ExprId) -> ExprId {
    match unit.expr(decorator) {
        ExprKind::Call { callee, .. } => *callee,
        _ => decorator,
    }
}

/// The last part of a name.
fn last(unit: &Unit, callee: ExprId) -> &str {
    match unit.expr(callee) {
        ExprKind::Member { name, .. } | ExprKind::Free(name) => name,
        ExprKind::Var(var) => &unit.vars[var.0 as usize].name,
        _ => "",
    }
}

fn same(some: &[ModelText], others: &[ModelText]) -> bool {
    some.len() == others.len() && some.iter().zip(others).all(|(a, b)| (a.kind, &a.text) == (b.kind, &b.text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::{read, tools};

    /// `name kind@line text` of each text.
    fn shown(path: &str, source: &str) -> Vec<String> {
        let program = Program::new(read(path, source.as_bytes()).into_iter().collect());
        let handlers = tools::handlers(&program);
        let found = subjects(&program, &handlers, &|_| true);
        let text = |t: &ModelText| format!("{:?}@{} {}", t.kind, t.line.unwrap_or(0), t.text);
        found.iter().flat_map(|s| s.texts.iter().map(text).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn python_registrations_are_read() {
        let source = "
mcp = FastMCP('x', instructions='Be ' 'kind.')
@mcp.tool(title='Add')
def add(a: Annotated[int, Field(description='first')], b: str = Field('x', description='second')) -> int:
    '''Adds.'''
# never a text
def helper():
    '''Not for models.'''
@server.list_tools()
async def tools():
    return [types.Tool(name=Names.NEAR.value, description='Near.', inputSchema={}), types.Tool(name='far', description=FAR, inputSchema=Args.model_json_schema())]
FAR = 'Goes ' + 'far.'
class Args(BaseModel):
    place: str = Field(description='where to')
    how: Annotated[str, Field(description='how to go')]
class Names(str, Enum):
    NEAR = 'near'
";
        let found = shown("s.py", source);
        for expected in [
            "Name@4 add",
            "Title@3 Add",
            "Description@5 Adds.",
            "ParameterName@4 a",
            "Parameter@4 first",
            "Parameter@4 second",
            "Value@4 x",
            "Instructions@2 Be kind.",
            "Name@17 near",
            "Name@11 far",
            "Description@12 Goes far.",
            "Parameter@14 where to",
            "Parameter@15 how to go",
        ] {
            assert!(found.iter().any(|f| f == expected), "{expected} is not in {found:#?}");
        }
        assert!(!found.iter().any(|f| f.contains("never") || f.contains("Not for")), "{found:#?}");
    }

    #[test]
    fn script_registrations_are_read() {
        let source = "
const server = new McpServer({ name: 'x' }, { instructions: 'Be kind.' });
server.tool('a', 'Does a.', { p: z.string().describe('the p').default('q'), m: z.enum(['one', 'two']) }, async () => {});
const In = z.object({ deep: z.object({ far: z.number().describe('how far') }) }).strict();
server.registerTool('b', { title: 'B', description: `Does ${'b'}.`, inputSchema: In.shape }, run);
function run() {}
const C = { name: 'c', description: ['Does', 'c.'].join('\\n'), inputSchema: { type: 'object', properties: { x: { description: 'an x' } } } };
server.setRequestHandler(ListToolsRequestSchema, async () => ({ tools: [C] }));
server.addTool({ name: 'd', description: 'Does d.', parameters: z.object({ y: z.string().describe('a y') }), execute: async () => 1 });
const person = { name: 'Not a tool', description: 'Somebody' };
";
        let found = shown("s.js", source);
        for expected in [
            "Instructions@2 Be kind.",
            "Name@3 a",
            "Description@3 Does a.",
            "Parameter@3 the p",
            "Value@3 q",
            "Value@3 two",
            "Name@5 b",
            "Title@5 B",
            "Description@5 Does b.",
            "Parameter@4 how far",
            "Name@7 c",
            "Parameter@7 an x",
            "Name@9 d",
            "Parameter@9 a y",
        ] {
            assert!(found.iter().any(|f| f == expected), "{expected} is not in {found:#?}");
        }
        assert!(found.iter().any(|f| f.starts_with("Description@7 Does")), "{found:#?}");
        assert!(!found.iter().any(|f| f.contains("Not a tool")), "{found:#?}");
    }
}
