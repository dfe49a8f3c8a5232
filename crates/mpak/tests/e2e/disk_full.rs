//! A registry whose disk is full: a clear answer, nothing half-written, and the next publish that fits works.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use mpak_testkit::emulators::{Emulator, Protocol};
use mpak_testkit::forge::{Delivery, Forge};
use mpak_testkit::issuer::{Issuer, SHA};
use mpak_testkit::postgres::{Database, Server};
use mpak_testkit::zip::{ZipBuilder, good_manifest};
use serde_json::Value;

use crate::faults::http::{Answer, Request};
use crate::faults::site::{Announcement, Bundle, REPOSITORY, until};
use crate::faults::sqlite::WriteLock;
use crate::registry::Registry;
use crate::world::{Ran, World};

/// Nearly the longest that are kept.
const README_BYTES: usize = 500 << 10;
const MANIFEST_BYTES: usize = 900 << 10;
/// Larger than both disks below.
const LARGE_BYTES: usize = 30 << 20;

struct Full {
    child: Child,
    url: String,
    /// The data folder, as the server sees it.
    data: PathBuf,
    /// Whether the server has file systems of its own.
    has_mounts: bool,
}

impl Full {
    /// A program among the file systems of the server. SQLite follows links, so that the path of `data` leads
    /// it elsewhere.
    fn beside(&self, program: &str) -> Command {
        if !self.has_mounts {
            return Command::new(program);
        }
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.child.id().to_string(), "--user", "--mount", "--preserve-credentials"]);
        command.arg(program);
        command
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts `mpak serve` from a shell script that makes room scarce; `$0` is the data folder.
fn start(world: &World, before: &[&str], script: &str) -> Full {
    start_with(world, before, script, &[])
}

/// The same with more arguments of `mpak serve`.
fn start_with(world: &World, before: &[&str], script: &str, more: &[&str]) -> Full {
    let data = world.path("data");
    fs::create_dir(&data).unwrap();
    let arguments = ["serve", "--data", data.to_str().unwrap(), "--listen", "127.0.0.1:0"];
    let serve = world.command(&[&arguments, more].concat());
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
    Full { child, url, data, has_mounts: !before.is_empty() }
}

fn bundle(name: &str, noise_bytes: usize) -> Vec<u8> {
    let mut manifest = good_manifest();
    manifest["name"] = name.into();
    let mut zip = ZipBuilder::with_manifest(&manifest);
    zip.file("noise", noise(noise_bytes));
    zip.build()
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let noise = (0..bytes).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    });
    noise.collect()
}

