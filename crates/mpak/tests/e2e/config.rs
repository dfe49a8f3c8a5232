//! `mpak config` as a user meets it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::servers::Server;
use crate::world::World;

fn text(world: &World, path: &str) -> String {
    fs::read_to_string(world.path("home/.mpak").join(path)).unwrap_or_default()
}

#[test]
fn values_are_set_shown_masked_and_cleared() {
    let world = World::new();
    let config = |args: &[&str]| world.mpak(&[&["config"], args].concat()).ok();
    assert_eq!(config(&["list"]), "No packages have stored config\n");
    assert_eq!(config(&["get", "@a/b"]), "No config stored for @a/b\n");
    assert_eq!(config(&["get", "@a/b", "--json"]), "{}\n");
    assert_eq!(config(&["set", "@a/b", "key=abcdefg", "x=a=b", "--plain"]), "Set 2 config value(s) for @a/b\n");
    assert_eq!(config(&["get", "@a/b"]), "Config for @a/b:\n  key: abcd***\n  x: ***\n");
    assert_eq!(config(&["list"]), "Packages with stored config:\n@a/b (2 values)\n");
    assert_eq!(config(&["list", "--json"]), "[\n  \"@a/b\"\n]\n");
    assert_eq!(config(&["clear", "@a/b", "none"]), "No value found for none in @a/b\n");
    assert_eq!(config(&["clear", "@a/b", "x"]), "Cleared x for @a/b\n");
    assert_eq!(config(&["list"]), "Packages with stored config:\n@a/b (1 value)\n");
    assert_eq!(config(&["clear", "@a/b"]), "Cleared all config for @a/b\n");
    assert_eq!(config(&["clear", "@a/b"]), "No config found for @a/b\n");
    let json = |args: &[&str]| world.mpak(&[&["config"], args, &["--json"]].concat()).json();
    assert_eq!(json(&["set", "@a/b", "k=v"]), json!({"package": "@a/b", "set": ["k"]}));
    assert_eq!(json(&["clear", "@a/b", "k"]), json!({"package": "@a/b", "key": "k", "cleared": true}));
    assert_eq!(json(&["clear", "@a/b"]), json!({"package": "@a/b", "key": null, "cleared": false}));
    assert_eq!(json(&["registry", "http://localhost:1"]), json!({"registry": "http://localhost:1"}));
    world.mpak(&["config", "set", "@a/b", "novalue"]).fails(1);
    world.mpak(&["config", "set", "@a/b"]).fails(2);
}

#[test]
fn e5_e8_other_clients_can_read_what_is_plain() {
    let world = World::new();
    world.mpak(&["config", "set", "@a/b", "url=http://x/?a=b", "wort=größe", "--plain"]).ok();
    let file: serde_json::Value = serde_json::from_str(&text(&world, "config.json")).unwrap();
    let keys: Vec<_> = file.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["version", "lastUpdated", "packages"]);
    assert_eq!(file["packages"], json!({"@a/b": {"url": "http://x/?a=b", "wort": "größe"}}));
    let mode = fs::metadata(world.path("home/.mpak/config.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(fs::metadata(world.path("home/.mpak")).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn sensitive_values_stay_out_of_the_shared_file() {
    let world = World::new();
    let option = |sensitive: bool| json!({"type": "string", "title": "T", "description": "", "sensitive": sensitive});
    let server = || Server::new("tell", "1.0.0").options(&json!({"secret": option(true), "word": option(false)}));
    let file = server().file(&world, "x.mcpb").display().to_string();
    world.mpak(&["run", "--local", &file]).ok();
    let ran = world.mpak(&["config", "set", "tell", "secret=sekret-1", "word=plain-1", "typo=x"]);
    assert!(ran.stderr.contains("`typo` is no option of tell"), "{}", ran.stderr);
    ran.ok();
    assert!(!text(&world, "config.json").contains("sekret-1") && text(&world, "config.json").contains("plain-1"));
    assert!(text(&world, "secrets").contains("sekret-1") && !text(&world, "secrets").contains("plain-1"));
    let mode = fs::metadata(world.path("home/.mpak/secrets")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    // a sensitive option cannot be made plain, and one of an unknown package is taken for sensitive
    world.mpak(&["config", "set", "tell", "secret=sekret-2", "--plain"]).ok();
    let ran = world.mpak(&["config", "set", "@a/b", "key=sekret-3"]);
    assert!(ran.stderr.contains("is not installed, so `key` is kept as a secret"), "{}", ran.stderr);
    assert!(!text(&world, "config.json").contains("sekret"));
}

#[test]
fn a_sensitive_value_that_another_client_stored_is_used_and_replaced() {
    let world = World::new();
    world.write(
        "home/.mpak/config.json",
        r#"{"version":"1.0.0","lastUpdated":"2026-01-01T00:00:00.000Z","packages":{"tell":{"key":"old-value"}}}"#,
    );
    let server = Server::new("tell", "1.0.0")
        .config(&["${user_config.key}"], &json!({}))
        .options(&json!({"key": {"type": "string", "title": "T", "description": "", "sensitive": true}}));
    let file = server.file(&world, "x.mcpb").display().to_string();
    assert!(world.mpak(&["run", "--local", &file]).ok().contains("arg:old-value\n"));
    world.mpak(&["config", "set", "tell", "key=new-value"]).ok();
    assert!(!text(&world, "config.json").contains("-value"));
    assert!(world.mpak(&["run", "--local", &file]).ok().contains("arg:new-value\n"));
}

#[test]
fn the_registry_is_flag_before_environment_before_stored_before_public() {
    let world = World::new();
    let registry = |world: &World, args: &[&str]| world.mpak(&[&["config", "registry"], args].concat()).ok();
    assert_eq!(registry(&world, &[]), "https://registry.mpak.dev\n");
    assert_eq!(registry(&world, &["http://127.0.0.1:9/"]), "http://127.0.0.1:9\n");
    assert!(world.mpak(&["search", "x"]).fails(6).contains("127.0.0.1:9"));
    assert!(world.mpak(&["search", "x", "--registry", "http://127.0.0.1:10"]).fails(6).contains("127.0.0.1:10"));
    let stored = text(&world, "config.json");
    let mut command = world.command(&["search", "x"]);
    let out = command.env("MPAK_REGISTRY_URL", "http://127.0.0.1:11").output().unwrap();
    assert!(String::from_utf8_lossy(&out.stderr).contains("127.0.0.1:11"));
    assert_eq!(text(&world, "config.json"), stored, "the variable is not stored");
    assert_eq!(registry(&world, &["--clear"]), "https://registry.mpak.dev\n");
    world.mpak(&["config", "registry", "ftp://x"]).fails(2);
}
