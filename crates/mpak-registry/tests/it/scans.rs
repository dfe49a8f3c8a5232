//! Scans in the background: what was published is judged, and readers see the result.

use std::time::Duration;

use serde_json::Value;

use crate::world::{Registry, bundle, bundle_with, change_rows};

async fn scanned(registry: &Registry, name: &str) -> Value {
    for _ in 0..1_000 {
        let body = registry.json(&format!("/v1/bundles/{name}/security")).await;
        if body["status"] == "completed" || body["status"] == "failed" {
            return body;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{name} was not scanned in time");
}

#[tokio::test]
async fn a38_security_of_a_scanned_version_sums_up_its_report() {
    let registry = Registry::start_with(|c| c.scans = true).await;
    registry.publish("@acme/widget", "1.0.0", "any", &bundle("@acme/widget", "1.0.0")).await;
    let body = scanned(&registry, "@acme/widget").await;
    assert_eq!(body["status"], "completed");
    assert!(body["scanned_at"].as_str().unwrap().starts_with("2026-11-20T"), "{body}");
    assert!(["CRITICAL", "HIGH", "MEDIUM", "LOW", "NONE"].contains(&body["risk_score"].as_str().unwrap()));
    let count = |member: &str| body["summary"][member].as_u64().unwrap();
    let parts = ["critical_findings", "high_findings", "medium_findings", "low_findings"].map(count);
    assert_eq!(parts.iter().sum::<u64>(), count("total_findings"), "info does not count");
    for (domain, scan) in body["scans"].as_object().unwrap() {
        assert!(["pass", "fail", "error"].contains(&scan["status"].as_str().unwrap()), "{domain}");
        assert!(scan["finding_count"].is_u64());
    }
    let detail = registry.json("/v1/bundles/@acme/widget").await;
    assert_eq!(detail["certification_level"], Value::Null, "until all controls of level 1 run");
    assert_eq!(detail["certification"], Value::Null);
}

#[tokio::test]
async fn what_was_published_while_no_worker_ran_is_scanned_later() {
    let mut registry = Registry::start().await;
    registry.publish("@acme/one", "1.0.0", "any", &bundle("@acme/one", "1.0.0")).await;
    registry.publish("@acme/two", "1.0.0", "any", &bundle_with("@acme/two", "1.0.0", "x", b"x")).await;
    assert_eq!(registry.json("/v1/bundles/@acme/one/security").await["status"], "pending");
    registry.change_for_next_start(|c| c.scans = true);
    registry.restart().await;
    assert_eq!(scanned(&registry, "@acme/one").await["status"], "completed");
    assert_eq!(scanned(&registry, "@acme/two").await["status"], "completed");
}

#[tokio::test]
async fn a_new_ruleset_scans_what_is_there_again() {
    let mut registry = Registry::start_with(|c| c.scans = true).await;
    registry.publish("@acme/widget", "1.0.0", "any", &bundle("@acme/widget", "1.0.0")).await;
    let first = scanned(&registry, "@acme/widget").await["scanned_at"].clone();
    registry.restart().await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(scanned(&registry, "@acme/widget").await["scanned_at"], first, "the ruleset is the same");
    registry.stop().await;
    change_rows(&registry, "UPDATE scans SET ruleset = 'of an older version'").await;
    registry.wait_ms(60_000);
    registry.begin().await;
    for _ in 0..1_000 {
        if scanned(&registry, "@acme/widget").await["scanned_at"] != first {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not scanned again in time");
}

#[tokio::test]
async fn a_bundle_under_which_the_server_dies_again_and_again_is_given_up() {
    let mut registry = Registry::start().await;
    registry.publish("@acme/widget", "1.0.0", "any", &bundle("@acme/widget", "1.0.0")).await;
    registry.stop().await;
    change_rows(&registry, "UPDATE jobs SET state = 'running', attempts = 3").await;
    registry.change_for_next_start(|c| c.scans = true);
    registry.begin().await;
    assert_eq!(scanned(&registry, "@acme/widget").await["status"], "failed");
    registry.restart().await;
    assert_eq!(scanned(&registry, "@acme/widget").await["status"], "failed", "and not begun anew");
}

#[tokio::test]
async fn a_scan_that_cannot_be_done_is_tried_again_and_does_not_stop_the_server() {
    let mut registry = Registry::start().await;
    registry.publish("@acme/widget", "1.0.0", "any", &bundle("@acme/widget", "1.0.0")).await;
    let blobs = registry.data().join("blobs/sha256");
    let away = registry.data().join("away");
    std::fs::rename(&blobs, &away).unwrap();
    registry.change_for_next_start(|c| c.scans = true);
    registry.restart().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(registry.json("/v1/bundles/@acme/widget/security").await["status"], "pending");
    std::fs::remove_dir(&blobs).unwrap();
    std::fs::rename(&away, &blobs).unwrap();
    registry.wait_ms(60_000);
    // The worker looks for due retries every few seconds, or when something is published.
    registry.publish("@acme/other", "1.0.0", "any", &bundle("@acme/other", "1.0.0")).await;
    assert_eq!(scanned(&registry, "@acme/widget").await["status"], "completed");
}
