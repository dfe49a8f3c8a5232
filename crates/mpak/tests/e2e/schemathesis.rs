//! The API against its own description, and its server list against the schema of `server.json`.
//!
//! Schemathesis makes requests from `/openapi.json` and judges what
//! a real `mpak serve` answers. The seed is fixed and the examples are bounded.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::python;
use crate::registry::Registry;
use crate::servers::Server;
use crate::world::World;

const PROGRAM: &str = "schemathesis==4.32.5";
/// What must hold. Wrong methods are 404 here, as existing clients expect, and the flat server list takes
/// wrong parameters, so those two checks are left out.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,response_headers_conformance,\
                      negative_data_rejection,ignored_auth";

/// Asks a registry what its own description says, with so many examples of each kind.
fn answers_as_described(arguments: &[&str], examples: &str, phases: &str) {
    let world = World::new();
    let registry = Registry::start_with(&world, &[&["--rates-reads-per-minute", "0"], arguments].concat());
    Server::new("widget", "1.0.0").publish(&registry, "@acme/widget", "any");
    Server::new("widget", "1.1.0").publish(&registry, "@acme/widget", "linux-x64");
    let description = world.write("openapi.json", described(&registry)).display().to_string();
    let report = world.path("report.txt");
    let mut command = Command::new(python::programs(PROGRAM).join("schemathesis"));
    command
        .args(["--no-color", "run", &description, "--url", &registry.url, "--seed", "7", "--max-examples", examples])
        .args(["--checks", CHECKS, "--phases", phases, "--generation-database", "none"])
        .args(["--header", &format!("Authorization: Bearer {}", registry.token)])
        // The token would be no more.
        .args(["--exclude-path", "/api/v1/me/token", "--request-timeout", "10", "--workers", "2"])
        // Its own judgement of how many examples it had to throw away is no matter of ours.
        .args(["--suppress-health-check", "all"])
        .env("HOME", world.path("home"))
        .env("NO_PROXY", "127.0.0.1")
        .current_dir(world.root());
    let output = command.output().expect("schemathesis starts");
    fs::write(&report, &output.stdout).expect("the report");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let end: Vec<&str> = stdout.lines().rev().take(300).collect();
    let end: Vec<&str> = end.into_iter().rev().collect();
    assert!(output.status.success(), "{}\n{stderr}", end.join("\n"));
    let log = fs::read_to_string(world.path("registry.log")).expect("the log");
    assert!(!log.contains("panicked"), "a handler panicked:\n{log}");
    assert!(log.lines().count() > 500, "hardly anything was asked: {} lines", log.lines().count());
}

/// The description, asked for with the registry's token.
fn described(registry: &Registry) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let asked = client.get(format!("{}/openapi.json", registry.url)).bearer_auth(&registry.token);
        let answer = asked.send().await.expect("an answer").error_for_status().expect("the description");
        answer.text().await.expect("a text")
    })
}

#[test]
fn answers_are_as_the_description_says() {
    answers_as_described(&[], "15", "examples,coverage,fuzzing");
}

#[test]
fn answers_of_a_private_registry_are_as_the_description_says() {
    answers_as_described(&["--access-reads", "private"], "4", "coverage,fuzzing");
}

#[test]
fn official_entries_are_valid_by_the_schema_of_server_json() {
    // The published schema of 2025-12-11 (MIT, Model Context Protocol) without its descriptions.
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/server.schema.json");
    let world = World::new();
    let registry = Registry::start(&world);
    let full = Server::new("widget", "1.0.0").manifest(|manifest| {
        manifest["display_name"] = "w".repeat(300).into();
        manifest["description"] = "ä".repeat(300).into();
        manifest["homepage"] = "https://widget.example/".into();
        manifest["repository"] = json!({"type": "git", "url": "https://github.com/acme/widget"});
        manifest["icon"] = "https://widget.example/icon.png".into();
        manifest["user_config"] = json!({
            "token": {"type": "string", "title": "Token", "description": "To get in", "sensitive": true, "required": true},
            "depth": {"type": "number", "title": "Depth", "description": "How deep", "default": 3},
        });
    });
    full.publish(&registry, "@acme/widget", "any");
    Server::new("plain", "1.0.0-rc.1+build.7").publish(&registry, "@acme/plain", "linux-x64");
    let output = Command::new(python::programs(PROGRAM).join("python"))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/server_json.py"))
        .arg(&schema)
        .arg(format!("{}/v0.1/servers", registry.url))
        .output()
        .expect("python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "2");
}
