//! Where a model's texts stand in a manifest and in a `tools/list` result.

use serde_json::{Map, Value};

use super::{Difference, ModelText, Registered, Subject, TextKind, Texts};

/// Longest text of an annotation that is a title and no more, in bytes.
const TITLE_BYTES_MAX: usize = 40;
/// Longest JSON pointer that evidence shows, in bytes.
const PLACE_BYTES_MAX: usize = 120;

impl Texts {
    /// The texts of a manifest: of the bundle itself, its tools and its prompts.
    pub fn from_manifest(document: &Value, file: &str) -> Self {
        let field = |name: &str| document.get(name).and_then(Value::as_str);
        let server = field("name").unwrap_or_default().to_owned();
        let mut texts = Self { server: server.clone(), ..Self::default() };
        let mut bundle = Collector::new(file, server, false);
        for (name, kind) in [
            ("name", TextKind::Name),
            ("display_name", TextKind::Title),
            ("description", TextKind::Description),
            ("long_description", TextKind::Document),
            ("instructions", TextKind::Instructions),
        ] {
            bundle.text(kind, &format!("/{name}"), field(name));
        }
        if let Some(Value::Array(keywords)) = document.get("keywords") {
            for (i, keyword) in keywords.iter().enumerate() {
                bundle.text(TextKind::Title, &format!("/keywords/{i}"), keyword.as_str());
            }
        }
        for (key, option) in document.get("user_config").and_then(Value::as_object).into_iter().flatten() {
            for name in ["title", "description"] {
                bundle.text(
                    TextKind::Document,
                    &format!("/user_config/{key}/{name}"),
                    option.get(name).and_then(Value::as_str),
                );
            }
        }
        texts.subjects.push(bundle.subject);
        texts.add_lists(document, "", file);
        texts
    }

    /// The texts of a `tools/list` result, of a whole response, or of an array of tools; prompts, resources and
    /// instructions beside the tools are read too. `None` for anything else.
    pub fn from_tools(document: &Value, file: &str) -> Option<Self> {
        let mut texts = Self::default();
        if let Value::Array(tools) = document {
            texts.add_all(tools, "", file, true);
            return Some(texts);
        }
        let (object, place) = match document.get("result") {
            Some(result @ Value::Object(_)) => (result, "/result"),
            _ => (document, ""),
        };
        let lists = ["tools", "prompts", "resources", "resourceTemplates"];
        if !lists.iter().any(|list| object.get(list).is_some_and(Value::is_array)) {
            return None;
        }
        let info = object.get("serverInfo").and_then(|info| info.get("name")).and_then(Value::as_str);
        info.unwrap_or_default().clone_into(&mut texts.server);
        let mut server = Collector::new(file, texts.server.clone(), false);
        let instructions = object.get("instructions").and_then(Value::as_str);
        server.text(TextKind::Instructions, &format!("{place}/instructions"), instructions);
        if !server.subject.texts.is_empty() {
            texts.subjects.push(server.subject);
        }
        texts.add_lists(object, place, file);
        Some(texts)
    }

    /// The texts of a localisation of a manifest, which overrides its texts.
    pub fn add_localisation(&mut self, document: &Value, file: &str) {
        let server = self.server.clone();
        let mut localised = Self::from_manifest(document, file);
        for subject in &mut localised.subjects {
            if subject.name.is_empty() {
                subject.name.clone_from(&server);
            }
        }
        self.subjects.extend(localised.subjects.into_iter().filter(|s| !s.texts.is_empty()));
    }

    /// A tool, prompt or resource that was found in code. What the manifest says in the same words is not
    /// judged again; what it says otherwise is kept as a difference.
    pub fn add(&mut self, subject: Subject) {
        let name_at = subject.texts.first().map(|text| (text.file.clone(), text.line));
        if let (true, Some((file, line))) = (subject.tool, name_at) {
            self.registered.push(Registered { name: subject.name.clone(), file, line });
        }
        let declared = self.subjects.iter().find(|other| other.tool == subject.tool && other.name == subject.name);
        let Some(declared) = declared.filter(|declared| declared.texts.iter().all(|text| text.line.is_none())) else {
            self.subjects.push(subject);
            return;
        };
        let described =
            |subject: &Subject| subject.texts.iter().find(|text| text.kind == TextKind::Description).cloned();
        if let (Some(ours), Some(theirs)) = (described(declared), described(&subject))
            && differ(&ours.text, &theirs.text)
        {
            self.differences.push(Difference { tool: subject.name.clone(), declared: ours.text, registered: theirs });
        }
        let known = |text: &ModelText| declared.texts.iter().any(|other| other.text.trim() == text.text.trim());
        if !subject.texts.iter().all(known) {
            self.subjects.push(subject);
        }
    }

