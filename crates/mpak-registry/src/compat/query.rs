//! Query parameters, checked as the existing registry's JSON Schema does: every violation is listed in
//! `details.validation`.

use std::collections::HashMap;

use mpak_api::error::Code;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::error::{ApiError, ApiResult};

/// The parameters of one request, with the violations found so far.
pub(crate) struct Params {
    values: HashMap<String, String>,
    violations: Vec<Value>,
}

impl Params {
    /// Reads a query string; of a repeated name the last value counts, unknown names are ignored.
    pub(crate) fn new(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self { values: pairs.into_owned().collect(), violations: Vec::new() }
    }

    /// A text of at most so many characters.
    pub(crate) fn text(&mut self, name: &str, chars_max: usize) -> Option<String> {
        let value = self.values.get(name)?.clone();
        if value.chars().count() > chars_max {
            let message = format!("must NOT have more than {chars_max} characters");
            self.violate(name, "maxLength", &json!({"limit": chars_max}), &message);
            return None;
        }
        Some(value)
    }

    /// One of some words.
    pub(crate) fn word(&mut self, name: &str, allowed: &[&str]) -> Option<String> {
        let value = self.values.get(name)?.clone();
        if !allowed.contains(&value.as_str()) {
            let message = "must be equal to one of the allowed values";
            self.violate(name, "enum", &json!({"allowedValues": allowed}), message);
            return None;
        }
        Some(value)
    }

    /// A whole number in a range.
    pub(crate) fn number(&mut self, name: &str, min: usize, max: usize, default: usize) -> usize {
        let Some(value) = self.values.get(name) else { return default };
        match value.parse::<i64>() {
            Err(_not_a_number) => self.violate(name, "type", &json!({"type": "integer"}), "must be integer"),
            Ok(n) if usize::try_from(n).is_ok_and(|n| (min..=max).contains(&n)) => {
                return usize::try_from(n).unwrap_or(default);
            }
            Ok(n) if usize::try_from(n).is_ok_and(|n| n > max) => {
                let message = format!("must be <= {max}");
                self.violate(name, "maximum", &json!({"comparison": "<=", "limit": max}), &message);
            }
            Ok(_) => {
                let message = format!("must be >= {min}");
                self.violate(name, "minimum", &json!({"comparison": ">=", "limit": min}), &message);
            }
        }
        default
    }

    fn violate(&mut self, name: &str, keyword: &str, params: &Value, message: &str) {
        self.violations.push(json!({
            "instancePath": format!("/{name}"), "schemaPath": format!("#/properties/{name}/{keyword}"),
            "keyword": keyword, "params": params, "message": message,
        }));
    }

    /// The violations, if there are any.
    pub(crate) fn finish(self) -> ApiResult<()> {
        if self.violations.is_empty() {
            return Ok(());
        }
        Err(ApiError::new(Code::ValidationError, "Request validation failed").detail("validation", self.violations))
    }
}
