//! A checker for the part of JSON Schema that our formats use; a keyword that it does not know is a
//! problem too.

use regex::Regex;
use serde_json::Value;

/// Everything that is wrong with a value, with its place.
pub(crate) fn problems(schema: &Value, value: &Value) -> Vec<String> {
    let mut out = Vec::new();
    check(schema, schema, value, "", false, &mut out);
    out
}

/// The same, and every field of an object must be named in the schema.
pub(crate) fn problems_closed(schema: &Value, value: &Value) -> Vec<String> {
    let mut out = Vec::new();
    check(schema, schema, value, "", true, &mut out);
    out
}

const REMARKS: [&str; 8] = ["$schema", "$id", "$defs", "title", "description", "examples", "format", "default"];

fn check(root: &Value, schema: &Value, value: &Value, at: &str, closed: bool, out: &mut Vec<String>) {
    let Some(keywords) = schema.as_object() else { return out.push(format!("{at}: not a schema")) };
    for (keyword, rule) in keywords {
        let holds = match keyword.as_str() {
            word if REMARKS.contains(&word) => true,
            "$ref" => {
                let pointer = rule.as_str().expect("a sound schema").trim_start_matches('#');
                check(root, root.pointer(pointer).expect("a known definition"), value, at, closed, out);
                true
            }
            "type" => match rule {
                Value::Array(all) => all.iter().any(|name| is_a(value, name.as_str().expect("a sound schema"))),
                one => is_a(value, one.as_str().expect("a sound schema")),
            },
            "const" => value == rule,
            "enum" => rule.as_array().expect("a sound schema").contains(value),
            "minimum" => value.as_f64().is_none_or(|n| n >= rule.as_f64().expect("a sound schema")),
            "maximum" => value.as_f64().is_none_or(|n| n <= rule.as_f64().expect("a sound schema")),
            "minItems" => {
                value.as_array().is_none_or(|items| items.len() as u64 >= rule.as_u64().expect("a sound schema"))
            }
            "minLength" => {
                value.as_str().is_none_or(|text| text.chars().count() as u64 >= rule.as_u64().expect("a sound schema"))
            }
            "pattern" => value.as_str().is_none_or(|text| {
                Regex::new(rule.as_str().expect("a sound schema")).expect("a sound schema").is_match(text)
            }),
            "required" => {
                let names =
                    rule.as_array().expect("a sound schema").iter().map(|name| name.as_str().expect("a sound schema"));
                let missing: Vec<&str> = names.filter(|name| value.is_object() && value.get(*name).is_none()).collect();
                out.extend(missing.iter().map(|name| format!("{at}/{name}: it is missing")));
                true
            }
            "properties" => {
                for (name, below) in rule.as_object().expect("a sound schema") {
                    if let Some(value) = value.get(name) {
                        check(root, below, value, &format!("{at}/{name}"), closed, out);
                    }
                }
                if closed && value.is_object() {
                    let known = rule.as_object().expect("a sound schema");
                    let unknown =
                        value.as_object().expect("a sound schema").keys().filter(|name| !known.contains_key(*name));
                    out.extend(unknown.map(|name| format!("{at}/{name}: not in the schema")));
                }
                true
            }
            "additionalProperties" => {
                let none = serde_json::Map::new();
                let known = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
                for (name, value) in value.as_object().unwrap_or(&none).iter().filter(|(n, _)| !known.contains_key(*n))
                {
                    match rule {
                        Value::Bool(true) => {}
                        Value::Bool(false) => out.push(format!("{at}/{name}: it may not stand there")),
                        below => check(root, below, value, &format!("{at}/{name}"), closed, out),
                    }
                }
                true
            }
            "items" => {
                for (i, value) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, rule, value, &format!("{at}/{i}"), closed, out);
                }
                true
            }
            unknown => {
                out.push(format!("{at}: the checker does not know `{unknown}`"));
                true
            }
        };
        if !holds {
            out.push(format!("{at}: {keyword} {rule}, found {value}"));
        }
    }
}

fn is_a(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        // No value is of a type that there is not.
        _ => false,
    }
}

#[test]
fn the_checker_itself_finds_what_is_wrong() {
    use serde_json::json;
    let schema = json!({"type": "object", "required": ["a"], "additionalProperties": false, "properties": {
        "a": {"type": "integer", "minimum": 1}, "b": {"items": {"enum": ["x"]}}, "c": {"type": ["string", "null"], "pattern": "^y"}}});
    for (value, count) in [
        (json!({"a": 1, "b": ["x"], "c": null}), 0),
        (json!({"a": 0}), 1),
        (json!({"a": "1"}), 1),
        (json!({"b": ["y", "x"]}), 2),
        (json!({"a": 1, "c": "x", "d": 1}), 2),
        (json!([]), 1),
    ] {
        assert_eq!(problems(&schema, &value).len(), count, "{value}: {:?}", problems(&schema, &value));
    }
}
