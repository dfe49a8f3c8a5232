//! Where PostgreSQL's server programs are, and as whom they run.

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The programs of one installation.
#[derive(Debug)]
pub(super) struct Programs {
    folder: PathBuf,
    /// User and group to run as, where the tests run as root: PostgreSQL refuses to.
    pub(super) user: Option<(u32, u32)>,
}

impl Programs {
    /// Finds `initdb`, `pg_ctl` and `postgres` on `PATH`, else the newest of Debian's folders.
    #[expect(clippy::disallowed_methods, reason = "programs are found by PATH")]
    pub(super) fn find() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let debian = versions(Path::new("/usr/lib/postgresql"));
        let all = ["initdb", "pg_ctl", "postgres"];
        let folder = std::env::split_paths(&path).chain(debian).find(|f| all.iter().all(|p| f.join(p).is_file()));
        let folder = folder.expect(
            "these tests need PostgreSQL's server programs (initdb, pg_ctl, postgres) on PATH or in \
             /usr/lib/postgresql: install them, on Debian with `apt-get install postgresql`",
        );
        // Linked programs look for their files beside the link's target.
        let folder = folder.join("initdb").canonicalize().expect("a program").with_file_name("");
        Self { folder, user: user() }
    }

    /// A program with an empty environment, as the user who may run it, in a folder that they may read.
    pub(super) fn command(&self, program: &str, folder: &Path) -> Command {
        self.command_of(&self.folder.join(program), folder)
    }

    /// Any program, the same way.
    pub(super) fn command_of(&self, program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("LC_ALL", "C").env("PATH", "/usr/bin:/bin").current_dir(folder);
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }
}

/// `15/bin`, `16/bin`, …, newest first.
fn versions(folder: &Path) -> Vec<PathBuf> {
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.file_name());
    let mut numbers: Vec<u32> = names.filter_map(|n| n.to_str()?.parse().ok()).collect();
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    numbers.into_iter().map(|n| folder.join(n.to_string()).join("bin")).collect()
}

/// `postgres` or `nobody`, if this process is root's.
fn user() -> Option<(u32, u32)> {
    let own = tempfile::tempdir().expect("a temporary folder");
    if std::fs::metadata(own.path()).expect("a folder").uid() != 0 {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").expect("the list of users");
    let find = |name: &str| {
        let line = users.lines().find(|l| l.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2).map(str::parse);
        Some((fields.next()?.ok()?, fields.next()?.ok()?))
    };
    Some(find("postgres").or_else(|| find("nobody")).expect("a user `postgres` or `nobody`: PostgreSQL refuses root"))
}
