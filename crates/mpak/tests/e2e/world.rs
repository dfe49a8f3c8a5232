//! A test's world: its own home folder, an empty environment, the real binary.

#![allow(dead_code, reason = "each command's tests use their part of the world")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// One test's folders and environment.
pub struct World {
    root: tempfile::TempDir,
    env: Vec<(String, String)>,
}

/// What a run of the binary gave.
#[derive(Debug)]
pub struct Ran {
    /// Exit code; -1 after a signal.
    pub code: i32,
    /// Data.
    pub stdout: String,
    /// Text for people.
    pub stderr: String,
}

impl World {
    /// Starts with an empty home, and only `PATH` and `HOME` in the environment.
    #[allow(clippy::disallowed_methods, reason = "tests hand their PATH on, and nothing else")]
    pub fn new() -> Self {
        let root = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir_all(root.path().join("home")).expect("a home");
        let path = std::env::var("PATH").unwrap_or_default();
        let home = root.path().join("home").display().to_string();
        Self { root, env: vec![("PATH".into(), path), ("HOME".into(), home)] }
    }

    /// A world whose programs may also reach package registries: the machine's proxy and certificate
    /// settings are handed on.
    #[allow(clippy::disallowed_methods, reason = "tests hand these on, and nothing else")]
    pub fn with_certificates() -> Self {
        let handed_on = |name: &str| {
            let lower = name.to_ascii_lowercase();
            ["_cert", "_ca_", "_proxy", "ssl_", "npm_config_", "pip_", "uv_"].iter().any(|part| lower.contains(part))
        };
        let mut world = Self::new();
        world.env.extend(std::env::vars().filter(|(name, _)| handed_on(name)));
        world
    }

    /// Sets a variable for all later runs.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// A path in the world.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.path().join(relative)
    }

    /// Writes a file, with its folders.
    pub fn write(&self, relative: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(&path, content).expect("a file");
        path
    }

    /// The binary with arguments, in the world's root folder, not started.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mpak"));
        command.args(args).current_dir(self.root.path()).env_clear().stdin(Stdio::null());
        for (name, value) in &self.env {
            command.env(name, value);
        }
        command
    }

    /// Runs the binary to its end.
    pub fn mpak(&self, args: &[&str]) -> Ran {
        Ran::from(self.command(args).output().expect("the binary starts"))
    }

    /// The root folder.
    pub fn root(&self) -> &Path {
        self.root.path()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ran {
    /// Asserts success and gives stdout.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self.stdout
    }

    /// Asserts an exit code and gives stderr.
    #[track_caller]
    pub fn fails(self, code: i32) -> String {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self.stderr
    }

    /// Stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("not JSON ({e}):\n{}\nstderr:\n{}", self.stdout, self.stderr))
    }
}
