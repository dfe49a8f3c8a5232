//! Programs from PyPI, installed once per build folder in a version that is named here.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of programs of an environment that has exactly this requirement, `NAME==VERSION`.
pub fn programs(requirement: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("python-{}", requirement.replace("==", "-")));
    fs::create_dir_all(&folder).expect("a folder");
    let lock = File::create(folder.join("lock")).expect("a lock");
    lock.lock().expect("locked");
    let venv = folder.join("venv");
    let bin = venv.join("bin");
    if !folder.join("done").exists() {
        succeeds(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv));
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement];
        succeeds(Command::new(bin.join("python")).args(install));
        fs::write(folder.join("done"), "").expect("a mark");
    }
    bin
}

fn succeeds(command: &mut Command) {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?} does not start: {e}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed (python3 with venv, and PyPI, are needed):\n{stderr}");
}