/// A bundle whose record is larger than what SQLite's write-ahead log already has on the disk.
fn bundle_with_much_to_record(name: &str) -> Vec<u8> {
    let mut manifest = good_manifest();
    let text = |bytes: usize| noise(bytes / 2).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    manifest["name"] = name.into();
    manifest["long_description"] = text(MANIFEST_BYTES).into();
    let mut zip = ZipBuilder::with_manifest(&manifest);
    zip.file("README.md", text(README_BYTES).into_bytes());
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

/// Runs `mpak admin verify`, which finds what was published.
fn assert_agrees(world: &World, full: &Full, artifacts: usize) {
    let verify = world.command(&["admin", "verify", "--data", world.path("data").to_str().unwrap(), "--json"]);
    let mut command = full.beside(verify.get_program().to_str().unwrap());
    let ran = Ran::from(command.args(verify.get_args()).output().unwrap());
    assert_eq!(ran.json()["artifacts"], artifacts, "{}", ran.stderr);
    ran.ok();
}

/// Fills what is left of the disk.
fn fill(file: &Path) {
    let mut filler = fs::File::create(file).unwrap();
    for size in [1 << 20, 4_096, 1] {
        let zeros = vec![0; size];
        while filler.write_all(&zeros).is_ok() {}
    }
}

fn check(before: &[&str], script: &str) {
    let world = World::new();
    let full = start(&world, before, script);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(refuses_and_goes_on(&full));
    assert_agrees(&world, &full, 1);
    until("the file of the static index", || full.data.join("public/index/v1/@acme/small.json").exists());
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

#[test]
fn a_disk_that_is_full_when_the_bundle_is_recorded_is_told_and_nothing_is_recorded() {
    let world = World::new();
    let full = start(&world, &["unshare", "-rm"], "mount -t tmpfs -o size=24m tmpfs \"$0\" && exec \"$@\"");
    let token = format!("authorization: Bearer {}", fs::read_to_string(full.data.join("first-token")).unwrap().trim());
    let version = good_manifest()["version"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/packages/@acme/small/versions/{version}/artifacts/any");
    let bytes = bundle_with_much_to_record("small");
    let begin = || {
        let mut request = Request::begin(&full.url, "PUT", &path, &[&token], bytes.len());
        request.send(&bytes);
        request
    };
    // 1. The blob is stored, and the write turn is somebody else's.
    let held = WriteLock::take(full.beside("python3"), &world.path("data/registry.db"));
    let request = begin();
    until("the blob", || files(&full.data.join("blobs")) == 1);
    // 2. No room for the record.
    let log_bytes = fs::metadata(full.data.join("registry.db-wal")).unwrap().len();
    assert!(log_bytes < (README_BYTES + MANIFEST_BYTES) as u64, "{log_bytes} bytes could take the record");
    let filler = full.data.join("filler");
    fill(&filler);
    drop(held);
    let answer = request.answer();
    assert_eq!((answer.status(), &answer.json()["error"]["code"]), (507, &"STORAGE_FULL".into()), "{}", answer.json());
    assert_agrees(&world, &full, 0);
    let known = Request::begin(&full.url, "GET", "/v1/bundles/@acme/small", &[], 0).answer();
    assert_eq!(known.status(), 404);
    // 3. With room, the same publish works.
    fs::remove_file(filler).unwrap();
    let log = fs::read_to_string(world.path("registry.log")).unwrap();
    let answer = begin().answer();
    assert_eq!(answer.json()["status"], "created", "{}\n{log}", answer.json());
    assert_agrees(&world, &full, 1);
}

/// What is fetched lies on the disk for a while, also where an object store keeps the blobs.
#[test]
fn a_release_that_does_not_fit_on_the_disk_is_told_and_a_smaller_one_is_published() {
    let world = World::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (issuer, forge) = runtime.block_on(async { (Issuer::start().await, Forge::start().await) });
    let store = Emulator::start(Protocol::S3);
    let config = format!(
        "[outbound]\nallow_loopback = true\n[[publishing.issuer]]\nkind = 'github'\nissuer = '{}'\napi_url = '{}'\n{}",
        issuer.url(),
        forge.url(),
        crate::moves::storage(&store),
    );
    let config = world.write("registry.toml", config).display().to_string();
    let script = "mount -t tmpfs -o size=8m tmpfs \"$0\" && exec \"$@\"";
    let full = start_with(&world, &["unshare", "-rm"], script, &["--config", &config]);
    forge.tag(REPOSITORY, "v1.0.0", SHA);
    let announce = |bundle: &Bundle| {
        forge.asset(REPOSITORY, "v1.0.0", &bundle.file(), Delivery::Whole(bundle.bytes.clone()));
        Announcement::of(&issuer, bundle).begin(&full.url).answer()
    };
    let refused = announce(&Bundle::new("@acme/large", true));
    assert_eq!((refused.status(), &refused.json()["error"]["code"]), (507, &"STORAGE_FULL".into()), "{refused:?}");
    assert_eq!(files(&full.data.join("tmp")), 0);
    let done = announce(&Bundle::new("@acme/small", false));
    assert_eq!(done.json()["status"], "created", "{}", done.json());
    let verify = world.command(&["admin", "verify", "--data", world.path("data").to_str().unwrap(), "--json"]);
    let mut command = full.beside(verify.get_program().to_str().unwrap());
    let ran = Ran::from(command.args(verify.get_args()).args(["--config", &config]).output().unwrap());
    assert_eq!(ran.json()["artifacts"], 1, "{}", ran.stderr);
    ran.ok();
}

/// A registry on a database of PostgreSQL that runs out of room.
struct Site<'a> {
    world: &'a World,
    registry: Registry,
    token: String,
    version: String,
    /// Path of its configuration.
    config: String,
}

impl<'a> Site<'a> {
    fn on(world: &'a World, database: &Database) -> Self {
        let config = format!("data = 'data'\n[database]\nurl = '{}'\n", database.url());
        let config = world.write("site.toml", config).display().to_string();
        let registry = Registry::start_configured(world, "site");
        let token = format!("authorization: Bearer {}", registry.token);
        let version = good_manifest()["version"].as_str().unwrap().to_owned();
        Self { world, registry, token, version, config }
    }

    fn publish(&self, name: &str, bytes: &[u8]) -> Answer {
        let path = format!("/api/v1/packages/@acme/{name}/versions/{}/artifacts/any", self.version);
        Request::begin(&self.registry.url, "PUT", &path, &[&self.token], bytes.len()).whole(bytes)
    }

    /// Database, blobs and events agree, on so many artifacts.
    fn agrees(&self, artifacts: usize) {
        let found = self.world.mpak(&["admin", "verify", "--config", &self.config, "--json"]);
        assert_eq!((found.code, found.json()["artifacts"].as_u64()), (0, Some(artifacts as u64)), "{}", found.stderr);
    }
}

/// Without room for its log of what is to be written PostgreSQL ends all connections, and itself.
#[test]
fn a_log_of_postgresql_without_room_is_told_and_with_room_the_same_publish_works() {
    let world = World::new();
    let server = Arc::new(Server::start_with_small_log(48));
    let database = Database::create_on(&server);
    let site = Site::on(&world, &database);
    // 1. What the log has is used up in the middle of a publish.
    server.fill_log();
    let (mut done, mut refused) = (0, None);
    while refused.is_none() {
        let name = format!("package-{done}");
        let bytes = bundle_with_much_to_record(&name);
        let answer = site.publish(&name, &bytes);
        match answer.status() {
            201 => done += 1,
            _ => refused = Some((name, bytes, answer)),
        }
        assert!(done < 60, "the log has room for ever");
    }
    let (name, bytes, answer) = refused.unwrap();
    // PostgreSQL says so to whoever wrote, and ends everybody else's connection without a word.
    let told = (answer.status(), answer.json()["error"]["code"].clone());
    let expected = [(507, "STORAGE_FULL".into()), (503, "SERVICE_UNAVAILABLE".into())];
    assert!(expected.contains(&told), "{told:?} {}", answer.json());
    let alive = Request::begin(&site.registry.url, "GET", "/health", &[], 0).answer();
    assert_eq!(alive.status(), 200);
    // 2. With room it starts, unless it goes on by itself; nothing of the publish is there, and it works.
    server.empty_log();
    let _goes_on_by_itself = server.go_on();
    until("the database", || Request::begin(&site.registry.url, "GET", "/ready", &[], 0).answer().status() == 200);
    site.agrees(done);
    assert_eq!(site.publish(&name, &bytes).json()["status"], "created");
    site.agrees(done + 1);
}

/// PostgreSQL's own disk.
#[test]
fn a_full_disk_of_postgresql_is_told_reads_go_on_and_with_room_the_same_publish_works() {
    let world = World::new();
    let server = Arc::new(Server::start_with_small_disk(48));
    let database = Database::create_on_small_disk(&server);
    let site = Site::on(&world, &database);
    assert_eq!(site.publish("first", &bundle("first", 1_000)).json()["status"], "created");
    // 1. Told, with nothing recorded; what is there is served.
    assert!(database.fill() > 10, "there was hardly any room");
    let bytes = bundle_with_much_to_record("small");
    let answer = site.publish("small", &bytes);
    assert_eq!((answer.status(), &answer.json()["error"]["code"]), (507, &"STORAGE_FULL".into()), "{}", answer.json());
    for (path, status) in [("first", 200), ("small", 404), ("first/versions/latest/download", 200)] {
        let asked = Request::begin(&site.registry.url, "GET", &format!("/v1/bundles/@acme/{path}"), &[], 0).answer();
        assert_eq!(asked.status(), status, "{path}: {}", asked.json());
    }
    site.agrees(1);
    // 2. With room, the same publish works.
    database.execute("DROP TABLE filler");
    until("the same publish", || {
        let answer = site.publish("small", &bytes);
        assert!([201, 507].contains(&answer.status()), "{}", answer.json());
        answer.status() == 201
    });
    site.agrees(2);
}
