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
    /// One of these must stand near; with an upper-case letter it is matched exactly, else in any case.
    pub keywords: Vec<String>,
    /// The shape; the group `secret` is the credential, else the whole match.
    regex: String,
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
    /// The compiled expression; `None` only for a rule that no test has seen.
    pub fn regex(&self) -> Option<&Regex> {
        let build = || RegexBuilder::new(&self.regex).unicode(false).size_limit(REGEX_BYTES_MAX).build().ok();
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
    use crate::secrets::Scanner;

    /// Rule ids of all hits in a text.
    fn hits(text: &str) -> BTreeSet<String> {
        let mut scanner = Scanner::new();
        scanner.text("file", text.as_bytes());
        scanner.finish().hits.into_iter().map(|hit| hit.rule.id.clone()).collect()
    }

    #[test]
    fn every_rule_matches_its_examples_and_ignores_the_others() {
        for rule in secrets() {
            assert!(rule.regex().is_some(), "{}: the expression does not compile", rule.id);
            assert!(!rule.matches.is_empty() && !rule.ignores.is_empty(), "{} lacks examples", rule.id);
            assert!(!rule.keywords.is_empty(), "{} lacks keywords", rule.id);
            for example in &rule.matches {
                assert!(hits(&example.replace('·', "")).contains(&rule.id), "{} must match `{example}`", rule.id);
            }
            for example in &rule.ignores {
                assert!(!hits(&example.replace('·', "")).contains(&rule.id), "{} must ignore `{example}`", rule.id);
            }
        }
    }

    #[test]
    fn every_position_of_an_example_is_found() {
        for rule in secrets() {
            let example = rule.matches[0].replace('·', "");
            for text in
                [format!("x = {example}\n"), format!("{}\n{example}", "-".repeat(4_000)), format!("\"{example}\"")]
            {
                assert!(hits(&text).contains(&rule.id), "{} in `{text}`", rule.id);
            }
        }
    }

    #[test]
    fn ids_are_unique_and_the_file_itself_is_clean() {
        let ids: BTreeSet<&str> = secrets().iter().map(|rule| rule.id.as_str()).collect();
        assert_eq!(ids.len(), secrets().len());
        assert_eq!(hits(SECRETS_TOML), BTreeSet::new());
    }
}
