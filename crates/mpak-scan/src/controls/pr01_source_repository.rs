//! PR-01: the manifest names a source repository on a known platform.
//!
//! Judged from the URL; whether it answers to anybody is registry evidence, and one that does not needs a verified
//! attestation of the build from level 3 on. Spec: MTF 0.1 §3.6 PR-01.

use serde_json::Value;
use url::Url;

use crate::control::{Status, Verdict};
use crate::evidence::{Evidence, MANIFEST};
use crate::outside::{Attestation, repository_key};
use crate::report::{Finding, Severity};

/// Platforms whose repositories anyone can look up, by exact host.
const PLATFORMS: [&str; 6] = ["github.com", "gitlab.com", "bitbucket.org", "codeberg.org", "sr.ht", "git.sr.ht"];

const FIX: &str = "add `\"repository\": {\"type\": \"git\", \"url\": \"https://github.com/OWNER/REPOSITORY\"}`";

pub(crate) fn judge(evidence: &Evidence) -> Verdict {
    match evidence.document() {
        Some(document) => reachable(judge_document(document), document, evidence),
        None => Verdict::not_run("there is no readable manifest.json to take the repository from"),
    }
}

/// Adds what somebody saw who looked at the repository.
fn reachable(verdict: Verdict, document: &Value, evidence: &Evidence) -> Verdict {
    let outside = evidence.outside();
    let Some(seen) = outside.repository.as_ref().filter(|seen| seen.reachable == Some(false)) else { return verdict };
    let named = document.get("repository").and_then(|r| r.get("url").or(Some(r))).and_then(Value::as_str);
    let (named, looked) = (named.and_then(repository_key), seen.url.as_deref().and_then(repository_key));
    if verdict.status == Status::Fail || looked.is_some() && looked != named {
        return verdict;
    }
    let attested = matches!(&outside.attestation, Some(Attestation::Verified(_)));
    let (severity, more) = if attested {
        (Severity::Info, "the build is attested")
    } else {
        (Severity::Medium, "level 3 needs an attestation of the build")
    };
    let title = format!("the repository does not answer without signing in; {more}");
    let found = finding("private-repository", severity, title).seen(named.unwrap_or_default());
    let mut findings = verdict.findings;
    findings.push(found.fix("make the repository public, or publish with an attestation of the build"));
    let status = if attested { verdict.status } else { Status::Warn };
    Verdict { status, findings, fails_from: (!attested).then_some(3), ..verdict }
}

fn judge_document(document: &Value) -> Verdict {
    let Some(repository) = document.get("repository").filter(|r| !r.is_null()) else {
        let finding = finding("missing-repository", Severity::High, "the field `repository` is missing").fix(FIX);
        return Verdict::fail("no source repository is named", vec![finding]);
    };
    // A bare text is what package managers write; AI-01 reports the wrong type.
    let Some(text) = repository.get("url").or(Some(repository)).and_then(Value::as_str) else {
        let finding = finding("missing-url", Severity::High, "`repository.url` is missing or not a text").fix(FIX);
        return Verdict::fail("no source repository is named", vec![finding]);
    };
    judge_url(text)
}

fn judge_url(text: &str) -> Verdict {
    let invalid = |why: String| {
        let finding = finding("bad-url", Severity::High, why).seen(text).fix(FIX);
        Verdict::fail("the repository is not a valid URL", vec![finding])
    };
    // `git+https://…` is how package managers write it.
    let url = match Url::parse(text.trim().trim_start_matches("git+")) {
        Ok(url) => url,
        Err(error) => return invalid(format!("`repository.url` is not a URL: {error}")),
    };
    let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
        return invalid("`repository.url` names no host".to_owned());
    };
    let mut findings = Vec::new();
    let mut warn = |rule: &str, severity, title: String, fix: &str| {
        findings.push(finding(rule, severity, title).seen(text).fix(fix));
    };
    if url.scheme() != "https" {
        let title = format!("`repository.url` uses `{}`, expected `https`", url.scheme());
        warn("not-https", Severity::Medium, title, "use the https address");
    }
    if !url.username().is_empty() || url.password().is_some() {
        let title = format!("`repository.url` holds a user name; its host is `{host}`");
        warn("user-in-url", Severity::Medium, title, "remove everything between `//` and `@`");
    }
    let known = PLATFORMS.iter().any(|p| host.eq_ignore_ascii_case(p)) && url.port().is_none();
    if !known {
        let title = format!("`{host}` is not a known hosting platform");
        warn("unknown-platform", Severity::Low, title, "host the source, or a mirror of it, on a known platform");
    } else if url.path_segments().is_none_or(|parts| parts.filter(|p| !p.is_empty()).count() < 2) {
        let title = "`repository.url` names a platform but no repository".to_owned();
        warn(
            "no-repository",
            Severity::Medium,
            title,
            "give owner and repository: `https://github.com/OWNER/REPOSITORY`",
        );
    }
    Verdict::pass_or_warn(format!("the source repository is on `{host}`"), findings)
}

