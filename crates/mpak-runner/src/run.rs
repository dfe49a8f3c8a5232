//! Stage 18, run: starts a [`Plan`] and stays with it to its end.
//!
//! In: a plan. Out: how the server ended, after nothing of it is left. The server has the launcher's own
//! standard streams, so its bytes reach the host untouched; the launcher itself writes nothing to stdout.
//!
//! Where standard input is no terminal (an MCP host) the server gets a process group of its own: signals
//! are forwarded to the whole group, and what is left of it when the server ends is ended too. On a
//! terminal the server stays in the launcher's group, so that Ctrl-C, Ctrl-Z and reading the terminal
//! work as for any other program.
//!
//! When the host dies, even by SIGKILL, the launcher ends the group; when the launcher dies so, the kernel
//! kills the server. One thread, no runtime: the launcher sleeps in one `read`.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::plan::{Plan, Prepare};

#[cfg(unix)]
mod unix;

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It exited with this code.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
    /// The host died, and the server was ended.
    HostGone,
}

impl Ended {
    /// The exit code to pass on: the server's own, or 128 and the signal's number.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Code(code) => low_byte(code),
            Self::Signal(number) => low_byte(128 + number),
            Self::HostGone => 128 + 15,
        }
    }
}

/// What the system keeps of an exit code.
fn low_byte(code: i32) -> u8 {
    code.to_le_bytes()[0]
}

/// Why a server did not run.
#[derive(Debug, Error)]
pub enum RunError {
    /// The system refuses to start it.
    #[error("cannot start `{}`", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The step before the first start failed.
    #[error("`{}` failed with exit code {code} while {title}", program.display())]
    Prepare {
        /// What it was to do.
        title: String,
        /// The program.
        program: PathBuf,
        /// Its exit code.
        code: u8,
    },
    /// Watching over it failed.
    #[error("cannot watch over the server")]
    Watch {
        /// Why.
        source: io::Error,
    },
    /// Success of the step before the first start cannot be written down.
    #[error("cannot write `{}`", path.display())]
    Marker {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Starts the plan and waits for the end. Must be called on the main thread, once in a process that is
/// about to end: it takes over signals and closes the launcher's own standard input and output.
///
/// # Errors
/// [`RunError`] when the server never ran.
pub fn run(plan: &Plan) -> Result<Ended, RunError> {
    #[cfg(unix)]
    return unix::run(plan);
    #[cfg(not(unix))]
    return elsewhere::run(plan);
}

/// Carries out the step before the first start; its output goes to stderr. `Some` when the host went away
/// or a signal came meanwhile.
///
/// # Errors
/// [`RunError`].
pub fn prepare(step: &Prepare) -> Result<Option<Ended>, RunError> {
    #[cfg(unix)]
    let ended = unix::prepare(step)?;
    #[cfg(not(unix))]
    let ended = elsewhere::prepare(step)?;
    match ended {
        Ended::Code(0) => {}
        Ended::Code(code) => {
            return Err(RunError::Prepare {
                title: step.title.clone(),
                program: step.program.clone(),
                code: low_byte(code),
            });
        }
        other => return Ok(Some(other)),
    }
    mpak_bundle::durable::replace(&step.marker, b"", 0o600)
        .map_err(|source| RunError::Marker { path: step.marker.clone(), source })?;
    Ok(None)
}

#[cfg(not(unix))]
mod elsewhere {
    //! Systems without process groups: start and wait.

    use std::process::{Command, Stdio};

    use super::{Ended, Plan, Prepare, RunError};

    pub(super) fn run(plan: &Plan) -> Result<Ended, RunError> {
        let mut command = Command::new(&plan.program);
        command.args(&plan.args).env_clear().envs(&plan.env).current_dir(&plan.cwd);
        finish(command, &plan.program)
    }

    pub(super) fn prepare(step: &Prepare) -> Result<Ended, RunError> {
        let mut command = Command::new(&step.program);
        command.args(&step.args).env_clear().envs(&step.env).current_dir(&step.cwd);
        command.stdin(Stdio::null()).stdout(std::io::stderr());
        finish(command, &step.program)
    }

    fn finish(mut command: Command, program: &std::path::Path) -> Result<Ended, RunError> {
        let status = command.status().map_err(|source| RunError::Start { program: program.to_owned(), source })?;
        Ok(Ended::Code(status.code().unwrap_or(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_follow_the_shell() {
        for (ended, code) in
            [(Ended::Code(0), 0), (Ended::Code(7), 7), (Ended::Signal(9), 137), (Ended::Signal(15), 143)]
        {
            assert_eq!(ended.exit_code(), code);
        }
    }
}
