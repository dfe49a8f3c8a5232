//! `mpak owner` as a user meets it.

use crate::world::World;
use crate::yank::published;

#[test]
fn owners_are_listed_added_and_taken_away() {
    let (world, registry) = published(&["1.0.0"]);
    assert!(world.mpak(&["owner", "list", "@acme/widget"]).stderr.contains("has no owners"));
    assert!(world.mpak(&["owner", "add", "@acme/widget", "ada"]).fails(3).contains("no active account `ada`"));
    let data = world.path("registry").display().to_string();
    let mut tokens = Vec::new();
    for login in ["ada", "bob"] {
        let made = world.mpak(&["admin", "user", "invite", login, "--data", &data, "--json"]);
        tokens.push(made.json()["token"].as_str().expect("a token").to_owned());
        world.mpak(&["owner", "add", "@acme/widget", login]).ok();
    }
    let listed = world.mpak(&["owner", "list", "@acme/widget"]).ok();
    assert!(listed.contains("ada") && listed.contains("bob") && listed.starts_with("OWNER"), "{listed}");
    // Ada goes; Bob, the last one, stays.
    let bob = World::new().with("MPAK_REGISTRY_URL", &registry.url).with("MPAK_TOKEN", &tokens[1]);
    bob.mpak(&["owner", "remove", "@acme/widget", "ada"]).ok();
    assert!(bob.mpak(&["owner", "remove", "@acme/widget", "bob"]).fails(3).contains("the only owner"));
    let ada = World::new().with("MPAK_REGISTRY_URL", &registry.url).with("MPAK_TOKEN", &tokens[0]);
    assert!(ada.mpak(&["owner", "add", "@acme/widget", "ada"]).fails(3).contains("not an owner"));
    assert!(bob.mpak(&["owner", "allow-tokens", "@acme/widget"]).stderr.contains("1 of 2 owners"));
}
