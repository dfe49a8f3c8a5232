//! Scans in the background: what was published is judged, and readers see the result.

use std::time::Duration;

use mpak_scan::advisories::Builder;
use mpak_scan::control::Status;
use mpak_scan::controls::CONTROLS;
use mpak_scan::report::{Finding, Report, Severity};
use serde_json::{Value, json};

use crate::ci::Ci;
use crate::world::{Registry, bundle, bundle_of, bundle_with, change_rows, manifest, run_sql};

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
    let index = index.to_string();
    let written = || std::fs::read_to_string(&file).is_ok_and(|text| text == index);
    while !written() {
        assert!(std::time::Instant::now() < until, "{index}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A report with these findings and statuses, the others passed without findings.
fn made_report(report: &Value, results: &[(&str, Status, &[Severity])]) -> &'static str {
    let mut report: Report = serde_json::from_value(report.clone()).unwrap();
    for control in &mut report.controls {
        let made = results.iter().find(|(id, ..)| *id == control.id);
        let (status, severities) =
            made.map_or((Status::Pass, &[][..]), |(_, status, severities)| (*status, *severities));
        control.status = status;
        control.findings = severities.iter().map(|severity| Finding::new("X/y", *severity, "found")).collect();
    }
    serde_json::to_string(&report).unwrap().replace('\'', "''").leak()
}

#[tokio::test]
async fn a38_the_worst_artifact_is_summed_up_without_info_and_fail_goes_before_error_before_pass() {
    use Severity::{Critical, High, Info, Low, Medium};
    let mut registry = Registry::start_with(|c| c.scanning.enabled = true).await;
    let name = "@acme/widget";
    registry.publish(name, "1.0.0", "any", &bundle(name, "1.0.0")).await;
    registry.publish(name, "1.0.0", "linux-x64", &bundle_with(name, "1.0.0", "x", b"linux")).await;
    let real = report(&registry, name, |_| true).await["report"].clone();
    let linux = format!("/api/v1/packages/{name}/versions/1.0.0/artifacts/linux-x64/report");
    for _ in 0..1_000 {
        if registry.json(&linux).await["status"] == "completed" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Reports as they might be: two controls of a domain for each pair of statuses.
    let of = |domain: &str| {
        let ids: Vec<&str> = CONTROLS.iter().filter(|c| c.domain == domain).map(|c| c.id).collect();
        assert!(ids.len() >= 3, "{domain}: {ids:?}");
        ids
    };
    let (supply, code, artifact) = (of("supply_chain"), of("code_quality"), of("artifact_integrity"));
    let worst = made_report(
        &real,
        &[
            (supply[0], Status::Error, &[]),
            (supply[1], Status::Fail, &[Critical, Info, Info]),
            (supply[2], Status::Pass, &[]),
            (code[0], Status::Pass, &[Low, Low]),
            (code[1], Status::Error, &[Medium]),
            (artifact[0], Status::Warn, &[Info]),
        ],
    );
    let better = made_report(&real, &[(supply[0], Status::Fail, &[High, High, High, High])]);
    registry.change_for_next_start(|c| c.scanning.enabled = false);
    registry.stop().await;
    for (os, report) in [("linux", worst), ("any", better)] {
        let artifact = format!("(SELECT id FROM artifacts WHERE os = '{os}')");
        let sql = format!("UPDATE scans SET report_json = '{report}' WHERE artifact_id = {artifact}");
        change_rows(&registry, sql.leak()).await;
    }
    registry.begin().await;
    let body = registry.json(&format!("/v1/bundles/{name}/security")).await;
    let summary = json!({"critical_findings": 1, "high_findings": 0, "medium_findings": 1, "low_findings": 2,
        "total_findings": 4});
    assert_eq!((&body["risk_score"], &body["summary"]), (&json!("CRITICAL"), &summary), "{body}");
    let domain = |name: &str| (body["scans"][name]["status"].clone(), body["scans"][name]["finding_count"].clone());
    assert_eq!(domain("supply_chain"), (json!("fail"), json!(3)));
    assert_eq!(domain("code_quality"), (json!("error"), json!(3)));
    assert_eq!(domain("artifact_integrity"), (json!("pass"), json!(1)));
}

#[tokio::test]
async fn a34_a36_a_badge_shows_the_level_of_the_worst_artifact_and_never_markup() {
    let mut registry = Registry::start_with(|c| c.scanning.enabled = true).await;
    let name = "@acme/widget";
    registry.publish(name, "1.0.0", "any", &bundle(name, "1.0.0")).await;
    let real = report(&registry, name, |_| true).await["report"].clone();
    registry.change_for_next_start(|c| c.scanning.enabled = false);
    let badge = async |registry: &Registry| {
        let answer = registry.get(&format!("/v1/bundles/{name}/badge.svg")).await;
        assert_eq!(answer.headers()["content-type"], "image/svg+xml");
        answer.text().await.unwrap()
    };
    for (level, word, color) in [(1, "L1 Basic", "#007ec6"), (4, "L4 Attested", "#dfb317")] {
        registry.stop().await;
        let mut report = real.clone();
        report["level"] = level.into();
        let report = made_report(&report, &[]);
        change_rows(&registry, format!("UPDATE scans SET report_json = '{report}'").leak()).await;
        registry.begin().await;
        let svg = badge(&registry).await;
        assert!(svg.contains(&format!("aria-label=\"mpak certified: {word}\"")) && svg.contains(color), "{svg}");
        assert!(!svg.contains("1.0.0"), "{svg}");
    }
    // Whatever a database holds as version.
    registry.stop().await;
    change_rows(&registry, "UPDATE packages SET latest_version = '1</text><script>alert(1)</script>\"&'").await;
    registry.begin().await;
    let svg = badge(&registry).await;
    assert!(svg.contains("v1&lt;/text&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot;&amp;"), "{svg}");
    assert!(!svg.contains("<script") && svg.matches("<text ").count() == 2, "{svg}");
}

/// A registry of before 0007 and, as for rows of before 0006, without what reports came to.
#[tokio::test]
async fn an_older_schema_is_brought_up_to_date_and_nothing_known_becomes_null() {
    let mut registry = Registry::start_with(|c| c.scanning.enabled = true).await;
    registry.publish("@acme/widget", "1.0.0", "any", &bundle("@acme/widget", "1.0.0")).await;
    let held = "@antropic/filesystem";
    registry.publish(held, "1.0.0", "any", &bundle(held, "1.0.0")).await;
    let removed = registry.client.delete(format!("{}/api/v1/packages/{held}", registry.url));
    assert_eq!(removed.bearer_auth(&registry.token).body("{}").send().await.unwrap().status(), 200);
    let certified = async |registry: &Registry| {
        for _ in 0..500 {
            let detail = registry.json("/v1/bundles/@acme/widget").await;
            if detail["certification"]["controls_total"].is_u64() {
                return detail["certification"].clone();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{}", registry.json("/v1/bundles/@acme/widget").await);
    };
    scanned(&registry, "@acme/widget").await;
    let before = certified(&registry).await;
    registry.change_for_next_start(|_| {});
    registry.stop().await;
    run_sql(
        &registry,
        &[
            "UPDATE scans SET passed_count = NULL, failed_count = NULL, controls_count = NULL",
            "DROP TABLE reindexes",
            "DROP TABLE unseen_versions",
            "ALTER TABLE jobs DROP COLUMN put_back_count",
            "ALTER TABLE tombstones DROP COLUMN hidden",
            "DELETE FROM _sqlx_migrations WHERE version = 7",
        ],
    )
    .await;
    // Nothing of what the search kept helps.
    std::fs::remove_file(registry.data().join("search.index")).unwrap();
    registry.begin().await;
    assert_eq!(certified(&registry).await, before);
    let gone = registry.json("/v0.1/servers?include_deleted=true").await.to_string();
    assert!(!gone.contains("antropic"), "it was never public: {gone}");
    registry.assert_agrees().await;
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
async fn a_scan_waits_for_a_storage_that_does_not_work_however_long() {
    let mut registry = Registry::start().await;
    let published = registry.publish("@acme/widget", "1.0.0", "any", &bundle("@acme/widget", "1.0.0")).await;
    // What lies in the way of the blob makes every read of it fail.
    let folder = registry.data().join("blobs/sha256").join(&published["sha256"].as_str().unwrap()[..2]);
    let away = registry.data().join("away");
    std::fs::rename(&folder, &away).unwrap();
    std::fs::write(&folder, "").unwrap();
    registry.change_for_next_start(|c| c.scanning.enabled = true);
    // More tries than a bundle has that cannot be scanned.
    for _ in 0..6 {
        registry.wait_ms(60 * 60_000);
        registry.restart().await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(registry.json("/v1/bundles/@acme/widget/security").await["status"], "pending");
    }
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(&away, &folder).unwrap();
    // The worker looks for due retries every few seconds, or when something is published.
    registry.wait_ms(60 * 60_000);
    registry.publish("@acme/other", "1.0.0", "any", &bundle("@acme/other", "1.0.0")).await;
    assert_eq!(scanned(&registry, "@acme/widget").await["status"], "completed");
}

#[tokio::test]
async fn a_scan_of_bytes_that_are_missing_is_given_up_after_some_tries_and_does_not_stop_the_server() {
    let mut registry = Registry::start().await;
    registry.publish("@acme/widget", "1.0.0", "any", &bundle("@acme/widget", "1.0.0")).await;
    registry.publish("@acme/other", "1.0.0", "any", &bundle_with("@acme/other", "1.0.0", "x", b"y")).await;
    let path = |hex: &str| registry.data().join("blobs/sha256").join(&hex[..2]).join(&hex[2..]);
    let security = registry.json("/v1/bundles/@acme/widget/versions/1.0.0/download").await;
    std::fs::remove_file(path(security["bundle"]["sha256"].as_str().unwrap())).unwrap();
    registry.change_for_next_start(|c| c.scanning.enabled = true);
    for _ in 0..3 {
        registry.wait_ms(10 * 60_000);
        registry.restart().await;
        assert_eq!(scanned(&registry, "@acme/other").await["status"], "completed");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(scanned(&registry, "@acme/widget").await["status"], "failed");
}

/// The report of the only artifact of version 1.0.0, once there is one and `ready` says so.
async fn report(registry: &Registry, name: &str, ready: impl Fn(&Value) -> bool) -> Value {
    report_of(registry, name, "1.0.0", ready).await
}

async fn report_of(registry: &Registry, name: &str, version: &str, ready: impl Fn(&Value) -> bool) -> Value {
    let path = format!("/api/v1/packages/{name}/versions/{version}/artifacts/any/report");
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

#[tokio::test]
async fn a_build_of_a_branch_is_recorded_and_costs_pr04() {
    let ci = Ci::start_with(|c| c.scanning.enabled = true).await;
    let sha = mpak_testkit::issuer::SHA;
    let build = |version: &str| {
        let mut manifest = manifest("widget", version);
        manifest["repository"] = json!({"type": "git", "url": format!("{}/acme/widget", ci.issuer.url())});
        manifest["_meta"] = json!({"org.mpaktrust": {"source": {"commit": sha}}});
        let tag = format!("v{version}");
        let released =
            ci.release_of("acme/widget", "@acme/widget", version, ("any", "any"), &manifest, &bundle_of(&manifest));
        (released, tag)
    };
    // 1. The tag was built.
    let (tagged, tag) = build("1.0.0");
    ci.forge.tag("acme/widget", &tag, sha);
    ci.accepted(&tagged).await;
    // 2. A branch was, at the commit of the tag; and at another one.
    for (version, tag_sha) in [("1.1.0", sha.to_owned()), ("1.2.0", "0".repeat(40))] {
        let (released, tag) = build(version);
        ci.forge.tag("acme/widget", &tag, &tag_sha);
        let mut claims = ci.claims("acme/widget", &tag);
        claims["ref"] = "refs/heads/main".into();
        claims["ref_type"] = "branch".into();
        let (status, body) = crate::ci::answer(ci.post(&ci.issuer.token(&claims), &released.body)).await;
        assert_eq!(status, 200, "{body}");
    }
    // 3. What the control says of each.
    let other = ["PR-04/not-from-a-tag", "PR-04/tag-mismatch"];
    for (version, status, rules) in
        [("1.0.0", "warn", &[][..]), ("1.1.0", "fail", &other[..1]), ("1.2.0", "fail", &other)]
    {
        let report = report_of(&ci.registry, "@acme/widget", version, |_| true).await;
        let control = control(&report, "PR-04");
        let found = control["findings"].as_array().unwrap().iter().map(|f| f["rule"].as_str().unwrap());
        let found: Vec<&str> = found.filter(|rule| *rule != "PR-04/unsigned-commit").collect();
        assert_eq!((control["status"].as_str().unwrap(), &found[..]), (status, rules), "{version}: {control}");
    }
    // 4. What was built is recorded: for readers, and in the history.
    let version = ci.registry.json("/v1/bundles/@acme/widget/versions/1.1.0").await;
    let claims = &version["provenance"];
    assert!(claims.to_string().contains("refs/heads/main") || claims["ref_type"] == "branch", "{version}");
    let events = ci.registry.json("/api/v1/packages/@acme/widget/events").await;
    let published = |e: &&Value| e["kind"] == "artifact_published" && e["version"] == "1.1.0";
    let event = events["events"].as_array().unwrap().iter().find(published).unwrap();
    let identity = &event["details"]["identity"];
    assert_eq!((&identity["ref"], &identity["ref_type"]), (&json!("refs/heads/main"), &json!("branch")), "{event}");
    assert_eq!((&identity["sha"], &event["details"]["release"]["tag_sha"]), (&json!(sha), &json!(sha)));
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
