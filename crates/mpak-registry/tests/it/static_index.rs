//! The static index: found from one well-known address, canonical, enough to resolve and download.

use std::path::PathBuf;
use std::time::Duration;

use mpak_bundle::digest::Sha256;
use mpak_registry::config::Reads;
use serde_json::{Value, json};

use crate::world::{Registry, bundle, bundle_with, checklist};

#[tokio::test]
async fn the_well_known_file_leads_to_packages_and_blobs() {
    let registry = checklist().await;
    let root = registry.json("/.well-known/mpak.json").await;
    assert_eq!(root["version"], 1);
    assert_eq!(root["registry"], registry.url);
    let index = format!("{}/@acme/widget.json", root["index"].as_str().unwrap());
    let package: Value = registry.client.get(index).send().await.unwrap().json().await.unwrap();
    let sha256 = package["versions"][0]["artifacts"][0]["sha256"].as_str().unwrap();
    let blob = format!("{}/sha256/{}/{}", root["blobs"].as_str().unwrap(), &sha256[..2], &sha256[2..]);
    let bytes = registry.client.get(blob).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(Sha256::of(&bytes).to_string(), sha256);
}

#[tokio::test]
async fn a_package_file_lists_versions_ascending_in_canonical_json() {
    let registry = checklist().await;
    let response = registry.get("/index/v1/@acme/widget.json").await;
    assert_eq!(response.headers()["content-type"], "application/json");
    let etag = response.headers()["etag"].clone();
    let text = response.text().await.unwrap();
    assert!(text.starts_with(
        r#"{"deprecated":null,"latest":"1.1.0","name":"@acme/widget","versions":[{"artifacts":[{"arch":"#
    ));
    let body: Value = serde_json::from_str(&text).unwrap();
    let versions: Vec<_> = body["versions"].as_array().unwrap().iter().map(|v| v["version"].clone()).collect();
    assert_eq!(versions, ["1.0.0", "1.1.0", "2.0.0-beta.1"]);
    let first = &body["versions"][0];
    assert_eq!((&first["yanked"], &first["level"], &first["score"]), (&json!(false), &json!(null), &json!(null)));
    assert!(first["event"].as_i64().unwrap() < body["versions"][1]["event"].as_i64().unwrap());
    let url = format!("{}/index/v1/@acme/widget.json", registry.url);
    let again = registry.client.get(url).header("if-none-match", etag).send().await.unwrap();
    assert_eq!(again.status(), 304);
    for missing in ["@acme/none.json", "@acme/widget", "acme/widget.json"] {
        assert_eq!(registry.get(&format!("/index/v1/{missing}")).await.status(), 404, "{missing}");
    }
}

/// One is made of what is in memory, the other of the database.
#[tokio::test]
async fn the_file_has_the_bytes_of_the_answer() {
    let registry = checklist().await;
    let name = "@acme/widget";
    registry.publish(name, "2.0.0", "linux-x64", &bundle(name, "2.0.0")).await;
    registry.publish(name, "2.0.0", "darwin-arm64", &bundle_with(name, "2.0.0", "more", b"x")).await;
    let url = |what: &str| format!("{}/api/v1/packages/{name}/{what}", registry.url);
    for (what, body) in [
        ("versions/1.0.0/yank", json!({"reason": "leaks \"kéys\"\n"})),
        ("deprecation", json!({"message": "old, \"é\"", "replacement": "@acme/other"})),
    ] {
        let asked = registry.client.put(url(what)).bearer_auth(&registry.token).json(&body);
        assert_eq!(asked.send().await.unwrap().status(), 200, "{what}");
    }
    let answer = registry.get(&format!("/index/v1/{name}.json")).await.text().await.unwrap();
    let body: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((&body["deprecated"]["replacement"], &body["latest"]), (&json!("@acme/other"), &json!("2.0.0")));
    let last = body["versions"].as_array().unwrap().iter().find(|v| v["version"] == "2.0.0").unwrap();
    assert_eq!(last["artifacts"].as_array().unwrap().len(), 2);
    let path = file(&registry, name);
    let is_same = || std::fs::read_to_string(&path).is_ok_and(|text| text == answer);
    assert!(until(is_same).await, "{answer}\n{}", std::fs::read_to_string(&path).unwrap());
}

/// Files have no gate: whoever serves them serves everybody.
#[tokio::test]
async fn files_tell_nothing_of_private_scopes_however_they_are_written() {
    let registry = Registry::start_with(|c| {
        c.access.private_scopes = vec!["@secret".to_owned(), "INNER".to_owned()];
    })
    .await;
    for name in ["@secret/a", "@inner/a", "@open/a"] {
        registry.publish(name, "1.0.0", "any", &bundle(name, "1.0.0")).await;
    }
    let file = |name: &str| file(&registry, name);
    assert!(until(|| file("@open/a").exists()).await);
    for name in ["@secret/a", "@inner/a"] {
        assert!(!file(name).exists(), "{name}");
        assert_eq!(
            registry.client.get(format!("{}/index/v1/{name}.json", registry.url)).send().await.unwrap().status(),
            404
        );
    }
}

fn file(registry: &Registry, name: &str) -> PathBuf {
    registry.data().join(format!("public/index/v1/{name}.json"))
}

/// Waits until something is so, for five seconds.
async fn until(mut holds: impl FnMut() -> bool) -> bool {
    for _ in 0..100 {
        if holds() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

/// Nothing happens in the registry but its restart: the files follow its configuration, too.
#[tokio::test]
async fn a_scope_that_becomes_private_loses_its_files_and_gets_them_back() {
    let mut registry = Registry::start().await;
    for name in ["@secret/a", "@open/a"] {
        registry.publish(name, "1.0.0", "any", &bundle(name, "1.0.0")).await;
    }
    assert!(until(|| file(&registry, "@secret/a").exists() && file(&registry, "@open/a").exists()).await);
    registry.change_for_next_start(|c| c.access.private_scopes = vec!["@secret".to_owned()]);
    registry.restart().await;
    assert!(until(|| !file(&registry, "@secret/a").exists()).await, "the file of a private package is gone");
    assert!(file(&registry, "@open/a").exists(), "others stay");
    registry.change_for_next_start(|c| c.access.reads = Reads::Private);
    registry.restart().await;
    assert!(until(|| !file(&registry, "@open/a").exists()).await, "a private registry has no files");
    registry.change_for_next_start(|_| {});
    registry.restart().await;
    assert!(until(|| file(&registry, "@secret/a").exists() && file(&registry, "@open/a").exists()).await);
}
