//! The official shape's fates: deprecated, deleted and renamed, as whoever mirrors us must learn of them.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{DAY_MS, Registry, bundle};

const OFFICIAL: &str = "io.modelcontextprotocol.registry/official";

async fn ask(registry: &Registry, method: Method, path: &str, body: Value) {
    let url = format!("{}/api/v1/packages/{path}", registry.url);
    let answer = registry.client.request(method, url).bearer_auth(&registry.token).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}: {}", answer.text().await.unwrap());
}

async fn publish(registry: &Registry, name: &str, versions: &[&str]) {
    for version in versions {
        registry.publish(name, version, "any", &bundle(name, version)).await;
    }
}

/// Each entry of a list, as `name version`, with what is said of it; each once, by pages of this size.
async fn listed(registry: &Registry, query: &str, limit: usize) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    let mut next = String::new();
    for _ in 0..100 {
        let body = registry.json(&format!("/v0.1/servers?limit={limit}&{query}{next}")).await;
        let entries = body["servers"].as_array().unwrap();
        assert!(entries.len() <= limit, "{body}");
        assert_eq!(body["metadata"]["count"], entries.len());
        for entry in entries {
            let server = &entry["server"];
            let key = format!("{} {}", server["name"].as_str().unwrap(), server["version"].as_str().unwrap());
            let seen = all.insert(key.clone(), entry["_meta"][OFFICIAL].clone());
            assert!(seen.is_none(), "{key} comes twice");
        }
        let Some(cursor) = body["metadata"]["nextCursor"].as_str() else { return all };
        next = format!("&cursor={cursor}");
    }
    panic!("the list does not end");
}

/// The status and its message.
fn told(entry: &Value) -> (&str, Option<&str>) {
    (entry["status"].as_str().unwrap(), entry["statusMessage"].as_str())
}

/// Six packages: one of each fate, and others between them.
async fn fates() -> Registry {
    let registry = Registry::start().await;
    publish(&registry, "@acme/a-live", &["1.0.0"]).await;
    publish(&registry, "@acme/b-gone", &["1.0.0", "1.1.0"]).await;
    publish(&registry, "@acme/c-old", &["1.0.0"]).await;
    publish(&registry, "@acme/d-partly", &["1.0.0", "1.1.0", "1.2.0"]).await;
    publish(&registry, "@acme/e-live", &["1.0.0"]).await;
    publish(&registry, "@acme/f-yanked", &["1.0.0", "1.1.0"]).await;
    registry.wait_ms(DAY_MS);
    ask(&registry, Method::DELETE, "@acme/b-gone", json!({"reason": "never worked"})).await;
    let deprecation = json!({"message": "old", "replacement": "@acme/e-live"});
    ask(&registry, Method::PUT, "@acme/c-old/deprecation", deprecation).await;
    ask(&registry, Method::DELETE, "@acme/d-partly/versions/1.1.0", json!({})).await;
    ask(&registry, Method::PUT, "@acme/f-yanked/versions/1.0.0/yank", json!({"reason": "leaks"})).await;
    registry
}

#[tokio::test]
async fn every_fate_has_its_status_message_and_time() {
    let registry = fates().await;
    let all = listed(&registry, "include_deleted=true", 100).await;
    for (entry, status, message) in [
        ("a-live 1.0.0", "active", None),
        ("b-gone 1.0.0", "deleted", Some("never worked")),
        ("b-gone 1.1.0", "deleted", Some("never worked")),
        ("c-old 1.0.0", "deprecated", Some("old Use @acme/e-live instead.")),
        ("d-partly 1.0.0", "active", None),
        ("d-partly 1.1.0", "deleted", Some("This version was deleted.")),
        ("d-partly 1.2.0", "active", None),
        ("f-yanked 1.0.0", "deprecated", Some("leaks")),
        ("f-yanked 1.1.0", "active", None),
    ] {
        let found = &all[&format!("dev.mpak.acme/{entry}")];
        assert_eq!(told(found), (status, message), "{entry}");
        // All that is not as it was published changed a day later.
        let changed = found["statusChangedAt"].as_str().map(|at| &at[..10]);
        assert_eq!(changed, (status != "active").then_some("2026-11-21"), "{entry}: {found}");
        assert_eq!(&found["publishedAt"].as_str().unwrap()[..10], "2026-11-20", "{entry}");
    }
    assert_eq!(all.len(), 10);
    // A single look tells the same.
    for (path, status) in [
        ("d-partly/versions/1.1.0?include_deleted=true", Some("deleted")),
        ("d-partly/versions/1.1.0", None),
        ("b-gone/versions/1.0.0?include_deleted=true", Some("deleted")),
        ("b-gone/versions/1.0.0", None),
        ("b-gone/versions/latest?include_deleted=true", None),
        ("c-old/versions/latest", Some("deprecated")),
        ("f-yanked/versions/1.0.0", Some("deprecated")),
    ] {
        for prefix in ["v0.1", "v0"] {
            let response = registry.get(&format!("/{prefix}/servers/dev.mpak.acme%2F{path}")).await;
            assert_eq!(response.status() == 200, status.is_some(), "{path}");
            let body: Value = response.json().await.unwrap();
            assert_eq!(body["_meta"][OFFICIAL]["status"].as_str(), status, "{path}: {body}");
        }
    }
    let path = "/v0.1/servers/dev.mpak.acme%2Fd-partly/versions";
    assert_eq!(registry.json(path).await["metadata"]["count"], 2);
    assert_eq!(registry.json(&format!("{path}?include_deleted=true")).await["metadata"]["count"], 3);
}

