//! `mpak admin` as an administrator meets it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::registry::Registry;
use crate::world::World;

fn data(world: &World) -> String {
    world.path("registry").display().to_string()
}

#[test]
fn a_token_is_made_listed_and_revoked_while_the_server_runs() {
    let world = World::new();
    let _registry = Registry::start(&world);
    let data = data(&world);
    let made = world.mpak(&[
        "admin",
        "token",
        "create",
        "--data",
        &data,
        "--name",
        "ci",
        "--package",
        "@acme/*",
        "--package",
        "@b/c",
        "--days",
        "7",
        "--json",
    ]);
    let made = made.json();
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with("mpak_") && token.len() == 48, "{token}");
    assert_eq!(made["name"], "ci");
    assert_eq!(made["packages"], serde_json::json!(["@acme/*", "@b/c"]));
    assert!(made["expires_at"].as_str().unwrap().ends_with('Z'));

    let listed = world.mpak(&["admin", "token", "list", "--data", &data, "--json"]).json();
    let names: Vec<_> = listed["tokens"].as_array().unwrap().iter().map(|t| t["name"].clone()).collect();
    assert_eq!(names, ["first-token", "test", "ci"]);
    let table = world.mpak(&["admin", "token", "list", "--data", &data]).ok();
    assert!(table.contains("@acme/* @b/c") && !table.contains(token), "{table}");

    let id = made["id"].to_string();
    world.mpak(&["admin", "token", "revoke", &id, "--data", &data]).ok();
    let listed = world.mpak(&["admin", "token", "list", "--data", &data, "--json"]).json();
    assert_eq!(listed["tokens"][2]["state"], "revoked");
    let again = world.mpak(&["admin", "token", "revoke", &id, "--data", &data]).fails(5);
    assert!(again.contains("mpak admin token list"), "{again}");
}

#[test]
fn a_folder_that_is_no_registry_is_told_and_not_made_one() {
    let world = World::new();
    for args in [&["list", "--data", "typo"][..], &["revoke", "1", "--data", "typo"]] {
        let error = world.mpak(&[&["admin", "token"], args].concat()).fails(5);
        assert!(error.contains("there is no registry in `typo`\n  help: "), "{error}");
        assert!(!world.path("typo").exists());
    }
}

#[test]
fn without_json_only_the_token_is_on_stdout() {
    let world = World::new();
    let ran = world.mpak(&["admin", "token", "create", "--data", &data(&world), "--name", "ci"]);
    assert!(ran.stderr.contains("not shown again"), "{}", ran.stderr);
    let stdout = ran.ok();
    assert_eq!(stdout.lines().count(), 1);
    assert!(stdout.starts_with("mpak_"), "{stdout}");
}

#[test]
fn a_token_that_makes_no_sense_is_a_usage_error() {
    let world = World::new();
    let data = data(&world);
    for arguments in [
        ["--name", "", "--days", "1"],
        ["--name", "ci", "--days", "0"],
        ["--name", "ci", "--days", "91"],
        ["--name", "ci", "--package", "acme"],
    ] {
        let command = [&["admin", "token", "create", "--data", &data, "--json"][..], &arguments].concat();
        let ran = world.mpak(&command);
        assert_eq!(ran.json()["error"]["code"], "usage", "{arguments:?}");
        ran.fails(2);
    }
}

#[test]
fn the_data_folder_has_a_usual_place() {
    let world = World::new();
    world.mpak(&["admin", "token", "create", "--name", "ci"]).ok();
    assert!(world.path("home/.mpak/registry/registry.db").exists());
}
