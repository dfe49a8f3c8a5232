//! What becomes of packages after their publish: yanked, deprecated, deleted, given away, with refusals.

use mpak_registry::admin;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::world::{DAY_MS, Registry, bundle, bundle_with};

/// A person's token.
async fn person(registry: &Registry, login: &str, role: &'static str) -> String {
    let (config, clock, login) = (registry.config(), registry.clock(), login.to_owned());
    let made = move || admin::person::add(&config, &login, None, role, &clock).unwrap().token;
    tokio::task::spawn_blocking(made).await.unwrap()
}

/// A token for some actions, of nobody.
async fn token_for(registry: &Registry, actions: &'static [&'static str], package: &'static str) -> String {
    let (config, clock) = (registry.config(), registry.clock());
    let made = move || admin::create_token_for(&config, "t", actions, &[package.to_owned()], 90, &clock).unwrap().token;
    tokio::task::spawn_blocking(made).await.unwrap()
}

async fn ask(registry: &Registry, token: &str, method: Method, path: &str, body: Value) -> (u16, Value) {
    let request = registry.client.request(method, format!("{}/api/v1/packages/{path}", registry.url));
    let response = request.bearer_auth(token).body(body.to_string()).send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default())
}

#[track_caller]
fn refused(answer: (u16, Value), status: u16, piece: &str) {
    let (found, body) = answer;
    assert_eq!(found, status, "{body}");
    assert!(body["error"]["message"].as_str().unwrap_or_default().contains(piece), "{body}");
    assert!(body["error"]["code"].is_string(), "{body}");
}

async fn publish_as(registry: &Registry, token: &str, name: &str, version: &str) -> u16 {
    let request = registry.put(name, version, "any", bundle(name, version));
    let request = request.build().unwrap();
    let mut request = reqwest::RequestBuilder::from_parts(registry.client.clone(), request);
    request = request.bearer_auth(token);
    let mut built = request.build().unwrap();
    // The world's own token was there first.
    let last = built.headers().get_all("authorization").iter().next_back().unwrap().clone();
    built.headers_mut().insert("authorization", last);
    registry.client.execute(built).await.unwrap().status().as_u16()
}

/// Versions of `@acme/widget`.
async fn widget(versions: &[&str]) -> Registry {
    let registry = Registry::start().await;
    for version in versions {
        registry.publish("@acme/widget", version, "any", &bundle("@acme/widget", version)).await;
    }
    registry
}

async fn download(registry: &Registry, name: &str, version: &str) -> reqwest::Response {
    let path = format!("{}/v1/bundles/{name}/versions/{version}/download", registry.url);
    registry.client.get(path).header("accept", "application/json").send().await.unwrap()
}

