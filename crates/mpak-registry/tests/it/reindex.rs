//! `admin reindex` beside a running server: what follows from the database is made anew, wherever it lies.

use std::time::Duration;

use crate::storage::on;
use crate::world::{Registry, bundle, change_rows};
use mpak_registry::admin;
use mpak_testkit::emulators::{Emulator, Protocol};

const NAME: &str = "@acme/widget";
const FILE: &str = "index/v1/@acme/widget.json";

async fn reindex(registry: &Registry) {
    let (config, clock) = (registry.config(), registry.clock());
    let done = tokio::task::spawn_blocking(move || admin::upkeep::reindex(&config, &clock).unwrap()).await.unwrap();
    assert_eq!((done.packages, done.jobs), (1, 0));
}

async fn published() -> Registry {
    let registry = Registry::start().await;
    registry.publish(NAME, "1.0.0", "any", &bundle(NAME, "1.0.0")).await;
    registry
}

/// Since when the package is there, as the index knows it.
async fn known(registry: &Registry) -> String {
    let detail = registry.json(&format!("/v1/bundles/{NAME}")).await;
    detail["published_at"].as_str().unwrap()[..10].to_owned()
}

/// Its file, as it should be.
async fn good(registry: &Registry) -> String {
    registry.get(&format!("/{FILE}")).await.text().await.unwrap()
}

async fn until<T: PartialEq + std::fmt::Debug>(expected: T, mut what: impl AsyncFnMut() -> T) {
    for _ in 0..400 {
        if what().await == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{:?}, expected {expected:?}", what().await);
}

/// What the index knows is not what the database says any more.
async fn spoil_the_index(registry: &Registry) {
    change_rows(registry, "UPDATE packages SET created_at_ms = 0").await;
    assert_eq!(known(registry).await, "2026-11-20", "the database is not asked");
}

#[tokio::test]
async fn a_running_server_makes_its_search_and_its_files_anew() {
    let mut registry = published().await;
    let path = registry.data().join("public").join(FILE);
    let written = async || std::fs::read_to_string(&path).unwrap_or_default();
    until(good(&registry).await, written).await;
    spoil_the_index(&registry).await;
    let root = registry.data().join("public/.well-known/mpak.json");
    for _ in 0..2 {
        std::fs::write(&path, "spoiled").unwrap();
        std::fs::remove_file(&root).unwrap();
        reindex(&registry).await;
        until("1970-01-01".to_owned(), async || known(&registry).await).await;
        until(good(&registry).await, written).await;
        until(true, async || root.exists()).await;
    }
    // It is kept: the next start does not go back.
    registry.restart().await;
    assert_eq!(known(&registry).await, "1970-01-01");
}

#[tokio::test]
async fn a_stopped_server_does_it_at_its_next_start() {
    let mut registry = published().await;
    let path = registry.data().join("public").join(FILE);
    let written = async || std::fs::read_to_string(&path).unwrap_or_default();
    let good = good(&registry).await;
    until(good.clone(), written).await;
    spoil_the_index(&registry).await;
    registry.stop().await;
    std::fs::write(&path, "spoiled").unwrap();
    reindex(&registry).await;
    registry.begin().await;
    assert_eq!(known(&registry).await, "1970-01-01");
    until(good, written).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_in_an_object_store_are_made_anew() {
    let emulator = tokio::task::spawn_blocking(|| Emulator::start(Protocol::S3)).await.unwrap();
    let registry = Registry::start_with(on(&emulator)).await;
    registry.publish(NAME, "1.0.0", "any", &bundle(NAME, "1.0.0")).await;
    let stored = async || emulator.object(FILE).map(|bytes| String::from_utf8(bytes).unwrap()).unwrap_or_default();
    until(good(&registry).await, stored).await;
    spoil_the_index(&registry).await;
    emulator.put_object(FILE, b"spoiled");
    reindex(&registry).await;
    until(good(&registry).await, stored).await;
    until("1970-01-01".to_owned(), async || known(&registry).await).await;
}
