//! The checklist of the read API, row by row. Row A31 stands in `counts`, A34 and more of A36 in
//! `compat::badge`, A38 in `scans`, A43 in `rates`.

use mpak_bundle::digest::Sha256;
use serde_json::{Value, json};

use crate::world::{Registry, bundle, checklist};

const WIDGET: &str = "/v1/bundles/@acme/widget";

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

fn names(search: &Value) -> Vec<&str> {
    search["bundles"].as_array().unwrap().iter().map(|b| b["name"].as_str().unwrap()).collect()
}

async fn error(registry: &Registry, path: &str, status: u16) -> Value {
    let response = registry.client.get(format!("{}{path}", registry.url)).header("accept", "application/json");
    let response = response.send().await.unwrap();
    assert_eq!(response.status(), status, "{path}");
    response.json().await.unwrap()
}

#[tokio::test]
async fn a1_health_says_ok_and_when() {
    let registry = Registry::start().await;
    let body = registry.json("/health").await;
    assert_eq!(body["status"], "ok");
    let timestamp = body["timestamp"].as_str().unwrap();
    assert!(timestamp.starts_with("2026-11-20T09:00:00.") && timestamp.ends_with('Z'), "{timestamp}");
}

#[tokio::test]
async fn a2_search_has_the_documented_members_and_cache_policy() {
    let registry = checklist().await;
    let response = registry.get("/v1/bundles/search").await;
    assert_eq!(response.headers()["cache-control"], "public, max-age=60, s-maxage=300");
    assert_eq!(response.headers()["content-type"], "application/json; charset=utf-8");
    let body: Value = response.json().await.unwrap();
    assert_eq!(keys(&body), ["bundles", "pagination", "total"]);
    assert_eq!(body["pagination"], json!({"limit": 20, "offset": 0, "has_more": false}));
    let widget = body["bundles"].as_array().unwrap().iter().find(|b| b["name"] == "@acme/widget").unwrap();
    assert_eq!(
        keys(widget),
        [
            "author",
            "certification_level",
            "description",
            "display_name",
            "downloads",
            "icon",
            "latest_version",
            "name",
            "provenance",
            "published_at",
            "server_type",
            "tools",
            "verified"
        ]
    );
    assert_eq!(widget["latest_version"], "1.1.0");
    assert_eq!(widget["author"], json!({"name": "Ada Lovelace"}));
    assert_eq!(widget["tools"], json!([{"name": "turnSprocket", "description": "Turns it"}, {"name": "stop"}]));
    assert_eq!(widget["certification_level"], Value::Null);
}

#[tokio::test]
async fn a3_a_page_of_one_says_that_there_is_more() {
    let registry = checklist().await;
    for (query, count, more) in [("limit=1", 1, true), ("limit=1&offset=1", 1, false), ("offset=9", 0, false)] {
        let body = registry.json(&format!("/v1/bundles/search?{query}")).await;
        assert_eq!(body["bundles"].as_array().unwrap().len(), count, "{query}");
        assert_eq!(body["pagination"]["has_more"], more, "{query}");
        assert_eq!(body["total"], 2);
    }
}

#[tokio::test]
async fn a4_each_broken_parameter_is_listed() {
    let registry = Registry::start().await;
    let long = format!("q={}", "x".repeat(201));
    for query in
        ["limit=0", "limit=101", "limit=abc", "limit=-1", "limit=", "offset=-1", "sort=zzz", "type=go", long.as_str()]
    {
        let body = error(&registry, &format!("/v1/bundles/search?{query}"), 422).await;
        assert_eq!(body["error"]["code"], "VALIDATION_ERROR", "{query}");
        assert_eq!(body["error"]["message"], "Request validation failed");
        let violations = body["error"]["details"]["validation"].as_array().unwrap();
        assert_eq!(violations.len(), 1, "{query}");
        assert_eq!(keys(&violations[0]), ["instancePath", "keyword", "message", "params", "schemaPath"]);
    }
    let both = error(&registry, "/v1/bundles/search?limit=0&sort=zzz", 422).await;
    assert_eq!(both["error"]["details"]["validation"].as_array().unwrap().len(), 2);
    let fits = format!("/v1/bundles/search?q={}", "%C3%A4".repeat(200));
    assert_eq!(registry.json(&fits).await["total"], 0, "200 characters, not bytes");
}

