//! `mpak advisories` and `mpak scan --advisories` as a user meets them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mpak_bundle::digest::Sha256;
use serde_json::{Value, json};

use mpak_testkit::zip::{ZipBuilder, good_manifest};

use crate::registry::Registry;
use crate::world::World;

/// RFC 8032 §7.1, tests 1 and 2.
const SEED: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
const PUBLIC: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
const OTHER_SEED: &str = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
const OTHER_PUBLIC: &str = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";

/// A world with feeds, keys, and a bundle with a vulnerable dependency.
fn world() -> World {
    let world = World::new();
    let record = json!({"id": "GHSA-1", "modified": "2024-01-31T12:00:00Z", "aliases": ["CVE-2024-1"], "affected": [{
        "package": {"ecosystem": "npm", "name": "left-pad"}, "ranges": [
            {"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.3.1"}]}]}]});
    world.write("osv/GHSA-1.json", record.to_string());
    world.write("kev.json", json!({"vulnerabilities": [{"cveID": "CVE-2024-1"}]}).to_string());
    world.write(
        "epss.csv",
        "#model_version:v1,score_date:2024-02-02T00:00:00+0000\ncve,epss,percentile\nCVE-2024-1,0.5,0.9\n",
    );
    world.write("key", SEED);
    world.write("other-key", OTHER_SEED);
    let mut zip = ZipBuilder::with_manifest(&good_manifest());
    zip.file("node_modules/left-pad/package.json", r#"{"name":"left-pad","version":"1.3.0"}"#);
    world.write("bundle.mcpb", zip.build());
    world
}

fn build(world: &World, out: &str, more: &[&str]) {
    let feeds = ["advisories", "build", "--osv", "osv", "--kev", "kev.json", "--epss", "epss.csv", "--out", out];
    world.mpak(&[&feeds[..], more].concat()).ok();
}

fn sc02(report: &Value) -> &Value {
    report["controls"].as_array().unwrap().iter().find(|c| c["id"] == "SC-02").unwrap()
}

#[test]
fn a_file_that_a_wheel_has_does_not_fail_a_bundle_and_a_changed_one_does() {
    let world = world();
    let module = format!("TOKEN = 'ghp_{}'\n", "016C7e1vN5rKpXb2TzQyLdJmAsUoWf4EQFvB");
    let metadata = "Metadata-Version: 2.1\nName: widget\nVersion: 1.0\n";
    let (file, about) = ("widget/__init__.py", "widget-1.0.dist-info/METADATA");
    let mut wheel = ZipBuilder::default();
    wheel.file(file, module.as_str()).file(about, metadata);
    world.write("packages/widget-1.0-py3-none-any.whl", wheel.build());
    build(&world, "a.snapshot", &["--packages", "packages"]);
    let shown = world.mpak(&["advisories", "show", "a.snapshot"]).ok();
    assert!(shown.contains("files known of   1 versions of packages\n"), "{shown}");
    for (name, content, status) in [("as-is", module.clone(), "warn"), ("changed", format!("{module}\n"), "fail")] {
        let digest = Sha256::of(content.as_bytes());
        let digest = URL_SAFE_NO_PAD.encode(digest.as_bytes());
        let mut zip = ZipBuilder::with_manifest(&good_manifest());
        zip.file(format!("lib/{file}"), content.as_str()).file(format!("lib/{about}"), metadata);
        zip.file("lib/widget-1.0.dist-info/RECORD", format!("{file},sha256={digest},1\n"));
        world.write(&format!("{name}.mcpb"), zip.build());
        let ran = world.mpak(&["scan", &format!("{name}.mcpb"), "--advisories", "a.snapshot", "--json"]);
        let report = ran.json();
        let result = report["controls"].as_array().unwrap().iter().find(|c| c["id"] == "CQ-01").unwrap();
        assert_eq!(result["status"], status, "{name}: {result}");
    }
}

#[test]
fn a_snapshot_is_built_shown_and_scanned_with() {
    let world = world();
    let ran = world.mpak(&[
        "advisories",
        "build",
        "--osv",
        "osv",
        "--kev",
        "kev.json",
        "--epss",
        "epss.csv",
        "--out",
        "a.snapshot",
        "--json",
    ]);
    let built = ran.json();
    assert_eq!((ran.code, &built["head"]["date"], &built["signed_by"]), (0, &json!("2024-02-02"), &Value::Null));
    assert!(ran.stderr.contains("1 vulnerabilities from 1 records"), "{}", ran.stderr);
    let shown = world.mpak(&["advisories", "show", "a.snapshot"]).ok();
    assert!(shown.contains("of               2024-02-02\nsigned           not signed\n"), "{shown}");
    let ran = world.mpak(&["scan", "bundle.mcpb", "--advisories", "a.snapshot", "--level", "2", "--json"]);
    let report = ran.json();
    assert_eq!((ran.code, &report["advisories"]), (1, &json!("2024-02-02")));
    let result = sc02(&report);
    assert_eq!((&result["status"], &result["findings"][0]["rule"]), (&json!("fail"), &json!("SC-02/known-exploited")));
    assert!(result["reason"].as_str().unwrap().contains("unsigned snapshot"), "{result}");
    let text = world.mpak(&["scan", "bundle.mcpb", "--advisories", "a.snapshot"]);
    assert!(text.stdout.contains("advisories of 2024-02-02"), "{}", text.stdout);
    assert!(text.stdout.contains("fix: upgrade `left-pad` to ≥ 1.3.1"), "{}", text.stdout);
    assert_eq!(sc02(&world.mpak(&["scan", "bundle.mcpb", "--json"]).json())["status"], "not_run");
}

