//! `mpak admin package` and `scope`: what an operator decides about names.

use std::process::ExitCode;

use mpak_registry::admin::package::{self, Listed, Verdict};
use mpak_registry::clock::Clock;
use serde_json::json;

use super::{Plain, refusal};
use crate::configuration::Place;
use crate::error::CommandResult;
use crate::settings::Settings;
use crate::ui::{self, safe};

/// What to do with packages.
#[derive(Debug, clap::Subcommand)]
pub enum PackageCommand {
    /// List packages that wait for a decision
    Held(Plain),
    /// List packages that were taken away
    Removed(Plain),
    /// Show a package, whatever its state, and what happened to it
    Show(One),
    /// Let everybody see a held package
    Release(One),
    /// Take a held package away
    Reject(One),
    /// Take a public package away; its bytes are kept
    Remove(One),
    /// Hide a public package until it is decided about
    Hold(One),
    /// Bring back what was taken away
    Restore(One),
}

/// What to do with scopes.
#[derive(Debug, clap::Subcommand)]
pub enum ScopeCommand {
    /// List reserved scopes
    List(Plain),
    /// Let nobody begin packages in a scope
    Reserve(Scope),
    /// End a reservation
    Release(Scope),
}

/// One package.
#[derive(Debug, clap::Args)]
pub struct One {
    /// The package: @scope/name
    pub name: String,
    /// Why; its owners read it
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Which registry.
    #[command(flatten)]
    pub place: Place,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// One scope.
#[derive(Debug, clap::Args)]
pub struct Scope {
    /// The scope: @scope
    pub scope: String,
    /// Why, or for whom
    #[arg(long, value_name = "TEXT", default_value = "reserved by the operator of this registry")]
    pub reason: String,
    /// Which registry.
    #[command(flatten)]
    pub place: Place,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs `admin package`.
pub fn run(command: &PackageCommand, settings: &Settings) -> CommandResult {
    match command {
        PackageCommand::Held(args) => list(args, false, settings),
        PackageCommand::Removed(args) => list(args, true, settings),
        PackageCommand::Show(args) => show(args, settings),
        PackageCommand::Release(args) => decide(args, Verdict::Release, "public", settings),
        PackageCommand::Reject(args) => decide(args, Verdict::Reject, "removed", settings),
        PackageCommand::Remove(args) => decide(args, Verdict::Remove, "removed", settings),
        PackageCommand::Hold(args) => decide(args, Verdict::Hold, "held", settings),
        PackageCommand::Restore(args) => decide(args, Verdict::Restore, "public", settings),
    }
}

fn list(args: &Plain, removed: bool, settings: &Settings) -> CommandResult {
    let found = package::list(&args.place.load(settings)?, removed).map_err(|e| refusal(&e))?;
    if args.json {
        ui::json(&json!({"packages": found}));
    } else if found.is_empty() {
        ui::note(if removed { "no package was taken away" } else { "no package waits for a decision" });
    } else {
        let since = |p: &Listed| p.since.clone().unwrap_or_else(|| p.created_at.clone());
        let row = |p: &Listed| vec![safe(&p.name), since(p), safe(p.reason.as_deref().unwrap_or_default())];
        let rows: Vec<Vec<String>> = found.iter().map(row).collect();
        for line in ui::table(&["PACKAGE", "SINCE", "REASON"], &rows) {
            ui::data(&line);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(args: &One, settings: &Settings) -> CommandResult {
    let shown = package::show(&args.place.load(settings)?, &args.name).map_err(|e| refusal(&e))?;
    if args.json {
        ui::json(&shown);
        return Ok(ExitCode::SUCCESS);
    }
    ui::data(&format!("{} is {}", safe(&shown.listed.name), shown.listed.state));
    if let Some(reason) = &shown.listed.reason {
        ui::data(&format!("reason    {}", safe(reason)));
    }
    ui::data(&format!("versions  {}", safe(&shown.versions.join(", "))));
    let owners = if shown.owners.is_empty() { "nobody with an account".to_owned() } else { shown.owners.join(", ") };
    ui::data(&format!("owners    {}", safe(&owners)));
    for event in &shown.events {
        let version = event.version.as_deref().unwrap_or_default();
        ui::data(&format!("{}  {} {}  {}", event.at, event.kind, safe(version), safe(&event.actor)));
    }
    Ok(ExitCode::SUCCESS)
}

fn decide(args: &One, verdict: Verdict, state: &str, settings: &Settings) -> CommandResult {
    let config = args.place.load(settings)?;
    package::decide(&config, &args.name, verdict, args.reason.as_deref(), &Clock::system()).map_err(|e| refusal(&e))?;
    if args.json {
        ui::json(&json!({"name": args.name, "state": state}));
    } else {
        ui::note(&format!("{} is {state}", safe(&args.name)));
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs `admin scope`.
pub fn run_scope(command: &ScopeCommand, settings: &Settings) -> CommandResult {
    match command {
        ScopeCommand::List(args) => scopes(args, settings),
        ScopeCommand::Reserve(args) => reserve(args, Some(&args.reason), settings),
        ScopeCommand::Release(args) => reserve(args, None, settings),
    }
}

fn scopes(args: &Plain, settings: &Settings) -> CommandResult {
    let found = package::reserved_scopes(&args.place.load(settings)?).map_err(|e| refusal(&e))?;
    if args.json {
        ui::json(&json!({"scopes": found}));
    } else if found.is_empty() {
        ui::note("no scope is reserved");
    } else {
        let rows: Vec<_> = found.iter().map(|s| vec![format!("@{}", safe(&s.scope)), safe(&s.reason)]).collect();
        for line in ui::table(&["SCOPE", "REASON"], &rows) {
            ui::data(&line);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn reserve(args: &Scope, reason: Option<&str>, settings: &Settings) -> CommandResult {
    let config = args.place.load(settings)?;
    package::reserve_scope(&config, &args.scope, reason, &Clock::system()).map_err(|e| refusal(&e))?;
    let state = if reason.is_some() { "reserved" } else { "free" };
    if args.json {
        ui::json(&json!({"scope": args.scope, "state": state}));
    } else {
        ui::note(&format!("@{} is {state}", safe(args.scope.trim_start_matches('@'))));
    }
    Ok(ExitCode::SUCCESS)
}

impl PackageCommand {
    /// Whether `--json` was given.
    pub fn wants_json(&self) -> bool {
        match self {
            Self::Held(args) | Self::Removed(args) => args.json,
            Self::Show(args)
            | Self::Release(args)
            | Self::Reject(args)
            | Self::Remove(args)
            | Self::Hold(args)
            | Self::Restore(args) => args.json,
        }
    }
}

impl ScopeCommand {
    /// Whether `--json` was given.
    pub fn wants_json(&self) -> bool {
        match self {
            Self::List(args) => args.json,
            Self::Reserve(args) | Self::Release(args) => args.json,
        }
    }
}
