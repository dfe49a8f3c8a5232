//! `mpak serve`: run a registry.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use mpak_registry::ServeError;
use mpak_registry::config::{Config, DEFAULT_LISTEN, first_token_path};
use tracing_subscriber::EnvFilter;

use crate::demo;
use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::Settings;
use crate::ui;

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Data folder; created on the first start [default: ~/.mpak/registry]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = DEFAULT_LISTEN)]
    pub listen: SocketAddr,
    /// Address under which clients see the registry, for example behind a proxy
    #[arg(long, value_name = "URL")]
    pub public_url: Option<url::Url>,
    /// Fill the catalogue with real servers, packed on the spot [data default: ~/.mpak/demo]
    #[arg(long)]
    pub demo: bool,
    /// What to log on stderr: error, warn, info, debug, or per module as in `mpak_registry=debug`
    /// [default: info, with --demo: warn]
    #[arg(long, value_name = "FILTER")]
    pub log: Option<String>,
    /// Log as JSON, one object per line
    #[arg(long)]
    pub log_json: bool,
}

/// The data folder, given or the usual one.
pub fn data_folder(given: Option<&PathBuf>, settings: &Settings) -> PathBuf {
    given.cloned().unwrap_or_else(|| settings.home.join("registry"))
}

/// Runs it.
pub fn run(args: &Args, settings: &Settings) -> CommandResult {
    if args.public_url.as_ref().is_some_and(|url| !matches!(url.scheme(), "http" | "https")) {
        return Err(CommandError::new(Kind::Usage, "--public-url is not an http or https address"));
    }
    log(args)?;
    let data = if args.demo && args.data.is_none() {
        settings.home.join("demo")
    } else {
        data_folder(args.data.as_ref(), settings)
    };
    let first = first_token_path(&data);
    let known = first.exists();
    let mut config = Config::new(&data, args.listen);
    config.public_url.clone_from(&args.public_url);
    let ready = |address: SocketAddr| {
        if !known && first.exists() {
            ui::note(&format!("first start: a token to publish with is in {}", first.display()));
        }
        ui::data(&format!("listening on http://{address}"));
        if args.demo {
            fill_with_demo(address, &first, settings);
        }
    };
    mpak_registry::serve(config, ready).map_err(|e| refusal(&e))?;
    Ok(ExitCode::SUCCESS)
}

/// Beside the server, which serves already.
fn fill_with_demo(address: SocketAddr, first_token: &Path, settings: &Settings) {
    let registry = format!("http://{address}");
    let settings = settings.clone();
    match std::fs::read_to_string(first_token) {
        Ok(token) => drop(std::thread::spawn(move || demo::fill(&registry, token.trim(), &settings))),
        Err(e) => ui::note(&format!("demo: nothing is added, since {} cannot be read: {e}", first_token.display())),
    }
}

fn log(args: &Args) -> Result<(), CommandError> {
    let filter = args.log.as_deref().unwrap_or(if args.demo { "warn" } else { "info" });
    let filter = EnvFilter::try_new(filter)
        .map_err(|e| CommandError::new(Kind::Usage, format!("--log `{filter}` is not a filter: {e}")))?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if args.log_json {
        subscriber.json().try_init()
    } else {
        subscriber.with_ansi(std::io::stderr().is_terminal()).try_init()
    };
    started.map_err(|e| CommandError::new(Kind::Ours, format!("cannot start the log: {e}")))
}

fn refusal(error: &ServeError) -> CommandError {
    let (kind, hint) = match error {
        ServeError::Data { .. } => (Kind::Usage, "give a folder that you may write to with --data DIR"),
        ServeError::InUse { .. } => (Kind::Refused, "stop the other server, or give another folder with --data DIR"),
        ServeError::Listen { .. } => {
            (Kind::Usage, "give another address with --listen ADDR:PORT; port 0 takes a free one")
        }
        ServeError::Db(_) => (Kind::Ours, "if another version of mpak wrote this folder, run that one"),
        ServeError::Search(_) | ServeError::Runtime(_) => (Kind::Ours, "see the causes"),
    };
    CommandError::from_error(kind, error).hint(hint)
}
