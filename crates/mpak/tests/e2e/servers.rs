//! Bundles for the client's tests: servers that say what they were started with, and how they get into a
//! registry.

#![allow(dead_code, reason = "each command's tests use their part")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;

use base64::Engine as _;
use mpak_bundle::digest::Sha256;
use mpak_testkit::zip::{ZipBuilder, ZipEntry};
use serde_json::{Value, json};

use crate::registry::Registry;
use crate::world::World;

/// Says its arguments, working folder and environment, one per line, then does what `then` says.
pub fn telling(then: &str) -> String {
    format!(
        "#!/bin/sh\nfor a in \"$@\"; do echo \"arg:$a\"; done\necho \"cwd:$(pwd)\"\nenv | sed 's/^/env:/'\n{then}\n"
    )
}

/// A server that is a shell script: a binary server, so it needs no interpreter but what systems have.
pub struct Server {
    manifest: Value,
    zip: ZipBuilder,
    script: String,
}

impl Server {
    /// A server that tells what it was started with.
    pub fn new(name: &str, version: &str) -> Self {
        Self::running(name, version, &telling("exit 0"))
    }

    /// A server with this script.
    pub fn running(name: &str, version: &str, script: &str) -> Self {
        let manifest = json!({
            "manifest_version": "0.3",
            "name": name,
            "version": version,
            "description": "Tells what it was started with.",
            "author": {"name": "Tester"},
            "server": {
                "type": "binary",
                "entry_point": "server/tell",
                "mcp_config": {"command": "${__dirname}/server/tell", "args": [], "env": {}},
            },
            "tools": [{"name": "tell", "description": "Tells it."}],
        });
        Self { manifest, zip: ZipBuilder::default(), script: script.to_owned() }
    }

    /// Changes the manifest.
    pub fn manifest(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.manifest);
        self
    }

    /// Sets arguments and environment of the command line.
    pub fn config(self, args: &[&str], env: &Value) -> Self {
        self.manifest(|m| {
            m["server"]["mcp_config"]["args"] = json!(args);
            m["server"]["mcp_config"]["env"] = env.clone();
        })
    }

    /// Sets the options.
    pub fn options(self, options: &Value) -> Self {
        self.manifest(|m| m["user_config"] = options.clone())
    }

    /// Adds an entry as it is.
    pub fn entry(mut self, entry: ZipEntry) -> Self {
        self.zip.entry(entry);
        self
    }

    /// The bundle's bytes.
    pub fn bytes(mut self) -> Vec<u8> {
        self.zip.file("manifest.json", serde_json::to_vec(&self.manifest).expect("json"));
        self.zip.entry(ZipEntry::new("server/tell", self.script.clone()).mode(0o100_755));
        self.zip.build()
    }

    /// The bundle as a file of a world.
    pub fn file(self, world: &World, path: &str) -> PathBuf {
        world.write(path, self.bytes())
    }

    /// Publishes it.
    pub fn publish(self, registry: &Registry, package: &str, platform: &str) -> Sha256 {
        let version = self.manifest["version"].as_str().expect("a version").to_owned();
        let bytes = self.bytes();
        upload(registry, package, &version, platform, &bytes);
        Sha256::of(&bytes)
    }
}

/// The upload door, without our client.
pub fn upload(registry: &Registry, package: &str, version: &str, platform: &str, bytes: &[u8]) {
    let host = registry.url.strip_prefix("http://").expect("loopback");
    let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::of(bytes).as_bytes());
    let head = format!(
        "PUT /api/v1/packages/{package}/versions/{version}/artifacts/{platform} HTTP/1.1\r\nHost: {host}\r\n\
         Authorization: Bearer {}\r\nDigest: sha-256={digest}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        registry.token,
        bytes.len()
    );
    let mut stream = TcpStream::connect(host).expect("the registry listens");
    stream.write_all(head.as_bytes()).expect("it reads");
    stream.write_all(bytes).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}

/// What a telling server told of one kind: `arg`, `cwd`, `env`.
pub fn told<'a>(stdout: &'a str, kind: &str) -> Vec<&'a str> {
    stdout.lines().filter_map(|line| line.strip_prefix(kind)?.strip_prefix(':')).collect()
}

/// One variable that a telling server told.
pub fn told_env<'a>(stdout: &'a str, name: &str) -> Option<&'a str> {
    told(stdout, "env").into_iter().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
}
