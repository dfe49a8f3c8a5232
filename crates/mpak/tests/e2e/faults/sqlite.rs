//! The process killed at the stages of an upload into SQLite and a folder that can be met from outside;
//! `serve.rs` kills it at any other time.

use std::io::{self, BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::http::Request;
use super::site::{Bundle, until};
use crate::registry::Registry;
use crate::world::World;

/// SQLite's write lock of a server, taken by another process until this is dropped.
pub struct WriteLock(Child);

impl WriteLock {
    /// Takes it with this `python3`.
    pub fn take(mut python: Command, database: &Path) -> Self {
        let script = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
                      c.execute('begin immediate')\nprint('held', flush=True)\nsys.stdin.read()\n";
        python.args(["-c", script]).arg(database).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = python.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "held");
        Self(child)
    }
}

impl Drop for WriteLock {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

fn begin(registry: &Registry, bundle: &Bundle) -> Request {
    try_begin(registry, bundle).unwrap()
}

fn try_begin(registry: &Registry, bundle: &Bundle) -> io::Result<Request> {
    let path = format!("/api/v1/packages/{}/versions/1.0.0/artifacts/any", bundle.name);
    let token = format!("authorization: Bearer {}", registry.token);
    Request::try_begin(&registry.url, "PUT", &path, &[&token], bundle.bytes.len())
}

fn verdict(world: &World) -> Value {
    let ran = world.mpak(&["admin", "verify", "--data", &world.path("registry").display().to_string(), "--json"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    ran.json()
}

/// Starts again, finds nothing published, and publishes.
fn goes_on(world: &World, bundle: &Bundle) {
    let registry = Registry::start(world);
    let staged = std::fs::read_dir(world.path("registry/tmp")).unwrap().count();
    assert_eq!(staged, 0, "leftovers are removed");
    let asked = Request::begin(&registry.url, "GET", &format!("/v1/bundles/{}", bundle.name), &[], 0).answer();
    assert_eq!(asked.status(), 404);
    let mut request = begin(&registry, bundle);
    request.send(&bundle.bytes);
    assert_eq!(request.answer().json()["status"], "created");
    let found = verdict(world);
    assert_eq!((&found["artifacts"], &found["strays"]), (&1.into(), &0.into()), "{found}");
}

#[test]
fn a_kill_while_the_body_arrives_leaves_nothing() {
    let world = World::new();
    let registry = Registry::start(&world);
    let bundle = Bundle::new("@acme/widget", false);
    let mut request = begin(&registry, &bundle);
    request.send(&bundle.bytes[..bundle.bytes.len() / 2]);
    until("a staged upload", || std::fs::read_dir(world.path("registry/tmp")).unwrap().count() > 0);
    registry.kill();
    assert_eq!(request.answer().status(), 0);
    assert_eq!(verdict(&world)["strays"], 0);
    goes_on(&world, &bundle);
}

#[test]
fn a_kill_between_blob_and_transaction_leaves_a_blob_that_the_next_publish_uses() {
    let world = World::new();
    let registry = Registry::start(&world);
    let bundle = Bundle::new("@acme/widget", false);
    let lock = WriteLock::take(Command::new("python3"), &world.path("registry/registry.db"));
    let mut request = begin(&registry, &bundle);
    request.send(&bundle.bytes);
    until("the blob", || {
        let folders = std::fs::read_dir(world.path("registry/blobs/sha256")).unwrap();
        folders.flatten().any(|folder| std::fs::read_dir(folder.path()).is_ok_and(|files| files.count() > 0))
    });
    registry.kill();
    drop(lock);
    assert_eq!(request.answer().status(), 0);
    assert_eq!(verdict(&world)["strays"], 1);
    goes_on(&world, &bundle);
}

/// Calls of the kernel by which something becomes durable or visible: whoever is killed before each of them was
/// killed between any two steps that a publish leaves behind.
const CALLS: &[&str] = &["fsync,fdatasync", "rename,renameat,renameat2", "pwrite64", "unlink,unlinkat"];
/// More calls of a kind than a publish makes on one thread.
const CALLS_MAX: usize = 40;

/// `strace` on a server, which kills it right before the nth such call of one of its threads.
struct Killer(Child);

impl Killer {
    fn attach(registry: &Registry, calls: &str, nth: usize) -> Self {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-o", "/dev/null", "-p", &registry.id().to_string()]);
        strace.args(["-e", &format!("trace={calls}")]);
        strace.args(["-e", &format!("inject={calls}:signal=KILL:when={nth}")]);
        let child = strace.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.expect("strace is needed for this test: install strace");
        let traced = format!("/proc/{}/task", registry.id());
        until("strace on every thread", || {
            let threads = std::fs::read_dir(&traced).into_iter().flatten().flatten();
            let status = |thread: std::fs::DirEntry| std::fs::read_to_string(thread.path().join("status"));
            let is_traced = |status: String| !status.contains("TracerPid:\t0\n") || status.contains("State:\tZ");
            threads.filter_map(|thread| status(thread).ok()).all(is_traced)
        });
        Self(child)
    }
}

impl Drop for Killer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_kill_between_any_two_steps_on_the_disk_leaves_a_whole_or_nothing() {
    let mut kills = 0;
    for calls in CALLS {
        let world = World::new();
        let mut published = 0;
        for nth in 1..=CALLS_MAX {
            let bundle = Bundle::new(&format!("@acme/bundle-{nth}"), false);
            let registry = Registry::start(&world);
            // 1. Up to the nth call of a kind.
            let killer = Killer::attach(&registry, calls, nth);
            // What the server does by itself may come first.
            let request = try_begin(&registry, &bundle);
            let is_killed = request.map_or(true, |request| request.whole(&bundle.bytes).status() == 0);
            drop(killer);
            registry.kill();
            // 2. What is there is whole, and told of; nothing else is.
            let found = verdict(&world)["artifacts"].as_u64().unwrap();
            assert!((published..=published + 1).contains(&found), "{calls} {nth}: {found} of {published}");
            let is_there = found > published;
            assert!(is_there || is_killed, "{calls} {nth}: acknowledged and lost");
            // 3. The same publish again.
            let registry = Registry::start(&world);
            let mut request = begin(&registry, &bundle);
            request.send(&bundle.bytes);
            let answer = request.answer();
            let expected = if is_there { "unchanged" } else { "created" };
            assert_eq!(answer.json()["status"], expected, "{calls} {nth}: {}", answer.json());
            registry.kill();
            let after = verdict(&world);
            published += 1;
            assert_eq!(
                (&after["artifacts"], &after["strays"]),
                (&published.into(), &0.into()),
                "{calls} {nth}: {after}"
            );
            if !is_killed {
                break;
            }
            kills += 1;
            assert!(nth < CALLS_MAX, "a publish has no end of {calls}");
        }
    }
    assert!(kills >= 8, "only {kills} kills");
}

#[test]
fn a_kill_while_a_bundle_leaves_the_folder_cuts_it_off_and_hurts_nothing() {
    let world = World::new();
    let registry = Registry::start(&world);
    let bundle = Bundle::new("@acme/widget", true);
    let mut request = begin(&registry, &bundle);
    request.send(&bundle.bytes);
    assert_eq!(request.answer().json()["status"], "created");
    let path = "/v1/bundles/@acme/widget/versions/1.0.0/download";
    // More than fits into sockets: whoever does not read gets a part of it.
    let download = Request::begin(&registry.url, "GET", path, &["accept: */*"], 0);
    download.wait_for_bytes();
    registry.kill();
    assert_eq!(download.answer().status(), 0);
    let registry = Registry::start(&world);
    assert!(Request::begin(&registry.url, "GET", path, &["accept: */*"], 0).answer().body() == bundle.bytes);
    assert_eq!(verdict(&world)["artifacts"], 1);
}

#[test]
fn a_folder_that_is_gone_for_a_while_is_told_and_nothing_is_taken_for_missing() {
    let world = World::new();
    let registry = Registry::start(&world);
    let (kept, new) = (Bundle::new("@acme/kept", false), Bundle::new("@acme/new", false));
    let publish = |bundle: &Bundle| {
        let mut request = begin(&registry, bundle);
        request.send(&bundle.bytes);
        request.answer()
    };
    assert_eq!(publish(&kept).json()["status"], "created");
    let (blobs, elsewhere) = (world.path("registry/blobs"), world.path("elsewhere"));
    let download = |headers: &[&str]| {
        Request::begin(&registry.url, "GET", "/v1/bundles/@acme/kept/versions/1.0.0/download", headers, 0).answer()
    };
    // As a file system that is not mounted.
    std::fs::rename(&blobs, &elsewhere).unwrap();
    for answer in [publish(&new), download(&["accept: */*"])] {
        assert!([500, 503].contains(&answer.status()), "{} {}", answer.status(), answer.json());
        assert!(
            answer.json()["error"]["message"].as_str().is_some_and(|m| m.contains("try again")),
            "{}",
            answer.json()
        );
    }
    assert_eq!(Request::begin(&registry.url, "GET", "/ready", &[], 0).answer().status(), 503);
    let _ = std::fs::remove_dir_all(&blobs);
    std::fs::rename(&elsewhere, &blobs).unwrap();
    assert!(download(&["accept: */*"]).body() == kept.bytes);
    assert_eq!(publish(&new).json()["status"], "created");
    assert_eq!(verdict(&world)["artifacts"], 2);
}

#[test]
fn a_database_that_another_program_holds_is_told_and_the_same_publish_works_later() {
    let world = World::new();
    let registry = Registry::start(&world);
    let bundle = Bundle::new("@acme/widget", false);
    let publish = || {
        let mut request = begin(&registry, &bundle);
        request.send(&bundle.bytes);
        request.answer()
    };
    let lock = WriteLock::take(Command::new("python3"), &world.path("registry/registry.db"));
    let answer = publish();
    let message = answer.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
    assert!(answer.status() == 503 && message.contains("database does not answer"), "{} {message}", answer.status());
    // Reads go on meanwhile.
    assert_eq!(Request::begin(&registry.url, "GET", "/v1/bundles/search", &[], 0).answer().status(), 200);
    drop(lock);
    assert_eq!(publish().json()["status"], "created");
    assert_eq!(verdict(&world)["strays"], 0);
}
