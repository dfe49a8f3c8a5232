//! What is expected and what is not, on whole bundles.

use serde_json::json;

use crate::evidence::Evidence;

const ELF: &str = "\u{7f}ELF\u{2}\u{1}\u{1}\0";
const NODE: &str = "#!/usr/bin/env node\n";

/// Paths that are left, with what they are.
fn left(kind: &str, files: &[(&str, &str)]) -> Vec<String> {
    let document = json!({"server": {"type": kind, "entry_point": "server/main", "mcp_config": {
        "command": "${__dirname}/bin/tool", "args": ["--config=${__dirname}/conf/start.sh", "-m", "pkg.cli"],
        "platform_overrides": {"win32": {"command": "bin\\tool-win"}}}}});
    let evidence = Evidence::of_files(&document, files);
    evidence.completeness().unexpected.iter().map(|u| u.path.clone()).collect()
}

#[test]
fn what_the_manifest_names_is_expected() {
    let files = [
        ("server/main", ELF),
        ("bin/tool", ELF),
        ("bin/tool-win.exe", ELF),
        ("conf/start.sh", "#!/bin/sh\n"),
        ("pkg/cli.py", NODE),
    ];
    assert_eq!(left("binary", &files), Vec::<String>::new());
    assert_eq!(left("binary", &[("server/main2", ELF), ("bin/tool/x", ELF)]), ["bin/tool/x", "server/main2"]);
}

#[test]
fn what_nothing_refers_to_is_unexpected_whatever_its_name_is() {
    for (kind, path, content, unexpected) in [
        ("node", "server/data.txt", ELF, true),
        ("node", "server/icon.png", "#!/bin/sh\ncurl x | sh", true),
        ("node", "run.sh", "echo", true),
        ("node", "run.BAT", "echo", true),
        ("node", "x/y.pyc", "\u{3}\u{e}\r\n\0\0", true),
        ("node", ".cache/x.js", "evil()", true),
        ("node", "postinstall.js", "evil()", true),
        ("node", "a.whl", "PK\u{3}\u{4}", true),
        ("node", "server/cli.js", NODE, false),
        ("node", "server/cli.py", "#!/usr/bin/python3\n", true),
        ("python", "server/cli.py", "#!/usr/bin/python3\n", false),
        ("node", "server/lib.js", "x()", false),
        ("node", "server/mod.wasm", "\0asm\u{1}\0\0\0", false),
        ("node", ".hidden/mod.wasm", "\0asm\u{1}\0\0\0", true),
        ("node", "README.md", "# x", false),
        ("node", "empty.sh", "", false),
    ] {
        assert_eq!(left(kind, &[(path, content)]).len(), usize::from(unexpected), "{kind} {path}");
    }
}

#[test]
fn what_the_servers_own_files_speak_of_is_expected() {
    let spoken = |path: &str, by: (&str, &str)| left("node", &[(path, ELF), by]).is_empty();
    for (path, by, expected) in [
        ("bin/helper", ("server/index.js", "spawn(join(dir, 'helper'))"), true),
        ("native/addon_x64.node", ("server/index.js", "require('../native/addon_x64')"), true),
        ("bin/helper", ("README.md", "the helper"), false),
        ("bin/helper", ("server/index.js", "const helpers = 1; my_helper()"), false),
        ("bin/helper", ("node_modules/a/index.js", "'helper'"), false),
        ("bin/helper", ("manifest.json.bak.json", "{\"x\":\"helper\"}"), true),
        ("bin/x", ("server/index.js", "x"), false),
    ] {
        assert_eq!(spoken(path, by), expected, "{path} {by:?}");
    }
    // Itself is no witness.
    assert_eq!(left("node", &[("bin/helper.sh", "#!/bin/sh\nexec helper.sh")]).len(), 1);
}

#[test]
fn installed_packages_explain_what_they_list() {
    let hash = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
    let record = format!(
        "a/__init__.py,{hash},0\na/_x.so,{hash},\n../../bin/a-tool,{hash},\n\"a/with,comma.so\",{hash},\na/bare.so,,\n\
         a-1.dist-info/RECORD,,\n"
    );
    let site = |path: &'static str, content: &'static str| {
        left("python", &[("lib/a-1.dist-info/RECORD", &record), ("lib/a/__init__.py", ""), (path, content)])
    };
    for (path, content, unexpected) in [
        ("lib/a/_x.so", ELF, false),
        ("lib/bin/a-tool", "#!python\n", false),
        ("lib/a/with,comma.so", ELF, false),
        ("lib/a/bare.so", ELF, true),
        ("lib/a/_y.so", ELF, true),
        ("lib/a/evil.py", "evil()", true),
        ("lib/a/sub/evil.py", "evil()", true),
        ("lib/a/__pycache__/__init__.cpython-312.pyc", "\u{3}\u{e}\r\n\0\0", false),
        ("lib/a/data.json", "{}", false),
        ("lib/own.py", "x", false),
        ("server/own.py", "x", false),
    ] {
        assert_eq!(site(path, content).len(), usize::from(unexpected), "{path}: {:?}", site(path, content));
    }
}

#[test]
fn npm_packages_explain_native_code_that_they_announce() {
    for (package, path, unexpected) in [
        ("{}", "node_modules/a/build/Release/a.node", true),
        (r#"{"os":["linux"]}"#, "node_modules/a/a.node", false),
        (r#"{"bin":{"a":"bin/a"}}"#, "node_modules/a/bin/a", false),
        (r#"{"dependencies":{"node-gyp-build":"4"}}"#, "node_modules/a/prebuilds/linux-x64/a.node", false),
        (r#"{"files":["vendor/**"]}"#, "node_modules/a/vendor/tool", false),
        (r#"{"files":["lib"]}"#, "node_modules/a/vendor/tool", true),
        (r#"{"files":["vendor"]}"#, "node_modules/a/vendor2/tool", true),
        ("[", "node_modules/a/tool", true),
        (r#"{"files":7,"scripts":[],"dependencies":"x"}"#, "node_modules/a/tool", true),
    ] {
        let files = [("node_modules/a/package.json", package), (path, ELF)];
        assert_eq!(left("node", &files).len(), usize::from(unexpected), "{package} {path}");
    }
    assert!(left("node", &[("node_modules/a/package.json", "{}"), ("node_modules/a/x.sh", "#!/bin/sh")]).is_empty());
    assert_eq!(left("node", &[("node_modules/x.sh", "#!/bin/sh")]).len(), 1);
    assert_eq!(left("node", &[("node_modules/a/x.sh", "#!/bin/sh")]).len(), 1);
}

#[test]
fn records_cannot_reach_out_of_the_bundle() {
    let record = format!("../../../../etc/passwd,,\n/etc/passwd,,\n,,\n{}\n\"unclosed\n", "../".repeat(10_000));
    assert_eq!(left("python", &[("lib/a-1.dist-info/RECORD", &record), ("server/x.sh", "#!/bin/sh")]).len(), 1);
}
