//! The unmodified SDK from PyPI against a real `mpak serve`: `mpak` 0.1.1.
//!
//! Rows D12 to D14 of the checklist. 0.1.1 has neither `search_servers` nor `get_server` nor
//! `get_server_version`; their requests are sent with the SDK's own HTTP client and headers.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mpak_bundle::digest::Sha256;
use serde_json::{Value, json};

use crate::python;
use crate::registry::Registry;
use crate::servers::Server;
use crate::world::World;

const SDK: &str = "mpak==0.1.1";

fn published(world: &World) -> (Registry, Sha256) {
    let registry = Registry::start(world);
    Server::new("widget", "1.0.0").publish(&registry, "@acme/widget", "any");
    Server::new("widget", "1.1.0").publish(&registry, "@acme/widget", "any");
    let digest = Server::running("widget", "1.1.0", "// linux").publish(&registry, "@acme/widget", "linux-x64");
    (registry, digest)
}

fn run(program: PathBuf, world: &World, args: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(args).env_clear().env("HOME", world.path("home")).current_dir(world.root());
    command.output().expect("it starts")
}

#[test]
fn d12_d13_the_sdk_from_pypi_finds_downloads_and_verifies() {
    let world = World::new();
    let (registry, digest) = published(&world);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/existing_sdk.py");
    let dest = world.path("sdk").display().to_string();
    let script = script.display().to_string();
    let output = run(python::programs(SDK).join("python"), &world, &[&script, &registry.url, &dest]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let latest = &told["latest"]["bundle"];
    assert_eq!((&latest["version"], &latest["sha256"]), (&json!("1.1.0"), &json!(digest.to_string())));
    assert_eq!(latest["platform"], json!({"os": "linux", "arch": "x64"}));
    assert_eq!(told["fallback"]["bundle"]["platform"], json!({"os": "any", "arch": "any"}));
    assert_eq!(told["detected"], "1.1.0");
    assert_eq!((&told["manifest"]["name"], &told["manifest"]["version"]), (&json!("widget"), &json!("1.1.0")));
    assert!(told["files"].as_array().expect("names").contains(&json!("manifest.json")), "{told}");
    assert_eq!((&told["missing"], &told["version"]), (&json!("not found"), &json!("not found")));
    assert_eq!(told["unknown_platform"], "HTTP 422");
    assert_eq!(told["other_bytes"], "refused");
    assert_eq!(told["servers"]["servers"][0]["name"], "dev.mpak.acme/widget");
    assert_eq!(told["server"]["version"], "1.1.0");
    assert_eq!(told["server_version"]["version"], "1.0.0");
}

/// The provenance of one package alone is not held against them: its description and its answers always differed
/// (§1.3.2 of the wire's contract), and clients read what is answered.
#[test]
fn answers_fit_the_models_that_the_sdk_from_pypi_carries() {
    let world = World::new();
    let (registry, _) = published(&world);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/existing_models.py").display().to_string();
    let output = run(python::programs(SDK).join("python"), &world, &[&script, &registry.url]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 7);
}

#[test]
fn d14_the_loader_from_pypi_loads_what_a_download_names() {
    let world = World::new();
    let (registry, digest) = published(&world);
    let path = "/v1/bundles/@acme/widget/versions/latest/download?os=linux&arch=x64";
    let script = "import json,sys,urllib.request as r; q=r.Request(sys.argv[1],headers={'Accept':'application/json'}); \
                  print(json.load(r.urlopen(q))['url'])";
    let url = format!("{}{path}", registry.url);
    let python = python::programs(SDK).join("python");
    let output = run(python, &world, &["-c", script, &url]);
    let url = String::from_utf8(output.stdout).expect("text").trim().to_owned();
    let loader = || python::programs(SDK).join("mpak-loader");
    let dest = world.path("loaded").display().to_string();
    let loaded = run(loader(), &world, &[&url, &dest, &digest.to_string()]);
    assert!(loaded.status.success(), "{}", String::from_utf8_lossy(&loaded.stderr));
    let stdout = String::from_utf8_lossy(&loaded.stdout);
    let manifest: Value = serde_json::from_str(stdout.lines().last().expect("a line")).expect("the manifest");
    assert_eq!(manifest["version"], "1.1.0");
    let other = run(loader(), &world, &[&url, &dest, &"0".repeat(64)]);
    assert_eq!(other.status.code(), Some(1), "other bytes are refused");
}
