//! `mpak pack` as a user meets it: what it writes and says, what other tools make of it, vendoring.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mpak_bundle::archive::Bundle;
use mpak_bundle::collect::{Collected, collect};
use mpak_bundle::digest::Sha256;
use mpak_bundle::extract::{ExtractOptions, extract};
use mpak_bundle::limits::Limits;
use mpak_bundle::manifest::Contents as _;
use serde_json::{Value, json};

use crate::world::World;

fn manifest(kind: &str, entry_point: &str) -> String {
    let command = format!("${{__dirname}}/{entry_point}");
    let (command, args) = match kind {
        "binary" => (command.as_str(), json!([])),
        "python" => ("python3", json!([command])),
        _ => ("node", json!([command])),
    };
    json!({
        "manifest_version": "0.3", "name": "demo", "version": "1.2.3", "description": "A demo",
        "author": {"name": "Somebody"},
        "server": {"type": kind, "entry_point": entry_point,
            "mcp_config": {"command": command, "args": args, "env": {}}},
    })
    .to_string()
}

/// A world with a node server in `demo/`.
fn demo() -> World {
    let world = World::new();
    world.write("demo/manifest.json", manifest("node", "server/index.js"));
    world.write("demo/server/index.js", "console.log('hello')\n".repeat(100));
    world.write("demo/server/empty.js", "");
    world.write("demo/gr\u{fc}\u{df}e.txt", "hello");
    world.write("demo/ignored.log", "x");
    #[cfg(unix)]
    set_mode(&world.write("demo/tool.sh", "#!/bin/sh\n"), 0o755);
    world
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

/// A program of this machine that a test cannot do without.
#[track_caller]
fn tool(name: &str) -> Command {
    let mut command = Command::new(name);
    command.env_remove("PYTHONPATH");
    let found = Command::new(name).arg(if name == "unzip" { "-v" } else { "--version" }).output();
    assert!(found.is_ok_and(|o| o.status.success()), "this test needs `{name}`, which is not on the PATH");
    command
}

#[track_caller]
fn succeeds(command: &mut Command) -> Output {
    let output = command.output().expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}\n{}", text(&output.stdout), text(&output.stderr));
    output
}

#[track_caller]
fn collected(folder: &Path) -> Collected {
    collect(folder, &Limits::default(), &[]).expect("a folder")
}

/// Path, content, execute bit of every file.
fn files(folder: &Path) -> Vec<(String, Vec<u8>, bool)> {
    let files = collected(folder);
    let content = |file: &mpak_bundle::collect::CollectedFile| fs::read(&file.source).expect("a file");
    files.files().iter().map(|file| (file.path.to_string(), content(file), file.executable)).collect()
}

