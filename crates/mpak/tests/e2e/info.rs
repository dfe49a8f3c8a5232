//! `mpak info` as a user meets it.

use mpak_testkit::zip::{ZipBuilder, ZipEntry, good_manifest, minimal_bundle, signature_block};
use serde_json::json;

use super::world::World;

#[test]
fn a_bundle_is_described() {
    let world = World::new();
    world.write("good.mcpb", minimal_bundle());
    let stdout = world.mpak(&["info", "good.mcpb"]).ok();
    let bytes = minimal_bundle().len();
    let lines: Vec<&str> = stdout.lines().filter(|line| !line.starts_with("sha256")).collect();
    assert_eq!(
        lines,
        [
            "good-bundle 1.0.0",
            "  A good bundle.",
            &format!("file       good.mcpb, {bytes} B ({bytes} bytes)"),
            "contents   2 files, 471 B unpacked",
            "server     node, server/index.js",
            "manifest   0.3",
            "author     Tester",
            "platforms  not declared",
            "native     none",
            "signature  none",
            "tool       greet: Says hello.",
        ]
    );
    let digest = mpak_bundle::digest::Sha256::of(&minimal_bundle());
    assert!(stdout.contains(&format!("sha256     {digest}\n")), "{stdout}");
}

/// With everything that has a line of its own, and texts that try to reach the terminal.
fn rich() -> Vec<u8> {
    let mut manifest = good_manifest();
    manifest["description"] = json!("Bright \u{1b}[31mred");
    manifest["license"] = json!("MIT");
    manifest["author"] = json!({ "name": "Tester", "email": "tester@example.com", "url": "https://example.com" });
    manifest["compatibility"] = json!({ "platforms": ["linux", "darwin"] });
    manifest["tools_generated"] = json!(true);
    manifest["user_config"] = json!({ "key": { "type": "string", "title": "Key", "description": "A key", "required": true, "sensitive": true } });
    let mut zip = ZipBuilder::with_manifest(&manifest);
    let elf = [b"\x7fELF\x02\x01\x01\0".as_slice(), &[0; 8], &[3, 0, 0x3e, 0, 1, 0, 0, 0], &[0; 40]].concat();
    zip.file("lib/native.node", elf);
    zip.entry(ZipEntry::new("a", "x").mode(0o100_777));
    zip.suffix = signature_block(&[0x30; 100]);
    zip.build()
}

#[test]
fn native_code_signature_config_and_remarks_are_told() {
    let world = World::new();
    world.write("rich.mcpb", rich());
    let stdout = world.mpak(&["info", "rich.mcpb"]).ok();
    for line in [
        "  Bright \\u{1b}[31mred",
        "author     Tester <tester@example.com> (https://example.com)",
        "license    MIT",
        "platforms  linux, darwin",
        "native     lib/native.node (linux-x64)",
        "signature  block of 127 bytes, not checked",
        "config     key (string, required, secret): Key",
        "tool       more are made at run time",
        "remark     mode-world-writable: `a`: a file has the mode 0777, writable for everybody; it becomes 0755 or 0644",
    ] {
        assert!(stdout.lines().any(|found| found == line), "{line} in\n{stdout}");
    }
    assert!(!stdout.contains('\u{1b}'));
}

#[test]
fn json_has_every_member() {
    let world = World::new();
    world.write("rich.mcpb", rich());
    let info = world.mpak(&["info", "rich.mcpb", "--json"]).json();
    assert_eq!(info["name"], "good-bundle");
    assert_eq!(info["server"], json!({ "type": "node", "entry_point": "server/index.js" }));
    assert_eq!(info["platforms"], json!(["linux", "darwin"]));
    assert_eq!(info["platform"], "linux-x64");
    assert_eq!(info["native_code"], json!([{ "path": "lib/native.node", "platform": "linux-x64" }]));
    assert_eq!(info["sha256"], mpak_bundle::digest::Sha256::of(&rich()).to_string());
    assert_eq!(info["bytes"], rich().len());
    assert_eq!(info["files"], 4);
    assert_eq!(info["signature"], json!({ "bytes": 127, "checked": false }));
    assert_eq!(info["tools"], json!([{ "name": "greet", "description": "Says hello." }]));
    assert_eq!(info["tools_generated"], true);
    assert_eq!(info["findings"][0]["code"], "mode-world-writable");
    let members: Vec<&String> = info.as_object().unwrap().keys().collect();
    assert_eq!(
        members,
        [
            "name",
            "version",
            "display_name",
            "description",
            "author",
            "license",
            "manifest_version",
            "server",
            "platforms",
            "platform",
            "native_code",
            "file",
            "bytes",
            "sha256",
            "files",
            "unpacked_bytes",
            "signature",
            "tools",
            "tools_generated",
            "prompts",
            "user_config",
            "findings",
            "warnings",
        ]
    );
}

#[test]
fn an_unsound_bundle_exits_65() {
    let world = World::new();
    let mut zip = ZipBuilder::good();
    zip.spoil("server/index.js", |e| e.packed = Some(vec![7; 30]));
    world.write("bad.mcpb", zip.build());
    let stderr = world.mpak(&["info", "bad.mcpb"]).fails(65);
    assert_eq!(
        stderr,
        "error: `bad.mcpb` is not a bundle that can be read\n  \
         cause: the compressed data of `server/index.js` is invalid (deflate-invalid)\n  \
         help: the file is damaged or made to deceive; take it from its publisher again\n"
    );
    world.mpak(&["info", "none.mcpb"]).fails(5);
}