#[tokio::test]
async fn deleted_entries_are_listed_only_when_asked_for_and_the_cursor_passes_them_once() {
    let registry = fates().await;
    for limit in [1, 2, 3, 100] {
        let with = listed(&registry, "include_deleted=true", limit).await;
        let without = listed(&registry, "", limit).await;
        assert_eq!((with.len(), without.len()), (10, 7), "by {limit}");
        assert!(without.values().all(|entry| entry["status"] != "deleted"));
        assert_eq!(listed(&registry, "include_deleted=false", limit).await, without);
        let latest = listed(&registry, "version=latest&include_deleted=true", limit).await;
        assert_eq!(latest.values().filter(|entry| entry["status"] == "deleted").count(), 3, "{latest:?}");
        let found = listed(&registry, "include_deleted=true&search=b-gone", limit).await;
        assert_eq!(found.len(), 2, "{found:?}");
    }
}

#[tokio::test]
async fn whoever_asks_what_changed_learns_of_every_fate() {
    let registry = fates().await;
    for limit in [1, 100] {
        let changed = listed(&registry, "updated_since=2026-11-21T00:00:00Z", limit).await;
        let names: Vec<&str> = changed.keys().map(|key| key.trim_start_matches("dev.mpak.acme/")).collect();
        let expected = ["b-gone 1.0.0", "b-gone 1.1.0", "c-old 1.0.0", "d-partly 1.1.0", "f-yanked 1.0.0"];
        assert_eq!(names, expected, "by {limit}");
    }
    // Taken back, it changes again.
    registry.wait_ms(DAY_MS);
    ask(&registry, Method::DELETE, "@acme/f-yanked/versions/1.0.0/yank", json!({})).await;
    ask(&registry, Method::DELETE, "@acme/c-old/deprecation", json!({})).await;
    let changed = listed(&registry, "updated_since=2026-11-22T00:00:00Z", 100).await;
    let names: Vec<&str> = changed.keys().map(|key| key.trim_start_matches("dev.mpak.acme/")).collect();
    assert_eq!(names, ["c-old 1.0.0", "f-yanked 1.0.0"]);
    assert!(changed.values().all(|entry| told(entry) == ("active", None)), "{changed:?}");
}

