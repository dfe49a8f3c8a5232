//! `mpak whoami` as a user meets it.

use crate::login::log_in;
use crate::registry::Registry;
use crate::world::World;

#[test]
fn it_tells_the_person_or_the_token_or_nobody() {
    let world = World::new();
    let registry = Registry::start(&world);
    let world = world.with("MPAK_REGISTRY_URL", &registry.url);
    let nobody = world.mpak(&["whoami", "--json"]);
    assert_eq!(nobody.json()["error"]["code"], "no");
    assert!(nobody.fails(1).contains("mpak login"));
    log_in(&world, &registry);
    assert_eq!(world.mpak(&["whoami"]).ok().trim(), "admin");
    let me = world.mpak(&["whoami", "--json"]).json();
    assert_eq!(me["me"]["role"], "admin");
    assert_eq!(me["me"]["token"]["name"], "mpak login on desk");
    // MPAK_TOKEN wins over the login.
    let token = world.with("MPAK_TOKEN", &registry.token).mpak(&["whoami", "--json"]).json();
    assert_eq!(token["me"]["login"], serde_json::Value::Null);
    assert_eq!(token["me"]["token"]["name"], "test");
}

#[test]
fn the_token_of_the_environment_goes_to_the_registry_of_the_environment_only() {
    let world = World::new();
    let registry = Registry::start(&world);
    let ask = |world: &World, url: &str| world.mpak(&["whoami", "--registry", url]);
    let world = world.with("MPAK_TOKEN", &registry.token);
    assert_eq!(ask(&world, &registry.url).ok().trim(), "test", "nothing else tells whose it is");
    let world = world.with("MPAK_REGISTRY_URL", format!("{}/", registry.url));
    assert_eq!(ask(&world, &registry.url).ok().trim(), "test");
    let world = world.with("MPAK_REGISTRY_URL", "https://registry.example");
    let told = ask(&world, &registry.url).fails(1);
    assert!(told.contains("MPAK_TOKEN belongs to https://registry.example; it is not sent to"), "{told}");
    // What this registry gave to this machine is.
    let world = world.with("MPAK_REGISTRY_URL", &registry.url);
    log_in(&world, &registry);
    let world = world.with("MPAK_REGISTRY_URL", "https://registry.example");
    assert_eq!(ask(&world, &registry.url).ok().trim(), "admin");
}