#[tokio::test]
async fn a_yanked_version_is_downloaded_by_its_name_only() {
    let registry = widget(&["1.0.0", "1.1.0"]).await;
    let yank = "@acme/widget/versions/1.1.0/yank";
    let (status, body) = ask(&registry, &registry.token, Method::PUT, yank, json!({"reason": "leaks kéys"})).await;
    assert_eq!((status, &body["changed"]), (200, &json!(true)), "{body}");
    // Bare names mean the other one.
    assert_eq!(registry.json("/v1/bundles/@acme/widget").await["latest_version"], "1.0.0");
    assert_eq!(registry.json("/v1/bundles/search").await["bundles"][0]["latest_version"], "1.0.0");
    let latest: Value = download(&registry, "@acme/widget", "latest").await.json().await.unwrap();
    assert_eq!(latest["bundle"]["version"], "1.0.0");
    let index = registry.json("/index/v1/@acme/widget.json").await;
    assert_eq!(index["latest"], "1.0.0");
    let yanked: Vec<&Value> = index["versions"].as_array().unwrap().iter().map(|v| &v["yanked"]).collect();
    assert_eq!(yanked, [&json!(false), &json!(true)]);
    // Its exact name still does, and says so.
    let exact = download(&registry, "@acme/widget", "1.1.0").await;
    let notice: Value = serde_json::from_str(exact.headers()["mpak-notice"].to_str().unwrap()).unwrap();
    assert_eq!(notice, json!({"yanked": "leaks kéys"}));
    let exact: Value = exact.json().await.unwrap();
    let members: std::collections::BTreeSet<&str> = exact.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["bundle", "expires_at", "url"].into(), "existing clients refuse more");
    // Again changes nothing; back again it is the latest.
    assert_eq!(ask(&registry, &registry.token, Method::PUT, yank, json!({})).await.1["changed"], false);
    assert_eq!(ask(&registry, &registry.token, Method::DELETE, yank, json!({})).await.1["changed"], true);
    assert_eq!(registry.json("/v1/bundles/@acme/widget").await["latest_version"], "1.1.0");
    assert!(download(&registry, "@acme/widget", "1.1.0").await.headers().get("mpak-notice").is_none());
    let events = registry.json("/api/v1/packages/@acme/widget/events").await;
    let kinds: Vec<&str> = events["events"].as_array().unwrap().iter().map(|e| e["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["unyanked", "yanked", "artifact_published", "artifact_published"]);
    assert_eq!(events["events"][1]["actor"], "token:first-token");
    assert_eq!(events["events"][1]["details"]["reason"], "leaks kéys");
}

#[tokio::test]
async fn without_an_unyanked_version_a_bare_name_means_nothing() {
    let registry = widget(&["1.0.0"]).await;
    ask(&registry, &registry.token, Method::PUT, "@acme/widget/versions/1.0.0/yank", json!({})).await;
    let latest = download(&registry, "@acme/widget", "latest").await;
    assert_eq!(latest.status(), 404);
    assert!(latest.text().await.unwrap().contains("yanked"));
    assert_eq!(registry.json("/index/v1/@acme/widget.json").await["latest"], Value::Null);
    assert_eq!(download(&registry, "@acme/widget", "1.0.0").await.status(), 200);
    let page = registry.client.get(format!("{}/packages/@acme/widget", registry.url)).header("accept", "text/html");
    let page = page.send().await.unwrap().text().await.unwrap();
    assert!(page.contains("mpak run @acme/widget@1.0.0<") && !page.contains(">latest<"), "{page}");
}

#[tokio::test]
async fn a_token_does_what_its_actions_say() {
    let registry = widget(&["1.0.0"]).await;
    let yank = "@acme/widget/versions/1.0.0/yank";
    for (actions, package, status) in [
        (&["publish"][..], "*", 403),
        (&["read"][..], "*", 403),
        (&["yank"][..], "@other/*", 403),
        (&["yank"][..], "@acme/*", 200),
        (&["manage"][..], "*", 200),
    ] {
        let token = token_for(&registry, actions, package).await;
        let found = ask(&registry, &token, Method::PUT, yank, json!({})).await;
        assert_eq!(found.0, status, "{actions:?} {package}: {}", found.1);
        let state = ask(&registry, &token, Method::PUT, "@acme/widget/state", json!({"decision": "remove"})).await;
        assert_eq!(state.0, 403, "{actions:?}: {}", state.1);
    }
    let yanker = token_for(&registry, &["yank"], "*").await;
    refused(ask(&registry, &yanker, Method::DELETE, "@acme/widget", json!({})).await, 403, "may not delete");
    let anonymous = registry.client.put(format!("{}/api/v1/packages/{yank}", registry.url)).send().await.unwrap();
    assert_eq!(anonymous.status(), 401);
    refused(ask(&registry, "mpak_nothing", Method::PUT, yank, json!({})).await, 401, "not known");
}

#[tokio::test]
async fn a_deprecated_package_says_so_wherever_it_is_asked_for() {
    let registry = widget(&["1.0.0"]).await;
    let path = "@acme/widget/deprecation";
    let said = json!({"message": "unmaintained", "replacement": "@acme/gadget"});
    assert_eq!(ask(&registry, &registry.token, Method::PUT, path, said.clone()).await.1["changed"], true);
    assert_eq!(registry.json("/index/v1/@acme/widget.json").await["deprecated"], said);
    let listed = registry.client.get(format!("{}/search?q=widget", registry.url)).header("accept", "text/html");
    assert!(listed.send().await.unwrap().text().await.unwrap().contains("<span class=\"tag must\">deprecated</span>"));
    assert_eq!(registry.json("/api/v1/packages/@acme/widget").await["deprecated"], said);
    let latest = download(&registry, "@acme/widget", "latest").await;
    let notice: Value = serde_json::from_str(latest.headers()["mpak-notice"].to_str().unwrap()).unwrap();
    assert_eq!(notice, json!({"deprecated": "unmaintained", "replacement": "@acme/gadget"}));
    for (body, piece) in [
        (json!({"message": ""}), "must have"),
        (json!({"message": "x".repeat(501)}), "must have"),
        (json!({"message": "a\u{1b}[2Jb"}), "must have"),
        (json!({"message": "x", "replacement": "@acme/widget"}), "cannot replace"),
        (json!({"message": "x", "replacement": "nothing"}), "@scope/name"),
    ] {
        refused(ask(&registry, &registry.token, Method::PUT, path, body).await, 422, piece);
    }
    refused(ask(&registry, &registry.token, Method::PUT, path, json!({"no": 1})).await, 400, "body");
    assert_eq!(ask(&registry, &registry.token, Method::DELETE, path, json!({})).await.1["changed"], true);
    assert_eq!(registry.json("/index/v1/@acme/widget.json").await["deprecated"], Value::Null);
}

/// A page that is not there, as a browser gets it.
async fn page(registry: &Registry, path: &str) -> String {
    let request = registry.client.get(format!("{}{path}", registry.url)).header("accept", "text/html");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 404, "{path}");
    response.text().await.unwrap()
}

