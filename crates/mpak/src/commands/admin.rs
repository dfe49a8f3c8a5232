//! `mpak admin`: administer a registry's data, also while the server runs.

use std::process::ExitCode;

use mpak_registry::admin::{self, AdminError, ListedToken, NewToken, TOKEN_DAYS_MAX};
use mpak_registry::clock::Clock;

use crate::configuration::Place;
use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::Settings;
use crate::ui;

mod package;
mod upkeep;
mod user;

use package::{PackageCommand, ScopeCommand};

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to administer
    #[command(subcommand)]
    pub what: What,
}

/// What to administer.
#[derive(Debug, clap::Subcommand)]
pub enum What {
    /// Tokens to publish with
    #[command(subcommand)]
    Token(TokenCommand),
    /// People with an account
    #[command(subcommand)]
    User(user::UserCommand),
    /// Bring the database up to date, as the start of a server does
    Migrate(Plain),
    /// Prove that database, blobs and events agree; exit code 1 when they do not
    Verify(upkeep::Verify),
    /// Write everything into a folder, also while the server runs
    Backup(upkeep::Backup),
    /// Put a backup into an empty registry
    Restore(upkeep::Restore),
    /// Make again what follows from the database: latest versions, static files, failed scans
    Reindex(Plain),
    /// Packages: held, released, taken away
    #[command(subcommand)]
    Package(PackageCommand),
    /// Scopes that are kept for somebody
    #[command(subcommand)]
    Scope(ScopeCommand),
}

