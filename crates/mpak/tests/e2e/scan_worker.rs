//! Scans of a registry run in processes of their own.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::process::Stdio;
use std::time::{Duration, Instant};

use mpak_bundle::limits::Limits;
use mpak_scan::task::Task;
use mpak_testkit::zip::{ZipBuilder, good_manifest};
use serde_json::{Value, json};

use crate::registry::Registry;
use crate::world::World;

/// A bundle, and the task of judging it.
fn task(world: &World, evidence: Value) -> (String, std::path::PathBuf) {
    let task =
        Task { limits: Limits::default(), advisories: None, evidence: Some(evidence), cache: None, trust_root: None };
    let told = serde_json::to_string(&task).unwrap();
    let bundle = world.write("widget.mcpb", ZipBuilder::with_manifest(&good_manifest()).build());
    (told, bundle)
}

fn answer(world: &World, told: &str, bundle: &std::path::Path) -> Value {
    let mut command = world.command(&["scan-worker", told]);
    let output = command.stdin(File::open(bundle).unwrap()).stdout(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_worker_judges_as_scan_does() {
    let world = World::new();
    let evidence = json!({"version": 1, "publisher": {"verified": false}});
    let (told, bundle) = task(&world, evidence.clone());
    let file = world.write("evidence.json", evidence.to_string());
    let (file, path) = (file.display().to_string(), bundle.display().to_string());
    let scanned = world.mpak(&["scan", &path, "--evidence", &file, "--json"]).json();
    assert_eq!(answer(&world, &told, &bundle)["report"], scanned);
}

#[test]
fn a_worker_tells_what_it_cannot_judge() {
    let world = World::new();
    let (told, bundle) = task(&world, json!({"version": 1}));
    std::fs::write(&bundle, "no archive").unwrap();
    let told_of = answer(&world, &told, &bundle);
    assert!(told_of["refused"]["message"].is_string(), "{told_of}");
    let evidence = json!({"version": 1, "artifact": {"sha256": "ab".repeat(32)}});
    let (told, bundle) = task(&world, evidence);
    let message = answer(&world, &told, &bundle)["refused"]["message"].to_string();
    assert!(message.contains("the evidence is about"), "{message}");
}

/// The workers that a process has started. Source: proc(5).
#[cfg(target_os = "linux")]
fn workers(server: u32) -> Vec<u32> {
    let worker = |folder: std::io::Result<std::fs::DirEntry>| {
        let path = folder.ok()?.path();
        let status = std::fs::read_to_string(path.join("status")).ok()?;
        let line = std::fs::read_to_string(path.join("cmdline")).ok()?;
        let child = status.lines().any(|l| l == format!("PPid:\t{server}"));
        let pid = path.file_name()?.to_str()?.parse().ok()?;
        (child && line.contains("scan-worker")).then_some(pid)
    };
    std::fs::read_dir("/proc").unwrap().filter_map(worker).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn a_registry_scans_in_another_process_which_dies_with_it() {
    // Enough code that a worker can be seen at work.
    let mut zip = ZipBuilder::with_manifest(&good_manifest());
    let line = "export const a = (b) => fetch(`https://example.com/${b}`);\n";
    for number in 0..400 {
        zip.file(format!("server/part{number}.js"), line.repeat(400));
    }
    let world = World::new();
    let bundle = world.write("widget.mcpb", zip.build()).display().to_string();
    let registry = Registry::start(&world);
    let world = world.with("MPAK_TOKEN", &registry.token);
    world.mpak(&["publish", &bundle, "--name", "@acme/good-bundle", "--registry", &registry.url]).ok();
    let server = registry.id();
    let until = Instant::now() + Duration::from_mins(1);
    let worker = loop {
        if let Some(worker) = workers(server).pop() {
            break worker;
        }
        assert!(Instant::now() < until, "no other process scans");
        std::thread::sleep(Duration::from_millis(2));
    };
    registry.kill();
    // Its parent is another process now, if there still is one.
    let gone = || std::fs::read_to_string(format!("/proc/{worker}/cmdline")).is_ok_and(|c| !c.contains("scan-worker"));
    let until = Instant::now() + Duration::from_secs(20);
    while std::path::Path::new(&format!("/proc/{worker}")).exists() && !gone() {
        assert!(Instant::now() < until, "the worker outlives its server");
        std::thread::sleep(Duration::from_millis(5));
    }
}
