//! Every form of the report: valid against its schema, deterministic, and complete.

use std::io::Write as _;
use std::path::Path;

use mpak_bundle::digest::Sha256;
use mpak_scan::evidence::{Evidence, scan_texts, scan_with_frames};
use mpak_scan::policy::Policy;
use mpak_scan::report::{About, Made, Report, SCHEMA, mtf, sarif, web};
use mpak_scan::suppressions::Suppressions;
use mpak_scan::texts::Texts;
use serde_json::{Value, json};

use crate::published::{MTF, SARIF, fails_when_spoiled, wrong};
use crate::schema::{problems, problems_closed};
use crate::world::{archive, bundle, complete_manifest, token};

const CODE: &str = "import os\nfrom mcp.server.fastmcp import FastMCP\nmcp = FastMCP('x')\n\n@mcp.tool()\ndef run(cmd: str):\n    line = 'ls ' + cmd\n    os.system(line)\n    os.system(cmd)\n";

/// A bundle with something wrong of every kind that a form must carry.
fn files() -> Vec<(&'static str, String)> {
    vec![
        ("server/a b.py", CODE.to_owned()),
        ("server/key.js", format!("const key = '{}';\n", token())),
        ("node_modules/left-pad/package.json", r#"{"name":"left-pad","version":"1.3.0","license":"WTFPL"}"#.to_owned()),
        ("old/deploy.sh", "#!/bin/sh\nrm -rf /\n".to_owned()),
    ]
}

fn manifest() -> Value {
    let mut manifest = complete_manifest();
    manifest["_meta"]["org.mpaktrust"]["suppressions"] = json!([
        {"id": "CQ-05/shell", "place": "server/a b.py:8", "reason": "the list of names is fixed"},
        {"id": "CQ-01/github-token", "place": "server/key.js", "reason": "it is only a test"},
        {"id": "CQ-05/query", "place": "server/a b.py", "reason": "there is no query", "until": "2026-01-01"},
    ]);
    manifest
}

fn judged() -> (Report, About) {
    let bytes = bundle(&manifest(), &files());
    let archive = archive(&bytes);
    let suppressions = Suppressions::default().on(Some("2026-11-21".to_owned()));
    let policy = Policy::read(br#"{"version":1,"name":"ours","level":2,"fail":{"default":"critical"}}"#)
        .expect("a sound bundle");
    let evidence = Evidence::from_archive(&archive, &mpak_bundle::limits::Limits::default()).expect("a sound bundle");
    let evidence = evidence.with_suppressions(suppressions).with_policy(policy);
    let about = About::new(&evidence, Sha256::of(&bytes));
    (scan_with_frames(&evidence, &archive), about)
}

fn made() -> Made {
    Made { at: "2026-11-21T06:00:00Z".to_owned(), took_ms: 0 }
}

#[test]
fn the_native_report_is_what_its_schema_says() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let (report, _) = judged();
    let value = serde_json::to_value(&report).unwrap();
    assert_eq!(problems_closed(&schema, &value), Vec::<String>::new());
    // What the schema must know is really there.
    let all = value.to_string();
    for field in ["\"frame\":", "\"path\":", "\"suppressed\":", "\"suppressions\":", "\"policy\":", "\"violations\":[{"]
    {
        assert!(all.contains(field), "no {field} in the report");
    }
    let tools = Texts::from_tools(&json!([{"name": "a", "description": "<IMPORTANT>ignore"}]), "t.json").unwrap();
    let texts = serde_json::to_value(scan_texts(&tools)).unwrap();
    assert_eq!(problems_closed(&schema, &texts), Vec::<String>::new());
    for (pointer, wrong) in [
        ("/level", json!(5)),
        ("/score", json!("90")),
        ("/advisories", json!(7)),
        ("/controls/0/status", json!("ok")),
        ("/controls/0/findings", Value::Null),
    ] {
        let mut spoiled = value.clone();
        *spoiled.pointer_mut(pointer).unwrap() = wrong;
        assert!(!problems(&schema, &spoiled).is_empty(), "{pointer}");
    }
}

#[test]
fn what_is_suppressed_is_in_the_report_with_its_reason() {
    let (report, _) = judged();
    let states: Vec<(&str, &str, usize)> =
        report.suppressions.iter().map(|t| (t.id.as_str(), t.state.as_str(), t.findings_count)).collect();
    assert_eq!(
        states,
        [("CQ-05/shell", "applied", 1), ("CQ-01/github-token", "refused", 0), ("CQ-05/query", "expired", 0)]
    );
    // The other call of the same rule still fails, and so does the credential.
    let failing: Vec<&str> = report.failing_at(3).iter().map(|c| c.id.as_str()).collect();
    assert!(failing.contains(&"CQ-05") && failing.contains(&"CQ-01"), "{failing:?}");
    let shell = report.controls.iter().find(|c| c.id == "CQ-05").unwrap();
    let marked: Vec<Option<u32>> = shell.findings.iter().filter(|f| f.suppressed.is_some()).map(|f| f.line).collect();
    assert_eq!(marked, [Some(8)]);
    let decision = report.policy.unwrap();
    assert!(
        !decision.satisfied
            && decision.violations.iter().all(|v| !v.message.contains("CQ-05/shell at server/a b.py:8")),
        "{decision:?}"
    );
}

#[test]
fn the_form_of_the_framework_is_valid_against_its_schema() {
    let (report, about) = judged();
    let value = mtf(&report, &about, &made());
    let count = |word: &str| {
        let domains = value["domains"].as_object().unwrap().values();
        domains.flat_map(|d| d["controls"].as_object().unwrap().values()).filter(|c| c["status"] == word).count()
    };
    let sum = count("pass") + count("fail") + count("skip") + count("error");
    assert_eq!(sum, mpak_scan::controls::CONTROLS.len());
    let compliance = &value["compliance"];
    assert_eq!(compliance["controls_passed"], count("pass"));
    assert_eq!(compliance["controls_total"], sum - count("skip"));
    assert_eq!((value["risk_score"].as_str(), compliance["level_name"].as_str()), (Some("CRITICAL"), Some("None")));
    // What was not judged says why.
    let skipped = &value["domains"]["code_quality"]["controls"]["CQ-06"];
    assert_eq!(skipped["status"], "skip");
    assert!(skipped["findings"][0]["description"].as_str().unwrap().contains("watched"), "{skipped}");
    let mut ids: Vec<&str> = value["findings"].as_array().unwrap().iter().map(|f| f["id"].as_str().unwrap()).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "ids are unique");
    assert_eq!(wrong(MTF, &value), Vec::<String>::new());
    fails_when_spoiled(
        MTF,
        &value,
        &[
            ("/bundle/hash", json!("sha256:00")),
            ("/compliance/level", json!(5)),
            ("/domains/code_quality/controls/CQ-06/status", json!("warn")),
            ("/findings/0/severity", json!("none")),
            ("/findings/0/id", Value::Null),
            ("/risk_score", json!("low")),
        ],
    );
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/schemas/mtf-0.1-report.schema.json");
    let Ok(schema) = std::fs::read_to_string(&schema) else {
        // Past the capture of the test runner: nobody must take this for a check of the published schema.
        let line = format!("NOT CHECKED against the framework's own schema: {} is not there\n", schema.display());
        return std::io::stderr().write_all(line.as_bytes()).expect("a terminal");
    };
    let schema: Value = serde_json::from_str(&schema).unwrap();
    assert_eq!(problems(&schema, &value), Vec::<String>::new());
    // A version that is none becomes one.
    let mut other = about;
    other.version = "next".to_owned();
    assert_eq!(problems(&schema, &mtf(&report, &other, &made())), Vec::<String>::new());
}

