//! Rates over real HTTP: 429 in the family of the route, what is left in headers, owners and connections.

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::world::{Registry, bundle};

async fn limited() -> Registry {
    Registry::start_with(|c| c.rates.reads_per_minute = Some(3)).await
}

#[tokio::test]
async fn a43_too_many_requests_are_refused_in_the_family_of_their_route() {
    let registry = limited().await;
    for left in ["2", "1", "0"] {
        let response = registry.get("/v1/bundles/search").await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["x-ratelimit-limit"], "3");
        assert_eq!(response.headers()["x-ratelimit-remaining"], left);
        assert!(response.headers()["x-ratelimit-reset"].to_str().unwrap().parse::<u64>().unwrap() <= 60);
    }
    for (path, servers) in
        [("/v1/bundles/search", false), ("/v1/servers", true), ("/v0.1/servers", true), ("/nope", false)]
    {
        let response = registry.get(path).await;
        assert_eq!(response.status(), 429, "{path}");
        let retry: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=20).contains(&retry), "{retry}");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["x-ratelimit-remaining"], "0");
        if path == "/nope" {
            continue;
        }
        assert_eq!(response.headers()["access-control-allow-origin"], "*", "pages may read it, too");
        let body: Value = response.json().await.unwrap();
        if servers {
            assert!(body["error"].as_str().unwrap().contains("Too many requests"), "{body}");
        } else {
            assert_eq!(body["error"]["code"], "RATE_LIMITED");
        }
    }
}

#[tokio::test]
async fn health_and_readiness_are_never_refused() {
    let registry = limited().await;
    for _ in 0..5 {
        assert_eq!(registry.get("/health").await.status(), 200);
        assert_eq!(registry.get("/ready").await.status(), 200);
    }
    let response = registry.get("/v1/health").await;
    assert_eq!(response.headers()["x-ratelimit-remaining"], "2", "they were not counted either");
}

