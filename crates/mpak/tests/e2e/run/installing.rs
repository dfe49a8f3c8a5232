//! Rows E1 to E11 of the compatibility checklist: from a registry's answer to the folder that is run, and
//! what lies beside it for other clients.

use std::fs;

use serde_json::json;

use super::{all_paths, local, world_of};
use crate::registry::Registry;
use crate::servers::{Server, told};
use crate::stand_in::{Answer, StandIn, download};
use crate::world::World;

#[test]
fn e2_e13_of_wire_relative_addresses_are_resolved_against_the_registry() {
    let bytes = Server::new("tell", "1.0.0").bytes();
    let stand_in = StandIn::start(move |asked, _| match asked.path.as_str() {
        "/v1/bundles/@acme/tell/versions/latest/download?os=linux&arch=x64" => {
            Answer::json(&download("@acme/tell", "1.0.0", &bytes, "/files/x"))
        }
        "/files/x" => Answer::bytes(bytes.clone()),
        _ => Answer::status(404),
    });
    let world = world_of(&stand_in.url);
    world.mpak(&["run", "@acme/tell"]).ok();
    let asked = stand_in.asked();
    assert_eq!(asked[0].header("accept"), Some("application/json"));
    assert_eq!(asked[0].header("user-agent"), Some(concat!("mpak/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(asked[0].header("authorization"), None);
}

#[test]
fn e1_a_busy_registry_is_asked_again_later() {
    let bytes = Server::new("tell", "1.0.0").bytes();
    let stand_in = StandIn::start(move |asked, before| match (before, asked.path.as_str()) {
        (0, _) => Answer::status(500).header("retry-after", "1"),
        (1, _) => Answer::status(429).header("retry-after", "1"),
        (_, "/x") => Answer::bytes(bytes.clone()),
        _ => Answer::json(&download("@acme/tell", "1.0.0", &bytes, "/x")),
    });
    let ran = world_of(&stand_in.url).mpak(&["run", "@acme/tell"]);
    assert!(ran.stderr.contains("is busy; trying again in 1 s"), "{}", ran.stderr);
    ran.ok();

    let stand_in = StandIn::start(|_, _| Answer::status(429).header("retry-after", "3600"));
    let error = world_of(&stand_in.url).mpak(&["run", "@acme/tell"]).fails(6);
    assert!(error.contains("is busy and asks to wait 3600 s"), "{error}");
    assert_eq!(stand_in.asked().len(), 1);
}

#[test]
fn e3_a_copy_of_another_client_is_verified_before_it_is_believed() {
    let world = World::new();
    let registry = Registry::start(&world);
    for version in ["1.0.0", "2.0.0"] {
        Server::new("tell", version).config(&[version], &json!({})).publish(&registry, "@acme/tell", "any");
    }
    let copy = |world: &World| {
        let entry = "home/.mpak/cache/acme-tell";
        let manifest = mpak_testkit::zip::good_manifest().to_string();
        world.write(&format!("{entry}/manifest.json"), manifest);
        world.write(&format!("{entry}/server/index.js"), "console.log('arg:evil')");
        world.write(
            &format!("{entry}/.mpak-meta.json"),
            r#"{"version":"1.0.0","pulledAt":"2026-01-01T00:00:00.000Z","platform":{"os":"any","arch":"any"}}"#,
        );
    };
    let online = world_of(&registry.url);
    copy(&online);
    // the version of the copy, in the registry's bytes
    assert_eq!(told(&online.mpak(&["run", "@acme/tell"]).ok(), "arg"), ["1.0.0"]);
    assert!(online.path("home/.mpak/cache/acme-tell/server/tell").is_file(), "the copy is replaced too");

    let offline = world_of(&registry.url);
    copy(&offline);
    registry.kill();
    let ran = offline.mpak(&["run", "@acme/tell"]);
    assert_eq!(ran.stdout, "");
    assert!(ran.fails(4).contains("was never verified against this registry"));
}

#[test]
fn e3_e4_e6_the_copy_for_other_clients_is_whole_and_nothing_else_is_in_their_way() {
    let world = World::new();
    let registry = Registry::start(&world);
    Server::new("tell", "1.0.0").publish(&registry, "@acme/tell", "any");
    let world = world_of(&registry.url);
    world.mpak(&["run", "@acme/tell"]).ok();
    let home = world.path("home/.mpak");
    assert_eq!(fs::read_dir(home.join("cache")).unwrap().count(), 1);
    let copy = home.join("cache/acme-tell");
    let meta: serde_json::Value = serde_json::from_slice(&fs::read(copy.join(".mpak-meta.json")).unwrap()).unwrap();
    let keys: Vec<_> = meta.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["version", "pulledAt", "lastCheckedAt", "platform"]);
    assert_eq!(meta["platform"], json!({"os": "any", "arch": "any"}));
    let mut copied = all_paths(&copy);
    assert!(copied.iter().all(|p| !p.is_symlink()));
    copied.retain(|p| p.is_file() && !p.ends_with(".mpak-meta.json"));
    assert_eq!(copied.len(), 2);
    let tell = std::process::Command::new(copy.join("server/tell")).output().unwrap();
    assert!(tell.status.success(), "another client can start it");
    assert!(!home.join("config.json").exists(), "running stores no settings");
}

#[test]
fn e7_a_local_file_has_the_folder_that_other_clients_use() {
    let world = World::new();
    local(&world, Server::new("tell", "1.0.0"), &[]).ok();
    let entries: Vec<_> = fs::read_dir(world.path("home/.mpak/cache/_local")).unwrap().flatten().collect();
    assert_eq!(entries.len(), 1);
    let name = entries[0].file_name().to_string_lossy().into_owned();
    assert!(name.len() == 12 && name.chars().all(|c| c.is_ascii_hexdigit()));
    let meta = fs::read_to_string(entries[0].path().join(".mpak-local-meta.json")).unwrap();
    let path = world.path("local.mcpb").display().to_string();
    assert!(meta.starts_with(&format!("{{\"localPath\":\"{path}\",\"extractedAt\":\"")), "{meta}");
}

#[test]
fn e9_damaged_settings_are_named_and_help_still_helps() {
    let world = World::new();
    world.write("home/.mpak/config.json", "{\"version\":");
    for args in [&["--help"][..], &["--version"], &["run", "--help"], &["completion", "bash"]] {
        world.mpak(args).ok();
    }
    let error = local(&world, Server::new("tell", "1.0.0"), &[]).fails(7);
    assert!(error.contains("home/.mpak/config.json` is damaged"), "{error}");
    assert!(error.contains("help: "), "{error}");
    assert!(
        world.mpak(&["config", "list", "--json"]).json()["error"]["message"].as_str().unwrap().contains("is damaged")
    );
}

#[test]
fn e10_names_that_share_a_folder_are_never_confused() {
    let world = World::new();
    let registry = Registry::start(&world);
    for name in ["@a-b/c", "@a/b-c"] {
        let base = name.split_once('/').unwrap().1;
        Server::new(base, "1.0.0").config(&[name], &json!({})).publish(&registry, name, "any");
    }
    let world = world_of(&registry.url);
    for name in ["@a-b/c", "@a/b-c", "@a-b/c", "@a/b-c"] {
        assert_eq!(told(&world.mpak(&["run", name]).ok(), "arg"), [name]);
    }
    registry.kill();
    for name in ["@a-b/c", "@a/b-c"] {
        assert_eq!(told(&world.mpak(&["run", name]).ok(), "arg"), [name]);
    }
}

#[test]
fn e11_an_installed_bundle_for_another_machine_is_not_run() {
    let world = World::new();
    let registry = Registry::start(&world);
    Server::new("tell", "1.0.0").config(&["x"], &json!({})).publish(&registry, "@acme/tell", "any");
    let world = world_of(&registry.url);
    world.mpak(&["run", "@acme/tell"]).ok();
    let record = all_paths(&world.path("home/.mpak/state/registries")).into_iter().find(|p| p.is_file()).unwrap();
    let text = fs::read_to_string(&record).unwrap().replace(r#""os":"any""#, r#""os":"darwin""#);
    fs::write(&record, text).unwrap();
    world.mpak(&["run", "@acme/tell"]).ok();
    registry.kill();
    fs::write(&record, fs::read_to_string(&record).unwrap().replace(r#""os":"any""#, r#""os":"darwin""#)).unwrap();
    world.mpak(&["run", "@acme/tell"]).fails(4);
}

#[test]
fn registries_do_not_share_what_a_name_means() {
    let world = World::new();
    let registry = Registry::start(&world);
    Server::new("tell", "1.0.0").publish(&registry, "@acme/tell", "any");
    world.mpak(&["run", "@acme/tell", "--registry", &registry.url]).ok();
    let other = StandIn::start(|_, _| Answer::status(404));
    world.mpak(&["run", "@acme/tell", "--registry", &other.url]).fails(5);
}
