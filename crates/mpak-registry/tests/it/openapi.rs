//! The API's description and the page that shows it.

use serde_json::Value;

use crate::world::Registry;

/// Routes that programs ask for and that are not described: the same answer under another address.
const UNDESCRIBED: &[&str] = &["/v1/", "/v0", "/v0/", "/v0.1", "/v0.1/", "/v1/floor/{bytes}", "/openapi.json"];

#[tokio::test]
async fn the_description_is_openapi_3_1_and_tells_every_route() {
    let registry = Registry::start().await;
    let api = registry.json("/openapi.json").await;
    assert!(api["openapi"].as_str().unwrap().starts_with("3.1"), "{}", api["openapi"]);
    let paths = api["paths"].as_object().unwrap();
    for path in [
        "/health",
        "/ready",
        "/v1",
        "/v1/bundles/search",
        "/v1/bundles/{scope}/{name}/versions/{version}/download",
        "/v1/servers",
        "/v0.1/servers/{name}/versions/{version}",
        "/v0/servers",
        "/.well-known/mpak.json",
        "/blobs/sha256/{first}/{others}",
        "/api/v1/packages/{scope}/{name}/versions/{version}/artifacts/{platform}",
    ] {
        assert!(paths.contains_key(path), "{path}");
    }
    // What is routed by hand is a page, or listed above.
    let source = include_str!("../../src/router.rs");
    for route in source.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(UNDESCRIBED.contains(&route), "`{route}` is not described: route it with `routes!`");
    }
}

#[tokio::test]
async fn every_operation_tells_the_errors_of_its_family() {
    let registry = Registry::start().await;
    let api = registry.json("/openapi.json").await;
    for (path, item) in api["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values() {
            let servers =
                path == "/v1" || path.starts_with("/v0") || path.starts_with("/v1/servers") || path == "/v1/health";
            let schema = &operation["responses"]["429"]["content"]["application/json"]["schema"]["$ref"];
            let expect = if servers { "#/components/schemas/ErrorText" } else { "#/components/schemas/ErrorBody" };
            assert_eq!(schema, expect, "{path}");
        }
    }
    let put = &api["paths"]["/api/v1/packages/{scope}/{name}/versions/{version}/artifacts/{platform}"]["put"];
    assert!(put["responses"]["413"].is_object() && put["security"].is_array(), "{put}");
    assert_eq!(api["components"]["securitySchemes"]["token"]["scheme"], "bearer");
}

/// A schema with what it refers to in its place, once.
fn resolved<'a>(api: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(at) => api.pointer(at.trim_start_matches('#')).unwrap_or_else(|| panic!("{at} is not there")),
        None => schema,
    }
}

/// Whether a schema says what is in a value: members, items, or at least a type that has neither.
fn says_something(api: &Value, schema: &Value) -> bool {
    let schema = resolved(api, schema);
    let every = |all: &Value| all.as_array().is_some_and(|all| all.iter().all(|one| says_something(api, one)));
    if every(&schema["allOf"]) || every(&schema["oneOf"]) {
        return true;
    }
    match schema["type"].as_str() {
        Some("object") => schema["properties"].is_object() || schema["additionalProperties"].is_object(),
        Some("array") => says_something(api, &schema["items"]),
        Some(_) => true,
        None => false,
    }
}

#[tokio::test]
async fn every_answer_and_every_body_that_is_asked_for_has_a_schema() {
    let registry = Registry::start().await;
    let api = registry.json("/openapi.json").await;
    let (mut answers, mut bodies) = (0, 0);
    for (path, item) in api["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let told = |what: &str| format!("{method} {path}: {what}");
            for (status, answer) in operation["responses"].as_object().unwrap() {
                for (media_type, content) in answer["content"].as_object().into_iter().flatten() {
                    answers += 1;
                    // Bytes have a media type, and no schema in OpenAPI 3.1.
                    let is_bytes = media_type == "application/octet-stream";
                    assert!(is_bytes || says_something(&api, &content["schema"]), "{}", told(status));
                }
            }
            for (media_type, content) in operation["requestBody"]["content"].as_object().into_iter().flatten() {
                bodies += 1;
                let is_bytes = media_type == "application/octet-stream";
                assert!(is_bytes || says_something(&api, &content["schema"]), "{}", told(media_type));
            }
        }
    }
    assert!(answers > 300 && bodies > 10, "{answers} {bodies}");
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere() {
    let registry = Registry::start().await;
    let response = registry.get("/docs").await;
    assert_eq!(response.status(), 200);
    let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe-eval") && !policy.contains("http"), "{policy}");
    let html = response.text().await.unwrap();
    assert!(!html.contains("//"), "no address of others: {html}");
    let script = html.split("src=\"").nth(1).unwrap().split('"').next().unwrap();
    let response = registry.get(script).await;
    assert_eq!(response.headers()["content-type"], "text/javascript; charset=utf-8");
    assert!(response.headers()["cache-control"].to_str().unwrap().contains("immutable"));
    assert!(response.text().await.unwrap().contains("RapiDoc"));
    let moved = registry.get("/docs/json").await;
    assert_eq!(moved.url().path(), "/openapi.json", "where existing tools look");
    assert!(moved.json::<Value>().await.unwrap()["openapi"].is_string());
}