#[tokio::test]
async fn what_nobody_depends_on_is_deleted_and_never_used_again() {
    let registry = widget(&["1.0.0", "1.1.0"]).await;
    let manager = token_for(&registry, &["manage", "publish"], "*").await;
    let sha256 = registry.json("/v1/bundles/@acme/widget/versions/1.1.0").await["artifacts"][0]["digest"].clone();
    let hex = sha256.as_str().unwrap().trim_start_matches("sha256:").to_owned();
    let blob = format!("/blobs/sha256/{}/{}", &hex[..2], &hex[2..]);
    assert_eq!(registry.get(&blob).await.status(), 200);
    // Young, though downloaded.
    download(&registry, "@acme/widget", "1.1.0").await;
    let (status, body) = ask(&registry, &manager, Method::DELETE, "@acme/widget/versions/1.1.0", json!({})).await;
    assert_eq!((status, &body["versions"], &body["package"]), (200, &json!(["1.1.0"]), &json!(false)), "{body}");
    assert_eq!(registry.get(&blob).await.status(), 404);
    assert_eq!(download(&registry, "@acme/widget", "1.1.0").await.status(), 404);
    assert_eq!(registry.json("/v1/bundles/@acme/widget").await["latest_version"], "1.0.0");
    // Not even the same bytes come back.
    let again = registry.put("@acme/widget", "1.1.0", "any", bundle("@acme/widget", "1.1.0")).send().await.unwrap();
    assert_eq!(again.status(), 422);
    let body: Value = again.json().await.unwrap();
    assert_eq!(body["error"]["code"], "RETIRED", "{body}");
    let gone = page(&registry, "/packages/@acme/widget/1.1.0").await;
    assert!(gone.contains("This version is gone") && gone.contains("It was taken away on 20 Nov 2026."), "{gone}");
    // Old and downloaded stays.
    download(&registry, "@acme/widget", "1.0.0").await;
    registry.wait_ms(3 * DAY_MS + 1_000);
    let old = "@acme/widget/versions/1.0.0";
    refused(ask(&registry, &manager, Method::DELETE, old, json!({})).await, 403, "downloaded 1 times");
    refused(ask(&registry, &manager, Method::DELETE, "@acme/widget", json!({})).await, 403, "downloaded 1 times");
    // An administrator may; the last version takes the package along.
    let (status, body) = ask(&registry, &registry.token, Method::DELETE, old, json!({"reason": "court order"})).await;
    assert_eq!((status, &body["package"]), (200, &json!(true)), "{body}");
    assert_eq!(registry.get("/v1/bundles/@acme/widget").await.status(), 404);
    assert_eq!(registry.json("/v1/bundles/search").await["total"], 0);
    let gone = page(&registry, "/packages/@acme/widget").await;
    assert!(gone.contains("This package is gone") && gone.contains("The reason given: court order"), "{gone}");
    let reborn = registry.put("@acme/widget", "9.0.0", "any", bundle("@acme/widget", "9.0.0")).send().await.unwrap();
    let body: Value = reborn.json().await.unwrap();
    assert_eq!(body["error"]["code"], "RETIRED", "{body}");
}

