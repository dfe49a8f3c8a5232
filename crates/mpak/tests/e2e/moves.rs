//! A registry that moves between databases and stores by `mpak admin backup` and `restore`, and what
//! `mpak admin verify` finds on PostgreSQL and an object store.

use std::collections::BTreeMap;
use std::fs;

use mpak_testkit::emulators::{Emulator, Protocol};
use mpak_testkit::postgres::Database;
use serde_json::Value;

use crate::registry::Registry;
use crate::servers::{Server, upload};
use crate::world::{Ran, World};

/// The `[storage]` section of an emulator's bucket.
pub fn storage(emulator: &Emulator) -> String {
    let id = emulator.access_key_id().map_or_else(String::new, |id| format!("access_key_id = '{id}'\n"));
    format!(
        "[storage]\nurl = '{}'\nendpoint = '{}'\npath_style = true\n{id}secret_access_key = '{}'\n",
        emulator.url(),
        emulator.endpoint(),
        emulator.secret_access_key(),
    )
}

/// Writes the configuration of a registry with its own data folder; on SQLite and a folder where nothing else
/// is said.
fn configure(world: &World, name: &str, database: Option<&Database>, store: Option<&Emulator>) {
    let database = database.map_or_else(String::new, |one| format!("[database]\nurl = '{}'\n", one.url()));
    let store = store.map_or_else(String::new, storage);
    world.write(&format!("{name}.toml"), format!("data = '{name}'\n{database}{store}"));
}

fn admin(world: &World, name: &str, arguments: &[&str]) -> Ran {
    let config = world.path(&format!("{name}.toml")).display().to_string();
    world.mpak(&[&["admin"], arguments, &["--config", &config]].concat())
}

/// Publishes two packages, one of them for two platforms.
fn fill(registry: &Registry) {
    Server::new("one", "1.0.0").publish(registry, "@acme/one", "any");
    Server::new("one", "1.0.0").publish(registry, "@acme/one", "linux-x64");
    Server::new("two", "0.3.0-rc.1").publish(registry, "@acme/two", "any");
}

/// The rows of a backup by table, in an order that no database chose.
fn rows(world: &World, backup: &str) -> BTreeMap<String, Vec<String>> {
    let table = |path: &std::path::Path| {
        let mut rows: Vec<String> = fs::read_to_string(path)
            .unwrap()
            .lines()
            .map(|row| serde_json::from_str::<Value>(row).unwrap().to_string())
            .collect();
        rows.sort();
        (path.file_name().unwrap().to_string_lossy().into_owned(), rows)
    };
    fs::read_dir(world.path(backup).join("tables")).unwrap().map(|file| table(&file.unwrap().path())).collect()
}

#[test]
fn a_registry_moves_between_databases_and_stores_and_stays_the_same() {
    let world = World::new();
    let databases = [Database::create(), Database::create()];
    let stores = [Protocol::S3, Protocol::Google, Protocol::Azure].map(Emulator::start);
    let places = ["elephant-s3", "file-folder", "elephant-google", "file-azure"];
    configure(&world, places[0], Some(&databases[0]), Some(&stores[0]));
    configure(&world, places[1], None, None);
    configure(&world, places[2], Some(&databases[1]), Some(&stores[1]));
    configure(&world, places[3], None, Some(&stores[2]));
    let registry = Registry::start_configured(&world, places[0]);
    fill(&registry);
    let token = registry.token.clone();
    let mut before = None;
    for (number, place) in places.iter().enumerate() {
        // 1. As the last one left it.
        if number > 0 {
            let from = world.path(&format!("backup-{}", number - 1)).display().to_string();
            let told = admin(&world, place, &["restore", &from, "--verify"]);
            assert!(told.stderr.contains("agree: 3 artifacts, 2 blobs hashed"), "{place}: {}", told.stderr);
            told.ok();
        }
        let to = world.path(&format!("backup-{number}")).display().to_string();
        // 2. The first one while it serves, but without what comes and goes.
        if number == 0 {
            crate::faults::site::until("the end of all jobs", || databases[0].number("SELECT count(*) FROM jobs") == 0);
        }
        admin(&world, place, &["backup", &to]).ok();
        let rows = rows(&world, &format!("backup-{number}"));
        assert!(rows["artifacts.jsonl"].len() == 3 && !rows["scans.jsonl"].is_empty(), "{rows:?}");
        assert_eq!(*before.get_or_insert(rows.clone()), rows, "{place}");
    }
    drop(registry);
    // 3. Each of them serves with the tokens of before, and goes on numbering.
    for (number, place) in places.iter().enumerate() {
        let registry = Registry::start_again(&world, place, &token);
        let version = format!("1.{}.0", number + 1);
        upload(&registry, "@acme/one", &version, "any", &Server::new("one", &version).bytes());
        drop(registry);
        let verdict = admin(&world, place, &["verify", "--json"]).json();
        assert_eq!((&verdict["agrees"], &verdict["artifacts"]), (&true.into(), &4.into()), "{place}: {verdict}");
    }
}

