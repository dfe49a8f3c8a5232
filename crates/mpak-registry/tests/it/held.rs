//! Names that look like something else: held until somebody decides, and seen by nobody until then.

use std::fmt::Write as _;

use mpak_registry::admin::{self, package::Verdict};
use serde_json::Value;

use crate::person::Browser;
use crate::world::{Registry, bundle, bundle_with};

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

/// State and reason of a package, as the registry's administrator sees them.
async fn state(registry: &Registry, name: &str) -> (String, String) {
    let url = format!("{}/api/v1/packages/{name}", registry.url);
    let shown = registry.client.get(url).bearer_auth(&registry.token).send().await.unwrap();
    let shown: Value = shown.json().await.unwrap();
    (shown["state"].as_str().unwrap().to_owned(), shown["reason"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn names_that_models_invent_and_letters_that_look_alike_are_held() {
    let registry = Registry::start().await;
    for (name, reason) in [
        ("@mcp/filesystem", "language models invent this scope"),
        ("@mcp-servers/weather", "language models invent this scope"),
        ("@official/weather", "it claims to be official"),
        ("@g1thub/weather", "could be taken for `@github`: it is read as it"),
        ("@rnicrosoft/weather", "could be taken for `@microsoft`: it is read as it"),
        ("@git-hub/weather", "could be taken for `@github`"),
        ("@stripe-official/pay", "could be taken for `@stripe`: a word was added to it"),
    ] {
        registry.publish(name, "1.0.0", "any", &bundle(name, "1.0.0")).await;
        let (state, told) = state(&registry, name).await;
        assert_eq!(state, "held", "{name}: {told}");
        assert!(told.contains(reason), "{name}: {told}");
        assert_eq!(registry.get(&format!("/v1/bundles/{name}")).await.status(), 404, "{name}");
    }
}

#[tokio::test]
async fn a_name_near_a_popular_one_is_held_once_it_is_popular() {
    let registry = Registry::start().await;
    let publish = async |name: &str| {
        registry.publish(name, "1.0.0", "any", &bundle(name, "1.0.0")).await;
        state(&registry, name).await
    };
    publish("@pixel/spreadsheets").await;
    let path = "/v1/bundles/@pixel/spreadsheets/versions/1.0.0/download";
    for _ in 0..99 {
        registry.json(path).await;
    }
    assert_eq!(publish("@one/spredsheets").await.0, "public", "99 downloads make no name popular");
    registry.json(path).await;
    for (name, how) in [
        ("@two/spreadshets", "`@pixel/spreadsheets`, which many people use"),
        ("@three/spreadsheets-next", "`@pixel/spreadsheets`, which many people use"),
        ("@four/pixel-spreadsheets", "the scope is part of the name"),
    ] {
        let (state, reason) = publish(name).await;
        assert_eq!(state, "held", "{name}: {reason}");
        assert!(reason.contains(how), "{name}: {reason}");
    }
    for name in ["@five/calendar", "@pixel/spredsheets"] {
        assert_eq!(publish(name).await.0, "public", "{name}: another thing, or their own");
    }
}

#[tokio::test]
async fn its_owner_sees_a_held_package_with_a_browser_and_others_do_not() {
    let registry = Registry::start().await;
    let mut browser = Browser::new(&registry);
    browser.follow(&registry.sign_in_link().unwrap()).await;
    let csrf = browser.csrf().await;
    let fields = [("csrf", csrf.as_str()), ("name", "own"), ("publish", "on"), ("days", "7"), ("packages", "*")];
    let page = browser.post("/account/tokens", &fields).await;
    let token = page.text.split("<code>mpak_").nth(1).and_then(|rest| rest.split('<').next()).unwrap();
    for name in [NAME, "@g1thub/weather"] {
        let by: Vec<String> = vec![format!("mpak_{token}"), registry.token.clone()];
        let url = format!("{}/api/v1/packages/{name}/versions/1.0.0/artifacts/any", registry.url);
        let token = &by[usize::from(name != NAME)];
        let put = registry.client.put(url).bearer_auth(token).body(bundle(name, "1.0.0")).send().await.unwrap();
        assert_eq!(put.status(), 201, "{}", put.text().await.unwrap());
    }
    // No administrator any more: an owner of one of the two.
    let (config, clock) = (registry.config(), registry.clock());
    let changed = move || {
        let id = admin::users::list(&config).unwrap()[0].id;
        admin::users::set_role(&config, id, "publisher", &clock).unwrap();
    };
    tokio::task::spawn_blocking(changed).await.unwrap();
    let own = browser.get(&format!("/packages/{NAME}")).await;
    assert_eq!(own.status, 200);
    assert!(own.text.contains("Held for review:") && own.text.contains("@anthropic"), "{}", own.text);
    assert_eq!(browser.get("/packages/@g1thub/weather").await.status, 404, "somebody else's");
    assert_eq!(browser.get("/admin").await.status, 403);
    let mut stranger = Browser::new(&registry);
    assert_eq!(stranger.get(&format!("/packages/{NAME}")).await.status, 404);
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

/// Everything that strangers are told of a name.
async fn told_of(registry: &Registry, name: &str) -> String {
    let server = format!("dev.mpak.{}", name.trim_start_matches('@').replace('/', "%2F"));
    let mut told = String::new();
    for path in [
        format!("/packages/{name}"),
        format!("/packages/{name}/1.0.0"),
        format!("/packages/{name}/1.1.0"),
        format!("/api/v1/packages/{name}"),
        format!("/api/v1/packages/{name}/events"),
        "/v0.1/servers?include_deleted=true".to_owned(),
        "/v0.1/servers?updated_since=2020-01-01T00:00:00Z".to_owned(),
        format!("/v0.1/servers/{server}/versions?include_deleted=true"),
        format!("/v0.1/servers/{server}/versions/1.0.0?include_deleted=true"),
        format!("/v0.1/servers/{server}/versions/1.1.0?include_deleted=true"),
        format!("/v1/servers/{server}/versions"),
        "/v1/servers".to_owned(),
        format!("/index/v1/{name}.json"),
    ] {
        let response = registry.client.get(format!("{}{path}", registry.url)).send().await.unwrap();
        writeln!(told, "{path} {}\n{}", response.status(), response.text().await.unwrap()).unwrap();
    }
    told
}

async fn delete(registry: &Registry, path: &str, reason: &str) {
    let url = format!("{}/api/v1/packages/{path}", registry.url);
    let body = serde_json::json!({"reason": reason});
    let answer = registry.client.delete(url).bearer_auth(&registry.token).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
}

#[tokio::test]
async fn what_was_never_public_leaves_nothing_that_is_told() {
    const REASON: &str = "nobodys-business";
    for verdict in [None, Some(Verdict::Reject), Some(Verdict::Remove)] {
        let (registry, _) = held().await;
        match verdict {
            None => delete(&registry, NAME, REASON).await,
            Some(verdict) => {
                let (config, clock) = (registry.config(), registry.clock());
                let decided = move || admin::package::decide(&config, NAME, verdict, Some(REASON), &clock).unwrap();
                tokio::task::spawn_blocking(decided).await.unwrap();
            }
        }
        // As of a name that nobody ever used.
        let (told, other) = (told_of(&registry, NAME).await, told_of(&registry, "@antropik/filesystem").await);
        assert!(!told.contains(REASON), "{verdict:?}: {told}");
        assert_eq!(told.replace("antropic", "antropik"), other, "{verdict:?}");
        // It is kept from being used again all the same.
        let again = registry.put(NAME, "3.0.0", "any", bundle(NAME, "3.0.0")).send().await.unwrap();
        assert_eq!(again.json::<Value>().await.unwrap()["error"]["code"], "RETIRED", "{verdict:?}");
    }
}

#[tokio::test]
async fn a_version_that_went_while_it_was_held_is_not_told_of_later_and_a_public_one_is() {
    let (registry, _) = held().await;
    registry.publish(NAME, "1.1.0", "any", &bundle(NAME, "1.1.0")).await;
    delete(&registry, &format!("{NAME}/versions/1.0.0"), "unseen").await;
    decide(&registry, Verdict::Release).await;
    found(&registry, 1).await;
    let told = told_of(&registry, NAME).await;
    assert!(!told.contains("unseen") && !told.contains("\"1.0.0\""), "{told}");
    assert!(told.contains("1.1.0"), "{told}");
    // What was public is told of, also when it goes while the package is held again.
    registry.publish(NAME, "1.2.0", "any", &bundle(NAME, "1.2.0")).await;
    decide(&registry, Verdict::Hold).await;
    registry.publish(NAME, "1.3.0", "any", &bundle(NAME, "1.3.0")).await;
    delete(&registry, &format!("{NAME}/versions/1.2.0"), "was-there").await;
    delete(&registry, &format!("{NAME}/versions/1.3.0"), "never-there").await;
    delete(&registry, NAME, "all-went").await;
    let told = told_of(&registry, NAME).await;
    assert!(told.contains("was-there") && told.contains("all-went"), "{told}");
    assert!(!told.contains("never-there") && !told.contains("1.3.0"), "{told}");
}

#[tokio::test]
async fn who_publishes_is_told_that_it_is_held_and_why_and_no_more_once_it_is_public() {
    let (registry, published) = held().await;
    assert!(published["held"].as_str().unwrap().contains("`@anthropic`"), "{published}");
    let again = async || {
        let sent = registry.put(NAME, "1.0.0", "any", bundle(NAME, "1.0.0")).send().await.unwrap();
        sent.json::<Value>().await.unwrap()
    };
    assert_eq!(again().await["held"], published["held"], "the same bytes again");
    let next = registry.publish(NAME, "1.1.0", "any", &bundle(NAME, "1.1.0")).await;
    assert_eq!(next["held"], published["held"], "another version");
    decide(&registry, Verdict::Release).await;
    assert_eq!(again().await.get("held"), None);
    assert_eq!(registry.publish(NAME, "1.2.0", "any", &bundle(NAME, "1.2.0")).await.get("held"), None);
}

/// Publishers try again; that what they sent lies there already must not sound like a publish.
#[tokio::test]
async fn who_publishes_again_what_was_taken_away_is_told_so_with_the_reason() {
    for (verdict, name) in [(Verdict::Reject, NAME), (Verdict::Remove, "@acme/widget")] {
        let registry = Registry::start().await;
        registry.publish(name, "1.0.0", "any", &bundle(name, "1.0.0")).await;
        let (config, clock) = (registry.config(), registry.clock());
        let decided = move || admin::package::decide(&config, name, verdict, Some("steals tokens"), &clock).unwrap();
        tokio::task::spawn_blocking(decided).await.unwrap();
        for (version, more) in [("1.0.0", ""), ("1.0.0", "other bytes"), ("1.1.0", "")] {
            let bytes = if more.is_empty() { bundle(name, version) } else { bundle_with(name, version, "x", b"y") };
            let again = registry.put(name, version, "any", bytes).send().await.unwrap();
            let (status, told) = (again.status(), again.json::<Value>().await.unwrap());
            assert_eq!((status.as_u16(), &told["error"]["code"]), (422, &"RETIRED".into()), "{version} {more}: {told}");
            let message = told["error"]["message"].as_str().unwrap();
            assert_eq!(message, format!("`{name}` was taken away by this registry: steals tokens"), "{version} {more}");
        }
    }
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
