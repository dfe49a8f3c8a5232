//! Texts of tools from real servers, all benign, judged one server at a time as a host lists them.

use std::collections::BTreeMap;
use std::fs;

use mpak_scan::evidence::scan_texts;
use mpak_scan::report::Severity;
use mpak_scan::texts::Texts;
use serde_json::{Value, json};

/// Where the texts are, beside the project: they are not part of it.
const BENIGN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/dev-data/benign-tool-descriptions.jsonl");

#[test]
fn benign_texts_of_real_servers_are_left_alone() {
    let Ok(lines) = fs::read_to_string(BENIGN) else {
        // Past the capture of the test runner: nobody must take this for a check.
        let line = format!("NOT CHECKED against real descriptions: {BENIGN} is not there\n");
        std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).expect("a terminal");
        return;
    };
    let mut servers: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in lines.lines() {
        let row: Value = serde_json::from_str(line).expect("a line of JSON");
        let tool = json!({"name": row["tool"], "description": row["description"]});
        servers.entry(row["server"].to_string()).or_default().push(tool);
    }
    let texts: usize = servers.values().map(Vec::len).sum();
    let mut accused = Vec::new();
    for (server, tools) in servers {
        let texts = Texts::from_tools(&Value::Array(tools), "tools.json").expect("a list of tools");
        let report = scan_texts(&texts);
        let serious = report.findings().filter(|(_, finding)| finding.severity >= Severity::High);
        accused.extend(serious.map(|(_, finding)| format!("{server}: {} [{:?}]", finding.title, finding.evidence)));
    }
    assert!(texts > 500, "{texts}");
    assert!(accused.len() * 200 < texts, "{} of {texts}: {accused:#?}", accused.len());
}