#[test]
fn the_path_goes_to_stdout_and_the_story_to_stderr() {
    let world = demo();
    let ran = world.mpak(&["pack", "demo"]);
    let bundle = world.root().canonicalize().expect("a root").join("demo.mcpb");
    let sha256 = Sha256::of(&fs::read(&bundle).expect("the bundle")).to_string();
    assert_eq!(ran.stdout.trim_end(), bundle.display().to_string());
    for part in ["demo@1.2.3", &sha256, "5 files", "1 ignored", "any (no native code)", "packed in"] {
        assert!(ran.stderr.contains(part), "{part}\n{}", ran.stderr);
    }
    ran.ok();
    // Nothing else was written, into the folder neither.
    let left: Vec<_> = fs::read_dir(world.root()).expect("a root").map(|e| e.expect("an entry").file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

#[test]
fn json_tells_everything() {
    let world = demo();
    world.write("demo/key.pem", "x");
    let ran = world.mpak(&["pack", "demo", "out/x.mcpb", "--json"]);
    let told = ran.json();
    let path = PathBuf::from(told["path"].as_str().expect("a path"));
    let bytes = fs::read(&path).expect("the bundle");
    assert!(path.is_absolute() && path.ends_with("out/x.mcpb"), "{told}");
    assert_eq!(told["name"], "demo");
    assert_eq!(told["version"], "1.2.3");
    assert_eq!(told["bytes"], bytes.len());
    assert_eq!(told["sha256"], Sha256::of(&bytes).to_string());
    assert_eq!(told["files"], 6);
    assert_eq!(told["ignored"], 1);
    assert_eq!(told["unpacked_bytes"], collected(&world.path("demo")).bytes());
    assert_eq!(told["platform"], "any");
    assert_eq!(told["vendored"], Value::Null);
    assert_eq!(told["skipped"], json!([]));
    assert_eq!(told["warnings"][0]["code"], "credentials");
    assert_eq!(ran.stderr, "");
}

#[test]
fn an_invalid_manifest_is_refused_and_nothing_is_written() {
    let world = demo();
    world.write("old.mcpb", "old");
    let cases = [
        ("{\"manifest_version\": \"0.3\"}".to_owned(), "name"),
        (manifest("node", "server/missing.js"), "server/missing.js"),
        ("{".to_owned(), "manifest.json"),
    ];
    for (text, named) in cases {
        world.write("demo/manifest.json", text);
        let error = world.mpak(&["pack", "demo", "old.mcpb"]).fails(1);
        assert!(error.contains(named), "{error}");
        assert_eq!(fs::read(world.path("old.mcpb")).expect("the old one"), b"old");
    }
    let ran = world.mpak(&["pack", "demo", "--json"]);
    assert_eq!(ran.json()["error"]["code"], "no");
}

#[test]
fn wrong_calls_have_their_codes() {
    let world = demo();
    fs::create_dir(world.path("empty")).expect("a folder");
    assert!(world.mpak(&["pack", "nowhere"]).fails(5).contains("nowhere"));
    assert!(world.mpak(&["pack", "empty"]).fails(5).contains("mpak init"));
    world.mpak(&["pack", "demo/manifest.json"]).fails(2);
    world.mpak(&["pack", "demo", "empty"]).fails(2);
    world.mpak(&["pack", "demo", "x", "y"]).fails(2);
    world.mpak(&["pack", "demo", "--platform", "linux-x64"]).fails(2);
    world.mpak(&["pack", "demo", "--vendor", "--platform", "plan9-x64"]).fails(2);
    assert!(world.mpak(&["pack", "demo", "--vendor", "--python-version", "3.12"]).fails(2).contains("node"));
}

#[cfg(unix)]
#[test]
fn links_pipes_and_unreadable_files_are_refused() {
    use std::os::unix::process::CommandExt as _;
    let world = demo();
    std::os::unix::fs::symlink("/etc/passwd", world.path("demo/link")).expect("a link");
    assert!(world.mpak(&["pack", "demo"]).fails(1).contains("leaves the folder"));
    fs::remove_file(world.path("demo/link")).expect("gone");
    succeeds(tool("mkfifo").arg(world.path("demo/pipe")));
    assert!(world.mpak(&["pack", "demo"]).fails(1).contains("named pipe"));
    fs::remove_file(world.path("demo/pipe")).expect("gone");
    // Root can read everything, so this runs as nobody then.
    set_mode(world.root(), 0o777);
    set_mode(&world.write("demo/secret", "x"), 0o000);
    let mut command = world.command(&["pack", "demo"]);
    if fs::read(world.path("demo/secret")).is_ok() {
        command.uid(65_534).gid(65_534);
    }
    let output = command.output().expect("it starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("cannot read `secret`"), "{error}");
    assert!(!world.path("demo.mcpb").exists());
}

/// Rows 88 and 89.
#[cfg(unix)]
#[test]
fn the_same_bytes_wherever_and_however_it_runs() {
    let world = demo();
    let digest = |args: &[&str], folder: &str, umask: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")]).arg(env!("CARGO_BIN_EXE_mpak"));
        let output = succeeds(command.args(args).args(["--json"]).env_clear().current_dir(world.path(folder)));
        let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        told["sha256"].as_str().expect("a digest").to_owned()
    };
    let first = digest(&["pack", "demo"], ".", "022");
    assert_eq!(digest(&["pack", ".", "out.zip"], "demo", "077"), first);
    assert_eq!(digest(&["pack", ".", "out.zip"], "demo", "000"), first, "the output packed itself");
    fs::remove_file(world.path("demo/out.zip")).expect("gone");
    let dated = world.mpak(&["pack", "demo", "dated.mcpb", "--json"]).json();
    assert_eq!(dated["sha256"], first);
    let world = world.with("SOURCE_DATE_EPOCH", "1700000000");
    let dated = world.mpak(&["pack", "demo", "dated.mcpb", "--json"]).json();
    assert_ne!(dated["sha256"], first);
    let listing = succeeds(tool("unzip").args(["-Z", "-T"]).arg(world.path("dated.mcpb")));
    assert!(String::from_utf8_lossy(&listing.stdout).contains("20231114.221320"), "{listing:?}");
}

#[test]
fn other_readers_accept_what_we_pack() {
    let world = demo();
    let bundle = world.mpak(&["pack", "demo"]).ok();
    let bundle = Path::new(bundle.trim_end());
    succeeds(tool("unzip").arg("-tqq").arg(bundle));
    let tested = succeeds(tool("python3").args(["-m", "zipfile", "-t"]).arg(bundle));
    assert_eq!(String::from_utf8_lossy(&tested.stdout).trim_end(), "Done testing");
    let out = world.path("unzipped");
    succeeds(tool("unzip").arg("-q").arg(bundle).arg("-d").arg(&out));
    assert_eq!(files(&out), files(&world.path("demo")));
}

/// The npm tool, installed once per build folder.
pub(crate) fn mcpb() -> PathBuf {
    const VERSION: &str = "2.1.2";
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("mcpb-{VERSION}"));
    fs::create_dir_all(&folder).expect("a folder");
    let lock = File::create(folder.join("lock")).expect("a lock");
    lock.lock().expect("locked");
    let program = folder.join("node_modules/@anthropic-ai/mcpb/dist/cli/cli.js");
    if !folder.join("done").exists() {
        let package = format!("@anthropic-ai/mcpb@{VERSION}");
        let mut npm = tool("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", "--prefix"]);
        succeeds(npm.arg(&folder).arg(package));
        fs::write(folder.join("done"), "").expect("a mark");
    }
    assert!(program.is_file(), "{} is missing", program.display());
    program
}

