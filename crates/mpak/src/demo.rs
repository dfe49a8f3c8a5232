//! `mpak serve --demo`: fills a fresh registry with real servers, by the commands a user would type.
//!
//! One server needs nothing but this program; the others are vendored on the spot with the package
//! managers of the machine. What cannot be built is said, with the reason, and left out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use mpak_bundle::durable;

use crate::settings::Settings;
use crate::ui;

/// A server of the demo: the folder that `mpak pack` gets.
struct Server {
    /// Last part of the package's name.
    name: &'static str,
    /// Programs that packing needs.
    needs: &'static [&'static str],
    /// Relative path and content.
    files: &'static [(&'static str, &'static str)],
    /// Where this program itself is copied to.
    own_binary: Option<&'static str>,
    /// What it is, for the progress line.
    what: &'static str,
}

macro_rules! files {
    ($folder:literal, $($path:literal),+) => {
        &[$(($path, include_str!(concat!("demo/", $folder, "/", $path)))),+]
    };
}

const SERVERS: &[Server] = &[
    Server {
        name: "example",
        needs: &[],
        files: files!("example", "manifest.json", "README.md"),
        own_binary: Some("server/mpak"),
        what: "binary, this program itself",
    },
    Server {
        name: "everything",
        needs: &["npm"],
        files: files!("everything", "manifest.json", "package.json", "README.md"),
        own_binary: None,
        what: "node, dependencies by npm",
    },
    Server {
        name: "filesystem",
        needs: &["npm"],
        files: files!("filesystem", "manifest.json", "package.json", "README.md"),
        own_binary: None,
        what: "node, dependencies by npm",
    },
    Server {
        name: "memory",
        needs: &["npm"],
        files: files!("memory", "manifest.json", "package.json", "README.md"),
        own_binary: None,
        what: "node, dependencies by npm",
    },
    Server {
        name: "time",
        needs: &["python3"],
        files: files!("time", "manifest.json", "requirements.txt", "server/main.py", "README.md"),
        own_binary: None,
        what: "python, dependencies by uv or pip",
    },
    Server {
        name: "fetch",
        needs: &["python3"],
        files: files!("fetch", "manifest.json", "requirements.txt", "server/main.py", "README.md"),
        own_binary: None,
        what: "python, dependencies by uv or pip",
    },
    Server {
        name: "time-uv",
        needs: &["uv"],
        files: files!("time-uv", "manifest.json", "pyproject.toml", "server.py", "README.md"),
        own_binary: None,
        what: "uv, dependencies at first start",
    },
];

/// Packs and publishes every server that is not there yet, and says what to try.
pub fn fill(registry: &str, token: &str, settings: &Settings) {
    let started = Instant::now();
    ui::note(&format!("demo: packing {} real servers; each is offered as soon as it is published", SERVERS.len()));
    let mut published = Vec::new();
    for (number, server) in SERVERS.iter().enumerate() {
        let start = Instant::now();
        let line = format!("demo: [{}/{}] @demo/{:<10} {}", number + 1, SERVERS.len(), server.name, server.what);
        match offer(server, registry, token, settings) {
            Ok(outcome) => {
                published.push(server.name);
                ui::note(&format!("{line}: {outcome} in {:.1} s", start.elapsed().as_secs_f64()));
            }
            Err(reason) => ui::note(&format!("{line}: left out: {}", ui::safe(&reason))),
        }
    }
    ui::note(&format!(
        "demo: {} of {} servers in {:.0} s",
        published.len(),
        SERVERS.len(),
        started.elapsed().as_secs_f64()
    ));
    let Some(first) = published.first() else { return };
    ui::note("");
    ui::note(&format!("  look at it:  {registry}/packages/@demo/{first}"));
    ui::note(&format!("  run it:      MPAK_REGISTRY_URL={registry} {} run @demo/{first}", own_path().display()));
    ui::note("               (it speaks MCP on stdin and stdout: give that line to an MCP client, or type ctrl-c)");
    ui::note("");
}

/// One server: into a folder, packed, published.
fn offer(server: &Server, registry: &str, token: &str, settings: &Settings) -> Result<&'static str, String> {
    if let Some(missing) = server.needs.iter().find(|program| !on_path(program, settings)) {
        return Err(format!("`{missing}` is not on PATH"));
    }
    if mpak(&["show", &format!("@demo/{}", server.name), "--registry", registry, "--json"], settings, None).is_ok() {
        return Ok("already there");
    }
    let work = tempfile::tempdir().map_err(|e| e.to_string())?;
    let folder = work.path().join(server.name);
    write_folder(server, &folder).map_err(|e| e.to_string())?;
    if server.needs == ["uv"] {
        lock(&folder, settings)?;
    }
    let bundle = work.path().join(format!("{}.mcpb", server.name));
    let (folder, bundle) = (folder.to_string_lossy(), bundle.to_string_lossy());
    // A binary bundle carries everything already.
    let vendor: &[&str] = if server.own_binary.is_some() { &[] } else { &["--vendor"] };
    mpak(&[&["pack", folder.as_ref(), bundle.as_ref()], vendor].concat(), settings, None)?;
    let name = format!("@demo/{}", server.name);
    mpak(&["publish", bundle.as_ref(), "--registry", registry, "--name", &name], settings, Some(token))?;
    Ok("published")
}

fn write_folder(server: &Server, folder: &Path) -> std::io::Result<()> {
    for (path, content) in server.files {
        let file = folder.join(path);
        fs::create_dir_all(file.parent().unwrap_or(folder))?;
        durable::replace(&file, content.as_bytes(), 0o644)?;
    }
    if let Some(path) = server.own_binary {
        let file = folder.join(path);
        fs::create_dir_all(file.parent().unwrap_or(folder))?;
        fs::copy(own_path(), &file)?;
    }
    Ok(())
}

fn lock(folder: &Path, settings: &Settings) -> Result<(), String> {
    finish(Command::new("uv").args(["lock", "--quiet", "--directory"]).arg(folder).envs(&settings.environment))
}

/// Runs this program with other arguments, as a user would.
fn mpak(arguments: &[&str], settings: &Settings, token: Option<&str>) -> Result<(), String> {
    let mut command = Command::new(own_path());
    command.args(arguments).envs(&settings.environment);
    if let Some(token) = token {
        command.env("MPAK_TOKEN", token);
    }
    finish(&mut command)
}

/// Runs to the end; the last lines on stderr are the reason of a failure.
fn finish(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|e| e.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    Err(lines[lines.len().saturating_sub(4)..].join(" · "))
}

fn own_path() -> PathBuf {
    std::env::current_exe().unwrap_or_else(|_unknown| PathBuf::from("mpak"))
}

fn on_path(program: &str, settings: &Settings) -> bool {
    let path = settings.environment.get(std::ffi::OsStr::new("PATH"));
    path.is_some_and(|path| std::env::split_paths(path).any(|folder| folder.join(program).is_file()))
}
