//! PR-03: a build service signed which source and which workflow made this very digest.
//!
//! An attestation names the digest of the whole file, so it lies beside the bundle, never in it. The statement is the
//! signer's word: it counts as far as the certificate supports it. Anybody can attest any digest, so that the signer
//! must be whoever is expected to build this package.
//! Spec: MTF 0.1 §3.6 PR-03; SLSA provenance v1.

use mpak_bundle::digest::Sha256;

use crate::control::Verdict;
use crate::evidence::Evidence;
use crate::outside::{Attestation, Provenance};
use crate::provenance::SLSA;
use crate::report::{Finding, Severity};

mod signed;

/// Builders that are trusted: the beginning of `runDetails.builder.id`, up to a `/` or `@`.
/// Source: MTF 0.1 PR-03 (GitHub Actions with its own or the SLSA generator, GitLab CI, Google Cloud Build).
const BUILDERS: [&str; 4] = [
    "https://github.com/slsa-framework/slsa-github-generator",
    "https://github.com/actions/runner",
    "https://gitlab.com",
    "https://cloudbuild.googleapis.com",
];
/// A workflow names itself as builder where its platform attests; then the platform must have signed.
const PLATFORMS: [(&str, &str); 1] = [("https://github.com", "https://token.actions.githubusercontent.com")];

pub(crate) fn judge(evidence: &Evidence) -> Verdict {
    let finding = |rule: &str, title: &str| Finding::new(format!("PR-03/{rule}"), Severity::High, title).fix(FIX);
    if !matches!(evidence.outside().attestation, Some(Attestation::Verified(_)))
        && let Some(verdict) = signed::judge(evidence)
    {
        return verdict;
    }
    match &evidence.outside().attestation {
        None => Verdict::not_run("whether it was attested is not known: give the attestation with `--evidence`"),
        Some(Attestation::Absent | Attestation::Bundle(_) | Attestation::Bundles(_)) => {
            let found = finding("missing-attestation", "there is no attestation of the build");
            Verdict::fail("the build is not attested", vec![found])
        }
        Some(Attestation::Invalid { reason }) => {
            let found = finding("invalid-attestation", "the attestation does not hold").seen(reason);
            Verdict::fail("the attestation was refused", vec![found])
        }
        Some(Attestation::Verified(provenance)) => judge_provenance(evidence, provenance),
    }
}

const FIX: &str = "build in a workflow with an attestation step, and publish the attestation with the bundle";

fn judge_provenance(evidence: &Evidence, provenance: &Provenance) -> Verdict {
    let finding = |rule: &str, severity, title: String| Finding::new(format!("PR-03/{rule}"), severity, title);
    // 1. It is SLSA provenance.
    if provenance.predicate_type != SLSA {
        let title = format!("the attestation is not SLSA provenance v1 (`{SLSA}`)");
        let found = finding("wrong-predicate", Severity::High, title).seen(&provenance.predicate_type).fix(FIX);
        return Verdict::fail("the attestation is of another kind", vec![found]);
    }
    // 2. It is about this file.
    let Some(artifact) = evidence.artifact() else {
        return Verdict::not_run("a folder has no digest that an attestation could name: scan the packed bundle");
    };
    if !provenance.subjects.contains(&artifact) {
        let title = "the attestation is about other bytes".to_owned();
        let seen = provenance.subjects.first().map(Sha256::prefixed).unwrap_or_default();
        let found = finding("subject-mismatch", Severity::High, title)
            .seen(format!("{seen}, expected {}", artifact.prefixed()))
            .fix("attest the file that is published, after packing and signing");
        return Verdict::fail("the attestation is about other bytes", vec![found]);
    }
    // 3. A known builder made it.
    let signed_by = |issuer: &str| provenance.issuer.as_deref() == Some(issuer);
    let by_platform = PLATFORMS.iter().any(|(known, issuer)| below(&provenance.builder, known) && signed_by(issuer));
    if !by_platform && !BUILDERS.iter().any(|known| below(&provenance.builder, known)) {
        let found = finding("unknown-builder", Severity::High, "the builder is not a trusted one".into())
            .seen(&provenance.builder)
            .fix("build with GitHub Actions, GitLab CI or Google Cloud Build");
        return Verdict::fail("the builder is not known", vec![found]);
    }
    // 4. From a commit.
    let mut findings = Vec::new();
    if provenance.commit.as_deref().is_none_or(|commit| commit.trim().is_empty()) {
        findings.push(finding("no-commit", Severity::Medium, "the attestation names no source commit".into()));
    }
    let from = provenance.repository.as_deref().map(|r| format!(" from `{r}`")).unwrap_or_default();
    Verdict::pass_or_warn(format!("attested build{from}"), findings)
}