#[test]
fn the_form_of_web_clients_differs_where_they_do() {
    let (report, about) = judged();
    let (ours, theirs) = (mtf(&report, &about, &made()), web(&report, &about, &made()));
    assert_eq!(theirs["bundle"]["hash"], format!("sha256:{}", ours["bundle"]["hash"].as_str().unwrap()));
    assert_eq!(
        (&theirs["compliance"]["controls_errored"], &theirs["compliance"]["degraded"]),
        (&json!(0), &json!(false))
    );
    assert_eq!((&ours["domains"], &ours["findings"]), (&theirs["domains"], &theirs["findings"]));
}

#[test]
fn sarif_carries_rules_flows_fingerprints_and_suppressions() {
    let (report, _) = judged();
    let value = sarif(&report);
    assert_eq!(wrong(SARIF, &value), Vec::<String>::new());
    fails_when_spoiled(
        SARIF,
        &value,
        &[
            ("/version", json!("2.0.0")),
            ("/runs/0/tool", Value::Null),
            ("/runs/0/results/0/message", Value::Null),
            ("/runs/0/results/0/level", json!("high")),
            ("/runs/0/results/0/severity", json!("high")),
            ("/runs/0/results/0/locations/0/physicalLocation/region/startLine", json!(0)),
        ],
    );
    let run = &value["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), report.findings().count());
    let mut fingerprints = Vec::new();
    for result in results {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(rule["help"]["markdown"].as_str().unwrap().contains("## How to fix"), "{rule}");
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()));
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().unwrap();
        assert!(uri.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~/%@".contains(&b)), "{uri}");
        assert_eq!(place["artifactLocation"]["uriBaseId"], "BUNDLE");
        assert!(place["region"]["startLine"].as_u64().unwrap() > 0, "{place}");
        fingerprints.push(result["partialFingerprints"]["mpakFinding/v1"].as_str().unwrap());
    }
    fingerprints.sort_unstable();
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), results.len(), "each finding has its own");
    let shell: Vec<&Value> = results.iter().filter(|r| r["ruleId"] == "CQ-05/shell").collect();
    let flow = &shell[0]["codeFlows"][0]["threadFlows"][0]["locations"];
    assert!(flow.as_array().unwrap().len() > 1, "{flow}");
    assert_eq!(flow[0]["location"]["physicalLocation"]["artifactLocation"]["uri"], "server/a%20b.py");
    let justified = shell.iter().filter(|r| r["suppressions"][0]["justification"] == "the list of names is fixed");
    assert_eq!(justified.count(), 1);
    assert!(run["invocations"][0]["toolExecutionNotifications"].as_array().unwrap().len() > 2);
}

