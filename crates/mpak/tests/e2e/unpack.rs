//! `mpak unpack` as a user meets it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use mpak_testkit::zip::{ZipBuilder, ZipEntry, good_manifest, minimal_bundle};
use serde_json::json;

use super::world::World;

/// The last line says how long it took; tests compare the rest.
fn timeless(text: &str) -> String {
    text.lines().map(|line| line.rsplit_once(" in ").map_or(line, |(rest, _)| rest)).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_bundle_becomes_a_folder() {
    let world = World::new();
    world.write("good.mcpb", minimal_bundle());
    let ran = world.mpak(&["unpack", "good.mcpb", "out"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.stdout, "");
    assert_eq!(timeless(&ran.stderr), "unpacked good-bundle 1.0.0: 2 files, 471 B, to out");
    assert_eq!(fs::read_to_string(world.path("out/server/index.js")).unwrap(), "console.log('hello');\n");
    assert!(world.path("out/manifest.json").exists());
}

#[test]
fn without_a_folder_the_current_one_is_filled_if_it_is_empty() {
    let world = World::new();
    let file = world.write("good.mcpb", minimal_bundle());
    let stderr = world.mpak(&["unpack", "good.mcpb"]).fails(2);
    assert_eq!(
        stderr,
        "error: `.` already exists and is not an empty folder\n  \
         help: name a folder that does not exist yet: mpak unpack good.mcpb NEW-FOLDER\n"
    );
    let empty = world.path("empty");
    fs::create_dir(&empty).unwrap();
    let file = file.display().to_string();
    let output = world.command(&["unpack", &file]).current_dir(&empty).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(empty.join("manifest.json").exists());
    assert_eq!(fs::read_dir(&empty).unwrap().count(), 2);
}

#[test]
fn json_tells_the_same() {
    let world = World::new();
    let mut zip = ZipBuilder::good();
    zip.entry(ZipEntry::new("a", "x").mode(0o100_777));
    world.write("good.mcpb", zip.build());
    let ran = world.mpak(&["unpack", "good.mcpb", "out", "--json"]);
    assert_eq!(
        ran.json(),
        json!({
            "name": "good-bundle", "version": "1.0.0", "folder": "out", "files": 3, "bytes": 472,
            "findings": [{
                "code": "mode-world-writable", "path": "a",
                "message": "a file has the mode 0777, writable for everybody; it becomes 0755 or 0644",
            }],
            "warnings": [],
        })
    );
    assert!(ran.stderr.starts_with("warning: mode-world-writable: `a`: a file has the mode 0777"), "{}", ran.stderr);
}

#[test]
fn a_refused_file_exits_65_and_leaves_nothing() {
    let world = World::new();
    let mut traversal = ZipBuilder::good();
    traversal.file("../evil.txt", "x");
    let mut wrong = ZipBuilder::good();
    wrong.spoil("server/index.js", |e| {
        e.local.crc32 = Some(1);
        e.central.crc32 = Some(1);
    });
    let cases = [
        ("traversal", traversal.build(), "entry `../evil.txt`: the name holds `..` (name-traversal)"),
        ("text", b"hello".to_vec(), "this is not a ZIP file (not-a-zip)"),
        ("wrong", wrong.build(), "`server/index.js` has the checksum 036c7909, expected 00000001 (crc-differs)"),
    ];
    for (name, bytes, cause) in cases {
        let file = format!("{name}.mcpb");
        world.write(&file, bytes);
        let stderr = world.mpak(&["unpack", &file, "out"]).fails(65);
        let head = format!("error: `{file}` is not a bundle that can be read\n  cause: {cause}\n  help: ");
        assert!(stderr.starts_with(&head), "{stderr}");
        assert!(!world.path("out").exists());
        assert!(!world.path("evil.txt").exists());
        fs::remove_file(world.path(&file)).unwrap();
        let left: Vec<_> = fs::read_dir(world.root()).unwrap().map(|item| item.unwrap().file_name()).collect();
        assert_eq!(left, ["home"]);
    }
}

#[test]
fn errors_are_json_when_json_is_asked_for() {
    let world = World::new();
    world.write("text.mcpb", "hello");
    let ran = world.mpak(&["unpack", "text.mcpb", "out", "--json"]);
    assert_eq!(ran.code, 65);
    let error = &ran.json()["error"];
    assert_eq!(error["code"], "not_a_bundle");
    assert_eq!(error["causes"], json!(["this is not a ZIP file (not-a-zip)"]));
}

#[test]
fn a_missing_file_exits_5_and_a_folder_65() {
    let world = World::new();
    let stderr = world.mpak(&["unpack", "none.mcpb", "out"]).fails(5);
    assert_eq!(stderr, "error: there is no file `none.mcpb`\n  help: give the path of a .mcpb file\n");
    world.mpak(&["unpack", "home", "out"]).fails(65);
}

#[test]
fn the_program_of_a_binary_bundle_becomes_executable_whatever_the_umask() {
    let world = World::new();
    let mut manifest = good_manifest();
    manifest["server"] = json!({
        "type": "binary", "entry_point": "server/run",
        "mcp_config": { "command": "${__dirname}/server/run", "args": [], "env": {} },
    });
    let mut zip = ZipBuilder::with_manifest(&manifest);
    zip.file("server/run", "#!/bin/sh\n");
    world.write("binary.mcpb", zip.build());
    let status = Command::new("sh")
        .args(["-c", "umask 077; exec \"$0\" unpack binary.mcpb out", env!("CARGO_BIN_EXE_mpak")])
        .current_dir(world.root())
        .env_clear()
        .status()
        .unwrap();
    assert!(status.success());
    for (path, expected) in
        [("out", 0o755), ("out/server", 0o755), ("out/server/run", 0o755), ("out/manifest.json", 0o644)]
    {
        let mode = fs::metadata(world.path(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, expected, "{path}: {mode:o}");
    }
}
