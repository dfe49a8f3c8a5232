//! Starting, signals, exit codes, and that nothing is left behind.
//!
//! The launcher runs in a process of its own: this test binary, started again with a plan in its
//! environment (see [`launcher_process`]).

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mpak_runner::environment::Environment;
use mpak_runner::plan::Plan;
use mpak_runner::run::run;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const SCRIPT: &str = "MPAK_TEST_SCRIPT";
const PATIENCE: Duration = Duration::from_secs(20);

/// Not a test by itself: the launcher that the tests below start.
#[test]
#[allow(clippy::disallowed_methods, reason = "the only way to hand something to this process")]
fn launcher_process() {
    let Ok(script) = std::env::var(SCRIPT) else { return };
    let env = Environment::from([("PATH".into(), "/usr/bin:/bin".into())]);
    let plan = Plan {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        env,
        cwd: "/".into(),
        prepare: None,
        notes: Vec::new(),
    };
    let ended = run(&plan).expect("sh starts");
    std::process::exit(i32::from(ended.exit_code()));
}

/// The launcher with a server that is a shell script.
fn launcher(script: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["running::launcher_process", "--exact", "--nocapture", "--test-threads=1"]);
    command.env_clear().env(SCRIPT, script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    command
}

/// Starts it and waits for the server's first own line, which starts with `ready`.
fn started(mut command: Command) -> (Child, String) {
    let mut child = command.spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("ready") {
        line.clear();
        assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "the server ended before it was ready");
    }
    child.stdout = Some(stdout.into_inner());
    (child, line.split_once("ready").unwrap().1.trim().to_owned())
}

fn exit_code(script: &str) -> i32 {
    launcher(script).stdin(Stdio::null()).output().unwrap().status.code().unwrap()
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
}

fn alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // a zombie is dead, whoever has yet to collect it
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

#[track_caller]
fn wait_until_gone(pids: &[&str]) {
    let deadline = Instant::now() + PATIENCE;
    while pids.iter().any(|pid| alive(pid)) {
        assert!(Instant::now() < deadline, "still alive: {pids:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn the_servers_exit_code_is_passed_on() {
    assert_eq!(exit_code("exit 7"), 7);
    assert_eq!(exit_code("exit 0"), 0);
}

#[test]
fn death_by_a_signal_is_128_and_its_number() {
    assert_eq!(exit_code("kill -9 $$"), 137);
    assert_eq!(exit_code("kill -SEGV $$"), 139);
}

#[test]
fn signals_reach_the_server() {
    for (sent, name, code) in [(Signal::SIGTERM, "TERM", 21), (Signal::SIGINT, "INT", 22), (Signal::SIGHUP, "HUP", 23)]
    {
        let script = format!("trap 'exit {code}' {name}; echo ready; while :; do sleep 0.05; done");
        let (mut child, _) = started(launcher(&script));
        signal(&child, sent);
        assert_eq!(child.wait().unwrap().code(), Some(code), "{name}");
    }
}

#[test]
fn a_server_that_ends_by_sigterm_gives_143() {
    let (mut child, _) = started(launcher("echo ready; exec sleep 60"));
    signal(&child, Signal::SIGTERM);
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn signals_reach_the_whole_group() {
    let (mut child, pid) = started(launcher("sleep 60 & echo ready $!; wait"));
    signal(&child, Signal::SIGTERM);
    child.wait().unwrap();
    assert!(!alive(&pid));
}

#[test]
fn what_a_server_leaves_behind_is_ended() {
    let (mut child, pid) = started(launcher("sleep 60 & echo ready $!; exit 3"));
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert!(!alive(&pid));
}

#[test]
fn what_ignores_sigterm_is_killed_after_the_grace() {
    let start = Instant::now();
    let (mut child, pid) =
        started(launcher("sh -c 'trap \"\" TERM; while :; do sleep 0.05; done' & sleep 0.2; echo ready $!; exit 3"));
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert!(!alive(&pid));
    assert!(start.elapsed() >= Duration::from_secs(2), "it had its grace");
}

#[test]
#[cfg(target_os = "linux")]
fn what_leaves_the_group_is_ended_too() {
    let (mut child, pid) = started(launcher("(setsid sleep 60 & echo ready $!); sleep 0.2; exit 3"));
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert!(!alive(&pid));
}

#[test]
fn ending_is_quick_when_nothing_is_left() {
    let start = Instant::now();
    exit_code("exit 0");
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn standard_input_reaches_the_server_and_its_end_too() {
    let mut child = launcher("read line; echo ready got $line; cat").spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"hello\nrest\n").unwrap();
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert!(out.ends_with("ready got hello\nrest\n"), "{out}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_end_of_the_servers_output_reaches_the_host_at_once() {
    let mut child = launcher("echo ready; exec >&-; sleep 60").spawn().unwrap();
    let start = Instant::now();
    child.stdout.take().unwrap().read_to_string(&mut String::new()).unwrap();
    assert!(start.elapsed() < Duration::from_secs(30));
    signal(&child, Signal::SIGTERM);
    child.wait().unwrap();
}

/// A host that is killed −9: a shell that starts the launcher and tells both process ids.
fn host(script: &str, dir: &Path) -> (Child, PathBuf) {
    let pids = dir.join("pids");
    let command = launcher(&format!("echo ready $$ > {0}.new; mv {0}.new {0}; {script}", pids.display()));
    let mut shell = Command::new("/bin/sh");
    let mut line = String::from("exec 3<&0; ");
    write!(line, "\"{}\"", command.get_program().display()).unwrap();
    for arg in command.get_args() {
        write!(line, " {}", arg.display()).unwrap();
    }
    // not exec: the host stays the launcher's parent; standard input stays open after its death
    line.push_str(" <&3 >/dev/null & wait");
    shell.args(["-c", &line]).env_clear().envs(command.get_envs().filter_map(|(n, v)| Some((n, v?))));
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0);
    (shell.spawn().unwrap(), pids)
}

fn content(path: &Path) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Ok(text) = fs::read_to_string(path) {
            return text.trim().trim_start_matches("ready ").to_owned();
        }
        assert!(Instant::now() < deadline, "{} never came", path.display());
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn no_server_outlives_a_host_that_was_killed() {
    let dir = tempfile::tempdir().unwrap();
    let (mut host, pids) = host("sleep 60 & sleep 60", dir.path());
    let server = content(&pids);
    let children = format!("/proc/{server}/task/{server}/children");
    let grandchild = fs::read_to_string(children).unwrap_or_default();
    host.kill().unwrap();
    let mut all: Vec<&str> = grandchild.split_whitespace().collect();
    all.push(&server);
    wait_until_gone(&all);
    host.wait().unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn a_server_that_ignores_sigterm_does_not_outlive_its_host_either() {
    let dir = tempfile::tempdir().unwrap();
    let (mut host, pids) = host("trap '' TERM HUP; while :; do sleep 0.05; done", dir.path());
    let server = content(&pids);
    host.kill().unwrap();
    wait_until_gone(&[&server]);
    host.wait().unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn no_server_outlives_a_launcher_that_was_killed() {
    let (mut child, pid) = started(launcher("echo ready $$; exec sleep 60"));
    child.kill().unwrap();
    wait_until_gone(&[&pid]);
    child.wait().unwrap();
}
