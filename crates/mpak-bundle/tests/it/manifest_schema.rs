//! Strict reading beside the published JSON Schemas (draft-07), when they lie beside the project.

use std::collections::BTreeSet;
use std::path::Path;

use mpak_bundle::limits::Limits;
use mpak_bundle::manifest::{Reading, Severity, read};
use serde_json::Value;

use crate::manifest::cases;

/// Errors of ours for documents that the schemas let through, and why.
const STRICTER: &[(&str, &str)] = &[
    ("json-depth", "schemas know nothing of nesting"),
    ("json-duplicate-key", "the reader before a schema drops one of the two"),
    ("json-proto-key", "an ordinary key for a schema, a prototype for JavaScript hosts"),
    ("json-size", "schemas know nothing of size"),
    ("name-invalid", "names become file names"),
    ("version-not-semver", "what cannot be ordered cannot be published"),
    ("url-scheme", "`uri` allows any scheme, also `javascript:`"),
    ("url-credentials", "`uri` allows passwords"),
    ("path-invalid", "schemas do not look into paths"),
    ("env-loader", "code from outside the bundle"),
    ("env-name", "no system can set such a variable"),
    ("env-name-twice", "one variable on Windows"),
    ("nul-character", "no process can be given one"),
    ("option-key", "existing hosts fail at run time"),
    ("option-default", "a default that hosts would hand over or refuse"),
    ("option-range", "no value fits"),
    ("option-undeclared", "the server would get the placeholder"),
    ("tool-duplicate", "a name means one tool"),
    ("prompt-duplicate", "a name means one prompt"),
];

/// Warnings of ours for documents that the schemas refuse, and why.
const MILDER: &[(&str, &str)] = &[
    ("client-unknown", "documented, and refused by the schemas only"),
    ("tool-schema", "the surplus does no harm"),
    ("mcp-config-missing", "documented as optional for `uv`"),
];

/// The part of draft-07 that the schemas use.
fn valid(schema: &Value, root: &Value, value: &Value) -> bool {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return valid(root.pointer(reference.trim_start_matches('#')).unwrap(), root, value);
    }
    let rules = schema.as_object().unwrap();
    rules.iter().all(|(rule, wanted)| match rule.as_str() {
        "type" => match wanted.as_str().unwrap() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            other => panic!("type {other}"),
        },
        "const" => value == wanted,
        "enum" => wanted.as_array().unwrap().contains(value),
        "anyOf" => wanted.as_array().unwrap().iter().any(|schema| valid(schema, root, value)),
        "required" => value
            .as_object()
            .is_none_or(|map| wanted.as_array().unwrap().iter().all(|key| map.contains_key(key.as_str().unwrap()))),
        "properties" => value.as_object().is_none_or(|map| {
            map.iter().all(|(key, inner)| wanted.get(key).is_none_or(|schema| valid(schema, root, inner)))
        }),
        "additionalProperties" => value.as_object().is_none_or(|map| {
            let known = |key: &String| rules.get("properties").is_some_and(|p| p.get(key).is_some());
            map.iter().filter(|(key, _)| !known(key)).all(|(_, inner)| match wanted {
                Value::Bool(allowed) => *allowed,
                schema => valid(schema, root, inner),
            })
        }),
        "items" => value.as_array().is_none_or(|list| list.iter().all(|inner| valid(wanted, root, inner))),
        "minLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 >= wanted.as_u64().unwrap()),
        "pattern" => value.as_str().is_none_or(|text| matches_pattern(wanted.as_str().unwrap(), text)),
        "format" => value.as_str().is_none_or(|text| match wanted.as_str().unwrap() {
            "uri" => is_uri(text),
            "email" => text.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.')),
            other => panic!("format {other}"),
        }),
        "$schema" | "description" => true,
        other => panic!("rule {other}"),
    })
}

fn matches_pattern(pattern: &str, text: &str) -> bool {
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let alphanumeric =
        |t: &str, least| t.len() >= least && t.len() <= 8 && t.bytes().all(|b| b.is_ascii_alphanumeric());
    match pattern {
        r"^\d+x\d+$" => text.split_once('x').is_some_and(|(a, b)| digits(a) && digits(b)),
        r"\$\{locale\}" => text.contains("${locale}"),
        "^[A-Za-z0-9]{2,8}(?:-[A-Za-z0-9]{1,8})*$" => {
            text.split('-').enumerate().all(|(i, part)| alphanumeric(part, if i == 0 { 2 } else { 1 }))
        }
        other => panic!("pattern {other}"),
    }
}

/// RFC 3986, as far as the documents need it: a scheme and something after it.
fn is_uri(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, rest)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
            && !rest.contains([' ', '"', '<', '>'])
    })
}

#[test]
fn strict_reading_agrees_with_the_schemas_but_for_reasons() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/schemas");
    let schema = |version: &str| {
        let bytes = std::fs::read(folder.join(format!("mcpb-manifest-v{version}.schema.json"))).ok()?;
        Some(serde_json::from_slice::<Value>(&bytes).unwrap())
    };
    let (mut compared, mut used) = (0, BTreeSet::new());
    for case in cases() {
        let Ok(document) = serde_json::from_slice::<Value>(&case.bytes) else { continue };
        let version = ["manifest_version", "dxt_version"].iter().find_map(|key| document.get(key)?.as_str());
        let Some(schema) = version.and_then(schema) else { continue };
        compared += 1;
        let theirs = valid(&schema, &schema, &document);
        let ours = read(&case.bytes, Reading::Strict, &Limits::default());
        let codes = |severity| ours.problems.iter().filter(move |p| p.severity == severity).map(|p| p.code);
        match (ours.manifest.is_some(), theirs) {
            (false, true) => codes(Severity::Error).for_each(|code| {
                assert!(
                    STRICTER.iter().any(|(known, _)| *known == code),
                    "{}: `{code}` is refused by us only",
                    case.row
                );
                used.insert(code);
            }),
            (true, false) => {
                let reasons: Vec<_> =
                    codes(Severity::Warning).filter(|c| MILDER.iter().any(|(known, _)| known == c)).collect();
                assert!(!reasons.is_empty(), "{}: refused by the schema only, {:#?}", case.row, ours.problems);
                used.extend(reasons);
            }
            _ => {}
        }
    }
    println!("{compared} documents compared with the published schemas");
    if compared > 0 {
        assert!(compared > 100, "{compared}");
        let stale: Vec<_> = STRICTER.iter().chain(MILDER).filter(|(code, _)| !used.contains(code)).collect();
        assert!(stale.is_empty(), "no document needs these exceptions: {stale:?}");
    }
}
