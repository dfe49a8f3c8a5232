//! `mpak cache` as a user meets it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::json;

use crate::registry::Registry;
use crate::servers::Server;
use crate::world::World;

/// A world with one package and one local bundle installed.
fn installed() -> World {
    let world = World::new();
    let registry = Registry::start(&world);
    Server::new("tell", "1.0.0").publish(&registry, "@acme/tell", "any");
    world.mpak(&["run", "@acme/tell", "--registry", &registry.url]).ok();
    let file = Server::new("local", "2.0.0").file(&world, "local.mcpb").display().to_string();
    world.mpak(&["run", "--local", &file]).ok();
    world
}

fn store(world: &World) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(world.path("home/.mpak/store/sha256")).into_iter().flatten().flatten();
    entries.map(|e| e.path()).collect()
}

#[test]
fn installed_bundles_are_listed() {
    let world = World::new();
    assert_eq!(world.mpak(&["cache", "list", "--json"]).json()["bundles"], json!([]));
    let world = installed();
    let out = world.mpak(&["cache", "list"]).ok();
    assert!(out.starts_with("NAME") && out.contains("@acme/tell") && out.contains("local.mcpb"), "{out}");
    let list = world.mpak(&["cache", "list", "--json"]).json();
    assert_eq!(list["bundles"][1]["name"], "@acme/tell");
    assert_eq!(list["bundles"][1]["platform"], "any-any");
}

#[test]
fn changed_missing_and_new_files_are_found() {
    let world = installed();
    world.mpak(&["cache", "verify"]).ok();
    let folder = &store(&world)[0];
    let server = folder.join("server");
    fs::set_permissions(&server, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(server.join("tell"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(server.join("tell"), "#!/bin/sh\necho evil").unwrap();
    fs::write(server.join("new"), "").unwrap();
    let ran = world.mpak(&["cache", "verify", "--json"]);
    let bundles = ran.json()["bundles"].as_array().unwrap().clone();
    let bad: Vec<_> = bundles.iter().filter(|b| b["state"] == "changed").collect();
    assert_eq!(bad.len(), 1);
    assert_eq!(bad[0]["paths"], json!(["server/tell", "server/new"]));
    let error = ran.fails(4);
    assert!(error.contains("1 of 2 bundles are intact"), "{error}");
}

#[test]
fn clearing_removes_bundles_and_keeps_settings() {
    let world = installed();
    world.mpak(&["config", "set", "@acme/tell", "x=1"]).ok();
    world.mpak(&["cache", "clear", "@acme/none"]).fails(5);
    world.mpak(&["cache", "clear", "@acme/tell"]).ok();
    assert_eq!(store(&world).len(), 1);
    assert!(!world.path("home/.mpak/cache/acme-tell").exists());
    let answer = world.mpak(&["cache", "clear", "--json"]).json();
    assert_eq!(answer["removed"].as_array().unwrap().len(), 1);
    assert_eq!(store(&world).len(), 0);
    assert_eq!(fs::read_dir(world.path("home/.mpak/cache/_local")).unwrap().count(), 0);
    assert!(world.mpak(&["config", "get", "@acme/tell"]).ok().contains("x: *"));
}

#[test]
fn a_bundle_in_use_is_kept() {
    let world = World::new();
    let script = "#!/bin/sh\necho ready\nread line";
    let file = Server::running("tell", "1.0.0", script).file(&world, "x.mcpb").display().to_string();
    let mut child =
        world.command(&["run", "--local", &file]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
    let answer = world.mpak(&["cache", "clear", "--json"]).json();
    assert_eq!((answer["removed"].as_array().unwrap().len(), answer["in_use"].as_array().unwrap().len()), (0, 1));
    assert_eq!(store(&world).len(), 1);
    drop(child.stdin.take());
    child.wait().unwrap();
    world.mpak(&["cache", "clear"]).ok();
    assert_eq!(store(&world).len(), 0);
}
