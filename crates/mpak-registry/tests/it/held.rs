//! Names that look like something else: held until somebody decides, and seen by nobody until then.

use mpak_registry::admin::{self, package::Verdict};
use serde_json::Value;

use crate::person::Browser;
use crate::world::{Registry, bundle};

const NAME: &str = "@antropic/filesystem";

async fn held() -> (Registry, Value) {
    let registry = Registry::start().await;
    let published = registry.publish(NAME, "1.0.0", "any", &bundle(NAME, "1.0.0")).await;
    (registry, published)
}

/// Every public way to a package.
fn ways(published: &Value) -> Vec<String> {
    let hex = published["sha256"].as_str().unwrap();
    vec![
        format!("/v1/bundles/{NAME}"),
        format!("/v1/bundles/{NAME}/versions"),
        format!("/v1/bundles/{NAME}/versions/1.0.0"),
        format!("/v1/bundles/{NAME}/versions/1.0.0/download"),
        format!("/v1/bundles/{NAME}/versions/latest/download"),
        format!("/v1/bundles/{NAME}/index.json"),
        format!("/v1/bundles/{NAME}/badge.svg"),
        format!("/v1/bundles/{NAME}/security"),
        "/v1/servers/%40antropic%2Ffilesystem".to_owned(),
        "/v0.1/servers/dev.mpak.antropic%2Ffilesystem/versions/latest".to_owned(),
        format!("/index/v1/{NAME}.json"),
        format!("/packages/{NAME}"),
        format!("/packages/{NAME}/1.0.0"),
        format!("/api/v1/packages/{NAME}"),
        format!("/api/v1/packages/{NAME}/events"),
        format!("/blobs/sha256/{}/{}", &hex[..2], &hex[2..]),
    ]
}

async fn decide(registry: &Registry, verdict: Verdict) {
    let (config, clock) = (registry.config(), registry.clock());
    let decided = move || admin::package::decide(&config, NAME, verdict, Some("looked at it"), &clock).unwrap();
    tokio::task::spawn_blocking(decided).await.unwrap();
}

#[tokio::test]
async fn a_suspicious_first_publish_is_seen_by_nobody() {
    let (registry, published) = held().await;
    assert_eq!(published["status"], "created");
    for way in ways(&published) {
        assert_eq!(registry.get(&way).await.status(), 404, "{way}");
    }
    assert_eq!(registry.json("/v1/bundles/search?q=filesystem").await["total"], 0);
    assert!(!registry.json("/v1/servers").await.to_string().contains("antropic"));
    assert!(!registry.get("/search?q=antropic").await.text().await.unwrap().contains(NAME));
    // Further versions wait with it.
    registry.publish(NAME, "1.1.0", "any", &bundle(NAME, "1.1.0")).await;
    assert_eq!(registry.get(&format!("/v1/bundles/{NAME}")).await.status(), 404);
}

#[tokio::test]
async fn who_may_change_it_sees_it_with_the_reason() {
    let (registry, _) = held().await;
    let url = format!("{}/api/v1/packages/{NAME}", registry.url);
    let own = registry.make_token(&["@antropic/*"], 90).await.token;
    let other = registry.make_token(&["@acme/*"], 90).await.token;
    for (token, status) in [(&registry.token, 200), (&own, 200), (&other, 404)] {
        let response = registry.client.get(&url).bearer_auth(token).send().await.unwrap();
        assert_eq!(response.status(), status);
        if status == 200 {
            let body: Value = response.json().await.unwrap();
            assert_eq!(body["state"], "held");
            assert!(body["reason"].as_str().unwrap().contains("`@anthropic"), "{body}");
        }
    }
}