#[tokio::test]
async fn clients_behind_a_trusted_proxy_have_rates_of_their_own() {
    let from = async |registry: &Registry, client: &str| {
        let request = registry.client.get(format!("{}/v1/health", registry.url)).header("x-forwarded-for", client);
        request.send().await.unwrap().status().as_u16()
    };
    let proxied = Registry::start_with(|c| {
        c.rates.reads_per_minute = Some(1);
        c.rates.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    assert_eq!(from(&proxied, "198.51.100.1").await, 200);
    assert_eq!(from(&proxied, "198.51.100.1").await, 429);
    assert_eq!(from(&proxied, "9.9.9.9, 198.51.100.1").await, 429, "what the client adds is not believed");
    assert_eq!(from(&proxied, "198.51.100.2").await, 200);
    assert_eq!(from(&proxied, "2001:db8::1").await, 200);
    assert_eq!(from(&proxied, "2001:db8::2").await, 429, "one /64 is one client");
    let open = Registry::start_with(|c| c.rates.reads_per_minute = Some(1)).await;
    assert_eq!(from(&open, "198.51.100.1").await, 200);
    assert_eq!(from(&open, "198.51.100.2").await, 429, "no proxy is trusted");
}

#[tokio::test]
async fn an_owner_who_publishes_too_fast_is_told_when_to_come_back() {
    let registry = Registry::start_with(|c| c.rates.publishes_per_minute = 2).await;
    for version in ["1.0.0", "1.0.1"] {
        registry.publish("@acme/widget", version, "any", &bundle("@acme/widget", version)).await;
    }
    let refused = registry.put("@acme/widget", "1.0.2", "any", bundle("@acme/widget", "1.0.2")).send().await.unwrap();
    assert_eq!(refused.status(), 429);
    assert!(refused.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() <= 30);
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body["error"]["code"], "RATE_LIMITED");
    let other = registry.make_token(&["@other/*"], 1).await;
    let url = format!("{}/api/v1/packages/@other/widget/versions/1.0.0/artifacts/any", registry.url);
    let request = registry.client.put(url).bearer_auth(other.token).body(bundle("@other/widget", "1.0.0"));
    assert_eq!(request.send().await.unwrap().status(), 201, "another owner has a rate of its own");
}

#[tokio::test]
async fn an_address_holds_only_so_many_connections() {
    let registry = Registry::start_with(|c| c.rates.connections_per_address = 2).await;
    let address = registry.url.strip_prefix("http://").unwrap().to_owned();
    let connect = || tokio::net::TcpStream::connect(&address);
    let held = (connect().await.unwrap(), connect().await.unwrap());
    let mut third = connect().await.unwrap();
    let closed = tokio::time::timeout(std::time::Duration::from_secs(5), third.read(&mut [0; 1])).await.unwrap();
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    drop(held);
    // The server notices the end of a connection a moment later.
    let mut status = None;
    for _ in 0..100 {
        if let Ok(response) = registry.client.get(format!("{}/health", registry.url)).send().await {
            status = Some(response.status().as_u16());
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(status, Some(200));
}

#[tokio::test]
async fn more_connections_than_all_may_have_wait_for_one_to_end() {
    let registry = Registry::start_with(|c| c.connections_max = 2).await;
    let address = registry.url.strip_prefix("http://").unwrap().to_owned();
    let connect = || tokio::net::TcpStream::connect(&address);
    let held = (connect().await.unwrap(), connect().await.unwrap());
    let mut third = connect().await.unwrap();
    third.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    let early = tokio::time::timeout(std::time::Duration::from_millis(500), third.read(&mut answer)).await;
    assert!(early.is_err(), "it was answered beside two others: {early:?}");
    drop(held.0);
    tokio::time::timeout(std::time::Duration::from_secs(10), third.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}

#[tokio::test]
async fn this_machine_asks_freely_until_somebody_is_in_between_or_a_rate_is_set() {
    let registry = Registry::start_with(|c| c.rates.reads_per_minute = None).await;
    let ask = |forwarded: bool| {
        let request = registry.client.get(format!("{}/v1/health", registry.url));
        let request = if forwarded { request.header("x-forwarded-for", "198.51.100.1") } else { request };
        async { request.send().await.unwrap() }
    };
    for _ in 0..62 {
        for response in futures_util::future::join_all((0..100).map(|_| ask(false))).await {
            assert_eq!(response.status(), 200);
            assert_eq!(response.headers()["x-ratelimit-limit"], "6000", "it is counted all the same");
        }
    }
    assert_eq!(ask(true).await.status(), 429, "behind a proxy that nobody named");
    assert_eq!(ask(false).await.status(), 200);
}

#[tokio::test]
async fn a_harness_publishes_a_hundred_bundles_at_once() {
    let usual = mpak_registry::config::Rates::default().publishes_per_minute;
    let registry = Registry::start_with(move |c| c.rates.publishes_per_minute = usual).await;
    for number in 0..100 {
        let name = format!("@acme/widget-{number}");
        registry.publish(&name, "1.0.0", "any", &bundle(&name, "1.0.0")).await;
    }
}

/// Uploads with a token; gives the status.
async fn upload(registry: &Registry, token: &str, name: &str, version: &str) -> u16 {
    let url = format!("{}/api/v1/packages/{name}/versions/{version}/artifacts/any", registry.url);
    let request = registry.client.put(url).bearer_auth(token).body(bundle(name, version));
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_persons_tokens_share_a_rate_and_a_name_shares_nothing() {
    let registry = Registry::start_with(|c| c.rates.publishes_per_minute = 2).await;
    let account = async |login: &'static str| {
        let (config, clock) = (registry.config(), registry.clock());
        let made = move || mpak_registry::admin::person::add(&config, login, None, "publisher", &clock).unwrap();
        tokio::task::spawn_blocking(made).await.unwrap().token
    };
    // 1. Two tokens of one person.
    let (ada, again) = (account("ada").await, account("ada").await);
    assert_eq!(upload(&registry, &ada, "@ada/a", "1.0.0").await, 201);
    assert_eq!(upload(&registry, &again, "@ada/a", "1.0.1").await, 201);
    for token in [&ada, &again] {
        assert_eq!(upload(&registry, token, "@ada/a", "1.0.2").await, 429);
    }
    // 2. Tokens of the same name: one's haste is not the other's.
    let (one, two) = (registry.make_token(&["@one/*"], 1).await, registry.make_token(&["@two/*"], 1).await);
    assert_eq!(one.name, two.name);
    for version in ["1.0.0", "1.0.1"] {
        assert_eq!(upload(&registry, &one.token, "@one/a", version).await, 201);
    }
    assert_eq!(upload(&registry, &one.token, "@one/a", "1.0.2").await, 429);
    assert_eq!(upload(&registry, &two.token, "@two/a", "1.0.0").await, 201);
    // What a person publishes is told of the person, whatever the token is called.
    let events = registry.json("/api/v1/packages/@ada/a/events").await;
    assert_eq!(events["events"][0]["actor"], "user:ada", "{events}");
}
