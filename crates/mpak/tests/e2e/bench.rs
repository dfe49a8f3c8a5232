//! `mpak bench`: an invented catalogue is served, and the load generator asks it and counts right.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

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
