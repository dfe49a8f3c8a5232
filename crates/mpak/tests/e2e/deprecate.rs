//! `mpak deprecate` and `mpak undeprecate` as a user meets them.

use crate::yank::published;

#[test]
fn a_deprecated_package_is_installed_with_a_warning_and_the_way_on() {
    let (world, _registry) = published(&["1.0.0"]);
    world.mpak(&["deprecate", "@acme/widget", "no longer maintained", "--use", "@acme/gadget"]).ok();
    let pulled = world.mpak(&["pull", "@acme/widget", "--json"]);
    assert!(pulled.stderr.contains("no longer maintained") && pulled.stderr.contains("@acme/gadget"), "{pulled:?}");
    assert_eq!(pulled.json()["version"], "1.0.0");
    world.mpak(&["undeprecate", "@acme/widget"]).ok();
    assert!(!world.mpak(&["pull", "@acme/widget", "--json"]).stderr.contains("deprecated"));
}

#[test]
fn a_deprecation_is_about_a_whole_package_and_says_something() {
    let (world, _registry) = published(&["1.0.0"]);
    assert!(world.mpak(&["deprecate", "@acme/widget@1.0.0", "old"]).fails(2).contains("leave `@1.0.0` out"));
    assert!(world.mpak(&["deprecate", "@acme/widget", ""]).fails(3).contains("the message must have"));
    let itself = world.mpak(&["deprecate", "@acme/widget", "old", "--use", "@acme/widget"]);
    assert!(itself.fails(3).contains("cannot replace"));
}
