//! CD-05: how the server keeps tokens, and for how long.
//!
//! Spec: MTF 0.1 §3.5 CD-05; `disk` means `file` (MTF decisions, 20). Whether code writes tokens to a file
//! that does not say so here is not judged.

use serde_json::Value;

use crate::control::{Status, Verdict};
use crate::credentials::{self, Credential, Declaration};
use crate::evidence::{Evidence, MANIFEST};
use crate::report::{Finding, Severity};

const DAY_SECONDS: f64 = 86_400.0;
/// From here on a token lives as long as the account.
const INDEFINITE_SECONDS: f64 = 10.0 * 365.0 * DAY_SECONDS;

const SHORTER: &str = "set `max_lifetime_seconds` to what the provider allows, and renew";

pub(crate) fn judge(evidence: &Evidence) -> Verdict {
    let list = match credentials::declared(evidence) {
        Declaration::List(list) if !list.is_empty() => list,
        Declaration::Bad => {
            let finding = finding("bad-credentials", Severity::High, "`credentials` is not a list of objects")
                .fix("write one object with provider, scopes, justification and token_handling for each credential");
            return Verdict::fail("the declared credentials cannot be read", vec![finding]);
        }
        Declaration::List(_) | Declaration::Absent => {
            return Verdict::new(Status::NotApplicable, "no credentials are declared; CD-04 judges whether that is so");
        }
    };
    let findings: Vec<Finding> = list.iter().flat_map(judge_credential).collect();
    if findings.iter().any(|f| f.rule == "CD-05/indefinite") {
        return Verdict::fail("a token never ends, and nothing says why", findings);
    }
    Verdict::pass_or_warn("the handling of tokens is declared", findings)
}

fn finding(rule: &str, severity: Severity, title: impl Into<String>) -> Finding {
    Finding::new(format!("CD-05/{rule}"), severity, title).at(MANIFEST, None)
}

fn judge_credential(credential: &Credential<'_>) -> Vec<Finding> {
    let (provider, pointer) = (credential.provider, &credential.pointer);
    let Some(handling) = credential.token_handling else {
        let title = format!("nothing says how tokens of `{provider}` are kept");
        let fix = "add `token_handling` with storage, max_lifetime_seconds and refresh";
        return vec![finding("undeclared", Severity::Medium, title).seen(pointer).fix(fix)];
    };
    let justified = credential.justification.is_some() || credentials::filled(handling.get("justification")).is_some();
    let mut findings = Vec::new();
    let mut warn = |rule: &str, severity, title: String, fix: &str| {
        findings.push(finding(rule, severity, title).seen(format!("{pointer}/token_handling")).fix(fix));
    };
    // 1. Where.
    match handling.get("storage").and_then(Value::as_str) {
        Some("memory" | "keychain") => {}
        Some("file" | "disk") if justified => {}
        Some("file" | "disk") => {
            let title = format!("tokens of `{provider}` are kept in a file without justification");
            warn(
                "file-storage",
                Severity::Medium,
                title,
                "keep them in memory or in the system's keychain, or say why a file is needed",
            );
        }
        _ => {
            let title = format!("where tokens of `{provider}` are kept is not said");
            warn("storage-unspecified", Severity::Medium, title, "set `storage` to memory, keychain or file");
        }
    }
    // 2. For how long.
    let refresh = handling.get("refresh").and_then(Value::as_bool).unwrap_or(true);
    let lifetime = handling.get("max_lifetime_seconds").and_then(Value::as_f64);
    match lifetime {
        _ if justified && lifetime.is_some() => {}
        Some(seconds) if seconds <= 0.0 || seconds >= INDEFINITE_SECONDS => {
            warn("indefinite", Severity::High, format!("tokens of `{provider}` never end"), SHORTER);
        }
        Some(seconds) if seconds > DAY_SECONDS => {
            let title = format!("tokens of `{provider}` live {seconds} s, longer than a day, without justification");
            warn("long-lifetime", Severity::Medium, title, SHORTER);
        }
        Some(_) => {}
        None if refresh || justified => {
            warn(
                "lifetime-unspecified",
                Severity::Low,
                format!("how long tokens of `{provider}` live is not said"),
                SHORTER,
            );
        }
        None => {
            let title = format!("tokens of `{provider}` are not renewed and have no end");
            warn("indefinite", Severity::High, title, SHORTER);
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn verdict(justification: &str, handling: &Value) -> Verdict {
        let item =
            json!({"provider": "google", "scopes": ["x"], "justification": justification, "token_handling": handling});
        judge(&Evidence::of_document(&json!({"_meta": {"org.mpaktrust": {"credentials": [item]}}})))
    }

    #[test]
    fn each_row_of_the_table_is_judged() {
        let hour = json!({"storage": "memory", "max_lifetime_seconds": 3600, "refresh": true});
        for (justification, handling, status, rule) in [
            ("", hour, Status::Pass, ""),
            ("", json!({"storage": "keychain", "max_lifetime_seconds": 86400}), Status::Pass, ""),
            ("", json!({"storage": "file", "max_lifetime_seconds": 60}), Status::Warn, "CD-05/file-storage"),
            ("", json!({"storage": "disk", "max_lifetime_seconds": 60}), Status::Warn, "CD-05/file-storage"),
            ("a cache", json!({"storage": "disk", "max_lifetime_seconds": 60}), Status::Pass, ""),
            ("", json!({"storage": "memory", "max_lifetime_seconds": 86401}), Status::Warn, "CD-05/long-lifetime"),
            ("needed", json!({"storage": "memory", "max_lifetime_seconds": 86401}), Status::Pass, ""),
            ("", json!({"storage": "memory", "max_lifetime_seconds": 0}), Status::Fail, "CD-05/indefinite"),
            ("needed", json!({"storage": "memory", "max_lifetime_seconds": 0}), Status::Pass, ""),
            ("", json!({"storage": "memory", "max_lifetime_seconds": 1e18}), Status::Fail, "CD-05/indefinite"),
            ("", json!({"storage": "memory", "refresh": false}), Status::Fail, "CD-05/indefinite"),
            ("", json!({"storage": "memory", "refresh": true}), Status::Warn, "CD-05/lifetime-unspecified"),
            ("", json!({"max_lifetime_seconds": 60}), Status::Warn, "CD-05/storage-unspecified"),
            (
                "",
                json!({"storage": 7, "max_lifetime_seconds": "x", "refresh": []}),
                Status::Warn,
                "CD-05/storage-unspecified",
            ),
            ("x", Value::Null, Status::Warn, "CD-05/undeclared"),
            ("x", json!([]), Status::Warn, "CD-05/undeclared"),
        ] {
            let verdict = verdict(justification, &handling);
            assert_eq!(verdict.status, status, "{handling}: {verdict:?}");
            assert!(rule.is_empty() == verdict.findings.is_empty(), "{handling}: {verdict:?}");
            assert!(verdict.findings.iter().all(|f| f.rule != "CD-05/x"), "{handling}");
            assert!(rule.is_empty() || verdict.findings.iter().any(|f| f.rule == rule), "{handling}: {verdict:?}");
        }
    }

    #[test]
    fn without_credentials_there_is_nothing_to_judge() {
        for document in [json!({}), json!({"_meta": {"org.mpaktrust": {"credentials": []}}}), json!({"_meta": []})] {
            assert_eq!(judge(&Evidence::of_document(&document)).status, Status::NotApplicable);
        }
        assert_eq!(judge(&Evidence::empty()).status, Status::NotApplicable);
    }
}
