//! Search by words: everything a package says about itself, prefixes, typos, order.

use serde_json::{Value, json};

use crate::world::{Registry, bundle_of, checklist, manifest};

async fn found(registry: &Registry, query: &str) -> Vec<String> {
    let body = registry.json(&format!("/v1/bundles/search?q={query}")).await;
    let names = body["bundles"].as_array().unwrap().iter().map(|b| b["name"].as_str().unwrap().to_owned());
    let names: Vec<String> = names.collect();
    assert_eq!(body["total"], names.len(), "{query}");
    names
}

#[tokio::test]
async fn all_texts_of_a_package_are_searched() {
    let registry = checklist().await;
    for query in [
        "widget",
        "wid",
        "works",
        "sprockets",
        "sprocket",
        "cogwheel",
        "lovelace",
        "turnSprocket",
        "turns",
        "idget",
        "widgte",
        "cogwhel",
        "widget+works",
        "@acme/widget",
        "ACME%2FWIDGET",
        "100%25",
        "sprocket+machine",
    ] {
        assert_eq!(found(&registry, query).await, ["@acme/widget"], "{query}");
    }
    for query in ["nothing", "zzz", "%25%25", "wgt", "."] {
        let expect: &[&str] = if query == "." { &["@acme/gadget", "@acme/widget"] } else { &[] };
        let mut names = found(&registry, query).await;
        names.sort();
        assert_eq!(names, expect, "{query}");
    }
}

#[tokio::test]
async fn the_best_match_comes_first_where_that_is_asked_for() {
    let registry = Registry::start().await;
    for (name, description) in [
        ("@a/aaa", "Talks to a postgres database."),
        ("@a/postgres", "Queries."),
        ("@a/postgres-backup", "Backups."),
        ("@a/zzz", "Something else."),
    ] {
        let mut manifest = manifest(name, "1.0.0");
        manifest["description"] = description.into();
        registry.publish(name, "1.0.0", "any", &bundle_of(&manifest)).await;
    }
    let best_first = ["@a/postgres", "@a/postgres-backup", "@a/aaa"];
    assert_eq!(found(&registry, "postgres&sort=relevance").await, best_first);
    assert_eq!(found(&registry, "postgres&sort=name").await, ["@a/aaa", "@a/postgres", "@a/postgres-backup"]);
    registry.json("/v1/bundles/@a/aaa/versions/1.0.0/download").await;
    // Row 1.3.1 of the wire's contract: who says nothing gets the most downloaded first.
    for query in ["postgres&sort=downloads", "postgres"] {
        assert_eq!(found(&registry, query).await[0], "@a/aaa", "{query}");
    }
    assert_eq!(found(&registry, "postgres&sort=relevance").await, best_first);
}

#[tokio::test]
async fn search_shows_what_the_latest_version_says() {
    let mut registry = Registry::start().await;
    let with = |version: &str, keyword: &str| {
        let mut manifest = manifest("@acme/widget", version);
        manifest["keywords"] = json!([keyword]);
        bundle_of(&manifest)
    };
    registry.publish("@acme/widget", "1.0.0", "any", &with("1.0.0", "bicycle")).await;
    assert_eq!(found(&registry, "bicycle").await.len(), 1);
    registry.publish("@acme/widget", "2.0.0", "any", &with("2.0.0", "airplane")).await;
    registry.publish("@acme/widget", "3.0.0-rc.1", "any", &with("3.0.0-rc.1", "rocket")).await;
    for _ in 0..2 {
        assert_eq!(found(&registry, "airplane").await.len(), 1);
        assert_eq!(found(&registry, "bicycle").await.len(), 0);
        assert_eq!(found(&registry, "rocket").await.len(), 0);
        registry.restart().await;
    }
}

#[tokio::test]
async fn hostile_queries_are_answered() {
    let registry = checklist().await;
    let long = "w".repeat(200);
    let many = ["a"; 100].join("+");
    for query in ["%00", "%FF%FE", "%22OR%22", "name%3Awidget", "%28%28%28", "-", "%2B", "*", "~", &long, &many] {
        let response = registry.get(&format!("/v1/bundles/search?q={query}")).await;
        assert_eq!(response.status(), 200, "{query}");
        let _: Value = response.json().await.unwrap();
    }
}
