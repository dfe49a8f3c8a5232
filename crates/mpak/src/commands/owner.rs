//! `mpak owner`: the people who decide about a package.

use std::process::ExitCode;

use mpak_api::path;
use mpak_bundle::name::PackageName;
use reqwest::Method;

use crate::client::Client;
use crate::commands::{self, configured_registry, parse_name, token};
use crate::error::CommandResult;
use crate::settings::Settings;
use crate::ui::{self, safe};

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub what: What,
}

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum What {
    /// List the owners
    #[command(visible_alias = "ls")]
    List(Package),
    /// Add an owner
    Add(Person),
    /// Take an owner away; never the last one
    #[command(visible_alias = "rm")]
    Remove(Person),
    /// Allow tokens beside trusted publishing; two owners have to
    AllowTokens(Package),
    /// Stop allowing tokens beside trusted publishing
    DisallowTokens(Package),
}

/// A package.
#[derive(Debug, clap::Args)]
pub struct Package {
    /// The package: @scope/name
    pub package: String,
    /// Address of the registry
    #[arg(long, value_name = "URL")]
    pub registry: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// A package and a person.
#[derive(Debug, clap::Args)]
pub struct Person {
    /// Which package.
    #[command(flatten)]
    pub of: Package,
    /// Login of the person
    #[arg(index = 2)]
    pub login: String,
}

/// Runs it.
pub fn run(args: &Args, settings: &Settings) -> CommandResult {
    match &args.what {
        What::List(of) => list(of, settings),
        What::Add(who) => change(who, Method::PUT, settings),
        What::Remove(who) => change(who, Method::DELETE, settings),
        What::AllowTokens(of) => tokens(of, Method::PUT, settings),
        What::DisallowTokens(of) => tokens(of, Method::DELETE, settings),
    }
}

fn connect(of: &Package, settings: &Settings) -> Result<(Client, PackageName), crate::error::CommandError> {
    let name = parse_name(&of.package)?;
    Ok((commands::client(configured_registry(of.registry.as_deref(), settings)?, settings)?, name))
}

fn list(of: &Package, settings: &Settings) -> CommandResult {
    let (client, name) = connect(of, settings)?;
    let answer = client.manage(Method::GET, &path::package(&name), token(&client)?, None, &of.package)?;
    let owners = answer["owners"].as_array().map(Vec::as_slice).unwrap_or_default();
    if of.json {
        ui::json(&serde_json::json!({"name": name, "owners": owners}));
    } else if owners.is_empty() {
        ui::note(&format!("{name} has no owners; it is published by tokens or workloads only"));
    } else {
        let text = |value: &serde_json::Value| safe(value.as_str().unwrap_or_default());
        let rows: Vec<Vec<String>> =
            owners.iter().map(|o| vec![text(&o["login"]), text(&o["via"]), text(&o["since"])]).collect();
        for line in ui::table(&["OWNER", "BY", "SINCE"], &rows) {
            ui::data(&line);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn change(who: &Person, method: Method, settings: &Settings) -> CommandResult {
    let (client, name) = connect(&who.of, settings)?;
    let added = method == Method::PUT;
    let path = format!("{}/owners/{}", path::package(&name), path::encode(&who.login));
    let answer = client.manage(method, &path, token(&client)?, None, &who.of.package)?;
    if who.of.json {
        ui::json(&answer);
    } else {
        let word = if added { "owns" } else { "no longer owns" };
        ui::note(&format!("{} {word} {name}", safe(&who.login)));
    }
    Ok(ExitCode::SUCCESS)
}

fn tokens(of: &Package, method: Method, settings: &Settings) -> CommandResult {
    let (client, name) = connect(of, settings)?;
    let path = format!("{}/tokens", path::package(&name));
    let answer = client.manage(method, &path, token(&client)?, None, &of.package)?;
    if of.json {
        ui::json(&answer);
    } else if answer["tokens_allowed"] == true {
        ui::note(&format!("{name} may be published with tokens"));
    } else {
        let count = answer["owners_allowing"].as_u64().unwrap_or(0);
        ui::note(&format!("{count} of 2 owners allow tokens for {name}; this matters for trusted publishing only"));
    }
    Ok(ExitCode::SUCCESS)
}

impl Args {
    /// Whether `--json` was given.
    pub fn wants_json(&self) -> bool {
        match &self.what {
            What::List(of) | What::AllowTokens(of) | What::DisallowTokens(of) => of.json,
            What::Add(who) | What::Remove(who) => who.of.json,
        }
    }
}
