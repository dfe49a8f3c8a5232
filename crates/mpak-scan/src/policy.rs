//! A policy: what an organisation demands of a bundle beyond the levels.
//!
//! In: a file in TOML or JSON from whoever scans. Out: violations, each with the rule of the policy that it
//! breaks. A policy can only demand more: it never makes a control pass. Format: docs/formats/policy.md.

use std::collections::BTreeMap;

use mpak_bundle::dependencies::Component;
use mpak_bundle::sbom::plain_purl;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::control::Status;
use crate::controls;
use crate::evidence::Evidence;
use crate::level::LEVEL_MAX;
use crate::report::{Report, Severity, SuppressedBy};
use crate::suppressions::Entry;

/// The JSON Schema of the file.
pub const SCHEMA: &str = include_str!("../../../docs/formats/policy.schema.json");
/// Largest file that is read.
pub const POLICY_BYTES_MAX: usize = 1 << 20;
/// Most items of one list.
const ITEMS_COUNT_MAX: usize = 10_000;
/// Most violations of one rule that are listed.
const VIOLATIONS_COUNT_MAX: usize = 50;
/// The key of `fail` for every control that has none of its own.
const DEFAULT: &str = "default";

/// What is demanded. Everything but the version may be missing.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    version: u64,
    name: Option<String>,
    level: Option<u8>,
    score: Option<u8>,
    #[serde(default)]
    required: Vec<String>,
    #[serde(default)]
    fail: BTreeMap<String, Severity>,
    #[serde(default)]
    suppressions: Permitted,
    #[serde(default)]
    deny: Denied,
}

/// Which suppressions count.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Permitted {
    /// By whom; without it by anybody.
    by: Option<Vec<SuppressedBy>>,
    /// Rules, `CQ-05/shell` or `CQ-05/*`; without it all.
    allow: Option<Vec<String>>,
    /// Whether each needs an end.
    #[serde(default)]
    until_required: bool,
}

/// What no bundle may have.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Denied {
    /// Package URLs, with or without version.
    #[serde(default)]
    packages: Vec<String>,
    /// Licences, as the components' records name them.
    #[serde(default)]
    licenses: Vec<String>,
    /// Rules whose findings are never accepted, whatever their severity.
    #[serde(default)]
    rules: Vec<String>,
}

/// Why a policy cannot be read.
#[derive(Debug, Error)]
pub enum PolicyError {
    /// Too large.
    #[error("the policy has {bytes} bytes, expected at most {POLICY_BYTES_MAX}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Not UTF-8.
    #[error("the policy is not UTF-8 text")]
    Text,
    /// Not JSON, or other fields.
    #[error("the policy cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// Not TOML, or other fields.
    #[error("the policy cannot be read: {0}")]
    Toml(#[from] toml::de::Error),
    /// A value that cannot be.
    #[error("`{field}` is `{found}`, expected {expected}")]
    Value {
        /// The field.
        field: &'static str,
        /// What stands there.
        found: String,
        /// What may stand there.
        expected: &'static str,
    },
}

/// What a policy says about a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Name of the policy.
    pub name: Option<String>,
    /// Whether nothing speaks against the bundle.
    pub satisfied: bool,
    /// What does.
    pub violations: Vec<Violation>,
}

/// A rule of a policy that is broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// The rule: a field of the policy.
    pub rule: String,
    /// What breaks it.
    pub message: String,
}

