//! Brings the emulators into the build folder, once; several test programs may ask at the same time.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// From PyPI.
const PYTHON: [&str; 2] = ["moto[server]==5.2.5", "gcp-storage-emulator==2026.7.19"];
/// From npm.
const NODE: [&str; 1] = ["azurite@3.35.0"];

/// The Python that has moto and gcp-storage-emulator.
pub(super) fn python() -> PathBuf {
    let folder = once("emulators-python", &PYTHON, |folder| {
        let venv = folder.join("venv");
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv));
        run(Command::new(venv.join("bin/python")).args(["-m", "pip", "install", "--quiet"]).args(PYTHON));
    });
    folder.join("venv/bin/python")
}

/// Azurite's program for blobs.
pub(super) fn azurite() -> PathBuf {
    let folder = once("emulators-node", &NODE, |folder| {
        let install = ["install", "--silent", "--no-audit", "--no-fund", "--prefix"];
        run(Command::new("npm").args(install).arg(folder).args(NODE));
    });
    folder.join("node_modules/azurite/dist/src/blob/main.js")
}

/// A folder below `target/` in which something is installed, by the first who asks for these versions.
fn once(name: &str, versions: &[&str], install: impl FnOnce(&Path)) -> PathBuf {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let folder = target.join(name);
    fs::create_dir_all(&target).expect("the build folder can be made");
    let lock = File::create(target.join(format!("{name}.lock"))).expect("a lock file can be made");
    lock.lock().expect("the lock file can be locked");
    let (installed, wanted) = (folder.join("installed"), versions.join("\n"));
    if fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        return folder;
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("an old installation can be removed");
    }
    fs::create_dir_all(&folder).expect("a folder can be made");
    install(&folder);
    fs::write(installed, wanted).expect("the installation can be noted");
    folder
}

fn run(command: &mut Command) {
    let output = command.output();
    let output = output.unwrap_or_else(|e| fail(&format!("{command:?} does not start: {e}")));
    if !output.status.success() {
        fail(&format!("{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr)));
    }
}

#[expect(clippy::panic, reason = "a test without its emulator has failed")]
fn fail(text: &str) -> ! {
    panic!("the emulators of object stores cannot be installed (python3 with venv, and npm, are needed): {text}")
}
