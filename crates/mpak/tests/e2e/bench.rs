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

/// Row B5 of the wire's contract, where there are more than fit.
#[tokio::test]
async fn b5_a_page_of_servers_is_bounded_however_many_are_asked_for() {
    let world = World::new();
    let data = world.path("registry").display().to_string();
    world.mpak(&["bench", "catalogue", "--packages", "620", "--data", &data]).ok();
    let registry = Registry::start(&world);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let (mut names, mut sizes, mut cursor) = (Vec::new(), Vec::new(), String::new());
    loop {
        let url = format!("{}/v1/servers?limit=9999{cursor}", registry.url);
        let page: Value = client.get(url).send().await.unwrap().json().await.unwrap();
        let servers = page["servers"].as_array().unwrap();
        assert_eq!(page["metadata"]["count"], servers.len());
        names.extend(servers.iter().map(|server| server["name"].as_str().unwrap().to_owned()));
        sizes.push(servers.len());
        let Some(next) = page["metadata"]["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(sizes, [500, 120]);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 620, "each once");
}
