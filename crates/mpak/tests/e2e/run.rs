//! `mpak run` as a user meets it; the parts: the compatibility checklist by number, a registry that is not to
//! be trusted, a person at a terminal.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use mpak_bundle::digest::Sha256;
use mpak_testkit::zip::ZipEntry;
use serde_json::json;

use crate::registry::Registry;
use crate::servers::{Server, telling, told};
use crate::world::{Ran, World};

mod installing;
mod launching;
mod terminal;
mod untrusted;

/// A world whose `mpak` asks this registry.
fn world_of(registry: &str) -> World {
    World::new().with("MPAK_REGISTRY_URL", registry)
}

fn local(world: &World, server: Server, more: &[&str]) -> Ran {
    let file = server.file(world, "local.mcpb").display().to_string();
    world.mpak(&[&["run", "--local", &file], more].concat())
}

/// Digests in the store of a world.
fn stored(world: &World) -> Vec<String> {
    let entries = fs::read_dir(world.path("home/.mpak/store/sha256")).into_iter().flatten().flatten();
    entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect()
}

fn all_paths(folder: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        out.push(entry.path());
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            out.extend(all_paths(&entry.path()));
        }
    }
    out
}

#[test]
fn a_local_bundle_is_started_from_the_store() {
    let world = World::new();
    let out = local(&world, Server::new("tell", "1.0.0").config(&["one", "two words"], &json!({})), &[]).ok();
    assert_eq!(told(&out, "arg"), ["one", "two words"]);
    let digest = Sha256::of(&fs::read(world.path("local.mcpb")).unwrap());
    let folder = world.path("home/.mpak/store/sha256").join(digest.to_string());
    assert_eq!(told(&out, "cwd"), [folder.canonicalize().unwrap().to_str().unwrap()]);
}

#[test]
fn what_is_not_there_and_what_is_no_bundle_are_told_apart() {
    let world = World::new();
    assert!(world.mpak(&["run", "--local", "none.mcpb"]).fails(5).contains("Bundle not found: "));
    world.write("x.zip", "x");
    assert!(world.mpak(&["run", "--local", "x.zip"]).fails(2).contains("Not an MCPB bundle: "));
    world.write("x.mcpb", "x");
    let error = world.mpak(&["run", "--local", "x.mcpb"]).fails(65);
    assert!(error.contains("nothing was installed\n  help: give a .mcpb file"), "{error}");
    assert!(world.mpak(&["run"]).fails(2).contains("Either provide a package name or use --local <path>"));
    let error = world.mpak(&["run", "widget"]).fails(2);
    assert!(error.contains("Invalid package spec: \"widget\". Expected scoped format: @scope/name"), "{error}");
}

#[test]
fn a_changed_local_file_is_stored_again() {
    let world = World::new();
    let first = local(&world, Server::new("tell", "1.0.0").config(&["first"], &json!({})), &[]).ok();
    let second = local(&world, Server::new("tell", "1.0.0").config(&["second!"], &json!({})), &[]).ok();
    assert_eq!((told(&first, "arg"), told(&second, "arg")), (vec!["first"], vec!["second!"]));
}

#[test]
fn a_package_is_found_installed_and_started_and_later_without_network() {
    let world = World::new();
    let registry = Registry::start(&world);
    let digest = Server::new("tell", "1.2.3").config(&["x"], &json!({})).publish(&registry, "@acme/tell", "any");
    let world_home = world_of(&registry.url);
    let first = world_home.mpak(&["run", "@acme/tell"]).ok();
    assert_eq!(told(&first, "arg"), ["x"]);
    assert_eq!(stored(&world_home), [digest.to_string()]);
    registry.kill();
    assert_eq!(world_home.mpak(&["run", "@acme/tell"]).ok(), first);
    assert_eq!(world_home.mpak(&["bundle", "run", "@acme/tell@1.2.3"]).ok(), first);
    assert_eq!(world_home.mpak(&["run", "@acme/tell@v1.2.3"]).ok(), first);
    world_home.mpak(&["run", "@acme/tell@2.0.0"]).fails(6);
    world_home.mpak(&["run", "@acme/tell@latest"]).fails(6);
    world_home.mpak(&["run", "@acme/tell", "--update"]).fails(6);
}

