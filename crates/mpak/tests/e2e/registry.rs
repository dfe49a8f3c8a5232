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
        Self::start_as(world, "registry", &[&["--data", &data], arguments].concat(), &["--data", &data])
    }

    /// Starts with the configuration file `NAME.toml` of a world.
    pub fn start_configured(world: &World, name: &str) -> Self {
        let file = world.path(&format!("{name}.toml")).display().to_string();
        Self::start_as(world, name, &["--config", &file], &["--config", &file])
    }

    /// Starts again, after a kill, with the configuration file `NAME.toml` of a world.
    pub fn start_again(world: &World, name: &str, token: &str) -> Self {
        let file = world.path(&format!("{name}.toml")).display().to_string();
        let (child, url) = Self::serve(world, name, &["--config", &file]);
        Self { child, url, token: token.to_owned() }
    }

    fn start_as(world: &World, name: &str, arguments: &[&str], administration: &[&str]) -> Self {
        let (child, url) = Self::serve(world, name, arguments);
        let made = world.mpak(&[&["admin", "token", "create", "--name", "test", "--json"], administration].concat());
        let token = made.json()["token"].as_str().expect("a token").to_owned();
        Self { child, url, token }
    }

    fn serve(world: &World, name: &str, arguments: &[&str]) -> (Child, String) {
        let log = world.path(&format!("{name}.log"));
        let mut child = world
            .command(&[&["serve", "--listen", "127.0.0.1:0"], arguments].concat())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).expect("a log file"))
            .spawn()
            .expect("the registry starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let Some(url) = line.trim().strip_prefix("listening on ").map(str::to_owned) else {
            let _ = child.kill();
            panic!("`{line}` is not the address; log:\n{}", std::fs::read_to_string(log).unwrap_or_default());
        };
        (child, url)
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
