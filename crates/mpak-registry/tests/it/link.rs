//! `mode = "link"`: the registry keeps digest and address of a release, and its bytes stay there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mpak_bundle::digest::Sha256;
use mpak_registry::config::Mode;
use mpak_testkit::forge::Delivery;
use reqwest::header::ACCEPT;

use crate::ci::Ci;
use crate::world::{Registry, bundle};

const NAME: &str = "@acme/widget";
const DOWNLOAD: &str = "/v1/bundles/@acme/widget/versions/1.0.0/download";

/// The blobs that lie in the data folder.
fn kept(registry: &Registry) -> usize {
    registry.everything().into_keys().filter(|path| path.starts_with(registry.data().join("blobs"))).count()
}

#[tokio::test]
async fn readers_are_sent_to_the_release_until_somebody_uploads_its_bytes() {
    let ci = Ci::start_with(|config| config.storage.mode = Mode::Link).await;
    let registry = &ci.registry;
    let bytes = bundle(NAME, "1.0.0");
    let hex = Sha256::of(&bytes).to_string();
    ci.publish("acme/widget", NAME, "1.0.0").await;
    assert_eq!(kept(registry), 0);
    // 1. JSON with exactly its members and the release's address, which gives the bytes.
    let told = registry.json(DOWNLOAD).await;
    let members: Vec<&str> = told.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["url", "bundle", "expires_at"]);
    assert_eq!(told["bundle"]["sha256"], hex);
    let release = told["url"].as_str().unwrap().to_owned();
    assert!(release.starts_with(&ci.forge.url()), "{release}");
    let given = registry.client.get(&release).header(ACCEPT, "application/json").send().await.unwrap();
    assert_eq!(given.bytes().await.unwrap(), bytes);
    // 2. Bytes and the digest's own address lead there.
    let direct = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let blob = format!("/blobs/sha256/{}/{}", &hex[..2], &hex[2..]);
    for path in [DOWNLOAD, &blob] {
        let url = format!("{}{path}", registry.url);
        let sent = direct.get(&url).header(ACCEPT, "*/*").send().await.unwrap();
        assert_eq!((sent.status().as_u16(), sent.headers()["location"].to_str().unwrap()), (302, &*release), "{path}");
        let followed = registry.client.get(&url).header(ACCEPT, "*/*").send().await.unwrap();
        assert_eq!(followed.bytes().await.unwrap(), bytes, "{path}");
    }
    // 3. What is uploaded is kept, for all who have the same bytes.
    registry.publish("@tools/widget", "1.0.0", "any", &bytes).await;
    assert_eq!(kept(registry), 1);
    assert!(registry.json(DOWNLOAD).await["url"].as_str().unwrap().ends_with(&blob));
    assert_eq!(registry.get(&blob).await.bytes().await.unwrap(), bytes);
}

#[tokio::test]
async fn a_release_is_scanned_only_while_it_has_the_pinned_bytes() {
    let scans = Arc::new(AtomicBool::new(false));
    let on = Arc::clone(&scans);
    let mut ci = Ci::start_with(move |config| {
        config.storage.mode = Mode::Link;
        config.scanning.enabled = on.load(Ordering::SeqCst);
    })
    .await;
    let announced = ci.release("acme/widget", NAME, "1.0.0", ("any", "any"));
    ci.accepted(&announced).await;
    let put_asset = |ci: &Ci, bytes: Vec<u8>| {
        ci.forge.asset(&announced.repository, &announced.tag, &announced.file, Delivery::Whole(bytes));
    };
    // 1. Somebody changed the release: it is fetched and refused.
    put_asset(&ci, bundle(NAME, "1.0.1"));
    let asked = |ci: &Ci| ci.forge.requests().iter().filter(|r| r.contains(&announced.file)).count();
    let before = asked(&ci);
    scans.store(true, Ordering::SeqCst);
    ci.registry.restart().await;
    until("the release is asked for", || asked(&ci) > before).await;
    let path = format!("/v1/bundles/{NAME}/security");
    for _ in 0..20 {
        assert_ne!(ci.registry.json(&path).await["status"], "completed");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // 2. It has its bytes again: the next try works.
    put_asset(&ci, bundle(NAME, "1.0.0"));
    for _ in 0..2_000 {
        ci.registry.wait_ms(1_000);
        if ci.registry.json(&path).await["status"] == "completed" {
            assert_eq!(kept(&ci.registry), 0, "scanning keeps nothing");
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not scanned in time");
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}: not in time");
}
