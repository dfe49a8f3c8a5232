//! The pages over HTTP: what they show, their headers, their size, and what they do with hostile text.

use std::time::Duration;

use mpak_testkit::zip::ZipBuilder;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use serde_json::json;

use crate::hostile;
use crate::world::{Registry, bundle, bundle_with, change_rows, checklist, elf_x64, manifest};

/// Largest page.
const PAGE_BYTES_MAX: usize = 60_000;

async fn ask(registry: &Registry, path: &str, accept: &str) -> Response {
    let client = Client::builder().no_proxy().redirect(Policy::none()).timeout(Duration::from_mins(1)).build().unwrap();
    client.get(format!("{}{path}", registry.url)).header("accept", accept).send().await.unwrap()
}

/// A page as a browser gets it.
async fn page(registry: &Registry, path: &str) -> String {
    let response = ask(registry, path, "text/html").await;
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    response.text().await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).unwrap_or_else(|| panic!("no {name}")).to_str().unwrap()
}

#[tokio::test]
async fn every_page_is_small_html_under_a_strict_policy() {
    let registry = checklist().await;
    let paths = [
        ("/", 200),
        ("/search", 200),
        ("/search?q=sprocket", 200),
        ("/packages/@acme/widget", 200),
        ("/packages/@acme/widget/1.0.0", 200),
        ("/controls", 200),
        ("/controls/AI-01", 200),
        ("/controls/ZZ-99", 404),
        ("/packages/@acme/unknown", 404),
        ("/packages/@acme/widget/9.9.9", 404),
        ("/packages/no-scope/x", 404),
        ("/nowhere", 404),
    ];
    for (path, status) in paths {
        let response = ask(&registry, path, "text/html,application/xhtml+xml,*/*;q=0.8").await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(header(&response, "content-type"), "text/html; charset=utf-8", "{path}");
        let policy = header(&response, "content-security-policy");
        for part in [
            "default-src 'none'",
            "style-src 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("script-src") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(header(&response, "x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header(&response, "referrer-policy"), "same-origin", "{path}");
        let html = response.text().await.unwrap();
        assert!(html.len() < PAGE_BYTES_MAX, "{path} has {} bytes", html.len());
        assert!(html.starts_with("<!doctype html>") && html.contains("<html lang=\"en\">"), "{path}");
        for inline in ["<script", "style=\"", "onclick", "javascript:"] {
            assert!(!html.contains(inline), "{path} contains {inline}");
        }
    }
}

#[tokio::test]
async fn programs_get_json_where_people_get_a_page() {
    let registry = Registry::start().await;
    for path in ["/packages/@acme/unknown", "/nowhere", "/controls/ZZ-99"] {
        let response = ask(&registry, path, "application/json").await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert!(header(&response, "content-type").starts_with("application/json"), "{path}");
        let body: serde_json::Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert!(body["error"].is_string() || body["error"]["code"] == "NOT_FOUND", "{body}");
    }
    let html = ask(&registry, "/nowhere/<script>", "text/html").await.text().await.unwrap();
    assert!(html.contains("There is no page here") && html.contains("action=\"/search\""), "a way on");
    assert!(!html.contains("<script"));
}

#[tokio::test]
async fn an_empty_registry_tells_how_to_fill_it() {
    let registry = Registry::start().await;
    let html = page(&registry, "/").await;
    for part in [
        "Publish the first bundle",
        "mpak pack --vendor",
        "first-token",
        &format!("MPAK_REGISTRY_URL={}", registry.url),
    ] {
        assert!(html.contains(part), "{part}");
    }
    assert!(page(&registry, "/search").await.contains("0 packages"));
}

