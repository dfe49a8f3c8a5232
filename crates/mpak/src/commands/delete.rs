//! `mpak delete`: a version or a package that nobody depends on yet. Its name is never used again.

use std::process::ExitCode;

use mpak_api::path;
use reqwest::Method;
use serde_json::json;

use crate::commands::{self, configured_registry, parse_spec, token};
use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::Settings;
use crate::ui;

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The version or package: @scope/name@version, or @scope/name for all of it
    pub package: String,
    /// Do it; nothing brings it back
    #[arg(long)]
    pub yes: bool,
    /// Why, for those who look for it
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Address of the registry
    #[arg(long, value_name = "URL")]
    pub registry: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs it.
pub fn run(args: &Args, settings: &Settings) -> CommandResult {
    let spec = parse_spec(&args.package)?;
    let what = spec.version.as_ref().map_or_else(|| spec.name.to_string(), |v| format!("{}@{v}", spec.name));
    if !args.yes {
        let message = format!("deleting {what} cannot be undone, and its name is never used again");
        return Err(CommandError::new(Kind::NeedsPerson, message)
            .hint(format!("if you mean it: mpak delete {what} --yes"))
            .hint(format!("to keep it for those who use it: mpak yank {}@VERSION", spec.name)));
    }
    let client = commands::client(configured_registry(args.registry.as_deref(), settings)?, settings)?;
    let path = match &spec.version {
        Some(version) => path::package_version(&spec.name, version),
        None => path::package(&spec.name),
    };
    let body = json!({"reason": args.reason});
    let answer = client.manage(Method::DELETE, &path, token(&client)?, Some(&body), &what)?;
    if args.json {
        ui::json(&answer);
    } else {
        let count = answer["versions"].as_array().map_or(0, Vec::len);
        let whole = if answer["package"] == true { ", and the package with it" } else { "" };
        ui::note(&format!("deleted {count} version{} of {}{whole}", if count == 1 { "" } else { "s" }, spec.name));
    }
    Ok(ExitCode::SUCCESS)
}
