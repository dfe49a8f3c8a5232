//! Taking typed fields out of a JSON document, with a problem at its place for each that does not fit.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::json::Lines;
use super::problems::{At, Code, Problems, code, shown};
use super::values::{self, UrlFault};
use super::{ManifestVersion, Reading, Severity};

/// Whether a field must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Required,
    Optional,
}

/// The document being read and what was found in it.
pub(super) struct Fields<'d> {
    root: &'d Value,
    lines: &'d Lines,
    pub(super) reading: Reading,
    /// The declared version; the newest until it is known.
    pub(super) version: ManifestVersion,
    pub(super) problems: Problems,
}

/// A JSON object.
pub(super) type Object = Map<String, Value>;

impl<'d> Fields<'d> {
    pub(super) fn new(root: &'d Value, lines: &'d Lines, reading: Reading, problems: Problems) -> Self {
        Self { root, lines, reading, version: ManifestVersion::V0_4, problems }
    }

    /// Error when strict, warning when tolerant.
    pub(super) fn strictly(&self) -> Severity {
        if self.reading == Reading::Strict { Severity::Error } else { Severity::Warning }
    }

    /// Reports a problem; a place that is not in the document is reported without a line.
    pub(super) fn report(
        &mut self,
        severity: Severity,
        code: Code,
        at: &At<'_>,
        message: impl Into<String>,
        help: &str,
    ) {
        let line = || self.lines.line_of(self.root, at);
        if self.problems.make_room(severity) {
            let line = line();
            self.problems.keep(severity, code, at, line, message.into(), help);
        }
    }

    pub(super) fn error(&mut self, code: Code, at: &At<'_>, message: impl Into<String>, help: &str) {
        self.report(Severity::Error, code, at, message, help);
    }

    pub(super) fn warn(&mut self, code: Code, at: &At<'_>, message: impl Into<String>, help: &str) {
        self.report(Severity::Warning, code, at, message, help);
    }

    fn wrong_type(&mut self, at: &At<'_>, expected: &str, found: &Value, help: &str) {
        self.error(code::FIELD_TYPE, at, format!("expected {expected}, found {}", kind(found)), help);
    }

    /// A member; `null` counts as absent where the reading allows it.
    pub(super) fn member<'v>(&mut self, map: &'v Object, at: &At<'_>, key: &str, need: Need) -> Option<&'v Value> {
        match map.get(key) {
            None if need == Need::Required => {
                let message = format!("expected the field `{key}`, found none");
                self.error(code::FIELD_MISSING, at, message, &format!("add `{key}`"));
                None
            }
            Some(Value::Null) if need == Need::Optional => {
                let message = format!("expected a value or no `{key}` at all, found null");
                self.report(self.strictly(), code::FIELD_NULL, &at.key(key), message, "remove the field");
                None
            }
            other => other,
        }
    }

    pub(super) fn object<'v>(&mut self, value: &'v Value, at: &At<'_>, help: &str) -> Option<&'v Object> {
        value.as_object().or_else(|| {
            self.wrong_type(at, "an object", value, help);
            None
        })
    }

    pub(super) fn array<'v>(&mut self, value: &'v Value, at: &At<'_>) -> Option<&'v Vec<Value>> {
        value.as_array().or_else(|| {
            self.wrong_type(at, "a list", value, "");
            None
        })
    }

    /// Reports members that nobody knows.
    pub(super) fn known(&mut self, map: &Object, at: &At<'_>, known: &[&str], severity: Severity) {
        for key in map.keys().filter(|key| !known.contains(&key.as_str())) {
            let message = format!("expected one of {}, found the unknown field `{}`", list(known), shown(key));
            self.report(severity, code::FIELD_UNKNOWN, &at.key(key), message, "remove it, or move it into `_meta`");
        }
    }

    pub(super) fn text_of(&mut self, value: &Value, at: &At<'_>) -> Option<String> {
        if let Value::String(text) = value {
            return Some(text.clone());
        }
        self.wrong_type(at, "a text", value, if value.is_number() { "put it in double quotes" } else { "" });
        None
    }

    pub(super) fn text(&mut self, map: &Object, at: &At<'_>, key: &str, need: Need) -> Option<String> {
        let value = self.member(map, at, key, need)?;
        self.text_of(value, &at.key(key))
    }

    pub(super) fn boolean(&mut self, map: &Object, at: &At<'_>, key: &str) -> Option<bool> {
        let value = self.member(map, at, key, Need::Optional)?;
        value.as_bool().or_else(|| {
            self.wrong_type(&at.key(key), "true or false", value, "");
            None
        })
    }

    pub(super) fn number(&mut self, map: &Object, at: &At<'_>, key: &str) -> Option<f64> {
        let value = self.member(map, at, key, Need::Optional)?;
        value.as_f64().or_else(|| {
            self.wrong_type(&at.key(key), "a number", value, "");
            None
        })
    }

    /// A list of texts; `None` where the field is absent or no list.
    pub(super) fn texts(&mut self, map: &Object, at: &At<'_>, key: &str) -> Option<Vec<String>> {
        let value = self.member(map, at, key, Need::Optional)?;
        let here = at.key(key);
        let list = self.array(value, &here)?;
        Some(list.iter().enumerate().filter_map(|(index, item)| self.text_of(item, &here.index(index))).collect())
    }

    /// A map of texts.
    pub(super) fn text_map(&mut self, map: &Object, at: &At<'_>, key: &str) -> Option<BTreeMap<String, String>> {
        let value = self.member(map, at, key, Need::Optional)?;
        let here = at.key(key);
        let inner = self.object(value, &here, "")?;
        let texts = inner.iter().filter_map(|(name, item)| {
            let text = self.text_of(item, &here.key(name))?;
            Some((name.clone(), text))
        });
        Some(texts.collect())
    }

    /// A URL that is shown as a link.
    pub(super) fn link(&mut self, map: &Object, at: &At<'_>, key: &str) -> Option<String> {
        let text = self.text(map, at, key, Need::Optional)?;
        self.check_url(&text, &at.key(key), values::link(&text));
        Some(text)
    }

    pub(super) fn check_url(&mut self, text: &str, at: &At<'_>, verdict: Result<(), UrlFault>) {
        let found = shown(text);
        match verdict {
            Ok(()) => {}
            Err(UrlFault::Invalid) => {
                let help = if found.contains('@') && !found.contains("://") {
                    "write the https form, for example `https://example.org/owner/project`"
                } else {
                    "write the whole URL, starting with `https://`"
                };
                self.error(code::URL_INVALID, at, format!("expected a URL, found `{found}`"), help);
            }
            Err(UrlFault::Scheme) => {
                let message = format!("expected a URL starting with `https://` or `http://`, found `{found}`");
                self.error(code::URL_SCHEME, at, message, "link to a web page");
            }
            Err(UrlFault::Credentials) => {
                let message = "expected a URL without user name and password, found one that carries them";
                self.error(code::URL_CREDENTIALS, at, message, "remove what stands before the `@`, and revoke it");
            }
        }
    }

    /// A path in the bundle in its plain form.
    pub(super) fn check_path(&mut self, text: &str, at: &At<'_>) -> Option<String> {
        match values::bundle_path(text) {
            Ok(path) => Some(path),
            Err(fault) => {
                let message = format!("expected a path inside the bundle, found {fault}: `{}`", shown(text));
                let help = "write it relative to manifest.json with `/`, for example `server/index.js`";
                self.error(code::PATH_INVALID, at, message, help);
                None
            }
        }
    }
}

/// What a value is, in words.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Words in backticks with commas.
pub(super) fn list(words: &[&str]) -> String {
    words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ")
}
