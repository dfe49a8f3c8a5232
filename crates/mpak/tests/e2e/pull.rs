//! `mpak pull` as a user meets it.

use std::fs;

use serde_json::json;

use crate::registry::Registry;
use crate::servers::Server;
use crate::stand_in::{Answer, StandIn, download};
use crate::world::World;

#[test]
fn the_bundle_is_written_under_its_name_and_with_json_alone_nowhere() {
    let world = World::new();
    let registry = Registry::start(&world);
    let digest = Server::new("tell", "1.0.0").publish(&registry, "@acme/tell", "linux-x64");
    let pull = |args: &[&str]| world.mpak(&[&["pull", "@acme/tell", "--registry", &registry.url], args].concat());
    let platform = ["--os", "linux", "--arch", "x64"];
    let ran = pull(&platform);
    let file = world.path("acme-tell-1.0.0-linux-x64.mcpb");
    let bytes = fs::read(&file).unwrap();
    assert_eq!(mpak_bundle::digest::Sha256::of(&bytes), digest);
    assert_eq!(ran.stdout, "");
    let shown = file.canonicalize().unwrap().display().to_string();
    for line in [
        "=> Fetching @acme/tell (latest)...\n   Platform: linux-x64\n   Version: 1.0.0\n   Artifact: linux-x64\n   Size: ",
        &format!("=> Downloading to {shown}...\n"),
        "\n=> Bundle downloaded successfully!\n",
        &format!("   File: {shown}\n   SHA256: {}...\n", &digest.to_string()[..16]),
    ] {
        assert!(ran.stderr.contains(line), "`{line}` is missing in\n{}", ran.stderr);
    }
    ran.ok();

    fs::remove_file(&file).unwrap();
    let answer = pull(&[&platform[..], &["--json"]].concat()).json();
    assert_eq!((&answer["sha256"], &answer["size"]), (&json!(digest.to_string()), &json!(bytes.len())));
    assert_eq!((&answer["name"], &answer["version"]), (&json!("@acme/tell"), &json!("1.0.0")));
    assert!(!file.exists() && answer.get("path").is_none(), "existing scripts expect no file");
    let answer = pull(&[&platform[..], &["--json", "-o", "named.mcpb"]].concat()).json();
    assert_eq!(fs::read(answer["path"].as_str().unwrap()).unwrap(), bytes);

    world.write("other.mcpb", "old");
    pull(&[&platform[..], &["-o", "other.mcpb"]].concat()).ok();
    assert_eq!(fs::read(world.path("other.mcpb")).unwrap(), bytes);
    assert!(!world.path("home/.mpak/store").exists(), "pulling installs nothing");
}

#[test]
fn another_machines_bundle_can_be_pulled_and_a_missing_one_not() {
    let world = World::new();
    let registry = Registry::start(&world);
    Server::new("tell", "1.0.0").publish(&registry, "@acme/tell", "darwin-arm64");
    let pull = |args: &[&str]| world.mpak(&[&["bundle", "pull", "--registry", &registry.url], args].concat());
    pull(&["@acme/tell@1.0.0", "--os", "darwin", "--arch", "arm64"]).ok();
    assert!(world.path("acme-tell-1.0.0-darwin-arm64.mcpb").is_file());
    pull(&["@acme/tell", "--os", "win32", "--arch", "x64"]).fails(5);
    pull(&["@acme/tell@9.9.9", "--json"]).fails(5);
}

#[test]
fn other_bytes_than_promised_are_never_written() {
    let bytes = Server::new("tell", "1.0.0").bytes();
    let stand_in = StandIn::start(move |asked, _| {
        if asked.path == "/x" {
            return Answer::bytes(vec![0; bytes.len()]);
        }
        Answer::json(&download("@acme/tell", "1.0.0", &bytes, "/x"))
    });
    let world = World::new().with("MPAK_REGISTRY_URL", &stand_in.url);
    let error = world.mpak(&["pull", "@acme/tell", "-o", "x.mcpb"]).fails(4);
    assert!(error.contains("integrity mismatch: expected"), "{error}");
    assert!(!world.path("x.mcpb").exists());
}

/// A token is the registry's that it was given for, also where that one leads elsewhere.
#[test]
fn who_is_led_to_another_address_is_told_that_the_token_does_not_go_there() {
    let world = World::new();
    world.write("one.toml", "data = 'one'\n[access]\nreads = 'private'\n");
    let one = Registry::start_configured(&world, "one");
    world.write("two.toml", format!("data = 'two'\npublic_url = '{}'\n[access]\nreads = 'private'\n", one.url));
    let two = Registry::start_configured(&world, "two");
    let host = one.url.strip_prefix("http://").unwrap();
    let world = world.with("MPAK_TOKEN", &two.token);
    let told = world.mpak(&["pull", "@acme/widget", "--registry", &two.url]).fails(3);
    assert!(told.contains(&format!("{host}, where {} leads, does not allow it", two.url)), "{told}");
    assert!(told.contains("`public_url`") && !told.contains("log in with"), "{told}");
    // One that refuses itself says so itself.
    let world = world.with("MPAK_TOKEN", "mpak_wrong");
    let told = world.mpak(&["pull", "@acme/widget", "--registry", &one.url]).fails(3);
    assert!(told.contains(&format!("{} does not allow it", one.url)) && told.contains("log in with"), "{told}");
}
