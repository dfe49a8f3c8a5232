//! The whole route table: what the API's description lists, and the pages, which it does not.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;

use crate::world::{Registry, checklist};

/// Of every answer, whether it has a body or not.
const HEADERS: &[&str] = &["content-type", "content-length", "cache-control", "etag", "location", "vary", "link"];
/// What pages of others may ask for, and by which methods.
const PUBLIC: &[(&str, &str)] = &[
    ("/v1/bundles", "GET, HEAD, POST"),
    ("/v1", "GET, HEAD"),
    ("/v0", "GET, HEAD"),
    ("/blobs/", "GET, HEAD"),
    ("/index/", "GET, HEAD"),
    ("/.well-known/", "GET, HEAD"),
    ("/health", "GET, HEAD"),
    ("/openapi.json", "GET, HEAD"),
];

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

/// A route with parameters that name something that is there.
async fn there(registry: &Registry, route: &str) -> String {
    let artifact = registry.json("/v1/bundles/@acme/widget/versions/1.0.0").await["artifacts"][0].clone();
    let digest = artifact["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap().to_owned();
    let id = if route.starts_with("/controls") { "CQ-01" } else { "1" };
    let name = if route.contains("/servers/") { "%40acme%2Fwidget" } else { "widget" };
    let values = [
        ("{scope}", "@acme"),
        ("{name}", name),
        ("{file}", "widget.json"),
        ("{version}", "1.0.0"),
        ("{platform}", "any"),
        ("{id}", id),
        ("{first}", &digest[..2]),
        ("{others}", &digest[2..]),
    ];
    values.iter().fold(route.to_owned(), |path, (name, value)| path.replace(name, value))
}

#[tokio::test]
async fn every_route_that_is_read_answers_head_with_the_same_head_and_no_body() {
    let registry = checklist().await;
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let (mut found, all) = (0, reads(&registry).await);
    for route in &all {
        let url = format!("{}{}", registry.url, there(&registry, route).await);
        for accept in ["application/json", "text/html"] {
            let ask = |method| client.request(method, &url).bearer_auth(&registry.token).header("accept", accept);
            let get = ask(Method::GET).send().await.unwrap();
            let head = ask(Method::HEAD).send().await.unwrap();
            let told = format!("{route} {accept}");
            assert_eq!(head.status(), get.status(), "{told}");
            for name in HEADERS {
                assert_eq!(head.headers().get(*name), get.headers().get(*name), "{told}: {name}");
            }
            found += usize::from(get.status().is_success());
            assert!(head.bytes().await.unwrap().is_empty(), "{told}");
        }
    }
    assert!(found > all.len(), "of {} routes asked in two ways, {found} were found", all.len());
}

#[tokio::test]
async fn pages_of_others_may_ask_for_what_is_public_and_for_nothing_else() {
    let registry = checklist().await;
    let paths: BTreeSet<String> = table(&registry).await.into_iter().map(|(_, path)| path).collect();
    let (mut public, mut ours) = (0, 0);
    for route in paths {
        let url = format!("{}{}", registry.url, there(&registry, &route).await);
        let asked = registry.client.request(Method::OPTIONS, &url).header("origin", "https://page.example");
        let answer = asked.header("access-control-request-method", "GET").send().await.unwrap();
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap());
        if let Some((_, methods)) = PUBLIC.iter().find(|(prefix, _)| route.starts_with(prefix)) {
            public += 1;
            assert_eq!(answer.status(), 204, "{route}");
            assert_eq!(header("access-control-allow-origin"), Some("*"), "{route}");
            assert_eq!(header("access-control-allow-methods"), Some(*methods), "{route}");
            // No page gets to use what the browser knows of its person.
            assert_eq!(header("access-control-allow-credentials"), None, "{route}");
        } else {
            ours += 1;
            let told = ["access-control-allow-origin", "access-control-allow-methods"].map(header);
            assert_eq!((answer.status().is_success(), told), (false, [None, None]), "{route}");
        }
    }
    assert!(public > 25 && ours > 25, "{public} {ours}");
}