#[tokio::test]
async fn a5_search_ignores_case() {
    let registry = checklist().await;
    assert_eq!(names(&registry.json("/v1/bundles/search?q=WIDG").await), ["@acme/widget"]);
}

#[tokio::test]
async fn a6_percent_and_underscore_are_literal() {
    let registry = checklist().await;
    assert_eq!(names(&registry.json("/v1/bundles/search?q=%25").await), ["@acme/widget"], "its description has one");
    assert_eq!(registry.json("/v1/bundles/search?q=_").await["total"], 0);
    assert_eq!(registry.json("/v1/bundles/search?q=w%25t").await["total"], 0);
}

#[tokio::test]
async fn a7_results_are_sorted_as_asked() {
    let registry = checklist().await;
    assert_eq!(names(&registry.json("/v1/bundles/search?sort=name").await), ["@acme/gadget", "@acme/widget"]);
    assert_eq!(names(&registry.json("/v1/bundles/search?sort=recent").await), ["@acme/gadget", "@acme/widget"]);
    registry.json(&format!("{WIDGET}/versions/1.0.0/download")).await;
    for query in ["?sort=downloads", "", "?q=acme"] {
        let body = registry.json(&format!("/v1/bundles/search{query}")).await;
        assert_eq!(names(&body), ["@acme/widget", "@acme/gadget"], "{query}");
    }
}

#[tokio::test]
async fn a8_type_filters_and_unknown_parameters_do_not() {
    let registry = checklist().await;
    let path = "/v1/bundles/search?type=node&unknown=1&q=";
    assert_eq!(names(&registry.json(path).await), ["@acme/widget"]);
}

#[tokio::test]
async fn a9_detail_has_all_documented_members() {
    let registry = checklist().await;
    let response = registry.get(WIDGET).await;
    assert_eq!(response.headers()["cache-control"], "public, max-age=60, s-maxage=300");
    let body: Value = response.json().await.unwrap();
    assert_eq!(
        keys(&body),
        [
            "author",
            "certification",
            "certification_level",
            "description",
            "display_name",
            "downloads",
            "homepage",
            "icon",
            "latest_version",
            "license",
            "name",
            "provenance",
            "published_at",
            "server_type",
            "tools",
            "verified",
            "versions"
        ]
    );
    assert_eq!(body["license"], "MIT");
    assert_eq!(body["homepage"], "https://widget.example/");
    let versions: Vec<_> = body["versions"].as_array().unwrap().iter().map(|v| v["version"].clone()).collect();
    assert_eq!(versions, ["2.0.0-beta.1", "1.1.0", "1.0.0"], "newest published first");
    assert_eq!(keys(&body["versions"][0]), ["downloads", "published_at", "version"]);
    assert_eq!(body["published_at"], body["versions"][2]["published_at"], "the package's first publish");
    let found = registry.json("/v1/bundles/search?q=widget").await;
    assert_eq!(found["bundles"][0]["published_at"], body["versions"][1]["published_at"], "the latest version's");
}

#[tokio::test]
async fn a10_a_missing_package_is_not_found() {
    let registry = checklist().await;
    for name in ["@acme/none", "@acme/Widget", "@acme/a%00b", "@acme/..%2f"] {
        let body = error(&registry, &format!("/v1/bundles/{name}"), 404).await;
        assert_eq!(body, json!({"error": {"code": "NOT_FOUND", "message": "Bundle not found"}}), "{name}");
    }
}

#[tokio::test]
async fn a11_an_unscoped_name_is_not_found() {
    let registry = checklist().await;
    error(&registry, "/v1/bundles/foo", 404).await;
    error(&registry, "/v1/bundles/foo/bar", 404).await;
    error(&registry, "/v1/bundles/@acme%2Fwidget", 404).await;
    error(&registry, "/v1/bundles/@acme/widget/", 404).await;
}

