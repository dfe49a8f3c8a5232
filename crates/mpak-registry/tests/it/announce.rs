//! `POST /v1/bundles/announce`: checklist C of the wire's contract, row by row.

use std::time::Duration;

use futures_util::StreamExt as _;
use mpak_bundle::digest::Sha256;
use mpak_testkit::forge::Delivery;
use mpak_testkit::zip::{ZipBuilder, good_bundle};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::ci::{Announcement, Ci, answer, message};
use crate::world::{bundle_of, bundle_with, elf_x64, manifest};

const REPOSITORY: &str = "acme/widget";
const NAME: &str = "@acme/widget";

impl Ci {
    fn widget(&self, version: &str) -> Announcement {
        self.release(REPOSITORY, NAME, version, ("any", "any"))
    }

    async fn refused(&self, announcement: &Announcement, status: u16, words: &str) -> Value {
        let (found, body) = self.announce(announcement).await;
        assert_eq!(found.as_u16(), status, "{body}");
        assert!(message(&body).contains(words), "`{}` does not hold `{words}`", message(&body));
        body
    }

    async fn latest(&self) -> String {
        let detail = self.registry.json(&format!("/v1/bundles/{NAME}")).await;
        detail["latest_version"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn c1_the_first_artifact_is_created() {
    let ci = Ci::start().await;
    let announced = ci.widget("1.0.0");
    let body = ci.accepted(&announced).await;
    let artifact = json!({"os": "any", "arch": "any", "filename": announced.file});
    let expect = json!({
        "package": NAME, "version": "1.0.0", "artifact": artifact, "total_artifacts": 1, "status": "created",
    });
    assert_eq!(body, expect);
    let versions = ci.registry.json(&format!("/v1/bundles/{NAME}/versions")).await;
    assert_eq!(versions["versions"][0]["publish_method"], "oidc");
    let download = ci.registry.json(&format!("/v1/bundles/{NAME}/versions/1.0.0/download")).await;
    let bytes = ci.registry.client.get(download["url"].as_str().unwrap()).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(Sha256::of(&bytes).to_string(), announced.body["artifact"]["sha256"]);
}

#[tokio::test]
async fn what_was_verified_at_publish_is_served_as_provenance() {
    let ci = Ci::start().await;
    ci.accepted(&ci.widget("1.0.0")).await;
    let detail = ci.registry.json(&format!("/v1/bundles/{NAME}")).await;
    let full = &detail["provenance"];
    assert_eq!((&full["schema_version"], &full["provider"]), (&json!(1), &json!("github_oidc")), "{full}");
    assert_eq!(full["repository"], REPOSITORY);
    assert!(full["claims"]["owner_id"].is_string(), "{full}");
    let one = ci.registry.json(&format!("/v1/bundles/{NAME}/versions/1.0.0")).await;
    assert_eq!(&one["provenance"], full);
    assert_eq!(one["release"]["tag"], "v1.0.0");
    assert!(one["artifacts"][0]["source_url"].as_str().unwrap().contains("/releases/"), "{one}");
    let short = json!({
        "schema_version": "1", "provider": "github_oidc", "repository": REPOSITORY, "sha": full["sha"],
    });
    let versions = ci.registry.json(&format!("/v1/bundles/{NAME}/versions")).await;
    assert_eq!(versions["versions"][0]["provenance"], short);
    let search = ci.registry.json("/v1/bundles/search?q=widget").await;
    assert_eq!(search["bundles"][0]["provenance"], short);
    let index = ci.registry.json(&format!("/v1/bundles/{NAME}/index.json")).await;
    assert_eq!(index["annotations"]["dev.mpak.provenance.repository"], REPOSITORY);
    assert_eq!(index["bundles"][0]["urls"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn c2_a_second_platform_is_created() {
    let ci = Ci::start().await;
    ci.accepted(&ci.widget("1.0.0")).await;
    let body = ci.accepted(&ci.release(REPOSITORY, NAME, "1.0.0", ("linux", "x64"))).await;
    assert_eq!((&body["status"], &body["total_artifacts"]), (&json!("created"), &json!(2)));
}

#[tokio::test]
async fn c3_an_identical_repeat_is_updated_and_changes_nothing() {
    let ci = Ci::start().await;
    let announced = ci.widget("1.0.0");
    ci.accepted(&announced).await;
    let body = ci.accepted(&announced).await;
    assert_eq!((&body["status"], &body["total_artifacts"]), (&json!("updated"), &json!(1)));
}

#[tokio::test]
async fn c4_other_bytes_for_the_same_platform_are_refused_with_another_status_than_409() {
    let ci = Ci::start().await;
    let first = ci.widget("1.0.0");
    ci.accepted(&first).await;
    let manifest = manifest(NAME, "1.0.0");
    let other = bundle_with(NAME, "1.0.0", "more.txt", b"other");
    let second = ci.release_of(REPOSITORY, NAME, "1.0.0", ("any", "any"), &manifest, &other);
    let body = ci.refused(&second, 422, "exists with other bytes").await;
    assert_eq!(body["error"]["code"], "VERSION_IMMUTABLE");
    let download = ci.registry.json(&format!("/v1/bundles/{NAME}/versions/1.0.0/download")).await;
    assert_eq!(download["bundle"]["sha256"], first.body["artifact"]["sha256"]);
}

#[tokio::test]
async fn c5_without_a_token_it_is_401() {
    let ci = Ci::start().await;
    let url = format!("{}/v1/bundles/announce", ci.registry.url);
    let (status, body) = answer(ci.registry.client.post(url).json(&ci.widget("1.0.0").body)).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::UNAUTHORIZED, &json!("UNAUTHORIZED")));
    assert_eq!(message(&body), "Missing OIDC token. This endpoint requires a GitHub Actions OIDC token.");
}

#[tokio::test]
async fn c6_an_empty_body_is_422_even_without_a_token() {
    let ci = Ci::start().await;
    let url = format!("{}/v1/bundles/announce", ci.registry.url);
    let (status, body) = answer(ci.registry.client.post(url).json(&json!({}))).await;
    assert_eq!((status.as_u16(), message(&body)), (422, "Request validation failed"));
    let problems = body["error"]["details"]["validation"].as_array().unwrap();
    assert_eq!(problems.len(), 5, "{body}");
    for member in ["instancePath", "schemaPath", "keyword", "params", "message"] {
        assert!(problems[0].get(member).is_some(), "{member}");
    }
}

#[tokio::test]
async fn c7_wrong_tokens_are_invalid() {
    let ci = Ci::start().await;
    let announced = ci.widget("1.0.0");
    let spoiled = |member: &str, value: Value| {
        let mut claims = ci.claims(REPOSITORY, "v1.0.0");
        claims[member] = value;
        ci.issuer.token(&claims)
    };
    let mut header = ci.issuer.header();
    header["kid"] = "unknown".into();
    for (what, token) in [
        ("audience", spoiled("aud", "https://other.example".into())),
        ("issuer", spoiled("iss", "https://issuer.example".into())),
        ("expired", spoiled("exp", 1_000_000.into())),
        ("unknown kid", ci.issuer.token_of(&header, &ci.claims(REPOSITORY, "v1.0.0").to_string())),
        ("no token", "mpak_something".to_owned()),
    ] {
        let (status, body) = answer(ci.post(&token, &announced.body)).await;
        assert_eq!((status.as_u16(), &body["error"]["code"]), (401, &json!("UNAUTHORIZED")), "{what}: {body}");
        assert!(message(&body).starts_with("Invalid OIDC token: "), "{what}: {body}");
    }
}

#[tokio::test]
async fn c8_another_scope_is_a_mismatch() {
    let ci = Ci::start().await;
    let announced = ci.release("evil/widget", NAME, "1.0.0", ("any", "any"));
    let body = ci.refused(&announced, 401, "Scope mismatch").await;
    assert!(message(&body).contains("\"@acme\" does not match repository owner \"evil\""), "{body}");
}

#[tokio::test]
async fn c9_case_does_not_matter() {
    let ci = Ci::start().await;
    let announced = ci.release("ACME/Widget", "@Acme/Widget", "1.0.0", ("any", "any"));
    let mut manifest = manifest(NAME, "1.0.0");
    manifest["name"] = "widget".into();
    let bytes = bundle_of(&manifest);
    let announced = ci.release_of(
        "ACME/Widget",
        announced.body["name"].as_str().unwrap(),
        "1.0.0",
        ("any", "any"),
        &manifest,
        &bytes,
    );
    assert_eq!(ci.accepted(&announced).await["package"], NAME);
}

#[tokio::test]
async fn c10_unknown_platforms_are_refused() {
    let ci = Ci::start().await;
    let announced = ci.widget("1.0.0");
    let os = "Invalid artifact os: \"freebsd\". Must be one of: darwin, linux, win32, any";
    ci.refused(&announced.with("/artifact/os", "freebsd"), 400, os).await;
    ci.refused(&announced.with("/artifact/arch", "386"), 400, "Invalid artifact arch: \"386\"").await;
}

#[tokio::test]
async fn c11_names_of_files_are_no_paths() {
    let ci = Ci::start().await;
    let announced = ci.widget("1.0.0");
    for name in ["a/b.mcpb", "..mcpb.zip", "x.zip", "a\\b.mcpb", &format!("{}.mcpb", "x".repeat(251))] {
        ci.refused(&announced.with("/artifact/filename", name), 400, "Invalid artifact filename").await;
    }
    ci.registry.assert_agrees().await;
}

#[tokio::test]
async fn c12_names_that_cannot_be_published_are_refused() {
    let ci = Ci::start().await;
    let announced = ci.widget("1.0.0");
    for name in ["acme", "@acme/dot.name", "@acme/UPPER_", "@acme/../x", "@acme/x/y"] {
        let words = format!("Invalid package name: \"{name}\". Must be scoped");
        ci.refused(&announced.with("/name", name), 400, &words).await;
    }
}

#[tokio::test]
async fn c13_a_manifest_without_server_type_is_refused() {
    let ci = Ci::start().await;
    let announced = ci.widget("1.0.0").with("/manifest/server", json!({}));
    ci.refused(&announced, 400, "Manifest must contain server type (server.type or server_type)").await;
}

#[tokio::test]
async fn c14_an_unknown_release_is_told() {
    let ci = Ci::start().await;
    let announced = ci.widget("1.0.0");
    let mut other = announced.with("/release_tag", "v9.9.9");
    other.tag = "v9.9.9".to_owned();
    ci.refused(&other, 400, "Failed to fetch release v9.9.9: Not Found").await;
}

#[tokio::test]
async fn c15_a_missing_asset_is_told_in_the_words_that_publishers_wait_for() {
    let ci = Ci::start().await;
    let announced = ci.widget("1.0.0").with("/artifact/filename", "other.mcpb");
    ci.refused(&announced, 400, "Artifact \"other.mcpb\" not found in release v1.0.0").await;
}

#[tokio::test]
async fn c16_size_and_digest_are_compared() {
    let ci = Ci::start().await;
    let announced = ci.widget("1.0.0");
    let size = announced.body["artifact"]["size"].as_u64().unwrap();
    ci.refused(&announced.with("/artifact/size", size + 1), 400, "Size mismatch for bundle-1.0.0-any-any.mcpb").await;
    ci.refused(&announced.with("/artifact/size", size - 1), 400, "Size mismatch").await;
    ci.refused(&announced.with("/artifact/size", 1), 400, "Size mismatch").await;
    ci.refused(&announced.with("/artifact/sha256", "0".repeat(64)), 400, "SHA256 mismatch").await;
    assert_eq!(ci.registry.get(&format!("/v1/bundles/{NAME}")).await.status(), 404);
}

#[tokio::test]
async fn c17_an_upper_case_digest_is_the_same_digest() {
    let ci = Ci::start().await;
    let announced = ci.widget("1.0.0");
    let upper = announced.body["artifact"]["sha256"].as_str().unwrap().to_uppercase();
    ci.accepted(&announced.with("/artifact/sha256", upper)).await;
}

#[tokio::test]
async fn c18_a_prerelease_after_a_stable_version_is_not_the_latest() {
    let ci = Ci::start().await;
    ci.accepted(&ci.widget("1.0.0")).await;
    ci.accepted(&ci.widget("2.0.0-beta.1").with("/prerelease", true)).await;
    assert_eq!(ci.latest().await, "1.0.0");
}

#[tokio::test]
async fn c19_a_prerelease_as_the_first_version_is_the_latest() {
    let ci = Ci::start().await;
    ci.accepted(&ci.widget("1.0.0-rc.1").with("/prerelease", true)).await;
    assert_eq!(ci.latest().await, "1.0.0-rc.1");
}

#[tokio::test]
async fn c20_a_backport_does_not_become_the_latest() {
    let ci = Ci::start().await;
    ci.accepted(&ci.widget("2.0.0")).await;
    ci.accepted(&ci.widget("1.0.1")).await;
    assert_eq!(ci.latest().await, "2.0.0");
}

#[tokio::test]
async fn c21_versions_are_semantic_and_no_paths() {
    let ci = Ci::start().await;
    let announced = ci.widget("1.0.0");
    for version in ["../../@v/p/1.0.0", "not-semver", "v1.0.0", &format!("1.0.0-{}", "x".repeat(54))] {
        let (status, body) = ci.announce(&announced.with("/version", version)).await;
        assert_eq!(status, 422, "{version}: {body}");
    }
    assert_eq!(ci.registry.get(&format!("/v1/bundles/{NAME}")).await.status(), 404);
    ci.registry.assert_agrees().await;
}

#[tokio::test]
async fn c22_tags_are_no_paths() {
    let ci = Ci::start().await;
    let announced = ci.widget("1.0.0");
    for tag in ["../../../evil/widget/releases/tags/v1.0.0", "v1..0", "v1?x=1", "v1%2f..", "/v1", "a\\b"] {
        let before = ci.forge.requests().len();
        ci.refused(&announced.with("/release_tag", tag), 400, "Invalid release tag").await;
        assert_eq!(ci.forge.requests().len(), before, "nobody was asked for {tag}");
    }
    ci.registry.assert_agrees().await;
}

#[tokio::test]
async fn c23_a_failing_repeat_leaves_the_old_artifact() {
    let ci = Ci::start().await;
    let announced = ci.widget("1.0.0");
    ci.accepted(&announced).await;
    let long = announced.with("/manifest/display_name", "x".repeat(300));
    let body = ci.refused(&long, 422, "Request validation failed").await;
    assert_eq!(body["error"]["details"]["validation"][0]["instancePath"], "/manifest/display_name");
    ci.refused(&announced.with("/release_tag", "v".repeat(300)), 422, "Request validation failed").await;
    let download = ci.registry.json(&format!("/v1/bundles/{NAME}/versions/1.0.0/download")).await;
    let response = ci.registry.client.get(download["url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn c24_the_announced_manifest_is_the_bundles() {
    let ci = Ci::start().await;
    let announced = ci.widget("1.0.0");
    let nicer = announced.with("/manifest/description", "Something nicer.");
    let body = ci.refused(&nicer, 422, "they differ at `/description`").await;
    assert_eq!(body["error"]["code"], "VALIDATION_ERROR");
    let version = announced.with("/version", "1.0.1");
    ci.refused(&version, 422, "has version `1.0.0`, not `1.0.1`").await;
    let name = announced.with("/name", "@acme/other");
    ci.refused(&name, 422, "is named `widget`, which is not `@acme/other`").await;
}

#[tokio::test]
async fn c25_five_platforms_of_a_new_version_at_once() {
    let ci = Ci::start().await;
    let platforms = [("any", "any"), ("linux", "x64"), ("linux", "arm64"), ("darwin", "arm64"), ("win32", "x64")];
    let all = platforms.map(|platform| ci.release(REPOSITORY, NAME, "1.0.0", platform));
    let bodies = futures_util::future::join_all(all.iter().map(|one| ci.accepted(one))).await;
    assert!(bodies.iter().all(|body| body["status"] == "created"), "{bodies:?}");
    let detail = ci.registry.json(&format!("/v1/bundles/{NAME}/versions/1.0.0")).await;
    assert_eq!(detail["artifacts"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn c26_what_is_no_sound_bundle_is_refused() {
    let ci = Ci::start_with(|config| config.limits.archive_bytes_max = 200_000).await;
    let manifest = manifest(NAME, "1.0.0");
    let mut bomb = ZipBuilder::with_manifest(&manifest);
    bomb.file("zeros", vec![0; 100 << 20]);
    let cases: [(&str, Vec<u8>, u16); 4] = [
        ("a bomb", bomb.build(), 422),
        ("no archive", b"<html>not a bundle</html>".to_vec(), 422),
        ("without a manifest", good_bundle(&json!({}), &[]), 422),
        ("too large", vec![7; 200_001], 413),
    ];
    for (what, bytes, expect) in cases {
        let announced = ci.release_of(REPOSITORY, NAME, "1.0.0", ("any", "any"), &manifest, &bytes);
        let (status, body) = ci.announce(&announced).await;
        assert_eq!(status.as_u16(), expect, "{what}: {body}");
    }
    assert_eq!(ci.registry.get(&format!("/v1/bundles/{NAME}")).await.status(), 404);
}

#[tokio::test]
async fn native_code_fits_the_announced_platform() {
    let ci = Ci::start().await;
    let manifest = manifest(NAME, "1.0.0");
    let bytes = bundle_with(NAME, "1.0.0", "server/tool", &elf_x64());
    let announced = ci.release_of(REPOSITORY, NAME, "1.0.0", ("darwin", "arm64"), &manifest, &bytes);
    ci.refused(&announced, 422, "native code that does not fit platform").await;
}

#[tokio::test]
async fn malformed_json_is_400() {
    let ci = Ci::start().await;
    let url = format!("{}/v1/bundles/announce", ci.registry.url);
    for body in ["", "{", "nonsense", "[]"] {
        let request = ci.registry.client.post(&url).header("content-type", "application/json").body(body);
        let (status, body) = answer(request).await;
        assert_eq!((status.as_u16(), &body["error"]["code"]), (400, &json!("BAD_REQUEST")));
    }
}

#[tokio::test]
async fn large_bodies_are_read_and_larger_ones_refused() {
    let ci = Ci::start().await;
    let announced = ci.widget("1.0.0");
    // Unknown members are dropped, however large.
    ci.accepted(&announced.with("/more", "x".repeat(40 << 20))).await;
    let (status, body) = ci.announce(&announced.with("/more", "x".repeat(51 << 20))).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (413, &json!("TOO_LARGE")));
    let (status, _) = ci.announce(&announced.with("/manifest/more", "x".repeat(2 << 20))).await;
    assert_eq!(status, 422);
}

/// Large bodies wait for one another, so a stranger must not be able to hold the others up.
#[tokio::test]
async fn a_stranger_who_trickles_a_large_body_holds_nobody_up() {
    let ci = Ci::start().await;
    let begin = format!("{{\"more\":\"{}", "x".repeat(2 << 20));
    let trickle = |token: &str| {
        let url = format!("{}/v1/bundles/announce", ci.registry.url);
        let stream = futures_util::stream::once(std::future::ready(Ok::<_, std::io::Error>(begin.clone())))
            .chain(futures_util::stream::pending());
        let request = ci.registry.client.post(url).header("content-type", "application/json").bearer_auth(token);
        tokio::spawn(request.body(reqwest::Body::wrap_stream(stream)).send())
    };
    let strangers: Vec<_> = (0..3).map(|_| trickle("eyJhbGciOiJub25lIn0.e30.")).collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let announced = ci.widget("1.0.0").with("/more", "x".repeat(2 << 20));
    let accepted = tokio::time::timeout(Duration::from_secs(10), ci.accepted(&announced)).await;
    assert!(accepted.is_ok(), "it waits for strangers");
    for stranger in strangers {
        // The refusal, or the connection closed under the body.
        let answer = tokio::time::timeout(Duration::from_secs(5), stranger).await.expect("refused at once").unwrap();
        assert!(answer.is_err() || answer.unwrap().status() == 401);
    }
}

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
