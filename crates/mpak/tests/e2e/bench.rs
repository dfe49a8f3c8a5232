//! `mpak bench`: an invented catalogue is served, and the load generator asks it and counts right.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::registry::Registry;
use crate::world::World;

#[test]
fn an_invented_catalogue_is_served_and_asked() {
    let world = World::new();
    let data = world.path("data").display().to_string();
    world.mpak(&["bench", "catalogue", "--packages", "30", "--data", &data]).ok();
    world.mpak(&["bench", "catalogue", "--packages", "30", "--data", &data]).fails(2);

    let mut serving = world.command(&["bench", "serve", "--data", &data]);
    let mut child = serving.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let server = line.trim().strip_prefix("listening on http://").unwrap().to_owned();

    let ask = |paths: &str| {
        let paths = world.write("paths", paths).display().to_string();
        let flags = ["bench", "load", "--server", &server, "--paths", &paths, "--duration", "0.3", "--warm-up", "0.1"];
        let ran = world.mpak(&flags);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.json()
    };
    let floor = ask("/v1/floor/1234\n");
    assert_eq!(floor["mean_bytes"], 1234);
    assert!(floor["answered"].as_u64().unwrap() > 10, "{floor}");
    assert_eq!(floor["refused"], 0);
    let searches = ask("/v1/bundles/search?q=server\n/v1/bundles/search?sort=name\n");
    assert_eq!(searches["refused"], 0, "{searches}");
    assert!(searches["mean_bytes"].as_u64().unwrap() > 500, "{searches}");
    let lost = ask("/v1/bundles/@no/thing\n");
    assert_eq!(lost["refused"], lost["answered"]);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Names of a list, page after page.
async fn walk(url: &str, name: &str, next: &str) -> (Vec<String>, Vec<usize>) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let (mut names, mut sizes, mut cursor) = (Vec::new(), Vec::new(), String::new());
    for _ in 0..200 {
        let page: Value = client.get(format!("{url}{cursor}")).send().await.unwrap().json().await.unwrap();
        let servers = page["servers"].as_array().unwrap();
        assert_eq!(page["metadata"]["count"], servers.len());
        names.extend(servers.iter().map(|server| server.pointer(name).unwrap().as_str().unwrap().to_owned()));
        sizes.push(servers.len());
        let Some(next) = page["metadata"][next].as_str() else { return (names, sizes) };
        cursor = format!("&cursor={next}");
    }
    panic!("{url} does not end");
}

/// Row B5 of the wire's contract, where there are more than fit; and lists of what changed, where more did than one
/// request looks at one by one.
#[tokio::test]
async fn b5_a_page_of_servers_is_bounded_however_many_are_asked_for() {
    const COUNT: usize = 2_800;
    let world = World::new();
    let data = world.path("registry").display().to_string();
    world.mpak(&["bench", "catalogue", "--packages", &COUNT.to_string(), "--data", &data]).ok();
    let registry = Registry::start(&world);
    let at = |path: &str| format!("{}{path}", registry.url);
    let all = |mut names: Vec<String>| {
        assert!(names.is_sorted(), "in order");
        names.dedup();
        assert_eq!(names.len(), COUNT, "each once");
    };
    let (names, sizes) = walk(&at("/v1/servers?limit=9999"), "/name", "next_cursor").await;
    assert_eq!(sizes, [500, 500, 500, 500, 500, 300]);
    let last = names.last().unwrap().clone();
    let by_package = |names: Vec<String>| {
        names.into_iter().map(|name| name.trim_start_matches("dev.mpak.").to_owned()).collect::<Vec<_>>()
    };
    all(by_package(names));
    let (names, sizes) = walk(&at("/v1/servers?limit=500&updated_since=2020-01-01"), "/name", "next_cursor").await;
    assert_eq!(sizes, [500, 500, 500, 500, 500, 300]);
    all(by_package(names));
    let since = "updated_since=2020-01-01T00:00:00Z";
    for query in [format!("version=latest&{since}"), "version=latest&include_deleted=true".to_owned()] {
        let (names, _) = walk(&at(&format!("/v0.1/servers?limit=100&{query}")), "/server/name", "nextCursor").await;
        all(by_package(names));
    }
    // What hardly anything matches is found wherever it stands.
    let base = last.split('/').next_back().unwrap();
    for path in [
        format!("/v0.1/servers?version=latest&search={base}"),
        format!("/v0.1/servers?{since}&version=latest&search={base}"),
    ] {
        assert_eq!(walk(&at(&path), "/server/name", "nextCursor").await.0, [last.as_str()], "{path}");
    }
    let flat = at(&format!("/v1/servers?updated_since=2020-01-01&search={base}"));
    assert_eq!(walk(&flat, "/name", "next_cursor").await.0, [last.as_str()]);
    assert!(walk(&at("/v0.1/servers?search=zzzzzzzz"), "/server/name", "nextCursor").await.0.is_empty());
}

/// It is left as by a registry that has run: a start finds everything made, and nothing to judge.
#[tokio::test]
async fn a_catalogue_is_complete_when_it_is_written() {
    let world = World::new();
    let data = world.path("registry");
    world.mpak(&["bench", "catalogue", "--packages", "20", "--data", &data.display().to_string()]).ok();
    assert!(data.join("search.index").is_file() && data.join("public/.well-known/mpak.json").is_file());
    let made = std::fs::read(data.join("search.index")).unwrap();
    let through = std::fs::read(data.join("public-through")).unwrap();
    let registry = Registry::start(&world);
    let found = reqwest::get(format!("{}/v1/bundles/search?limit=1", registry.url)).await.unwrap();
    let found: Value = found.json().await.unwrap();
    assert_eq!((&found["total"], &found["bundles"][0]["certification_level"]), (&20.into(), &1.into()), "{found}");
    // The watch over rules has asked by then.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(std::fs::read(data.join("search.index")).unwrap(), made);
    assert_eq!(std::fs::read(data.join("public-through")).unwrap(), through);
    let log = std::fs::read_to_string(world.path("registry.log")).unwrap();
    assert!(log.contains("serving") && !log.contains("to be scanned") && !log.contains("WARN"), "{log}");
    let verified = world.mpak(&["admin", "verify", "--data", &data.display().to_string()]);
    assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
}
