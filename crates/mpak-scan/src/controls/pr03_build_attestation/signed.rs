//! Attestations that are verified here: Sigstore bundles whose signature, log entry and certificate hold, and what
//! their statements are worth beyond that.

use super::{FIX, SLSA, below, judge_provenance};
use crate::control::{Status, Verdict};
use crate::evidence::Evidence;
use crate::provenance::{is_about_file, is_expected};
use crate::report::{Finding, Severity};
use crate::signatures::bundles::{Origin, Seen};
use crate::sigstore::{Signer, SigstoreError, Statement};

/// Most findings about attestations that do not count.
const FINDINGS_COUNT_MAX: usize = 8;
const GITHUB: &str = "https://token.actions.githubusercontent.com";
/// Builders that name themselves: the issuer that must have vouched for the signer, and what the signer must be.
const BUILDERS: [(&str, &str, Option<&str>); 3] = [
    (
        "https://github.com/slsa-framework/slsa-github-generator",
        GITHUB,
        Some("https://github.com/slsa-framework/slsa-github-generator"),
    ),
    ("https://github.com/actions/runner", GITHUB, None),
    ("https://gitlab.com", "https://gitlab.com", None),
];
/// Builders of which no certificate tells that they signed: their statements count as somebody else verified them.
const NOT_CERTIFIED: [&str; 1] = ["https://cloudbuild.googleapis.com"];

/// The best that one of them is worth; `None` without any.
pub(super) fn judge(evidence: &Evidence) -> Option<Verdict> {
    let all: Vec<&Seen> = evidence.sigstore().iter().filter(|seen| is_about_file(seen)).collect();
    if all.iter().any(|seen| seen.from == Origin::Attestation) && evidence.artifact().is_none() {
        let reason = "a folder has no digest that an attestation could name: scan the packed bundle";
        return Some(Verdict::not_run(reason));
    }
    // Other statements may be signed beside the provenance: they neither count nor disturb.
    let has_provenance =
        all.iter().any(|seen| statement(seen).is_some_and(|one| one.provenance.predicate_type == SLSA));
    let verdicts = all.into_iter().filter_map(|seen| match &seen.result {
        Ok(verified) => {
            let statement = verified.statement.as_ref()?;
            // Nobody looked for an attestation where one was only given as a signature.
            let is_asked = seen.from == Origin::Attestation && !has_provenance;
            let counts = is_asked || statement.provenance.predicate_type == SLSA;
            counts.then(|| judge_statement(evidence, &verified.signer, statement))
        }
        Err(error) if seen.from == Origin::Attestation => Some(refused(error)),
        Err(_) => None,
    });
    best(verdicts.collect())
}

fn statement(seen: &Seen) -> Option<&Statement> {
    seen.result.as_ref().ok()?.statement.as_ref()
}

/// One that passes suffices. Otherwise all that is wrong is told.
fn best(verdicts: Vec<Verdict>) -> Option<Verdict> {
    let rank = |verdict: &Verdict| match verdict.status {
        Status::Pass => 0,
        Status::Warn => 1,
        Status::NotRun => 2,
        _ => 3,
    };
    let findings = verdicts.iter().flat_map(|verdict| verdict.findings.clone()).take(FINDINGS_COUNT_MAX);
    let findings: Vec<Finding> = findings.collect();
    let best = verdicts.into_iter().min_by_key(rank)?;
    Some(if best.status == Status::Fail { Verdict { findings, ..best } } else { best })
}

fn refused(error: &SigstoreError) -> Verdict {
    let (rule, title) = match error {
        SigstoreError::OtherSubject { .. } => ("subject-mismatch", "the attestation is about other bytes"),
        _ => ("invalid-attestation", "the attestation does not hold"),
    };
    let fix = "attest the file that is published, after packing and signing";
    let found = Finding::new(format!("PR-03/{rule}"), Severity::High, title).seen(error.to_string()).fix(fix);
    Verdict::fail(title, vec![found])
}