#[test]
fn update_takes_the_latest_and_older_versions_stay() {
    let world = World::new();
    let registry = Registry::start(&world);
    let version = |v: &'static str| Server::new("tell", v).config(&[v], &json!({}));
    let said =
        |args: &[&str]| told(&world.mpak(&[&["run", "--registry", &registry.url], args].concat()).ok(), "arg").concat();
    version("1.0.0").publish(&registry, "@acme/tell", "any");
    assert_eq!(said(&["@acme/tell"]), "1.0.0");
    version("1.1.0").publish(&registry, "@acme/tell", "any");
    assert_eq!(said(&["@acme/tell"]), "1.0.0");
    assert_eq!(said(&["@acme/tell", "--update"]), "1.1.0");
    assert_eq!(said(&["@acme/tell"]), "1.1.0");
    assert_eq!(said(&["@acme/tell@1.0.0"]), "1.0.0");
    assert_eq!(said(&["@acme/tell"]), "1.1.0");
}

#[test]
fn a_package_that_is_not_there_is_exit_code_5() {
    let world = World::new();
    let registry = Registry::start(&world);
    let error = world.mpak(&["run", "@acme/none", "--registry", &registry.url]).fails(5);
    assert!(error.contains("@acme/none@latest was not found at http://"), "{error}");
}

#[test]
fn many_first_runs_at_once_all_succeed() {
    let world = World::new();
    let registry = Registry::start(&world);
    Server::new("tell", "1.0.0").config(&["x"], &json!({})).publish(&registry, "@acme/tell", "any");
    let start = || world.command(&["run", "@acme/tell", "--registry", &registry.url]).stdout(Stdio::piped()).spawn();
    let children: Vec<_> = (0..8).map(|_| start().unwrap()).collect();
    for child in children {
        let out = child.wait_with_output().unwrap();
        assert!(out.status.success());
        assert_eq!(told(&String::from_utf8_lossy(&out.stdout), "arg"), ["x"]);
    }
    assert_eq!(stored(&world).len(), 1);
    assert_eq!(fs::read_dir(world.path("home/.mpak/tmp")).unwrap().count(), 0, "nothing is left in the making");
}

#[test]
fn the_plan_is_shown_without_secrets_and_nothing_starts() {
    let world = World::new().with("KEY", "sekret-value");
    let server = Server::running("tell", "1.0.0", "#!/bin/sh\ntouch \"$MPAK_WORKSPACE/../started\"")
        .config(&["--key=${user_config.key}"], &json!({"KEY": "${user_config.key}"}))
        .options(&json!({"key": {"type": "string", "title": "Key", "description": "", "sensitive": true}}));
    let ran = local(&world, server, &["--plan"]);
    let plan = ran.json();
    assert_eq!(plan["args"], json!(["--key=***"]));
    assert_eq!(plan["env"]["KEY"], "***");
    assert!(plan["program"].as_str().unwrap().ends_with("/server/tell"));
    assert!(!ran.stdout.contains("sekret-value"));
    assert!(!world.path("started").exists());
}

#[test]
fn real_interpreters_are_found() {
    let world = World::new();
    for (kind, command, entry, source) in [
        ("node", "node", "server/index.mjs", "console.log('arg:' + process.argv[2])"),
        ("python", "python", "server/main.py", "import sys, vendored\nprint('arg:' + sys.argv[1] + vendored.x)"),
    ] {
        let server = Server::new("real", "1.0.0")
            .entry(ZipEntry::new(entry, source))
            .entry(ZipEntry::new("deps/vendored.py", "x = ''"))
            .manifest(|m| {
                m["server"] = json!({"type": kind, "entry_point": entry, "mcp_config":
                    {"command": command, "args": [format!("${{__dirname}}/{entry}"), "hello"], "env": {}}});
            });
        assert_eq!(told(&local(&world, server, &[]).ok(), "arg"), ["hello"], "{kind}");
    }
}

#[test]
fn native_code_for_another_python_is_told_before_anything_starts() {
    let world = World::new();
    let server = Server::new("native", "1.0.0")
        .entry(ZipEntry::new("server/main.py", ""))
        .entry(ZipEntry::new("deps/x/_x.cpython-305-x86_64-linux-gnu.so", "\x7fELF"))
        .manifest(|m| {
            m["server"] = json!({"type": "python", "entry_point": "server/main.py",
                "mcp_config": {"command": "python", "args": ["server/main.py"], "env": {}}});
        });
    let ran = local(&world, server, &[]);
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains("the bundle was built for CPython 3.05, found 3."), "{}", ran.stderr);
    ran.fails(5);
}

#[test]
fn the_store_cannot_be_changed_by_a_server() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    local(&world, Server::running("tell", "1.0.0", &telling("")), &[]).ok();
    for path in all_paths(&world.path("home/.mpak/store/sha256")) {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o222, 0, "{}", path.display());
    }
}
