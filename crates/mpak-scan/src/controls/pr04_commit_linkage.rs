//! PR-04: the manifest names the commit, and attestation, publisher and repository agree with it.
//!
//! Spec: MTF 0.1 §3.6 PR-04; MTF decisions, 18.

use serde_json::Value;

use crate::control::Verdict;
use crate::evidence::{Evidence, MANIFEST};
use crate::outside::repository_key;
use crate::provenance;
use crate::report::{Finding, Severity};

pub(crate) fn judge(evidence: &Evidence) -> Verdict {
    let Some(document) = evidence.document() else {
        return Verdict::not_run("there is no readable manifest.json to take the commit from");
    };
    // 1. The manifest names one commit, in full.
    let commit = match declared(evidence) {
        Ok(commit) => commit,
        Err(finding) => return Verdict::fail("the manifest does not name the exact commit", vec![*finding]),
    };
    // 2. Everybody who knows of a commit or a repository says the same.
    let repository = repository(document);
    let said = statements(evidence);
    let looked = evidence.outside().repository.as_ref().filter(|r| about(r.commit.as_deref(), commit));
    let mut contradictions = contradictions(&said, commit, repository.as_deref());
    if looked.and_then(|r| r.commit_found) == Some(false) {
        let title = format!("commit `{commit}` is not in the repository");
        contradictions
            .push(finding("commit-not-found", Severity::High, title).fix("push the commit before publishing"));
    }
    if !contradictions.is_empty() {
        return Verdict::fail("the commit does not agree with what is known of the build", contradictions);
    }
    // 3. What was built is what the release's tag names.
    let untagged = untagged(evidence, commit);
    if !untagged.is_empty() {
        return Verdict::fail("the bundle was not built from the tag of its release", untagged);
    }
    // 4. Somebody must have seen the commit in the repository.
    let same = |s: &Statement<'_>| s.commit == Some(commit) && repository.is_some() && s.repository == repository;
    let seen = looked.and_then(|r| r.commit_found).unwrap_or(false) || said.iter().any(same);
    if !seen {
        return Verdict::not_run(
            "nobody has seen the commit in the repository: give registry evidence with `--evidence`",
        );
    }
    // 5. And its signature.
    let mut findings = Vec::new();
    if looked.and_then(|r| r.commit_signed) != Some(true) {
        let title = "the commit's signature is not known to be good";
        findings.push(
            finding("unsigned-commit", Severity::Low, title).fix("sign commits with a key that the platform knows"),
        );
    }
    Verdict::pass_or_warn("the commit agrees with attestation, publisher and repository", findings)
}

fn finding(rule: &str, severity: Severity, title: impl Into<String>) -> Finding {
    Finding::new(format!("PR-04/{rule}"), severity, title)
}

fn declared(evidence: &Evidence) -> Result<&str, Box<Finding>> {
    const FIX: &str = "let the build write `git rev-parse HEAD` into `_meta[\"org.mpaktrust\"].source.commit`";
    let value = evidence.extension().and_then(|e| e.get("source")).and_then(|s| s.get("commit"));
    let problem = |rule, title: String, seen: &str| {
        let found = finding(rule, Severity::High, title).at(MANIFEST, None).fix(FIX);
        Box::new(if seen.is_empty() { found } else { found.seen(seen) })
    };
    match value {
        None | Some(Value::Null) => Err(problem("missing-commit", "`source.commit` is missing".into(), "")),
        Some(Value::String(commit)) if is_commit(commit) => Ok(commit),
        Some(Value::String(commit)) if commit.len() < 40 && commit.bytes().all(|b| b.is_ascii_hexdigit()) => {
            Err(problem("short-commit", format!("`source.commit` has {} digits, expected 40", commit.len()), commit))
        }
        Some(other) => {
            let title = "`source.commit` is not 40 lower-case hex digits".to_owned();
            Err(problem("bad-commit", title, &other.to_string()))
        }
    }
}

fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn repository(document: &Value) -> Option<String> {
    let repository = document.get("repository")?;
    repository_key(repository.get("url").or(Some(repository))?.as_str()?)
}

