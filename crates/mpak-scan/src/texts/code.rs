//! The texts that code registers: tools, prompts and resources with their schemas, and instructions.
//!
//! In: the linked code of a stranger's server. What the SDKs make of a registration is put together as the JSON
//! that a client would be sent, as far as it is constant, and then read like that JSON. Comments and documents
//! for people are not looked at.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::collect::Collector;
use super::{ModelText, Subject, TextKind};
use crate::code::facts::{Arg, ExprId, ExprKind, Function, FunctionId, Language, Unit, VarId};
use crate::code::program::{ClassKey, Meaning, Program, UnitId};
use crate::code::tools::{Handler, Kind};
use crate::malware::constants::Constants;

mod answers;
mod apply;
mod loose;
mod schema;
mod value;

use apply::Frame;
pub(super) use loose::may_be_order;
use schema::{annotated, constants, renamed, shape};
use value::last;

/// Most subjects that one bundle's code gives.
const SUBJECTS_COUNT_MAX: usize = 2_000;
/// What libraries call the schema of the input.
const SCHEMAS: [&str; 7] =
    ["inputSchema", "input_schema", "schema", "parameters", "args_schema", "paramsSchema", "definition"];
/// Most expressions that are put together for all of them.
const STEPS_MAX: u32 = 400_000;
/// Deepest nesting of a schema.
const DEPTH_MAX: u32 = 24;
/// Most bytes of texts that are put together for all of them.
const BYTES_MAX: usize = 32 << 20;
/// The same for one of them, so that no registration uses up what the others need.
const STEPS_OF_ONE_MAX: u32 = 40_000;
const BYTES_OF_ONE_MAX: usize = 1 << 20;

/// Everything that the units of the server's own register, and what else in the code speaks to a model.
pub(crate) fn subjects(program: &Program, handlers: &[Handler], own: &dyn Fn(&Unit) -> bool) -> Vec<Subject> {
    let mut reader = Reader {
        program,
        steps: STEPS_MAX,
        bytes: BYTES_MAX,
        lines: HashMap::new(),
        frames: Vec::new(),
        applying: Vec::new(),
        open: Vec::new(),
        constants: Constants::new(program),
        found: Vec::new(),
    };
    reader.registered(handlers, own);
    reader.steps = STEPS_MAX;
    reader.loose(own);
    reader.found
}

struct Reader<'p> {
    program: &'p Program,
    steps: u32,
    /// How many more bytes of texts are put together.
    bytes: usize,
    /// Where the texts stand that are being put together.
    lines: HashMap<String, u32>,
    /// What parameters stand for in the calls that are being followed.
    frames: Vec<Frame>,
    /// The functions of those calls, and of the calls whose arguments are being read.
    applying: Vec<(UnitId, FunctionId)>,
    /// Variables that are being followed.
    open: Vec<(UnitId, VarId)>,
    /// What decodes and puts together constants.
    constants: Constants<'p>,
    found: Vec<Subject>,
}

impl<'p> Reader<'p> {
    fn registered(&mut self, handlers: &[Handler], own: &dyn Fn(&Unit) -> bool) {
        let program = self.program;
        // 1. Functions that are decorated, or handed to `add_tool`.
        for handler in handlers.iter().filter(|handler| own(program.unit(handler.unit))) {
            self.one(|reader| reader.handler(handler));
        }
        for (id, unit) in program.units().filter(|(_, unit)| own(unit)) {
            for at in 0..unit.exprs.len() {
                if self.found.len() >= SUBJECTS_COUNT_MAX || self.steps == 0 {
                    return;
                }
                let expr = ExprId(u32::try_from(at).unwrap_or(u32::MAX));
                match unit.expr(expr) {
                    // 2. Calls: `registerTool(name, {…}, f)`, `Tool(name=…)`, `FastMCP(instructions=…)`.
                    ExprKind::Call { callee, args, .. } => {
                        self.one(|reader| reader.call(id, expr, *callee, args));
                    }
                    // 3. Objects that are tools: `{ name, description, inputSchema }`.
                    ExprKind::Dict(members) => self.one(|reader| reader.object(id, expr, members)),
                    _ => {}
                }
            }
        }
        // 4. Classes that are tools: their fields and getters.
        for class in program.classes().filter(|(id, _)| own(program.unit(*id))) {
            if self.found.len() >= SUBJECTS_COUNT_MAX || self.steps == 0 {
                return;
            }
            self.one(|reader| reader.class(class));
        }
    }

    /// Reads one registration, with its share of the steps and bytes that are left.
    fn one(&mut self, read: impl FnOnce(&mut Self)) {
        let (steps, bytes) = (self.steps.min(STEPS_OF_ONE_MAX), self.bytes.min(BYTES_OF_ONE_MAX));
        let others = (self.steps - steps, self.bytes - bytes);
        (self.steps, self.bytes) = (steps, bytes);
        read(self);
        self.steps += others.0;
        self.bytes += others.1;
    }

