//! The report as SARIF 2.1.0, for code hosts and editors.
//!
//! Spec: OASIS SARIF 2.1.0. No wall-clock values; the same report gives the same bytes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use mpak_bundle::digest::Sha256;
use serde_json::{Value, json};

use super::about::control;
use super::{ControlResult, Finding, Frame, Report, Severity, Step};
use crate::control::Status;
use crate::evidence::MANIFEST;

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// The folder that all paths lie in.
const ROOT: &str = "BUNDLE";
/// Name of our fingerprint; another way of making it gets another number.
const FINGERPRINT: &str = "mpakFinding/v1";

/// The report as one run.
pub fn sarif(report: &Report) -> Value {
    // 1. Each rule once, in the order of its first finding.
    let mut rules: Vec<Value> = Vec::new();
    let mut index: BTreeMap<&str, usize> = BTreeMap::new();
    for (result, finding) in report.findings() {
        index.entry(&finding.rule).or_insert_with(|| {
            rules.push(rule(result, finding));
            rules.len() - 1
        });
    }
    // 2. Each finding; equal ones are numbered, so that each has a fingerprint of its own.
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let results: Vec<Value> = report
        .findings()
        .map(|(_, finding)| {
            let key = identity(finding);
            let times = seen.entry(key.clone()).or_default();
            *times += 1;
            let fingerprint = Sha256::of(format!("{key}\n{times}").as_bytes()).to_string();
            result(finding, index[finding.rule.as_str()], &fingerprint[..32])
        })
        .collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "mpak", "semanticVersion": env!("CARGO_PKG_VERSION"), "rules": rules,
                "properties": {"ruleset": report.ruleset, "advisories": report.advisories},
            }},
            "invocations": [{"executionSuccessful": true, "toolExecutionNotifications": notifications(report)}],
            "originalUriBaseIds": {ROOT: {"description": {"text": "The root of the bundle."}}},
            "columnKind": "unicodeCodePoints",
            "results": results,
            "properties": {"level": report.level, "score": report.score},
        }],
    })
}

/// What no control could say.
fn notifications(report: &Report) -> Vec<Value> {
    let unsaid = report.controls.iter().filter(|c| matches!(c.status, Status::NotRun | Status::Error));
    unsaid
        .map(|control| {
            let level = if control.status == Status::Error { "error" } else { "note" };
            let text = format!("{} {} was not judged: {}", control.id, control.name, control.reason);
            json!({"level": level, "message": {"text": text}, "descriptor": {"id": control.id}})
        })
        .collect()
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

/// A number from 0 to 10, by which code hosts sort.
fn security_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "3.0",
        Severity::Info => "0.0",
    }
}

fn rule(result: &ControlResult, finding: &Finding) -> Value {
    let words = finding.rule.rsplit('/').next().unwrap_or_default().replace('-', " ");
    let short = format!("{} {}: {words}", result.id, result.name);
    let page = control(&result.id).map_or("", |control| control.page);
    let name: String = result.name.split_whitespace().collect();
    json!({
        "id": finding.rule, "name": name,
        "shortDescription": {"text": short},
        "fullDescription": {"text": format!("{short}. Required from level {} of MTF 0.1.", result.level)},
        "help": {"text": page, "markdown": page},
        "defaultConfiguration": {"level": level(finding.severity)},
        "properties": {
            "tags": ["security", result.id], "precision": "high",
            "security-severity": security_severity(finding.severity),
        },
    })
}

fn result(finding: &Finding, rule_index: usize, fingerprint: &str) -> Value {
    let mut text = finding.title.clone();
    if let Some(evidence) = &finding.evidence {
        text = format!("{text}: {evidence}");
    }
    if let Some(fix) = &finding.remediation {
        text = format!("{text}. To fix: {fix}");
    }
    let mut value = json!({
        "ruleId": finding.rule, "ruleIndex": rule_index, "level": level(finding.severity),
        "message": {"text": text},
        "locations": [{"physicalLocation": place(finding)}],
        "partialFingerprints": {FINGERPRINT: fingerprint},
        "properties": {"severity": finding.severity.as_str()},
    });
    if !finding.path.is_empty() {
        let steps: Vec<Value> = finding.path.iter().map(step).collect();
        value["codeFlows"] = json!([{"threadFlows": [{"locations": steps}]}]);
    }
    if let Some(suppressed) = &finding.suppressed {
        value["suppressions"] = json!([{"kind": "external", "status": "accepted", "justification": suppressed.reason}]);
    }
    value
}

/// A finding about the whole stands at the manifest, one about a file at its beginning: code hosts show
/// nothing without a place.
fn place(finding: &Finding) -> Value {
    let artifact = artifact(finding.file.as_deref().unwrap_or(MANIFEST));
    let line = finding.line.unwrap_or(1).max(1);
    let mut value = json!({"artifactLocation": artifact, "region": {"startLine": line}});
    if let Some(frame) = &finding.frame {
        value["contextRegion"] = context(frame);
    }
    value
}

fn context(frame: &Frame) -> Value {
    let lines = u32::try_from(frame.lines.len()).unwrap_or(1).max(1);
    json!({"startLine": frame.first, "endLine": frame.first + lines - 1, "snippet": {"text": frame.lines.join("\n")}})
}

fn step(step: &Step) -> Value {
    let mut place = json!({"artifactLocation": artifact(&step.file)});
    if step.line > 0 {
        place["region"] = json!({"startLine": step.line, "snippet": {"text": step.code}});
    }
    json!({"location": {"physicalLocation": place, "message": {"text": step.what}}})
}

fn artifact(path: &str) -> Value {
    json!({"uri": uri(path), "uriBaseId": ROOT})
}

/// A path as a relative reference: all but plain characters and `/` are percent-encoded.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// What makes a finding the same one after lines moved: rule, file and what was seen, not the line.
fn identity(finding: &Finding) -> String {
    let seen = finding.evidence.as_deref().unwrap_or(&finding.title);
    let seen: Vec<&str> = seen.split_whitespace().collect();
    format!("{}\n{}\n{}", finding.rule, finding.file.as_deref().unwrap_or_default(), seen.join(" "))
}