    fn add_lists(&mut self, object: &Value, place: &str, file: &str) {
        for (list, tools) in [("tools", true), ("prompts", false), ("resources", false), ("resourceTemplates", false)] {
            if let Some(Value::Array(items)) = object.get(list) {
                self.add_all(items, &format!("{place}/{list}"), file, tools);
            }
        }
    }

    fn add_all(&mut self, items: &[Value], place: &str, file: &str, tools: bool) {
        for (i, item) in items.iter().enumerate() {
            let place = format!("{place}/{i}");
            let name = item.get("name").and_then(Value::as_str).map_or_else(|| place.clone(), str::to_owned);
            let mut collector = Collector::new(file, name, tools);
            match item {
                // An OpenAI-like wrapping: the tool stands one level below.
                Value::Object(tool) => match tool.get("function").filter(|_| !tool.contains_key("name")) {
                    Some(Value::Object(function)) => {
                        if let Some(name) = function.get("name").and_then(Value::as_str) {
                            name.clone_into(&mut collector.subject.name);
                        }
                        collector.tool(function, &format!("{place}/function"));
                    }
                    _ => collector.tool(tool, &place),
                },
                other => collector.values(other, &place, TextKind::Description),
            }
            self.subjects.push(collector.subject);
        }
    }
}

/// Gathers the texts of one subject.
pub(super) struct Collector {
    file: String,
    pub(super) subject: Subject,
}

impl Collector {
    pub(super) fn new(file: &str, name: String, tool: bool) -> Self {
        Self { file: file.to_owned(), subject: Subject { name, tool, ..Subject::default() } }
    }

    fn text(&mut self, kind: TextKind, place: &str, text: Option<&str>) {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return };
        let end = (0..=place.len().min(PLACE_BYTES_MAX)).rev().find(|&i| place.is_char_boundary(i)).unwrap_or(0);
        let place = super::characters::shown(&place[..end]);
        self.subject.texts.push(ModelText { kind, file: self.file.clone(), line: None, place, text: text.to_owned() });
    }

    pub(super) fn tool(&mut self, tool: &Map<String, Value>, place: &str) {
        for (key, value) in tool {
            let place = format!("{place}/{key}");
            match key.as_str() {
                "name" => self.text(TextKind::Name, &place, value.as_str()),
                "title" => self.text(TextKind::Title, &place, value.as_str()),
                "description" => self.text(TextKind::Description, &place, value.as_str()),
                "text" => self.text(TextKind::Prompt, &place, value.as_str()),
                "inputSchema" | "input_schema" | "outputSchema" | "output_schema" | "parameters" | "schema" => {
                    self.schema(value, &place, !key.starts_with("output"));
                }
                "arguments" => self.arguments(value, &place),
                "annotations" | "_meta" | "icons" => {
                    let title =
                        value.get("title").and_then(Value::as_str).filter(|title| title.len() < TITLE_BYTES_MAX);
                    self.text(TextKind::Title, &format!("{place}/title"), title);
                    let mut rest = value.clone();
                    if let (Some(_), Some(members)) = (title, rest.as_object_mut()) {
                        members.remove("title");
                    }
                    self.values(&rest, &place, TextKind::Value);
                }
                _ => self.values(value, &place, TextKind::Description),
            }
        }
    }

    /// The arguments of a prompt: names, or objects with a name and a description.
    fn arguments(&mut self, arguments: &Value, place: &str) {
        for (i, argument) in arguments.as_array().into_iter().flatten().enumerate() {
            let name = argument.as_str().or_else(|| argument.get("name").and_then(Value::as_str));
            self.subject.parameters.extend(name.map(str::to_owned));
            self.text(TextKind::ParameterName, &format!("{place}/{i}/name"), name);
            for field in ["description", "title"] {
                self.text(
                    TextKind::Parameter,
                    &format!("{place}/{i}/{field}"),
                    argument.get(field).and_then(Value::as_str),
                );
            }
        }
    }

    /// Every string and every name of a schema. Nesting is bounded by the reader of the document.
    fn schema(&mut self, schema: &Value, place: &str, input: bool) {
        match schema {
            Value::Object(fields) => {
                for (key, value) in fields {
                    let place = format!("{place}/{key}");
                    match key.as_str() {
                        "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas"
                            if value.is_object() =>
                        {
                            self.properties(value, &place, input && key == "properties");
                        }
                        "description" | "title" | "$comment" if value.is_string() => {
                            self.text(TextKind::Parameter, &place, value.as_str());
                        }
                        "default" | "enum" | "const" | "examples" | "example" | "pattern" | "format" | "enumNames" => {
                            self.values(value, &place, TextKind::Value);
                        }
                        "type" | "required" | "$ref" | "$schema" | "$id" if is_technical(value) => {}
                        _ => self.schema(value, &place, input),
                    }
                }
            }
            Value::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    self.schema(item, &format!("{place}/{i}"), input);
                }
            }
            Value::String(text) => self.text(TextKind::Value, place, Some(text)),
            _ => {}
        }
    }

    fn properties(&mut self, properties: &Value, place: &str, own: bool) {
        for (name, schema) in properties.as_object().into_iter().flatten() {
            let place = format!("{place}/{name}");
            if own {
                self.subject.parameters.push(name.clone());
            }
            self.text(TextKind::ParameterName, &place, Some(name));
            self.schema(schema, &place, own);
        }
    }

    /// All strings of a value, and the names in it.
    fn values(&mut self, value: &Value, place: &str, kind: TextKind) {
        match value {
            Value::String(text) => self.text(kind, place, Some(text)),
            Value::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    self.values(item, &format!("{place}/{i}"), kind);
                }
            }
            Value::Object(fields) => {
                for (key, item) in fields {
                    let place = format!("{place}/{key}");
                    self.text(TextKind::ParameterName, &place, Some(key));
                    self.values(item, &place, kind);
                }
            }
            _ => {}
        }
    }
}

