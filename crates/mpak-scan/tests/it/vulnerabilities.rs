//! SC-02 on whole bundles: what blocks, what warns, and what statements change.

use mpak_bundle::archive::Archive;
use mpak_bundle::limits::Limits;
use mpak_scan::advisories::Snapshot;
use mpak_scan::control::Status;
use mpak_scan::evidence::{Evidence, scan};
use mpak_scan::outside::Outside;
use mpak_scan::report::{ControlResult, Severity};
use mpak_testkit::zip::temporary;
use serde_json::{Value, json};

use crate::advisories::{Feeds, record};
use crate::world::{bundle, complete_manifest, control};

const PACKAGE: &str = "node_modules/a/package.json";

fn evidence(files: &[(&str, String)]) -> Evidence {
    let limits = Limits::default();
    let archive = Archive::open(temporary(&bundle(&complete_manifest(), files)), &limits).expect("a sound archive");
    Evidence::from_archive(&archive, &limits).expect("evidence")
}

fn judge(files: &[(&str, String)], snapshot: &Snapshot, vex: &[Value]) -> ControlResult {
    let outside = Outside::read(json!({"version": 1, "vex": vex}).to_string().as_bytes()).expect("evidence");
    let evidence = evidence(files).with_advisories(snapshot).expect("a sound snapshot");
    let evidence = evidence.with_outside(outside).expect("it is about these bytes");
    let report = scan(&evidence);
    assert_eq!(report.advisories.as_deref(), Some(snapshot.head().date.as_str()));
    control(&report, "SC-02").clone()
}

fn package(version: &str) -> Vec<(&'static str, String)> {
    vec![(PACKAGE, json!({"name": "a", "version": version}).to_string())]
}

fn scored(vector: &str) -> Value {
    let mut record = record("GHSA-1", "npm", "a");
    record["aliases"] = json!(["CVE-2024-1"]);
    if !vector.is_empty() {
        record["severity"] = json!([{"type": "CVSS_V3", "score": vector}]);
    }
    record
}

const CRITICAL: &str = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
const HIGH: &str = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H";
const MEDIUM: &str = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N";
const LOW: &str = "CVSS:3.0/AV:P/AC:H/PR:H/UI:R/S:U/C:N/I:L/A:N";

#[test]
fn what_blocks_is_what_the_framework_says() {
    let row = |n: &str| format!("CVE-2024-1,{n},0.9\n");
    for (vector, epss, kev, status, rule, severity) in [
        (CRITICAL, row("0.00001"), false, Status::Fail, "SC-02/critical", Severity::Critical),
        (HIGH, row("0.10001"), false, Status::Fail, "SC-02/high-and-likely", Severity::High),
        (HIGH, row("0.10000"), false, Status::Warn, "SC-02/high", Severity::High),
        (HIGH, String::new(), false, Status::Fail, "SC-02/high-and-likely", Severity::High),
        (MEDIUM, row("0.9"), false, Status::Warn, "SC-02/medium", Severity::Medium),
        (LOW, row("0.9"), false, Status::Pass, "SC-02/low", Severity::Info),
        (LOW, row("0.0"), true, Status::Fail, "SC-02/known-exploited", Severity::Critical),
        ("", row("0.9"), false, Status::Warn, "SC-02/unscored", Severity::Medium),
        ("", String::new(), true, Status::Fail, "SC-02/known-exploited", Severity::Critical),
    ] {
        let exploited: &[&str] = if kev { &["CVE-2024-1"] } else { &["CVE-1999-1"] };
        let snapshot = Feeds::new().osv(&[scored(vector)]).epss(&epss).kev(exploited).snapshot();
        let result = judge(&package("1.0.0"), &snapshot, &[]);
        let finding = &result.findings[0];
        assert_eq!((result.status, finding.rule.as_str(), finding.severity), (status, rule, severity), "{result:?}");
        assert_eq!(finding.file.as_deref(), Some(PACKAGE));
        assert!(finding.title.contains("`a` 1.0.0 has CVE-2024-1"), "{finding:?}");
        assert!(finding.evidence.as_ref().is_some_and(|e| e.starts_with("CVE-2024-1, GHSA-1; ")), "{finding:?}");
        assert_eq!(finding.remediation.as_deref(), Some("upgrade `a` to ≥ 2.0.0"));
        assert_eq!(judge(&package("2.0.0"), &snapshot, &[]).status, Status::Pass);
    }
}

#[test]
fn without_a_snapshot_nothing_is_said() {
    let report = scan(&evidence(&package("1.0.0")));
    let result = control(&report, "SC-02");
    assert_eq!((result.status, report.advisories.as_deref()), (Status::NotRun, None));
    assert!(result.reason.contains("--advisories"), "{}", result.reason);
}

#[test]
fn without_components_there_is_nothing_to_judge() {
    let snapshot = Feeds::new().osv(&[scored(CRITICAL)]).snapshot();
    assert_eq!(judge(&[], &snapshot, &[]).status, Status::NotApplicable);
    let unreadable = judge(&[(PACKAGE, "{".to_owned())], &snapshot, &[]);
    assert_eq!((unreadable.status, unreadable.findings[0].rule.as_str()), (Status::Warn, "SC-02/not-looked-up"));
}