/// Flags of commands that need nothing else.
#[derive(Debug, clap::Args)]
pub struct Plain {
    /// Which registry.
    #[command(flatten)]
    pub place: Place,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `user link`.
#[derive(Debug, clap::Args)]
pub struct Link {
    /// Which registry.
    #[command(flatten)]
    pub place: Place,
    /// Address under which browsers reach the registry [default: its public_url, else where it listens]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What to do with tokens.
#[derive(Debug, clap::Subcommand)]
pub enum TokenCommand {
    /// Make a token; it is shown once
    Create(Create),
    /// List tokens, without their secrets
    List(Plain),
    /// End a token now
    Revoke(Revoke),
}

/// Flags of `token create`.
#[derive(Debug, clap::Args)]
pub struct Create {
    /// Which registry.
    #[command(flatten)]
    pub place: Place,
    /// What or whom it is for
    #[arg(long)]
    pub name: String,
    /// What it may do: publish, yank, manage, read or admin; may be repeated [default: publish]
    #[arg(long, value_name = "ACTION")]
    pub action: Vec<String>,
    /// With which packages: `@scope/name`, `@scope/*` or `*`; may be repeated [default: *]
    #[arg(long, value_name = "PATTERN")]
    pub package: Vec<String>,
    /// Days until it expires
    #[arg(long, value_name = "N", default_value_t = TOKEN_DAYS_MAX)]
    pub days: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `token revoke`.
#[derive(Debug, clap::Args)]
pub struct Revoke {
    /// Id from `mpak admin token list`
    pub id: i64,
    /// Which registry.
    #[command(flatten)]
    pub place: Place,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs it.
pub fn run(args: &Args, settings: &Settings) -> CommandResult {
    match &args.what {
        What::Token(TokenCommand::Create(args)) => create(args, settings),
        What::Token(TokenCommand::List(args)) => list(args, settings),
        What::Token(TokenCommand::Revoke(args)) => revoke(args, settings),
        What::User(command) => user::run(command, settings),
        What::Migrate(args) => upkeep::migrate(args, settings),
        What::Verify(args) => upkeep::run_verify(args, settings),
        What::Backup(args) => upkeep::run_backup(args, settings),
        What::Restore(args) => upkeep::run_restore(args, settings),
        What::Reindex(args) => upkeep::reindex(args, settings),
        What::Package(command) => package::run(command, settings),
        What::Scope(command) => package::run_scope(command, settings),
    }
}

fn create(args: &Create, settings: &Settings) -> CommandResult {
    let config = args.place.load(settings)?;
    let wanted: Vec<&str> = args.action.iter().map(String::as_str).collect();
    let actions = if wanted.is_empty() { vec!["publish"] } else { wanted };
    let made = admin::create_token_for(&config, &args.name, &actions, &args.package, args.days, &Clock::system());
    let made: NewToken = made.map_err(|e| refusal(&e))?;
    if args.json {
        ui::json(&made);
    } else {
        ui::data(&made.token);
        let packages = made.packages.join(", ");
        let actions = made.actions.join(", ");
        ui::note(&format!("token {} `{}` may {actions} {packages} until {}", made.id, made.name, made.expires_at));
        ui::note("It is not shown again. Use it as MPAK_TOKEN.");
    }
    Ok(ExitCode::SUCCESS)
}

fn list(args: &Plain, settings: &Settings) -> CommandResult {
    let tokens = admin::list_tokens(&args.place.load(settings)?, &Clock::system()).map_err(|e| refusal(&e))?;
    if args.json {
        ui::json(&serde_json::json!({"tokens": tokens}));
    } else if tokens.is_empty() {
        ui::note("there are no tokens; make one with `mpak admin token create --name NAME`");
    } else {
        let rows: Vec<Vec<String>> = tokens.iter().map(row).collect();
        for line in ui::table(&["ID", "NAME", "STATE", "ACTIONS", "PACKAGES", "EXPIRES", "LAST USED"], &rows) {
            ui::data(&line);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn row(token: &ListedToken) -> Vec<String> {
    let last_used = token.last_used_at.clone().unwrap_or_else(|| "never".to_owned());
    let expires = token.expires_at.clone();
    let (name, packages) = (ui::safe(&token.name), token.packages.join(" "));
    let actions = token.actions.join(" ");
    vec![token.id.to_string(), name, token.state.to_owned(), actions, packages, expires, last_used]
}

fn revoke(args: &Revoke, settings: &Settings) -> CommandResult {
    admin::revoke_token(&args.place.load(settings)?, args.id, &Clock::system()).map_err(|e| refusal(&e))?;
    if args.json {
        ui::json(&serde_json::json!({"id": args.id, "state": "revoked"}));
    } else {
        ui::note(&format!("token {} is revoked", args.id));
    }
    Ok(ExitCode::SUCCESS)
}

fn link(args: &Link, settings: &Settings) -> CommandResult {
    let config = args.place.load(settings)?;
    let own = || config.public_url.as_ref().map_or_else(|| format!("http://{}", config.listen), ToString::to_string);
    let link = admin::sign_in_link(&config, &args.url.clone().unwrap_or_else(own), &Clock::system());
    let link = link.map_err(|e| refusal(&e))?;
    if args.json {
        ui::json(&serde_json::json!({"link": link}));
    } else {
        ui::data(&link);
        ui::note("It signs one browser in as administrator, once, within 24 hours.");
    }
    Ok(ExitCode::SUCCESS)
}

fn refusal(error: &AdminError) -> CommandError {
    let (kind, hint) = match error {
        AdminError::Data { .. } => (Kind::Usage, "give the registry's data folder with --data DIR"),
        AdminError::Name { .. } => (Kind::Usage, "give a short name with --name, like `ci`"),
        AdminError::Action { .. } => (Kind::Usage, "give --action publish, yank, manage, read or admin"),
        AdminError::Pattern(_) => (Kind::Usage, "give --package `@scope/name`, `@scope/*` or `*`"),
        AdminError::Days { .. } => (Kind::Usage, "give a number of days with --days N"),
        AdminError::NoRegistry { .. } => (Kind::NotFound, "give the folder of `mpak serve --data DIR`"),
        AdminError::NoPackage { .. } => (Kind::NotFound, "see `mpak search`, or `mpak admin package held`"),
        AdminError::NoToken { .. } => (Kind::NotFound, "see `mpak admin token list`"),
        AdminError::Lifecycle(_) => (Kind::Refused, "see `mpak admin package show` and `mpak admin scope list`"),
        AdminError::DatabaseAway(_) => (Kind::Network, "start the database server, or correct `database.url`"),
        AdminError::Db(_) | AdminError::Runtime(_) => (Kind::Ours, "see the causes"),
    };
    CommandError::from_error(kind, error).hint(hint)
}

impl Args {
    /// Whether `--json` was given.
    pub fn wants_json(&self) -> bool {
        match &self.what {
            What::Token(TokenCommand::Create(args)) => args.json,
            What::Token(TokenCommand::Revoke(args)) => args.json,
            What::User(command) => command.wants_json(),
            What::Token(TokenCommand::List(args)) | What::Migrate(args) | What::Reindex(args) => args.json,
            What::Verify(args) => args.json,
            What::Backup(args) => args.json,
            What::Restore(args) => args.json,
            What::Package(command) => command.wants_json(),
            What::Scope(command) => command.wants_json(),
        }
    }
}
