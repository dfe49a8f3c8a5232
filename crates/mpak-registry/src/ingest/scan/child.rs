//! The process that reads what a publisher sent: started for one scan, with bounds on time and memory.
//!
//! In: an opened bundle and a task. Out: a report, or why there is none. A child that hangs, grows or dies
//! costs its scan, never the server. It gets no environment, and its answer is bounded.

use std::fs::File;
use std::io::{self, Seek as _};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use mpak_scan::report::Report;
use mpak_scan::task::{Answer, Task};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

use crate::config::Scanning;

/// Longest task: systems bound all arguments together, which the evidence's attestations fill.
const TASK_BYTES_MAX: usize = 1 << 20;
/// Longest argument: systems bound each of them, too.
const ARGUMENT_BYTES_MAX: usize = 100 << 10;
/// Largest answer.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
/// Most of what a child says before it dies.
const WORDS_BYTES_MAX: u64 = 4 << 10;
/// How often its memory is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// The hidden command of the program.
const COMMAND: &str = "scan-worker";

/// Why a child gave no report.
#[derive(Debug, Error)]
pub(crate) enum ChildError {
    #[error("the scanner `{program}` cannot be started")]
    Start { program: String, source: io::Error },
    #[error("the scanner's task cannot be written")]
    Task(#[source] io::Error),
    #[error("the scanner's task has {bytes} bytes, expected at most {TASK_BYTES_MAX}")]
    LongTask { bytes: usize },
    #[error("the scanner's answer cannot be read")]
    Read(#[source] io::Error),
    #[error("the scan took longer than {seconds} s, the limit of `scan.timeout_s`, and was ended")]
    TimedOut { seconds: u64 },
    #[error("the scan used more than {megabytes} MB, the limit of `scan.memory_mb`, and was ended")]
    Memory { megabytes: u64 },
    #[error("the scanner died ({status}): {words}")]
    Died { status: ExitStatus, words: String },
    #[error("the scanner's answer has more than {ANSWER_BYTES_MAX} bytes")]
    TooLong,
    #[error("the scanner's answer is not understood")]
    Garbled(#[source] serde_json::Error),
    #[error("{message}")]
    Refused { message: String },
}

/// Lets a child judge.
pub(super) async fn judge(program: &Path, bundle: File, task: &Task, bounds: &Scanning) -> Result<Report, ChildError> {
    // 1. The child; it dies with this function.
    let mut child = start(program, bundle, task)?;
    // 2. Its answer, or the first bound that it breaks.
    let memory = watch(child.id(), bounds.memory_mb);
    let timeout_s = bounds.timeout.as_secs();
    let said = tokio::select! {
        said = listen(&mut child) => said?,
        () = memory => return Err(ChildError::Memory { megabytes: bounds.memory_mb }),
        () = tokio::time::sleep(bounds.timeout) => return Err(ChildError::TimedOut { seconds: timeout_s }),
    };
    said.report()
}

/// The task is an argument: a file would outlive a server that is killed.
fn start(program: &Path, mut bundle: File, task: &Task) -> Result<Child, ChildError> {
    let told = serde_json::to_string(task).map_err(|e| ChildError::Task(e.into()))?;
    if told.len() > TASK_BYTES_MAX {
        return Err(ChildError::LongTask { bytes: told.len() });
    }
    bundle.rewind().map_err(ChildError::Task)?;
    let mut command = Command::new(program);
    command.arg(COMMAND).args(arguments(&told)).env_clear().current_dir("/").kill_on_drop(true);
    command.stdin(bundle).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().map_err(|source| ChildError::Start { program: program.display().to_string(), source })
}

/// A text in pieces that each fit into an argument.
fn arguments(mut text: &str) -> Vec<&str> {
    let mut all = Vec::new();
    while !text.is_empty() {
        let (one, rest) = text.split_at(text.floor_char_boundary(ARGUMENT_BYTES_MAX));
        all.push(one);
        text = rest;
    }
    all
}

/// What a child said until it ended.
struct Said {
    status: ExitStatus,
    answer: Vec<u8>,
    words: Vec<u8>,
}

async fn listen(child: &mut Child) -> Result<Said, ChildError> {
    let (answer, words) = (child.stdout.take(), child.stderr.take());
    let answer = bounded(answer, ANSWER_BYTES_MAX + 1);
    // What is beyond the bound must be taken too, or the child would wait for ever.
    let words = bounded(words, WORDS_BYTES_MAX);
    let (answer, words) = tokio::join!(answer, words);
    let (answer, words) = (answer.map_err(ChildError::Read)?, words.map_err(ChildError::Read)?);
    if answer.len() as u64 > ANSWER_BYTES_MAX {
        return Err(ChildError::TooLong);
    }
    let status = child.wait().await.map_err(ChildError::Read)?;
    Ok(Said { status, answer, words })
}

/// Up to so many bytes; closes the pipe then.
async fn bounded(pipe: Option<impl AsyncRead + Unpin>, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(bytes_max).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

impl Said {
    fn report(self) -> Result<Report, ChildError> {
        if !self.status.success() {
            let words = String::from_utf8_lossy(&self.words);
            let words = words.chars().filter(|c| !c.is_control() || *c == '\n').collect::<String>();
            return Err(ChildError::Died { status: self.status, words: words.trim().replace('\n', "; ") });
        }
        match serde_json::from_slice(&self.answer).map_err(ChildError::Garbled)? {
            Answer::Report(report) => Ok(*report),
            Answer::Refused { message } => Err(ChildError::Refused { message }),
        }
    }
}

/// Ends when a process uses more memory of its own than this; never where that cannot be seen.
async fn watch(pid: Option<u32>, megabytes_max: u64) {
    loop {
        tokio::time::sleep(LOOK).await;
        if pid.and_then(memory_bytes).is_some_and(|bytes| bytes > megabytes_max << 20) {
            return;
        }
    }
}

/// Memory that a process does not share with files. Source: proc(5), `RssAnon`.
fn memory_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
#[cfg(unix)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use mpak_bundle::limits::Limits;

    use super::*;

    /// A program in place of the scanner.
    async fn with(script: &str, bounds: Scanning) -> Result<Report, ChildError> {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("scanner");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
        let bundle = tempfile::tempfile().unwrap();
        let task = Task { limits: Limits::default(), advisories: None, evidence: None, cache: None, trust_root: None };
        judge(&program, bundle, &task, &bounds).await
    }

    fn bounds(seconds: u64, megabytes: u64) -> Scanning {
        Scanning { timeout: Duration::from_secs(seconds), memory_mb: megabytes, ..Scanning::default() }
    }

    #[tokio::test]
    async fn a_child_that_never_ends_is_ended() {
        let error = with("exec sleep 1000", bounds(1, 100)).await.unwrap_err();
        assert!(matches!(error, ChildError::TimedOut { seconds: 1 }), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_child_that_grows_is_ended() {
        let grow = "x=0123456789abcdef; while :; do x=$x$x; done";
        let error = with(grow, bounds(60, 64)).await.unwrap_err();
        assert!(matches!(error, ChildError::Memory { megabytes: 64 }), "{error}");
    }

    #[tokio::test]
    async fn a_child_that_dies_says_how() {
        let error = with("echo 'thread panicked' >&2; exit 101", bounds(60, 100)).await.unwrap_err();
        assert!(error.to_string().contains("101") && error.to_string().contains("thread panicked"), "{error}");
        let error = with("kill -SEGV $$", bounds(60, 100)).await.unwrap_err();
        assert!(error.to_string().contains("signal"), "{error}");
    }

    #[tokio::test]
    async fn an_answer_that_is_none_is_refused() {
        for (answer, expected) in [
            ("echo '{\"report\": 7}'", "not understood"),
            ("echo '{\"refused\": {\"message\": \"no archive\"}}'", "no archive"),
            ("yes", "more than"),
        ] {
            let error = with(answer, bounds(60, 100)).await.unwrap_err();
            assert!(error.to_string().contains(expected), "{answer}: {error}");
        }
    }

    #[tokio::test]
    async fn a_child_has_no_environment_and_the_bundle_on_its_input() {
        let script = "[ -z \"$HOME$CARGO\" ] && [ \"$1\" = scan-worker ] && case \"$2\" in *archive_bytes_max*) ;; *) exit 5;; esac && \
                      wc -c >&2 && exit 3; exit 4";
        let error = with(script, bounds(60, 100)).await.unwrap_err();
        assert!(error.to_string().contains('3') && error.to_string().ends_with(": 0"), "{error}");
    }
}
