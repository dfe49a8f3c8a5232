//! A real OpenID provider: `oidc-provider`, at the version that `openid-provider/package.json` pins,
//! installed once into the build folder, run by Node.js on a free port of loopback.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// What a registry is configured with.
pub const CLIENT_ID: &str = "mpak";
/// See [`CLIENT_ID`].
pub const CLIENT_SECRET: &str = "a secret of sixteen or more bytes";

/// A running provider; ended when dropped. People are `alice` (groups `admins`, `devs`), `bob` (`devs`)
/// and `eve` (`guests`); anybody else is denied.
#[derive(Debug)]
pub struct Provider {
    child: Child,
    /// Kept, since it may say more.
    _out: BufReader<ChildStdout>,
    /// `http://127.0.0.1:PORT`
    pub issuer: String,
}

impl Provider {
    /// Starts one.
    ///
    /// # Panics
    /// Where Node.js or npm is missing, or the provider does not start: the tests that need it cannot run.
    pub fn start() -> Self {
        let installed = install();
        let script = source().join("provider.mjs");
        let mut child = Command::new("node")
            .arg(script)
            .arg(&installed)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("these tests need Node.js: install `node` and `npm`");
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        out.read_line(&mut line).expect("the provider says where it is");
        let issuer = line.trim().to_owned();
        assert!(issuer.starts_with("http://127.0.0.1:"), "the OpenID provider did not start: `{issuer}`");
        Self { child, _out: out, issuer }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("openid-provider")
}

/// Installs it below `target/`, once per version, whichever process comes first.
fn install() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/openid-provider");
    std::fs::create_dir_all(&folder).expect("the build folder can be written");
    let lock = std::fs::File::create(folder.join("lock")).expect("a lock");
    lock.lock().expect("the lock is free at last");
    let pinned = std::fs::read(source().join("package-lock.json")).expect("the lockfile");
    let done = folder.join("installed.json");
    if std::fs::read(&done).is_ok_and(|installed| installed == pinned) {
        return folder;
    }
    for name in ["package.json", "package-lock.json"] {
        std::fs::copy(source().join(name), folder.join(name)).expect("a copy");
    }
    let npm = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(&folder)
        .stdout(Stdio::null())
        .status()
        .expect("these tests need npm");
    assert!(npm.success(), "npm could not install the OpenID provider of the tests");
    std::fs::write(done, pinned).expect("noted");
    folder
}