#[test]
fn the_npm_tool_validates_and_unpacks_what_we_pack() {
    let world = demo();
    let bundle = world.mpak(&["pack", "demo"]).ok();
    let (out, mcpb) = (world.path("unpacked"), mcpb());
    succeeds(tool("node").arg(&mcpb).arg("unpack").arg(bundle.trim_end()).arg(&out));
    succeeds(tool("node").arg(&mcpb).arg("validate").arg(&out));
    assert_eq!(files(&out), files(&world.path("demo")));
}

#[test]
fn we_open_and_pack_again_what_the_npm_tool_packs() {
    let world = demo();
    let theirs = world.path("theirs.mcpb");
    succeeds(tool("node").arg(mcpb()).arg("pack").arg(world.path("demo")).arg(&theirs));
    let limits = Limits::default();
    let bundle = Bundle::open(File::open(&theirs).expect("their bundle"), &limits).expect("a bundle");
    assert_eq!(bundle.manifest.name, "demo");
    let out = world.path("extracted");
    extract(&bundle.archive, &out, ExtractOptions::default()).expect("extracted");
    assert_eq!(files(&out), files(&world.path("demo")));
    // What they packed, packed by us, is what we pack from the author's folder.
    let again = world.mpak(&["pack", "extracted", "--json"]).json();
    let ours = world.mpak(&["pack", "demo", "--json"]).json();
    assert_eq!(again["sha256"], ours["sha256"]);
    let (ours, theirs) = (ours["bytes"].as_f64().expect("a size"), fs::metadata(theirs).expect("it").len());
    #[allow(clippy::cast_precision_loss, reason = "a small file")]
    let most = theirs as f64 * 1.02;
    assert!(ours <= most, "{ours} bytes, theirs {theirs}");
}

