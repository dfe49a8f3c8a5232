//! `mode = "link"`: the registry keeps digest and address of a release, and its bytes stay there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mpak_bundle::digest::Sha256;
use mpak_registry::config::Mode;
use mpak_testkit::forge::Delivery;
use reqwest::header::ACCEPT;
use serde_json::json;

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
    for _ in 0..6_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}: not in time");
}

/// Where a download, asked for as JSON and as bytes, and the address of a digest lead.
async fn leads_to(registry: &Registry, name: &str, hex: &str) -> [Option<String>; 3] {
    let direct = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let download = format!("{}/v1/bundles/{name}/versions/1.0.0/download", registry.url);
    let blob = format!("{}/blobs/sha256/{}/{}", registry.url, &hex[..2], &hex[2..]);
    let told = direct.get(&download).header(ACCEPT, "application/json").send().await.unwrap();
    let told = if told.status() == 200 { told.json::<serde_json::Value>().await.unwrap() } else { json!({}) };
    let mut leads = [told["url"].as_str().map(str::to_owned), None, None];
    for (lead, url) in leads[1..].iter_mut().zip([&download, &blob]) {
        let sent = direct.get(url).header(ACCEPT, "*/*").send().await.unwrap();
        // A cache in between gives the redirect to nobody who wants JSON.
        let varies = sent.headers().get_all("vary").iter().any(|v| v == "accept");
        assert!(varies || sent.status() != 302 || url == &blob, "{url}: {:?}", sent.headers());
        *lead = sent.headers().get("location").map(|location| location.to_str().unwrap().to_owned());
    }
    leads
}

#[tokio::test]
async fn whoever_releases_the_same_bytes_elsewhere_redirects_nobody() {
    let ci = Ci::start_with(|config| {
        config.storage.mode = Mode::Link;
        config.access.private_scopes = vec!["secret".to_owned()];
    })
    .await;
    let hex = Sha256::of(&bundle("@x/filesystem", "1.0.0")).to_string();
    // 1. One that is private, one that is held, the one that all use, and one that copies it.
    let [secret, held, acme, evil] = ["secret/filesystem", "antropic/filesystem", "acme/filesystem", "evil/filesystem"];
    for repository in [secret, held, acme, evil] {
        ci.publish(repository, &format!("@{repository}"), "1.0.0").await;
    }
    let of = |repository: &str| {
        Some(format!("{}/{repository}/releases/download/v1.0.0/bundle-1.0.0-any-any.mcpb", ci.forge.url()))
    };
    // 2. Each is sent to its own release; the digest to the first that strangers may read.
    assert_eq!(leads_to(&ci.registry, "@acme/filesystem", &hex).await, [of(acme), of(acme), of(acme)]);
    assert_eq!(leads_to(&ci.registry, "@evil/filesystem", &hex).await, [of(evil), of(evil), of(acme)]);
    // 3. Without them nobody learns where the private and the held one are.
    for repository in [acme, evil] {
        let url = format!("{}/api/v1/packages/@{repository}/state", ci.registry.url);
        let body = json!({"decision": "remove", "reason": "x"});
        let removed = ci.registry.client.put(url).bearer_auth(&ci.registry.token).json(&body).send().await.unwrap();
        assert_eq!(removed.status(), 200);
    }
    assert_eq!(leads_to(&ci.registry, "@acme/filesystem", &hex).await, [None, None, None]);
    // 4. Who may read the private one is sent to it.
    let token = ci.registry.make_token(&["@secret/*"], 1).await.token;
    let url = format!("{}/v1/bundles/@secret/filesystem/versions/1.0.0/download", ci.registry.url);
    let told = ci.registry.client.get(url).bearer_auth(token).header(ACCEPT, "application/json").send().await.unwrap();
    assert_eq!(told.json::<serde_json::Value>().await.unwrap()["url"].as_str().map(str::to_owned), of(secret));
}

#[tokio::test]
async fn a_release_that_is_away_for_long_is_scanned_when_it_is_back() {
    let scans = Arc::new(AtomicBool::new(false));
    let on = Arc::clone(&scans);
    let mut ci = Ci::start_with(move |config| {
        config.storage.mode = Mode::Link;
        config.scanning.enabled = on.load(Ordering::SeqCst);
    })
    .await;
    let announced = ci.release("acme/widget", NAME, "1.0.0", ("any", "any"));
    ci.accepted(&announced).await;
    let put_asset =
        |ci: &Ci, delivery| ci.forge.asset(&announced.repository, &announced.tag, &announced.file, delivery);
    // 1. Its server has no answer but 503, many times.
    put_asset(&ci, Delivery::Status(reqwest::StatusCode::SERVICE_UNAVAILABLE));
    let asked = |ci: &Ci| ci.forge.requests().iter().filter(|r| r.contains(&announced.file)).count();
    scans.store(true, Ordering::SeqCst);
    for _ in 0..5 {
        let before = asked(&ci);
        ci.registry.wait_ms(60 * 60_000);
        ci.registry.restart().await;
        until("the release is asked for", || asked(&ci) > before).await;
    }
    let path = format!("/v1/bundles/{NAME}/security");
    // The last try may still be on its way.
    let status = ci.registry.json(&path).await["status"].clone();
    assert!(status == "pending" || status == "scanning", "{status}");
    // 2. It works again.
    put_asset(&ci, Delivery::Whole(bundle(NAME, "1.0.0")));
    ci.registry.wait_ms(60 * 60_000);
    ci.registry.restart().await;
    for _ in 0..6_000 {
        if ci.registry.json(&path).await["status"] == "completed" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not scanned in time");
}
