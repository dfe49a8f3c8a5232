//! `mpak explain`: explain a control.

use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::Settings;

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs it.
pub fn run(args: &Args, settings: &Settings) -> CommandResult {
    let _ = (args, settings);
    Err(CommandError::new(Kind::Ours, "not written yet"))
}
