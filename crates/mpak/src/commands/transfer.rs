//! `mpak transfer`: another name or another owner for a package, agreed by both sides, after seven days.

use std::process::ExitCode;

use mpak_api::path;
use reqwest::Method;
use serde_json::{Value, json};

use crate::commands::{self, configured_registry, parse_name, token};
use crate::error::{CommandError, CommandResult, Kind};
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
    /// Ask for another name or owner
    Request(Request),
    /// Accept what the other side asked for
    Accept(Package),
    /// End it before it takes effect
    Cancel(Package),
    /// Show how far it is
    Show(Package),
}

/// Flags of `request`.
#[derive(Debug, clap::Args)]
pub struct Request {
    /// Which package.
    #[command(flatten)]
    pub of: Package,
    /// The new name
    #[arg(long, value_name = "@SCOPE/NAME")]
    pub name: Option<String>,
    /// Login of the new owner
    #[arg(long, value_name = "LOGIN")]
    pub owner: Option<String>,
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

/// Runs it.
pub fn run(args: &Args, settings: &Settings) -> CommandResult {
    let of = args.what.of();
    let name = parse_name(&of.package)?;
    let client = commands::client(configured_registry(of.registry.as_deref(), settings)?, settings)?;
    let path = format!("{}/transfer", path::package(&name));
    let ask = |method, path: &str, body: Option<&Value>| {
        // What is missing where there is no answer: of a package that is there, the transfer.
        let what = match args.what {
            What::Accept(_) | What::Cancel(_) => format!("a transfer of {name}"),
            What::Request(_) | What::Show(_) => name.to_string(),
        };
        client.manage(method, path, token(&client)?, body, &what).map_err(CommandError::from)
    };
    let answer = match &args.what {
        What::Request(wish) => ask(Method::POST, &path, Some(&json!({"name": wish.name, "owner": wish.owner})))?,
        What::Accept(_) => ask(Method::PUT, &path, None)?,
        What::Cancel(_) => ask(Method::DELETE, &path, None)?,
        What::Show(_) => match ask(Method::GET, &path::package(&name), None)?["transfer"].take() {
            Value::Null => {
                return Err(CommandError::new(Kind::NotFound, format!("{name} has no transfer under way"))
                    .hint(format!("ask for one: mpak transfer request {name} --name @scope/name")));
            }
            transfer => transfer,
        },
    };
    if of.json {
        ui::json(&answer);
    } else {
        ui::note(&told(name.as_str(), &answer));
    }
    Ok(ExitCode::SUCCESS)
}

fn told(name: &str, transfer: &Value) -> String {
    let text = |member: &str| transfer[member].as_str().map(safe);
    let owner = text("owner").map(|o| format!(" and goes to {o}")).unwrap_or_default();
    let target = text("name").unwrap_or_else(|| name.to_owned());
    match (transfer["state"].as_str(), text("effective_at")) {
        (Some("cancelled"), _) => format!("the transfer of {name} is cancelled"),
        (_, Some(at)) => format!("{name} becomes {target}{owner} on {at}; `mpak transfer cancel {name}` stops it"),
        _ => format!("asked: {name} becomes {target}{owner}; the other side runs `mpak transfer accept {name}`"),
    }
}

impl What {
    fn of(&self) -> &Package {
        match self {
            Self::Request(wish) => &wish.of,
            Self::Accept(of) | Self::Cancel(of) | Self::Show(of) => of,
        }
    }
}

impl Args {
    /// Whether `--json` was given.
    pub fn wants_json(&self) -> bool {
        self.what.of().json
    }
}
