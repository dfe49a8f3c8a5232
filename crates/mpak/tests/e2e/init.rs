//! `mpak init` as a user meets it.

use std::fs;

use serde_json::{Value, json};

use crate::world::World;

fn written(world: &World, path: &str) -> Value {
    let text = fs::read_to_string(world.path(path)).expect("a manifest");
    assert!(text.ends_with("}\n") && text.starts_with("{\n  \"manifest_version\""), "{text}");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn a_node_project_becomes_a_manifest() {
    let world = World::new();
    world.write("p/lib/start.js", "");
    world.write(
        "p/package.json",
        r#"{"name":"@acme/x","version":"2.1.0","description":"Does x","main":"./lib/start.js","license":"MIT","keywords":["a"],
           "author":"A B <a@example.org> (https://example.org)","repository":"git+https://example.org/a/x.git","homepage":"nonsense"}"#,
    );
    let ran = world.mpak(&["init", "p", "--yes"]);
    assert_eq!(
        ran.stderr,
        "left out: homepage: expected a URL, found `nonsense`\nNext steps:\n  1. mpak validate p\n  2. mpak pack p --vendor\n"
    );
    assert_eq!(ran.ok(), "Created p/manifest.json\n");
    assert_eq!(
        written(&world, "p/manifest.json"),
        json!({
            "manifest_version": "0.3", "name": "@acme/x", "version": "2.1.0", "description": "Does x",
            "author": {"name": "A B", "email": "a@example.org", "url": "https://example.org"},
            "server": {"type": "node", "entry_point": "lib/start.js",
                "mcp_config": {"command": "node", "args": ["${__dirname}/lib/start.js"]}},
            "keywords": ["a"], "license": "MIT", "repository": {"type": "git", "url": "https://example.org/a/x"}
        })
    );
    assert_eq!(world.mpak(&["validate", "p"]).ok(), "p/manifest.json is valid (0.3): @acme/x 2.1.0\n");
}

#[test]
fn python_uv_and_rust_projects_are_known_by_their_files() {
    let world = World::new();
    let pyproject = "[project]\nname = \"py-x\"\nversion = \"0.2.0\"\ndescription = \"d\"\nlicense = {text = \"MIT\"}\n\
                     authors = [{name = \"A\", email = \"a@example.org\"}]\n[project.urls]\nHomepage = \"https://example.org\"\n";
    world.write("py/pyproject.toml", pyproject);
    world.write("py/src/py_x/__main__.py", "");
    world.write("uv/pyproject.toml", pyproject);
    world.write("uv/uv.lock", "");
    world.write("uv/src/server.py", "");
    world
        .write("rs/Cargo.toml", "[package]\nname = \"rs-x\"\nversion = {workspace = true}\n[[bin]]\nname = \"tool\"\n");
    world.write("rs/server/tool", "");
    for (folder, version, server) in [
        (
            "py",
            "0.3",
            json!({"type": "python", "entry_point": "src/py_x/__main__.py", "mcp_config": {"command": "python",
            "args": ["${__dirname}/src/py_x/__main__.py"], "env": {"PYTHONPATH": "${__dirname}/server/lib"}}}),
        ),
        (
            "uv",
            "0.4",
            json!({"type": "uv", "entry_point": "src/server.py", "mcp_config": {"command": "uv",
            "args": ["run", "--directory", "${__dirname}", "src/server.py"]}}),
        ),
        (
            "rs",
            "0.3",
            json!({"type": "binary", "entry_point": "server/tool",
            "mcp_config": {"command": "${__dirname}/server/tool", "args": []}}),
        ),
    ] {
        world.mpak(&["init", folder]).ok();
        let manifest = written(&world, &format!("{folder}/manifest.json"));
        assert_eq!((&manifest["manifest_version"], &manifest["server"]), (&json!(version), &server));
        world.mpak(&["validate", folder]).ok();
    }
    assert_eq!(written(&world, "rs/manifest.json")["version"], "1.0.0");
    assert_eq!(written(&world, "py/manifest.json")["author"], json!({"name": "A", "email": "a@example.org"}));
}

#[test]
fn an_empty_folder_gives_a_manifest_that_waits_for_its_entry_point() {
    let world = World::new();
    fs::create_dir(world.path("My Server")).unwrap();
    let ran = world.mpak(&["init", "My Server", "-y"]);
    assert!(ran.stderr.starts_with("The entry point `server/index.js` does not exist yet.\n"), "{}", ran.stderr);
    ran.ok();
    assert_eq!(written(&world, "My Server/manifest.json")["name"], "my-server");
    assert_eq!(world.mpak(&["validate", "My Server"]).code, 1);
    world.write("My Server/server/index.js", "");
    world.mpak(&["validate", "My Server"]).ok();
}

#[test]
fn an_existing_manifest_is_never_overwritten_without_force() {
    let world = World::new();
    world.write("manifest.json", "mine");
    let err = world.mpak(&["init", "--yes"]).fails(1);
    assert_eq!(
        err,
        "error: `manifest.json` already exists\n  help: `mpak validate .` checks it; `--force` overwrites it\n"
    );
    assert_eq!(fs::read_to_string(world.path("manifest.json")).unwrap(), "mine");
    world.mpak(&["init", "--yes", "--force"]).ok();
    assert_eq!(written(&world, "manifest.json")["manifest_version"], "0.3");
}

#[test]
fn flags_choose_version_and_type() {
    let world = World::new();
    let json = world.mpak(&["init", "--type", "python", "--manifest-version", "0.2", "--json"]).json();
    assert_eq!(json["created"], "manifest.json");
    assert_eq!(json["manifest"]["manifest_version"], "0.2");
    assert_eq!(json["manifest"]["server"]["type"], "python");
    assert_eq!(written(&world, "manifest.json"), json["manifest"]);
    world.mpak(&["init", "--force", "--type", "uv"]).ok();
    assert_eq!(written(&world, "manifest.json")["manifest_version"], "0.4");
    let err = world.mpak(&["init", "--force", "--type", "uv", "--manifest-version", "0.3"]).fails(2);
    assert!(err.starts_with("error: a `uv` server needs manifest version 0.4, found `0.3`\n"), "{err}");
    world.mpak(&["init", "--type", "ruby"]).fails(2);
    assert_eq!(
        world.mpak(&["init", "nowhere"]).fails(5),
        "error: there is no folder `nowhere`\n  help: create it first\n"
    );
}

#[test]
fn a_broken_project_file_is_named_and_nothing_is_written() {
    let world = World::new();
    world.write("package.json", "{");
    let err = world.mpak(&["init", "--yes"]).fails(1);
    assert!(err.starts_with("error: cannot read `./package.json`\n  cause: "), "{err}");
    assert!(!world.path("manifest.json").exists());
}