/// `https://github.com/a` is below `https://github.com`, `https://github.com.evil.example` is not.
fn below(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '@']))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::control::Status;
    use crate::outside::Outside;

    fn verdict(attestation: &Value) -> Verdict {
        let outside = json!({"version": 1, "attestation": attestation});
        let outside = Outside::read(outside.to_string().as_bytes()).unwrap();
        let evidence = Evidence::of_document(&json!({})).with_artifact(Sha256::of(b"ours")).unwrap();
        judge(&evidence.with_outside(outside).unwrap())
    }

    #[test]
    fn each_row_of_the_table_is_judged() {
        let good = json!({"subjects": [Sha256::of(b"other"), Sha256::of(b"ours")], "predicate_type": SLSA,
            "builder": "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/x.yml@refs/tags/v2.0.0",
            "commit": "0".repeat(40)});
        let with = |field: &str, value: Value| {
            let mut provenance = good.clone();
            provenance[field] = value;
            json!({"verified": provenance})
        };
        for (attestation, status, rule) in [
            (json!({"verified": good}), Status::Pass, ""),
            (with("builder", json!("https://github.com/actions/runner/github-hosted")), Status::Pass, ""),
            (with("builder", json!("https://github.com.evil.example/x")), Status::Fail, "PR-03/unknown-builder"),
            (
                with("builder", json!("https://github.com/me/x/.github/workflows/y.yml@refs/heads/main")),
                Status::Fail,
                "PR-03/unknown-builder",
            ),
            (
                json!({"verified": {"subjects": [Sha256::of(b"ours")], "predicate_type": SLSA, "commit": "0",
                    "builder": "https://github.com/me/x/.github/workflows/y.yml@refs/heads/main",
                    "issuer": "https://token.actions.githubusercontent.com"}}),
                Status::Pass,
                "",
            ),
            (with("builder", json!("me")), Status::Fail, "PR-03/unknown-builder"),
            (with("subjects", json!([])), Status::Fail, "PR-03/subject-mismatch"),
            (with("subjects", json!([Sha256::of(b"other")])), Status::Fail, "PR-03/subject-mismatch"),
            (with("predicate_type", json!("https://slsa.dev/provenance/v0.2")), Status::Fail, "PR-03/wrong-predicate"),
            (with("commit", Value::Null), Status::Warn, "PR-03/no-commit"),
            // One that cannot be verified is never passed.
            (
                json!({"bundle": {"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json"}}),
                Status::Fail,
                "PR-03/invalid-attestation",
            ),
            (json!({"bundles": []}), Status::Fail, "PR-03/missing-attestation"),
            (json!("absent"), Status::Fail, "PR-03/missing-attestation"),
            (json!({"invalid": {"reason": "bad signature"}}), Status::Fail, "PR-03/invalid-attestation"),
            (Value::Null, Status::NotRun, ""),
        ] {
            let verdict = verdict(&attestation);
            assert_eq!(verdict.status, status, "{attestation}: {verdict:?}");
            assert!(rule.is_empty() || verdict.findings.iter().any(|f| f.rule == rule), "{attestation}: {verdict:?}");
        }
    }
}