#[test]
fn components_that_only_a_bill_of_materials_lists_are_looked_up() {
    let sbom = json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [
        {"type": "library", "name": "a", "version": "1.0.0", "purl": "pkg:npm/a@1.0.0"}]});
    let snapshot = Feeds::new().osv(&[scored(CRITICAL)]).snapshot();
    let result = judge(&[("sbom.json", sbom.to_string())], &snapshot, &[]);
    assert_eq!((result.status, result.findings[0].file.as_deref()), (Status::Fail, Some("sbom.json")));
    let mut both = package("1.0.0");
    both.push(("sbom.json", sbom.to_string()));
    assert_eq!(judge(&both, &snapshot, &[]).findings.len(), 1, "one finding, not two");
}

#[test]
fn components_of_lockfiles_of_go_and_cargo_are_judged() {
    let golang = ("go.sum", "example.com/a v1.3.0 h1:AAAA=\nexample.com/a v1.3.0/go.mod h1:AAAA=\n".to_owned());
    let cargo = (
        "Cargo.lock",
        "version = 4\n\n[[package]]\nname = \"a_b\"\nversion = \"0.4.1\"\nsource = \"registry+https://example.org/index\"\n"
            .to_owned(),
    );
    for (ecosystem, name, file) in [("Go", "example.com/a", golang), ("crates.io", "a-b", cargo)] {
        let mut record = record("GHSA-1", ecosystem, name);
        record["severity"] = json!([{"type": "CVSS_V3", "score": CRITICAL}]);
        let result = judge(std::slice::from_ref(&file), &Feeds::new().osv(&[record]).snapshot(), &[]);
        assert_eq!((result.status, result.findings[0].file.as_deref()), (Status::Fail, Some(file.0)), "{result:?}");
        let other = Feeds::new().osv(&[self::record("GHSA-1", "npm", name)]).snapshot();
        assert_eq!(judge(&[file], &other, &[]).status, Status::Pass);
    }
}

#[test]
fn the_report_says_who_signed_and_what_cannot_be_decided() {
    let mut record = scored(CRITICAL);
    record["affected"][0]["ranges"] = json!([{"type": "GIT", "repo": "x", "events": [{"introduced": "0"}]}]);
    let snapshot = Feeds::new().osv(&[record]).snapshot();
    let result = judge(&package("1.0.0"), &snapshot, &[]);
    assert_eq!((result.status, result.findings[0].rule.as_str()), (Status::Warn, "SC-02/undecided"));
    assert!(result.reason.contains("unsigned snapshot of 2024-01-31"), "{}", result.reason);
    let snapshot = Feeds::new().osv(&[scored(CRITICAL)]).snapshot();
    let odd = judge(&package("latest"), &snapshot, &[]);
    assert_eq!((odd.status, odd.findings[0].rule.as_str()), (Status::Warn, "SC-02/undecided"));
}

fn statement(status: &str, justification: &str) -> Value {
    json!({"statements": [{"vulnerability": {"name": "CVE-2024-1"}, "products": [{"@id": "pkg:npm/a@1.0.0"}],
        "status": status, "justification": justification}]})
}

#[test]
fn statements_count_with_a_reason_and_from_outside_only() {
    let good = "vulnerable_code_not_present";
    let snapshot = Feeds::new().osv(&[scored(CRITICAL)]).snapshot();
    for (vex, status, rule) in [
        (statement("not_affected", good), Status::Pass, "SC-02/not-affected"),
        (statement("not_affected", ""), Status::Fail, "SC-02/vex-without-justification"),
        (statement("not_affected", "because"), Status::Fail, "SC-02/vex-without-justification"),
        (statement("under_investigation", ""), Status::Warn, "SC-02/critical"),
        (statement("fixed", ""), Status::Fail, "SC-02/vex-contradicted"),
        (statement("affected", ""), Status::Fail, "SC-02/critical"),
    ] {
        let result = judge(&package("1.0.0"), &snapshot, std::slice::from_ref(&vex));
        assert_eq!(result.status, status, "{vex} {result:?}");
        assert!(result.findings.iter().any(|f| f.rule == rule), "{vex} {result:?}");
        // the same from inside the bundle is shown and changes nothing
        for path in ["vex.json", ".vex/a.json"] {
            let mut files = package("1.0.0");
            files.push((path, vex.to_string()));
            let inside = judge(&files, &snapshot, &[]);
            assert_eq!(inside.status, Status::Fail, "{inside:?}");
            let shown =
                inside.findings.iter().any(|f| f.rule == "SC-02/vex-unsigned" && f.file.as_deref() == Some(path));
            assert_eq!(shown, vex["statements"][0]["status"] != "affected", "{inside:?}");
        }
    }
}

#[test]
fn no_statement_makes_a_malicious_package_pass() {
    let mut record = record("MAL-2024-1", "npm", "a");
    record["aliases"] = json!(["CVE-2024-1"]);
    record["affected"][0]["ranges"][0]["events"] = json!([{"introduced": "0"}]);
    let snapshot = Feeds::new().osv(&[record]).snapshot();
    for version in ["1.0.0", "latest"] {
        let result = judge(&package(version), &snapshot, &[statement("not_affected", "vulnerable_code_not_present")]);
        let finding = &result.findings[0];
        assert_eq!((result.status, finding.rule.as_str()), (Status::Fail, "SC-02/malicious-package"), "{result:?}");
    }
}
