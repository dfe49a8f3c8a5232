//! Detection rules that are data: embedded, compiled when first needed.
//!
//! A rule is one entry of a TOML file and carries its own examples: texts that it must match and texts
//! that it must ignore. A test runs them all.

use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;

use crate::secrets::check::Check;

/// The rules of CQ-01.
pub const SECRETS_TOML: &str = include_str!("../rules/secrets.toml");

/// Largest compiled form of one expression.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// How sure a match is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Often harmless: warns.
    Low,
    /// A credential: fails.
    High,
}

/// Where a match stands in relation to its keyword.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// It begins with the keyword.
    Start,
    /// The keyword is `://`, and it is the URL.
    Url,
    /// It is the whole value that is assigned to a name with the keyword in it.
    Name,
    /// The keyword is near.
    #[default]
    Around,
}

/// One rule of CQ-01.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretRule {
    /// Stable id, for example `github-token`.
    pub id: String,
    /// What it is, for people.
    pub name: String,
    /// How sure a match is.
    pub confidence: Confidence,
    /// One of these must stand near; with less than five bytes or an upper-case letter it is matched
    /// exactly, else in any case.
    pub keywords: Vec<String>,
    /// Where a match stands.
    #[serde(default, rename = "at")]
    pub place: Place,
    /// The shape; the group `secret` is the credential, else the whole match. Without one, the value's
    /// randomness is the shape.
    #[serde(default)]
    regex: Option<String>,
    /// Least Shannon entropy of the credential, in bits per character.
    #[serde(default)]
    pub entropy_min: f64,
    /// A further check.
    #[serde(default)]
    pub check: Option<Check>,
    /// Bytes after a keyword in which the match must end.
    #[serde(default = "span_default")]
    pub span: usize,
    /// Texts that must match. A `·` in an example is taken out first, so that this file holds nothing
    /// that looks like a credential.
    #[serde(default)]
    pub matches: Vec<String>,
    /// Texts that must not match.
    #[serde(default)]
    pub ignores: Vec<String>,
    #[serde(skip)]
    compiled: OnceLock<Option<Regex>>,
}

fn span_default() -> usize {
    512
}

impl SecretRule {
    /// The compiled expression; `None` for a rule without one.
    pub fn regex(&self) -> Option<&Regex> {
        let build = || {
            let shape = self.regex.as_ref()?;
            let placed = match self.place {
                Place::Start | Place::Url => format!(r"\A(?:{shape})"),
                Place::Name => format!(r"\A(?:{shape})\z"),
                Place::Around => shape.clone(),
            };
            RegexBuilder::new(&placed).unicode(false).size_limit(REGEX_BYTES_MAX).build().ok()
        };
        self.compiled.get_or_init(build).as_ref()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretFile {
    rule: Vec<SecretRule>,
}

/// The rules of CQ-01, most specific first.
pub fn secrets() -> &'static [SecretRule] {
    static RULES: OnceLock<Vec<SecretRule>> = OnceLock::new();
    RULES.get_or_init(read_secrets)
}

fn read_secrets() -> Vec<SecretRule> {
    let file: SecretFile = toml::from_str(SECRETS_TOML).expect("the embedded rules are read by a test");
    file.rule
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::secrets as search;

    /// Rule ids of all hits in a text.
    fn hits(text: &str) -> BTreeSet<String> {
        let found = search::scan_file(".env", text.as_bytes());
        found.hits.into_iter().map(|hit| hit.rule.id.clone()).collect()
    }

    #[test]
    fn every_rule_matches_its_examples_and_ignores_the_others() {
        let mut wrong = Vec::new();
        for rule in secrets() {
            assert_eq!(rule.regex().is_some(), rule.regex.is_some(), "{}: the expression does not compile", rule.id);
            assert!(!rule.matches.is_empty() && !rule.ignores.is_empty(), "{} lacks examples", rule.id);
            assert!(!rule.keywords.is_empty(), "{} lacks keywords", rule.id);
            for example in &rule.matches {
                if !hits(&example.replace('·', "")).contains(&rule.id) {
                    wrong.push(format!("{} must match `{example}`", rule.id));
                }
            }
            for example in &rule.ignores {
                if hits(&example.replace('·', "")).contains(&rule.id) {
                    wrong.push(format!("{} must ignore `{example}`", rule.id));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn at_least_150_formats_of_issuers_are_told_apart() {
        /// What is told by its name or place alone, and is nobody's format.
        const GENERAL: [&str; 7] = [
            "assigned-secret",
            "connection-password",
            "connection-string",
            "url-password",
            "command-password",
            "authorization-header",
            "basic-authorization",
        ];
        let mut formats = BTreeSet::new();
        for rule in secrets().iter().filter(|rule| !GENERAL.contains(&rule.id.as_str())) {
            let found = rule.matches.iter().any(|example| hits(&example.replace('·', "")).contains(&rule.id));
            if let (Some(shape), true) = (&rule.regex, found) {
                formats.insert((shape.as_str(), rule.keywords.clone()));
            }
        }
        assert!(formats.len() >= 150, "{} formats", formats.len());
    }

    #[test]
    fn every_position_of_an_example_is_found() {
        let mut wrong = Vec::new();
        for rule in secrets() {
            let example = rule.matches[0].replace('·', "");
            for text in
                [format!("x = {example}\n"), format!("{}\n{example}", "-".repeat(4_000)), format!("\"{example}\"")]
            {
                if !hits(&text).contains(&rule.id) {
                    wrong.push(format!("{} in `{}`", rule.id, text.trim_matches('-')));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn ids_are_unique_and_the_file_itself_is_clean() {
        let ids: BTreeSet<&str> = secrets().iter().map(|rule| rule.id.as_str()).collect();
        assert_eq!(ids.len(), secrets().len());
        let found = search::scan_file("secrets.toml", SECRETS_TOML.as_bytes()).hits;
        let lines: Vec<_> = found.iter().map(|hit| (hit.line, &hit.rule.id)).collect();
        assert!(lines.is_empty(), "{lines:?}");
    }
}