#[tokio::test]
async fn the_managed_versions_tell_platforms_level_and_score() {
    let registry = Registry::start_with(|c| c.scanning.enabled = true).await;
    registry.publish("@acme/widget", "1.0.0", "any", &bundle("@acme/widget", "1.0.0")).await;
    registry.publish("@acme/widget", "1.0.0", "linux-x64", &bundle_with("@acme/widget", "1.0.0", "x", b"y")).await;
    let mut version = Value::Null;
    for _ in 0..500 {
        version = registry.json("/api/v1/packages/@acme/widget").await["versions"][0].clone();
        if version["score"].is_u64() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let platforms = json!([{"os": "linux", "arch": "x64"}, {"os": "any", "arch": "any"}]);
    assert_eq!(version["platforms"], platforms, "{version}");
    let path = "/api/v1/packages/@acme/widget/versions/1.0.0/artifacts/any/report";
    let report = registry.json(path).await["report"].clone();
    assert_eq!((&version["level"], &version["score"]), (&report["level"], &report["score"]), "{version}");
}

#[tokio::test]
async fn what_nobody_ever_downloaded_is_deleted_however_old_it_is() {
    let registry = Registry::start().await;
    let ada = person(&registry, "ada", "publisher").await;
    for version in ["1.0.0", "1.1.0"] {
        assert_eq!(publish_as(&registry, &ada, "@ada/notes", version).await, 201);
    }
    download(&registry, "@ada/notes", "1.0.0").await;
    registry.wait_ms(400 * DAY_MS);
    // Her token is over by then; she has another.
    let ada = person(&registry, "ada", "publisher").await;
    refused(
        ask(&registry, &ada, Method::DELETE, "@ada/notes/versions/1.0.0", json!({})).await,
        403,
        "downloaded 1 times",
    );
    let (status, body) = ask(&registry, &ada, Method::DELETE, "@ada/notes/versions/1.1.0", json!({})).await;
    assert_eq!((status, &body["versions"]), (200, &json!(["1.1.0"])), "{body}");
    assert_eq!(registry.json("/v1/bundles/@ada/notes").await["latest_version"], "1.0.0");
}

#[tokio::test]
async fn bytes_that_another_package_names_stay() {
    let registry = Registry::start().await;
    let bytes = bundle("widget", "1.0.0");
    registry.publish("@acme/widget", "1.0.0", "any", &bytes).await;
    let other = registry.publish("@other/widget", "1.0.0", "any", &bytes).await;
    ask(&registry, &registry.token, Method::DELETE, "@acme/widget", json!({})).await;
    let hex = other["sha256"].as_str().unwrap();
    assert_eq!(registry.get(&format!("/blobs/sha256/{}/{}", &hex[..2], &hex[2..])).await.status(), 200);
    assert_eq!(download(&registry, "@other/widget", "latest").await.status(), 200);
}

#[tokio::test]
async fn versions_follow_each_other() {
    let registry = widget(&["1.1.3", "2.0.0", "1.1.5"]).await;
    for (version, code) in
        [("1.1.4", "VERSION_ORDER"), ("2.0.0-beta.1", "VERSION_ORDER"), ("2.0.0+build.7", "VERSION_ORDER")]
    {
        let response =
            registry.put("@acme/widget", version, "any", bundle("@acme/widget", version)).send().await.unwrap();
        assert_eq!(response.status(), 422, "{version}");
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["error"]["code"], code, "{version}: {body}");
        assert!(body["error"]["details"]["help"].is_string(), "{body}");
    }
    for version in ["1.1.6", "2.1.0-rc.1", "0.9.0"] {
        registry.publish("@acme/widget", version, "any", &bundle("@acme/widget", version)).await;
        assert_eq!(registry.json("/v1/bundles/@acme/widget").await["latest_version"], "2.0.0", "{version}");
    }
}