/// Whether neither of two texts is a part of the other, white space, case and marks left aside.
fn differ(some: &str, other: &str) -> bool {
    let plain =
        |text: &str| text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    let (some, other) = (plain(some), plain(other));
    !some.contains(&other) && !other.contains(&some)
}

/// Short words without spaces: types, references and names that stand elsewhere.
fn is_technical(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() < 200 && text.is_ascii() && !text.contains(' '),
        Value::Array(items) => items.iter().all(is_technical),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn places(texts: &Texts) -> Vec<(TextKind, &str)> {
        texts.subjects.iter().flat_map(|s| &s.texts).map(|t| (t.kind, t.text.as_str())).collect()
    }

    #[test]
    fn every_string_and_name_of_a_schema_is_read() {
        let tool = json!({"name": "add", "title": "Add", "description": "Adds.", "annotations": {"title": "hint"},
            "inputSchema": {"type": "object", "required": ["a"], "properties": {"a": {"type": "number", "description": "first",
                "default": "one", "enum": ["x"], "examples": ["y"], "pattern": "z", "items": {"properties": {"deep": {"title": "t"}}}}}},
            "outputSchema": {"properties": {"sum": {"description": "result"}}}, "x-extra": "more"});
        for document in
            [json!([tool]), json!({"tools": [tool]}), json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": [tool]}})]
        {
            let texts = Texts::from_tools(&document, "tools.json").unwrap();
            let found = places(&texts);
            for expect in [
                "add", "Add", "Adds.", "hint", "a", "first", "one", "x", "y", "z", "deep", "t", "sum", "result", "more",
            ] {
                assert!(found.iter().any(|(_, text)| *text == expect), "{expect}: {found:?}");
            }
            assert_eq!(texts.subjects[0].parameters, ["a", "deep"]);
        }
    }

    #[test]
    fn prompts_resources_and_instructions_are_read_and_other_documents_refused() {
        let document = json!({"instructions": "Be kind.", "tools": [], "prompts": [{"name": "p", "arguments": [{"name": "q", "description": "d"}]}],
            "resources": [{"uri": "file:///x", "name": "r", "description": "s"}]});
        let texts = Texts::from_tools(&document, "x").unwrap();
        let found: Vec<&str> = places(&texts).iter().map(|(_, text)| *text).collect();
        for expect in ["Be kind.", "p", "q", "d", "r", "s", "file:///x"] {
            assert!(found.contains(&expect), "{expect}: {found:?}");
        }
        for other in [json!({}), json!({"tools": "x"}), json!("x"), json!(null)] {
            assert!(Texts::from_tools(&other, "x").is_none(), "{other}");
        }
    }

    #[test]
    fn manifests_have_texts_of_the_bundle_tools_and_prompts() {
        let manifest = json!({"name": "n", "description": "d", "long_description": "l", "tools": [{"name": "t", "description": "td"}],
            "prompts": [{"name": "p", "arguments": ["a"], "text": "Say ${arguments.a}"}], "user_config": {"k": {"title": "kt", "description": "kd"}}});
        let texts = Texts::from_manifest(&manifest, "manifest.json");
        let found = places(&texts);
        for expect in [
            (TextKind::Document, "l"),
            (TextKind::Description, "td"),
            (TextKind::Prompt, "Say ${arguments.a}"),
            (TextKind::Document, "kd"),
        ] {
            assert!(found.contains(&expect), "{expect:?}: {found:?}");
        }
        assert_eq!(texts.subjects[1].texts[1].place, "/tools/0/description");
    }
}
