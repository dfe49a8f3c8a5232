//! Many publishers at once: none lost, none doubled.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::world::{Registry, bundle, bundle_with};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_publishes_are_all_there_once() {
    let registry = Registry::start().await;
    let mut tasks = Vec::new();
    for package in 0..5 {
        for version in 0..12 {
            let (name, version) = (format!("@acme/p{package}"), format!("1.{version}.0"));
            let request = registry.put(&name, &version, "any", bundle(&name, &version));
            tasks.push(tokio::spawn(async move { request.send().await.unwrap().status().as_u16() }));
        }
    }
    for task in tasks {
        assert_eq!(task.await.unwrap(), 201);
    }
    let search = registry.json("/v1/bundles/search").await;
    assert_eq!(search["total"], 5);
    for package in 0..5 {
        let body = registry.json(&format!("/v1/bundles/@acme/p{package}/versions")).await;
        assert_eq!(body["latest"], "1.11.0");
        let versions = body["versions"].as_array().unwrap();
        let distinct: BTreeSet<_> = versions.iter().map(|v| v["version"].as_str().unwrap()).collect();
        assert_eq!((versions.len(), distinct.len()), (12, 12));
        assert!(versions.iter().all(|v| v["artifacts_count"] == 1));
    }
    for entry in search["bundles"].as_array().unwrap() {
        assert_eq!(entry["latest_version"], "1.11.0", "the index followed to the end");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_different_bytes_for_one_artifact_exactly_one_wins() {
    let registry = Registry::start().await;
    let tasks = (0..10_u8).map(|n| {
        let bytes = bundle_with("@acme/widget", "1.0.0", "n", &[n]);
        let request = registry.put("@acme/widget", "1.0.0", "any", bytes);
        tokio::spawn(async move {
            let response = request.send().await.unwrap();
            (response.status().as_u16(), response.json::<Value>().await.unwrap())
        })
    });
    let mut answers = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        answers.push(task.await.unwrap());
    }
    let won: Vec<_> = answers.iter().filter(|(status, _)| *status == 201).collect();
    assert_eq!(won.len(), 1);
    assert!(answers.iter().all(|(s, b)| *s == 201 || b["error"]["code"] == "VERSION_IMMUTABLE"));
    let download = registry.json("/v1/bundles/@acme/widget/versions/1.0.0/download").await;
    assert_eq!(download["bundle"]["sha256"], won[0].1["sha256"]);
    let blobs = registry.everything().into_keys().filter(|p| p.to_string_lossy().contains("blobs/")).count();
    assert_eq!(blobs, 1, "the bytes that lost are not kept");
    registry.assert_agrees().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_publish_many_times_at_once_is_one() {
    let registry = Registry::start().await;
    let bytes = bundle("@acme/widget", "1.0.0");
    let tasks = (0..10).map(|_| {
        let request = registry.put("@acme/widget", "1.0.0", "any", bytes.clone());
        tokio::spawn(async move { request.send().await.unwrap().status().as_u16() })
    });
    let mut statuses = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        statuses.push(task.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [[200; 9].as_slice(), &[201]].concat());
    registry.assert_agrees().await;
}
