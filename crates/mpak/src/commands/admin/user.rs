//! `mpak admin user`: people with an account.

use std::process::ExitCode;

use mpak_registry::admin::person;
use mpak_registry::admin::users::{self, ListedUser, UserError};
use mpak_registry::clock::Clock;

use super::Plain;
use crate::configuration::Place;
use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::Settings;
use crate::ui;

/// What to do with people.
#[derive(Debug, clap::Subcommand)]
pub enum UserCommand {
    /// List people
    List(Plain),
    /// Add somebody before the first sign-in
    Add(Add),
    /// Add an account that no provider vouches for, with a token
    Invite(Invite),
    /// Make somebody a reader, publisher or admin
    Role(Role),
    /// Shut somebody out now
    Disable(One),
    /// Let somebody in again
    Enable(One),
    /// Make a link that signs the administrator in once, where no provider is configured
    Link(super::Link),
}

/// Flags of `user add`.
#[derive(Debug, clap::Args)]
pub struct Add {
    /// Login, for people to read
    pub login: String,
    /// The provider that signs in
    #[arg(long, value_name = "URL")]
    pub issuer: String,
    /// The person, as the provider names it for ever (`sub`)
    #[arg(long)]
    pub subject: String,
    /// reader, publisher or admin
    #[arg(long, default_value = "reader")]
    pub role: String,
    /// Which registry.
    #[command(flatten)]
    pub place: Place,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `user invite`.
#[derive(Debug, clap::Args)]
pub struct Invite {
    /// Login of the account
    pub login: String,
    /// What it may do: reader, publisher or admin
    #[arg(long, default_value = "publisher", value_parser = ["reader", "publisher", "admin"])]
    pub role: String,
    /// Login at GitHub, for claiming packages; you vouch for it
    #[arg(long, value_name = "LOGIN")]
    pub github: Option<String>,
    /// Which registry.
    #[command(flatten)]
    pub place: Place,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `user role`.
#[derive(Debug, clap::Args)]
pub struct Role {
    /// Id from `mpak admin user list`
    pub id: i64,
    /// reader, publisher or admin
    pub role: String,
    /// Which registry.
    #[command(flatten)]
    pub place: Place,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `user disable` and `user enable`.
#[derive(Debug, clap::Args)]
pub struct One {
    /// Id from `mpak admin user list`
    pub id: i64,
    /// Which registry.
    #[command(flatten)]
    pub place: Place,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

impl UserCommand {
    /// Whether `--json` was given.
    pub fn wants_json(&self) -> bool {
        match self {
            Self::List(args) => args.json,
            Self::Add(args) => args.json,
            Self::Invite(args) => args.json,
            Self::Role(args) => args.json,
            Self::Disable(args) | Self::Enable(args) => args.json,
            Self::Link(args) => args.json,
        }
    }
}

/// Runs it.
pub fn run(command: &UserCommand, settings: &Settings) -> CommandResult {
    match command {
        UserCommand::List(args) => list(args, settings),
        UserCommand::Add(args) => add(args, settings),
        UserCommand::Invite(args) => invite(args, settings),
        UserCommand::Role(args) => role(args, settings),
        UserCommand::Disable(args) => disable(args, true, settings),
        UserCommand::Enable(args) => disable(args, false, settings),
        UserCommand::Link(args) => super::link(args, settings),
    }
}

fn list(args: &Plain, settings: &Settings) -> CommandResult {
    let users = users::list(&args.place.load(settings)?).map_err(|e| refusal(&e))?;
    if args.json {
        ui::json(&serde_json::json!({"users": users}));
    } else if users.is_empty() {
        ui::note("there are no users: somebody becomes one by signing in, or by `mpak admin user add`");
    } else {
        let rows: Vec<Vec<String>> = users.iter().map(row).collect();
        for line in ui::table(&["ID", "LOGIN", "ROLE", "STATE", "ISSUER", "SUBJECT"], &rows) {
            ui::data(&line);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn row(user: &ListedUser) -> Vec<String> {
    let state = if user.disabled { "disabled" } else { "active" };
    let (login, issuer, subject) = (ui::safe(&user.login), ui::safe(&user.issuer), ui::safe(&user.subject));
    vec![user.id.to_string(), login, user.role.clone(), state.to_owned(), issuer, subject]
}

fn add(args: &Add, settings: &Settings) -> CommandResult {
    let config = args.place.load(settings)?;
    let id = users::add(&config, &args.issuer, &args.subject, &args.login, &args.role, &Clock::system());
    let id = id.map_err(|e| refusal(&e))?;
    tell(args.json, id, &format!("user {id} `{}` is a {}", ui::safe(&args.login), args.role));
    Ok(ExitCode::SUCCESS)
}

fn invite(args: &Invite, settings: &Settings) -> CommandResult {
    let config = args.place.load(settings)?;
    let made = person::add(&config, &args.login, args.github.as_deref(), &args.role, &Clock::system());
    let made = made.map_err(|e| super::refusal(&e))?;
    if args.json {
        ui::json(&made);
    } else {
        ui::data(&made.token);
        ui::note(&format!("`{}` is a {}; this token is theirs until {}", args.login, args.role, made.expires_at));
        ui::note("It is not shown again. They use it as MPAK_TOKEN.");
    }
    Ok(ExitCode::SUCCESS)
}

fn role(args: &Role, settings: &Settings) -> CommandResult {
    let config = args.place.load(settings)?;
    users::set_role(&config, args.id, &args.role, &Clock::system()).map_err(|e| refusal(&e))?;
    tell(args.json, args.id, &format!("user {} is a {}", args.id, args.role));
    Ok(ExitCode::SUCCESS)
}

fn disable(args: &One, disabled: bool, settings: &Settings) -> CommandResult {
    let config = args.place.load(settings)?;
    users::set_disabled(&config, args.id, disabled, &Clock::system()).map_err(|e| refusal(&e))?;
    tell(args.json, args.id, &format!("user {} is {}", args.id, if disabled { "shut out" } else { "let in" }));
    Ok(ExitCode::SUCCESS)
}

fn tell(json: bool, id: i64, text: &str) {
    if json {
        ui::json(&serde_json::json!({"id": id}));
    } else {
        ui::note(text);
    }
}

fn refusal(error: &UserError) -> CommandError {
    let (kind, hint) = match error {
        UserError::Admin(error) => return super::refusal(error),
        UserError::Role { .. } => (Kind::Usage, "give reader, publisher or admin"),
        UserError::Text { .. } => (Kind::Usage, "give a short text"),
        UserError::NoUser { .. } => (Kind::NotFound, "see `mpak admin user list`"),
        UserError::Known { .. } => {
            (Kind::Refused, "see `mpak admin user list`; change the role with `mpak admin user role`")
        }
    };
    CommandError::from_error(kind, error).hint(hint)
}