#[test]
fn on_postgresql_and_an_object_store_every_disagreement_is_told() {
    let (world, database, store) = (World::new(), Database::create(), Emulator::start(Protocol::S3));
    configure(&world, "site", Some(&database), Some(&store));
    let registry = Registry::start_configured(&world, "site");
    fill(&registry);
    registry.kill();
    let judge = |quick: &[&str], expected: Option<&str>, what: &str| {
        let ran = admin(&world, "site", &[&["verify", "--json"], quick].concat());
        let problems = ran.json()["problems"].to_string();
        assert_eq!(ran.code, i32::from(expected.is_some()), "{what}: {problems}");
        assert!(problems.contains(expected.unwrap_or_default()), "{what}: {problems}");
    };
    judge(&[], None, "sound");
    // 1. Rows, spoiled and mended.
    let published = "kind = 'artifact_published'";
    for (table, spoiled, mended, expected) in [
        ("artifacts", "size_bytes = size_bytes + 1".to_owned(), "size_bytes = size_bytes - 1".to_owned(), "bytes"),
        (
            "artifacts",
            "version_id = version_id + 99".to_owned(),
            "version_id = version_id - 99".to_owned(),
            "no artifact",
        ),
        ("blobs", "size_bytes = size_bytes + 1".to_owned(), "size_bytes = size_bytes - 1".to_owned(), "instead of"),
        (
            "events",
            format!("version = '9.' || version WHERE {published}"),
            format!("version = substr(version, 3) WHERE {published}"),
            "the event tells of",
        ),
        (
            "packages",
            "latest_version = '7' || latest_version".to_owned(),
            "latest_version = substr(latest_version, 2)".to_owned(),
            "as its latest version",
        ),
    ] {
        let set = |set: &str| {
            // Without the rules of the tables.
            database.execute(&format!("SET session_replication_role = replica; UPDATE {table} SET {set}"));
        };
        set(&spoiled);
        judge(&[], Some(expected), &spoiled);
        set(&mended);
        judge(&["--quick"], None, &mended);
    }
    // 2. Objects: changed, cut, and one that nothing names.
    let bytes = Server::new("two", "0.3.0-rc.1").bytes();
    let hex = mpak_bundle::digest::Sha256::of(&bytes).to_string();
    let key = format!("sha256/{}/{}", &hex[..2], &hex[2..]);
    assert!(store.object(&key).as_deref() == Some(&bytes), "it lies there");
    let mut changed = bytes.clone();
    changed[bytes.len() / 2] ^= 1;
    store.put_object(&key, &changed);
    judge(&[], Some("is damaged"), "changed");
    judge(&["--quick"], None, "only the length tells");
    store.put_object(&key, &bytes[1..]);
    judge(&["--quick"], Some("bytes instead of"), "cut");
    store.put_object(&key, &bytes);
    store.put_object(&format!("sha256/00/{}", "0".repeat(62)), b"stray");
    let found = admin(&world, "site", &["verify", "--json"]).json();
    assert_eq!((&found["agrees"], &found["strays"]), (&true.into(), &1.into()), "{found}");
}