#[test]
fn what_cannot_be_used_is_refused_with_what_to_do() {
    let world = world();
    build(&world, "good", &[]);
    let bytes = std::fs::read(world.path("good")).unwrap();
    world.write("damaged", &bytes[..bytes.len() - 1]);
    for (args, code, expected) in [
        (&["scan", "bundle.mcpb", "--advisories", "damaged"][..], 4, "not a sound snapshot"),
        (&["scan", "bundle.mcpb", "--advisories", "osv/GHSA-1.json"], 4, "no snapshot of advisories"),
        (&["scan", "bundle.mcpb", "--advisories", "missing"], 5, "missing"),
        (&["advisories", "show", "damaged"], 4, "not a sound snapshot"),
        (&["advisories", "show"], 5, "advisories update"),
        (&["advisories", "build", "--osv", "kev.json", "--strict", "--out", "x"], 2, "without --strict"),
        (&["advisories", "build", "--osv", "kev.json", "--out", "x"], 2, "no record was found"),
        (&["advisories", "build", "--osv", "missing", "--out", "x"], 2, "missing"),
        (&["advisories", "build", "--osv", "osv", "--kev", "epss.csv", "--out", "x"], 2, "list of known exploited"),
        (&["advisories", "build", "--osv", "osv", "--key", "epss.csv", "--out", "x"], 2, "openssl genpkey"),
        (&["advisories", "build", "--osv", "osv", "--date", "today", "--out", "x"], 2, "2024-01-31"),
        (&["advisories", "build", "--out", "x"], 2, "--osv"),
    ] {
        let error = world.mpak(args).fails(code);
        assert!(error.contains(expected), "{args:?}: {error}");
    }
    assert!(!world.path("x").exists());
}

#[test]
fn the_registrys_snapshot_is_fetched_verified_and_used_by_scans() {
    let world = world();
    build(&world, "served", &["--key", "key"]);
    let path = world.path("served").display().to_string();
    let registry = Registry::start_with(&world, &["--advisories-path", &path]);
    let update =
        |more: &[&str]| world.mpak(&[&["advisories", "update", "--registry", &registry.url][..], more].concat());
    // 1. The first key seen is told and remembered; scans use the file.
    let ran = update(&[]);
    assert!(ran.stderr.contains(&format!("signs with {PUBLIC}")), "{}", ran.stderr);
    ran.ok();
    let ran = world.mpak(&["scan", "bundle.mcpb", "--json"]);
    assert_eq!(sc02(&ran.json())["status"], "fail");
    assert!(ran.stderr.contains("days old"), "{}", ran.stderr);
    assert!(update(&[]).stderr.contains("is up to date"));
    // 2. A newer one replaces it.
    build(&world, "served", &["--key", "key", "--date", "2024-03-01"]);
    let ran = update(&["--json"]);
    assert_eq!((ran.code, &ran.json()["head"]["date"]), (0, &json!("2024-03-01")));
    // 3. An older one does not, nor an unsigned, nor one by another key, nor a damaged one.
    for (arguments, expected) in [
        (&["--key", "key", "--date", "2024-02-01"][..], "is of 2024-02-01, ours is of 2024-03-01"),
        (&["--date", "2024-04-01"], "is not signed"),
        (&["--key", "other-key", "--date", "2024-04-01"], "signed by another key"),
    ] {
        build(&world, "served", arguments);
        let error = update(&[]).fails(4);
        assert!(error.contains(expected), "{error}");
    }
    assert!(update(&["--key", PUBLIC]).fails(4).contains("signed by another key"));
    assert_eq!(world.mpak(&["scan", "bundle.mcpb", "--json"]).json()["advisories"], "2024-03-01");
    update(&["--key", OTHER_PUBLIC]).ok();
    assert_eq!(world.mpak(&["scan", "bundle.mcpb", "--json"]).json()["advisories"], "2024-04-01");
    let bytes = std::fs::read(world.path("served")).unwrap();
    world.write("served", [&bytes[..bytes.len() - 1], &[bytes[bytes.len() - 1] ^ 1]].concat());
    update(&["--key", OTHER_PUBLIC]).fails(4);
    // 4. A file that somebody else put there is not used.
    build(&world, "home/.mpak/advisories", &["--date", "2025-01-01"]);
    let ran = world.mpak(&["scan", "bundle.mcpb", "--json"]);
    assert_eq!(sc02(&ran.json())["status"], "not_run");
    assert!(ran.stderr.contains("is not used: no key that this machine trusts signed it"), "{}", ran.stderr);
}

#[test]
fn a_registry_without_a_snapshot_says_so() {
    let world = world();
    let registry = Registry::start(&world);
    let error = world.mpak(&["advisories", "update", "--registry", &registry.url]).fails(5);
    assert!(error.contains("a snapshot of advisories was not found"), "{error}");
}
