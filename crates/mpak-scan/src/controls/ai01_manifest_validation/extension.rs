//! The fields of `_meta["org.mpaktrust"]`, as data, and the check against them.
//!
//! Spec: MTF 0.1, extension schema; `token_handling.storage` takes `file` beside `disk`, as the text does.

use serde_json::{Map, Value};

/// What is wrong at one place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// JSON pointer below the extension.
    pub(super) pointer: String,
    /// Expected and found.
    pub(super) message: String,
    /// False for fields that nobody knows.
    pub(super) is_error: bool,
}

/// What a value may be.
enum Shape {
    Text,
    /// A text with a property, and the property in words.
    TextThat(fn(&str) -> bool, &'static str),
    OneOf(&'static [&'static str]),
    Integer(i64, i64),
    Number(f64, f64),
    Boolean,
    /// A list of texts with at least one.
    Texts,
    /// Any names, each with a number.
    Numbers(f64, f64),
    Object(&'static [Field]),
    Objects(&'static [Field]),
}

struct Field {
    name: &'static str,
    required: bool,
    shape: Shape,
}

const fn may(name: &'static str, shape: Shape) -> Field {
    Field { name, required: false, shape }
}

const fn must(name: &'static str, shape: Shape) -> Field {
    Field { name, required: true, shape }
}

use Shape::{Boolean, Integer, Number, Numbers, Object, Objects, OneOf, Text, TextThat, Texts};

static EXTENSION: [Field; 10] = [
    must("mtf_version", TextThat(is_version, "two numbers such as `0.1`")),
    may("level", Integer(1, 4)),
    may("permissions", Object(&PERMISSIONS)),
    may("credentials", Objects(&CREDENTIAL)),
    may("source", Object(&SOURCE)),
    may("build", Object(&BUILD)),
    may("signature", Object(&SIGNATURE)),
    may("attestation", Object(&ATTESTATION)),
    may("scorecard", Object(&SCORECARD)),
    // Ours, not of MTF 0.1. What an entry lacks is told where suppressions are.
    may("suppressions", Objects(&SUPPRESSION)),
];
static SUPPRESSION: [Field; 4] = [may("id", Text), may("place", Text), may("reason", Text), may("until", Text)];
static PERMISSIONS: [Field; 5] = [
    may("filesystem", OneOf(&["none", "read", "write", "full"])),
    may("network", OneOf(&["none", "outbound", "inbound", "full"])),
    may("environment", OneOf(&["none", "read", "write"])),
    may("subprocess", OneOf(&["none", "restricted", "full"])),
    may("native", OneOf(&["none", "required"])),
];
static CREDENTIAL: [Field; 4] = [
    must("provider", Text),
    must("scopes", Texts),
    must("justification", Text),
    may("token_handling", Object(&TOKEN_HANDLING)),
];
static TOKEN_HANDLING: [Field; 3] = [
    may("storage", OneOf(&["memory", "disk", "file", "keychain"])),
    may("max_lifetime_seconds", Integer(0, i64::MAX)),
    may("refresh", Boolean),
];
static SOURCE: [Field; 3] =
    [must("commit", TextThat(is_commit, "40 lower-case hex digits")), may("signed", Boolean), may("tag", Text)];
static BUILD: [Field; 3] = [must("builder", Text), may("reproducible", Boolean), may("instructions", Text)];
static SIGNATURE: [Field; 5] = [
    must("type", OneOf(&["sigstore", "gpg", "minisign"])),
    may("bundle_path", Text),
    may("signature_path", Text),
    may("public_key", Text),
    may("signer_identity", Text),
];
static ATTESTATION: [Field; 3] =
    [must("type", OneOf(&["https://slsa.dev/provenance/v1"])), may("bundle_path", Text), may("bundle_url", Text)];
static SCORECARD: [Field; 3] =
    [must("score", Number(0.0, 10.0)), must("scan_date", Text), may("checks", Numbers(-1.0, 10.0))];

fn is_version(text: &str) -> bool {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    text.split_once('.').is_some_and(|(major, minor)| number(major) && number(minor))
}

fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Everything that is wrong with an extension.
pub(super) fn check(extension: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    shaped(extension, &Object(&EXTENSION), "", &mut problems);
    problems
}

fn shaped(value: &Value, shape: &Shape, pointer: &str, problems: &mut Vec<Problem>) {
    let within = |number: Option<f64>, low: f64, high: f64| number.is_some_and(|n| n >= low && n <= high);
    let expected = match shape {
        Text if value.is_string() => return,
        TextThat(holds, _) if value.as_str().is_some_and(holds) => return,
        OneOf(words) if value.as_str().is_some_and(|text| words.contains(&text)) => return,
        Integer(low, high) if value.as_i64().is_some_and(|n| n >= *low && n <= *high) => return,
        Number(low, high) if within(value.as_f64(), *low, *high) => return,
        Boolean if value.is_boolean() => return,
        Texts if value.as_array().is_some_and(|all| !all.is_empty() && all.iter().all(Value::is_string)) => return,
        Numbers(low, high)
            if value.as_object().is_some_and(|o| o.values().all(|v| within(v.as_f64(), *low, *high))) =>
        {
            return;
        }
        Object(fields) if value.is_object() => {
            return value.as_object().into_iter().for_each(|object| object_of(object, fields, pointer, problems));
        }
        Objects(fields) if value.is_array() => {
            for (i, item) in value.as_array().into_iter().flatten().enumerate() {
                shaped(item, &Object(fields), &format!("{pointer}/{i}"), problems);
            }
            return;
        }
        Text => "a text".to_owned(),
        TextThat(_, words) => (*words).to_owned(),
        OneOf(words) => format!("one of `{}`", words.join("`, `")),
        Integer(low, i64::MAX) => format!("an integer from {low}"),
        Integer(low, high) => format!("an integer from {low} to {high}"),
        Number(low, high) => format!("a number from {low} to {high}"),
        Boolean => "true or false".to_owned(),
        Texts => "a list of texts, at least one".to_owned(),
        Numbers(low, high) => format!("names with numbers from {low} to {high}"),
        Object(_) => "an object".to_owned(),
        Objects(_) => "a list of objects".to_owned(),
    };
    let found: String = value.to_string().chars().take(60).collect();
    problems.push(Problem {
        pointer: pointer.to_owned(),
        message: format!("expected {expected}, found `{found}`"),
        is_error: true,
    });
}

fn object_of(object: &Map<String, Value>, fields: &[Field], pointer: &str, problems: &mut Vec<Problem>) {
    for field in fields {
        let below = format!("{pointer}/{}", field.name);
        match object.get(field.name) {
            Some(value) => shaped(value, &field.shape, &below, problems),
            None if field.required => {
                problems.push(Problem { pointer: below, message: "it is missing".to_owned(), is_error: true });
            }
            None => {}
        }
    }
    for name in object.keys().filter(|name| fields.iter().all(|field| field.name != name.as_str())) {
        let pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
        problems.push(Problem { pointer, message: "nobody knows this field".to_owned(), is_error: false });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_field_is_checked_for_type_and_values() {
        let whole = json!({
            "mtf_version": "0.1", "level": 2, "permissions": {"filesystem": "read", "native": "none"},
            "credentials": [{"provider": "github", "scopes": ["repo"], "justification": "x",
                "token_handling": {"storage": "file", "max_lifetime_seconds": 60, "refresh": true}}],
            "source": {"commit": "0123456789abcdef0123456789abcdef01234567"}, "build": {"builder": "x", "reproducible": true},
            "signature": {"type": "sigstore"}, "attestation": {"type": "https://slsa.dev/provenance/v1"},
            "scorecard": {"score": 7.5, "scan_date": "2026-01-01", "checks": {"Code-Review": -1}},
        });
        assert_eq!(check(&whole), []);
        for (pointer, bad) in [
            ("/mtf_version", json!("1")),
            ("/mtf_version", json!(0.1)),
            ("/level", json!(5)),
            ("/level", json!(1.5)),
            ("/permissions", json!([])),
            ("/permissions/network", json!("some")),
            ("/credentials", json!({})),
            ("/credentials/0/scopes", json!([])),
            ("/credentials/0/token_handling/storage", json!("cloud")),
            ("/credentials/0/token_handling/max_lifetime_seconds", json!(-1)),
            ("/source/commit", json!("A123456789abcdef0123456789abcdef01234567")),
            ("/build/reproducible", json!("yes")),
            ("/signature/type", json!("pgp")),
            ("/attestation/type", json!("x")),
            ("/scorecard/score", json!(11)),
            ("/scorecard/checks", json!({"x": "y"})),
        ] {
            let mut spoiled = whole.clone();
            match spoiled.pointer_mut(pointer) {
                Some(place) => *place = bad.clone(),
                None => spoiled["permissions"]["network"] = bad.clone(),
            }
            let problems = check(&spoiled);
            assert_eq!(problems.len(), 1, "{pointer} = {bad}: {problems:?}");
            assert_eq!((problems[0].pointer.as_str(), problems[0].is_error), (pointer, true));
        }
    }

    #[test]
    fn required_fields_are_missed_and_unknown_ones_only_told() {
        let problems = check(&json!({"credentials": [{"provider": "x"}], "a/b": 1}));
        let seen: Vec<(&str, bool)> = problems.iter().map(|p| (p.pointer.as_str(), p.is_error)).collect();
        assert_eq!(
            seen,
            [
                ("/mtf_version", true),
                ("/credentials/0/scopes", true),
                ("/credentials/0/justification", true),
                ("/a~1b", false)
            ]
        );
        assert!(check(&json!("x"))[0].is_error);
    }
}
