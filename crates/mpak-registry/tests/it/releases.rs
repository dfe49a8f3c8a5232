//! Releases that are announced: whose build speaks for which tag, what release servers and forges do to a publish,
//! and many builds at once.

use std::time::Duration;

use mpak_bundle::digest::Sha256;
use mpak_testkit::forge::Delivery;
use reqwest::StatusCode;
use serde_json::json;

use crate::announce::{NAME, REPOSITORY};
use crate::ci::{Announcement, Ci, answer, message};
use crate::world::{bundle_of, bundle_with, manifest};

#[tokio::test]
async fn a_build_of_a_tag_speaks_for_that_tag_only() {
    let ci = Ci::start().await;
    let announced = ci.widget("1.0.0");
    let token = ci.token(REPOSITORY, "v0.9.0");
    let (status, body) = answer(ci.post(&token, &announced.body)).await;
    assert_eq!((status.as_u16(), message(&body)), (400, "Release v1.0.0 is not the tag that was built"));
}

#[tokio::test]
async fn a_build_of_a_branch_is_accepted_and_recorded() {
    let ci = Ci::start().await;
    let announced = ci.widget("1.0.0");
    ci.forge.tag(REPOSITORY, "v1.0.0", "0000000000000000000000000000000000000000");
    let mut claims = ci.claims(REPOSITORY, "v1.0.0");
    claims["ref"] = "refs/heads/main".into();
    claims["ref_type"] = "branch".into();
    let (status, body) = answer(ci.post(&ci.issuer.token(&claims), &announced.body)).await;
    assert_eq!(status, 200, "{body}");
    let detail = ci.registry.json(&format!("/v1/bundles/{NAME}")).await;
    let recorded = &detail["provenance"]["claims"];
    assert_eq!((&recorded["ref"], &recorded["ref_type"]), (&json!("refs/heads/main"), &json!("branch")), "{detail}");
}

#[tokio::test]
async fn a_tag_that_was_moved_is_refused() {
    let ci = Ci::start().await;
    let announced = ci.widget("1.0.0");
    ci.forge.tag(REPOSITORY, "v1.0.0", "0000000000000000000000000000000000000000");
    ci.refused(&announced, 400, "is of another commit than the build").await;
    ci.forge.tag(REPOSITORY, "v1.0.0", mpak_testkit::issuer::SHA);
    ci.accepted(&announced).await;
}

#[tokio::test]
async fn a_tag_that_cannot_be_looked_up_is_not_taken_for_the_one_that_was_built() {
    let ci = Ci::start().await;
    let announced = ci.widget("1.0.0");
    ci.forge.tag(REPOSITORY, "v1.0.0", &"0".repeat(40));
    for (status, expect) in [(StatusCode::BAD_GATEWAY, 503), (StatusCode::FORBIDDEN, 400)] {
        ci.forge.set_tag_outage(Some(status));
        ci.refused(&announced, expect, "Failed to fetch release v1.0.0").await;
    }
    assert_eq!(ci.registry.get(&format!("/v1/bundles/{NAME}")).await.status(), 404);
    ci.forge.set_tag_outage(None);
    ci.refused(&announced, 400, "of another commit").await;
}

