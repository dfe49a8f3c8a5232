//! `mpak whoami`: who a registry takes this machine for.

use std::process::ExitCode;

use mpak_api::person::Me;

use crate::client::ClientError;
use crate::commands;
use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::Settings;
use crate::ui;

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The registry, instead of MPAK_REGISTRY_URL or the stored one
    #[arg(long)]
    pub registry: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs it.
pub fn run(args: &Args, settings: &Settings) -> CommandResult {
    let registry = commands::configured_registry(args.registry.as_deref(), settings)?;
    let client = commands::client(registry, settings)?;
    let address = client.registry().to_string();
    let nobody = |text: String| CommandError::new(Kind::No, text).hint("run `mpak login`");
    if client.token().is_none() {
        return Err(nobody(format!("nobody is logged in to {address} here")));
    }
    let me: Me = match client.me() {
        Err(ClientError::Denied { message, .. }) => {
            return Err(nobody(format!("{address} does not accept the token: {message}")));
        }
        answer => answer?,
    };
    if args.json {
        ui::json(&serde_json::json!({"registry": address, "me": me}));
        return Ok(ExitCode::SUCCESS);
    }
    let token = me.token.as_ref();
    let name = me.login.as_deref().or(token.map(|t| t.name.as_str())).unwrap_or("somebody");
    ui::data(&ui::safe(name));
    let role = me.role.as_deref().unwrap_or("a token of an administrator's making");
    ui::note(&format!("{address} takes you for {} ({})", ui::safe(name), ui::safe(role)));
    if let Some(token) = token {
        let (actions, packages) = (token.actions.join(", "), token.packages.join(", "));
        let until = ui::safe(&token.expires_at);
        ui::note(&format!(
            "token `{}`: {} on {}, until {until}",
            ui::safe(&token.name),
            ui::safe(&actions),
            ui::safe(&packages)
        ));
    }
    Ok(ExitCode::SUCCESS)
}