fn judge_statement(evidence: &Evidence, signer: &Signer, statement: &Statement) -> Verdict {
    let finding = |rule: &str, title: String, seen: &str| {
        Finding::new(format!("PR-03/{rule}"), Severity::High, title).seen(seen).fix(FIX)
    };
    // 1. The statement does not claim more than the certificate supports.
    if let Some(one) = statement.contradictions.first() {
        let title = format!("the attestation names another {} than its certificate", one.field);
        let found = finding("certificate-mismatch", title, &format!("{}, certified {}", one.stated, one.certified));
        return Verdict::fail("statement and certificate contradict each other", vec![found]);
    }
    if !is_builder(&statement.provenance.builder, signer) {
        let title = "the signer is not the builder that the attestation names".to_owned();
        let seen = format!("{}, signed by {}", statement.provenance.builder, signer.shown());
        return Verdict::fail("somebody else signed for the builder", vec![finding("builder-mismatch", title, &seen)]);
    }
    // 2. Its signer is who is expected to build this.
    match is_expected(evidence, signer) {
        Some(true) => {}
        Some(false) => {
            let title = "the build is one of another repository or workflow than the package's".to_owned();
            let found = finding("unexpected-source", title, &signer.shown());
            return Verdict::fail("the build is not one of this package's source", vec![found]);
        }
        None => {
            let reason = "which repository should have built it is not known: name it in the manifest's `repository`, or give \
                          `publisher` with `--evidence`";
            return Verdict::not_run(reason);
        }
    }
    // 3. What it says.
    let mut verdict = judge_provenance(evidence, &statement.provenance);
    if signer.runner.as_deref() == Some("self-hosted") && verdict.status != Status::Fail {
        let title = "it was built on a machine of the publisher's own";
        verdict.findings.push(Finding::new("PR-03/self-hosted-runner", Severity::Low, title).seen(signer.shown()));
        verdict = Verdict::pass_or_warn(verdict.reason, verdict.findings);
    }
    verdict
}

/// Whether a signer can be the builder; of builders that nobody knows that is for others to say.
fn is_builder(builder: &str, signer: &Signer) -> bool {
    if NOT_CERTIFIED.iter().any(|known| below(builder, known)) {
        return false;
    }
    let Some((known, issuer, identity)) = BUILDERS.into_iter().find(|(known, ..)| below(builder, known)) else {
        // A workflow that names itself.
        return !below(builder, "https://github.com") || builder == signer.identity;
    };
    let runner = builder.strip_prefix(known).map(|rest| rest.trim_start_matches('/'));
    let same_runner = match (&signer.runner, runner) {
        (Some(certified), Some(stated)) if known.ends_with("/actions/runner") => {
            stated == certified || stated.is_empty()
        }
        _ => true,
    };
    signer.issuer == issuer && identity.is_none_or(|front| below(&signer.identity, front)) && same_runner
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_builder_counts_as_its_certificate_says() {
        let of = |issuer: &str, identity: &str| Signer {
            issuer: issuer.to_owned(),
            identity: identity.to_owned(),
            ..Signer::default()
        };
        let workflow = "https://github.com/acme/widget/.github/workflows/release.yml@refs/tags/v1";
        for (builder, signer, expected) in [
            ("https://github.com/actions/runner/github-hosted", of(GITHUB, workflow), true),
            ("https://github.com/actions/runner", of("https://gitlab.com", workflow), false),
            ("https://gitlab.com/acme/runner", of("https://gitlab.com", "https://gitlab.com/acme/widget"), true),
            // Whoever has an account of that issuer could say so.
            (
                "https://cloudbuild.googleapis.com/GoogleHostedWorker",
                of("https://accounts.google.com", "me@acme.example"),
                false,
            ),
        ] {
            assert_eq!(is_builder(builder, &signer), expected, "{builder}");
        }
    }
}