#[tokio::test]
async fn the_strict_policy_counts_over_all_lines() {
    let registry =
        Registry::start_with(|c| c.publishing.version_policy = mpak_registry::config::VersionPolicy::Strict).await;
    registry.publish("@acme/widget", "2.0.0", "any", &bundle("@acme/widget", "2.0.0")).await;
    let response = registry.put("@acme/widget", "1.1.4", "any", bundle("@acme/widget", "1.1.4")).send().await.unwrap();
    assert_eq!(response.status(), 422);
}

#[tokio::test]
async fn further_platforms_come_within_three_days() {
    let registry = widget(&["1.0.0"]).await;
    let other = bundle_with("@acme/widget", "1.0.0", "x", b"linux");
    registry.wait_ms(3 * DAY_MS - 60_000);
    registry.publish("@acme/widget", "1.0.0", "linux-x64", &other).await;
    registry.wait_ms(120_000);
    let late = registry.put("@acme/widget", "1.0.0", "darwin-arm64", other.clone()).send().await.unwrap();
    assert_eq!(late.status(), 422);
    assert_eq!(late.json::<Value>().await.unwrap()["error"]["code"], "VERSION_CLOSED");
    // What is there is still there.
    let again = registry.put("@acme/widget", "1.0.0", "linux-x64", other).send().await.unwrap();
    assert_eq!(again.status(), 200);
}

