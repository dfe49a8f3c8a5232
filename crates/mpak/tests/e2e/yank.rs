//! `mpak yank` and `mpak unyank` as a user meets them.

use mpak_testkit::zip::{good_bundle, good_manifest};

use crate::registry::Registry;
use crate::world::World;

/// A world that may do everything at a registry which has versions of `@acme/widget`.
pub(crate) fn published(versions: &[&str]) -> (World, Registry) {
    let world = World::new();
    let registry = Registry::start(&world);
    let token = std::fs::read_to_string(world.path("registry/first-token")).expect("the first token");
    let world = world.with("MPAK_REGISTRY_URL", &registry.url).with("MPAK_TOKEN", token.trim());
    for version in versions {
        let mut manifest = good_manifest();
        manifest["name"] = "widget".into();
        manifest["version"] = (*version).into();
        let entry = manifest["server"]["entry_point"].as_str().expect("an entry point").to_owned();
        let bytes = good_bundle(&manifest, &[(entry.as_str(), version.as_bytes())]);
        let file = world.write("widget.mcpb", bytes).display().to_string();
        world.mpak(&["publish", &file, "--name", "@acme/widget"]).ok();
    }
    (world, registry)
}

#[test]
fn a_yanked_version_is_pulled_by_its_name_with_a_warning() {
    let (world, _registry) = published(&["1.0.0", "1.1.0"]);
    let yanked = world.mpak(&["yank", "@acme/widget@1.1.0", "--reason", "leaks keys"]);
    assert!(yanked.stderr.contains("@acme/widget@1.1.0 is yanked"), "{}", yanked.stderr);
    yanked.ok();
    assert_eq!(world.mpak(&["pull", "@acme/widget", "--json"]).json()["version"], "1.0.0");
    let exact = world.mpak(&["pull", "@acme/widget@1.1.0", "--json"]);
    assert!(exact.stderr.contains("withdrawn"), "{}", exact.stderr);
    assert_eq!(exact.json()["version"], "1.1.0");
    assert!(world.mpak(&["yank", "@acme/widget@1.1.0"]).stderr.contains("already yanked"));
    assert_eq!(world.mpak(&["unyank", "@acme/widget@1.1.0", "--json"]).json()["changed"], true);
    assert!(world.mpak(&["unyank", "@acme/widget@1.1.0"]).stderr.contains("@acme/widget@1.1.0 was not yanked"));
    assert_eq!(world.mpak(&["pull", "@acme/widget", "--json"]).json()["version"], "1.1.0");
}

#[test]
fn a_yank_names_one_version_and_needs_a_token() {
    let (world, registry) = published(&["1.0.0"]);
    assert!(world.mpak(&["yank", "@acme/widget"]).fails(2).contains("@acme/widget@1.2.3"));
    assert!(world.mpak(&["yank", "@acme/widget@9.9.9"]).fails(5).contains("@acme/widget@9.9.9"));
    let stranger = World::new().with("MPAK_REGISTRY_URL", &registry.url);
    assert!(stranger.mpak(&["yank", "@acme/widget@1.0.0"]).fails(2).contains("MPAK_TOKEN"));
    let publisher = World::new().with("MPAK_REGISTRY_URL", &registry.url).with("MPAK_TOKEN", &registry.token);
    assert!(publisher.mpak(&["yank", "@acme/widget@1.0.0"]).fails(3).contains("may not yank"));
}
