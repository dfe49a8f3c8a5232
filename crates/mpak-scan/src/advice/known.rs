//! Edits that are better said for a rule than by a finding's own remedy: several rules of one edit, with
//! something to paste.

use super::Who;

/// An edit, what to paste, and the rules that it settles.
struct Known {
    what: &'static str,
    snippet: Option<&'static str>,
    rules: &'static [&'static str],
}

static KNOWN: [Known; 9] = [
    Known {
        what: "add `repository` to manifest.json",
        snippet: Some(r#""repository": {"type": "git", "url": "https://github.com/OWNER/REPOSITORY"}"#),
        rules: &["AI-01/missing-repository", "PR-01/missing-repository", "PR-01/missing-url"],
    },
    Known {
        what: "declare what the server may do under `_meta` in manifest.json (`mpak scan --suggest-permissions` writes it)",
        snippet: Some(
            r#""_meta": {"org.mpaktrust": {"mtf_version": "0.1", "permissions": {"filesystem": "none", "network": "none", "environment": "none", "subprocess": "none", "native": "none"}}}"#,
        ),
        rules: &["AI-01/missing-extension", "CD-02/not-declared"],
    },
    Known {
        what: "list the tools of the server in manifest.json",
        snippet: Some(r#""tools": [{"name": "NAME", "description": "What it does, in a sentence."}]"#),
        rules: &["AI-01/missing-tools", "CD-01/missing-tools", "CD-01/bad-tools"],
    },
    Known {
        what: "say in manifest.json who the author is and how to reach them",
        snippet: Some(r#""author": {"name": "NAME", "email": "security@example.org"}"#),
        rules: &["PR-02/missing-author", "PR-02/missing-email", "PR-02/bad-email"],
    },
    Known {
        what: "name the package with its scope in manifest.json",
        snippet: Some(r#""name": "@SCOPE/NAME""#),
        rules: &["AI-01/unscoped-name"],
    },
    Known {
        what: "declare the credentials that the server uses under `_meta` in manifest.json",
        snippet: Some(
            r#""credentials": [{"provider": "PROVIDER", "scopes": ["SCOPE"], "justification": "What for.", "token_handling": {"storage": "keychain", "max_lifetime_seconds": 3600, "refresh": true}}]"#,
        ),
        rules: &["CD-04/undeclared-oauth", "CD-04/empty-declaration", "CD-04/bad-credentials", "CD-05/bad-credentials"],
    },
    Known {
        what: "declare the reproducible build under `_meta[\"org.mpaktrust\"]` in manifest.json",
        snippet: Some(r#""build": {"builder": "BUILDER", "reproducible": true, "instructions": "https://…"}"#),
        rules: &["AI-04/undeclared", "AI-04/declared-not-reproducible"],
    },
    Known {
        what: "state the commit that the bundle was built from under `_meta[\"org.mpaktrust\"]` in manifest.json",
        snippet: Some(r#""source": {"commit": "40 HEX DIGITS"}"#),
        rules: &["PR-04/missing-commit", "PR-04/short-commit", "PR-04/bad-commit"],
    },
    Known {
        what: "build and publish in a CI workflow that signs and attests what it built",
        snippet: None,
        rules: &[
            "AI-03/missing-signature",
            "AI-03/invalid-signature",
            "PR-03/missing-attestation",
            "PR-03/invalid-attestation",
            "PR-02/unverified-identity",
        ],
    },
];

/// The edit for a rule.
pub(super) fn edit(rule: &str) -> Option<(&'static str, Option<&'static str>)> {
    KNOWN.iter().find(|known| known.rules.contains(&rule)).map(|known| (known.what, known.snippet))
}

/// Whether a rule is about what is outside the bundle.
pub(super) fn is_publishers(rule: &str) -> bool {
    const CLAIMS: [&str; 3] = ["PR-02/missing-author", "PR-02/missing-email", "PR-02/bad-email"];
    ["AI-03/", "PR-02/", "PR-03/", "PR-05/"].iter().any(|control| rule.starts_with(control)) && !CLAIMS.contains(&rule)
}

/// What a control that was not run asks for, and of whom.
pub(super) fn missing(control: &str, reason: &str) -> (String, Who) {
    match control {
        "AI-03" | "PR-02" | "PR-03" => {
            let what = "build and publish in a CI workflow that signs and attests what it built";
            (what.to_owned(), Who::Publisher)
        }
        "AI-04" | "PR-04" | "CQ-06" => (reason.to_owned(), Who::Publisher),
        _ => (reason.to_owned(), Who::Scanner),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_snippet_is_a_member_of_a_json_object_and_every_rule_stands_once() {
        let mut rules: Vec<&str> = KNOWN.iter().flat_map(|known| known.rules).copied().collect();
        let count = rules.len();
        rules.sort_unstable();
        rules.dedup();
        assert_eq!(rules.len(), count);
        for known in &KNOWN {
            if let Some(snippet) = known.snippet {
                let parsed: Result<serde_json::Value, _> = serde_json::from_str(&format!("{{{snippet}}}"));
                assert!(parsed.is_ok(), "{snippet}");
            }
        }
    }
}
