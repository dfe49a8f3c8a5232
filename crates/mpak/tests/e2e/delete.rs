//! `mpak delete` as a user meets it.

use crate::yank::published;

#[test]
fn a_version_is_deleted_for_good_and_only_when_meant() {
    let (world, _registry) = published(&["1.0.0", "1.1.0"]);
    let asked = world.mpak(&["delete", "@acme/widget@1.1.0"]).fails(7);
    assert!(asked.contains("mpak delete @acme/widget@1.1.0 --yes") && asked.contains("mpak yank"), "{asked}");
    let gone = world.mpak(&["delete", "@acme/widget@1.1.0", "--yes"]);
    assert!(gone.stderr.contains("deleted 1 version of @acme/widget"), "{}", gone.stderr);
    world.mpak(&["pull", "@acme/widget@1.1.0", "--json"]).fails(5);
    let file = world.path("widget.mcpb").display().to_string();
    assert!(world.mpak(&["publish", &file, "--name", "@acme/widget"]).fails(3).contains("never used again"));
    let whole = world.mpak(&["unpublish", "@acme/widget", "--yes", "--json"]).json();
    assert_eq!((&whole["package"], &whole["versions"][0]), (&true.into(), &"1.0.0".into()));
    world.mpak(&["show", "@acme/widget"]).fails(5);
}
