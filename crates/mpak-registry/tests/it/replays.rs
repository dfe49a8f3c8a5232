//! Rows D1 to D5 and D7 to D11 of the checklist: requests of clients that cannot be installed here, with the headers
//! that they send, and the members of the answers that they read. `docs/reference/compatibility.md` says
//! what was replayed and what was run. D6, a second run offline, asks nothing of a registry: what ours does then
//! is run in the tests of `mpak run`.

use mpak_bundle::digest::Sha256;
use serde_json::Value;

use crate::world::{Registry, bundle, checklist, manifest};

/// What Node's `fetch` adds.
const NODE: &[(&str, &str)] = &[
    ("accept", "*/*"),
    ("accept-language", "*"),
    ("sec-fetch-mode", "cors"),
    ("accept-encoding", "gzip, deflate"),
    ("user-agent", "mpak-cli/0.5.0"),
];

async fn node(registry: &Registry, path: &str) -> reqwest::Response {
    ask(registry, path, NODE).await
}

async fn node_json(registry: &Registry, path: &str) -> reqwest::Response {
    let mut headers = NODE.to_vec();
    headers[0] = ("accept", "application/json");
    ask(registry, path, &headers).await
}

async fn ask(registry: &Registry, path: &str, headers: &[(&str, &str)]) -> reqwest::Response {
    let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", registry.url) };
    let request = headers.iter().fold(registry.client.get(url), |request, (name, value)| request.header(*name, *value));
    request.send().await.unwrap()
}

async fn body(response: reqwest::Response) -> Value {
    assert_eq!(response.status(), 200, "{}", response.url());
    response.json().await.unwrap()
}

/// What the tables print without asking whether it is there.
fn is_summary(bundle: &Value) {
    assert!(bundle["name"].is_string() && bundle["latest_version"].is_string(), "{bundle}");
    assert!(bundle["downloads"].is_u64(), "a number: it is shown with separators");
    assert!(bundle["tools"].as_array().unwrap().iter().all(|tool| tool["name"].is_string()));
    assert!(bundle["published_at"].as_str().unwrap().ends_with('Z') && bundle["verified"].is_boolean());
    assert!(bundle["provenance"].is_null() && bundle["certification_level"].is_null());
}

#[tokio::test]
async fn replay_d1_search() {
    let registry = checklist().await;
    for path in [
        "/v1/bundles/search?q=widget",
        "/v1/bundles/search?q=widget&sort=downloads&limit=20",
        "/v1/bundles/search?q=widget&type=node",
    ] {
        let found = body(node(&registry, path).await).await;
        assert_eq!(
            (found["total"].as_u64(), &found["pagination"]["has_more"]),
            (Some(1), &Value::Bool(false)),
            "{path}"
        );
        is_summary(&found["bundles"][0]);
    }
    let none = body(node(&registry, "/v1/bundles/search?q=nothing-like-it").await).await;
    assert_eq!(none["bundles"], Value::Array(Vec::new()));
}

#[tokio::test]
async fn replay_d2_show_asks_detail_and_versions_at_once() {
    let registry = checklist().await;
    let (detail, versions) =
        tokio::join!(node(&registry, "/v1/bundles/@acme/widget"), node(&registry, "/v1/bundles/@acme/widget/versions"));
    let (detail, versions) = (body(detail).await, body(versions).await);
    is_summary(&detail);
    assert!(detail["author"]["name"].is_string() && detail["license"].is_string() && detail["homepage"].is_string());
    assert_eq!(versions["latest"], "1.1.0");
    for version in versions["versions"].as_array().unwrap() {
        assert!(version["downloads"].is_u64() && version["published_at"].is_string(), "{version}");
        let platforms = version["platforms"].as_array().unwrap();
        assert!(platforms.iter().all(|p| p["os"].is_string() && p["arch"].is_string()), "{version}");
    }
}

/// Resolves, fetches and compares, as `pull`, `run` and `update` do.
async fn fetched(registry: &Registry, version: &str, query: &str) -> Value {
    let path = format!("/v1/bundles/@acme/widget/versions/{version}/download{query}");
    let found = body(node_json(registry, &path).await).await;
    let response = node(registry, found["url"].as_str().unwrap()).await;
    let bytes = response.bytes().await.unwrap();
    assert_eq!(Sha256::of(&bytes).to_string(), found["bundle"]["sha256"].as_str().unwrap());
    found["bundle"].clone()
}

