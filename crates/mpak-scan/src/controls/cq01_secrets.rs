//! CQ-01: no file holds a credential.
//!
//! Spec: MTF 0.1 §3.4 CQ-01. Vendored files are judged like all others.

use crate::control::Verdict;
use crate::evidence::Evidence;
use crate::report::{Finding, Severity};
use crate::rules::Confidence;
use crate::secrets::check::Check;
use crate::secrets::{Hit, is_in_dependency, is_test_of_dependency};

const FIX: &str = "revoke it, remove it from the bundle, and let the user supply it through `user_config`";

pub(crate) fn judge(evidence: &Evidence) -> Verdict {
    let secrets = evidence.secrets();
    let mut findings: Vec<Finding> = secrets.hits.iter().map(finding).collect();
    if secrets.omitted_count > 0 {
        let title = format!("at least {} more places look like credentials and are not listed", secrets.omitted_count);
        findings.push(Finding::new("CQ-01/more", Severity::Low, title));
    }
    findings.extend(secrets.unfinished.iter().map(|path| {
        Finding::new("CQ-01/not-searched", Severity::High, "too much of it looks like the beginning of a credential")
            .at(path, None)
            .fix("leave the file out, or shorten it; what cannot be searched is not passed")
    }));
    let sure = secrets.hits.iter().filter(|hit| severity(hit) == Severity::Critical).count();
    if sure > 0 {
        let reason = match sure {
            1 => "a credential was found".to_owned(),
            _ => format!("{sure} credentials were found"),
        };
        return Verdict::fail(reason, findings);
    }
    if !secrets.unfinished.is_empty() {
        return Verdict::fail("not all files could be searched", findings);
    }
    let reason = if findings.is_empty() { "no credentials were found" } else { "something looks like a credential" };
    Verdict::pass_or_warn(reason, findings)
}

fn finding(hit: &Hit) -> Finding {
    let severity = severity(hit);
    let certainty = match severity {
        Severity::Critical => "",
        Severity::Medium => "of a dependency: ",
        _ if hit.rule.check == Some(Check::Documented) => "",
        _ => "possible ",
    };
    let layer = hit.layer.map_or(String::new(), |layer| format!(", {}", layer.as_str()));
    Finding::new(format!("CQ-01/{}", hit.rule.id), severity, format!("{certainty}{}{layer}", hit.rule.name))
        .at(&hit.path, Some(hit.line))
        .seen(&hit.masked)
        .fix(FIX)
}

/// What a dependency publishes was public before, so two kinds only warn there: key pairs among its tests,
/// which are made to be shipped, and random text that nothing but a name calls a secret. Every other format
/// is issued by somebody, so it opens something wherever it lies.
fn severity(hit: &Hit) -> Severity {
    let is_key_pair = matches!(hit.rule.check, Some(Check::Pem | Check::Der | Check::JsonWebKey));
    match hit.confidence {
        Confidence::High if hit.rule.regex().is_none() && is_in_dependency(&hit.path) => Severity::Medium,
        Confidence::High if is_key_pair && is_test_of_dependency(&hit.path) => Severity::Medium,
        Confidence::High => Severity::Critical,
        Confidence::Low => Severity::Low,
    }
}