#[tokio::test]
async fn a_former_name_leads_to_the_package_and_is_deleted_in_lists() {
    let registry = Registry::start().await;
    let ada = {
        let (config, clock) = (registry.config(), registry.clock());
        let made = move || mpak_registry::admin::person::add(&config, "ada", None, "admin", &clock).unwrap().token;
        tokio::task::spawn_blocking(made).await.unwrap()
    };
    publish(&registry, "@ada/notes", &["1.0.0", "1.1.0", "1.2.0"]).await;
    ask(&registry, Method::DELETE, "@ada/notes/versions/1.1.0", json!({"reason": "broken"})).await;
    let url = format!("{}/api/v1/packages/@ada/notes", registry.url);
    let add = registry.client.put(format!("{url}/owners/ada")).bearer_auth(&registry.token).send().await.unwrap();
    assert_eq!(add.status(), 200, "{}", add.text().await.unwrap());
    let wish = registry.client.post(format!("{url}/transfer")).bearer_auth(&ada);
    let wished = wish.json(&json!({"name": "@ada/journal"})).send().await.unwrap();
    assert_eq!(wished.status(), 200, "{}", wished.text().await.unwrap());
    registry.wait_ms(8 * DAY_MS);
    assert_eq!(registry.json("/api/v1/packages/@ada/notes").await["name"], "@ada/journal");
    publish(&registry, "@ada/journal", &["1.3.0"]).await;
    // 1. By its former names it is found, under the one that it has.
    for prefix in ["v1", "v0.1", "v0"] {
        for old in ["dev.mpak.ada%2Fnotes", "%40ada%2Fnotes"] {
            for path in ["", "/versions/latest", "/versions/1.0.0"] {
                let body = registry.json(&format!("/{prefix}/servers/{old}{path}")).await;
                let server = if prefix == "v1" { &body } else { &body["server"] };
                assert_eq!(server["name"], "dev.mpak.ada/journal", "{prefix} {old}{path}");
            }
            let versions = registry.json(&format!("/{prefix}/servers/{old}/versions")).await;
            assert!(versions.to_string().contains("1.3.0"), "{prefix} {old}: {versions}");
        }
    }
    // 2. Lists have the new name only; whoever mirrors us learns that the old one went, and where.
    let plain = listed(&registry, "", 1).await;
    let journal = |version: &str| format!("dev.mpak.ada/journal {version}");
    assert_eq!(plain.keys().cloned().collect::<Vec<_>>(), ["1.0.0", "1.2.0", "1.3.0"].map(journal));
    for query in ["include_deleted=true", "updated_since=2026-11-25T00:00:00Z"] {
        let all = listed(&registry, query, 2).await;
        for version in ["1.0.0", "1.2.0"] {
            let old = &all[&format!("dev.mpak.ada/notes {version}")];
            assert_eq!(told(old), ("deleted", Some("Renamed to @ada/journal.")), "{query}");
            assert_eq!(&old["statusChangedAt"].as_str().unwrap()[..10], "2026-11-28", "{query}: {old}");
        }
        assert!(!all.contains_key("dev.mpak.ada/notes 1.3.0"), "it never had that name: {all:?}");
        assert_eq!(told(&all[&journal("1.3.0")]).0, "active");
    }
    // 3. What was deleted before the rename, and after it, is told of.
    ask(&registry, Method::DELETE, "@ada/journal/versions/1.0.0", json!({"reason": "late"})).await;
    let all = listed(&registry, "include_deleted=true", 100).await;
    assert_eq!(told(&all["dev.mpak.ada/notes 1.1.0"]), ("deleted", Some("broken")));
    assert_eq!(told(&all[&journal("1.0.0")]), ("deleted", Some("late")), "{all:?}");
    let one = "/v0.1/servers/dev.mpak.ada%2Fjournal/versions/1.0.0";
    assert_eq!(registry.get(one).await.status(), 404);
    assert_eq!(told(&registry.json(&format!("{one}?include_deleted=true")).await["_meta"][OFFICIAL]).0, "deleted");
    registry.assert_agrees().await;
    // 4. Under the new name no version comes back that was deleted under the old one.
    let again = registry.put("@ada/journal", "1.1.0", "any", bundle("@ada/journal", "1.1.0")).send().await.unwrap();
    assert_eq!(again.json::<Value>().await.unwrap()["error"]["code"], "RETIRED");
    let shown = registry.json("/api/v1/packages/@ada/journal").await;
    let deleted: Vec<&Value> = shown["deleted"].as_array().unwrap().iter().map(|d| &d["version"]).collect();
    assert_eq!(deleted, [&json!("1.1.0"), &json!("1.0.0")], "{shown}");
}

#[tokio::test]
async fn all_versions_come_page_by_page() {
    let registry = Registry::start().await;
    let versions = ["1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0"];
    publish(&registry, "@acme/widget", &versions).await;
    ask(&registry, Method::DELETE, "@acme/widget/versions/1.1.0", json!({})).await;
    let path = "/v0.1/servers/dev.mpak.acme%2Fwidget/versions";
    for (limit, deleted, expect) in [
        (1, false, &["1.4.0", "1.3.0", "1.2.0", "1.0.0"][..]),
        (3, false, &["1.4.0", "1.3.0", "1.2.0", "1.0.0"]),
        (1_000, false, &["1.4.0", "1.3.0", "1.2.0", "1.0.0"]),
        (2, true, &["1.4.0", "1.3.0", "1.2.0", "1.0.0", "1.1.0"]),
    ] {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = registry.json(&format!("{path}?limit={limit}&include_deleted={deleted}{cursor}")).await;
            let entries = page["servers"].as_array().unwrap();
            found.extend(entries.iter().map(|entry| entry["server"]["version"].as_str().unwrap().to_owned()));
            let Some(next) = page["metadata"]["nextCursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(found, expect, "by {limit}");
    }
    for wrong in ["limit=0", "limit=1001", "limit=x", "cursor=x"] {
        assert_eq!(registry.get(&format!("{path}?{wrong}")).await.status(), 400, "{wrong}");
    }
}