/// A package as `npm pack` writes it, so that npm needs no network.
fn npm_package(world: &World, path: &str, package: &Value) {
    world.write("staging/package/package.json", package.to_string());
    world.write("staging/package/index.js", "module.exports = 42\n");
    fs::create_dir_all(world.path(path).parent().expect("a folder")).expect("a folder");
    succeeds(tool("tar").arg("-czf").arg(world.path(path)).arg("-C").arg(world.path("staging")).arg("package"));
}

fn snapshot(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    let mut left = vec![folder.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry")) {
            let metadata = entry.metadata().expect("metadata");
            if metadata.is_dir() { left.push(entry.path()) } else { found.push((entry.path(), metadata.len())) }
        }
    }
    found.sort();
    found
}

#[test]
fn node_dependencies_are_vendored_into_a_copy_without_running_scripts() {
    let world = demo();
    let script = "node -e \"require('fs').writeFileSync('ran', '')\"";
    let dependency = json!({"name": "dep", "version": "1.0.0", "scripts": {"install": script}});
    npm_package(&world, "demo/dep.tgz", &dependency);
    npm_package(&world, "demo/dev.tgz", &json!({"name": "dev", "version": "1.0.0"}));
    let package = json!({"name": "demo", "version": "1.2.3", "dependencies": {"dep": "file:dep.tgz"},
        "devDependencies": {"dev": "file:dev.tgz"}});
    world.write("demo/package.json", package.to_string());
    // Left over from the author's own work; replaced in the copy.
    world.write("demo/node_modules/stale/index.js", "stale");
    world.write("demo/.mcpbignore", "*.tgz\n");
    let before = snapshot(&world.path("demo"));
    let told = world.mpak(&["pack", "demo", "--vendor", "--json"]).json();
    assert_eq!(told["vendored"]["tool"], "npm install", "{told}");
    assert_eq!(told["vendored"]["components"], 1);
    assert_eq!(told["skipped"][0]["code"], "install-script");
    assert_eq!(told["skipped"][0]["name"], "dep@1.0.0");
    assert_eq!(snapshot(&world.path("demo")), before, "the author's folder was changed");
    let paths = paths_of(&told);
    for path in ["node_modules/dep/index.js", "server/index.js", "package.json"] {
        assert!(paths.iter().any(|p| p == path), "{path} in {paths:?}");
    }
    for path in ["node_modules/dep/ran", "node_modules/stale/index.js", "node_modules/dev/index.js", "dep.tgz"] {
        assert!(!paths.iter().any(|p| p == path), "{path} in {paths:?}");
    }
    // With a lock file npm installs exactly it, and the bytes are the same each time.
    let mut npm = tool("npm");
    npm.args(["install", "--package-lock-only", "--ignore-scripts", "--no-audit"]).current_dir(world.path("demo"));
    succeeds(npm.env("HOME", world.path("home")));
    let first = world.mpak(&["pack", "demo", "--vendor", "--json"]).json();
    let second = world.mpak(&["pack", "demo", "--vendor", "--json"]).json();
    assert_eq!(first["vendored"]["tool"], "npm ci");
    assert_eq!(first["sha256"], second["sha256"]);
}

fn paths_of(told: &Value) -> Vec<String> {
    let file = File::open(told["path"].as_str().expect("a path")).expect("the bundle");
    Bundle::open(file, &Limits::default()).expect("a bundle").archive.paths()
}

