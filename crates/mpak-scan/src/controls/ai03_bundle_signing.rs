//! AI-03: the bundle is signed by somebody who may publish under its name.
//!
//! Detached signatures and the appended PKCS #7 block are verified here, against the keys that the evidence names;
//! what a registry verified is taken from it. A Sigstore bundle in the archive that nobody has verified is `not_run`,
//! never passed. Spec: MTF 0.1 §3.2 AI-03, §5.1, §5.2; MTF decisions, 19.

use mpak_bundle::digest::Sha256;

use crate::control::Verdict;
use crate::evidence::Evidence;
use crate::outside::{Signature, SignatureState};
use crate::report::{Finding, Severity};
use crate::signatures::{self, Verified, Worth};

const FIX: &str = "sign in the pipeline that builds, and publish the signature with the bundle";

/// What one signature means for the control.
enum Meaning {
    /// It spoils the bundle: rule and title.
    Bad(&'static str, String),
    /// Its signer may not sign.
    Stranger,
    /// It holds, and its signer may sign.
    Good { expired: bool },
    /// What is missing to decide.
    Open(String),
}

/// A signature with what it means.
struct Judged {
    who: String,
    file: Option<String>,
    meaning: Meaning,
}

pub(crate) fn judge(evidence: &Evidence) -> Verdict {
    // 1. What somebody verified, and what is verified here.
    let outside = evidence.outside();
    let keys = outside.publisher.as_ref().map_or(&[][..], |publisher| publisher.keys.as_slice());
    let said = outside.signatures.iter().flatten().filter_map(asserted);
    let all: Vec<Judged> =
        said.chain(signatures::verified(evidence).into_iter().map(|one| verified(one, keys))).collect();
    // 2. One that does not hold spoils all; one good one of an authorised signer suffices.
    let findings = |rule: fn(&Judged) -> Option<(&'static str, String)>| -> Vec<Finding> {
        let finding = |one: &Judged| {
            let (rule, title) = rule(one)?;
            let found = finding(rule, title).seen(&one.who).fix(FIX);
            Some(one.file.iter().fold(found, |found, file| found.at(file, None)))
        };
        all.iter().filter_map(finding).collect()
    };
    let bad = findings(|one| match &one.meaning {
        Meaning::Bad(rule, title) => Some((rule, title.clone())),
        _ => None,
    });
    if !bad.is_empty() {
        return Verdict::fail("a signature does not hold", bad);
    }
    let strangers = findings(|one| match &one.meaning {
        Meaning::Stranger => Some(("unauthorized-signer", "the signer may not sign for this package".to_owned())),
        _ => None,
    });
    let good = all.iter().find_map(|one| match one.meaning {
        Meaning::Good { expired } => Some((one, expired)),
        _ => None,
    });
    let open = all.iter().find_map(|one| match &one.meaning {
        Meaning::Open(reason) => Some(reason),
        _ => None,
    });
    match (good, open) {
        (Some((one, true)), _) => {
            let title = "the signer's certificate was over when it was verified";
            let over = Finding::new("AI-03/expired-certificate", Severity::Medium, title).seen(&one.who);
            Verdict::pass_or_warn("signed by somebody who may sign for this package", vec![over])
        }
        (Some((_, false)), _) => Verdict::pass_or_warn("signed by somebody who may sign for this package", Vec::new()),
        _ if !strangers.is_empty() => Verdict::fail("the signer may not sign for this package", strangers),
        (None, Some(reason)) => Verdict::not_run(reason),
        (None, None) => unsigned(evidence),
    }
}

/// No signature is known whose worth could be told.
fn unsigned(evidence: &Evidence) -> Verdict {
    let is_signature = |path: &&str| signatures::is_file(path) || signatures::is_sigstore(path);
    let inside = evidence.files().iter().map(|file| file.path.as_str()).find(is_signature);
    match (inside, &evidence.outside().signatures) {
        (Some(path), _) => Verdict::not_run(format!("`{path}` holds a signature that nobody has verified")),
        (None, None) => Verdict::not_run("whether it is signed is not known: give registry evidence with `--evidence`"),
        (None, Some(_)) => {
            let found = finding("missing-signature", "the bundle is not signed").fix(FIX);
            Verdict::fail("the bundle is not signed", vec![found])
        }
    }
}

fn finding(rule: &str, title: impl Into<String>) -> Finding {
    Finding::new(format!("AI-03/{rule}"), Severity::High, title)
}

/// A signature that somebody else verified.
fn asserted(signature: &Signature) -> Option<Judged> {
    let state = signature.state.filter(|_| signature.detached.is_none())?;
    let meaning = match (state, signature.authorized) {
        (SignatureState::Invalid, _) => Meaning::Bad("invalid-signature", "a signature does not hold".to_owned()),
        (_, Some(false)) => Meaning::Stranger,
        (state, Some(true)) => Meaning::Good { expired: state == SignatureState::Expired },
        (_, None) => Meaning::Open("whether the signer may sign for this package is not known".to_owned()),
    };
    let who = signature.signer.clone().unwrap_or_else(|| "?".to_owned());
    Some(Judged { who, file: None, meaning })
}

/// A signature that was verified here; `keys` are the fingerprints that may sign.
fn verified(one: Verified, keys: &[Sha256]) -> Judged {
    let place =
        one.file.as_ref().map_or_else(|| "the signature".to_owned(), |file| format!("the signature in `{file}`"));
    let key = one.key.map(|key| key.prefixed());
    let who = match (&key, &one.signer) {
        (Some(key), Some(signer)) => format!("{signer} ({key})"),
        (Some(key), None) => key.clone(),
        (None, signer) => signer.clone().unwrap_or_else(|| "?".to_owned()),
    };
    let meaning = match one.worth {
        Worth::Broken(why) => Meaning::Bad("invalid-signature", format!("{place} does not hold: {why}")),
        Worth::OtherBundle(why) => Meaning::Bad("payload-mismatch", format!("{place} is about something else: {why}")),
        Worth::WeakKey(why) => Meaning::Bad("weak-key", format!("{place} is made with a weak key: {why}")),
        Worth::Unknown(why) => Meaning::Open(format!("{place} cannot be verified: {why}")),
        Worth::Holds(state) if one.key.is_some_and(|key| keys.contains(&key)) => {
            Meaning::Good { expired: state == SignatureState::Expired }
        }
        Worth::Holds(_) if !keys.is_empty() => Meaning::Stranger,
        Worth::Holds(state) => {
            let state = if state == SignatureState::ValidSelfSigned { "holds and is self-signed" } else { "holds" };
            let key = key.unwrap_or_default();
            Meaning::Open(format!(
                "{place} {state}; whether its key `{key}` may sign is not known: give `publisher.keys` with `--evidence`"
            ))
        }
    };
    Judged { who, file: one.file, meaning }
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
            (Value::Null, vec![(".sigstore/bundle.json", "{}")], Status::NotRun, ""),
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
