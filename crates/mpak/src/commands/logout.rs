//! `mpak logout`: end this machine's token of a registry, there and here.

use std::process::ExitCode;

use crate::client::{Client, ClientError};
use crate::commands;
use crate::error::{CommandError, CommandResult, Kind};
use crate::home::Home;
use crate::home::secrets::Secrets;
use crate::settings::Settings;
use crate::ui;

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The registry, instead of MPAK_REGISTRY_URL or the stored one
    #[arg(long)]
    pub registry: Option<String>,
    /// Forget the token here without asking the registry, where it stays valid until it expires
    #[arg(long)]
    pub local: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs it.
pub fn run(args: &Args, settings: &Settings) -> CommandResult {
    let registry = commands::configured_registry(args.registry.as_deref(), settings)?;
    let home = Home::new(settings);
    let address = registry.to_string();
    let Some(login) = Secrets::read(&home)?.login(&address).cloned() else {
        let text = format!("this machine is not logged in to {address}");
        let error = CommandError::new(Kind::No, text);
        return Err(match settings.token {
            Some(_) => error.hint("MPAK_TOKEN is ended with `unset MPAK_TOKEN`"),
            None => error,
        });
    };
    // 1. There. A token that the registry does not accept any more is ended already.
    let revoked = if args.local {
        false
    } else {
        match Client::new(registry).with_token(Some(login.token)).end_token() {
            Ok(()) | Err(ClientError::Denied { .. }) => true,
            Err(error) => {
                let hint = "`mpak logout --local` forgets it here; it stays valid there until it expires";
                return Err(CommandError::from(error).hint(hint));
            }
        }
    };
    // 2. Here.
    Secrets::change(&home, |secrets| secrets.log_out(&address))?;
    if args.json {
        ui::json(&serde_json::json!({"registry": address, "revoked": revoked}));
    }
    let how = if revoked { "its token is revoked" } else { "its token stays valid there until it expires" };
    ui::note(&format!("logged out of {address}; {how}"));
    Ok(ExitCode::SUCCESS)
}