/// A wheel that adds a module, and a starter script that pip writes with this machine's paths.
fn wheel(world: &World, path: &str, tag: &str, native: &[u8]) {
    let build = "import sys, zipfile\n\
        path, tag, native = sys.argv[1], sys.argv[2], bytes.fromhex(sys.argv[3])\n\
        info = 'dep-1.0.dist-info/'\n\
        with zipfile.ZipFile(path, 'w') as z:\n\
        \x20   z.writestr('dep/__init__.py', 'def main(): pass\\n')\n\
        \x20   if native: z.writestr('dep/native.so', native)\n\
        \x20   z.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: dep\\nVersion: 1.0\\n')\n\
        \x20   z.writestr(info + 'WHEEL', f'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: {tag}\\n')\n\
        \x20   z.writestr(info + 'entry_points.txt', '[console_scripts]\\ndep-tool = dep:main\\n')\n\
        \x20   z.writestr(info + 'RECORD', '')\n";
    let hex: String = native.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let place = world.path(path);
    fs::create_dir_all(place.parent().expect("a folder")).expect("a folder");
    succeeds(tool("python3").args(["-c", build]).arg(place).args([tag, &hex]));
}

fn python_demo(requirements: &str) -> World {
    let world = World::new();
    world.write("demo/manifest.json", manifest("python", "server/main.py"));
    world.write("demo/server/main.py", "import dep\n");
    world.write("demo/requirements.txt", requirements);
    world.write("demo/.mcpbignore", "wheels/\n");
    world
}

/// Only the interpreter on the `PATH`, so that pip is what is found.
#[cfg(unix)]
fn without_uv(world: World) -> World {
    let found = succeeds(tool("python3").args(["-c", "import sys; print(sys.executable)"]));
    let python = String::from_utf8_lossy(&found.stdout).trim_end().to_owned();
    fs::create_dir(world.path("bin")).expect("a folder");
    std::os::unix::fs::symlink(python, world.path("bin/python3")).expect("a link");
    let path = world.path("bin").display().to_string();
    world.with("PATH", path)
}

