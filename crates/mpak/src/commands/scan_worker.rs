//! `mpak scan-worker TASK…`: one scan of `mpak serve`, in a process of its own.
//!
//! The bundle is on standard input, the task is JSON, the answer goes to standard output. It reads hostile
//! bytes: it dies with the server that started it, and if memory runs out on the machine it goes first.

use std::fs::File;
use std::io::{self, Write as _};
use std::process::ExitCode;

use mpak_scan::task::Task;

use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::Settings;

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What is to be judged, beside the bundle, as JSON, which may be cut into several
    #[arg(value_name = "TASK", required = true)]
    pub task: Vec<String>,
}

/// Runs it.
pub fn run(args: &Args, _: &Settings) -> CommandResult {
    expendable();
    let task: Task =
        serde_json::from_str(&args.task.concat()).map_err(|e| CommandError::from_error(Kind::Usage, &e))?;
    let bundle = input().map_err(|e| CommandError::from_error(Kind::Usage, &e))?;
    let answer = serde_json::to_vec(&task.answer(bundle)).map_err(|e| CommandError::from_error(Kind::Ours, &e))?;
    io::stdout().write_all(&answer).map_err(|e| CommandError::from_error(Kind::Ours, &e))?;
    Ok(ExitCode::SUCCESS)
}

/// Standard input as the file that it is.
#[cfg(unix)]
fn input() -> io::Result<File> {
    use std::os::fd::AsFd as _;
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
}

/// Standard input as the file that it is.
#[cfg(windows)]
fn input() -> io::Result<File> {
    use std::os::windows::io::AsHandle as _;
    Ok(File::from(io::stdin().as_handle().try_clone_to_owned()?))
}

/// The server must outlive this process, not the other way round. Where this is refused the scan still runs.
#[cfg(target_os = "linux")]
fn expendable() {
    let _refused = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL);
    let adjustment = std::fs::OpenOptions::new().write(true).open("/proc/self/oom_score_adj");
    let _refused = adjustment.and_then(|mut adjustment| adjustment.write_all(b"1000"));
    let _refused = nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0);
}

/// Only Linux offers it.
#[cfg(not(target_os = "linux"))]
fn expendable() {}