#[tokio::test]
async fn a12_every_get_answers_head_with_the_same_headers() {
    let registry = checklist().await;
    let download = format!("{WIDGET}/versions/1.0.0/download");
    let index = format!("{WIDGET}/index.json");
    for path in ["/health", "/v1/bundles/search", WIDGET, &index, &download] {
        let get = registry.get(path).await;
        let head = registry.client.head(format!("{}{path}", registry.url)).send().await.unwrap();
        assert_eq!(head.status(), 200, "{path}");
        for name in ["content-type", "content-length", "cache-control", "etag"] {
            assert_eq!(head.headers().get(name), get.headers().get(name), "{path}: {name}");
        }
        assert!(head.bytes().await.unwrap().is_empty(), "{path}");
    }
}

#[tokio::test]
async fn a13_versions_tell_their_platforms() {
    let registry = checklist().await;
    let body = registry.json(&format!("{WIDGET}/versions")).await;
    assert_eq!((&body["name"], &body["latest"]), (&json!("@acme/widget"), &json!("1.1.0")));
    let oldest = &body["versions"][2];
    assert_eq!(oldest["version"], "1.0.0");
    assert_eq!(oldest["artifacts_count"], 2);
    assert_eq!(oldest["platforms"], json!([{"os": "linux", "arch": "x64"}, {"os": "any", "arch": "any"}]));
    assert_eq!(oldest["publish_method"], "upload");
    assert_eq!(oldest["provenance"], Value::Null);
    error(&registry, "/v1/bundles/@acme/none/versions", 404).await;
}

