//! `mpak admin`: administer a registry's data.

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

impl Args {
    /// Whether `--json` was given.
    pub fn wants_json(&self) -> bool {
        self.json
    }
}
