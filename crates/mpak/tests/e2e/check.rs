//! `mpak check` as an author meets it.

use mpak_testkit::levels::fixture;
use serde_json::{Value, json};

use crate::world::World;

/// The folder of the bundle that reaches a level.
fn unpacked(world: &World, level: u8) {
    world.write("level.mcpb", fixture(level).bytes);
    world.mpak(&["unpack", "level.mcpb", "folder"]).ok();
}

#[test]
fn an_author_sees_everything_in_one_transcript() {
    let world = World::new();
    unpacked(&world, 1);
    let out = world.mpak(&["check", "folder"]).ok();
    assert!(out.starts_with("folder/manifest.json is valid (0.3): @acme/greeter 1.0.0"), "{out}");
    let digest = {
        world.mpak(&["pack", "folder", "again.mcpb"]).ok();
        mpak_bundle::digest::Sha256::of(&std::fs::read(world.path("again.mcpb")).unwrap()).to_string()
    };
    assert!(out.contains(&format!("sha256 {digest}; nothing was written")), "{out}");
    assert!(!world.path("folder.mcpb").exists());
    let last = out.lines().last().unwrap();
    assert!(last.starts_with("nothing that level 1 requires fails; above it: AI-01, "), "{out}");
    // At a higher level what fails is shown.
    let ran = world.mpak(&["check", "folder", "--level", "2"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stdout.contains("FAIL  PR-01 Source Repository (level 2)"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("AI-04 Reproducible"), "nobody asked for level 4:\n{}", ran.stdout);
}

#[test]
fn the_json_carries_manifest_pack_report_and_advice() {
    let world = World::new();
    unpacked(&world, 1);
    let ran = world.mpak(&["check", "folder", "--json"]);
    assert_eq!(ran.code, 0);
    let answer = ran.json();
    assert_eq!(answer["manifest"]["valid"], true);
    assert_eq!(answer["packed"]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(answer["report"]["controls"].as_array().unwrap().len(), mpak_scan::controls::CONTROLS.len());
    let edits = answer["next"]["edits"].as_array().unwrap();
    assert!(!edits.is_empty() && edits.iter().all(|edit| edit["what"].is_string()), "{answer}");
}

#[test]
fn what_is_wrong_with_the_manifest_is_told_and_the_rest_still_judged() {
    let world = World::new();
    unpacked(&world, 1);
    let text = std::fs::read_to_string(world.path("folder/manifest.json")).unwrap();
    let mut manifest: Value = serde_json::from_str(&text).unwrap();
    manifest["version"] = json!(7);
    world.write("folder/manifest.json", manifest.to_string());
    let ran = world.mpak(&["check", "folder"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    for expected in ["is not valid", "is not packed", "FAIL  AI-01"] {
        assert!(ran.stdout.contains(expected), "no `{expected}` in:\n{}", ran.stdout);
    }
    assert_eq!(world.mpak(&["check", "folder", "--json"]).json()["packed"], Value::Null);
    world.mpak(&["check", "absent"]).fails(5);
    world.mpak(&["check", "level.mcpb"]).fails(2);
    let hint = world.mpak(&["check", "home"]).fails(5);
    assert!(hint.contains("mpak init"), "{hint}");
}
