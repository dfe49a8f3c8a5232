//! The checklist of the server lists, row by row: the flat shape under `/v1`, the official one under
//! `/v0.1` and `/v0`.

use std::path::Path;

use serde_json::{Value, json};

use crate::world::{DAY_MS, Registry, bundle, bundle_of, checklist, manifest};

const WIDGET: &str = "/v1/servers/dev.mpak.acme%2Fwidget";
const OFFICIAL: &str = "io.modelcontextprotocol.registry/official";

async fn get(registry: &Registry, path: &str, status: u16) -> Value {
    let response = registry.get(path).await;
    assert_eq!(response.status(), status, "{path}");
    assert_eq!(response.headers()["content-type"], "application/json; charset=utf-8", "{path}");
    response.json().await.unwrap()
}

fn names(list: &Value) -> Vec<&str> {
    list["servers"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect()
}

fn official_names(list: &Value) -> Vec<String> {
    let one =
        |s: &Value| format!("{} {}", s["server"]["name"].as_str().unwrap(), s["server"]["version"].as_str().unwrap());
    list["servers"].as_array().unwrap().iter().map(one).collect()
}

async fn publish(registry: &Registry, manifest: &Value, name: &str) {
    let version = manifest["version"].as_str().unwrap();
    registry.publish(name, version, "any", &bundle_of(manifest)).await;
}

#[tokio::test]
async fn b1_the_info_document_is_at_every_prefix() {
    let registry = Registry::start().await;
    for path in ["/v1", "/v1/", "/v0.1", "/v0.1/", "/v0", "/v0/"] {
        let body = get(&registry, path, 200).await;
        assert_eq!(body["name"], "mpak MCP Registry API", "{path}");
        assert_eq!(body["version"], "v1.0.0");
        assert_eq!(body["documentation"], "/docs");
        let endpoints = json!({
            "listServers": "/servers", "searchServers": "/servers/search", "getServer": "/servers/{name}",
            "getServerVersion": "/servers/{name}/versions/{version}",
            "listServerVersions": "/servers/{name}/versions", "health": "/health",
        });
        assert_eq!(body["endpoints"], endpoints);
    }
}

#[tokio::test]
async fn b2_a_page_of_one_is_flat_and_goes_on() {
    let registry = checklist().await;
    let response = registry.get("/v1/servers?limit=1").await;
    assert_eq!(response.headers()["cache-control"], "public, max-age=60, s-maxage=300");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["metadata"], json!({"count": 1, "next_cursor": "1"}));
    assert_eq!(names(&body), ["dev.mpak.acme/gadget"]);
    assert_eq!(body["servers"][0]["version"], "0.1.0");
    assert_eq!(body["servers"][0]["server"], Value::Null, "not wrapped");
}