impl Policy {
    /// Reads the file: JSON where it begins with `{`, else TOML.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn read(bytes: &[u8]) -> Result<Self, PolicyError> {
        if bytes.len() > POLICY_BYTES_MAX {
            return Err(PolicyError::TooLarge { bytes: bytes.len() });
        }
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = std::str::from_utf8(text).map_err(|_not_text| PolicyError::Text)?;
        let policy: Self =
            if text.trim_start().starts_with('{') { serde_json::from_str(text)? } else { toml::from_str(text)? };
        policy.checked()
    }

    /// The level that it demands.
    pub fn level(&self) -> Option<u8> {
        self.level
    }

    fn checked(self) -> Result<Self, PolicyError> {
        let wrong = |field, found: String, expected| Err(PolicyError::Value { field, found, expected });
        if self.version != 1 {
            return wrong("version", self.version.to_string(), "1");
        }
        if let Some(level) = self.level.filter(|level| *level > LEVEL_MAX) {
            return wrong("level", level.to_string(), "0 to 4");
        }
        if let Some(score) = self.score.filter(|score| *score > 100) {
            return wrong("score", score.to_string(), "0 to 100");
        }
        let is_control = |id: &str| controls::find(id).is_some_and(|control| control.id == id);
        let is_rule = |rule: &str| rule.split_once('/').is_some_and(|(id, rest)| is_control(id) && !rest.is_empty());
        if let Some(id) = self.required.iter().find(|id| !is_control(id)) {
            return wrong("required", id.clone(), "a control such as `CQ-06`");
        }
        if let Some(key) = self.fail.keys().find(|key| *key != DEFAULT && !is_control(key) && !is_rule(key)) {
            return wrong("fail", key.clone(), "`default`, a control such as `CQ-05`, or a rule such as `CQ-05/shell`");
        }
        if let Some(rule) = self.deny.rules.iter().chain(self.suppressions.allow.iter().flatten()).find(|r| !is_rule(r))
        {
            return wrong("rules", rule.clone(), "a rule such as `CQ-05/shell`, or `CQ-05/*`");
        }
        if let Some(purl) = self.deny.packages.iter().find(|purl| !purl.starts_with("pkg:")) {
            return wrong("deny.packages", purl.clone(), "a package URL such as `pkg:npm/left-pad@1.3.0`");
        }
        for list in [&self.required, &self.deny.packages, &self.deny.licenses, &self.deny.rules] {
            if list.len() > ITEMS_COUNT_MAX {
                return wrong("a list", format!("{} items", list.len()), "at most 10,000 items");
            }
        }
        Ok(self)
    }

    /// Why a suppression does not count under this policy.
    pub(crate) fn refuses(&self, entry: &Entry) -> Option<String> {
        let Permitted { by, allow, until_required } = &self.suppressions;
        if by.as_ref().is_some_and(|by| !by.contains(&entry.by)) {
            return Some("the policy does not accept suppressions from there".to_owned());
        }
        if allow.as_ref().is_some_and(|allow| !allow.iter().any(|rule| covers(rule, &entry.id))) {
            return Some("the policy does not accept suppressions of this rule".to_owned());
        }
        (*until_required && entry.until.is_none()).then(|| "the policy demands an end, `until`".to_owned())
    }

    /// What speaks against a bundle.
    pub(crate) fn judge(&self, report: &Report, evidence: &Evidence) -> Decision {
        let mut violations = Vec::new();
        // 1. Level, score, and controls that must have judged.
        violations.extend(self.levels(report));
        violations.extend(self.required.iter().filter_map(|id| unsatisfied(report, id)));
        // 2. Findings.
        violations.extend(self.findings(report));
        // 3. Components.
        violations.extend(self.components(&evidence.dependencies().components));
        Decision { name: self.name.clone(), satisfied: violations.is_empty(), violations }
    }

    fn levels(&self, report: &Report) -> Vec<Violation> {
        let mut violations = Vec::new();
        if let Some(level) = self.level.filter(|level| report.level < *level) {
            let short = report.controls.iter().filter(|c| c.level <= level && !c.satisfied_at(level));
            let ids: Vec<&str> = short.map(|c| c.id.as_str()).collect();
            let reached = report.level;
            violations.push(violation("level", format!("level {reached} of {level}: {}", ids.join(", "))));
        }
        if let Some(score) = self.score.filter(|score| report.score < *score) {
            violations.push(violation("score", format!("score {} of {score}", report.score)));
        }
        violations
    }

    fn findings(&self, report: &Report) -> Vec<Violation> {
        let mut violations = Vec::new();
        let mut push = |violation: Violation| {
            if violations.len() < VIOLATIONS_COUNT_MAX {
                violations.push(violation);
            }
        };
        for (control, finding) in report.findings() {
            let place = match (&finding.file, finding.line) {
                (Some(file), Some(line)) => format!(" at {file}:{line}"),
                (Some(file), None) => format!(" at {file}"),
                (None, _) => String::new(),
            };
            let text = format!("{} finding {}{place}", finding.severity.as_str(), finding.rule);
            if self.deny.rules.iter().any(|rule| covers(rule, &finding.rule)) {
                push(violation("deny.rules", text));
                continue;
            }
            let keys = [finding.rule.as_str(), control.id.as_str(), DEFAULT];
            let found = keys.iter().find_map(|key| self.fail.get_key_value(*key));
            if let Some((key, least)) = found
                && finding.severity >= *least
                && finding.suppressed.is_none()
            {
                push(violation(&format!("fail.{key}"), text));
            }
        }
        violations
    }

    fn components(&self, components: &[Component]) -> Vec<Violation> {
        let mut violations = Vec::new();
        for component in components {
            let purl = plain_purl(&component.purl());
            let denied = self.deny.packages.iter().find(|denied| is_package(&plain_purl(denied), &purl));
            if let Some(denied) = denied {
                violations.push(violation("deny.packages", format!("{purl} is in the bundle (`{denied}`)")));
            }
            let license = component.license.as_deref().unwrap_or_default();
            let words: Vec<&str> = license.split([' ', '(', ')']).collect();
            let named = |denied: &&String| license == denied.as_str() || words.contains(&denied.as_str());
            if let Some(denied) = self.deny.licenses.iter().find(named) {
                violations.push(violation("deny.licenses", format!("{purl} is under `{denied}`")));
            }
        }
        violations.truncate(VIOLATIONS_COUNT_MAX);
        violations
    }
}

fn violation(rule: &str, message: String) -> Violation {
    Violation { rule: rule.to_owned(), message }
}

/// A control that must be satisfied.
fn unsatisfied(report: &Report, id: &str) -> Option<Violation> {
    let control = report.controls.iter().find(|c| c.id == id)?;
    let held = control.status.satisfied();
    let what = if control.status == Status::Fail { "fails" } else { "did not judge" };
    (!held).then(|| violation("required", format!("{id} {what}: {}", control.reason)))
}

/// `CQ-05/*` covers every rule of the control.
fn covers(pattern: &str, rule: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(begin) => rule.starts_with(begin),
        None => pattern == rule,
    }
}

/// Whether a package URL, with or without version, names a component.
fn is_package(denied: &str, purl: &str) -> bool {
    purl == denied || purl.strip_prefix(denied).is_some_and(|rest| rest.starts_with('@'))
}

#[cfg(test)]
mod tests;
