//! Private reads: the whole registry, or scopes of it. The route table is walked, so that no route is
//! forgotten.

use mpak_registry::config::Reads;
use reqwest::Response;

use crate::person::Browser;
use crate::routes::{filled, reads};
use crate::world::{Registry, bundle, bundle_with};

/// Routes that tell of no package, and what a stranger gets there. Whoever adds a route here says why.
const OPEN: [&str; 13] = [
    // Whether it works.
    "/health",
    "/ready",
    // Style and icon.
    "/assets/{name}",
    "/favicon.ico",
    // The ways to become known.
    "/sign-in",
    "/sign-out",
    "/auth/start",
    "/auth/callback",
    "/auth/link",
    "/device",
    "/account",
    "/api/v1/me",
    // The administrators' page asks for a session itself.
    "/admin",
];

async fn with_secret(reads: Reads, scopes: &'static [&'static str]) -> (Registry, String) {
    let registry = Registry::start_with(move |config| {
        config.access.reads = reads;
        config.access.private_scopes = scopes.iter().map(|s| (*s).to_owned()).collect();
    })
    .await;
    // Other bytes: what is public under one name is public.
    registry.publish("@open/thing", "1.0.0", "any", &bundle_with("@open/thing", "1.0.0", "x", b"y")).await;
    let published = registry.publish("@secret/thing", "1.0.0", "any", &bundle("@secret/thing", "1.0.0")).await;
    let digest = published["sha256"].as_str().unwrap().to_owned();
    (registry, digest)
}

/// Each address that a route has here, for the secret package.
fn addresses(route: &str, digest: &str) -> Vec<String> {
    let blob = route.replace("{first}", &digest[..2]).replace("{others}", &digest[2..]);
    if route.contains("/servers/{name}") {
        let named = |name: &str| filled(&blob.replace("/servers/{name}", &format!("/servers/{name}")));
        return ["%40secret%2Fthing", "dev.mpak.secret%2Fthing", "io.github.secret%2Fthing"].map(named).to_vec();
    }
    vec![filled(&blob)]
}

async fn get(registry: &Registry, path: &str, accept: &str, token: Option<&str>) -> Response {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let mut request = client.get(format!("{}{path}", registry.url)).header("accept", accept);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    request.send().await.unwrap()
}

#[tokio::test]
async fn no_route_of_a_private_registry_answers_a_stranger() {
    let (registry, digest) = with_secret(Reads::Private, &[]).await;
    for route in reads(&registry).await {
        for path in addresses(&route, &digest) {
            for accept in ["application/json", "text/html"] {
                for token in [None, Some("mpak_wrong"), Some("eyJhbGciOiJub25lIn0.e30.")] {
                    let answer = get(&registry, &path, accept, token).await;
                    let (status, headers) = (answer.status(), answer.headers().clone());
                    let text = String::from_utf8_lossy(&answer.bytes().await.unwrap()).into_owned();
                    assert!(!text.contains("secret/thing") || text.contains("return="), "{path} tells: {text}");
                    if OPEN.contains(&route.as_str()) {
                        continue;
                    }
                    assert_eq!(status, 401, "{route} {path} {accept}");
                    assert!(headers.contains_key("www-authenticate"), "{path}");
                    let cached = headers["cache-control"].to_str().unwrap();
                    assert!(cached.contains("private") || cached.contains("no-store"), "{path}: {cached}");
                }
            }
        }
    }
    let ready: serde_json::Value = get(&registry, "/ready", "*/*", None).await.json().await.unwrap();
    assert_eq!(ready["packages"], 0, "not even a number");
}

