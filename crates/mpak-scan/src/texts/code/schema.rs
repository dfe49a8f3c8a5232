//! What libraries call the members of a schema, and texts within the annotations of parameters.

use serde_json::{Map, Value, json};

/// Members of a Zod object that are no schemas have no texts.
pub(super) fn shape(fields: Map<String, Value>) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name, if value.is_object() { value } else { json!({}) })).collect()
}

/// What libraries call the schema of the input.
pub(super) fn renamed((key, value): (String, Value)) -> (String, Value) {
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

/// `Field(description=HELP)`, `Annotated[str, HELP]`: texts that an annotation takes from a constant.
pub(super) fn constants(annotation: &str) -> Vec<(&'static str, &str)> {
    let mut found = Vec::new();
    for key in ["description", "title"] {
        let Some(at) = annotation.find(key) else { continue };
        let Some(value) = annotation[at + key.len()..].trim_start().strip_prefix('=') else { continue };
        found.push((key, name_of(value)));
    }
    let documented = annotation.split_once("Annotated[").and_then(|(_, inner)| inner.rsplit_once(','));
    if let (true, Some((_, last))) = (found.is_empty(), documented) {
        let name = name_of(last);
        // A call is no constant.
        if last.trim().trim_end_matches(']').trim() == name {
            found.push(("description", name));
        }
    }
    found.retain(|(_, name)| !name.is_empty());
    found
}

/// The identifier at the beginning.
fn name_of(text: &str) -> &str {
    let text = text.trim_start();
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

/// `description="…"` and the like in an annotation: `Annotated[str, Field(description="…")]`, `Annotated[str, "…"]`;
/// texts that stand one after the other are one, and `{NAME}` of an f-string stays as it is.
pub(super) fn annotated(annotation: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let bytes = annotation.as_bytes();
    let (mut at, mut ended) = (0, None);
    while let Some(start) = bytes.get(at..).and_then(|rest| rest.iter().position(|b| matches!(b, b'"' | b'\''))) {
        let start = at + start;
        let quote = &annotation[start..=start];
        let triple = quote.repeat(3);
        let mark = if annotation[start..].starts_with(&triple) { triple.as_str() } else { quote };
        let Some(length) = annotation[start + mark.len()..].find(mark) else { break };
        let end = start + mark.len() + length;
        let text = &annotation[start + mark.len()..end];
        let prefix = annotation[..start].trim_end_matches(['f', 'F', 'r', 'R', 'b', 'B', 'u', 'U']);
        let prefix =
            if prefix.ends_with(|c: char| c.is_alphanumeric() || c == '_') { &annotation[..start] } else { prefix };
        let before = prefix.trim_end();
        let follows = ended.is_some_and(|ended: usize| {
            prefix[ended.min(prefix.len())..].chars().all(|c| c.is_whitespace() || c == '+')
        });
        at = end + mark.len();
        let key = ["description", "title", "examples", "default", "pattern"]
            .into_iter()
            .find(|key| before.strip_suffix('=').is_some_and(|b| b.trim_end().ends_with(key)));
        let plain = annotation.contains("Annotated") && before.ends_with(',');
        let literal = annotation.trim_start().starts_with("Literal");
        match key.or_else(|| (plain && !literal).then_some("description")) {
            Some(key) => found.push((key.to_owned(), text.to_owned())),
            None if follows => found.last_mut().into_iter().for_each(|last| last.1.push_str(text)),
            None => continue,
        }
        ended = Some(at);
    }
    found
}
