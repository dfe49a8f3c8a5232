//! `mpak bench`: what `bench/registry.py` is made of. Hidden: it is for developers of this project.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use mpak_registry::bench;
use mpak_registry::config::Config;

use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::Settings;
use crate::ui;

pub mod load;

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub what: What,
}

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum What {
    /// Write a catalogue of invented packages, three versions each, into a new data folder
    Catalogue(Catalogue),
    /// Run a registry with a route that answers fixed bytes, /v1/floor/BYTES, and without rate limits
    Serve(Serve),
    /// Ask a registry for paths as fast as it answers
    Load(load::Load),
}

/// Flags of `catalogue`.
#[derive(Debug, clap::Args)]
pub struct Catalogue {
    /// Number of packages
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub packages: u64,
    /// Data folder; must hold no registry
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// The same seed gives the same catalogue
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// Flags of `serve`.
#[derive(Debug, clap::Args)]
pub struct Serve {
    /// Data folder
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Where to listen
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
}

/// Does it.
pub fn run(args: &Args, _settings: &Settings) -> CommandResult {
    match &args.what {
        What::Catalogue(args) => catalogue(args),
        What::Serve(args) => serve(args),
        What::Load(args) => load::run(args),
    }
}

fn catalogue(args: &Catalogue) -> CommandResult {
    if args.data.join("registry.db").exists() {
        return Err(CommandError::new(Kind::Usage, format!("{} holds a registry already", args.data.display()))
            .hint("give a new folder with --data DIR"));
    }
    let progress = |written: u64| {
        if written.is_multiple_of(50_000) || written == args.packages {
            ui::note(&format!("{written} packages"));
        }
    };
    bench::catalogue(&args.data, args.packages, args.seed, progress)
        .map_err(|e| CommandError::from_error(Kind::Ours, &e))?;
    Ok(ExitCode::SUCCESS)
}

fn serve(args: &Serve) -> CommandResult {
    let mut config = Config::new(&args.data, args.listen);
    config.floor = true;
    // Counted like everywhere, and never too many.
    config.rates.reads_per_minute = Some(60_000_000);
    config.rates.connections_per_address = 10_000;
    // The bundles of an invented catalogue are not there.
    config.scanning.enabled = false;
    mpak_registry::serve(config, |running| ui::data(&format!("listening on http://{}", running.address())))
        .map_err(|e| CommandError::from_error(Kind::Ours, &e))?;
    Ok(ExitCode::SUCCESS)
}
