//! AI-03: the bundle is signed by somebody who may publish under its name.
//!
//! Verified here are detached signatures and the appended PKCS #7 block, against the keys that the evidence names, and
//! Sigstore bundles, against trusted roots and the identities that the evidence names. What a registry verified is
//! taken from it. An attestation signs the file's digest, so that it is a signature, too.
//! Spec: MTF 0.1 §3.2 AI-03, §5.1, §5.2; MTF decisions, 19.

use mpak_bundle::digest::Sha256;

use crate::control::Verdict;
use crate::evidence::Evidence;
use crate::outside::{Publisher, Signature, SignatureState};
use crate::report::{Finding, Severity};
use crate::signatures::bundles::{Origin, Seen};
use crate::signatures::{self, Verified, Worth};
use crate::sigstore::SigstoreError;

const FIX: &str = "sign in the pipeline that builds, and publish the signature with the bundle";

/// What one signature means for the control.
enum Meaning {
    /// It spoils the bundle: rule and title.
    Bad(&'static str, String),
    /// It is not worth anything, and spoils nothing: rule and title.
    Lacking(&'static str, String),
    /// It holds, and its signer may sign.
    Good(Option<Remark>),
    /// What is missing to decide.
    Open(String),
}

/// What is not as it should be with a good signature.
#[derive(Clone, Copy)]
enum Remark {
    Expired,
    ManifestOnly,
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
    let with_keys = signatures::verified(evidence).into_iter().map(|one| verified(one, keys));
    let with_identities = evidence.sigstore().iter().map(|one| identified(one, outside.publisher.as_ref()));
    let all: Vec<Judged> = said.chain(with_keys).chain(with_identities).collect();
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
    let lacking = findings(|one| match &one.meaning {
        Meaning::Lacking(rule, title) => Some((rule, title.clone())),
        _ => None,
    });
    let good = all.iter().filter_map(|one| match one.meaning {
        Meaning::Good(remark) => Some((one, remark)),
        _ => None,
    });
    let good = good.min_by_key(|(_, remark)| remark.is_some());
    let open = all.iter().find_map(|one| match &one.meaning {
        Meaning::Open(reason) => Some(reason),
        _ => None,
    });
    match (good, open) {
        (Some((one, remark)), _) => {
            let remarks = remark.map(|remark| remark.finding().seen(&one.who)).into_iter().collect();
            Verdict::pass_or_warn("signed by somebody who may sign for this package", remarks)
        }
        _ if !lacking.is_empty() => Verdict::fail(lacking[0].title.clone(), lacking),
        (None, Some(reason)) => Verdict::not_run(reason),
        (None, None) => unsigned(evidence),
    }
}

impl Remark {
    fn finding(self) -> Finding {
        let (rule, title) = match self {
            Self::Expired => ("expired-certificate", "the signer's certificate was over when it was verified"),
            Self::ManifestOnly => ("manifest-only", "the signature is over manifest.json alone, not over the code"),
        };
        Finding::new(format!("AI-03/{rule}"), Severity::Medium, title)
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
    let state = signature.state.filter(|_| signature.detached.is_none() && signature.bundle.is_none())?;
    let meaning = match (state, signature.authorized) {
        (SignatureState::Invalid, _) => Meaning::Bad("invalid-signature", "a signature does not hold".to_owned()),
        (_, Some(false)) => stranger(),
        (state, Some(true)) => Meaning::Good((state == SignatureState::Expired).then_some(Remark::Expired)),
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
            Meaning::Good((state == SignatureState::Expired).then_some(Remark::Expired))
        }
        Worth::Holds(_) if !keys.is_empty() => stranger(),
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

fn stranger() -> Meaning {
    Meaning::Lacking("unauthorized-signer", "the signer may not sign for this package".to_owned())
}

/// A Sigstore bundle that was verified here.
fn identified(one: &Seen, publisher: Option<&Publisher>) -> Judged {
    let (file, place) = match &one.from {
        Origin::File(path) => (Some(path.clone()), format!("the Sigstore bundle `{path}`")),
        Origin::Signature => (None, "the Sigstore bundle".to_owned()),
        Origin::Attestation => (None, "the attestation".to_owned()),
    };
    let who = one.result.as_ref().map_or_else(|_| "?".to_owned(), |verified| verified.signer.shown());
    let meaning = match &one.result {
        Ok(verified) => match verified.signer.is_expected(publisher) {
            Some(true) => Meaning::Good(file.is_some().then_some(Remark::ManifestOnly)),
            Some(false) => stranger(),
            None => Meaning::Open(format!(
                "{place} holds; whether `{who}` may sign is not known: give `publisher.repository` or `publisher.signers` with \
                 `--evidence`"
            )),
        },
        Err(error) if error.is_unreadable() => Meaning::Open(format!("{place} cannot be verified: {error}")),
        Err(error @ SigstoreError::Untrusted { .. }) => {
            Meaning::Lacking("untrusted-certificate", format!("{place}: {error}"))
        }
        // PR-03 tells what is wrong with an attestation; as a signature it only does not count.
        Err(error) if one.from == Origin::Attestation => {
            Meaning::Lacking("invalid-signature", format!("{place}: {error}"))
        }
        Err(error @ SigstoreError::OtherSubject { .. }) => {
            Meaning::Bad("payload-mismatch", format!("{place}: {error}"))
        }
        Err(error) => Meaning::Bad("invalid-signature", format!("{place} does not hold: {error}")),
    };
    Judged { who, file, meaning }
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