    fn unit(&self, id: UnitId) -> &'p Unit {
        self.program.unit(id)
    }

    /// A class with a name and something that a model is told, as fields or as answers of methods.
    fn class(&mut self, key: ClassKey) {
        let program = self.program;
        let (id, class) = key;
        let has = |name: &str| {
            program.own_field(id, class, name).is_some()
                || program.own_method(id, class, name).is_some()
                || !program.fields(id, class, name).is_empty()
        };
        if !has("name") || !SCHEMAS.iter().chain(&["description"]).any(|name| has(name)) {
            return;
        }
        self.lines.clear();
        let mut tool = Map::new();
        for name in ["name", "title", "description", "annotations"].iter().chain(&SCHEMAS) {
            if !has(name) {
                continue;
            }
            let value = match self.field(key, name, DEPTH_MAX) {
                Value::Null if SCHEMAS.contains(name) => self.class_schema(key, name),
                value => value,
            };
            if !value.is_null() {
                let (name, value) = renamed(((*name).to_owned(), value));
                tool.insert(name, value);
            }
        }
        if tool.len() > 1 {
            let line = self.unit(id).classes[class.0 as usize].span.line;
            self.add(id, line, Kind::Tool, &tool);
        }
    }

    /// `args_schema = Arguments`: a field that is a class of Pydantic.
    fn class_schema(&mut self, (id, class): ClassKey, name: &str) -> Value {
        match self.program.own_field(id, class, name) {
            Some(field) => self.model(id, field, DEPTH_MAX),
            None => Value::Null,
        }
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
        if decorated(&["call_tool"]) {
            return;
        }
        self.lines.clear();
        // These answer for all prompts or resources.
        if decorated(&["get_prompt", "read_resource"]) {
            let name = function.name.as_deref().unwrap_or_default();
            return self.answer(handler.unit, function, name);
        }
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
        if handler.kind != Kind::Tool {
            let mut said = Vec::new();
            self.returned(handler.unit, function, &mut said);
            if !said.is_empty() {
                tool.insert("text".to_owned(), json!(said.join("\n\n")));
            }
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
                    let text = self.filled(handler.unit, &text);
                    self.lines.insert(text.clone(), function.span.line);
                    schema.insert(key, json!(text));
                }
                for (key, constant) in constants(annotation) {
                    let value = handler.unit;
                    let export = self.unit(value).exports.iter().find(|e| e.name == constant).map(|e| e.value);
                    if let Some(Value::String(text)) = export.map(|e| self.json(value, e, DEPTH_MAX)) {
                        schema.insert(key.to_owned(), json!(text));
                    }
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

    /// A text of an annotation with the constants that `{NAME}` stands for.
    fn filled(&mut self, id: UnitId, text: &str) -> String {
        const NAMES_MAX: usize = 16;
        let mut whole = String::new();
        let mut rest = text;
        for _ in 0..NAMES_MAX {
            let Some((before, after)) = rest.split_once('{') else { break };
            let Some((name, after)) = after.split_once('}') else { break };
            let export =
                self.unit(id).exports.iter().find(|export| export.name == name.trim()).map(|export| export.value);
            let value = export.map_or(Value::Null, |export| self.json(id, export, 8));
            whole.push_str(before);
            whole.push_str(value.as_str().unwrap_or("…"));
            rest = after;
        }
        whole + rest
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
            // `setRequestHandler(GetPromptRequestSchema, f)`
            "setRequestHandler" => {
                let schema = args.first().map_or("", |arg| last(unit, arg.value));
                if let Some((of, function)) = self.handed(id, args)
                    && ["GetPromptRequestSchema", "ReadResourceRequestSchema"].contains(&schema)
                {
                    self.lines.clear();
                    self.answer(of, function, schema.trim_end_matches("RequestSchema"));
                }
                return;
            }
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
        if kind != Kind::Tool
            && let Some((of, function)) = self.handed(id, args)
        {
            let mut said = Vec::new();
            self.returned(of, function, &mut said);
            if !said.is_empty() {
                tool.insert("text".to_owned(), json!(said.join("\n\n")));
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
}

/// The callee of a decorator, with or without brackets.
fn callee(unit: &Unit, decorator: ExprId) -> ExprId {
    match unit.expr(decorator) {
        ExprKind::Call { callee, .. } => *callee,
        _ => decorator,
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
HELP = ('Where ' 'to') + ' look'
@mcp.tool()
def seek(c: Annotated[str, Field(description=HELP, min_length=1)], d: Annotated[str, HELP]) -> int:
    '''Seeks.'''
@mcp.prompt
def edit(text: str) -> str:
    '''Edits.'''
    if text:
        return [UserMessage('Edit ' 'it.'), text]
    return 'Begin:' + text
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
            "Name@27 near",
            "Name@21 far",
            "Description@22 Goes far.",
            "Parameter@24 where to",
            "Parameter@25 how to go",
            "Parameter@6 Where to look",
        ] {
            assert!(found.iter().any(|f| f == expected), "{expected} is not in {found:#?}");
        }
        assert!(!found.iter().any(|f| f.contains("never") || f.contains("Not for")), "{found:#?}");
        assert_eq!(found.iter().filter(|f| f.ends_with("Where to look")).count(), 2, "{found:#?}");
        let prompt = found.iter().find(|f| f.starts_with("Prompt@")).unwrap();
        assert!(prompt.contains("Edit it.") && prompt.contains("Begin:"), "{prompt}");
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

    #[test]
    fn texts_that_are_spelled_or_hidden_are_read() {
        for source in [
            "const S = (...n) => String.fromCharCode(...n);\nserver.tool('a', 'Does ' + S(97, 32, 98, 46), {}, f);",
            "const S = (k, n) => n.map((c) => String.fromCharCode(c - k)).join('');\nserver.tool('a', 'Does ' + S(1, [98, 33, 99, 47]), {}, f);",
            "const veil = (s) => [...s].map((c) => MAP[c]).join('');\nserver.tool('a', `Does ${veil('a b.')}`, {}, f);",
        ] {
            let found = shown("s.js", source);
            let is_read = |text: &String| text.starts_with("Description@") && text.contains("a b.");
            assert!(found.iter().any(is_read), "{source}: {found:#?}");
        }
    }
}
