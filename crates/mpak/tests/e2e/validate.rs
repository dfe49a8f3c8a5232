//! `mpak validate` as an author meets it.

use mpak_testkit::zip::good_bundle;
use serde_json::{Value, json};

use crate::world::World;

fn manifest() -> Value {
    json!({
        "manifest_version": "0.3", "name": "my-server", "version": "1.0.0", "description": "d", "author": {"name": "a"},
        "server": {"type": "node", "entry_point": "server/index.js",
            "mcp_config": {"command": "node", "args": ["${__dirname}/server/index.js"]}}
    })
}

fn world(manifest: &Value) -> World {
    let world = World::new();
    world.write("server/server/index.js", "");
    world.write("server/manifest.json", serde_json::to_string_pretty(manifest).expect("JSON"));
    world
}

#[test]
fn a_good_manifest_is_valid_by_folder_and_by_file() {
    let world = world(&manifest());
    for path in ["server", "server/manifest.json"] {
        let ran = world.mpak(&["validate", path]);
        assert_eq!(ran.stderr, "");
        assert_eq!(ran.ok(), "server/manifest.json is valid (0.3): my-server 1.0.0\n");
    }
    let ran = world.command(&["validate", "manifest.json"]).current_dir(world.path("server")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "manifest.json is valid (0.3): my-server 1.0.0\n");
}

#[test]
fn problems_are_told_with_place_and_help() {
    let mut bad = manifest();
    bad["version"] = json!("1");
    bad["homepage"] = json!("javascript:alert(1)");
    bad["server"]["mcp_config"]["env"] = json!({"PATH": "x\u{1b}[2J"});
    let ran = world(&bad).mpak(&["validate", "server"]);
    assert_eq!(ran.code, 1);
    insta::assert_snapshot!("validate_problems", ran.stdout);
    assert_eq!(ran.stderr, "");
}

#[test]
fn warnings_do_not_change_the_exit_code() {
    let mut manifest = manifest();
    manifest["server"]["mcp_config"]["command"] = json!("npx");
    let out = world(&manifest).mpak(&["validate", "server"]).ok();
    insta::assert_snapshot!("validate_warning", out);
}

#[test]
fn the_files_around_the_manifest_count_as_pack_would_see_them() {
    let world = world(&manifest());
    world.write("server/.mcpbignore", "server/\n");
    let ran = world.mpak(&["validate", "server"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.starts_with("error[entry-point-missing]: "), "{}", ran.stdout);
    // Under another name there is no folder to look into.
    let other = world.write("elsewhere/draft.json", manifest().to_string());
    let out = world.mpak(&["validate", other.to_str().unwrap()]).ok();
    assert!(out.starts_with("note: its files were not checked"), "{out}");
}

#[test]
fn json_has_one_shape_for_valid_and_invalid() {
    let mut bad = manifest();
    bad["name"] = json!("");
    let ran = world(&bad).mpak(&["validate", "server", "--json"]);
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.json(),
        json!({
            "valid": false,
            "manifest_version": "0.3",
            "problems": [{
                "severity": "error",
                "code": "name-invalid",
                "pointer": "/name",
                "line": 3,
                "message": "expected a name like `my-server` or `@scope/my-server`, found an empty text: ``",
                "help": "use letters, digits and hyphens"
            }],
            "note": null
        })
    );
    let ran = world(&manifest()).mpak(&["validate", "server", "--json"]);
    assert_eq!(ran.json(), json!({"valid": true, "manifest_version": "0.3", "problems": [], "note": null}));
    assert_eq!(ran.code, 0);
}

#[test]
fn a_bundle_is_checked_inside() {
    let world = World::new();
    world.write("good.mcpb", good_bundle(&manifest(), &[("server/index.js", b"")]));
    assert_eq!(
        world.mpak(&["validate", "good.mcpb"]).ok(),
        "good.mcpb/manifest.json is valid (0.3): my-server 1.0.0\n"
    );
    world.write("no-entry.mcpb", good_bundle(&manifest(), &[]));
    let ran = world.mpak(&["validate", "no-entry.mcpb"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.contains("error[entry-point-missing]"), "{}", ran.stdout);
}

#[test]
fn what_cannot_be_read_has_its_own_exit_codes() {
    let world = World::new();
    world.write("broken.mcpb", "no zip at all");
    world.write("empty/x", "");
    let err = world.mpak(&["validate", "broken.mcpb"]).fails(65);
    assert!(err.starts_with("error: `broken.mcpb` is not a bundle that can be read\n  cause: "), "{err}");
    assert!(err.contains("(not-a-zip)\n  help: "), "{err}");
    // what no other command would take is not called valid
    world.write("con.mcpb", good_bundle(&manifest(), &[("server/index.js", b""), ("con", b"")]));
    let err = world.mpak(&["validate", "con.mcpb"]).fails(65);
    assert!(err.contains("(name-windows)\n  help: "), "{err}");
    let err = world.mpak(&["validate", "/dev/null"]).fails(65);
    assert!(err.contains("(not-a-file)"), "{err}");
    let err = world.mpak(&["validate", "empty"]).fails(5);
    assert_eq!(err, "error: there is no `empty/manifest.json`\n  help: `mpak init empty` writes one\n");
    assert_eq!(world.mpak(&["validate", "nowhere"]).fails(5), "error: there is no `nowhere`\n");
    world.mpak(&["validate"]).fails(2);
    let ran = world.mpak(&["validate", "nowhere", "--json"]);
    assert_eq!(ran.json()["error"]["code"], "not_found");
}

#[test]
fn text_that_is_no_json_is_one_problem() {
    let world = World::new();
    world.write("manifest.json", "{\n  \"name\": 'x'\n}\n");
    let ran = world.mpak(&["validate", "manifest.json"]);
    assert_eq!(ran.code, 1);
    let expected = "error[json-syntax]: expected a value, found `'` (column 11)\n --> manifest.json:2\n  help: texts stand \
                    in double quotes\n\nmanifest.json is not valid, 1 error\n";
    assert_eq!(ran.stdout, expected);
}
