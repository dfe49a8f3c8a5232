//! The traps of the wire: harmless-looking improvements that would break an existing client.
//!
//! Traps 6 to 8 and what else concerns `announce` are in `announce`; 12 to 15 concern our own client and
//! stand in its tests.

use mpak_bundle::digest::Sha256;
use serde_json::{Value, json};

use crate::world::{Registry, bundle, bundle_with, change_rows, checklist};

const WIDGET: &str = "/v1/bundles/@acme/widget";

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[tokio::test]
async fn trap_1_the_download_has_no_member_more() {
    let registry = checklist().await;
    for query in ["", "?os=linux&arch=x64", "?os=any&arch=any"] {
        let body = registry.json(&format!("{WIDGET}/versions/1.0.0/download{query}")).await;
        assert_eq!(keys(&body), ["bundle", "expires_at", "url"], "{query}");
        assert_eq!(keys(&body["bundle"]), ["name", "platform", "sha256", "size", "version"]);
        assert_eq!(keys(&body["bundle"]["platform"]), ["arch", "os"]);
        assert!(body["bundle"]["size"].is_u64());
        let sha256 = body["bundle"]["sha256"].as_str().unwrap();
        assert!(sha256.len() == 64 && !sha256.contains(|c: char| c.is_ascii_uppercase()), "{sha256}");
        assert!(reqwest::Url::parse(body["url"].as_str().unwrap()).is_ok(), "absolute");
    }
}

#[tokio::test]
async fn trap_2_the_url_gives_bytes_whatever_is_accepted() {
    let registry = checklist().await;
    let body = registry.json(&format!("{WIDGET}/versions/1.0.0/download")).await;
    for (accept, encoding) in
        [("application/json", "gzip, deflate"), ("*/*", "gzip, deflate, br, zstd"), ("text/html", "")]
    {
        let request = registry.client.get(body["url"].as_str().unwrap());
        let response = request.header("accept", accept).header("accept-encoding", encoding).send().await.unwrap();
        assert_eq!(response.status(), 200, "{accept}");
        assert_eq!(response.headers().get("content-encoding"), None, "{accept}");
        assert_eq!(response.headers()["content-length"], body["bundle"]["size"].to_string().as_str(), "{accept}");
        assert_eq!(
            Sha256::of(&response.bytes().await.unwrap()).to_string(),
            body["bundle"]["sha256"].as_str().unwrap()
        );
    }
}

#[tokio::test]
async fn trap_3_accept_is_read_by_substring_and_anything_else_gives_bytes() {
    let registry = checklist().await;
    let path = format!("{}{WIDGET}/versions/1.0.0/download", registry.url);
    for (accept, json) in [
        (Some("application/json"), true),
        (Some("text/html, application/json;q=0.1"), true),
        (Some("application/json; charset=utf-8"), true),
        (Some("*/*"), false),
        (Some("application/*"), false),
        (None, false),
    ] {
        let mut request = registry.client.get(&path);
        if let Some(accept) = accept {
            request = request.header("accept", accept);
        }
        let response = request.send().await.unwrap();
        let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
        assert_eq!(content_type.starts_with("application/json"), json, "{accept:?}");
    }
}

#[tokio::test]
async fn trap_4_platforms_fall_back_in_order_and_half_of_one_is_400() {
    let registry = Registry::start().await;
    for platform in ["any", "linux-any", "linux-x64"] {
        registry
            .publish("@acme/p", "1.0.0", platform, &bundle_with("@acme/p", "1.0.0", "x", platform.as_bytes()))
            .await;
    }
    for (query, expect) in [
        ("?os=linux&arch=x64", ("linux", "x64")),
        ("?os=linux&arch=arm64", ("linux", "any")),
        ("?os=win32&arch=x64", ("any", "any")),
        ("?os=any&arch=any", ("any", "any")),
        ("", ("any", "any")),
    ] {
        let body = registry.json(&format!("/v1/bundles/@acme/p/versions/latest/download{query}")).await;
        assert_eq!(body["bundle"]["platform"], json!({"os": expect.0, "arch": expect.1}), "{query}");
    }
    let half = registry.get("/v1/bundles/@acme/p/versions/latest/download?arch=x64").await;
    assert_eq!(half.status(), 400);
}

