//! PR-01: the manifest names a source repository on a known platform.
//!
//! Judged from the URL alone; whether it answers is registry evidence. Spec: MTF 0.1 §3.6 PR-01.

use serde_json::Value;
use url::Url;

use crate::control::Verdict;
use crate::evidence::{Evidence, MANIFEST};
use crate::report::{Finding, Severity};

/// Platforms whose repositories anyone can look up, by exact host.
const PLATFORMS: [&str; 6] = ["github.com", "gitlab.com", "bitbucket.org", "codeberg.org", "sr.ht", "git.sr.ht"];

const FIX: &str = "add `\"repository\": {\"type\": \"git\", \"url\": \"https://github.com/OWNER/REPOSITORY\"}`";

pub(crate) fn judge(evidence: &Evidence) -> Verdict {
    match evidence.document() {
        Some(document) => judge_document(document),
        None => Verdict::not_run("there is no readable manifest.json to take the repository from"),
    }
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
