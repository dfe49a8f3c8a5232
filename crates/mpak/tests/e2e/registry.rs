//! A real registry for a test: `mpak serve` on a free port, and a token to publish with.

#![allow(dead_code, reason = "each command's tests use their part")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use crate::world::World;

/// A running `mpak serve`; ended when dropped.
pub struct Registry {
    child: Child,
    /// `http://127.0.0.1:PORT`
    pub url: String,
    /// Allows publishing everything.
    pub token: String,
}

impl Registry {
    /// Starts on the data folder `registry` of a world.
    pub fn start(world: &World) -> Self {
        Self::start_with(world, &[])
    }

    /// Starts with further arguments.
    pub fn start_with(world: &World, arguments: &[&str]) -> Self {
        let data = world.path("registry").display().to_string();
        let log = std::fs::File::create(world.path("registry.log")).expect("a log file");
        let mut child = world
            .command(&[&["serve", "--data", &data, "--listen", "127.0.0.1:0"], arguments].concat())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the registry starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let Some(url) = line.trim().strip_prefix("listening on ").map(str::to_owned) else {
            let _ = child.kill();
            panic!(
                "`{line}` is not the address; log:\n{}",
                std::fs::read_to_string(world.path("registry.log")).unwrap_or_default()
            );
        };
        let made = world.mpak(&["admin", "token", "create", "--data", &data, "--name", "test", "--json"]);
        let token = made.json()["token"].as_str().expect("a token").to_owned();
        Self { child, url, token }
    }

    /// Id of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it at once, as a crash would.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
