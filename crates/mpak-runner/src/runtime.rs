//! Interpreters: where a program lies, what version it is, one file per server type.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::UNIX_EPOCH;

use mpak_bundle::platform::Os;

use crate::environment::{self, Environment};

pub mod binary;
pub mod node;
pub mod python;
pub mod uv;

/// Where programs are looked for: the folders of `PATH`, on Windows with the endings of `PATHEXT`.
#[derive(Clone, Debug)]
pub struct Search {
    folders: Vec<PathBuf>,
    endings: Vec<String>,
}

impl Search {
    /// Reads `PATH` and `PATHEXT`. Relative folders of `PATH` are left out: the working folder is the
    /// bundle, which must not choose programs.
    pub fn new(host: &Environment, os: Os) -> Self {
        let path = environment::get(host, os, "PATH").cloned().unwrap_or_default();
        let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect();
        let endings = if os == Os::Win32 {
            let list = environment::get(host, os, "PATHEXT").and_then(|v| v.to_str()).unwrap_or(".COM;.EXE;.BAT;.CMD");
            list.split(';').filter(|e| !e.is_empty()).map(str::to_owned).collect()
        } else {
            Vec::new()
        };
        Self { folders, endings }
    }

    /// The first program of this name.
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        if name.is_empty() {
            return None;
        }
        self.folders.iter().find_map(|folder| self.with_ending(&folder.join(name)))
    }

    /// The folders, for messages.
    pub fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// The file itself where it can be executed, or with one of the endings behind it.
    fn with_ending(&self, path: &Path) -> Option<PathBuf> {
        if self.endings.is_empty() {
            return is_executable(path).then(|| path.to_owned());
        }
        let named = path.extension().is_some_and(|e| {
            self.endings.iter().any(|ending| ending.trim_start_matches('.').eq_ignore_ascii_case(&e.to_string_lossy()))
        });
        if named && path.is_file() {
            return Some(path.to_owned());
        }
        self.endings.iter().find_map(|ending| {
            let mut candidate = path.as_os_str().to_owned();
            candidate.push(ending.to_lowercase());
            let candidate = PathBuf::from(candidate);
            candidate.is_file().then_some(candidate)
        })
    }
}

fn is_executable(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    }
    #[cfg(not(unix))]
    path.is_file()
}

/// What interpreters answered before, by identity of their file; kept by the caller between runs so that
/// a start costs no extra process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeCache {
    /// Identity of the file to the answer.
    pub answers: BTreeMap<String, String>,
    /// Whether something was added.
    pub changed: bool,
}

/// Longest answer of an interpreter that is read.
const ANSWER_BYTES_MAX: u64 = 4_096;

/// Most answers that are kept.
const ANSWERS_COUNT_MAX: usize = 256;

impl ProbeCache {
    /// Asks an interpreter by running it, or remembers. `None` if it cannot be run or fails.
    fn ask(&mut self, program: &Path, args: &[&str], host: &Environment) -> Option<String> {
        let identity = identity(program);
        if let Some(answer) = identity.as_ref().and_then(|id| self.answers.get(id)) {
            return Some(answer.clone());
        }
        let answer = ask(program, args, host)?;
        if let Some(identity) = identity {
            if self.answers.len() >= ANSWERS_COUNT_MAX {
                self.answers.clear();
            }
            self.answers.insert(identity, answer.clone());
            self.changed = true;
        }
        Some(answer)
    }
}

/// Path, length and time of the real file. `None` for scripts: what a shim starts can change while the
/// shim stays the same.
fn identity(program: &Path) -> Option<String> {
    let mut head = [0; 2];
    fs::File::open(program).ok()?.read_exact(&mut head).ok()?;
    if &head == b"#!" {
        return None;
    }
    let metadata = fs::metadata(program).ok()?;
    let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_nanos();
    Some(format!("{}|{}|{modified}", program.display(), metadata.len()))
}

fn ask(program: &Path, args: &[&str], host: &Environment) -> Option<String> {
    let mut child = Command::new(program)
        .args(args)
        .env_clear()
        .envs(host)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut answer = String::new();
    let read = child.stdout.take()?.take(ANSWER_BYTES_MAX).read_to_string(&mut answer);
    let status = child.wait().ok()?;
    (status.success() && read.is_ok()).then_some(answer)
}

/// Whether a version lies in a manifest's range; a range that cannot be read excludes nothing.
fn allows(range: &str, version: &str) -> bool {
    mpak_bundle::manifest::range_allows(range, version).unwrap_or(true)
}

/// What a server type makes of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Absolute path of the program.
    pub program: PathBuf,
    /// Arguments.
    pub args: Vec<OsString>,
    /// Variables to set, over the manifest's.
    pub env: Vec<(OsString, OsString)>,
    /// What a person should know.
    pub notes: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn relative_folders_of_path_never_choose_a_program() {
        let dir = tempfile::tempdir().unwrap();
        let program = script(dir.path(), "tool", "exit 0");
        let host = |path: String| Environment::from([("PATH".into(), path.into())]);
        assert_eq!(
            Search::new(&host(format!(".::{}", dir.path().display())), Os::Linux).find("tool"),
            Some(program.clone())
        );
        assert_eq!(Search::new(&host(".".into()), Os::Linux).find("tool"), None);
        fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        assert_eq!(Search::new(&host(dir.path().display().to_string()), Os::Linux).find("tool"), None);
    }

    #[test]
    fn windows_finds_programs_by_their_endings() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("npx.cmd"), "").unwrap();
        fs::write(dir.path().join("node.exe"), "").unwrap();
        let host = Environment::from([
            ("Path".into(), dir.path().as_os_str().to_owned()),
            ("PATHEXT".into(), ".COM;.EXE;.CMD".into()),
        ]);
        let search = Search::new(&host, Os::Win32);
        assert_eq!(search.find("npx"), Some(dir.path().join("npx.cmd")));
        assert_eq!(search.find("node"), Some(dir.path().join("node.exe")));
        assert_eq!(search.find("node.exe"), Some(dir.path().join("node.exe")));
        assert_eq!(search.find("python"), None);
    }

    #[cfg(unix)]
    #[test]
    fn answers_of_scripts_are_not_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let program = script(dir.path(), "node", "echo v20.1.0");
        let mut cache = ProbeCache::default();
        assert_eq!(cache.ask(&program, &["--version"], &Environment::new()), Some("v20.1.0\n".into()));
        assert_eq!(cache, ProbeCache::default());
    }

    #[cfg(unix)]
    #[test]
    fn answers_of_programs_are_remembered_until_the_file_changes() {
        let mut cache = ProbeCache::default();
        let program = Path::new("/bin/echo");
        assert_eq!(cache.ask(program, &["one"], &Environment::new()), Some("one\n".into()));
        assert_eq!(cache.ask(program, &["two"], &Environment::new()), Some("one\n".into()));
        assert!(cache.changed);
    }

    #[cfg(unix)]
    fn script(folder: &Path, name: &str, body: &str) -> PathBuf {
        let path = folder.join(name);
        // written by another process: a child that a parallel test forks meanwhile would keep our own
        // handle open, and a file that is open for writing cannot be started
        let line = "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$0\"; chmod 755 \"$0\"";
        let status = Command::new("/bin/sh").args(["-c", line]).arg(&path).arg(body).status().unwrap();
        assert!(status.success());
        path
    }
}