#[tokio::test]
async fn trap_5_what_is_unknown_is_404_and_nothing_else() {
    let registry = checklist().await;
    for path in [
        "@acme/none",
        "@acme/none/versions",
        "@acme/widget/versions/9.9.9",
        "@acme/widget/versions/9.9.9/download",
        "@acme/none/versions/latest/download",
        "@acme/none/index.json",
        "@acme/none/badge.svg",
        "@acme/none/security",
    ] {
        assert_eq!(registry.get(&format!("/v1/bundles/{path}")).await.status(), 404, "{path}");
    }
    for path in ["/v1/servers/nope", "/v1/servers/nope/versions", "/v1/servers/nope/versions/latest"] {
        assert_eq!(registry.get(path).await.status(), 404, "{path}");
    }
}

#[tokio::test]
async fn trap_8_the_same_bytes_again_are_fine_and_others_are_refused_but_not_with_409() {
    let registry = Registry::start().await;
    let bytes = bundle("@acme/widget", "1.0.0");
    registry.publish("@acme/widget", "1.0.0", "any", &bytes).await;
    assert_eq!(registry.put("@acme/widget", "1.0.0", "any", bytes).send().await.unwrap().status(), 200);
    let other = bundle_with("@acme/widget", "1.0.0", "x", b"other");
    let refused = registry.put("@acme/widget", "1.0.0", "any", other).send().await.unwrap().status().as_u16();
    assert!((400..500).contains(&refused) && refused != 409, "{refused}");
}

#[tokio::test]
async fn trap_10_the_two_list_shapes_are_not_mixed() {
    let registry = checklist().await;
    let flat = registry.json("/v1/servers?limit=1").await;
    assert!(flat["servers"][0]["name"].is_string() && flat["metadata"]["next_cursor"].is_string(), "{flat}");
    assert_eq!(flat["metadata"]["nextCursor"], Value::Null);
    let official = registry.json("/v0.1/servers?limit=1").await;
    assert!(official["servers"][0]["server"]["name"].is_string(), "{official}");
    assert!(official["metadata"]["nextCursor"].is_string() && official["metadata"]["next_cursor"] == Value::Null);
}

#[tokio::test]
async fn trap_11_published_at_differs_between_search_and_detail_and_no_level_is_null() {
    let registry = checklist().await;
    let found = registry.json("/v1/bundles/search?q=widget").await["bundles"][0].clone();
    let detail = registry.json(WIDGET).await;
    assert_ne!(found["published_at"], detail["published_at"], "the latest version's, and the package's");
    for body in [&found, &detail] {
        assert!(body.as_object().unwrap().contains_key("certification_level"), "null and missing differ");
        assert_eq!(body["certification_level"], Value::Null);
    }
}

#[tokio::test]
async fn trap_16_badges_stay_where_they_are() {
    let registry = checklist().await;
    for query in ["", "?type=certification", "?style=flat"] {
        let response = registry.get(&format!("{WIDGET}/badge.svg{query}")).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "image/svg+xml");
        assert!(response.text().await.unwrap().contains("mpak: v1.1.0"));
    }
}

