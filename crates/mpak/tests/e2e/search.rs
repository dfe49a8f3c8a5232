//! `mpak search` as a user meets it.

use serde_json::json;

use crate::registry::Registry;
use crate::servers::Server;
use crate::stand_in::{Answer, StandIn};
use crate::world::World;

#[test]
fn packages_are_found_for_people_and_programs() {
    let world = World::new();
    let registry = Registry::start(&world);
    Server::new("tell", "1.0.0").publish(&registry, "@acme/tell", "any");
    let world = World::new().with("MPAK_REGISTRY_URL", &registry.url);

    let ran = world.mpak(&["search", "tell"]);
    assert_eq!(ran.stdout, "");
    let expected = "\nFound 1 result(s) for \"tell\":\n\nBundles (1):\n\n\
        NAME        VERSION  TRUST  DESCRIPTION\n\
        @acme/tell  1.0.0    -      Tells what it was started with.\n\n\
        Use \"mpak bundle show <name>\" for details.\n";
    assert_eq!(ran.stderr, expected);
    ran.ok();

    let ran = world.mpak(&["bundle", "search", "tell", "--type", "binary"]);
    assert!(ran.stderr.starts_with("\nFound 1 bundle(s) for \"tell\":\n\nNAME        VERSION  TRUST  DESCRIPTION"));
    assert!(ran.stderr.contains("@acme/tell  v1.0.0 "), "{}", ran.stderr);

    let found = world.mpak(&["search", "tell", "--json"]).json();
    assert_eq!(found["totals"], json!({"bundles": 1}));
    assert_eq!(found["results"][0]["name"], "@acme/tell");
    let found = world.mpak(&["bundle", "search", "tell", "--json"]).json();
    assert_eq!((&found["total"], &found["bundles"][0]["name"]), (&json!(1), &json!("@acme/tell")));
}

#[test]
fn nothing_found_is_said_and_is_json_too() {
    let world = World::new();
    let registry = Registry::start(&world);
    let ask = |args: &[&str]| world.mpak(&[args, &["--registry", &registry.url]].concat());
    assert_eq!(ask(&["search", "none"]).stderr, "\nNo results found for \"none\"\n");
    assert_eq!(ask(&["bundle", "search", "none"]).stderr, "\nNo bundles found for \"none\"\n");
    assert_eq!(ask(&["search", "none", "--json"]).json(), json!({"results": [], "totals": {"bundles": 0}}));
    ask(&["search", "none"]).ok();
}

#[test]
fn the_query_reaches_the_registry_as_it_is() {
    let stand_in = StandIn::start(|_, _| {
        Answer::json(&json!({"bundles": [], "total": 0, "pagination": {"limit": 5, "offset": 10, "has_more": false}}))
    });
    let world = World::new().with("MPAK_REGISTRY_URL", &stand_in.url);
    let flags = ["--type", "node", "--sort", "name", "--limit", "5", "--offset", "10"];
    world.mpak(&[&["bundle", "search", "a&b=c ü"], &flags[..]].concat()).ok();
    assert_eq!(stand_in.asked()[0].path, "/v1/bundles/search?q=a%26b%3Dc+%C3%BC&type=node&sort=name&limit=5&offset=10");
    world.mpak(&["search", "x", "--limit", "101"]).fails(2);
    world.mpak(&["search", "x", "--sort", "stars"]).fails(2);
}

#[test]
fn texts_of_a_hostile_registry_do_not_reach_the_terminal() {
    let stand_in = StandIn::start(|_, _| {
        let evil = "\u{1b}]0;owned\u{7}\u{202e}x\nfake line";
        Answer::json(&json!({
            "bundles": [{"name": evil, "latest_version": evil, "description": evil, "tools": "a text",
                "certification_level": 0}],
            "total": 30, "pagination": {"limit": 20, "offset": 0, "has_more": true},
        }))
    });
    let world = World::new().with("MPAK_REGISTRY_URL", &stand_in.url);
    for command in [&["search", "x"][..], &["bundle", "search", "x"]] {
        let ran = world.mpak(command);
        assert!(!ran.stderr.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{}", ran.stderr);
        assert!(!ran.stderr.contains("\nfake line"));
        assert!(ran.stderr.contains("L0") && ran.stderr.contains("--offset 1 to see more"), "{}", ran.stderr);
        ran.ok();
    }
}

#[test]
fn errors_have_an_exit_code_and_are_json_too() {
    let stand_in =
        StandIn::start(|_, before| if before % 2 == 0 { Answer::bytes(b"<html>".into()) } else { Answer::status(502) });
    let world = World::new().with("MPAK_REGISTRY_URL", &stand_in.url);
    assert!(world.mpak(&["search", "x"]).fails(6).contains("is not what the API promises"));
    let ran = world.mpak(&["search", "x", "--json"]);
    assert_eq!(ran.json()["error"]["code"], "network");
    assert!(ran.fails(6).contains("answers 502"));
}