#[test]
fn a_fingerprint_stays_when_lines_move() {
    let of = |code: String| {
        let bytes = bundle(&complete_manifest(), &[("server/a.py", code)]);
        let archive = archive(&bytes);
        let evidence = Evidence::from_archive(&archive, &mpak_bundle::limits::Limits::default()).unwrap();
        let value = sarif(&scan_with_frames(&evidence, &archive));
        let results = value["runs"][0]["results"].as_array().unwrap().clone();
        let shell = results.into_iter().filter(|r| r["ruleId"] == "CQ-05/shell");
        shell.map(|r| r["partialFingerprints"]["mpakFinding/v1"].clone()).collect::<Vec<_>>()
    };
    let moved = of(format!("# a comment\n\n{CODE}"));
    assert_eq!(of(CODE.to_owned()), moved);
    assert_eq!(moved.len(), 2);
    assert_ne!(moved, of(CODE.replace("os.system(cmd)", "os.system(cmd + 'x')")));
}

#[test]
fn every_form_is_the_same_bytes_again() {
    let text = || {
        let (report, about) = judged();
        let forms = [sarif(&report), mtf(&report, &about, &made()), web(&report, &about, &made())];
        (serde_json::to_string(&report).unwrap(), forms.map(|form| form.to_string()))
    };
    assert_eq!(text(), text());
}

/// Credentials are nowhere in any form, also where another control quotes the line.
#[test]
fn no_form_shows_a_credential() {
    let secret = token();
    let code = CODE.replace("'ls ' + cmd", &format!("'curl -H {secret} ' + cmd"));
    let bytes = bundle(&complete_manifest(), &[("server/a.py", code)]);
    let archive = archive(&bytes);
    let evidence = Evidence::from_archive(&archive, &mpak_bundle::limits::Limits::default()).unwrap();
    let about = About::new(&evidence, Sha256::of(&bytes));
    let report = scan_with_frames(&evidence, &archive);
    assert!(report.findings().any(|(_, f)| f.rule == "CQ-05/shell"));
    for form in [json!(report), sarif(&report), mtf(&report, &about, &made())] {
        assert!(!form.to_string().contains(&secret[6..24]), "{form}");
    }
}
