//! What all commands share: version, help, and wrong calls.

use serde_json::json;

use crate::world::World;

#[test]
fn the_version_stands_alone_under_each_of_its_flags() {
    let world = World::new();
    for flag in ["-v", "-V", "--version"] {
        assert_eq!(world.mpak(&[flag]).ok(), concat!(env!("CARGO_PKG_VERSION"), "\n"), "{flag}");
    }
}

#[test]
fn wrong_calls_are_json_when_json_is_asked_for() {
    let world = World::new();
    let ran = world.mpak(&["search", "--json"]);
    let error = &ran.json()["error"];
    assert_eq!(error["code"], "usage");
    assert_eq!(error["message"], "the following required arguments were not provided: <QUERY>");
    assert_eq!(error["help"], json!(["Usage: mpak search --json <QUERY>", "For more information, try '--help'."]));
    assert!(ran.fails(2).starts_with("error: the following"));

    for args in [&["search"][..], &["fly"], &[], &["run", "--", "--json", "--nonsense"]] {
        let ran = world.mpak(args);
        assert_eq!(ran.stdout, "", "{args:?}");
        ran.fails(2);
    }
}