#[tokio::test]
async fn lists_tell_level_and_score_once_they_are_known() {
    let mut registry = Registry::start().await;
    registry.publish("@acme/widget", "1.0.0", "any", &bundle("@acme/widget", "1.0.0")).await;
    for path in ["/", "/search", "/search?q=widget"] {
        let html = page(&registry, path).await;
        assert!(html.contains("<span class=\"tag no\">Not assessed</span>"), "{path}: {html}");
    }
    registry.change_for_next_start(|c| c.scanning.enabled = true);
    registry.restart().await;
    let reached =
        within(&registry, "/index/v1/@acme/widget.json", |index| index["versions"][0]["score"].is_u64()).await;
    let (level, score) = (reached["versions"][0]["level"].as_u64().unwrap(), &reached["versions"][0]["score"]);
    let expected = match level {
        0 => format!("<span class=\"tag no\">No level reached, score {score}</span>"),
        1 => format!("<span class=\"tag yes\">Level 1 Basic, score {score}</span>"),
        other => panic!("a plain bundle has level {other}"),
    };
    // Lists follow within moments.
    for path in ["/", "/search", "/search?q=widget"] {
        let mut html = page(&registry, path).await;
        for _ in 0..1_000 {
            if html.contains(&expected) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            html = page(&registry, path).await;
        }
        assert!(html.contains(&expected) && !html.contains("Not assessed"), "{path}: {html}");
    }
    // A newer version that nobody has judged yet is not what the older one was.
    registry.change_for_next_start(|c| c.scanning.enabled = false);
    registry.restart().await;
    registry.publish("@acme/widget", "1.1.0", "any", &bundle("@acme/widget", "1.1.0")).await;
    let html = page(&registry, "/search").await;
    assert!(html.contains("Not assessed") && !html.contains(&expected), "{html}");
}

