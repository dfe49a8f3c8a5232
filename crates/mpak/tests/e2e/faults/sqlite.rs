//! The process killed at the stages of an upload into SQLite and a folder that can be met from outside;
//! `serve.rs` kills it at any other time.

use std::io::{BufRead as _, BufReader};
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
    let path = format!("/api/v1/packages/{}/versions/1.0.0/artifacts/any", bundle.name);
    let token = format!("authorization: Bearer {}", registry.token);
    Request::begin(&registry.url, "PUT", &path, &[&token], bundle.bytes.len())
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
