//! `mpak search`: find packages.

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

/// Flags of `bundle search`.
pub type BundleArgs = Args;

/// Runs `bundle search`.
pub fn run_bundle(args: &BundleArgs, settings: &Settings) -> CommandResult {
    run(args, settings)
}