/// What somebody says about where the bundle comes from.
struct Statement<'a> {
    who: &'static str,
    commit: Option<&'a str>,
    repository: Option<String>,
}

fn statements(evidence: &Evidence) -> Vec<Statement<'_>> {
    let mut said = Vec::new();
    if let Some(provenance) = provenance::verified(evidence) {
        let repository = provenance.repository.as_deref().and_then(repository_key);
        said.push(Statement { who: "the attestation", commit: provenance.commit.as_deref(), repository });
    }
    if let Some(publisher) = evidence.outside().publisher.as_ref().filter(|p| p.verified) {
        let repository = publisher.repository.as_deref().and_then(repository_key);
        said.push(Statement { who: "the publisher's identity", commit: publisher.sha.as_deref(), repository });
    }
    said
}

/// Whether the tag that readers find beside the release leads to what was built. A branch moves on: who looks
/// at it later sees something else.
fn untagged(evidence: &Evidence, commit: &str) -> Vec<Finding> {
    const FIX: &str = "let the workflow run for the tag, and publish from that run";
    let mut findings = Vec::new();
    let publisher = evidence.outside().publisher.as_ref().filter(|p| p.verified);
    if let Some(built) = publisher.and_then(|p| p.git_ref.as_deref()).filter(|r| !r.starts_with("refs/tags/")) {
        let title = "the build that published the bundle ran on no tag";
        findings.push(finding("not-from-a-tag", Severity::High, title).seen(built).fix(FIX));
    }
    let tagged = evidence.outside().repository.as_ref().and_then(|r| r.tag_commit.as_deref());
    if let Some(tagged) = tagged.filter(|tagged| !tagged.eq_ignore_ascii_case(commit)) {
        let title = format!("the tag of the release names another commit than `{commit}`");
        findings.push(finding("tag-mismatch", Severity::High, title).seen(tagged).fix(FIX));
    }
    findings
}

/// Whether a look at the repository was for this commit.
fn about(looked_for: Option<&str>, commit: &str) -> bool {
    looked_for.is_none_or(|text| text == commit)
}

impl Statement<'_> {
    fn against(&self, commit: &str, repository: Option<&str>) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(theirs) = self.commit.filter(|theirs| *theirs != commit) {
            let title = format!("the manifest names commit `{commit}`, {} names another", self.who);
            findings.push(finding("commit-mismatch", Severity::High, title).seen(theirs));
        }
        if let (Some(ours), Some(theirs)) = (repository, self.repository.as_deref())
            && ours != theirs
        {
            let title = format!("the manifest names the repository `{ours}`, {} names another", self.who);
            findings.push(finding("repository-mismatch", Severity::High, title).seen(theirs));
        }
        findings
    }
}

