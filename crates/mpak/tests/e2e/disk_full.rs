//! A registry whose disk is full: a clear answer, nothing half-written, and the next publish that fits works.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use mpak_testkit::zip::{ZipBuilder, good_manifest};
use serde_json::Value;

use crate::world::World;

/// Larger than both disks below.
const LARGE_BYTES: usize = 30 << 20;

struct Full {
    child: Child,
    url: String,
    /// The data folder, as the server sees it.
    data: PathBuf,
}

impl Drop for Full {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts `mpak serve` from a shell script that makes room scarce; `$0` is the data folder.
fn start(world: &World, before: &[&str], script: &str) -> Full {
    let data = world.path("data");
    fs::create_dir(&data).unwrap();
    let serve = world.command(&["serve", "--data", data.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    let mut words = before.iter().copied().chain(["sh", "-c", script]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words).arg(&data).arg(serve.get_program()).args(serve.get_args());
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").stdin(Stdio::null());
    command.envs(serve.get_envs().filter_map(|(name, value)| value.map(|value| (name, value))));
    let log = fs::File::create(world.path("registry.log")).unwrap();
    let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").map(str::to_owned);
    let log = || fs::read_to_string(world.path("registry.log")).unwrap_or_default();
    let url = url.unwrap_or_else(|| panic!("it did not start: {}", log()));
    let data = PathBuf::from(format!("/proc/{}/root{}", child.id(), data.display()));
    Full { child, url, data }
}

fn bundle(name: &str, noise_bytes: usize) -> Vec<u8> {
    let mut manifest = good_manifest();
    manifest["name"] = name.into();
    let mut state = 1_u64;
    let noise = (0..noise_bytes).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    });
    let mut zip = ZipBuilder::with_manifest(&manifest);
    zip.file("noise", noise.collect::<Vec<_>>());
    zip.build()
}

fn files(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    entries.map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}

async fn refuses_and_goes_on(full: &Full) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let token = fs::read_to_string(full.data.join("first-token")).unwrap();
    let version = good_manifest()["version"].as_str().unwrap().to_owned();
    let put = |name: &str, bytes: Vec<u8>| {
        let path = format!("{}/api/v1/packages/@acme/{name}/versions/{version}/artifacts/any", full.url);
        client.put(path).bearer_auth(token.trim()).body(bytes).send()
    };
    // 1. Told clearly, and nothing of it stays.
    let refused = put("large", bundle("large", LARGE_BYTES)).await.unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers().contains_key("retry-after")), (507, true));
    assert_eq!(refused.json::<Value>().await.unwrap()["error"]["code"], "STORAGE_FULL");
    assert_eq!((files(&full.data.join("tmp")), files(&full.data.join("blobs"))), (0, 0));
    assert_eq!(client.get(format!("{}/v1/bundles/@acme/large", full.url)).send().await.unwrap().status(), 404);
    // 2. What fits is published.
    let small = bundle("small", 1_000);
    assert_eq!(put("small", small.clone()).await.unwrap().status(), 201);
    let path = format!("{}/v1/bundles/@acme/small/versions/{version}/download", full.url);
    let bytes = client.get(path).header("accept", "*/*").send().await.unwrap().bytes().await.unwrap();
    assert_eq!(bytes, small);
    assert_eq!(files(&full.data.join("blobs")), 1);
}

fn check(before: &[&str], script: &str) {
    let world = World::new();
    let full = start(&world, before, script);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(refuses_and_goes_on(&full));
}

#[test]
fn a_full_disk_refuses_what_does_not_fit() {
    check(&["unshare", "-rm"], "mount -t tmpfs -o size=24m tmpfs \"$0\" && exec \"$@\"");
}

#[test]
fn a_limit_on_files_refuses_what_does_not_fit() {
    // Units of 512 bytes: 16 MiB. The signal would end the server before it could answer.
    check(&[], "trap '' XFSZ; ulimit -f 32768; exec \"$@\"");
}
