//! `mpak scan` as a user meets it.

use serde_json::{Value, json};

use mpak_testkit::zip::{ZipBuilder, good_manifest};

use crate::world::World;

fn complete_manifest() -> Value {
    let mut manifest = good_manifest();
    manifest["name"] = json!("@acme/good-bundle");
    manifest["repository"] = json!({"type": "git", "url": "https://github.com/acme/good-bundle"});
    manifest["_meta"] = json!({"org.mpaktrust": {"mtf_version": "0.1"}});
    manifest
}

fn connection_string() -> String {
    ["const db = 'postgres", "://admin:supersecret", "password123@db.acme.io/x';\n"].concat()
}

#[test]
fn a_good_bundle_is_reported_and_succeeds() {
    let world = World::new();
    world.write("good.mcpb", ZipBuilder::with_manifest(&complete_manifest()).build());
    let ran = world.mpak(&["scan", "good.mcpb"]);
    assert_eq!(ran.stderr, "");
    let out = ran.ok();
    assert!(out.starts_with("L0 (not assessed)  score "), "{out}");
    assert!(out.contains("controls run"), "{out}");
    for (id, status) in [("AI-01", "pass"), ("SC-01", "warn"), ("CQ-02", "not run")] {
        let line = out.lines().find(|line| line.starts_with(id)).unwrap();
        let cells: Vec<&str> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        assert_eq!(cells[2], status, "{line}");
    }
    assert!(out.lines().last().unwrap().starts_with("nothing that level 1 requires fails"), "{out}");
}

#[test]
fn json_is_the_report_and_nothing_else() {
    let world = World::new();
    world.write("good.mcpb", ZipBuilder::with_manifest(&complete_manifest()).build());
    let ran = world.mpak(&["scan", "good.mcpb", "--json"]);
    let report = ran.json();
    assert_eq!(ran.code, 0);
    assert_eq!(report["controls"].as_array().unwrap().len(), mpak_scan::controls::CONTROLS.len());
    assert_eq!(report["advisories"], Value::Null);
    let again = world.mpak(&["scan", "good.mcpb", "--json"]);
    assert_eq!(again.stdout, ran.stdout);
}

