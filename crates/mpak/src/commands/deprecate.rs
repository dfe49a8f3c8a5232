//! `mpak deprecate` and `mpak undeprecate`: a package that should not be used any more, and back.

use std::process::ExitCode;

use mpak_api::path;
use reqwest::Method;
use serde_json::json;

use crate::commands::{self, configured_registry, parse_name, token};
use crate::error::CommandResult;
use crate::settings::Settings;
use crate::ui;

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The package: @scope/name
    pub package: String,
    /// Why, and what to do; shown to everybody who installs it
    pub message: String,
    /// The package to use instead
    #[arg(long = "use", value_name = "@SCOPE/NAME")]
    pub replacement: Option<String>,
    /// Address of the registry
    #[arg(long, value_name = "URL")]
    pub registry: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `undeprecate`.
#[derive(Debug, clap::Args)]
pub struct UndoArgs {
    /// The package: @scope/name
    pub package: String,
    /// Address of the registry
    #[arg(long, value_name = "URL")]
    pub registry: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Deprecates.
pub fn run(args: &Args, settings: &Settings) -> CommandResult {
    let name = parse_name(&args.package)?;
    let client = commands::client(configured_registry(args.registry.as_deref(), settings)?, settings)?;
    let path = format!("{}/deprecation", path::package(&name));
    let body = json!({"message": args.message, "replacement": args.replacement});
    let answer = client.manage(Method::PUT, &path, token(&client)?, Some(&body), &args.package)?;
    if args.json {
        ui::json(&answer);
    } else {
        ui::note(&format!("{name} is deprecated; it stays installable"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Takes it back.
pub fn undo(args: &UndoArgs, settings: &Settings) -> CommandResult {
    let name = parse_name(&args.package)?;
    let client = commands::client(configured_registry(args.registry.as_deref(), settings)?, settings)?;
    let path = format!("{}/deprecation", path::package(&name));
    let answer = client.manage(Method::DELETE, &path, token(&client)?, None, &args.package)?;
    if args.json {
        ui::json(&answer);
    } else {
        ui::note(&format!("{name} is no longer deprecated"));
    }
    Ok(ExitCode::SUCCESS)
}
