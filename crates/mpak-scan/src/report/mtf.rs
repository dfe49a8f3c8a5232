//! The report form of the framework, and the one that existing web clients read, which differs from it in
//! three places.
//!
//! Spec: MTF 0.1, report schema. `warn` is `pass`; what was not judged is `skip`, with the reason as a
//! finding.

use serde_json::{Map, Value, json};

use super::about::{About, Made, control, four_words, level_name, risk};
use super::{ControlResult, Finding, Report};
use crate::control::Status;

/// Version of the form.
const VERSION: &str = "1.0.0";

/// The form of MTF 0.1.
pub fn mtf(report: &Report, about: &About, made: &Made) -> Value {
    form(report, about, made)
}

/// The form of existing web clients: the digest has its algorithm in front, errors are counted, and a report
/// whose level an error holds down is `degraded`.
pub fn web(report: &Report, about: &About, made: &Made) -> Value {
    let mut value = form(report, about, made);
    value["bundle"]["hash"] = json!(about.sha256.prefixed());
    value["compliance"]["controls_errored"] = json!(report.count(Status::Error));
    let next = report.level + 1;
    let holds = |c: &ControlResult| c.level <= next && c.status == Status::Error;
    value["compliance"]["degraded"] = json!(report.controls.iter().any(holds));
    value
}

fn form(report: &Report, about: &About, made: &Made) -> Value {
    let counted = |words: &[&str]| report.controls.iter().filter(|c| words.contains(&four_words(c.status))).count();
    let mut domains: Map<String, Value> = Map::new();
    let mut all: Vec<Value> = Vec::new();
    for result in &report.controls {
        let findings = findings(result);
        let mut entry = json!({"status": four_words(result.status), "findings": findings});
        if result.status == Status::Error {
            entry["error"] = json!(result.reason);
        }
        let domain = control(&result.id).map_or("other", |control| control.domain);
        let domain = domains.entry(domain).or_insert_with(|| json!({"controls": {}}));
        domain["controls"][&result.id] = entry;
        all.extend(findings);
    }
    json!({
        "version": VERSION,
        "bundle": {"name": about.name, "version": about.semantic_version(), "hash": about.sha256.to_string()},
        "scan": {
            "timestamp": made.at, "scanner": "mpak", "scanner_version": env!("CARGO_PKG_VERSION"),
            "duration_ms": made.took_ms,
        },
        "compliance": {
            "level": report.level, "level_name": level_name(report.level),
            "controls_passed": counted(&["pass"]), "controls_failed": counted(&["fail"]),
            "controls_total": counted(&["pass", "fail", "error"]),
        },
        "risk_score": risk(report),
        "domains": domains,
        "findings": all,
        "sbom": {"format": "cyclonedx", "component_count": about.components_count},
    })
}

/// The findings of a control with ids of their own; the reason is the only one of what was not judged.
fn findings(result: &ControlResult) -> Vec<Value> {
    let mut listed: Vec<Value> = Vec::new();
    if matches!(result.status, Status::NotApplicable | Status::NotRun) {
        let title = if result.status == Status::NotRun { "not run" } else { "not applicable" };
        listed.push(json!({"severity": "info", "title": title, "description": result.reason,
            "file": null, "line": null, "remediation": null}));
    }
    listed.extend(result.findings.iter().map(finding));
    for (at, value) in listed.iter_mut().enumerate() {
        value["id"] = json!(format!("{}-{:04}", result.id, at + 1));
        value["control"] = json!(result.id);
    }
    listed
}

fn finding(finding: &Finding) -> Value {
    let mut description = finding.title.clone();
    if let Some(evidence) = &finding.evidence {
        description = format!("{description}: {evidence}");
    }
    if let Some(suppressed) = &finding.suppressed {
        description = format!("{description} (suppressed: {})", suppressed.reason);
    }
    json!({
        "severity": finding.severity.as_str(), "title": finding.title,
        "description": format!("{description} [{}]", finding.rule),
        "file": finding.file, "line": finding.line.filter(|line| *line > 0), "remediation": finding.remediation,
    })
}
