//! `mpak serve`: run a registry.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use mpak_registry::config::{Config, first_token_path, print};
use mpak_registry::{Running, ServeError};

use crate::configuration::{Flags, usual_data};
use crate::demo;
use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::Settings;
use crate::ui;

/// Said loudly, since a registry that others use must not do this.
const LOOPBACK: &str = "WARNING: outbound.allow_loopback is true: this registry fetches over plain http and from this \
                        machine's own services. It is for tests only.";

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Settings in TOML; flags and environment variables win over it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Fill the catalogue with real servers, packed on the spot [data default: ~/.mpak/demo]
    #[arg(long)]
    pub demo: bool,
    /// Print the settings in force and where each comes from, or the reference page, and start nothing
    #[arg(long, value_name = "FORM", num_args = 0..=1, require_equals = true, default_missing_value = "toml")]
    pub print_config: Option<Form>,
    /// One flag per setting.
    #[command(flatten)]
    pub settings: Flags,
}

/// How settings are printed.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Form {
    /// As a file for `--config`.
    Toml,
    /// As the reference page.
    Markdown,
}

/// Runs it.
pub fn run(args: &Args, settings: &Settings) -> CommandResult {
    if let Some(Form::Markdown) = args.print_config {
        ui::text(&print::markdown());
        return Ok(ExitCode::SUCCESS);
    }
    let (data, filter) = if args.demo { ("demo", "warn") } else { ("registry", "info") };
    let defaults = [("data", usual_data(settings, data)), ("log.filter", filter.to_owned())];
    let loaded = args.settings.load(args.config.as_ref(), settings, &defaults)?;
    if args.print_config.is_some() {
        ui::text(&print::toml(&loaded));
        return Ok(ExitCode::SUCCESS);
    }
    for (name, near) in &loaded.strangers {
        let near = near.as_ref().map(|near| format!("; do you mean {near}?")).unwrap_or_default();
        ui::note(&format!("the environment variable {} is no setting{near}", ui::safe(name)));
    }
    let mut config = loaded.config;
    // Hostile bundles are read by a process of their own.
    config.scanning.program = std::env::current_exe().ok();
    serve(args, config, settings)
}

fn serve(args: &Args, config: Config, settings: &Settings) -> CommandResult {
    if config.outbound.allow_loopback {
        ui::note(LOOPBACK);
    }
    let first = first_token_path(&config.data);
    let known = first.exists();
    let ready = |running: &Running| {
        let address = running.address();
        if let Some(link) = running.sign_in_link() {
            ui::note(&format!("sign in as administrator with a browser, once, within 24 hours: {link}"));
        }
        if !known && first.exists() {
            ui::note(&format!("first start: an administrator's token, for MPAK_TOKEN, is in {}", first.display()));
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

fn refusal(error: &ServeError) -> CommandError {
    let (kind, hint) = match error {
        ServeError::Data { .. } => (Kind::Usage, "give a folder that you may write to with --data DIR"),
        ServeError::InUse { .. } => (Kind::Refused, "stop the other server, or give another folder with --data DIR"),
        ServeError::Listen { .. } => {
            (Kind::Usage, "give another address with --listen ADDR:PORT; port 0 takes a free one")
        }
        ServeError::Telemetry(_) => (Kind::Usage, "see --log and --tracing-otlp-endpoint"),
        ServeError::Cut => (Kind::No, "the next start finds everything that was acknowledged"),
        ServeError::Storage(_) => (Kind::Usage, "see the settings below [storage]"),
        ServeError::DatabaseAway(_) => (Kind::Network, "start the database server, or correct `database.url`"),
        ServeError::Db(_) => (Kind::Ours, "if another version of mpak wrote this folder, run that one"),
        ServeError::Issuer(_) => (Kind::Usage, "see the settings below [[publishing.issuer]]"),
        ServeError::Search(_) | ServeError::Runtime(_) => (Kind::Ours, "see the causes"),
    };
    CommandError::from_error(kind, error).hint(hint)
}