/// Such names come from mirrors; here a published package gets one. A scope with an underscore has no server name:
/// the pattern of namespaces allows none.
#[tokio::test]
async fn trap_17_names_with_dots_and_underscores_work_everywhere() {
    const NAME: &str = "@a.b/d.e_f";
    let mut registry = Registry::start().await;
    let bytes = bundle("@acme/widget", "1.0.0");
    registry.publish("@acme/widget", "1.0.0", "any", &bytes).await;
    registry.stop().await;
    change_rows(&registry, "UPDATE packages SET name = '@a.b/d.e_f'").await;
    let (config, clock) = (registry.config(), registry.clock());
    let again = move || mpak_registry::admin::upkeep::reindex(&config, &clock).unwrap();
    tokio::task::spawn_blocking(again).await.unwrap();
    registry.begin().await;
    // 1. Every surface knows it under this name.
    assert_eq!(registry.json("/v1/bundles/search").await["bundles"][0]["name"], NAME);
    assert_eq!(registry.json("/v1/bundles/search?q=d.e_f").await["total"], 1);
    for path in ["", "/versions", "/versions/1.0.0", "/index.json", "/security"] {
        let body = registry.json(&format!("/v1/bundles/{NAME}{path}")).await;
        assert!(body.is_object(), "{path}");
    }
    assert_eq!(registry.json(&format!("/v1/bundles/{NAME}")).await["name"], NAME);
    assert_eq!(registry.json(&format!("/index/v1/{NAME}.json")).await["name"], NAME);
    assert_eq!(registry.json(&format!("/api/v1/packages/{NAME}")).await["name"], NAME);
    let badge = registry.get(&format!("/v1/bundles/{NAME}/badge.svg")).await.text().await.unwrap();
    assert!(badge.contains("mpak: v1.0.0"), "{badge}");
    for page in [format!("/packages/{NAME}"), format!("/packages/{NAME}/1.0.0"), "/search?q=d.e_f".to_owned()] {
        let response = registry.get(&page).await;
        assert_eq!(response.status(), 200, "{page}");
        assert!(response.text().await.unwrap().contains(NAME), "{page}");
    }
    // 2. Its bytes are those of the download, by either way.
    let told = registry.json(&format!("/v1/bundles/{NAME}/versions/latest/download?os=linux&arch=x64")).await;
    assert_eq!(told["bundle"]["name"], NAME);
    let sent = registry.client.get(told["url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(sent.bytes().await.unwrap(), bytes);
    // 3. Server lists have it, and each name that they tell leads to it.
    let flat = registry.json("/v1/servers").await["servers"][0]["name"].as_str().unwrap().to_owned();
    let official = registry.json("/v0.1/servers").await["servers"][0].clone();
    assert_eq!((flat.as_str(), &official["server"]["name"]), ("dev.mpak.a.b/d.e_f", &Value::from(flat.as_str())));
    let identifier = official["server"]["packages"][0]["identifier"].as_str().unwrap();
    assert_eq!(registry.client.get(identifier).send().await.unwrap().bytes().await.unwrap(), bytes);
    for name in [flat.as_str(), NAME] {
        let encoded = name.replace('@', "%40").replace('/', "%2F");
        assert_eq!(registry.json(&format!("/v1/servers/{encoded}")).await["name"], flat, "{name}");
        let one = registry.json(&format!("/v0.1/servers/{encoded}/versions/latest")).await;
        assert_eq!(one["server"]["name"], flat, "{name}");
    }
    // 4. One that is not there is routed, and no wrong name.
    for name in ["@acme/with.dots", "@acme/with_underscores", "@io.github.acme/x"] {
        let response = registry.get(&format!("/v1/bundles/{name}")).await;
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["error"]["message"], "Bundle not found", "{name}");
        let encoded = name.replace('@', "%40").replace('/', "%2F");
        assert_eq!(registry.get(&format!("/v1/servers/{encoded}")).await.status(), 404, "{name}");
    }
}

#[tokio::test]
async fn caches_are_told_that_a_download_depends_on_what_is_accepted() {
    let registry = checklist().await;
    let url = format!("{}{WIDGET}/versions/1.0.0/download", registry.url);
    for (accept, tag) in [("application/json", None), ("*/*", None), ("*/*", Some("*"))] {
        let request = registry.client.get(&url).header("accept", accept);
        let request = tag.into_iter().fold(request, |request, tag| request.header("if-none-match", tag));
        let response = request.send().await.unwrap();
        let vary: Vec<&str> = response.headers().get_all("vary").iter().map(|v| v.to_str().unwrap()).collect();
        assert!(vary.contains(&"accept"), "{accept} {tag:?}: {vary:?}");
    }
}
