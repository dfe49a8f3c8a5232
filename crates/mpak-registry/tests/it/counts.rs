//! Download counts: exact, and not lost by a restart.

use std::time::Duration;

use crate::world::{Registry, checklist};

const DOWNLOAD: &str = "/v1/bundles/@acme/widget/versions/1.0.0/download";

async fn counts(registry: &Registry) -> (u64, u64, u64) {
    let detail = registry.json("/v1/bundles/@acme/widget").await;
    let versions = detail["versions"].as_array().unwrap();
    let version = versions.iter().find(|v| v["version"] == "1.0.0").unwrap();
    let search = registry.json("/v1/bundles/search?q=widget").await;
    let number = |value: &serde_json::Value| value.as_u64().unwrap();
    (number(&detail["downloads"]), number(&version["downloads"]), number(&search["bundles"][0]["downloads"]))
}

#[tokio::test]
async fn a31_each_download_that_resolves_counts_once() {
    let registry = checklist().await;
    assert_eq!(counts(&registry).await, (0, 0, 0));
    registry.json(DOWNLOAD).await;
    registry.json(&format!("{DOWNLOAD}?os=linux&arch=x64")).await;
    assert_eq!(registry.get(DOWNLOAD).await.status(), 200);
    assert_eq!(counts(&registry).await, (3, 3, 3));
    registry.json("/v1/bundles/@acme/widget/versions/2.0.0-beta.1/download").await;
    assert_eq!(counts(&registry).await, (4, 3, 4));
    let one = registry.json("/v1/bundles/@acme/widget/versions/1.0.0").await;
    assert_eq!(one["downloads"], 3);
    let all = registry.json("/v1/bundles/@acme/widget/versions").await;
    assert_eq!(all["versions"][2]["downloads"], 3);
}

#[tokio::test]
async fn what_is_not_a_whole_download_does_not_count() {
    let registry = checklist().await;
    let url = format!("{}{DOWNLOAD}", registry.url);
    registry.client.head(&url).send().await.unwrap();
    registry.client.get(&url).header("range", "bytes=0-3").send().await.unwrap();
    registry.get(&format!("{DOWNLOAD}?os=linux")).await;
    registry.get("/v1/bundles/@acme/widget/versions/1.1.0/download").await;
    let body = registry.json("/v1/bundles/@acme/widget/versions/1.0.0").await;
    registry.client.get(body["artifacts"][0]["download_url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(counts(&registry).await, (0, 0, 0));
}

#[tokio::test]
async fn concurrent_downloads_are_all_counted_and_survive_restarts() {
    let mut registry = checklist().await;
    let url = format!("{}{DOWNLOAD}", registry.url);
    let downloads = (0..200).map(|_| {
        let request = registry.client.get(&url).header("accept", "application/json");
        tokio::spawn(async move { assert_eq!(request.send().await.unwrap().status(), 200) })
    });
    for download in downloads.collect::<Vec<_>>() {
        download.await.unwrap();
    }
    assert_eq!(counts(&registry).await, (200, 200, 200));
    registry.restart().await;
    assert_eq!(counts(&registry).await, (200, 200, 200), "written at shutdown");
    registry.json(DOWNLOAD).await;
    // More than the time between two writes; nothing announces one.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    registry.restart().await;
    assert_eq!(counts(&registry).await, (201, 201, 201), "written meanwhile, and once only");
}