fn contradictions(said: &[Statement<'_>], commit: &str, repository: Option<&str>) -> Vec<Finding> {
    said.iter().flat_map(|statement| statement.against(commit, repository)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::control::Status;
    use crate::outside::Outside;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn verdict(commit: &Value, outside: &Value) -> Verdict {
        let mut outside = outside.clone();
        outside["version"] = json!(1);
        let document = json!({"repository": {"url": "https://github.com/Acme/Widget.git"},
            "_meta": {"org.mpaktrust": {"source": {"commit": commit}}}});
        let outside = Outside::read(outside.to_string().as_bytes()).unwrap();
        judge(&Evidence::of_document(&document).with_outside(outside).unwrap())
    }

    #[test]
    fn the_manifest_names_the_commit_in_full() {
        for (commit, rule) in [
            (Value::Null, "PR-04/missing-commit"),
            (json!("0123456"), "PR-04/short-commit"),
            (json!(COMMIT.to_uppercase()), "PR-04/bad-commit"),
            (json!("main"), "PR-04/bad-commit"),
            (json!({}), "PR-04/bad-commit"),
        ] {
            let verdict = verdict(&commit, &json!({}));
            assert_eq!((verdict.status, verdict.findings[0].rule.as_str()), (Status::Fail, rule), "{commit}");
        }
        assert_eq!(verdict(&json!(COMMIT), &json!({})).status, Status::NotRun);
    }

    #[test]
    fn everybody_must_agree() {
        let other = "f".repeat(40);
        let publisher = |repository: &str, sha: &str| json!({"verified": true, "repository": repository, "sha": sha});
        let attested = |repository: &str, commit: &str| json!({"verified": {"subjects": [], "predicate_type": "p", "builder": "b", "repository": repository, "commit": commit}});
        for (outside, status, rule) in [
            (json!({"publisher": publisher("acme/widget", COMMIT)}), Status::Warn, "PR-04/unsigned-commit"),
            (
                json!({"publisher": publisher("acme/widget", COMMIT), "repository": {"commit_signed": true}}),
                Status::Pass,
                "",
            ),
            (json!({"repository": {"commit": COMMIT, "commit_found": true, "commit_signed": true}}), Status::Pass, ""),
            (json!({"repository": {"commit": other, "commit_found": true}}), Status::NotRun, ""),
            (json!({"publisher": publisher("acme/widget", &other)}), Status::Fail, "PR-04/commit-mismatch"),
            (json!({"publisher": publisher("acme/other", COMMIT)}), Status::Fail, "PR-04/repository-mismatch"),
            (json!({"attestation": attested("acme/widget", &other)}), Status::Fail, "PR-04/commit-mismatch"),
            (
                json!({"attestation": attested("https://gitlab.com/acme/widget", COMMIT)}),
                Status::Fail,
                "PR-04/repository-mismatch",
            ),
            (json!({"publisher": {"verified": false, "repository": "acme/widget", "sha": COMMIT}}), Status::NotRun, ""),
        ] {
            let verdict = verdict(&json!(COMMIT), &outside);
            assert_eq!(verdict.status, status, "{outside}: {verdict:?}");
            assert!(rule.is_empty() || verdict.findings.iter().any(|f| f.rule == rule), "{outside}: {verdict:?}");
        }
    }

    #[test]
    fn a_build_of_anything_but_the_releases_tag_fails() {
        let publisher =
            |git_ref: Value| json!({"verified": true, "repository": "acme/widget", "sha": COMMIT, "ref": git_ref});
        for (outside, rules) in [
            (json!({"publisher": publisher(json!("refs/tags/v1.0.0"))}), vec![]),
            (json!({"publisher": publisher(Value::Null)}), vec![]),
            (json!({"publisher": publisher(json!("refs/heads/main"))}), vec!["PR-04/not-from-a-tag"]),
            (json!({"publisher": publisher(json!("refs/pull/7/merge"))}), vec!["PR-04/not-from-a-tag"]),
            (json!({"repository": {"commit": COMMIT, "commit_found": true, "tag_commit": COMMIT}}), vec![]),
            (
                json!({"publisher": publisher(json!("refs/heads/main")), "repository": {"tag_commit": "f".repeat(40)}}),
                vec!["PR-04/not-from-a-tag", "PR-04/tag-mismatch"],
            ),
            (
                json!({"publisher": {"verified": false, "ref": "refs/heads/main"},
                    "repository": {"commit": COMMIT, "commit_found": true}}),
                vec![],
            ),
        ] {
            let verdict = verdict(&json!(COMMIT), &outside);
            let found: Vec<&str> = verdict.findings.iter().map(|f| f.rule.as_str()).collect();
            let found: Vec<&str> = found.into_iter().filter(|rule| *rule != "PR-04/unsigned-commit").collect();
            assert_eq!(found, rules, "{outside}");
            assert_eq!(verdict.status == Status::Fail, !rules.is_empty(), "{outside}: {verdict:?}");
        }
    }

    #[test]
    fn a_commit_that_is_not_in_the_repository_fails() {
        let verdict = verdict(&json!(COMMIT), &json!({"repository": {"commit": COMMIT, "commit_found": false}}));
        assert_eq!((verdict.status, verdict.findings[0].rule.as_str()), (Status::Fail, "PR-04/commit-not-found"));
    }
}