#[tokio::test]
async fn people_own_what_they_publish_first() {
    let registry = Registry::start().await;
    let (ada, bob) = (person(&registry, "ada", "publisher").await, person(&registry, "bob", "publisher").await);
    let reader = person(&registry, "rita", "reader").await;
    assert_eq!(publish_as(&registry, &ada, "@ada/notes", "1.0.0").await, 201);
    assert_eq!(publish_as(&registry, &bob, "@ada/notes", "1.1.0").await, 403, "it is hers");
    assert_eq!(publish_as(&registry, &bob, "@ada/other", "1.0.0").await, 403, "the scope is hers");
    assert_eq!(publish_as(&registry, &reader, "@rita/notes", "1.0.0").await, 403, "readers read");
    let owners = |body: &Value| -> Vec<String> {
        body["owners"].as_array().unwrap().iter().map(|o| o["login"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(owners(&registry.json("/api/v1/packages/@ada/notes").await), ["ada"]);
    let bob_owns = "@ada/notes/owners/bob";
    refused(ask(&registry, &bob, Method::PUT, bob_owns, json!({})).await, 403, "not an owner");
    refused(ask(&registry, &ada, Method::PUT, "@ada/notes/owners/eve", json!({})).await, 422, "no active account");
    assert_eq!(ask(&registry, &ada, Method::PUT, bob_owns, json!({})).await.1["changed"], true);
    assert_eq!(publish_as(&registry, &bob, "@ada/notes", "1.1.0").await, 201);
    // Never the last one.
    assert_eq!(ask(&registry, &bob, Method::DELETE, "@ada/notes/owners/ada", json!({})).await.0, 200);
    let last = ask(&registry, &bob, Method::DELETE, "@ada/notes/owners/bob", json!({})).await;
    refused(last, 422, "the only owner");
    assert_eq!(owners(&registry.json("/api/v1/packages/@ada/notes").await), ["bob"]);
    assert_eq!(publish_as(&registry, &ada, "@ada/notes", "1.2.0").await, 403);
}

/// Whether somebody may was asked when their upload began; meanwhile somebody else was faster.
#[tokio::test]
async fn of_two_first_publishes_into_a_free_scope_one_gets_it() {
    let registry = Registry::start().await;
    let (ada, bob) = (person(&registry, "ada", "publisher").await, person(&registry, "bob", "publisher").await);
    // 1. Bob begins: the registry asks for the body, so that it has let him in.
    let bytes = bundle("@free/b", "1.0.0");
    let host = registry.url.strip_prefix("http://").unwrap();
    let mut slow = TcpStream::connect(host).await.unwrap();
    let head = format!(
        "PUT /api/v1/packages/@free/b/versions/1.0.0/artifacts/any HTTP/1.1\r\nhost: {host}\r\n\
         authorization: Bearer {bob}\r\ncontent-length: {}\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n",
        bytes.len()
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut asked = [0; 12];
    slow.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100", "{}", String::from_utf8_lossy(&asked));
    // 2. Ada is faster.
    assert_eq!(publish_as(&registry, &ada, "@free/a", "1.0.0").await, 201);
    // 3. Bob's bytes are there.
    slow.write_all(&bytes).await.unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("HTTP/1.1 403"), "{answer}");
    assert!(answer.contains("the scope `@free` is in use, and `bob` owns no package in it"), "{answer}");
    assert_eq!(registry.get("/v1/bundles/@free/b").await.status(), 404);
    assert_eq!(publish_as(&registry, &ada, "@free/c", "1.0.0").await, 201, "the scope is hers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_first_publishes_at_once_one_person_gets_the_scope() {
    let registry = std::sync::Arc::new(Registry::start().await);
    let (ada, bob) = (person(&registry, "ada", "publisher").await, person(&registry, "bob", "publisher").await);
    for round in 0..8 {
        let sends = [("a", &ada), ("b", &bob)].map(|(name, token)| {
            let (registry, token) = (std::sync::Arc::clone(&registry), token.clone());
            tokio::spawn(async move { publish_as(&registry, &token, &format!("@free{round}/{name}"), "1.0.0").await })
        });
        let mut statuses = Vec::new();
        for send in sends {
            statuses.push(send.await.unwrap());
        }
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 403], "round {round}");
    }
}

#[tokio::test]
async fn two_owners_allow_tokens() {
    let registry = Registry::start().await;
    let (ada, bob) = (person(&registry, "ada", "publisher").await, person(&registry, "bob", "publisher").await);
    assert_eq!(publish_as(&registry, &ada, "@ada/notes", "1.0.0").await, 201);
    let path = "@ada/notes/tokens";
    assert_eq!(ask(&registry, &ada, Method::PUT, path, json!({})).await.1["tokens_allowed"], false);
    refused(ask(&registry, &bob, Method::PUT, path, json!({})).await, 403, "not an owner");
    ask(&registry, &ada, Method::PUT, "@ada/notes/owners/bob", json!({})).await;
    assert_eq!(ask(&registry, &bob, Method::PUT, path, json!({})).await.1["tokens_allowed"], true);
    assert_eq!(ask(&registry, &ada, Method::DELETE, path, json!({})).await.1["tokens_allowed"], false);
    refused(ask(&registry, &registry.token, Method::PUT, path, json!({})).await, 403, "by a person");
}

#[tokio::test]
async fn a_rename_takes_effect_after_its_notice_and_the_old_name_works_on() {
    let registry = Registry::start().await;
    let ada = person(&registry, "ada", "publisher").await;
    assert_eq!(publish_as(&registry, &ada, "@ada/notes", "1.0.0").await, 201);
    let path = "@ada/notes/transfer";
    let (status, body) = ask(&registry, &ada, Method::POST, path, json!({"name": "@ada/journal"})).await;
    assert_eq!((status, &body["state"]), (200, &json!("accepted")), "{body}");
    refused(ask(&registry, &ada, Method::POST, path, json!({"name": "@ada/diary"})).await, 422, "under way already");
    registry.wait_ms(7 * DAY_MS - 60_000);
    assert_eq!(registry.json("/api/v1/packages/@ada/notes").await["name"], "@ada/notes");
    registry.wait_ms(120_000);
    assert_eq!(registry.json("/api/v1/packages/@ada/notes").await["name"], "@ada/journal");
    // Everything is found under both names; clients go on with the one that they asked for.
    for name in ["@ada/notes", "@ada/journal"] {
        assert_eq!(registry.json(&format!("/v1/bundles/{name}")).await["name"], name);
        let body: Value = download(&registry, name, "latest").await.json().await.unwrap();
        assert_eq!(body["bundle"]["name"], name);
        assert_eq!(registry.json(&format!("/index/v1/{name}.json")).await["name"], name);
    }
    assert_eq!(registry.json("/index/v1/@ada/notes.json").await["renamed_to"], "@ada/journal");
    let found = registry.json("/v1/bundles/search").await;
    assert_eq!((found["total"].as_u64(), found["bundles"][0]["name"].as_str()), (Some(1), Some("@ada/journal")));
    let page = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
    let page = page.get(format!("{}/packages/@ada/notes", registry.url)).header("accept", "text/html");
    let page = page.send().await.unwrap();
    assert_eq!((page.status().as_u16(), page.headers()["location"].to_str().unwrap()), (308, "/packages/@ada/journal"));
    // New versions come under the new name only; nobody takes the old one.
    let old = registry.put("@ada/notes", "1.1.0", "any", bundle("@ada/notes", "1.1.0")).send().await.unwrap();
    let body: Value = old.json().await.unwrap();
    assert_eq!(body["error"]["code"], "RETIRED", "{body}");
    assert_eq!(publish_as(&registry, &ada, "@ada/journal", "1.1.0").await, 201);
}

#[tokio::test]
async fn a_transfer_is_signed_off_by_both_sides() {
    let registry = Registry::start().await;
    let (ada, bob) = (person(&registry, "ada", "publisher").await, person(&registry, "bob", "publisher").await);
    let eve = person(&registry, "eve", "publisher").await;
    assert_eq!(publish_as(&registry, &ada, "@ada/notes", "1.0.0").await, 201);
    let path = "@ada/notes/transfer";
    let wish = json!({"owner": "bob", "name": "@bob/notes"});
    refused(ask(&registry, &bob, Method::POST, path, wish.clone()).await, 403, "not an owner");
    let (_, body) = ask(&registry, &ada, Method::POST, path, wish).await;
    assert_eq!(body["state"], "requested", "{body}");
    for (who, token) in [("ada", &ada), ("eve", &eve), ("bob without the scope", &bob)] {
        let answer = ask(&registry, token, Method::PUT, path, json!({})).await;
        assert_eq!(answer.0, 403, "{who}: {}", answer.1);
    }
    assert_eq!(publish_as(&registry, &bob, "@bob/first", "1.0.0").await, 201);
    assert_eq!(ask(&registry, &bob, Method::PUT, path, json!({})).await.1["state"], "accepted");
    registry.wait_ms(7 * DAY_MS + 60_000);
    let body = registry.json("/api/v1/packages/@ada/notes").await;
    assert_eq!((&body["name"], &body["owners"][0]["login"]), (&json!("@bob/notes"), &json!("bob")));
    assert_eq!(publish_as(&registry, &ada, "@bob/notes", "1.1.0").await, 403);
    assert_eq!(publish_as(&registry, &bob, "@bob/notes", "1.1.0").await, 201);
    let events = registry.json("/api/v1/packages/@bob/notes/events").await;
    assert!(events.to_string().contains("\"transferred\""), "{events}");
}

#[tokio::test]
async fn a_transfer_is_cancelled_during_its_notice() {
    let registry = Registry::start().await;
    let ada = person(&registry, "ada", "publisher").await;
    assert_eq!(publish_as(&registry, &ada, "@ada/notes", "1.0.0").await, 201);
    let path = "@ada/notes/transfer";
    refused(ask(&registry, &ada, Method::DELETE, path, json!({})).await, 404, "no transfer");
    refused(ask(&registry, &ada, Method::POST, path, json!({})).await, 422, "new name or a new owner");
    ask(&registry, &ada, Method::POST, path, json!({"name": "@ada/journal"})).await;
    assert_eq!(ask(&registry, &ada, Method::DELETE, path, json!({})).await.0, 200);
    registry.wait_ms(8 * DAY_MS);
    assert_eq!(registry.json("/api/v1/packages/@ada/notes").await["name"], "@ada/notes");
    assert_eq!(registry.get("/v1/bundles/@ada/journal").await.status(), 404);
}