#[tokio::test]
async fn a14_a_version_has_its_artifacts_and_manifest() {
    let registry = checklist().await;
    let body = registry.json(&format!("{WIDGET}/versions/1.0.0")).await;
    assert_eq!(
        keys(&body),
        ["artifacts", "downloads", "manifest", "name", "provenance", "publish_method", "published_at", "version"]
    );
    assert_eq!(body["manifest"]["name"], "widget");
    assert_eq!(body["manifest"]["keywords"], json!(["cogwheel"]));
    for artifact in body["artifacts"].as_array().unwrap() {
        assert_eq!(keys(artifact), ["digest", "download_url", "platform", "size"]);
        let digest: Sha256 = artifact["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap().parse().unwrap();
        let response = registry.client.get(artifact["download_url"].as_str().unwrap()).send().await.unwrap();
        let bytes = response.bytes().await.unwrap();
        assert_eq!(Sha256::of(&bytes), digest);
        assert_eq!(bytes.len() as u64, artifact["size"].as_u64().unwrap());
    }
}

#[tokio::test]
async fn a15_a16_an_unknown_version_is_not_found_and_latest_is_none() {
    let registry = checklist().await;
    for version in ["9.9.9", "latest", "v1.0.0", "1.0"] {
        let body = error(&registry, &format!("{WIDGET}/versions/{version}"), 404).await;
        assert_eq!(body["error"]["message"], "Version not found", "{version}");
    }
    let body = error(&registry, "/v1/bundles/@acme/none/versions/1.0.0", 404).await;
    assert_eq!(body["error"]["message"], "Bundle not found");
}

#[tokio::test]
async fn a17_download_json_has_exactly_the_documented_members() {
    let registry = checklist().await;
    let body = registry.json(&format!("{WIDGET}/versions/1.0.0/download")).await;
    assert_eq!(keys(&body), ["bundle", "expires_at", "url"]);
    assert_eq!(keys(&body["bundle"]), ["name", "platform", "sha256", "size", "version"]);
    assert_eq!(body["bundle"]["platform"], json!({"os": "any", "arch": "any"}));
    assert_eq!(body["bundle"]["name"], "@acme/widget");
    assert_eq!(body["bundle"]["version"], "1.0.0");
    let sha256 = body["bundle"]["sha256"].as_str().unwrap();
    assert!(sha256.len() == 64 && sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{sha256}");
    assert!(body["bundle"]["size"].is_u64());
}

#[tokio::test]
async fn a18_to_a25_the_fitting_artifact_is_chosen_in_order() {
    let registry = checklist().await;
    for (version, query, expect) in [
        ("1.0.0", "os=linux&arch=x64", Ok(("linux", "x64"))),
        ("1.0.0", "os=darwin&arch=arm64", Ok(("any", "any"))),
        ("1.1.0", "os=linux&arch=arm64", Ok(("linux", "any"))),
        ("1.1.0", "os=darwin&arch=arm64", Err(404)),
        ("1.1.0", "", Err(404)),
        ("1.0.0", "os=linux", Err(400)),
        ("1.0.0", "arch=x64", Err(400)),
        ("1.0.0", "os=freebsd&arch=x64", Err(422)),
        ("1.0.0", "os=linux&arch=mips", Err(422)),
        ("1.0.0", "os=any&arch=any", Ok(("any", "any"))),
        ("9.9.9", "", Err(404)),
    ] {
        let path = format!("{WIDGET}/versions/{version}/download?{query}");
        match expect {
            Ok((os, arch)) => {
                assert_eq!(registry.json(&path).await["bundle"]["platform"], json!({"os": os, "arch": arch}), "{path}");
            }
            Err(status) => {
                let message = error(&registry, &path, status).await["error"]["message"].clone();
                let expect = match (status, version) {
                    (400, _) => "Both os and arch are required when specifying platform",
                    (422, _) => "Request validation failed",
                    (_, "9.9.9") => "Version not found",
                    _ => "No artifact found for the requested platform",
                };
                assert_eq!(message, expect, "{path}");
            }
        }
    }
}

#[tokio::test]
async fn a26_latest_resolves_to_the_highest_stable_version() {
    let registry = checklist().await;
    let body = registry.json(&format!("{WIDGET}/versions/latest/download?os=linux&arch=x64")).await;
    assert_eq!(body["bundle"]["version"], "1.1.0");
}

#[tokio::test]
async fn a27_without_accept_json_the_bytes_come_as_a_file() {
    let registry = checklist().await;
    let path = format!("{WIDGET}/versions/latest/download?os=linux&arch=x64");
    let response = registry.get(&path).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-disposition"], "attachment; filename=\"widget-1.1.0.mcpb\"");
    assert_eq!(response.headers()["content-type"], "application/octet-stream");
    let expect = registry.json(&path).await;
    assert_eq!(Sha256::of(&response.bytes().await.unwrap()).to_string(), expect["bundle"]["sha256"].as_str().unwrap());
}

#[tokio::test]
async fn a28_accept_is_read_by_substring() {
    let registry = checklist().await;
    let request = registry.client.get(format!("{}{WIDGET}/versions/1.0.0/download", registry.url));
    let response = request.header("accept", "text/html, application/json;q=0.1").send().await.unwrap();
    assert!(response.json::<Value>().await.unwrap()["url"].is_string());
}

#[tokio::test]
async fn a29_a30_the_url_is_absolute_and_gives_the_bytes_for_any_accept() {
    let registry = checklist().await;
    let body = registry.json(&format!("{WIDGET}/versions/1.0.0/download")).await;
    let url = body["url"].as_str().unwrap();
    assert!(url.starts_with(&registry.url), "{url}");
    for accept in ["application/json", "*/*", "text/html"] {
        let request = registry.client.get(url).header("accept", accept).header("accept-encoding", "gzip, deflate");
        let response = request.send().await.unwrap();
        assert_eq!(response.headers().get("content-encoding"), None);
        assert_eq!(response.headers()["content-length"], body["bundle"]["size"].to_string().as_str());
        let bytes = response.bytes().await.unwrap();
        assert_eq!(Sha256::of(&bytes).to_string(), body["bundle"]["sha256"].as_str().unwrap());
    }
}

#[tokio::test]
async fn a32_the_static_index_names_digests_and_urls() {
    let registry = checklist().await;
    let response = registry.get("/v1/bundles/@acme/gadget/index.json").await;
    let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(content_type, "application/vnd.mcp.bundle.index.v0.1+json; charset=utf-8");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["index_version"], "0.1");
    assert_eq!(body["mimeType"], "application/vnd.mcp.bundle.index.v0.1+json");
    assert_eq!((&body["name"], &body["version"]), (&json!("@acme/gadget"), &json!("0.1.0")));
    assert_eq!(body["annotations"], json!({"dev.mpak.provenance.provider": "upload"}));
    let bundle = &body["bundles"][0];
    assert_eq!(bundle["mimeType"], "application/vnd.mcp.bundle.v0.3+gzip");
    let url = bundle["urls"][0].as_str().unwrap();
    let bytes = registry.client.get(url).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(Sha256::of(&bytes).prefixed(), bundle["digest"].as_str().unwrap());
}

