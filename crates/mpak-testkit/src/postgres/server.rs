//! A server of its own: made, started, stopped and started again.

use std::fs;
use std::io::{ErrorKind, Read as _};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::programs::Programs;

/// What is committed outlives the server, not the machine.
const SETTINGS: &str = "-c fsync=off -c full_page_writes=off -c wal_level=minimal \
    -c max_wal_senders=0 -c max_connections=300 -c shared_buffers=64MB -c autovacuum=off \
    -c listen_addresses=127.0.0.1 -c unix_socket_directories=";
const USER: &str = "mpak";
/// Ports that are tried: another program may take one between the look and the start.
const PORTS_MAX: usize = 5;

/// Ends the server and removes its folder once this process is gone: its pipe closes with the process.
const WATCH: &str = r#"cat; "$1" -D "$2/data" -m immediate -w stop; rm -rf "$2""#;

/// A PostgreSQL server. Stopped and removed when dropped, and at the latest when the process ends.
#[derive(Debug)]
pub struct Server {
    programs: Programs,
    folder: PathBuf,
    port: u16,
    password: String,
    /// What the server is started through.
    before: Vec<String>,
    watcher: Child,
    /// Keeps the file systems in which the log of what is to be written is small, also while no server runs.
    small_log: Option<Child>,
}

impl Server {
    /// Makes and starts one.
    pub fn start() -> Self {
        Self::start_made_with(&[])
    }