#[tokio::test]
async fn b3_following_the_cursor_gives_every_package_once() {
    let registry = Registry::start().await;
    for i in 0..7 {
        let name = format!("@acme/p{i}");
        registry.publish(&name, "1.0.0", "any", &bundle(&name, "1.0.0")).await;
    }
    let mut seen: Vec<String> = Vec::new();
    let mut path = "/v1/servers?limit=3".to_owned();
    loop {
        let body = get(&registry, &path, 200).await;
        seen.extend(names(&body).into_iter().map(str::to_owned));
        let Some(next) = body["metadata"]["next_cursor"].as_str() else { break };
        path = format!("/v1/servers?limit=3&cursor={next}");
        assert!(seen.len() < 20, "it ends");
    }
    assert_eq!(seen, (0..7).map(|i| format!("dev.mpak.acme/p{i}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn b4_wrong_parameters_mean_the_usual() {
    let registry = checklist().await;
    for query in ["limit=abc&cursor=-1", "limit=0", "updated_since=yesterday", "limit=&cursor=", "unknown=1"] {
        let body = get(&registry, &format!("/v1/servers?{query}"), 200).await;
        assert_eq!(body["metadata"], json!({"count": 2}), "{query}");
    }
}

#[tokio::test]
async fn b5_a_page_has_at_most_500_entries() {
    let registry = checklist().await;
    let body = get(&registry, "/v1/servers?limit=9999", 200).await;
    assert_eq!(body["metadata"]["count"], 2);
    // With more than 500 of them: `mpak`'s end-to-end tests, `bench.rs`.
}

#[tokio::test]
async fn b6_updated_since_gives_what_changed() {
    let registry = checklist().await;
    assert_eq!(names(&get(&registry, "/v1/servers?updated_since=2099-01-01", 200).await), Vec::<&str>::new());
    assert_eq!(names(&get(&registry, "/v1/servers?updated_since=2020-01-01", 200).await).len(), 2);
    registry.wait_ms(DAY_MS);
    publish(&registry, &manifest("@acme/later", "1.0.0"), "@acme/later").await;
    let body = get(&registry, "/v1/servers?updated_since=2026-11-21T00:00:00Z", 200).await;
    assert_eq!(names(&body), ["dev.mpak.acme/later"]);
}

#[tokio::test]
async fn b7_search_finds_a_piece() {
    let registry = checklist().await;
    for path in ["/v1/servers/search?q=WIDG", "/v1/servers?search=widget", "/v1/servers/search?q=sprocket&limit=1"] {
        assert_eq!(names(&get(&registry, path, 200).await), ["dev.mpak.acme/widget"], "{path}");
    }
    let none = get(&registry, "/v1/servers/search?q=nothing-like-it", 200).await;
    assert_eq!(none, json!({"servers": [], "metadata": {"count": 0}}));
}

#[tokio::test]
async fn b8_both_forms_of_a_name_give_the_same_record() {
    let registry = checklist().await;
    let expect = get(&registry, WIDGET, 200).await;
    assert_eq!(expect["name"], "dev.mpak.acme/widget");
    for name in ["%40acme%2Fwidget", "%2540acme%252Fwidget", "DEV.MPAK.acme%2FWidget", "dev.mpak.acme%252Fwidget"] {
        assert_eq!(get(&registry, &format!("/v1/servers/{name}"), 200).await, expect, "{name}");
    }
    let head = registry.client.head(format!("{}{WIDGET}", registry.url)).send().await.unwrap();
    assert_eq!(head.status(), 200);
}

#[tokio::test]
async fn b9_an_unknown_server_is_a_sentence() {
    let registry = checklist().await;
    assert_eq!(get(&registry, "/v1/servers/nope", 404).await, json!({"error": "Server 'nope' not found"}));
    assert_eq!(
        get(&registry, "/v1/servers/%40acme%2Fnone", 404).await,
        json!({"error": "Server '@acme/none' not found"})
    );
    get(&registry, "/v1/servers/dev.mpak.acme%2Fnone/versions", 404).await;
}

#[tokio::test]
async fn b10_versions_are_found_by_their_text_and_latest() {
    let registry = checklist().await;
    assert_eq!(get(&registry, &format!("{WIDGET}/versions/latest"), 200).await["version"], "1.1.0");
    assert_eq!(get(&registry, &format!("{WIDGET}/versions/1.0.0"), 200).await["version"], "1.0.0");
    let body = get(&registry, &format!("{WIDGET}/versions/9.9.9"), 404).await;
    assert_eq!(body, json!({"error": "Version '9.9.9' not found for server '@acme/widget'"}));
}

#[tokio::test]
async fn b11_one_version_is_the_latest() {
    let registry = checklist().await;
    let body = get(&registry, &format!("{WIDGET}/versions"), 200).await;
    assert_eq!(body["name"], "@acme/widget");
    let versions = body["versions"].as_array().unwrap();
    let texts: Vec<_> = versions.iter().map(|v| v["version"].as_str().unwrap()).collect();
    assert_eq!(texts, ["2.0.0-beta.1", "1.1.0", "1.0.0"], "newest first");
    let latest: Vec<_> = versions.iter().filter(|v| v["is_latest"] == true).map(|v| &v["version"]).collect();
    assert_eq!(latest, ["1.1.0"]);
}

#[tokio::test]
async fn b12_packages_tell_digests_and_variables() {
    let registry = Registry::start().await;
    let mut told = manifest("@acme/widget", "1.0.0");
    told["server"]["mcp_config"]["env"] = json!({"WIDGET_TOKEN": "${user_config.token}"});
    told["user_config"] = json!({
        "token": {"type": "string", "title": "Token", "description": "To get in", "sensitive": true, "required": true},
        "depth": {"type": "number", "title": "Depth", "description": "How deep", "default": 3},
    });
    let bytes = bundle_of(&told);
    registry.publish("@acme/widget", "1.0.0", "any", &bytes).await;
    let mut linux = told.clone();
    linux["description"] = "For Linux".into();
    registry.publish("@acme/widget", "1.0.0", "linux-x64", &bundle_of(&linux)).await;
    let body = get(&registry, WIDGET, 200).await;
    let packages = body["packages"].as_array().unwrap();
    assert_eq!(packages.len(), 2, "one for each artifact");
    let environment = json!([
        {"name": "WIDGET_TOKEN", "description": "To get in", "isSecret": true, "isRequired": true},
        {"name": "DEPTH", "description": "How deep", "default": "3"},
    ]);
    for package in packages {
        assert_eq!(package["registryType"], "mpak");
        assert_eq!(package["identifier"], "@acme/widget");
        assert_eq!(package["version"], "1.0.0");
        assert_eq!(package["transport"], json!({"type": "stdio"}));
        assert_eq!(package["environmentVariables"], environment);
    }
    let digest = mpak_bundle::digest::Sha256::of(&bytes).to_string();
    assert!(packages.iter().any(|p| p["fileSha256"] == digest.as_str()), "{packages:?}");
}

#[tokio::test]
async fn b13_title_and_description_are_cut_at_100_characters() {
    let registry = Registry::start().await;
    let mut told = manifest("@acme/widget", "1.0.0");
    told["display_name"] = "t".repeat(101).into();
    told["description"] = "ä".repeat(300).into();
    publish(&registry, &told, "@acme/widget").await;
    let body = get(&registry, WIDGET, 200).await;
    assert_eq!(body["title"], format!("{}…", "t".repeat(99)));
    assert_eq!(body["description"], format!("{}…", "ä".repeat(99)));
}

#[tokio::test]
async fn b14_authors_choose_names_in_their_own_namespace_and_each_can_be_looked_up() {
    let registry = Registry::start().await;
    let asking = |package: &str, name: &str| {
        let mut told = manifest(package, "1.0.0");
        told["_meta"] = json!({"dev.mpak/registry": {"name": name}});
        told
    };
    for (package, asked, expect) in [
        ("@acme/one", "dev.mpak.acme/Chosen", "dev.mpak.acme/Chosen"),
        ("@acme/two", "com.example/x", "dev.mpak.acme/two"),
        ("@acme/three", "dev.mpak.other/x", "dev.mpak.acme/three"),
        ("@acme/four", "dev.mpak.acme/one", "dev.mpak.acme/four"),
        ("@acme/five", "dev.mpak.acme/chosen", "dev.mpak.acme/five"),
    ] {
        publish(&registry, &asking(package, asked), package).await;
        let encoded = package.replace('@', "%40").replace('/', "%2F");
        let body = get(&registry, &format!("/v1/servers/{encoded}"), 200).await;
        assert_eq!(body["name"], expect, "{package}");
        let by_name = get(&registry, &format!("/v1/servers/{}", expect.replace('/', "%2F")), 200).await;
        assert_eq!(by_name["_meta"]["dev.mpak/registry"]["npmName"], package, "listed names are found");
    }
    get(&registry, "/v1/servers/com.example%2Fx", 404).await;
    let listed = get(&registry, "/v1/servers", 200).await;
    let mut unique = names(&listed);
    unique.dedup();
    assert_eq!(unique.len(), 5, "no name twice: {unique:?}");
}

#[tokio::test]
async fn b15_what_the_registry_says_cannot_be_forged() {
    let registry = Registry::start().await;
    let mut told = manifest("@acme/widget", "1.0.0");
    told["_meta"] = json!({
        "dev.mpak/registry": {
            "certification": {"level": 4}, "provenance": {"repository": "acme/forged"}, "downloads": 1_000_000,
            "publishMethod": "oidc", "more": "x",
        },
        OFFICIAL: {"status": "active", "isLatest": true, "forged": true},
        "com.example/own": {"kept": true},
    });
    for member in ["certification", "certification_level", "downloads", "provenance", "verified", "publish_method"] {
        told[member] = json!({"level": 4, "forged": true});
    }
    publish(&registry, &told, "@acme/widget").await;
    let body = get(&registry, WIDGET, 200).await;
    let ours = &body["_meta"]["dev.mpak/registry"];
    assert_eq!(ours["certification"], Value::Null, "{ours}");
    assert_eq!(ours["provenance"], Value::Null);
    assert_eq!(ours["more"], Value::Null);
    assert_eq!((&ours["downloads"], &ours["publishMethod"]), (&json!(0), &json!("upload")));
    assert_eq!(body["_meta"]["com.example/own"], json!({"kept": true}), "what is the author's stays");
    assert_eq!(body["_meta"][OFFICIAL], Value::Null);
    let official = get(&registry, "/v0.1/servers/dev.mpak.acme%2Fwidget/versions/1.0.0", 200).await;
    assert_eq!(official["_meta"][OFFICIAL]["forged"], Value::Null);
    assert_eq!(official["_meta"]["dev.mpak/registry"]["certification"], Value::Null);
    assert_eq!(official["server"]["_meta"], Value::Null);
    let detail = registry.json("/v1/bundles/@acme/widget").await;
    for (member, expect) in [
        ("certification", Value::Null),
        ("certification_level", Value::Null),
        ("downloads", json!(0)),
        ("verified", json!(false)),
        ("provenance", Value::Null),
    ] {
        assert_eq!(detail[member], expect, "{member}");
    }
}

#[tokio::test]
async fn b16_health_counts_servers() {
    let registry = Registry::start().await;
    assert_eq!(get(&registry, "/v1/health", 200).await, json!({"status": "degraded", "servers_count": 0}));
    publish(&registry, &manifest("@acme/widget", "1.0.0"), "@acme/widget").await;
    assert_eq!(get(&registry, "/v1/health", 200).await, json!({"status": "healthy", "servers_count": 1}));
}

#[tokio::test]
async fn b17_odd_percent_signs_are_not_found() {
    let registry = checklist().await;
    for name in ["%25", "%2525", "%25ff", "%00", "%25%30%30", "a%2", "%E2%80%AE"] {
        let response = registry.get(&format!("/v1/servers/{name}")).await;
        assert_eq!(response.status(), 404, "{name}");
        assert!(response.json::<Value>().await.unwrap()["error"].is_string(), "{name}");
    }
    let not_text = registry.get("/v1/servers/%ff").await;
    assert_eq!(not_text.status(), 400);
    assert!(not_text.json::<Value>().await.unwrap()["error"].is_string());
}

#[tokio::test]
async fn b18_the_official_shape_is_wrapped_and_has_a_cursor() {
    let registry = checklist().await;
    for prefix in ["/v0.1", "/v0"] {
        let body = get(&registry, &format!("{prefix}/servers?limit=2"), 200).await;
        assert_eq!(official_names(&body), ["dev.mpak.acme/gadget 0.1.0", "dev.mpak.acme/widget 1.0.0"]);
        assert_eq!(body["metadata"]["count"], 2);
        let next = body["metadata"]["nextCursor"].as_str().unwrap();
        let rest = get(&registry, &format!("{prefix}/servers?limit=2&cursor={next}"), 200).await;
        assert_eq!(official_names(&rest), ["dev.mpak.acme/widget 1.1.0", "dev.mpak.acme/widget 2.0.0-beta.1"]);
        assert_eq!(rest["metadata"], json!({"count": 2}), "the end has no cursor");
        let entry = &rest["servers"][0];
        assert_eq!(entry["_meta"][OFFICIAL]["status"], "active");
        assert_eq!(entry["_meta"][OFFICIAL]["isLatest"], true);
        assert_eq!(rest["servers"][1]["_meta"][OFFICIAL]["isLatest"], false);
        assert_eq!(get(&registry, &format!("{prefix}/health"), 200).await, json!({"status": "ok"}));
        assert_eq!(get(&registry, &format!("{prefix}/ping"), 200).await, json!({"pong": true}));
        assert!(get(&registry, &format!("{prefix}/version"), 200).await["version"].is_string());
    }
}

#[tokio::test]
async fn official_lists_are_filtered_as_asked() {
    let registry = checklist().await;
    for (query, expect) in [
        ("version=latest", vec!["dev.mpak.acme/gadget 0.1.0", "dev.mpak.acme/widget 1.1.0"]),
        ("version=1.0.0", vec!["dev.mpak.acme/widget 1.0.0"]),
        ("version=latest&search=SPROCKET", vec!["dev.mpak.acme/widget 1.1.0"]),
        ("version=latest&search=mpak.acme/g", vec!["dev.mpak.acme/gadget 0.1.0"]),
        ("version=latest&updated_since=2099-01-01T00:00:00Z", vec![]),
        ("version=latest&updated_since=2020-01-01T00:00:00Z&search=widget", vec!["dev.mpak.acme/widget 1.1.0"]),
        ("search=nothing-like-it", vec![]),
    ] {
        let body = get(&registry, &format!("/v0.1/servers?{query}"), 200).await;
        assert_eq!(official_names(&body), expect, "{query}");
        assert_eq!(body["metadata"], json!({"count": expect.len()}), "{query}");
    }
    for query in ["updated_since=2026-11-20", "limit=0", "limit=101", "cursor=nonsense", "include_deleted=maybe"] {
        let body = get(&registry, &format!("/v0.1/servers?{query}"), 400).await;
        assert!(body["error"].is_string(), "{query}");
    }
}

#[tokio::test]
async fn following_the_official_cursor_gives_every_latest_version_once() {
    let registry = Registry::start().await;
    for i in 0..5 {
        let name = format!("@acme/p{i}");
        registry.publish(&name, "1.0.0", "any", &bundle(&name, "1.0.0")).await;
    }
    for filter in ["version=latest", "version=latest&search=acme", "version=1.0.0", "x=y"] {
        let mut seen = Vec::new();
        let mut next = String::new();
        loop {
            let body = get(&registry, &format!("/v0.1/servers?limit=2&{filter}{next}"), 200).await;
            seen.extend(official_names(&body));
            let Some(cursor) = body["metadata"]["nextCursor"].as_str() else { break };
            next = format!("&cursor={cursor}");
            assert!(seen.len() < 20, "it ends");
        }
        assert_eq!(seen, (0..5).map(|i| format!("dev.mpak.acme/p{i} 1.0.0")).collect::<Vec<_>>(), "{filter}");
    }
}

#[tokio::test]
async fn official_versions_are_listed_newest_first_and_found() {
    let registry = checklist().await;
    let path = "/v0.1/servers/dev.mpak.acme%2Fwidget/versions";
    let body = get(&registry, path, 200).await;
    let expect = ["dev.mpak.acme/widget 2.0.0-beta.1", "dev.mpak.acme/widget 1.1.0", "dev.mpak.acme/widget 1.0.0"];
    assert_eq!(official_names(&body), expect);
    assert_eq!(get(&registry, &format!("{path}/latest"), 200).await["server"]["version"], "1.1.0");
    assert_eq!(get(&registry, &format!("{path}/1.0.0"), 200).await["server"]["version"], "1.0.0");
    assert!(get(&registry, &format!("{path}/9.9.9"), 404).await["error"].is_string());
    get(&registry, "/v0.1/servers/dev.mpak.acme%2Fnone/versions", 404).await;
}

#[tokio::test]
async fn official_packages_are_mcpb_files_that_anyone_can_fetch() {
    let registry = checklist().await;
    let entry = get(&registry, "/v0.1/servers/dev.mpak.acme%2Fwidget/versions/1.0.0", 200).await;
    let packages = entry["server"]["packages"].as_array().unwrap();
    assert_eq!(packages.len(), 2);
    let before = registry.json("/v1/bundles/@acme/widget").await["downloads"].as_u64().unwrap();
    for package in packages {
        assert_eq!(package["registryType"], "mcpb");
        assert_eq!(package["transport"], json!({"type": "stdio"}));
        let url = package["identifier"].as_str().unwrap();
        assert!(url.starts_with(&registry.url) && Path::new(url).extension().unwrap() == "mcpb", "{url}");
        for accept in ["*/*", "application/json"] {
            let response = registry.client.get(url).header("accept", accept).send().await.unwrap();
            assert_eq!(response.status(), 200, "{url}");
            let bytes = response.bytes().await.unwrap();
            assert_eq!(package["fileSha256"], mpak_bundle::digest::Sha256::of(&bytes).to_string());
        }
    }
    assert!(packages[0]["identifier"].as_str().unwrap().ends_with("/widget-1.0.0-linux-x64.mcpb"), "{packages:?}");
    assert_eq!(registry.json("/v1/bundles/@acme/widget").await["downloads"], before + 4, "counted like downloads");
    let other = registry.get("/v1/bundles/@acme/widget/versions/1.0.0/artifacts/other.mcpb").await;
    assert_eq!(other.status(), 404);
}

#[tokio::test]
async fn kept_entries_follow_downloads_and_publishes() {
    let registry = checklist().await;
    let downloads = async || get(&registry, WIDGET, 200).await["_meta"]["dev.mpak/registry"]["downloads"].clone();
    assert_eq!(downloads().await, 0);
    registry.json("/v1/bundles/@acme/widget/versions/1.0.0/download").await;
    assert_eq!(downloads().await, 1);
    let mut newer = manifest("@acme/widget", "1.2.0");
    newer["display_name"] = "Newer".into();
    publish(&registry, &newer, "@acme/widget").await;
    for path in [WIDGET, "/v0.1/servers/dev.mpak.acme%2Fwidget/versions/latest"] {
        let body = get(&registry, path, 200).await;
        let server = if body["server"].is_object() { &body["server"] } else { &body };
        assert_eq!((&server["version"], &server["title"]), (&json!("1.2.0"), &json!("Newer")), "{path}");
    }
    let list = get(&registry, "/v1/servers", 200).await;
    assert!(list["servers"].as_array().unwrap().iter().any(|s| s["version"] == "1.2.0"), "{list}");
}

#[tokio::test]
async fn names_too_long_for_a_server_name_are_left_out() {
    let registry = checklist().await;
    let long = format!("@acme/{}", "x".repeat(214));
    registry.publish(&long, "1.0.0", "any", &bundle(&long, "1.0.0")).await;
    assert_eq!(get(&registry, "/v1/servers", 200).await["metadata"]["count"], 2);
    assert_eq!(get(&registry, "/v0.1/servers?version=latest", 200).await["metadata"]["count"], 2);
    assert_eq!(get(&registry, "/v0.1/servers", 200).await["metadata"]["count"], 4);
    let body = get(&registry, &format!("/v1/servers/%40acme%2F{}", "x".repeat(214)), 404).await;
    assert!(body["error"].as_str().unwrap().contains("too long"), "{body}");
}

#[tokio::test]
async fn any_page_may_read_server_lists() {
    let registry = checklist().await;
    for path in ["/v1/servers", "/v0.1/servers", "/v0/servers", "/v1/health"] {
        assert_eq!(registry.get(path).await.headers()["access-control-allow-origin"], "*", "{path}");
    }
}
