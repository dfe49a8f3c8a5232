//! The whole road: packed, published to a started registry, found, shown, run by a real MCP client, and
//! run again without the registry. Real servers, vendored on the spot with npm, pip or uv.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use rmcp::ServiceExt as _;
use rmcp::model::CallToolRequestParams;
use rmcp::transport::TokioChildProcess;
use serde_json::{Value, json};

use crate::pack::mcpb;
use crate::registry::Registry;
use crate::world::World;

/// A server of `src/demo/`, and a call with a word that its answer must hold.
struct Walk {
    name: &'static str,
    /// Something only this server is found by.
    query: &'static str,
    tool: &'static str,
    arguments: Value,
    answer: &'static str,
}

fn demo(world: &World, name: &str) -> PathBuf {
    let from = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/demo").join(name);
    let to = world.path(name);
    copy(&from, &to);
    to
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a demo server").map(|e| e.expect("an entry")) {
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// Programs of the machine that a test cannot do without.
fn need(program: &str) {
    let found = Command::new(program).arg("--version").output().is_ok_and(|o| o.status.success());
    assert!(found, "this test needs `{program}` on PATH (README.md says what the tests need)");
}

/// `tools/list` and one `tools/call` through `mpak run`.
async fn talk(world: &World, package: &str, walk: &Walk) {
    let command = tokio::process::Command::from(world.command(&["run", package]));
    let transport = TokioChildProcess::new(command).expect("it starts");
    let client = ().serve(transport).await.unwrap_or_else(|e| panic!("{package} does not initialize: {e}"));
    let tools = client.list_all_tools().await.expect("it lists tools");
    assert!(tools.iter().any(|t| t.name == walk.tool), "{package} lists no `{}`", walk.tool);
    let arguments = walk.arguments.as_object().cloned().expect("an object");
    let call = CallToolRequestParams::new(walk.tool).with_arguments(arguments);
    let answer = serde_json::to_string(&client.call_tool(call).await.expect("it answers")).expect("json");
    assert!(answer.contains(walk.answer), "{package} answers {answer}");
    client.cancel().await.expect("it ends");
}

/// The same with Python's `mcp`, which the unpacked bundle itself carries.
fn talk_python(world: &World, bundle: &str, package: &str, walk: &Walk) {
    let unpacked = world.path("unpacked");
    world.mpak(&["unpack", bundle, &unpacked.display().to_string()]).ok();
    let run = world.command(&["run", package]);
    let output = Command::new("python3")
        .arg(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/client.py"))
        .args([walk.tool, &walk.arguments.to_string()])
        .arg(run.get_program())
        .args(run.get_args())
        .env_clear()
        .envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("PYTHONPATH", unpacked.join("server/lib"))
        .output()
        .expect("python3 starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains(walk.answer));
}

/// The npm tool unpacks the bundle to the same files as we do, and finds the manifest valid.
fn accepted_by_the_npm_tool(world: &World, bundle: &str) {
    let (ours, theirs) = (world.path("by-us"), world.path("by-npm-tool"));
    world.mpak(&["unpack", bundle, &ours.display().to_string()]).ok();
    let tool = |arguments: &[&str]| {
        let output = Command::new("node").arg(mcpb()).args(arguments).output().expect("node starts");
        assert!(output.status.success(), "mcpb {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    tool(&["unpack", bundle, &theirs.display().to_string()]);
    tool(&["validate", &theirs.display().to_string()]);
    let differs = Command::new("diff").arg("-r").args([&ours, &theirs]).output().expect("diff starts");
    assert!(differs.status.success(), "{}", String::from_utf8_lossy(&differs.stdout));
}

/// Packs with `arguments`, then walks the rest of the road.
async fn walk(world: World, folder: PathBuf, pack: &[&str], walk: Walk) {
    // 1. Pack, validate, scan.
    let bundle = world.path(&format!("{}.mcpb", walk.name)).display().to_string();
    world.mpak(&[&["pack", &folder.display().to_string(), &bundle], pack].concat()).ok();
    accepted_by_the_npm_tool(&world, &bundle);
    let scanned = world.mpak(&["scan", &bundle, "--json"]);
    assert!(scanned.code <= 1 && scanned.json()["controls"].is_array());
    // 2. Publish.
    let registry = Registry::start(&world);
    let package = format!("@demo/{}", walk.name);
    let world = world.with("MPAK_REGISTRY_URL", &registry.url).with("MPAK_TOKEN", &registry.token);
    world.mpak(&["publish", &bundle, "--name", &package]).ok();
    let again = world.mpak(&["publish", &bundle, "--name", &package, "--json"]);
    assert_eq!(again.json()["published"][0]["status"], "unchanged", "the same bytes are no new version");
    // 3. Find, show.
    let found = world.mpak(&["search", walk.query, "--json"]).json();
    assert_eq!(found["results"][0]["name"], package.as_str(), "{found}");
    assert!(world.mpak(&["show", &package, "--json"]).ok().contains(walk.tool));
    // 4. Run: downloaded, verified, extracted, started.
    talk(&world, &package, &walk).await;
    if walk.name == "time" {
        talk_python(&world, &bundle, &package, &walk);
    }
    // 5. Run again, the registry gone.
    registry.kill();
    talk(&world, &package, &walk).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rust_binary_walks_the_whole_road() {
    need("strip");
    let world = World::new();
    let folder = demo(&world, "example");
    let binary = folder.join("server/mpak");
    fs::create_dir_all(binary.parent().expect("a folder")).expect("a folder");
    // The debug build's symbols are nine tenths of it.
    let stripped = Command::new("strip").arg("-o").arg(&binary).arg(env!("CARGO_BIN_EXE_mpak")).status();
    assert!(stripped.is_ok_and(|s| s.success()));
    let example =
        Walk { name: "example", query: "harmless", tool: "add", arguments: json!({"numbers": [40, 2]}), answer: "42" };
    walk(world, folder, &[], example).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_server_walks_the_whole_road() {
    need("npm");
    let world = World::with_certificates();
    let folder = demo(&world, "everything");
    let everything = Walk {
        name: "everything",
        query: "reference",
        tool: "get-sum",
        arguments: json!({"a": 40, "b": 2}),
        answer: "42",
    };
    walk(world, folder, &["--vendor"], everything).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_server_walks_the_whole_road() {
    need("python3");
    let world = World::with_certificates();
    let folder = demo(&world, "time");
    let time = Walk {
        name: "time",
        query: "zones",
        tool: "get_current_time",
        arguments: json!({"timezone": "Europe/Zurich"}),
        answer: "Europe/Zurich",
    };
    walk(world, folder, &["--vendor"], time).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_uv_server_walks_the_whole_road() {
    need("uv");
    let world = World::with_certificates();
    let folder = demo(&world, "time-uv");
    let locked = Command::new("uv").args(["lock", "--quiet", "--directory"]).arg(&folder).status();
    assert!(locked.is_ok_and(|s| s.success()), "uv cannot lock");
    let time = Walk {
        name: "time-uv",
        query: "uv",
        tool: "get_current_time",
        arguments: json!({"timezone": "Asia/Tokyo"}),
        answer: "Asia/Tokyo",
    };
    walk(world, folder, &["--vendor"], time).await;
}
