//! A registry that is not to be trusted, and connections that break.

use std::fs;

use mpak_testkit::zip::ZipEntry;
use serde_json::json;

use super::{stored, world_of};
use crate::servers::Server;
use crate::stand_in::{Answer, StandIn, download};
use crate::world::{Ran, World};

/// Runs `@acme/tell` against a stand-in that gives this download answer for good bytes.
fn against(spoil: impl Fn(&mut serde_json::Value) + Send + 'static) -> (World, Ran) {
    let bytes = Server::new("tell", "1.0.0").bytes();
    let stand_in = StandIn::start(move |asked, _| {
        if asked.path == "/x" {
            return Answer::bytes(bytes.clone());
        }
        let mut answer = download("@acme/tell", "1.0.0", &bytes, "/x");
        spoil(&mut answer);
        Answer::json(&answer)
    });
    let world = world_of(&stand_in.url);
    let ran = world.mpak(&["run", "@acme/tell"]);
    (world, ran)
}

#[test]
fn only_the_promised_bytes_of_the_wanted_package_are_installed() {
    type Spoil = fn(&mut serde_json::Value);
    let cases: [(&str, Spoil, &str); 8] = [
        ("digest", |a| a["bundle"]["sha256"] = json!("0".repeat(64)), "integrity mismatch: expected sha256 000"),
        ("longer", |a| a["bundle"]["size"] = json!(10_000), "the download has "),
        ("shorter", |a| a["bundle"]["size"] = json!(10), "has more than 10 bytes"),
        ("name", |a| a["bundle"]["name"] = json!("@acme/evil"), "answers with name `@acme/evil`"),
        ("platform", |a| a["bundle"]["platform"]["os"] = json!("darwin"), "answers with platform `darwin-any`"),
        ("version", |a| a["bundle"]["version"] = json!("../../../x"), "unusable version"),
        ("file", |a| a["url"] = json!("file:///etc/passwd"), "is not allowed here"),
        ("plain", |a| a["url"] = json!("http://example.invalid/x"), "is not allowed here"),
    ];
    for (what, spoil, expected) in cases {
        let (world, ran) = against(spoil);
        assert_eq!((ran.code, ran.stdout.as_str()), (4, ""), "{what}: {}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{what}: {}", ran.stderr);
        assert_eq!(stored(&world), Vec::<String>::new(), "{what}");
        let left = fs::read_dir(world.path("home/.mpak/tmp")).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{what}: nothing wrong is kept for the next run");
    }
    against(|_| ()).1.ok();
}

#[test]
fn redirects_lead_to_safe_places_only() {
    for (to, code) in [("/x", 0), ("http://example.invalid/x", 4), ("file:///etc/passwd", 4), ("/loop", 4)] {
        let bytes = Server::new("tell", "1.0.0").bytes();
        let stand_in = StandIn::start(move |asked, _| match asked.path.as_str() {
            "/x" => Answer::bytes(bytes.clone()),
            "/start" | "/loop" => Answer::status(302).header("location", to),
            _ => Answer::json(&download("@acme/tell", "1.0.0", &bytes, "/start")),
        });
        let ran = world_of(&stand_in.url).mpak(&["run", "@acme/tell"]);
        assert_eq!(ran.code, code, "{to}: {}", ran.stderr);
    }
}

#[test]
fn a_download_that_breaks_off_is_continued() {
    let bytes = Server::new("tell", "1.0.0").entry(ZipEntry::new("big", vec![7; 1 << 20]).stored()).bytes();
    let stand_in = StandIn::start(move |asked, before| {
        if asked.path != "/x" {
            return Answer::json(&download("@acme/tell", "1.0.0", &bytes, "/x"));
        }
        match asked.header("range") {
            None => Answer::bytes(bytes.clone()).cut_after(400_000),
            Some(range) => {
                let from: usize = range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap().parse().unwrap();
                let answer = Answer::bytes(bytes[from..].to_vec()).with_status(206);
                if before < 4 { answer.cut_after(200_000) } else { answer }
            }
        }
    });
    let world = world_of(&stand_in.url);
    world.mpak(&["run", "@acme/tell"]).ok();
    let ranges: Vec<_> = stand_in.asked().iter().filter_map(|a| a.header("range").map(str::to_owned)).collect();
    assert_eq!(ranges, ["bytes=400000-", "bytes=600000-"]);
}

#[test]
fn a_server_that_knows_no_ranges_is_read_from_the_start() {
    let bytes = Server::new("tell", "1.0.0").entry(ZipEntry::new("big", vec![7; 1 << 20]).stored()).bytes();
    let stand_in = StandIn::start(move |asked, before| match (asked.path.as_str(), before) {
        ("/x", 1) => Answer::bytes(bytes.clone()).cut_after(400_000),
        ("/x", _) => Answer::bytes(bytes.clone()),
        _ => Answer::json(&download("@acme/tell", "1.0.0", &bytes, "/x")),
    });
    world_of(&stand_in.url).mpak(&["run", "@acme/tell"]).ok();
}

#[test]
fn nobody_there_is_exit_code_6_with_a_way_on() {
    let error = world_of("http://127.0.0.1:9").mpak(&["run", "@acme/tell"]).fails(6);
    assert!(error.contains("cannot reach 127.0.0.1:9") && error.contains("help: "), "{error}");
    let error = world_of("ftp://x").mpak(&["run", "@acme/tell"]).fails(2);
    assert!(error.contains("`ftp://x` is not the address of a registry"), "{error}");
}