#[tokio::test]
async fn a_released_package_is_seen_by_all() {
    let (registry, published) = held().await;
    // Decided on the data itself, beside the running server, as `mpak admin package` does.
    decide(&registry, Verdict::Release).await;
    found(&registry, 1).await;
    for way in ways(&published) {
        let status = registry.get(&way).await.status();
        assert_eq!(status, 200, "{way}");
    }
    assert!(registry.json("/v1/servers").await.to_string().contains("antropic"));
    let events = registry.json(&format!("/api/v1/packages/{NAME}/events")).await;
    let kinds: Vec<&str> = events["events"].as_array().unwrap().iter().map(|e| e["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["released", "held", "artifact_published"]);
}

/// The server follows what others decide, without a restart.
async fn found(registry: &Registry, total: u64) {
    let mut now = Value::Null;
    for _ in 0..100 {
        now = registry.json("/v1/bundles/search?q=filesystem").await["total"].clone();
        if now == total {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("search finds {now}, expected {total}");
}

#[tokio::test]
async fn a_package_that_is_taken_away_beside_the_server_is_gone_without_a_restart() {
    let (registry, published) = held().await;
    decide(&registry, Verdict::Release).await;
    found(&registry, 1).await;
    let file = registry.data().join(format!("public/index/v1/{NAME}.json"));
    for (verdict, total, status) in [(Verdict::Remove, 0, 404), (Verdict::Restore, 1, 200), (Verdict::Hold, 0, 404)] {
        decide(&registry, verdict).await;
        found(&registry, total).await;
        for way in ways(&published) {
            assert_eq!(registry.get(&way).await.status(), status, "{verdict:?} {way}");
        }
        for _ in 0..100 {
            if file.exists() == (status == 200) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert_eq!(file.exists(), status == 200, "{verdict:?}");
    }
}

/// Nothing is popular yet, and the typo is one of an organisation that everybody knows.
#[tokio::test]
async fn the_first_name_of_an_empty_catalogue_is_held_when_it_mimics() {
    let registry = Registry::start().await;
    for (name, state, reason) in [
        ("@acme/gthub-mcp", "held", "could be taken for the server of `@github`"),
        ("@acme/cloudfare-mcp-server", "held", "could be taken for the server of `@cloudflare`"),
        ("@githb/issues", "held", "could be taken for `@github`"),
        ("@acme/github-mcp", "public", ""),
        ("@acme/weather-mcp", "public", ""),
    ] {
        registry.publish(name, "1.0.0", "any", &bundle(name, "1.0.0")).await;
        let url = format!("{}/api/v1/packages/{name}", registry.url);
        let shown = registry.client.get(url).bearer_auth(&registry.token).send().await.unwrap();
        let shown: Value = shown.json().await.unwrap();
        assert_eq!(shown["state"], state, "{name}: {shown}");
        assert!(shown["reason"].as_str().unwrap_or_default().contains(reason), "{name}: {shown}");
        let seen = registry.get(&format!("/v1/bundles/{name}")).await.status();
        assert_eq!(seen == 200, state == "public", "{name}");
    }
}

#[tokio::test]
async fn an_administrator_decides_by_the_page() {
    let (registry, _) = held().await;
    let mut browser = Browser::new(&registry);
    browser.follow(&registry.sign_in_link().unwrap()).await;
    let page = browser.get("/admin").await;
    let path = format!("/admin/packages/{NAME}/decision");
    assert!(page.text.contains(&format!("action=\"{path}\"")) && page.text.contains("@anthropic"), "{}", page.text);
    let csrf = page.field("csrf");
    let held = browser.get(&format!("/packages/{NAME}")).await;
    assert!(held.text.contains("Held for review:") && !held.text.contains("badge.svg"), "no badge is there to embed");
    assert_eq!(browser.post(&path, &[("csrf", &csrf), ("decision", "remove")]).await.status, 422);
    let decision = [("csrf", csrf.as_str()), ("decision", "release"), ("reason", "")];
    let decided = browser.post(&path, &decision).await;
    assert_eq!((decided.status, decided.location()), (303, "/admin#held"), "{}", decided.text);
    assert_eq!(registry.get(&format!("/packages/{NAME}")).await.status(), 200);
    assert_eq!(registry.json("/v1/bundles/search?q=filesystem").await["total"], 1);
    assert_eq!(browser.post(&path, &decision).await.status, 422, "it is public already");
    let events = registry.json(&format!("/api/v1/packages/{NAME}/events")).await;
    assert_eq!(
        (&events["events"][0]["kind"], &events["events"][0]["actor"]),
        (&"released".into(), &"user:admin".into())
    );
}

#[tokio::test]
async fn a_rejected_package_is_gone_for_its_publisher_too() {
    let (registry, published) = held().await;
    decide(&registry, Verdict::Reject).await;
    for way in ways(&published) {
        assert_eq!(registry.get(&way).await.status(), 404, "{way}");
    }
    let own = registry.make_token(&["@antropic/*"], 90).await.token;
    let url = format!("{}/api/v1/packages/{NAME}", registry.url);
    assert_eq!(registry.client.get(&url).bearer_auth(own).send().await.unwrap().status(), 404);
    let again = registry.put(NAME, "2.0.0", "any", bundle(NAME, "2.0.0")).send().await.unwrap();
    assert_eq!(again.status(), 422);
    assert_eq!(again.json::<Value>().await.unwrap()["error"]["code"], "RETIRED");
}

#[tokio::test]
async fn a_public_package_is_taken_away_and_comes_back() {
    let registry = Registry::start().await;
    registry.publish("@acme/widget", "1.0.0", "any", &bundle("@acme/widget", "1.0.0")).await;
    let decide = |decision: &str| {
        let path = format!("{}/api/v1/packages/@acme/widget/state", registry.url);
        let body = serde_json::json!({"decision": decision, "reason": "malware"}).to_string();
        registry.client.put(path).bearer_auth(&registry.token).body(body).send()
    };
    assert_eq!(decide("remove").await.unwrap().status(), 200);
    assert_eq!(registry.get("/v1/bundles/@acme/widget").await.status(), 404);
    assert_eq!(registry.json("/v1/bundles/search").await["total"], 0);
    assert_eq!(decide("remove").await.unwrap().status(), 422, "it is removed already");
    assert_eq!(decide("explode").await.unwrap().status(), 422);
    assert_eq!(decide("restore").await.unwrap().status(), 200);
    assert_eq!(registry.get("/v1/bundles/@acme/widget").await.status(), 200);
    assert_eq!(registry.json("/v1/bundles/search").await["total"], 1);
}

#[tokio::test]
async fn a_reserved_scope_takes_no_new_packages() {
    let registry = Registry::start().await;
    registry.publish("@acme/widget", "1.0.0", "any", &bundle("@acme/widget", "1.0.0")).await;
    let reserve = async |reason: Option<&'static str>| {
        let (config, clock) = (registry.config(), registry.clock());
        let reserved = move || admin::package::reserve_scope(&config, "@acme", reason, &clock);
        tokio::task::spawn_blocking(reserved).await.unwrap()
    };
    reserve(Some("kept for ACME Corporation")).await.unwrap();
    let refused = registry.put("@acme/gadget", "1.0.0", "any", bundle("@acme/gadget", "1.0.0")).send().await.unwrap();
    assert_eq!(refused.status(), 403);
    assert!(refused.text().await.unwrap().contains("kept for ACME Corporation"));
    registry.publish("@acme/widget", "1.1.0", "any", &bundle("@acme/widget", "1.1.0")).await;
    reserve(None).await.unwrap();
    registry.publish("@acme/gadget", "1.0.0", "any", &bundle("@acme/gadget", "1.0.0")).await;
    assert!(reserve(None).await.is_err(), "there is no reservation any more");
}