/// Asks again until the answer is as wanted.
async fn within(registry: &Registry, path: &str, wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    for _ in 0..1_000 {
        let answer = registry.json(path).await;
        if wanted(&answer) {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{path} did not come to it");
}

#[tokio::test]
async fn home_lists_what_is_new_and_what_is_used() {
    let registry = checklist().await;
    for _ in 0..3 {
        registry.json("/v1/bundles/@acme/widget/versions/1.0.0/download").await;
    }
    let html = page(&registry, "/").await;
    let (recent, popular) = html.split_once("Most downloaded</h2>").unwrap();
    let place = |html: &str, name: &str| html.find(&format!("href=\"/packages/@acme/{name}\"")).unwrap();
    assert!(
        place(recent.split_once("Recently published").unwrap().1, "gadget")
            < place(recent.split_once("Recently published").unwrap().1, "widget")
    );
    assert!(place(popular, "widget") < place(popular, "gadget"));
    assert!(popular.contains("3 downloads") && html.contains("2 packages"));
    let moved = ask(&registry, "/?q=a+b%26c", "text/html").await;
    assert_eq!((moved.status(), header(&moved, "location")), (StatusCode::SEE_OTHER, "/search?q=a+b%26c"));
}

#[tokio::test]
async fn the_command_on_the_first_page_is_whole_however_long_the_name() {
    let registry = Registry::start().await;
    let name = format!("@{}/{}", "s".repeat(39), "n".repeat(173));
    registry.publish(&name, "1.0.0", "any", &bundle(&name, "1.0.0")).await;
    assert!(page(&registry, "/").await.contains(&format!("mpak run {name}")));
}

#[tokio::test]
async fn search_finds_filters_pages_and_helps_when_nothing_is_found() {
    let registry = checklist().await;
    for i in 0..25 {
        let name = format!("@bulk/server-{i}");
        registry.publish(&name, "1.0.0", "any", &bundle(&name, "1.0.0")).await;
    }
    let html = page(&registry, "/search?q=turnSprocket").await;
    assert!(html.contains("1 package") && html.contains("@acme/widget"), "names of tools are found");
    let python = page(&registry, "/search?type=python").await;
    assert!(python.contains("@acme/gadget") && !python.contains("@acme/widget"));
    let first = page(&registry, "/search?sort=name").await;
    assert!(
        first.contains("27 packages")
            && first.contains("Page 1 of 2")
            && first.contains("href=\"/search?sort=name&#38;page=2\""),
        "{first}"
    );
    let second = page(&registry, "/search?sort=name&page=2").await;
    assert!(second.contains("Page 2 of 2") && second.contains("rel=\"prev\"") && !second.contains("rel=\"next\""));
    let nothing = page(&registry, "/search?q=zzzzqqqq&type=python").await;
    assert!(
        nothing.contains("Nothing here")
            && nothing.contains("Search in all server types")
            && nothing.contains("Most downloaded")
    );
    let hostile = page(&registry, "/search?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E%E2%80%AE").await;
    assert!(!hostile.contains("<script") && hostile.contains("[U+202E]"));
}

#[tokio::test]
async fn a_package_shows_what_is_needed_to_choose_and_use_it() {
    let registry = checklist().await;
    let html = page(&registry, "/packages/@acme/widget").await;
    for part in [
        "Widget Works",
        "Makes 100% of all sprockets.",
        "<dd>MIT</dd>",
        "Ada Lovelace",
        "turnSprocket",
        "Turns it",
        "href=\"https://widget.example/\"",
        "cogwheel",
        "claude_desktop_config.json",
        "claude mcp add",
        ".cursor/mcp.json",
        ".vscode/mcp.json",
        "linux-any",
        "Not scanned yet",
        "<h3 id=\"readme-widget\">Widget</h3>",
        "/v1/bundles/@acme/widget/badge.svg",
    ] {
        assert!(html.contains(part), "{part}");
    }
    assert!(html.contains(&format!("MPAK_REGISTRY_URL={} mpak run @acme/widget<", registry.url)));
    let detail = registry.json("/v1/bundles/@acme/widget/versions/1.1.0").await;
    assert!(html.contains(detail["artifacts"][0]["digest"].as_str().unwrap()), "the digest is shown whole");
    assert!(!html.contains("This is version"));
}

#[tokio::test]
async fn a_version_has_its_own_page_and_leads_to_the_latest() {
    let registry = checklist().await;
    let html = page(&registry, "/packages/@acme/widget/1.0.0").await;
    assert!(html.contains("This is version 1.0.0.") && html.contains("mpak run @acme/widget@1.0.0<"));
    assert!(html.contains("Download for linux-x64") && html.contains("Download for any"));
    assert!(html.contains("<meta name=\"robots\" content=\"noindex\">"));
    let beta = page(&registry, "/packages/@acme/widget/2.0.0-beta.1").await;
    assert!(beta.contains("The latest is <a href=\"/packages/@acme/widget\">1.1.0</a>"));
    assert!(page(&registry, "/packages/@acme/widget/latest").await.contains("1.1.0"));
    let lost = ask(&registry, "/packages/@acme/widget/9.9.9", "text/html").await.text().await.unwrap();
    assert!(lost.contains("href=\"/packages/@acme/widget\"") && lost.contains("@acme/widget@9.9.9"));
    for (short, long) in
        [("/p/@acme/widget", "/packages/@acme/widget"), ("/p/@acme/widget/1.0.0", "/packages/@acme/widget/1.0.0")]
    {
        let response = ask(&registry, short, "text/html").await;
        assert_eq!((response.status(), header(&response, "location")), (StatusCode::MOVED_PERMANENTLY, long));
    }
    let odd = ask(&registry, "/p/%2F%2Fevil.example/x", "text/html").await;
    assert!(header(&odd, "location").starts_with("/packages/@"), "never to another host");
}

#[tokio::test]
async fn every_download_on_the_page_works() {
    let registry = checklist().await;
    let html = page(&registry, "/packages/@acme/widget/1.0.0").await;
    let downloads: Vec<&str> =
        html.split("href=\"").skip(1).filter_map(|h| h.split('"').next()).filter(|h| h.contains("/download")).collect();
    assert!(downloads.len() >= 2);
    for path in downloads {
        let response = registry
            .client
            .get(format!("{}{}", registry.url, path.replace("&#38;", "&")))
            .header("accept", "text/html")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert!(response.bytes().await.unwrap().starts_with(b"PK"), "{path}");
    }
}

#[tokio::test]
async fn hostile_texts_stay_texts_and_the_page_stays_small() {
    let registry = Registry::start_with(|c| c.scanning.enabled = true).await;
    registry.publish(hostile::NAME, "1.0.0", "any", &hostile::bundle()).await;
    for i in 1..40 {
        let version = format!("1.0.{i}");
        let mut manifest = hostile::manifest();
        manifest["version"] = json!(version);
        registry.publish(hostile::NAME, &version, "any", &ZipBuilder::with_manifest(&manifest).build()).await;
    }
    let paths = [
        "/",
        "/search",
        "/search?q=hostile",
        "/packages/@evil/hostile",
        "/packages/@evil/hostile/1.0.0",
        "/packages/@evil/hostile/1.0.0?view=full",
    ];
    for path in paths {
        let html = page(&registry, path).await;
        for markup in [
            "<script",
            "<img src=x",
            "<svg onload",
            "<style",
            "http-equiv",
            "href=\"javascript",
            "known.example@",
            "\u{202E}",
            "pixel.example/p.gif\">\n<img",
        ] {
            assert!(!html.contains(markup), "{path} contains {markup}");
        }
        assert!(path.contains("full") || html.len() < PAGE_BYTES_MAX, "{path} has {} bytes", html.len());
    }
    let usual = page(&registry, "/packages/@evil/hostile/1.0.0").await;
    assert!(usual.contains("[U+202E]txt.exe") && usual.contains("Visible text."));
    assert!(
        usual.contains("of 300 tools")
            && usual.contains("of 60 settings")
            && usual.contains("of 40 versions")
            && usual.contains("This is the beginning.")
    );
    let full = page(&registry, "/packages/@evil/hostile/1.0.0?view=full").await;
    assert!(full.contains(&format!("tool_{}&#60;svg", hostile::TOOLS_COUNT - 1)) && full.contains("1.0.39"));
}

#[tokio::test]
async fn the_verdict_names_its_state() {
    let mut registry = Registry::start().await;
    registry
        .publish("@acme/widget", "1.0.0", "linux-x64", &bundle_with("@acme/widget", "1.0.0", "x", &elf_x64()))
        .await;
    registry.publish("@acme/widget", "1.0.0", "any", &bundle("@acme/widget", "1.0.0")).await;
    let waiting = page(&registry, "/packages/@acme/widget").await;
    assert!(waiting.contains("Not scanned yet") && !waiting.contains("class=\"controls\""));
    registry.change_for_next_start(|c| c.scanning.enabled = true);
    registry.restart().await;
    let judged = scanned_page(&registry, "/packages/@acme/widget").await;
    assert!(
        judged.contains("controls run") || judged.contains("Level 1") || judged.contains("No level reached"),
        "{judged}"
    );
    for id in mpak_scan::controls::CONTROLS.iter().map(|c| c.id) {
        assert!(judged.contains(&format!("href=\"/controls/{id}\"")), "{id}");
    }
    assert!(judged.contains("the artifact for <strong>linux-x64</strong>"));
    let other = scanned_page(&registry, "/packages/@acme/widget?platform=any").await;
    assert!(other.contains("the artifact for <strong>any</strong>"));
    registry.stop().await;
    change_rows(&registry, "UPDATE scans SET report_json = 'secret cause' WHERE id = (SELECT min(id) FROM scans)")
        .await;
    registry.begin().await;
    let pages = [
        ask(&registry, "/packages/@acme/widget", "text/html").await,
        ask(&registry, "/packages/@acme/widget?platform=any", "text/html").await,
    ];
    let broken = pages.into_iter().find(|p| p.status() == StatusCode::INTERNAL_SERVER_ERROR).unwrap();
    assert_eq!(header(&broken, "content-type"), "text/html; charset=utf-8");
    let html = broken.text().await.unwrap();
    assert!(html.contains("Something broke on our side") && !html.contains("secret") && !html.contains("cause is `"));
}

async fn scanned_page(registry: &Registry, path: &str) -> String {
    for _ in 0..1_000 {
        let html = page(registry, path).await;
        if html.contains("class=\"controls\"") {
            return html;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{path} was not scanned in time");
}

#[tokio::test]
async fn assets_are_found_from_the_page_and_kept_for_ever() {
    let registry = Registry::start().await;
    let html = page(&registry, "/").await;
    for (start, content_type) in [("/assets/style-", "text/css; charset=utf-8"), ("/assets/icon-", "image/svg+xml")] {
        let at = html.find(start).unwrap();
        let path = html[at..].split('"').next().unwrap();
        let response = ask(&registry, path, "*/*").await;
        assert_eq!((response.status(), header(&response, "content-type")), (StatusCode::OK, content_type));
        assert_eq!(header(&response, "cache-control"), "public, max-age=31536000, immutable");
    }
    assert_eq!(ask(&registry, "/assets/style-000000000000.css", "*/*").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn settings_show_what_must_be_given_and_never_a_secret_default() {
    let registry = Registry::start().await;
    let mut manifest = manifest("@acme/keyed", "1.0.0");
    manifest["user_config"] = json!({
        "api_key": {"type": "string", "title": "API key", "description": "Your key.", "required": true, "sensitive": true},
        "token": {"type": "string", "title": "Token", "description": "Old.", "sensitive": true, "default": "hunter2"},
        "limit": {"type": "number", "title": "Limit", "description": "Most answers.", "default": 5, "min": 1, "max": 9},
    });
    registry.publish("@acme/keyed", "1.0.0", "any", &ZipBuilder::with_manifest(&manifest).build()).await;
    let html = page(&registry, "/packages/@acme/keyed").await;
    assert!(html.contains("mpak config set @acme/keyed api_key=VALUE<"));
    assert!(html.contains("required</span>") && html.contains("secret</span>") && html.contains("· 1 to 9<"));
    assert!(!html.contains("hunter2"));
}
