//! `mpak transfer` as a user meets it.

use crate::yank::published;

#[test]
fn a_rename_is_asked_for_shown_and_cancelled() {
    let (world, _registry) = published(&["1.0.0"]);
    assert!(world.mpak(&["transfer", "show", "@acme/widget"]).fails(5).contains("no transfer under way"));
    let nothing = world.mpak(&["transfer", "accept", "@acme/widget"]).fails(5);
    assert!(nothing.contains("a transfer of @acme/widget was not found"), "{nothing}");
    let asked = world.mpak(&["transfer", "request", "@acme/widget", "--name", "@acme/gizmo"]);
    assert!(asked.stderr.contains("@acme/widget becomes @acme/gizmo on "), "{}", asked.stderr);
    assert_eq!(world.mpak(&["transfer", "show", "@acme/widget", "--json"]).json()["state"], "accepted");
    let again = world.mpak(&["transfer", "request", "@acme/widget", "--name", "@acme/gadget"]);
    assert!(again.fails(3).contains("mpak transfer cancel"));
    assert!(world.mpak(&["transfer", "cancel", "@acme/widget"]).stderr.contains("is cancelled"));
    assert!(world.mpak(&["transfer", "request", "@acme/widget"]).fails(3).contains("`--name` or `--owner`"));
}

#[test]
fn another_scope_asks_the_other_side() {
    let (world, _registry) = published(&["1.0.0"]);
    let asked = world.mpak(&["transfer", "request", "@acme/widget", "--name", "@nova/widget"]);
    assert!(asked.stderr.contains("mpak transfer accept @acme/widget"), "{}", asked.stderr);
    assert!(world.mpak(&["transfer", "accept", "@acme/widget"]).stderr.contains("becomes @nova/widget on "));
}
