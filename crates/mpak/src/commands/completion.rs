//! `mpak completion`: shell completion, with all commands and flags.

use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::error::CommandResult;
use crate::settings::Settings;
use crate::ui;

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Runs it.
#[allow(clippy::unnecessary_wraps, reason = "every command has this form")]
pub fn run(args: &Args, _settings: &Settings) -> CommandResult {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::cli::Cli::command(), "mpak", &mut script);
    ui::data(String::from_utf8_lossy(&script).trim_end());
    Ok(ExitCode::SUCCESS)
}
