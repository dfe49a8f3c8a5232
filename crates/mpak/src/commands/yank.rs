//! `mpak yank` and `mpak unyank`: a version that nothing resolves to any more, and back.

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
    /// The version: @scope/name@version
    pub package: String,
    /// Why, for those who use it
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Address of the registry
    #[arg(long, value_name = "URL")]
    pub registry: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Yanks, or takes it back.
pub fn run(args: &Args, settings: &Settings, yank: bool) -> CommandResult {
    let spec = parse_spec(&args.package)?;
    let version = spec.version.as_deref().filter(|v| *v != "latest").ok_or_else(|| {
        CommandError::new(Kind::Usage, "a yank is about one version").hint(format!("name it: {}@1.2.3", spec.name))
    })?;
    let client = commands::client(configured_registry(args.registry.as_deref(), settings)?, settings)?;
    let method = if yank { Method::PUT } else { Method::DELETE };
    let path = format!("{}/yank", path::package_version(&spec.name, version));
    let body = json!({"reason": args.reason});
    let answer = client.manage(method, &path, token(&client)?, Some(&body), &args.package)?;
    if args.json {
        ui::json(&answer);
    } else {
        let done = match (yank, answer["changed"] == false) {
            (true, false) => "is yanked",
            (true, true) => "is already yanked",
            (false, false) => "is no longer yanked",
            (false, true) => "was not yanked",
        };
        ui::note(&format!("{}@{version} {done}", spec.name));
    }
    Ok(ExitCode::SUCCESS)
}
