//! `POST /v1/bundles/announce`: checklist C of the wire's contract, row by row.

use std::time::Duration;

use futures_util::StreamExt as _;
use mpak_bundle::digest::Sha256;
use mpak_testkit::zip::{ZipBuilder, good_bundle};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::ci::{Announcement, Ci, answer, message};
use crate::world::{bundle_of, bundle_with, elf_x64, manifest};

pub(crate) const REPOSITORY: &str = "acme/widget";
pub(crate) const NAME: &str = "@acme/widget";

impl Ci {
    pub(crate) fn widget(&self, version: &str) -> Announcement {
        self.release(REPOSITORY, NAME, version, ("any", "any"))
    }

    pub(crate) async fn refused(&self, announcement: &Announcement, status: u16, words: &str) -> Value {
        let (found, body) = self.announce(announcement).await;
        assert_eq!(found.as_u16(), status, "{body}");
        assert!(message(&body).contains(words), "`{}` does not hold `{words}`", message(&body));
        body
    }

    pub(crate) async fn latest(&self) -> String {
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
    // Row 6 of the traps: so are large manifests; that a bundle has none so large is said when they are compared.
    for bytes in [2 << 20, 30 << 20] {
        let large = announced.with("/manifest/more", "x".repeat(bytes));
        ci.refused(&large, 422, "the announced manifest is not the bundle's").await;
        let (status, body) = answer(ci.post("eyJhbGciOiJub25lIn0.e30.", &large.body)).await;
        assert_eq!(status, 401, "{body}");
    }
}

/// An announcement went through other programs, which may spell a manifest at more length than its bundle does.
#[tokio::test]
async fn a_manifest_that_is_large_only_as_it_is_spelled_is_accepted() {
    let ci = Ci::start().await;
    let mut manifest = manifest(NAME, "1.0.0");
    manifest["long_description"] = "ä".repeat(300_000).into();
    let announced = ci.release_of(REPOSITORY, NAME, "1.0.0", ("any", "any"), &manifest, &bundle_of(&manifest));
    let body = announced.body.to_string().replace('ä', "\\u00e4");
    assert!(body.len() > 1_500_000);
    let request = ci.registry.client.post(format!("{}/v1/bundles/announce", ci.registry.url));
    let request = request.bearer_auth(ci.token(REPOSITORY, &announced.tag)).header("content-type", "application/json");
    let (status, body) = answer(request.body(body)).await;
    assert_eq!(status, 200, "{body}");
}

/// Row 9 of the traps: a plus is a plus, in tags, assets and addresses.
#[tokio::test]
async fn build_metadata_goes_through_tags_assets_and_addresses() {
    let ci = Ci::start().await;
    ci.accepted(&ci.widget("1.0.0+build.7")).await;
    assert_eq!(ci.latest().await, "1.0.0+build.7");
    for version in ["1.0.0+build.7", "1.0.0%2Bbuild.7"] {
        let download = ci.registry.json(&format!("/v1/bundles/{NAME}/versions/{version}/download")).await;
        assert_eq!(download["bundle"]["version"], "1.0.0+build.7");
        let bytes = ci.registry.client.get(download["url"].as_str().unwrap()).send().await.unwrap();
        assert_eq!(bytes.status(), 200);
    }
    let listed = ci.registry.json("/v0.1/servers/dev.mpak.acme%2Fwidget/versions/1.0.0%2Bbuild.7").await;
    let file = listed["server"]["packages"][0]["identifier"].as_str().unwrap();
    assert_eq!(ci.registry.client.get(file).send().await.unwrap().status(), 200, "{file}");
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
