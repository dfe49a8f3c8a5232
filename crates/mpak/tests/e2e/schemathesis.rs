//! The API against its own description: schemathesis makes requests from `/openapi.json` and judges what
//! a real `mpak serve` answers. The seed is fixed and the examples are bounded.

use std::fs;
use std::process::Command;

use crate::python;
use crate::registry::Registry;
use crate::servers::Server;
use crate::world::World;

const PROGRAM: &str = "schemathesis==4.32.5";
/// What must hold. Wrong methods are 404 here, as existing clients expect, and the flat server list takes
/// wrong parameters, so those two checks are left out.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,response_headers_conformance";

#[test]
fn answers_are_as_the_description_says() {
    let world = World::new();
    let registry = Registry::start_with(&world, &["--rates-reads-per-minute", "0"]);
    Server::new("widget", "1.0.0").publish(&registry, "@acme/widget", "any");
    Server::new("widget", "1.1.0").publish(&registry, "@acme/widget", "linux-x64");
    let report = world.path("report.txt");
    let mut command = Command::new(python::programs(PROGRAM).join("schemathesis"));
    command
        .args(["--no-color", "run", &format!("{}/openapi.json", registry.url), "--seed", "7", "--max-examples", "15"])
        .args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "--generation-database", "none"])
        .args(["--header", &format!("Authorization: Bearer {}", registry.token)])
        // The token would be no more.
        .args(["--exclude-path", "/api/v1/me/token", "--request-timeout", "10", "--workers", "2"])
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
