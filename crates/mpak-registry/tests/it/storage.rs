//! Object stores of every protocol: the whole road, the store that goes away, and bytes that changed there.

use std::time::Duration;

use mpak_bundle::digest::Sha256;
use mpak_registry::config::{Config, Downloads, Secret};
use mpak_testkit::emulators::{Emulator, Protocol};
use reqwest::header::{ACCEPT, RANGE};
use serde_json::Value;

use crate::world::{Registry, START_MS, bundle, bundle_with};

/// The registry's storage is this emulator's bucket.
pub(crate) fn on(emulator: &Emulator) -> impl Fn(&mut Config) + Send + Sync + 'static {
    let (url, endpoint) = (emulator.url(), emulator.endpoint().parse().unwrap());
    let (id, key) = (emulator.access_key_id(), Secret::new(emulator.secret_access_key()));
    move |config| {
        config.storage.url.clone_from(&url);
        config.storage.endpoint = Some(Clone::clone(&endpoint));
        config.storage.path_style = true;
        config.storage.access_key_id.clone_from(&id);
        config.storage.secret_access_key = Some(key.clone());
    }
}

async fn start(protocol: Protocol) -> Emulator {
    tokio::task::spawn_blocking(move || Emulator::start(protocol)).await.unwrap()
}

/// A bundle that no compression makes small.
fn large_bundle(version: &str, bytes: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let noise = (0..bytes).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    });
    bundle_with("@acme/large", version, "noise", &noise.collect::<Vec<_>>())
}

fn key(bytes: &[u8]) -> String {
    let hex = Sha256::of(bytes).to_string();
    format!("sha256/{}/{}", &hex[..2], &hex[2..])
}

fn bytes_path(name: &str, version: &str) -> String {
    format!("/v1/bundles/{name}/versions/{version}/download")
}

/// Downloads as those do who take anything.
async fn download(registry: &Registry, name: &str, version: &str) -> reqwest::Result<Vec<u8>> {
    let url = format!("{}{}", registry.url, bytes_path(name, version));
    let response = registry.client.get(url).header(ACCEPT, "*/*").send().await?.error_for_status()?;
    response.bytes().await.map(Vec::from)
}

