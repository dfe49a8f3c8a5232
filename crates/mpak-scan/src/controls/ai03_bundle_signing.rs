//! AI-03: the bundle is signed by somebody who may publish under its name.
//!
//! Judged from signatures that the registry verified; a signature in the bundle that nobody has verified is
//! `not_run`, never passed. Spec: MTF 0.1 §3.2 AI-03; MTF decisions, 19.

use crate::control::Verdict;
use crate::evidence::Evidence;
use crate::outside::{Signature, SignatureState};
use crate::report::{Finding, Severity};

const FIX: &str = "sign in the pipeline that builds, and publish the signature with the bundle";

pub(crate) fn judge(evidence: &Evidence) -> Verdict {
    let inside = in_bundle(evidence);
    match (&evidence.outside().signatures, inside) {
        (Some(all), _) if !all.is_empty() => judge_signatures(all),
        (_, Some(path)) => Verdict::not_run(format!("`{path}` holds a signature that nobody has verified")),
        (None, None) => Verdict::not_run("whether it is signed is not known: give registry evidence with `--evidence`"),
        (Some(_), None) => {
            let found = finding("missing-signature", "the bundle is not signed").fix(FIX);
            Verdict::fail("the bundle is not signed", vec![found])
        }
    }
}

fn finding(rule: &str, title: impl Into<String>) -> Finding {
    Finding::new(format!("AI-03/{rule}"), Severity::High, title)
}

/// A signature in the bundle, by its place.
fn in_bundle(evidence: &Evidence) -> Option<&str> {
    let is_signature = |path: &str| {
        path.starts_with(".sigstore/")
            || path == "manifest.sig.json"
            || path.strip_prefix("manifest.").is_some_and(|rest| rest == "sig" || rest.strip_suffix(".sig").is_some())
    };
    evidence.files().iter().map(|file| file.path.as_str()).find(|path| is_signature(path))
}

/// One good signature of an authorised signer suffices; one that does not hold spoils all.
fn judge_signatures(all: &[Signature]) -> Verdict {
    let who = |s: &Signature| s.signer.clone().unwrap_or_else(|| "?".to_owned());
    let invalid = all.iter().filter(|s| s.state == SignatureState::Invalid);
    let mut findings: Vec<Finding> =
        invalid.map(|s| finding("invalid-signature", "a signature does not hold").seen(who(s)).fix(FIX)).collect();
    if !findings.is_empty() {
        return Verdict::fail("a signature does not hold", findings);
    }
    let stranger = all.iter().filter(|s| s.authorized == Some(false));
    let strangers: Vec<Finding> = stranger
        .map(|s| finding("unauthorized-signer", "the signer may not sign for this package").seen(who(s)).fix(FIX))
        .collect();
    let Some(good) = all.iter().find(|s| s.authorized == Some(true)) else {
        return if strangers.is_empty() {
            Verdict::not_run("whether the signer may sign for this package is not known")
        } else {
            Verdict::fail("the signer may not sign for this package", strangers)
        };
    };
    if good.state == SignatureState::Expired {
        let title = "the signer's certificate was over when it was verified";
        findings.push(Finding::new("AI-03/expired-certificate", Severity::Medium, title).seen(who(good)));
    }
    Verdict::pass_or_warn("signed by somebody who may sign for this package", findings)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::control::Status;
    use crate::outside::Outside;

    #[test]
    fn each_row_of_the_table_is_judged() {
        let one = |state: &str, authorized: Value| json!([{"method": "sigstore", "state": state, "signer": "me", "authorized": authorized}]);
        for (signatures, files, status, rule) in [
            (one("valid-trusted", json!(true)), vec![], Status::Pass, ""),
            (one("valid-self-signed", json!(true)), vec![], Status::Pass, ""),
            (one("valid-trusted", json!(false)), vec![], Status::Fail, "AI-03/unauthorized-signer"),
            (one("valid-trusted", Value::Null), vec![], Status::NotRun, ""),
            (one("invalid", json!(true)), vec![], Status::Fail, "AI-03/invalid-signature"),
            (one("expired", json!(true)), vec![], Status::Warn, "AI-03/expired-certificate"),
            (json!([]), vec![], Status::Fail, "AI-03/missing-signature"),
            (json!([]), vec![("manifest.sig", "x")], Status::NotRun, ""),
            (Value::Null, vec![("manifest.ci.sig", "x")], Status::NotRun, ""),
            (Value::Null, vec![], Status::NotRun, ""),
        ] {
            let outside =
                Outside::read(json!({"version": 1, "signatures": signatures}).to_string().as_bytes()).unwrap();
            let verdict = judge(&Evidence::of_files(&json!({}), &files).with_outside(outside).unwrap());
            assert_eq!(verdict.status, status, "{signatures} {files:?}: {verdict:?}");
            assert!(rule.is_empty() || verdict.findings.iter().any(|f| f.rule == rule), "{signatures}: {verdict:?}");
        }
    }
}
