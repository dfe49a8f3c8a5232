//! Two `mpak serve` on one PostgreSQL and one object store, without a shared disk; one of them is killed in the
//! middle, and its disk is lost.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mpak_bundle::digest::Sha256;
use mpak_testkit::emulators::{Emulator, Protocol};
use mpak_testkit::postgres::Database;
use mpak_testkit::zip::{ZipBuilder, good_manifest};
use serde_json::Value;

use crate::registry::Registry;
use crate::world::World;

const PACKAGES: usize = 10;
const PUBLISHES: usize = 200;

fn bundle(name: &str, version: &str) -> Vec<u8> {
    let mut manifest = good_manifest();
    manifest["name"] = name.rsplit('/').next().unwrap().into();
    manifest["version"] = version.into();
    ZipBuilder::with_manifest(&manifest).build()
}

fn replica(world: &World, database: &Database, store: &Emulator, name: &str) -> Registry {
    let file = format!(
        "data = '{name}'\n[database]\nurl = '{}'\n{}[rates]\npublishes_per_minute = 0\n",
        database.url(),
        crate::moves::storage(store),
    );
    world.write(&format!("{name}.toml"), file);
    Registry::start_configured(world, name)
}

/// Publishes until acknowledged, on whichever replica answers.
async fn publish(client: reqwest::Client, urls: [String; 2], token: String, number: usize) -> (String, String, Sha256) {
    let (name, version) = (format!("@acme/p{}", number % PACKAGES), format!("1.{}.0", number / PACKAGES));
    let bytes = bundle(&name, &version);
    for attempt in 0..100 {
        let url = &urls[(number + attempt) % 2];
        let put = client.put(format!("{url}/api/v1/packages/{name}/versions/{version}/artifacts/any"));
        match put.bearer_auth(&token).body(bytes.clone()).send().await {
            // 200: it was published, and the answer lost with the replica that was killed.
            Ok(answer) if [200, 201].contains(&answer.status().as_u16()) => return (name, version, Sha256::of(&bytes)),
            Ok(answer) => assert_eq!(answer.status(), 503, "{}", answer.text().await.unwrap()),
            Err(_killed) => {}
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{name} {version} was not published in the end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_killed_in_the_middle_loses_and_doubles_nothing() {
    let (world, database) = (World::new(), Database::create());
    let store = tokio::task::spawn_blocking(|| Emulator::start(Protocol::S3)).await.unwrap();
    let one = replica(&world, &database, &store, "one");
    let two = replica(&world, &database, &store, "two");
    let (urls, token) = ([one.url.clone(), two.url.clone()], two.token.clone());
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_mins(1)).build().unwrap();
    let (acknowledged, next) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let publishers: Vec<_> = (0..8)
        .map(|_| {
            let (client, urls, token) = (client.clone(), urls.clone(), token.clone());
            let (acknowledged, next) = (Arc::clone(&acknowledged), Arc::clone(&next));
            tokio::spawn(async move {
                let mut done = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= PUBLISHES {
                        return done;
                    }
                    done.push(publish(client.clone(), urls.clone(), token.clone(), number).await);
                    acknowledged.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    while acknowledged.load(Ordering::SeqCst) < PUBLISHES / 3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    one.kill();
    std::fs::remove_dir_all(world.path("one")).unwrap();
    assert!(acknowledged.load(Ordering::SeqCst) < PUBLISHES, "killed in the middle");
    let mut published = BTreeMap::new();
    for publisher in publishers {
        published.extend(publisher.await.unwrap().into_iter().map(|(n, v, sha256)| ((n, v), sha256)));
    }
    assert_eq!(published.len(), PUBLISHES);
    // The other one, and one that starts afterwards, know each of them once, with its bytes.
    let three = replica(&world, &database, &store, "three");
    for url in [&two.url, &three.url] {
        let mut listed = BTreeMap::new();
        for package in 0..PACKAGES {
            let name = format!("@acme/p{package}");
            let ask = client.get(format!("{url}/v1/bundles/{name}/versions"));
            let versions: Value = ask.send().await.unwrap().json().await.unwrap();
            for version in versions["versions"].as_array().unwrap() {
                let version = version["version"].as_str().unwrap().to_owned();
                let path = format!("{url}/v1/bundles/{name}/versions/{version}/download");
                let bytes = client.get(path).header("accept", "*/*").send().await.unwrap().bytes().await.unwrap();
                let doubled = listed.insert((name.clone(), version), Sha256::of(&bytes));
                assert_eq!(doubled, None);
            }
        }
        assert_eq!(listed, published);
    }
    world.mpak(&["admin", "verify", "--config", &world.path("two.toml").display().to_string()]).ok();
    let all = i64::try_from(PUBLISHES).unwrap();
    assert_eq!(database.number("SELECT count(*) FROM artifacts"), all);
    assert_eq!(
        database.number("SELECT count(*) FROM events WHERE kind = 'artifact_published'"),
        all,
        "one event for each"
    );
}