#[tokio::test]
async fn hostile_deliveries_leave_nothing_behind() {
    let ci = Ci::start_with(|config| config.limits.archive_bytes_max = 1 << 20).await;
    let announced = ci.widget("1.0.0");
    let bytes = bundle_of(&manifest(NAME, "1.0.0"));
    let elsewhere = |url: &str| Delivery::Redirect(url.to_owned());
    for (what, delivery, expect, words) in [
        ("endless", Delivery::Endless, 400, "Size mismatch"),
        ("short", Delivery::Short(bytes.clone(), bytes.len() as u64 + 1_000), 503, "Failed to download"),
        ("broken", Delivery::Short(bytes[..10].to_vec(), bytes.len() as u64), 503, "Failed to download"),
        ("gone", Delivery::Status(StatusCode::GONE), 400, "Failed to download bundle-1.0.0-any-any.mcpb: Gone"),
        ("down", Delivery::Status(StatusCode::BAD_GATEWAY), 503, "Failed to download"),
        ("plain http", elsewhere("http://releases.example/x"), 400, "expected https"),
        ("a private address", elsewhere("https://10.0.0.1/x"), 400, "not public"),
        ("metadata", elsewhere("https://169.254.169.254/latest/meta-data/"), 400, "not public"),
        ("metadata, mapped", elsewhere("https://[::ffff:169.254.169.254]/"), 400, "not public"),
        ("a file", elsewhere("file:///etc/passwd"), 400, "may not be fetched"),
        (
            "itself",
            elsewhere(&format!("{}/acme/widget/releases/download/v1.0.0/{}", ci.forge.url(), announced.file)),
            400,
            "leads to more than 5 others",
        ),
    ] {
        ci.forge.asset(REPOSITORY, "v1.0.0", &announced.file, delivery);
        let (status, body) = ci.announce(&announced).await;
        assert_eq!(status.as_u16(), expect, "{what}: {body}");
        assert!(message(&body).contains(words), "{what}: {body}");
        let tmp = std::fs::read_dir(ci.registry.data().join("tmp")).unwrap().count();
        assert_eq!(tmp, 0, "{what} left a file");
    }
    assert_eq!(ci.registry.get(&format!("/v1/bundles/{NAME}")).await.status(), 404);
    // A redirect to the right place is followed.
    let real = ci.release("acme/storage", NAME, "1.0.0", ("any", "any"));
    let url = format!("{}/acme/storage/releases/download/v1.0.0/{}", ci.forge.url(), real.file);
    ci.forge.asset(REPOSITORY, "v1.0.0", &announced.file, elsewhere(&url));
    ci.accepted(&announced).await;
    ci.registry.assert_agrees().await;
}