fn finding(rule: &str, severity: Severity, title: impl Into<String>) -> Finding {
    Finding::new(format!("PR-01/{rule}"), severity, title).at(MANIFEST, None)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::control::Status;

    #[test]
    fn the_host_is_parsed_and_compared_whole() {
        for (url, status, rule) in [
            ("https://github.com/acme/widget", Status::Pass, ""),
            ("git+https://GitHub.com/acme/widget.git", Status::Pass, ""),
            ("https://git.sr.ht/~acme/widget", Status::Pass, ""),
            ("https://codeberg.org/acme/widget", Status::Pass, ""),
            ("https://evilgithub.com/acme/widget", Status::Warn, "PR-01/unknown-platform"),
            ("https://github.com.evil.example/acme/widget", Status::Warn, "PR-01/unknown-platform"),
            ("https://evil.example/github.com/acme", Status::Warn, "PR-01/unknown-platform"),
            ("https://github.com@evil.example/acme/widget", Status::Warn, "PR-01/user-in-url"),
            ("https://github.com:8443/acme/widget", Status::Warn, "PR-01/unknown-platform"),
            ("http://github.com/acme/widget", Status::Warn, "PR-01/not-https"),
            ("git://github.com/acme/widget", Status::Warn, "PR-01/not-https"),
            ("https://github.com/", Status::Warn, "PR-01/no-repository"),
            ("https://github.com/acme", Status::Warn, "PR-01/no-repository"),
            ("git@github.com:acme/widget.git", Status::Fail, "PR-01/bad-url"),
            ("github.com/acme/widget", Status::Fail, "PR-01/bad-url"),
            ("https://", Status::Fail, "PR-01/bad-url"),
            ("javascript:alert(1)", Status::Fail, "PR-01/bad-url"),
            ("", Status::Fail, "PR-01/bad-url"),
        ] {
            let verdict = judge_document(&json!({"repository": {"type": "git", "url": url}}));
            assert_eq!(verdict.status, status, "{url}: {:?}", verdict.findings);
            assert_eq!(verdict.findings.first().map_or("", |f| f.rule.as_str()), rule, "{url}");
        }
    }

    #[test]
    fn a_private_repository_needs_an_attestation_from_level_3() {
        use crate::outside::Outside;

        let verified = json!({"verified": {"subjects": [], "predicate_type": "x", "builder": "x"}});
        for (repository, attestation, status, from) in [
            (json!({"reachable": true}), Value::Null, Status::Pass, None),
            (json!({}), Value::Null, Status::Pass, None),
            (json!({"reachable": false}), Value::Null, Status::Warn, Some(3)),
            (json!({"reachable": false}), json!("absent"), Status::Warn, Some(3)),
            (json!({"reachable": false}), json!({"invalid": {"reason": "x"}}), Status::Warn, Some(3)),
            (json!({"reachable": false}), verified, Status::Pass, None),
            (json!({"reachable": false, "url": "https://github.com/acme/widget"}), Value::Null, Status::Warn, Some(3)),
            (json!({"reachable": false, "url": "https://github.com/acme/other"}), Value::Null, Status::Pass, None),
        ] {
            let outside = json!({"version": 1, "repository": repository, "attestation": attestation});
            let outside = Outside::read(outside.to_string().as_bytes()).unwrap();
            let document = json!({"repository": {"type": "git", "url": "https://github.com/acme/widget"}});
            let verdict = judge(&Evidence::of_document(&document).with_outside(outside).unwrap());
            assert_eq!((verdict.status, verdict.fails_from), (status, from), "{repository} {attestation}: {verdict:?}");
        }
    }

    #[test]
    fn a_missing_repository_fails() {
        for document in
            [json!({}), json!({"repository": null}), json!({"repository": {"type": "git"}}), json!({"repository": 1})]
        {
            assert_eq!(judge_document(&document).status, Status::Fail, "{document}");
        }
        assert_eq!(judge_document(&json!({"repository": "https://github.com/a/b"})).status, Status::Pass);
        assert_eq!(judge(&Evidence::empty()).status, Status::NotRun);
    }
}
