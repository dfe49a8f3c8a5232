//! `mpak scan` of what was scanned before: the same answer in every form, whatever lies in the caches.

use std::fs;
use std::path::PathBuf;

use mpak_bundle::digest::Sha256;
use mpak_testkit::zip::{ZipBuilder, good_manifest};
use serde_json::{Value, json};

use crate::world::World;

const FORMS: [&str; 7] = ["text", "json", "sarif", "mtf", "web", "cyclonedx", "spdx"];

/// A server with vendored code, one of whose files says `own`.
fn bundle(own: &str) -> Vec<u8> {
    let mut manifest = good_manifest();
    manifest["server"] = json!({"type": "node", "entry_point": "server/main.js",
        "mcp_config": {"command": "node", "args": ["${__dirname}/server/main.js"]}});
    let mut builder = ZipBuilder::with_manifest(&manifest);
    builder.file("server/main.js", own);
    builder.file("node_modules/a/package.json", r#"{"name":"a","version":"1.0.0"}"#);
    for n in 0..30 {
        builder.file(format!("node_modules/a/lib/{n}.js"), format!("export const n = {n};\n"));
    }
    builder.file("node_modules/a/tools.js", "server.tool('b', ({x}) => require('child_process').exec(x));\n");
    builder.file("node_modules/a/key.js", format!("const db = '{}';\n", connection_string()));
    builder.build()
}

fn connection_string() -> String {
    ["postgres", "://admin:supersecret", "password123@db.acme.io/x"].concat()
}

const HARMLESS: &str = "server.tool('a', ({x}) => x);\n";
const HARMFUL: &str = "const {exec} = require('child_process');\nserver.tool('a', ({x}) => exec(x));\n";

fn kept(world: &World) -> Vec<PathBuf> {
    let all = fs::read_dir(world.path("home/.mpak/scan-reports")).into_iter().flatten().flatten();
    let mut all: Vec<PathBuf> = all.map(|entry| entry.path()).collect();
    all.sort();
    all
}

/// Everything that is printed, with the exit code; `--no-cache` says the truth.
fn same_as_cold(world: &World, args: &[&str], forms: &[&str]) {
    for form in forms {
        let scan = |more: &[&str]| {
            let ran = world.mpak(&[&["scan", "--format", form], args, more].concat());
            (ran.code, ran.stdout, ran.stderr)
        };
        let cold = scan(&["--no-cache"]);
        assert!(!cold.1.is_empty(), "{form}: {}", cold.2);
        assert_eq!(scan(&[]), cold, "{form} of {args:?}");
        assert_eq!(scan(&[]), cold, "{form} of {args:?} again");
    }
}

#[test]
fn the_answer_is_the_same_cold_warm_and_after_a_change_in_every_form() {
    let world = World::new().with("SOURCE_DATE_EPOCH", "1795240800");
    for own in [HARMLESS, HARMFUL, HARMLESS] {
        world.write("x.mcpb", bundle(own));
        same_as_cold(&world, &["x.mcpb"], &FORMS);
    }
    assert_eq!(kept(&world).len(), 2);
    for level in 1..=4 {
        let fixture = mpak_testkit::levels::fixture(level);
        world.write("x.mcpb", &fixture.bytes);
        world.write("evidence.json", fixture.evidence.to_string());
        same_as_cold(&world, &["x.mcpb", "--evidence", "evidence.json"], &["text", "json", "mtf"]);
        same_as_cold(&world, &["x.mcpb"], &["json"]);
    }
}

#[test]
fn a_kept_report_answers_for_the_very_same_bundle_only() {
    let world = World::new().with("SOURCE_DATE_EPOCH", "1795240800");
    let scan = |args: &[&str]| world.mpak(&[&["scan", "--json"], args].concat()).json();
    world.write("x.mcpb", bundle(HARMLESS));
    let first = scan(&["x.mcpb", "--no-cache"]);
    assert!(kept(&world).is_empty(), "nothing is kept where nothing is to be remembered");
    assert_eq!(scan(&["x.mcpb"]), first);
    let [path] = kept(&world).try_into().unwrap();
    let whole = fs::read(&path).unwrap();
    assert!(!String::from_utf8_lossy(&whole).contains("supersecret"));
    // Whoever owns the folder could write anything there, and that is what a second scan reads.
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    let asked: Sha256 = name.split_once('-').unwrap().1.parse().unwrap();
    let content: &[u8] = &whole[16 + 32..];
    let mut forged: Value = serde_json::from_slice(content).unwrap();
    forged["report"]["score"] = json!(99);
    let forged = forged.to_string();
    let sum = Sha256::of(&[asked.as_bytes(), forged.as_bytes()].concat());
    let forged = [&whole[..16], sum.as_bytes(), forged.as_bytes()].concat();
    world.write(&format!("home/.mpak/scan-reports/{name}"), &forged);
    assert_eq!(scan(&["x.mcpb"])["score"], 99, "the report was not looked up");
    assert_ne!(first["score"], 99);
    // It is not the answer to anything else.
    assert_eq!(scan(&["x.mcpb", "--no-cache"]), first);
    let empty = json!({"version": 1, "suppressions": []}).to_string();
    world.write("s.json", empty);
    assert_eq!(scan(&["x.mcpb", "--suppressions", "s.json"])["score"], first["score"]);
    world.write("p.toml", "version = 1\n");
    assert_eq!(scan(&["x.mcpb", "--policy", "p.toml"])["score"], first["score"]);
    world.write("e.json", json!({"version": 1}).to_string());
    assert_eq!(scan(&["x.mcpb", "--evidence", "e.json"])["score"], first["score"]);
    let other_day = world.command(&["scan", "--json", "x.mcpb"]).env("SOURCE_DATE_EPOCH", "1795340800").output();
    let other_day: Value = serde_json::from_slice(&other_day.unwrap().stdout).unwrap();
    assert_eq!(other_day, first);
    // Nor of a bundle that differs in one byte, nor of the folder.
    let mut bytes = bundle(HARMLESS);
    let at = bytes.windows(5).position(|window| window == b"Basic").unwrap_or(bytes.len() - 30);
    bytes[at] ^= 1;
    world.write("y.mcpb", &bytes);
    let ran = world.mpak(&["scan", "--json", "y.mcpb"]);
    assert_ne!(ran.json()["score"], 99);
    world.mpak(&["unpack", "x.mcpb", "folder"]).ok();
    assert_ne!(scan(&["folder"])["score"], 99);
}

#[test]
fn damaged_caches_change_nothing() {
    let world = World::new().with("SOURCE_DATE_EPOCH", "1795240800");
    world.write("x.mcpb", bundle(HARMFUL));
    let scan = |args: &[&str]| {
        let ran = world.mpak(&[&["scan", "--json", "x.mcpb"], args].concat());
        (ran.code, ran.stdout, ran.stderr)
    };
    let cold = scan(&["--no-cache"]);
    assert_eq!(scan(&[]), cold);
    let mut files = kept(&world);
    files.extend(["scan-cache", "scan-cache-parts"].map(|name| world.path("home/.mpak").join(name)));
    let whole: Vec<Vec<u8>> = files.iter().map(|path| fs::read(path).unwrap()).collect();
    for step in 0..12 {
        for (path, whole) in files.iter().zip(&whole) {
            let mut bytes = whole.clone();
            // Other places of every file in every round.
            for at in (step * 7..bytes.len()).step_by(97) {
                bytes[at] ^= 0x20;
            }
            fs::write(path, bytes).unwrap();
        }
        assert_eq!(scan(&[]), cold, "round {step}");
    }
}
