//! `mpak logout` as a user meets it.

use crate::login::log_in;
use crate::registry::Registry;
use crate::world::World;

#[test]
fn the_token_ends_there_and_here() {
    let world = World::new();
    let registry = Registry::start(&world);
    let world = world.with("MPAK_REGISTRY_URL", &registry.url);
    assert!(world.mpak(&["logout"]).fails(1).contains("not logged in"));
    log_in(&world, &registry);
    let secrets = std::fs::read_to_string(world.path("home/.mpak/secrets")).expect("secrets");
    let token = secrets.split('"').find(|part| part.starts_with("mpak_")).expect("a token").to_owned();
    assert_eq!(world.mpak(&["logout", "--json"]).json()["revoked"], true);
    assert!(!std::fs::read_to_string(world.path("home/.mpak/secrets")).expect("secrets").contains(&token));
    assert!(world.mpak(&["whoami"]).fails(1).contains("nobody is logged in"));
    // Whoever copied it has nothing.
    let copied = world.with("MPAK_TOKEN", &token).mpak(&["whoami"]);
    assert!(copied.fails(1).contains("does not accept the token"));
}

#[test]
fn without_the_registry_it_is_forgotten_only_when_told_so() {
    let world = World::new();
    let registry = Registry::start(&world);
    let world = world.with("MPAK_REGISTRY_URL", &registry.url);
    log_in(&world, &registry);
    registry.kill();
    assert!(world.mpak(&["logout"]).fails(6).contains("--local"));
    assert_eq!(world.mpak(&["logout", "--local", "--json"]).json()["revoked"], false);
    assert!(world.mpak(&["logout", "--local"]).fails(1).contains("not logged in"));
}