#[tokio::test]
async fn replay_d3_d4_pull_by_platform() {
    let registry = checklist().await;
    let latest = fetched(&registry, "latest", "?os=linux&arch=x64").await;
    assert_eq!((latest["version"].as_str(), latest["platform"]["arch"].as_str()), (Some("1.1.0"), Some("any")));
    let old = fetched(&registry, "1.0.0", "?os=darwin&arch=arm64").await;
    assert_eq!((old["platform"]["os"].as_str(), old["platform"]["arch"].as_str()), (Some("any"), Some("any")));
}

#[tokio::test]
async fn replay_d5_run_resolves_with_any_where_the_machine_is_unknown() {
    let registry = checklist().await;
    let any = fetched(&registry, "1.0.0", "?os=any&arch=any").await;
    assert_eq!(any["version"], "1.0.0");
}

#[tokio::test]
async fn replay_d7_outdated_and_update_see_a_new_version() {
    let registry = checklist().await;
    assert_eq!(body(node(&registry, "/v1/bundles/@acme/widget").await).await["latest_version"], "1.1.0");
    let mut newer = manifest("@acme/widget", "1.2.0");
    newer["description"] = "newer".into();
    registry.publish("@acme/widget", "1.2.0", "any", &crate::world::bundle_of(&newer)).await;
    assert_eq!(body(node(&registry, "/v1/bundles/@acme/widget").await).await["latest_version"], "1.2.0");
    assert_eq!(fetched(&registry, "latest", "?os=linux&arch=x64").await["version"], "1.2.0");
}

#[tokio::test]
async fn replay_d8_show_of_what_is_not_there() {
    let registry = checklist().await;
    let (detail, versions) =
        tokio::join!(node(&registry, "/v1/bundles/@acme/none"), node(&registry, "/v1/bundles/@acme/none/versions"));
    assert_eq!((detail.status().as_u16(), versions.status().as_u16()), (404, 404));
}

#[tokio::test]
async fn replay_d9_thirty_calls_in_a_minute() {
    let registry = Registry::start_with(|c| c.rates = mpak_registry::config::Rates::default()).await;
    registry.publish("@acme/widget", "1.0.0", "any", &bundle("@acme/widget", "1.0.0")).await;
    for i in 0..30 {
        for path in ["/v1/bundles/@acme/widget", "/v1/bundles/@acme/widget/versions"] {
            assert_eq!(node(&registry, path).await.status(), 200, "call {i}");
        }
    }
}

#[tokio::test]
async fn replay_d10_every_request_of_the_typescript_sdk() {
    let registry = checklist().await;
    for path in [
        "/v1/bundles/search?q=widget&type=node&sort=recent&limit=5&offset=0",
        "/v1/bundles/@acme/widget",
        "/v1/bundles/@acme/widget/versions",
        "/v1/bundles/@acme/widget/versions/1.0.0",
        "/v1/servers/search?q=widget&limit=10",
        "/v1/servers/%40acme%2Fwidget",
        "/v1/servers/dev.mpak.acme%2Fwidget",
        "/v1/servers/%40acme%2Fwidget/versions/1.0.0",
        "/v1/servers/dev.mpak.acme%2Fwidget/versions/latest",
    ] {
        assert!(body(node(&registry, path).await).await.is_object(), "{path}");
    }
    let found = fetched(&registry, "1.0.0", "?os=linux&arch=x64").await;
    assert_eq!(found["platform"]["arch"], "x64");
}

#[tokio::test]
async fn replay_d11_bytes_that_were_changed_are_not_those_of_the_told_hash() {
    let registry = checklist().await;
    let found = body(node_json(&registry, "/v1/bundles/@acme/widget/versions/1.0.0/download").await).await;
    let told = found["bundle"]["sha256"].as_str().unwrap().to_owned();
    let sent = async || {
        let bytes = node(&registry, found["url"].as_str().unwrap()).await.bytes().await.unwrap();
        (Sha256::of(&bytes).to_string(), bytes.len())
    };
    let (hash, length) = sent().await;
    assert_eq!(hash, told);
    // Somebody changes a bit where they lie. The registry sends them with the hash and the length of before, and
    // not with one that would fit: the SDK's comparison tells. What it does then is run in `existing_clients`.
    let path = registry.data().join("blobs/sha256").join(&told[..2]).join(&told[2..]);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let again = body(node_json(&registry, "/v1/bundles/@acme/widget/versions/1.0.0/download").await).await;
    assert_eq!((&again["bundle"]["sha256"], &again["url"]), (&Value::from(told.as_str()), &found["url"]));
    let (hash, altered_length) = sent().await;
    assert_eq!((hash == told, altered_length), (false, length));
}
