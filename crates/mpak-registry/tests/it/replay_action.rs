//! Replays of the existing Action, mcpb-pack v3: its requests as it makes them, and its rules for what to
//! try again. The Action itself cannot be installed here; this is what its steps do.

use mpak_testkit::forge::Delivery;
use mpak_testkit::issuer::{Stamp, github_claims};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::ci::{ANNOUNCE, Announcement, Ci};
use crate::world::{START_MS, bundle_of, bundle_with, manifest};

/// What the Action says in the end.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Announced,
    Warned(u16),
}

/// Up to four attempts with one token: 2xx is success; 409 and `not found in release` are tried again; the
/// fourth 409 counts as success; everything else ends it.
async fn replay(ci: &Ci, announced: &Announcement) -> (Verdict, usize) {
    let url = ci.issuer.url();
    let stamp = Stamp { issuer: &url, audience: ANNOUNCE, issued_at: START_MS / 1_000, jti: &announced.file };
    let token = ci.issuer.token(&github_claims(stamp, &announced.repository, &announced.tag));
    let address = format!("{}/v1/bundles/announce", ci.registry.url);
    for attempt in 1..=4 {
        let request = ci.registry.client.post(&address).header("authorization", format!("Bearer {token}"));
        let request = request.header("content-type", "application/json").body(announced.body.to_string());
        let response = request.send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        match status {
            status if status.is_success() => return (Verdict::Announced, attempt),
            StatusCode::CONFLICT if attempt == 4 => return (Verdict::Announced, attempt),
            StatusCode::CONFLICT => {}
            _ if text.contains("not found in release") && attempt < 4 => {}
            status => return (Verdict::Warned(status.as_u16()), attempt),
        }
    }
    unreachable!("the fourth attempt ends it")
}

fn released(ci: &Ci, os: &str, arch: &str) -> Announcement {
    // The Action leaves the platform to the caller's `output`, and calls what ubuntu builds linux-x64.
    ci.release("acme/widget", "@acme/widget", "1.0.0", (os, arch))
}

#[tokio::test]
async fn replay_action_d15_announces_a_release() {
    let ci = Ci::start().await;
    assert_eq!(replay(&ci, &released(&ci, "linux", "x64")).await, (Verdict::Announced, 1));
}

#[tokio::test]
async fn replay_action_d16_announces_a_matrix() {
    let ci = Ci::start().await;
    let all = [("linux", "x64"), ("linux", "arm64"), ("darwin", "arm64")].map(|(os, arch)| released(&ci, os, arch));
    let verdicts = futures_util::future::join_all(all.iter().map(|one| replay(&ci, one))).await;
    assert!(verdicts.iter().all(|verdict| *verdict == (Verdict::Announced, 1)), "{verdicts:?}");
    let detail = ci.registry.json("/v1/bundles/@acme/widget/versions/1.0.0").await;
    let platforms: Vec<&Value> = detail["artifacts"].as_array().unwrap().iter().map(|a| &a["platform"]).collect();
    assert_eq!(platforms.len(), 3);
    assert!(platforms.contains(&&json!({"os": "darwin", "arch": "arm64"})), "{platforms:?}");
}

#[tokio::test]
async fn replay_action_d17_waits_until_the_asset_is_visible() {
    let ci = Ci::start().await;
    let announced = released(&ci, "linux", "x64");
    let bytes = bundle_of(&manifest("@acme/widget", "1.0.0"));
    ci.forge.asset_later("acme/widget", "v1.0.0", &announced.file, Delivery::Whole(bytes), 2);
    assert_eq!(replay(&ci, &announced).await, (Verdict::Announced, 3));
}

#[tokio::test]
async fn replay_action_d18_does_not_take_a_conflict_for_success() {
    let ci = Ci::start().await;
    assert_eq!(replay(&ci, &released(&ci, "linux", "x64")).await.0, Verdict::Announced);
    let other = bundle_with("@acme/widget", "1.0.0", "more.txt", b"other");
    let manifest = manifest("@acme/widget", "1.0.0");
    let mut second = ci.release_of("acme/widget", "@acme/widget", "1.0.0", ("linux", "x64"), &manifest, &other);
    second.file.push('2');
    assert_eq!(replay(&ci, &second).await, (Verdict::Warned(422), 1));
}

#[tokio::test]
async fn replay_action_a_path_as_file_name_is_refused_as_before() {
    let ci = Ci::start().await;
    let announced = released(&ci, "linux", "x64").with("/artifact/filename", "dist/bundle.mcpb");
    assert_eq!(replay(&ci, &announced).await, (Verdict::Warned(400), 1));
    let windows = released(&ci, "mingw64_nt-10.0", "x64");
    assert_eq!(replay(&ci, &windows).await, (Verdict::Warned(400), 1));
}