    fn start_made_with(more: &[&str]) -> Self {
        let programs = Programs::find();
        let folder = tempfile::Builder::new().prefix("mpak-postgres-").tempdir().expect("a temporary folder").keep();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).expect("a folder of ours");
        let mut secret = [0_u8; 16];
        aws_lc_rs::rand::fill(&mut secret).expect("randomness");
        let password = format!("{:x}", u128::from_ne_bytes(secret));
        fs::write(folder.join("password"), &password).expect("room for a password");
        if let Some((user, group)) = programs.user {
            chown(folder.join("password"), Some(user), Some(group)).expect("root may");
            chown(&folder, Some(user), Some(group)).expect("root may");
        }
        let watcher = watch(&programs, &folder);
        let mut server = Self { programs, folder, port: 0, password, before: Vec::new(), watcher, small_log: None };
        server.initialise(more);
        server.listen();
        server
    }

    fn initialise(&self, more: &[&str]) {
        let mut command = self.programs.command("initdb", &self.folder);
        command.args(["--username", USER, "--pwfile", "password", "--auth", "password", "--pgdata", "data"]);
        command.args(["--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"]);
        command.args(more);
        must(command);
    }

    fn listen(&mut self) {
        for _ in 0..PORTS_MAX {
            let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port");
            self.port = free.port();
            if self.go_on() {
                return;
            }
        }
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        panic!("PostgreSQL does not start:\n{log}");
    }

    /// Starts it again on its port after [`Server::stop`]; `false` when it does not start.
    pub fn go_on(&self) -> bool {
        let plain = self.programs.command("pg_ctl", &self.folder);
        let mut command = match self.before.split_first() {
            None => plain,
            Some((first, words)) => {
                let mut command = self.programs.command_of(first.as_ref(), &self.folder);
                command.args(words).arg(plain.get_program());
                command
            }
        };
        let options = format!("{SETTINGS} -p {}", self.port);
        command.args(["-D", "data", "-l", "log", "-w", "-t", "60", "-s", "-o", &options, "start"]);
        // The server keeps what it inherits: a pipe of ours would never end.
        let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        started.expect("pg_ctl starts").success()
    }

    /// Makes and starts one that has a file system of this size for the tablespace `small`; its other data, and
    /// its log of what is to be written, lie on the machine's disk.
    ///
    /// Needs namespaces for users (Linux); without them the test that wants this fails and says so.
    pub fn start_with_small_disk(megabytes: u32) -> Self {
        let mut server = Self::start();
        server.stop();
        let small = server.folder.join("small");
        fs::create_dir(&small).expect("room for a folder");
        if let Some((user, group)) = server.programs.user {
            chown(&small, Some(user), Some(group)).expect("root may");
        }
        // As the same user, who may mount there and nowhere else.
        let script = format!("mount -t tmpfs -o size={megabytes}m,mode=700 tmpfs small && exec \"$@\"");
        server.before = ["unshare", "--map-current-user", "--mount", "--keep-caps", "sh", "-c", &script, "sh"]
            .map(str::to_owned)
            .to_vec();
        assert!(
            server.go_on(),
            "a full disk of PostgreSQL cannot be tested here: the kernel allows no mount in a namespace of an \
             ordinary user's (see `unshare --map-current-user --mount --keep-caps`)"
        );
        let sql = format!("CREATE TABLESPACE small LOCATION '{}'", small.display());
        super::run(&server.url("postgres"), async move |c| sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(c).await)
            .expect("a tablespace");
        server
    }

    /// Makes and starts one whose log of what is to be written has a file system of this size, on which it takes
    /// room by the megabyte.
    ///
    /// Needs namespaces for users (Linux); without them the test that wants this fails and says so.
    pub fn start_with_small_log(megabytes: u32) -> Self {
        let mut server = Self::start_made_with(&["--wal-segsize", "1"]);
        server.stop();
        // 1. A file system with what the log has, as the same user, and somebody who keeps it.
        let script = format!(
            "cp -a data/pg_wal kept && mount -t tmpfs -o size={megabytes}m,mode=700 tmpfs data/pg_wal && \
             cp -a kept/. data/pg_wal && echo ready && exec cat"
        );
        let mut keeper = server.programs.command_of("unshare".as_ref(), &server.folder);
        keeper.args(["--map-current-user", "--mount", "--keep-caps", "sh", "-c", &script]);
        let mut keeper = keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a shell");
        let mut ready = [0; 5];
        let came = keeper.stdout.as_mut().expect("piped").read_exact(&mut ready);
        assert!(came.is_ok(), "the kernel allows no mount in a namespace of an ordinary user's (see `unshare`)");
        // 2. The server beside them.
        let (id, folder) = (keeper.id().to_string(), server.folder.display().to_string());
        let words = ["nsenter", "--target", &id, "--user", "--mount", "--preserve-credentials"];
        let words = words.into_iter().chain(["sh", "-c", "cd \"$0\" && exec \"$@\"", &folder]);
        server.before = words.map(str::to_owned).collect();
        server.small_log = Some(keeper);
        assert!(server.go_on(), "PostgreSQL does not start on a log of {megabytes} megabytes");
        server
    }

    /// Takes what is left of the log's own file system.
    pub fn fill_log(&self) {
        // It ends when there is no more.
        let ended = self.beside_log("cat /dev/zero >data/pg_wal/filler").status().expect("a shell");
        assert!(!ended.success(), "the file system has no end");
    }

    /// Gives it back.
    pub fn empty_log(&self) {
        must(self.beside_log("rm data/pg_wal/filler"));
    }

    /// A script among the file systems of the log, as the user who owns them: to others they are not writable.
    fn beside_log(&self, script: &str) -> Command {
        assert!(self.small_log.is_some(), "its log has no file system of its own");
        let (first, words) = self.before.split_first().expect("it is started through something");
        let mut command = self.programs.command_of(first.as_ref(), &self.folder);
        command.args(words).args(["sh", "-c", script]).stdin(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Stops it at once, as a crash would; everybody's connections end.
    pub fn stop(&self) {
        let mut command = self.programs.command("pg_ctl", &self.folder);
        command.args(["-D", "data", "-m", "immediate", "-w", "-s", "stop"]);
        must(command);
    }

    /// Where its data lies, until it is dropped.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Address of one of its databases.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.watcher.stdin.take());
        let _ = self.watcher.wait();
        if let Some(keeper) = &mut self.small_log {
            drop(keeper.stdin.take());
            let _ = keeper.wait();
        }
    }
}

fn watch(programs: &Programs, folder: &Path) -> Child {
    let pg_ctl = programs.command("pg_ctl", folder).get_program().to_owned();
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(WATCH).arg("sh").arg(pg_ctl).arg(folder);
    command.env_clear().env("PATH", "/usr/bin:/bin").current_dir("/");
    if let Some((user, group)) = programs.user {
        command.uid(user).gid(group);
    }
    // A group of its own: what the terminal sends to the tests must not end it.
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("a shell")
}

fn must(mut command: Command) {
    let output = match command.stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(e) if e.kind() == ErrorKind::PermissionDenied => {
            panic!("cannot run {command:?} as another user in a folder of theirs: {e}")
        }
        Err(e) => panic!("cannot run {command:?}: {e}"),
    };
    assert!(
        output.status.success(),
        "{command:?} failed:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
