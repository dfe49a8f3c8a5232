//! `mpak publish` as a user meets it.

use mpak_testkit::zip::{good_bundle, good_manifest};
use serde_json::Value;

use crate::registry::Registry;
use crate::world::World;

/// A bundle `widget.mcpb` in the world, with changes to its manifest.
fn widget(world: &World, change: impl FnOnce(&mut Value), body: &str) -> String {
    let mut manifest = good_manifest();
    manifest["name"] = "widget".into();
    change(&mut manifest);
    let entry = manifest["server"]["entry_point"].as_str().expect("an entry point").to_owned();
    let bytes = good_bundle(&manifest, &[(entry.as_str(), body.as_bytes())]);
    world.write("widget.mcpb", bytes).display().to_string()
}

fn connected(world: World, registry: &Registry) -> World {
    world.with("MPAK_REGISTRY_URL", &registry.url).with("MPAK_TOKEN", &registry.token)
}

#[test]
fn a_bundle_is_published_once_and_unchanged_after_that() {
    let world = World::new();
    let registry = Registry::start(&world);
    let world = connected(world, &registry);
    let file = widget(&world, |_| {}, "// one");
    let first = world.mpak(&["publish", &file, "--name", "@acme/widget"]);
    assert!(first.stderr.starts_with("published @acme/widget "), "{}", first.stderr);
    assert!(first.ok().contains("/packages/@acme/widget"));
    let second = world.mpak(&["publish", &file, "--name", "@acme/widget", "--json"]);
    assert_eq!(second.json()["published"][0]["status"], "unchanged");
    assert_eq!(second.json()["published"][0]["platform"], "any");
}

#[test]
fn other_bytes_for_the_same_version_are_refused_with_the_way_on() {
    let world = World::new();
    let registry = Registry::start(&world);
    let world = connected(world, &registry);
    world.mpak(&["publish", &widget(&world, |_| {}, "// one"), "--name", "@acme/widget"]).ok();
    let refused = world.mpak(&["publish", &widget(&world, |_| {}, "// two"), "--name", "@acme/widget", "--json"]);
    assert_eq!(refused.json()["error"]["code"], "refused");
    let text = refused.fails(3);
    assert!(text.contains("exists with other bytes") && text.contains("help: "), "{text}");
}

#[test]
fn a_name_without_scope_needs_one() {
    let world = World::new().with("MPAK_TOKEN", "mpak_x").with("MPAK_REGISTRY_URL", "http://127.0.0.1:1");
    let file = widget(&world, |_| {}, "// one");
    assert!(world.mpak(&["publish", &file]).fails(2).contains("--name @you/widget"));
    let other = world.mpak(&["publish", &file, "--name", "@acme/other"]).fails(2);
    assert!(other.contains("its last part must be the same"), "{other}");
}

#[test]
fn a_version_that_is_none_is_refused_before_anything_is_sent() {
    let world = World::new().with("MPAK_TOKEN", "mpak_x").with("MPAK_REGISTRY_URL", "http://127.0.0.1:1");
    let file = widget(&world, |m| m["version"] = "banana".into(), "// one");
    assert!(world.mpak(&["publish", &file, "--name", "@acme/widget"]).fails(3).contains("banana"));
}

#[test]
fn a_publisher_is_told_when_nobody_sees_it_yet() {
    let world = World::new();
    let registry = Registry::start(&world);
    let world = connected(world, &registry);
    let file = widget(&world, |_| {}, "// one");
    for _ in 0..2 {
        let told = world.mpak(&["publish", &file, "--name", "@antropic/widget"]);
        let why =
            "nobody sees it before an administrator of the registry decides: the scope `@antropic` could be taken";
        assert!(told.code == 0 && told.stderr.contains(why), "{}", told.stderr);
    }
    let plain = world.mpak(&["publish", &file, "--name", "@acme/widget"]);
    assert!(plain.code == 0 && !plain.stderr.contains("nobody sees it"), "{}", plain.stderr);
}

#[test]
fn what_is_no_bundle_is_not_sent() {
    let world = World::new().with("MPAK_TOKEN", "mpak_x").with("MPAK_REGISTRY_URL", "http://127.0.0.1:1");
    world.write("x.mcpb", "not a zip");
    world.mpak(&["publish", "x.mcpb", "--name", "@acme/x"]).fails(65);
    world.mpak(&["publish", "missing.mcpb", "--name", "@acme/x"]).fails(5);
}

#[test]
fn native_code_is_offered_for_its_own_platform_only() {
    let world = World::new().with("MPAK_TOKEN", "mpak_x").with("MPAK_REGISTRY_URL", "http://127.0.0.1:1");
    // The first 20 bytes of an ELF file for x86-64 Linux.
    let elf = "\x7fELF\u{2}\u{1}\u{1}\0\0\0\0\0\0\0\0\0\u{3}\0\u{3e}\0";
    let file = widget(&world, |_| {}, elf);
    let refused = world.mpak(&["publish", &file, "--name", "@acme/widget", "--platform", "any"]).fails(3);
    assert!(refused.contains("its native code fits linux-x64"), "{refused}");
}

#[test]
fn a_token_is_needed_and_never_travels_in_the_clear() {
    let world = World::new().with("MPAK_REGISTRY_URL", "http://registry.test");
    let file = widget(&world, |_| {}, "// one");
    assert!(world.mpak(&["publish", &file, "--name", "@acme/widget"]).fails(2).contains("MPAK_TOKEN"));
    let world = world.with("MPAK_TOKEN", "mpak_secret");
    let refused = world.mpak(&["publish", &file, "--name", "@acme/widget"]);
    assert!(
        refused.stderr.contains("never sent over http") && !refused.stderr.contains("mpak_secret"),
        "{}",
        refused.stderr
    );
    assert_ne!(refused.code, 0);
}
