//! Scans in the background: what was published is judged, and readers see the result.

use std::time::Duration;

use mpak_scan::advisories::Builder;
use serde_json::{Value, json};

use crate::ci::Ci;
use crate::world::{Registry, bundle, bundle_of, bundle_with, change_rows, manifest};

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
    let registry = Registry::start_with(|c| c.scanning.enabled = true).await;
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
    // The index follows the event.
    let until = std::time::Instant::now() + Duration::from_secs(20);
    let detail = loop {
        let detail = registry.json("/v1/bundles/@acme/widget").await;
        if !detail["certification_level"].is_null() {
            break detail;
        }
        assert!(std::time::Instant::now() < until, "{detail}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let report = report(&registry, "@acme/widget", |_| true).await;
    let count = |status: &str| {
        report["report"]["controls"].as_array().unwrap().iter().filter(|c| c["status"] == status).count()
    };
    let level = &report["report"]["level"];
    assert_eq!(&detail["certification_level"], level);
    let name = if level == 1 { json!("L1 Basic") } else { Value::Null };
    assert_eq!(
        detail["certification"],
        json!({"level": level, "level_name": name, "controls_passed": count("pass"), "controls_failed": count("fail"),
            "controls_total": 25})
    );
    let found = registry.json("/v1/bundles/search?q=widget").await;
    assert_eq!(&found["bundles"][0]["certification_level"], level);
    // The static index, from memory and as a file.
    let index = registry.json("/index/v1/@acme/widget.json").await;
    assert_eq!((&index["versions"][0]["level"], &index["versions"][0]["score"]), (level, &report["report"]["score"]));
    let file = registry.data().join("public/index/v1/@acme/widget.json");
    let written = || std::fs::read_to_string(&file).is_ok_and(|text| text == index.to_string());
    while !written() {
        assert!(std::time::Instant::now() < until, "{index}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_was_published_while_no_worker_ran_is_scanned_later() {
    let mut registry = Registry::start().await;
    registry.publish("@acme/one", "1.0.0", "any", &bundle("@acme/one", "1.0.0")).await;
    registry.publish("@acme/two", "1.0.0", "any", &bundle_with("@acme/two", "1.0.0", "x", b"x")).await;
    assert_eq!(registry.json("/v1/bundles/@acme/one/security").await["status"], "pending");
    registry.change_for_next_start(|c| c.scanning.enabled = true);
    registry.restart().await;
    assert_eq!(scanned(&registry, "@acme/one").await["status"], "completed");
    assert_eq!(scanned(&registry, "@acme/two").await["status"], "completed");
}

#[tokio::test]
async fn a_new_ruleset_scans_what_is_there_again() {
    let mut registry = Registry::start_with(|c| c.scanning.enabled = true).await;
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
    registry.change_for_next_start(|c| c.scanning.enabled = true);
    registry.begin().await;
    assert_eq!(scanned(&registry, "@acme/widget").await["status"], "failed");
    registry.restart().await;
    assert_eq!(scanned(&registry, "@acme/widget").await["status"], "failed", "and not begun anew");
    registry.stop().await;
    change_rows(&registry, "UPDATE jobs SET asked = 'the ruleset of an older version'").await;
    registry.begin().await;
    let completed = async {
        while scanned(&registry, "@acme/widget").await["status"] != "completed" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), completed).await.expect("but for other rules");
}

#[tokio::test]
async fn a_scan_that_cannot_be_done_is_tried_again_and_does_not_stop_the_server() {
    let mut registry = Registry::start().await;
    registry.publish("@acme/widget", "1.0.0", "any", &bundle("@acme/widget", "1.0.0")).await;
    let blobs = registry.data().join("blobs/sha256");
    let away = registry.data().join("away");
    std::fs::rename(&blobs, &away).unwrap();
    registry.change_for_next_start(|c| c.scanning.enabled = true);
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

/// The report of the only artifact of a version, once there is one and `ready` says so.
async fn report(registry: &Registry, name: &str, ready: impl Fn(&Value) -> bool) -> Value {
    let path = format!("/api/v1/packages/{name}/versions/1.0.0/artifacts/any/report");
    for _ in 0..1_000 {
        let body = registry.json(&path).await;
        if body["status"] == "completed" && ready(&body) {
            return body;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{name} was not scanned as expected: {}", registry.json(&path).await);
}

fn control<'a>(body: &'a Value, id: &str) -> &'a Value {
    body["report"]["controls"].as_array().unwrap().iter().find(|c| c["id"] == id).unwrap()
}

#[tokio::test]
async fn who_published_is_judged_for_each_package_even_where_the_bytes_are_the_same() {
    let ci = Ci::start_with(|c| c.scanning.enabled = true).await;
    let mut manifest = manifest("widget", "1.0.0");
    manifest["author"] = json!({"name": "A", "email": "a@acme.example"});
    let bytes = bundle_of(&manifest);
    ci.accepted(&ci.release_of("acme/widget", "@acme/widget", "1.0.0", ("any", "any"), &manifest, &bytes)).await;
    // The same file under somebody else's name, by a token of which nobody knows whose it is.
    ci.registry.publish("@other/widget", "1.0.0", "any", &bytes).await;
    let by_identity = report(&ci.registry, "@acme/widget", |_| true).await;
    let by_token = report(&ci.registry, "@other/widget", |_| true).await;
    assert_eq!(by_identity["sha256"], by_token["sha256"]);
    let rules = |body: &Value| control(body, "PR-02")["findings"].to_string();
    assert!(!rules(&by_identity).contains("unverified-identity"), "{}", rules(&by_identity));
    assert!(rules(&by_token).contains("unverified-identity"), "{}", rules(&by_token));
}

/// A snapshot with one advisory, about all versions of an npm package.
fn snapshot(package: &str) -> Vec<u8> {
    let record = json!({"id": "CVE-2020-1", "modified": "2024-01-31T12:00:00Z", "summary": "something bad",
        "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
        "affected": [{"package": {"ecosystem": "npm", "name": package},
            "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}]}]});
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("osv.json");
    std::fs::write(&path, record.to_string()).unwrap();
    let mut builder = Builder::new();
    builder.osv(&path).unwrap();
    builder.finish(None, None).unwrap().bytes
}

#[tokio::test]
async fn other_advisories_judge_again_and_another_outcome_is_kept_beside_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("advisories");
    std::fs::write(&path, snapshot("right-pad")).unwrap();
    let given = path.clone();
    let mut registry = Registry::start_with(move |c| {
        c.scanning.enabled = true;
        c.advisories = Some(given.clone());
    })
    .await;
    let package = json!({"name": "left-pad", "version": "1.0.0"}).to_string();
    let place = "node_modules/left-pad/package.json";
    let bytes = bundle_with("@acme/widget", "1.0.0", place, package.as_bytes());
    registry.publish("@acme/widget", "1.0.0", "any", &bytes).await;
    let first = report(&registry, "@acme/widget", |_| true).await;
    assert_eq!(first["history"].as_array().unwrap().len(), 1);
    assert!(!control(&first, "SC-02")["findings"].to_string().contains("CVE-2020-1"));
    registry.stop().await;
    std::fs::write(&path, snapshot("left-pad")).unwrap();
    registry.wait_ms(60_000);
    registry.begin().await;
    let known = |body: &Value| control(body, "SC-02")["findings"].to_string().contains("CVE-2020-1");
    let second = report(&registry, "@acme/widget", known).await;
    let history = second["history"].as_array().unwrap();
    assert_eq!(history.len(), 2, "{history:?}");
    assert_eq!(history[1]["first_at"], first["history"][0]["first_at"]);
    assert_ne!(history[0]["first_at"], history[1]["first_at"]);
    let page = registry.get("/packages/@acme/widget").await.text().await.unwrap();
    assert!(page.contains("Earlier outcomes of the same bytes"), "{page}");
}

#[tokio::test]
async fn a_job_about_a_deleted_version_ends() {
    let mut registry = Registry::start().await;
    registry.publish("@acme/widget", "1.0.0", "any", &bundle("@acme/widget", "1.0.0")).await;
    registry.publish("@acme/widget", "1.1.0", "any", &bundle("@acme/widget", "1.1.0")).await;
    let gone = registry.client.delete(format!("{}/api/v1/packages/@acme/widget/versions/1.0.0", registry.url));
    let answer = gone.bearer_auth(&registry.token).json(&json!({"reason": "x"})).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    registry.change_for_next_start(|c| {
        c.scanning.enabled = true;
        c.metrics_listen = Some("127.0.0.1:0".parse().unwrap());
    });
    registry.restart().await;
    assert_eq!(scanned(&registry, "@acme/widget").await["status"], "completed");
    for _ in 0..500 {
        let metrics = registry.client.get(format!("{}/metrics", registry.metrics_url())).send().await.unwrap();
        let metrics = metrics.text().await.unwrap();
        let waiting = |l: &&str| l.starts_with("mpak_jobs{") && !l.ends_with(" 0");
        if metrics.contains("mpak_jobs{") && metrics.lines().find(waiting).is_none() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("a job about what is gone is tried again and again");
}