#[test]
fn a_failing_control_answers_no_with_place_and_remedy() {
    let world = World::new();
    world.write("server/manifest.json", complete_manifest().to_string());
    world.write("server/server/index.js", format!("\n{}", connection_string()));
    let ran = world.mpak(&["scan", "server"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stdout.contains("server/index.js:2: password in a connection string"), "{}", ran.stdout);
    assert!(ran.stdout.contains("fix: revoke it"), "{}", ran.stdout);
    let last = ran.stdout.lines().last().unwrap();
    assert_eq!(last, "level 1 is out of reach: CQ-01 fails; `mpak explain CQ-01` tells more");
    assert!(!ran.stdout.contains("supersecret"), "{}", ran.stdout);
    assert_eq!(world.mpak(&["scan", "server", "--json"]).code, 1);
}

#[test]
fn the_level_decides_what_counts() {
    let world = World::new();
    let mut manifest = complete_manifest();
    manifest.as_object_mut().unwrap().remove("repository");
    world.write("x.mcpb", ZipBuilder::with_manifest(&manifest).build());
    let out = world.mpak(&["scan", "x.mcpb"]).ok();
    assert!(
        out.contains("nothing that level 1 requires fails; above it: AI-01, AI-04, PR-01, PR-02, PR-04 ("),
        "{out}"
    );
    let out = world.mpak(&["scan", "x.mcpb", "--level", "2"]);
    assert_eq!(out.code, 1);
    assert!(out.stdout.contains("fails from level 2"), "{}", out.stdout);
    world.mpak(&["scan", "x.mcpb", "--level", "5"]).fails(2);
    world.mpak(&["scan"]).fails(2);
}

#[test]
fn what_is_no_bundle_is_refused() {
    let world = World::new();
    world.write("text.mcpb", "not a zip");
    let error = world.mpak(&["scan", "text.mcpb"]).fails(65);
    assert!(error.contains("(not-a-zip)\n  help: give a .mcpb file"), "{error}");
    let ran = world.mpak(&["scan", "text.mcpb", "--json"]);
    assert_eq!(ran.json()["error"]["code"], "not_a_bundle");
    world.mpak(&["scan", "absent.mcpb"]).fails(5);
}

#[test]
fn a_folder_without_a_manifest_is_judged_by_what_is_there() {
    let world = World::new();
    let code = "from mcp.server.fastmcp import FastMCP\nimport os\nmcp = FastMCP('x')\n@mcp.tool()\ndef run(cmd: str):\n    os.system('ls ' + cmd)\n";
    world.write("folder/server.py", code);
    let ran = world.mpak(&["scan", "folder", "--json"]);
    assert_eq!(ran.code, 1, "AI-01 fails");
    let report = ran.json();
    let control = |id: &str| report["controls"].as_array().unwrap().iter().find(|c| c["id"] == id).unwrap().clone();
    assert_eq!(control("AI-01")["status"], "fail");
    let flow = &control("CQ-05")["findings"][0];
    assert_eq!((flow["severity"].as_str(), flow["line"].as_u64()), (Some("critical"), Some(6)));
    assert_eq!(flow["path"][0]["what"], "the model chooses `cmd` of run");
}

#[test]
fn hostile_texts_reach_the_terminal_escaped() {
    let world = World::new();
    let mut manifest = complete_manifest();
    manifest["tools"] = json!([{"name": "a\u{1b}[2J\u{202e}"}]);
    world.write("x.mcpb", ZipBuilder::with_manifest(&manifest).build());
    let out = world.mpak(&["scan", "x.mcpb"]).stdout;
    assert!(out.contains("tool-without") || out.contains("has no description"), "{out}");
    assert!(!out.contains('\u{1b}') && !out.contains('\u{202e}'), "{out:?}");
}

#[test]
fn evidence_from_outside_is_judged_and_bound_to_the_bundle() {
    let world = World::new();
    let mut manifest = complete_manifest();
    manifest["author"] = json!({"name": "Acme", "email": "security@acme.example"});
    let bytes = ZipBuilder::with_manifest(&manifest).build();
    let digest = mpak_bundle::digest::Sha256::of(&bytes);
    world.write("good.mcpb", bytes);
    let publisher = json!({"verified": true, "issuer": "https://token.actions.githubusercontent.com", "owner_id": "1", "owners_count": 2});
    world.write("e.json", json!({"version": 1, "artifact": {"sha256": digest}, "publisher": publisher}).to_string());
    let report = world.mpak(&["scan", "good.mcpb", "--evidence", "e.json", "--json"]).json();
    let status = |report: &Value, id: &str| {
        let all = report["controls"].as_array().unwrap().clone();
        all.into_iter().find(|c| c["id"] == id).unwrap()["status"].clone()
    };
    assert_eq!(status(&report, "PR-02"), "pass");
    let without = world.mpak(&["scan", "good.mcpb", "--json"]).json();
    assert_eq!(status(&without, "PR-02"), "not_run");
    // About another bundle, not evidence at all, not there.
    world.write("other.json", json!({"version": 1, "artifact": {"sha256": "0".repeat(64)}}).to_string());
    let error = world.mpak(&["scan", "good.mcpb", "--evidence", "other.json"]).fails(4);
    assert!(error.contains("the evidence is about `sha256:0000"), "{error}");
    world.write("bad.json", r#"{"version":1,"publisher":{"tier":9}}"#);
    let error = world.mpak(&["scan", "good.mcpb", "--evidence", "bad.json"]).fails(2);
    assert!(error.contains("publisher.tier") && error.contains("mpak explain evidence"), "{error}");
    world.mpak(&["scan", "good.mcpb", "--evidence", "absent.json"]).fails(5);
}

#[test]
fn suggested_permissions_make_the_control_pass() {
    let world = World::new();
    let source = "import { execFile } from 'node:child_process';\nimport fs from 'node:fs';\n\
                  const token = process.env.API_TOKEN;\n\
                  export const log = () => execFile('git', ['log']);\n\
                  export const keep = (text) => fs.writeFileSync('/tmp/x', text);\n\
                  fetch('https://api.example.org/', { headers: { token } });\n";
    let mut manifest = complete_manifest();
    let put = |manifest: &Value| {
        world.write("server/manifest.json", manifest.to_string());
        world.write("server/server/index.js", source);
    };
    let status = |world: &World| {
        let report = world.mpak(&["scan", "server", "--json"]).json();
        let controls = report["controls"].as_array().unwrap().clone();
        controls.into_iter().find(|control| control["id"] == "CD-02").unwrap()
    };
    put(&manifest);
    let before = status(&world);
    assert_eq!(before["status"], "fail", "{before}");
    let pointer = before["findings"][0]["remediation"].as_str().unwrap();
    assert!(pointer.contains("mpak scan --suggest-permissions"), "{pointer}");
    // Exactly the block on stdout, people's text beside it.
    let ran = world.mpak(&["scan", "server", "--suggest-permissions"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("server/index.js:4"), "{}", ran.stderr);
    let block: Value = serde_json::from_str(&ran.stdout).unwrap();
    let permissions = json!({"filesystem": "write", "network": "outbound", "environment": "read",
        "subprocess": "restricted", "native": "none"});
    assert_eq!(block, json!({"_meta": {"org.mpaktrust": {"mtf_version": "0.1", "permissions": permissions}}}));
    manifest["_meta"] = block["_meta"].clone();
    put(&manifest);
    let after = status(&world);
    assert_eq!((&after["status"], &after["findings"]), (&json!("pass"), &json!([])), "{after}");
    // The same from a bundle, and nothing to suggest where nothing can be read.
    assert_eq!(world.mpak(&["scan", "server", "--suggest-permissions"]).stdout, ran.stdout);
}