#[cfg(unix)]
#[test]
fn python_dependencies_are_vendored_with_uv_and_with_pip() {
    let elf = [b"\x7fELF\x02\x01\x01".as_slice(), &[0; 9], &[3, 0, 62, 0], &[0; 44]].concat();
    tool("uv");
    for expect in ["uv pip install", "pip install"] {
        let world = python_demo("./wheels/dep-1.0-py3-none-any.whl\n");
        wheel(&world, "demo/wheels/dep-1.0-py3-none-any.whl", "py3-none-any", &elf);
        // An earlier vendoring is replaced, not added to.
        world.write("demo/server/lib/stale-1.dist-info/METADATA", "x");
        let world = if expect == "pip install" { without_uv(world) } else { world };
        let before = snapshot(&world.path("demo"));
        let ran = world.mpak(&["pack", "demo", "--vendor", "--json"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let told = ran.json();
        assert_eq!(told["vendored"]["tool"], expect, "{told}");
        assert_eq!(told["vendored"]["into"], "server/lib");
        assert_eq!(told["vendored"]["components"], 1);
        assert_eq!(told["platform"], "linux-x64", "native code was not seen: {told}");
        assert_eq!(snapshot(&world.path("demo")), before, "the author's folder was changed");
        let paths = paths_of(&told);
        assert!(paths.iter().any(|p| p == "server/lib/dep/__init__.py"), "{paths:?}");
        for gone in ["server/lib/bin/", "server/lib/stale", "wheels/", "__pycache__", "direct_url.json", ".lock"] {
            assert!(!paths.iter().any(|p| p.contains(gone)), "{gone} in {paths:?}");
        }
        let again = world.mpak(&["pack", "demo", "--vendor", "--json"]).json();
        assert_eq!(again["sha256"], told["sha256"]);
    }
}

/// The server is a module of the author's own project, which is built where its files do no harm.
#[cfg(unix)]
#[test]
fn a_project_that_is_started_as_a_module_is_vendored_itself() {
    let backend = "import os, zipfile\n\
        def build_wheel(folder, settings=None, metadata=None):\n\
        \x20   open('left-by-the-build', 'w').close()\n\
        \x20   name, info = 'demo_mod-1.0-py3-none-any.whl', 'demo_mod-1.0.dist-info/'\n\
        \x20   with zipfile.ZipFile(os.path.join(folder, name), 'w') as z:\n\
        \x20       z.write('src/demo_mod/server.py', 'demo_mod/server.py')\n\
        \x20       z.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: demo-mod\\nVersion: 1.0\\n')\n\
        \x20       z.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n\
        \x20       z.writestr(info + 'RECORD', '')\n\
        \x20   return name\n";
    tool("uv");
    for expect in ["uv pip install", "pip install"] {
        let world = World::new();
        let text = manifest("python", "demo_mod.server")
            .replace("\"${__dirname}/demo_mod.server\"", "\"-m\",\"demo_mod.server\"");
        world.write("demo/manifest.json", text);
        world.write("demo/src/demo_mod/server.py", "print('hello')\n");
        world.write("demo/backend.py", backend);
        world.write(
            "demo/pyproject.toml",
            "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n\
             [project]\nname = \"demo-mod\"\nversion = \"1.0\"\n",
        );
        let world = if expect == "pip install" { without_uv(world) } else { world };
        let ran = world.mpak(&["pack", "demo", "--vendor", "--json"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let told = ran.json();
        assert_eq!((&told["vendored"]["tool"], &told["vendored"]["into"]), (&json!(expect), &json!("deps")));
        let paths = paths_of(&told);
        assert!(paths.iter().any(|p| p == "deps/demo_mod/server.py"), "{paths:?}");
        assert!(!paths.iter().any(|p| p.ends_with("left-by-the-build")), "{paths:?}");
    }
}

#[test]
fn a_package_without_a_wheel_for_the_platform_is_an_error_that_says_so() {
    let world = python_demo("./wheels/dep-1.0-cp312-cp312-win_amd64.whl\n");
    wheel(&world, "demo/wheels/dep-1.0-cp312-cp312-win_amd64.whl", "cp312-cp312-win_amd64", b"");
    let error =
        world.mpak(&["pack", "demo", "--vendor", "--python-version", "3.12", "--platform", "linux-x64"]).fails(1);
    assert!(error.contains("pip install") && error.contains("--allow-sdist"), "{error}");
    assert!(!world.path("demo.mcpb").exists());
    let told = world
        .mpak(&["pack", "demo", "--vendor", "--python-version", "3.12", "--platform", "win32-x64", "--json"])
        .json();
    assert_eq!(told["vendored"]["components"], 1, "{told}");
    world.mpak(&["pack", "demo", "--vendor", "--platform", "linux-any"]).fails(2);
    world.mpak(&["pack", "demo", "--vendor", "--python-version", "3"]).fails(2);
}

#[test]
fn dependencies_that_are_named_and_not_packed_are_told() {
    let world = demo();
    let codes = |world: &World| {
        let told = world.mpak(&["pack", "demo", "--json"]).json();
        let warnings = told["warnings"].as_array().expect("a list").clone();
        warnings.iter().map(|w| format!("{} {}", w["code"], w["place"]).replace('"', "")).collect::<Vec<_>>()
    };
    world.write("demo/package.json", r#"{"dependencies": {}}"#);
    assert_eq!(codes(&world), [""; 0]);
    world.write("demo/package.json", r#"{"dependencies": {"dep": "1.0.0"}}"#);
    assert_eq!(codes(&world), ["not-vendored package.json"]);
    world.write("demo/node_modules/dep/index.js", "");
    assert_eq!(codes(&world), [""; 0]);
    let world = python_demo("# nothing\n");
    assert_eq!(codes(&world), [""; 0]);
    world.write("demo/requirements.txt", "dep==1.0\n");
    assert_eq!(codes(&world), ["not-vendored requirements.txt"]);
    fs::remove_file(world.path("demo/requirements.txt")).expect("gone");
    world.write("demo/pyproject.toml", "[project]\ndependencies = [\"dep\"]\n");
    assert_eq!(codes(&world), ["not-vendored pyproject.toml"]);
    world.write("demo/server/lib/dep-1.0.dist-info/METADATA", "");
    assert_eq!(codes(&world), [""; 0]);
}

#[test]
fn what_a_package_manager_lacks_is_said() {
    let world = demo();
    let error = world.mpak(&["pack", "demo", "--vendor"]).fails(1);
    assert!(error.contains("package.json"), "{error}");
    world.write("demo/package.json", r#"{"name":"demo","dependencies":{"dep":"file:nowhere.tgz"}}"#);
    let error = world.mpak(&["pack", "demo", "--vendor"]).fails(1);
    assert!(error.contains("npm install") && error.contains("nowhere.tgz"), "{error}");
    let world = world.with("PATH", "");
    let error = world.mpak(&["pack", "demo", "--vendor"]).fails(1);
    assert!(error.contains("`npm` is needed") && error.contains("Node.js"), "{error}");
}

fn elf(machine: u8) -> Vec<u8> {
    [b"\x7fELF\x02\x01\x01".as_slice(), &[0; 9], &[3, 0, machine, 0], &[0; 44]].concat()
}

#[test]
fn programs_are_put_where_the_manifest_starts_them() {
    let world = World::new();
    let mut text: Value = serde_json::from_str(&manifest("binary", "server/demo")).expect("JSON");
    text["server"]["mcp_config"]["platform_overrides"] = json!({"win32": {"command": "${__dirname}/server/demo-win"}, "darwin": {"command": "${__dirname}/server/demo-mac"}});
    world.write("demo/manifest.json", text.to_string());
    world.write("built/linux", elf(62));
    world.write("built/arm", elf(183));
    let mac = [0xfeed_facf_u32.to_le_bytes(), 0x0100_000c_u32.to_le_bytes()].concat();
    world.write("built/mac", mac);
    // One for all.
    let told = world.mpak(&["pack", "demo", "--vendor", "--binary", "built/linux", "--json"]).json();
    assert_eq!(told["platform"], "linux-x64", "{told}");
    assert_eq!(paths_of(&told), ["manifest.json", "server/demo"]);
    let file = File::open(told["path"].as_str().expect("a path")).expect("the bundle");
    let bundle = Bundle::open(file, &Limits::default()).expect("a bundle");
    assert!(bundle.archive.entry("server/demo").expect("the program").executable);
    // One for each system.
    let each = [
        "pack",
        "demo",
        "--vendor",
        "--binary",
        "linux-x64=built/linux",
        "--binary",
        "darwin-arm64=built/mac",
        "--json",
    ];
    let told = world.mpak(&each).json();
    assert_eq!(told["platform"], Value::Null, "{told}");
    assert_eq!(told["platforms"], json!(["darwin-arm64", "linux-x64"]));
    assert_eq!(paths_of(&told), ["manifest.json", "server/demo", "server/demo-mac"]);
    // Named for another platform than it was built for; two in one place; none.
    let error = world.mpak(&["pack", "demo", "--vendor", "--binary", "linux-x64=built/arm"]).fails(1);
    assert!(error.contains("linux-arm64"), "{error}");
    let both = ["pack", "demo", "--vendor", "--binary", "linux-x64=built/linux", "--binary", "linux-arm64=built/arm"];
    assert!(world.mpak(&both).fails(1).contains("two programs"));
    assert!(world.mpak(&["pack", "demo", "--vendor"]).fails(1).contains("--binary"));
    assert!(world.mpak(&["pack", "demo", "--vendor", "--binary", "nowhere"]).fails(1).contains("nowhere"));
}