#[tokio::test]
async fn a_token_or_session_reads_a_private_registry_and_caches_do_not_share_it() {
    let (registry, digest) = with_secret(Reads::Private, &[]).await;
    let blob = format!("/blobs/sha256/{}/{}", &digest[..2], &digest[2..]);
    let narrow = registry.make_token(&["@open/*"], 1).await.token;
    for (path, wide_status, narrow_status) in [
        ("/v1/bundles/@secret/thing", 200, 404),
        ("/v1/bundles/@open/thing", 200, 200),
        ("/index/v1/@secret/thing.json", 200, 404),
        ("/v1/bundles/@secret/thing/badge.svg", 200, 404),
        ("/packages/@secret/thing", 200, 404),
        ("/v1/servers/%40secret%2Fthing", 200, 404),
        (&blob, 200, 404),
    ] {
        let wide = get(&registry, path, "*/*", Some(&registry.token)).await;
        assert_eq!(wide.status(), wide_status, "{path}");
        let cached = wide.headers()["cache-control"].to_str().unwrap();
        assert!(cached.contains("private") && !cached.contains("public"), "{path}: {cached}");
        assert_eq!(get(&registry, path, "*/*", Some(&narrow)).await.status(), narrow_status, "{path}");
    }
    let mut browser = Browser::new(&registry);
    assert_eq!(browser.get("/search").await.status, 401);
    browser.follow(&registry.sign_in_link().unwrap()).await;
    let page = browser.get("/search").await;
    assert!(page.status == 200 && page.text.contains("@secret/thing") && page.text.contains("@open/thing"));
}

#[tokio::test]
async fn a_private_scope_does_not_exist_for_strangers() {
    let (registry, digest) = with_secret(Reads::Public, &["secret"]).await;
    let narrow = registry.make_token(&["@open/*"], 1).await.token;
    for route in reads(&registry).await {
        for path in addresses(&route, &digest) {
            for token in [None, Some(narrow.as_str())] {
                let answer = get(&registry, &path, "application/json", token).await;
                let status = answer.status().as_u16();
                let text = String::from_utf8_lossy(&answer.bytes().await.unwrap()).into_owned();
                assert!(!text.contains("secret/thing") || status == 404, "{path} tells: {text}");
                if route.contains("{scope}") || route.contains("{first}") || route.contains("/servers/{name}") {
                    // The short address leads on without knowing whether anything is there.
                    assert!(status == 404 || (status == 301 && route.starts_with("/p/")), "{route} {path}: {status}");
                }
            }
        }
    }
    // Just like a package that was never there.
    for (hidden, absent) in [
        ("/v1/bundles/@secret/thing", "/v1/bundles/@never/thing"),
        ("/index/v1/@secret/thing.json", "/index/v1/@never/thing.json"),
        ("/v1/servers/%40secret%2Fthing", "/v1/servers/%40never%2Fthing"),
        ("/packages/@secret/thing", "/packages/@never/thing"),
    ] {
        for accept in ["application/json", "text/html"] {
            let (hidden, absent) =
                (get(&registry, hidden, accept, None).await, get(&registry, absent, accept, None).await);
            assert_eq!(hidden.status(), absent.status());
            let (hidden, absent) = (hidden.text().await.unwrap(), absent.text().await.unwrap());
            assert_eq!(hidden.replace("secret", "never"), absent);
        }
    }
}

#[tokio::test]
async fn lists_and_counts_are_those_of_the_asker() {
    let (registry, _) = with_secret(Reads::Public, &["@secret"]).await;
    let narrow = registry.make_token(&["@secret/thing"], 1).await.token;
    for (token, sees) in [(None, false), (Some(narrow.as_str()), true), (Some(registry.token.as_str()), true)] {
        for path in [
            "/v1/bundles/search",
            "/v1/bundles/search?q=thing",
            "/v1/servers",
            "/v1/servers?search=thing",
            "/v0.1/servers",
            "/v0.1/servers?version=latest",
            "/v0/servers?updated_since=2020-01-01T00:00:00Z",
            "/v1/servers?updated_since=2020-01-01",
            "/",
            "/search",
            "/search?q=thing",
        ] {
            let text = get(&registry, path, "*/*", token).await.text().await.unwrap();
            assert_eq!(text.contains("secret"), sees, "{path} {token:?}");
            assert!(text.contains("open/thing"), "{path}: {text}");
        }
        let count = if sees { 2 } else { 1 };
        let found: serde_json::Value = get(&registry, "/v1/bundles/search", "*/*", token).await.json().await.unwrap();
        assert_eq!(found["total"], count);
        let health: serde_json::Value = get(&registry, "/v1/health", "*/*", token).await.json().await.unwrap();
        assert_eq!(health["servers_count"], count, "{health}");
    }
}