#[tokio::test]
async fn a33_a35_the_badge_shows_the_latest_version() {
    let registry = checklist().await;
    let response = registry.get(&format!("{WIDGET}/badge.svg?type=downloads")).await;
    assert_eq!(response.headers()["content-type"], "image/svg+xml");
    assert_eq!(response.headers()["cache-control"], "max-age=300, s-maxage=3600");
    let svg = response.text().await.unwrap();
    assert!(svg.contains("v1.1.0") && svg.starts_with("<svg"), "{svg}");
    let missing = error(&registry, "/v1/bundles/@acme/none/badge.svg", 404).await;
    assert_eq!(missing["error"]["code"], "NOT_FOUND");
}

#[tokio::test]
async fn a37_a39_security_without_a_scan_is_pending() {
    let registry = checklist().await;
    let body = registry.json(&format!("{WIDGET}/security")).await;
    let expect = json!({"risk_score": null, "status": "pending", "scanned_at": null, "summary": null, "scans": null});
    assert_eq!(body, expect);
    let body = error(&registry, "/v1/bundles/@acme/none/security", 404).await;
    assert_eq!(body["error"]["message"], "Package @acme/none not found");
}

#[tokio::test]
async fn a36_the_badge_of_odd_versions_is_well_formed() {
    let registry = Registry::start().await;
    let version = "1.0.0-rc.1+build.7";
    registry.publish("@acme/odd", "1.0.0-rc.1%2Bbuild.7", "any", &bundle("@acme/odd", version)).await;
    let svg = registry.get("/v1/bundles/@acme/odd/badge.svg").await.text().await.unwrap();
    assert!(svg.contains("mpak: v1.0.0-rc.1"), "{svg}");
    // Hostile versions cannot be published; the badge's own tests draw them: `compat::badge`.
    let hostile = registry.put("@acme/odd", "1%3Cscript%3E", "any", bundle("@acme/odd", version)).send().await.unwrap();
    assert_eq!(hostile.status(), 422);
}

#[tokio::test]
async fn a40_existing_clients_need_no_deprecation_headers() {
    let registry = checklist().await;
    let response = registry.get(WIDGET).await;
    assert_eq!(response.status(), 200);
    // `/v1/bundles` is not deprecated here, and nothing says that it is.
    assert!(response.headers().get("deprecation").is_none() && response.headers().get("link").is_none());
}

#[tokio::test]
async fn a41_any_page_may_read() {
    let registry = checklist().await;
    let url = format!("{}/v1/bundles/announce", registry.url);
    for method in [None, Some("POST")] {
        let request = registry.client.request(reqwest::Method::OPTIONS, &url).header("origin", "https://page.example");
        let request = method.into_iter().fold(request, |r, method| r.header("access-control-request-method", method));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 204, "{method:?}");
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
        assert!(response.headers()["access-control-allow-methods"].to_str().unwrap().contains("POST"), "{method:?}");
    }
    assert_eq!(registry.get(WIDGET).await.headers()["access-control-allow-origin"], "*");
    let write = registry.put("@acme/x", "1.0.0", "any", "").send().await.unwrap();
    assert_eq!(write.headers().get("access-control-allow-origin"), None, "publishing is not for pages of others");
}

#[tokio::test]
async fn a42_an_unknown_route_is_json_as_the_wire_has_it() {
    let registry = Registry::start().await;
    let body = error(&registry, "/nope", 404).await;
    assert_eq!(body, json!({"message": "Route GET:/nope not found", "error": "Not Found", "statusCode": 404}));
    let response = registry.client.delete(format!("{}{WIDGET}", registry.url)).send().await.unwrap();
    assert_eq!(response.status(), 404);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["message"], format!("Route DELETE:{WIDGET} not found"));
}

#[tokio::test]
async fn a45_long_names_can_be_fetched() {
    let registry = Registry::start().await;
    let name = format!("@acme/{}", "x".repeat(214));
    registry.publish(&name, "1.0.0", "any", &bundle(&name, "1.0.0")).await;
    assert_eq!(registry.json(&format!("/v1/bundles/{name}")).await["name"], name);
    registry.json(&format!("/v1/bundles/{name}/versions/1.0.0/download")).await;
}
