//! CQ-01: no file holds a credential.
//!
//! Spec: MTF 0.1 §3.4 CQ-01. Where a file lies changes nothing: a credential in `vendor/`, in a test or in an
//! example opens the same door.

use crate::control::Verdict;
use crate::evidence::Evidence;
use crate::report::{Finding, Severity};
use crate::rules::Confidence;
use crate::secrets::Hit;
use crate::secrets::check::Check;

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
        _ if hit.rule.check == Some(Check::Documented) => "",
        _ => "possible ",
    };
    let layer = hit.layer.map_or(String::new(), |layer| format!(", {}", layer.as_str()));
    Finding::new(format!("CQ-01/{}", hit.rule.id), severity, format!("{certainty}{}{layer}", hit.rule.name))
        .at(&hit.path, Some(hit.line))
        .seen(&hit.masked)
        .fix(FIX)
}

fn severity(hit: &Hit) -> Severity {
    match hit.confidence {
        Confidence::High => Severity::Critical,
        Confidence::Low => Severity::Low,
    }
}
