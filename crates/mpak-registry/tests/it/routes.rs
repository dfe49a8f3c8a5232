//! The whole route table: what the API's description lists, and the pages, which it does not.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;

use crate::world::Registry;

/// All routes with their methods. A route of the API that is not described is found in the sources.
pub(crate) async fn table(registry: &Registry) -> BTreeSet<(String, String)> {
    let request = registry.client.get(format!("{}/openapi.json", registry.url)).bearer_auth(&registry.token);
    let described: Value = request.send().await.unwrap().json().await.unwrap();
    let mut found = BTreeSet::new();
    for (path, operations) in described["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys().filter(|m| *m != "parameters") {
            found.insert((method.to_uppercase(), path.clone()));
        }
    }
    assert!(found.len() > 35, "{found:?}");
    for source in [include_str!("../../src/router.rs"), include_str!("../../src/web.rs")] {
        for line in source.split(".route(").skip(1) {
            let line = line.trim_start();
            let path = line.strip_prefix('"').unwrap_or_else(|| panic!("a route that this test cannot read: {line}"));
            let path = path.split('"').next().unwrap();
            let route = line.split("\n        .").next().unwrap();
            for word in ["get", "post", "put", "delete", "patch"] {
                if route.contains(&format!("{word}(")) {
                    found.insert((word.to_uppercase(), path.to_owned()));
                }
            }
        }
    }
    // Only where the registry is its own benchmark's floor.
    found.retain(|(_, path)| !path.starts_with("/v1/floor"));
    assert!(found.len() > 60, "{found:?}");
    found
}

/// The routes that are read.
pub(crate) async fn reads(registry: &Registry) -> BTreeSet<String> {
    table(registry).await.into_iter().filter(|(method, _)| method == "GET").map(|(_, path)| path).collect()
}

/// The routes that change something, with something in their parameters.
pub(crate) async fn writes(registry: &Registry) -> Vec<(Method, String)> {
    let changing = table(registry).await.into_iter().filter(|(method, _)| method != "GET");
    changing.map(|(method, path)| (method.parse().unwrap(), filled(&path))).collect()
}

/// A route with parameters that name something of the private scope.
pub(crate) fn filled(path: &str) -> String {
    let values = [
        ("{scope}", "@secret"),
        ("{name}", "thing"),
        ("{file}", "thing.json"),
        ("{version}", "1.0.0"),
        ("{platform}", "any"),
        ("{id}", "1"),
    ];
    values.iter().fold(path.to_owned(), |path, (name, value)| path.replace(name, value))
}
