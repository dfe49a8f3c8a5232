//! `mpak show` as a user meets it.

use serde_json::json;

use crate::registry::Registry;
use crate::servers::Server;
use crate::stand_in::{Answer, StandIn};
use crate::world::World;
use crate::yank::published;

#[test]
fn a_package_is_shown_for_people_and_programs() {
    let world = World::new();
    let registry = Registry::start(&world);
    Server::new("tell", "1.0.0").publish(&registry, "@acme/tell", "any");
    Server::new("tell", "1.1.0").publish(&registry, "@acme/tell", "linux-x64");
    let world = World::new().with("MPAK_REGISTRY_URL", &registry.url);
    let ran = world.mpak(&["show", "@acme/tell"]);
    assert_eq!(ran.stdout, "");
    for part in [
        "tell v1.1.0\n",
        "Tells what it was started with.\n",
        "Bundle Information:\n  Name: @acme/tell\n  Author: Tester\n  Type: binary\n",
        "Statistics:\n  Downloads: 0\n",
        "Tools (1):\n  - tell: Tells it.\n",
        "Versions (2):\n  1.1.0 (latest) - 20",
        "downloads [linux-x64]\n",
        "Available Platforms:\n  - linux-x64\n",
        "Pull (download only):\n  mpak bundle pull @acme/tell\n",
    ] {
        assert!(ran.stderr.contains(part), "`{part}` is missing in\n{}", ran.stderr);
    }
    ran.ok();
    let json = world.mpak(&["bundle", "show", "@acme/tell", "--json"]).json();
    assert_eq!((&json["name"], &json["latest_version"]), (&json!("@acme/tell"), &json!("1.1.0")));
    assert_eq!(json["versions_detail"][0]["platforms"], json!([{"os": "linux", "arch": "x64"}]));
}

#[test]
fn what_became_of_a_package_is_shown() {
    let (world, _registry) = published(&["1.0.0", "1.1.0"]);
    world.mpak(&["yank", "@acme/widget@1.1.0"]).ok();
    world.mpak(&["deprecate", "@acme/widget", "Not maintained"]).ok();
    let shown = world.mpak(&["show", "@acme/widget"]);
    for part in ["\nDeprecated: Not maintained\n", "  1.1.0 (yanked) - ", "  1.0.0 (latest) - "] {
        assert!(shown.stderr.contains(part), "`{part}` is missing in\n{}", shown.stderr);
    }
    let json = world.mpak(&["show", "@acme/widget", "--json"]).json();
    assert_eq!((&json["yanked"], &json["deprecated"]["message"]), (&json!(["1.1.0"]), &json!("Not maintained")));
}

#[test]
fn a_package_that_is_not_there_is_exit_code_5() {
    let world = World::new();
    let registry = Registry::start(&world);
    let ran = world.mpak(&["show", "@acme/none", "--json", "--registry", &registry.url]);
    assert_eq!(ran.json()["error"]["code"], "not_found");
    assert!(ran.fails(5).contains("@acme/none was not found"));
    world.mpak(&["show", "none", "--registry", &registry.url]).fails(2);
}

#[test]
fn texts_of_a_hostile_registry_do_not_reach_the_terminal() {
    let stand_in = StandIn::start(|asked, _| {
        let evil = "\u{1b}[2Jx\u{202e}";
        if asked.path.ends_with("/versions") {
            return Answer::json(&json!({"name": evil, "latest": evil, "versions": [{
                "version": evil, "published_at": evil, "downloads": 1, "platforms": [{"os": evil, "arch": evil}],
                "provenance": evil}]}));
        }
        Answer::json(&json!({
            "name": evil, "display_name": evil, "description": evil, "author": {"name": evil}, "latest_version": evil,
            "server_type": evil, "license": evil, "homepage": evil, "published_at": evil,
            "tools": [{"name": evil, "description": evil}, 7],
            "provenance": {"repository": evil, "sha": evil, "provider": evil, "schema_version": 1},
            "certification_level": 9,
        }))
    });
    let world = World::new().with("MPAK_REGISTRY_URL", &stand_in.url);
    let ran = world.mpak(&["show", "@acme/tell"]);
    assert!(!ran.stderr.contains(['\u{1b}', '\u{202e}']), "{}", ran.stderr);
    assert!(ran.stderr.contains("Tools (1):") && ran.stderr.contains("Trust: L9"));
    ran.ok();
}