#[tokio::test]
async fn a_release_server_killed_in_the_middle_leaves_nothing_behind() {
    let ci = Ci::start().await;
    let announced = ci.widget("1.0.0");
    let bytes = bundle_of(&manifest(NAME, "1.0.0"));
    ci.forge.asset(REPOSITORY, "v1.0.0", &announced.file, Delivery::Half(bytes));
    let kill = async {
        tokio::time::timeout(Duration::from_secs(20), async {
            while !ci.forge.requests().iter().any(|path| path.contains("/releases/download/")) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .unwrap();
        ci.forge.kill();
    };
    let ((status, body), ()) = tokio::join!(ci.announce(&announced), kill);
    assert_eq!(status, 503, "{body}");
    assert!(message(&body).starts_with("Failed to download"), "{body}");
    assert_eq!(std::fs::read_dir(ci.registry.data().join("tmp")).unwrap().count(), 0);
    assert_eq!(ci.registry.get(&format!("/v1/bundles/{NAME}")).await.status(), 404);
    ci.registry.assert_agrees().await;
}

#[tokio::test]
async fn a_release_server_that_sends_a_byte_now_and_then_is_given_up() {
    let ci = Ci::start_with(|config| config.body_idle_timeout = Duration::from_secs(2)).await;
    let announced = ci.widget("1.0.0");
    let bytes = bundle_of(&manifest(NAME, "1.0.0"));
    ci.forge.asset(REPOSITORY, "v1.0.0", &announced.file, Delivery::Trickle(bytes, Duration::from_millis(100)));
    let began = std::time::Instant::now();
    let body = ci.refused(&announced, 503, "expected 65536 bytes per second").await;
    assert!(message(&body).contains(" bytes in 1 seconds"), "{body}");
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!(std::fs::read_dir(ci.registry.data().join("tmp")).unwrap().count(), 0);
}

#[tokio::test]
async fn the_slow_releases_of_one_owner_do_not_keep_others_waiting() {
    let ci = Ci::start_with(|config| config.uploads_max = 5).await;
    let slow: Vec<Announcement> = (0..8)
        .map(|n| {
            let (repository, name) = (format!("acme/p{n}"), format!("@acme/p{n}"));
            let announced = ci.release(&repository, &name, "1.0.0", ("any", "any"));
            let bytes = bundle_of(&manifest(&name, "1.0.0"));
            ci.forge.asset(&repository, "v1.0.0", &announced.file, Delivery::Half(bytes));
            announced
        })
        .collect();
    let fetching = || ci.forge.requests().iter().filter(|path| path.contains("/releases/download/")).count();
    let other = ci.release("beta/tool", "@beta/tool", "1.0.0", ("any", "any"));
    let others = async {
        while fetching() < 4 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // Whoever could come through has time to.
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(fetching(), 4, "the other four wait outside");
        let accepted = tokio::time::timeout(Duration::from_secs(10), ci.accepted(&other)).await;
        assert_eq!(accepted.expect("it is not kept waiting")["status"], "created");
    };
    let all = futures_util::future::join_all(slow.iter().map(|announced| ci.announce(announced)));
    tokio::select! {
        _ = all => panic!("they do not end by themselves so soon"),
        () = others => {}
    }
}

#[tokio::test]
async fn a_forge_that_is_down_or_busy_is_told_as_503() {
    let ci = Ci::start().await;
    let announced = ci.widget("1.0.0");
    for status in [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::TOO_MANY_REQUESTS] {
        ci.forge.set_outage(Some(status));
        ci.refused(&announced, 503, "Failed to fetch release v1.0.0").await;
    }
    ci.forge.set_outage(Some(StatusCode::FORBIDDEN));
    ci.refused(&announced, 400, "Failed to fetch release v1.0.0: Forbidden").await;
    ci.forge.set_outage(None);
    ci.accepted(&announced).await;
}

#[tokio::test]
async fn over_the_rate_it_waits_instead_of_refusing() {
    // One publish in half a second.
    let ci = Ci::start_with(|config| config.rates.publishes_per_minute = 120).await;
    let announced = ci.widget("1.0.0");
    let token = ci.token(REPOSITORY, "v1.0.0");
    let all = (0..10).map(|_| answer(ci.post(&token, &announced.body)));
    for (status, body) in futures_util::future::join_all(all).await {
        assert_eq!(status, 200, "{body}");
    }
}

#[tokio::test]
async fn the_same_new_version_from_ten_builds_is_made_once() {
    let ci = Ci::start().await;
    let announced = ci.widget("1.0.0");
    let all = (0..10).map(|_| ci.announce(&announced));
    let all = futures_util::future::join_all(all).await;
    let created = all.iter().filter(|(_, body)| body["status"] == "created").count();
    let updated = all.iter().filter(|(_, body)| body["status"] == "updated").count();
    assert_eq!((created, updated), (1, 9), "{all:?}");
    ci.registry.assert_agrees().await;
}

#[tokio::test]
async fn of_ten_builds_with_other_bytes_exactly_one_is_published() {
    let ci = Ci::start().await;
    let first = ci.widget("1.0.0");
    let all: Vec<Announcement> = (0..10)
        .map(|number| {
            let bytes = bundle_with(NAME, "1.0.0", "more.txt", format!("{number}").as_bytes());
            let file = format!("bundle-{number}.mcpb");
            ci.forge.asset(REPOSITORY, &first.tag, &file, Delivery::Whole(bytes.clone()));
            let told = first.with("/artifact/filename", file).with("/artifact/size", bytes.len());
            told.with("/artifact/sha256", Sha256::of(&bytes).to_string())
        })
        .collect();
    let answers = futures_util::future::join_all(all.iter().map(|announced| ci.announce(announced))).await;
    let won: Vec<usize> = (0..10).filter(|number| answers[*number].1["status"] == "created").collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    for (status, body) in answers.iter().filter(|(_, body)| body["status"] != "created") {
        assert_eq!((status.as_u16(), &body["error"]["code"]), (422, &json!("VERSION_IMMUTABLE")), "{body}");
    }
    let download = ci.registry.json(&format!("/v1/bundles/{NAME}/versions/1.0.0/download")).await;
    assert_eq!(download["bundle"]["sha256"], all[won[0]].body["artifact"]["sha256"]);
    ci.registry.assert_agrees().await;
}