async fn the_road(protocol: Protocol) {
    let emulator = start(protocol).await;
    let mut registry = Registry::start_with(on(&emulator)).await;
    assert_eq!(registry.get("/ready").await.status(), 200);
    // 1. Small and large, at the layout's place, seen by the emulator's own means.
    let (small, large) = (bundle("@acme/widget", "1.0.0"), large_bundle("1.0.0", 18 << 20));
    registry.publish("@acme/widget", "1.0.0", "any", &small).await;
    registry.publish("@acme/large", "1.0.0", "any", &large).await;
    assert_eq!(emulator.object(&key(&small)).as_ref(), Some(&small));
    assert!(emulator.object(&key(&large)).as_ref() == Some(&large), "the parts were put together");
    let local = registry.everything().into_keys().filter(|p| p.to_string_lossy().contains("blobs/sha256"));
    assert_eq!(local.count(), 0, "nothing lies here");
    // 2. What clients do.
    assert_eq!(download(&registry, "@acme/widget", "1.0.0").await.unwrap(), small);
    assert!(download(&registry, "@acme/large", "1.0.0").await.unwrap() == large);
    let told = registry.json(&bytes_path("@acme/widget", "1.0.0")).await;
    let url = told["url"].as_str().unwrap().to_owned();
    let get = || registry.client.get(&url).header(ACCEPT, "application/json");
    let response = get().send().await.unwrap();
    assert_eq!(response.headers()["content-length"], small.len().to_string().as_str());
    let etag = response.headers()["etag"].clone();
    assert_eq!(response.bytes().await.unwrap(), small);
    assert_eq!(get().header("if-none-match", etag).send().await.unwrap().status(), 304);
    let part = get().header(RANGE, "bytes=5-14").send().await.unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(part.headers()["content-range"], format!("bytes 5-14/{}", small.len()).as_str());
    assert_eq!(part.bytes().await.unwrap(), small[5..15]);
    let end = get().header(RANGE, "bytes=-3").send().await.unwrap();
    assert_eq!(end.bytes().await.unwrap(), small[small.len() - 3..]);
    let beyond = get().header(RANGE, format!("bytes={}-", small.len())).send().await.unwrap();
    assert_eq!(beyond.status(), 416);
    let head = registry.client.head(&url).send().await.unwrap();
    assert_eq!(head.headers()["content-length"], small.len().to_string().as_str());
    assert_eq!(registry.get(&format!("/blobs/sha256/00/{}", "0".repeat(62))).await.status(), 404);
    // What any web server in front of the bucket needs to serve installs.
    let index = registry.get("/index/v1/@acme/widget.json").await.text().await.unwrap();
    let mut tries = 0;
    while emulator.object("index/v1/@acme/widget.json").as_deref() != Some(index.as_bytes()) {
        tries += 1;
        assert!(tries < 500, "the static index never came");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let root = emulator.object(".well-known/mpak.json").unwrap();
    let root: Value = serde_json::from_slice(&root).unwrap();
    assert_eq!((root["index"].as_str(), root["blobs"].as_str()), (Some("index/v1"), Some(".")));
    // 3. The same bytes for ten platforms at once are one object.
    let bytes = bundle("@acme/everywhere", "1.0.0");
    let platforms = ["any", "linux-any", "linux-x64", "linux-arm64", "darwin-any", "darwin-x64", "darwin-arm64"];
    let puts = platforms.iter().chain(&["win32-any", "win32-x64", "win32-arm64"]);
    let puts: Vec<_> =
        puts.map(|p| tokio::spawn(registry.put("@acme/everywhere", "1.0.0", p, &*bytes).send())).collect();
    for put in puts {
        assert_eq!(put.await.unwrap().unwrap().status(), 201);
    }
    assert_eq!(emulator.object(&key(&bytes)), Some(bytes));
    // 4. After a restart it is all there, and it can be scanned.
    let again = on(&emulator);
    registry.change_for_next_start(move |config| {
        again(config);
        config.scanning.enabled = true;
    });
    registry.restart().await;
    assert_eq!(download(&registry, "@acme/widget", "1.0.0").await.unwrap(), small);
    for _ in 0..3_000 {
        let status = registry.json("/v1/bundles/@acme/widget/security").await["status"].clone();
        if status == "completed" {
            return;
        }
        assert_ne!(status, "failed");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not scanned in time");
}

async fn the_store_goes_away(protocol: Protocol) {
    let mut emulator = start(protocol).await;
    let registry = Registry::start_with(on(&emulator)).await;
    let (first, large) = (bundle("@acme/widget", "1.0.0"), large_bundle("1.0.0", 24 << 20));
    registry.publish("@acme/widget", "1.0.0", "any", &first).await;
    registry.publish("@acme/large", "1.0.0", "any", &large).await;
    // 1. It dies in the middle of a download: that never completes.
    let url = format!("{}{}", registry.url, bytes_path("@acme/large", "1.0.0"));
    let mut response = registry.client.get(url).header(ACCEPT, "*/*").send().await.unwrap();
    let mut received = response.chunk().await.unwrap().unwrap().len();
    emulator.kill();
    let ended = loop {
        match response.chunk().await {
            Ok(Some(piece)) => received += piece.len(),
            other => break other,
        }
    };
    assert!(ended.is_err() && received < large.len(), "{received} bytes of {}", large.len());
    // 2. Without it: a clear answer, nothing recorded, and the process itself is well.
    let second = bundle("@acme/widget", "1.1.0");
    let put = registry.put("@acme/widget", "1.1.0", "any", &*second).send().await.unwrap();
    assert_eq!((put.status().as_u16(), put.headers()["retry-after"].to_str().unwrap()), (503, "10"));
    assert_eq!(put.json::<Value>().await.unwrap()["error"]["code"], "SERVICE_UNAVAILABLE");
    let bytes = registry.client.get(format!("{}{}", registry.url, bytes_path("@acme/widget", "1.0.0")));
    let bytes = bytes.header(ACCEPT, "*/*").send().await.unwrap();
    assert_eq!((bytes.status().as_u16(), bytes.headers().contains_key("retry-after")), (503, true));
    assert_eq!(registry.get("/ready").await.status(), 503);
    assert_eq!(registry.get("/health").await.status(), 200);
    let versions = registry.json("/v1/bundles/@acme/widget/versions").await;
    assert_eq!(versions["versions"].as_array().unwrap().len(), 1);
    // 3. It comes back and dies in the middle of a publish.
    tokio::task::block_in_place(|| emulator.begin());
    assert_eq!(registry.get("/ready").await.status(), 200);
    emulator.freeze();
    let put = tokio::spawn(registry.put("@acme/large", "2.0.0", "any", large_bundle("2.0.0", 20 << 20)).send());
    let tmp = registry.data().join("tmp");
    let received = || {
        let files = std::fs::read_dir(&tmp).unwrap();
        files.flatten().any(|file| file.metadata().is_ok_and(|m| m.len() > 20 << 20))
    };
    let began = std::time::Instant::now();
    while !received() {
        assert!(began.elapsed() < Duration::from_secs(20), "the upload does not arrive");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    emulator.kill();
    assert_eq!(put.await.unwrap().unwrap().status(), 503);
    let waiting = std::fs::read_dir(&tmp).unwrap().count();
    assert_eq!(waiting, 0, "nothing half-done is left");
    assert_eq!(registry.json("/v1/bundles/@acme/large").await["latest_version"], "1.0.0");
    // 4. It comes back: the same publish works.
    tokio::task::block_in_place(|| emulator.begin());
    registry.publish("@acme/large", "2.0.0", "any", &large_bundle("2.0.0", 20 << 20)).await;
    assert!(download(&registry, "@acme/large", "2.0.0").await.unwrap() == large_bundle("2.0.0", 20 << 20));
    if protocol == Protocol::Google {
        assert_eq!(download(&registry, "@acme/widget", "1.0.0").await.unwrap(), first);
    }
}

async fn bytes_change_in_the_store(protocol: Protocol) {
    let emulator = start(protocol).await;
    let registry = Registry::start_with(on(&emulator)).await;
    let bytes = large_bundle("1.0.0", 1 << 20);
    registry.publish("@acme/large", "1.0.0", "any", &bytes).await;
    // 1. One bit, and the download never completes.
    let mut other = bytes.clone();
    *other.last_mut().unwrap() ^= 1;
    emulator.put_object(&key(&bytes), &other);
    let broken = download(&registry, "@acme/large", "1.0.0").await;
    assert!(broken.is_err_and(|e| e.status().is_none()), "aborted, not answered with an error page");
    assert_eq!(registry.get("/ready").await.status(), 200);
    // 2. A torn object is told at once.
    emulator.put_object(&key(&bytes), &bytes[..bytes.len() / 2]);
    let torn = download(&registry, "@acme/large", "1.0.0").await.unwrap_err();
    assert_eq!(torn.status().unwrap(), 500);
    // 3. Who publishes the same bytes again, mends it; also for another platform.
    for (damaged, platform) in [(&other[..], "linux-x64"), (&bytes[..9], "linux-arm64")] {
        emulator.put_object(&key(&bytes), damaged);
        registry.publish("@acme/large", "1.0.0", platform, &bytes).await;
        assert!(download(&registry, "@acme/large", "1.0.0").await.unwrap() == bytes);
    }
}

async fn the_store_gives_the_bytes(protocol: Protocol) {
    let emulator = start(protocol).await;
    let storage = on(&emulator);
    let registry = Registry::start_with(move |config| {
        storage(config);
        config.storage.downloads = Downloads::Redirect;
    })
    .await;
    let bytes = bundle("@acme/widget", "1.0.0");
    registry.publish("@acme/widget", "1.0.0", "any", &bytes).await;
    // 1. JSON with exactly its members, an absolute address of the store, and when it ends.
    let told = registry.json(&bytes_path("@acme/widget", "1.0.0")).await;
    let members: Vec<&str> = told.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["url", "bundle", "expires_at"]);
    let url = told["url"].as_str().unwrap();
    assert!(url.starts_with(&emulator.endpoint()) && url.contains(&key(&bytes)), "{url}");
    let expires: jiff::Timestamp = told["expires_at"].as_str().unwrap().parse().unwrap();
    assert!((895_000..=901_000).contains(&(expires.as_millisecond() - START_MS)), "{expires}");
    // 2. It gives the bytes to anybody, whatever they accept.
    for accept in ["application/json", "*/*"] {
        let given = registry.client.get(url).header(ACCEPT, accept).header("accept-encoding", "gzip, deflate");
        let given = given.send().await.unwrap();
        assert_eq!(given.status(), 200, "{url}");
        if protocol != Protocol::Azure {
            let disposition = given.headers()["content-disposition"].to_str().unwrap().to_owned();
            assert_eq!(disposition, "attachment; filename=\"widget-1.0.0.mcpb\"");
        }
        assert_eq!(given.bytes().await.unwrap(), bytes);
    }
    // 3. Nobody can make another of it.
    let (name, value) = match protocol {
        Protocol::S3 => ("X-Amz-Expires=900", "X-Amz-Expires=90000"),
        Protocol::Google => ("X-Goog-Expires=900", "X-Goog-Expires=90000"),
        Protocol::Azure => ("se=20", "se=21"),
    };
    let forged = url.replace(name, value);
    assert_ne!(forged, url);
    assert_eq!(registry.client.get(forged).send().await.unwrap().status(), 403);
    // 4. Those who want bytes are sent there; the digest's own address, too.
    let direct = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let hex = key(&bytes);
    for path in [bytes_path("@acme/widget", "1.0.0"), format!("/blobs/{hex}")] {
        let sent = direct.get(format!("{}{path}", registry.url)).header(ACCEPT, "*/*").send().await.unwrap();
        assert_eq!(sent.status(), 302, "{path}");
        assert_eq!(sent.headers()["cache-control"], "private, no-store");
        assert!(sent.headers()["location"].to_str().unwrap().starts_with(&emulator.endpoint()));
        let part = registry.client.get(format!("{}{path}", registry.url)).header(RANGE, "bytes=2-4");
        assert_eq!(part.send().await.unwrap().bytes().await.unwrap(), bytes[2..5], "{path}");
        let head = direct.head(format!("{}{path}", registry.url)).header(ACCEPT, "*/*").send().await.unwrap();
        assert_eq!(head.status(), 200, "signed addresses are for GET");
    }
}

/// The operator says for how long; the store keeps to it, and the registry gives the next address.
async fn signed_addresses_end(protocol: Protocol) {
    let emulator = start(protocol).await;
    let storage = on(&emulator);
    let registry = Registry::start_with(move |config| {
        storage(config);
        config.storage.downloads = Downloads::Redirect;
        config.storage.signed_url_seconds = 3;
    })
    .await;
    let bytes = bundle("@acme/widget", "1.0.0");
    registry.publish("@acme/widget", "1.0.0", "any", &bytes).await;
    let told = registry.json(&bytes_path("@acme/widget", "1.0.0")).await;
    let expires: jiff::Timestamp = told["expires_at"].as_str().unwrap().parse().unwrap();
    assert!((3_000..=4_000).contains(&(expires.as_millisecond() - START_MS)), "{expires}");
    let url = told["url"].as_str().unwrap();
    let status = || async { registry.client.get(url).send().await.unwrap().status().as_u16() };
    assert_eq!(status().await, 200, "{url}");
    let mut tries = 0;
    while status().await == 200 {
        tries += 1;
        assert!(tries < 300, "it does not end: {url}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(status().await, 403, "{url}");
    assert_eq!(download(&registry, "@acme/widget", "1.0.0").await.unwrap(), bytes);
}

macro_rules! on_every_store {
    ($($name:ident: $check:path, $protocol:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            $check(Protocol::$protocol).await;
        }
    )*};
}

on_every_store! {
    s3_carries_the_whole_road: the_road, S3;
    google_carries_the_whole_road: the_road, Google;
    azure_carries_the_whole_road: the_road, Azure;
    s3_goes_away_and_comes_back: the_store_goes_away, S3;
    google_goes_away_and_comes_back: the_store_goes_away, Google;
    azure_goes_away_and_comes_back: the_store_goes_away, Azure;
    bytes_that_changed_in_s3_are_not_passed_on: bytes_change_in_the_store, S3;
    bytes_that_changed_at_google_are_not_passed_on: bytes_change_in_the_store, Google;
    bytes_that_changed_at_azure_are_not_passed_on: bytes_change_in_the_store, Azure;
    s3_gives_the_bytes_itself: the_store_gives_the_bytes, S3;
    google_gives_the_bytes_itself: the_store_gives_the_bytes, Google;
    azure_gives_the_bytes_itself: the_store_gives_the_bytes, Azure;
    signed_addresses_of_s3_end_when_the_operator_says: signed_addresses_end, S3;
    signed_addresses_of_google_end_when_the_operator_says: signed_addresses_end, Google;
    signed_addresses_of_azure_end_when_the_operator_says: signed_addresses_end, Azure;
}
