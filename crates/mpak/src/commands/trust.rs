//! `mpak trust`: which repositories may publish a package without a token.

use std::process::ExitCode;

use mpak_api::path;
use mpak_bundle::name::PackageName;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Client;
use crate::commands;
use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::Settings;
use crate::ui;

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
    /// Let a repository publish a package
    Add(Add),
    /// List the repositories that may publish a package
    List(List),
    /// Take it back
    Remove(Remove),
}

/// Flags of `trust add`.
#[derive(Debug, clap::Args)]
pub struct Add {
    /// The package
    #[arg(value_name = "@SCOPE/NAME")]
    pub package: String,
    /// The repository, as its issuer names it
    #[arg(long, value_name = "OWNER/NAME")]
    pub repository: String,
    /// The issuer's id of the repository; learnt at its first publish by default
    #[arg(long, value_name = "ID")]
    pub repository_id: Option<String>,
    /// Who vouches for it; the registry's first issuer by default
    #[arg(long, value_name = "URL")]
    pub issuer: Option<String>,
    /// Path of its workflow; another one that publishes is told as a change
    #[arg(long, value_name = "PATH")]
    pub workflow: Option<String>,
    /// The registry, instead of MPAK_REGISTRY_URL or the stored one
    #[arg(long)]
    pub registry: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `trust list`.
#[derive(Debug, clap::Args)]
pub struct List {
    /// The package
    #[arg(value_name = "@SCOPE/NAME")]
    pub package: String,
    /// The registry, instead of MPAK_REGISTRY_URL or the stored one
    #[arg(long)]
    pub registry: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `trust remove`.
#[derive(Debug, clap::Args)]
pub struct Remove {
    /// The package
    #[arg(value_name = "@SCOPE/NAME")]
    pub package: String,
    /// Id from `mpak trust list`
    pub id: i64,
    /// The registry, instead of MPAK_REGISTRY_URL or the stored one
    #[arg(long)]
    pub registry: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

impl Args {
    /// Whether `--json` was given.
    pub fn wants_json(&self) -> bool {
        match &self.what {
            What::Add(a) => a.json,
            What::List(a) => a.json,
            What::Remove(a) => a.json,
        }
    }
}

/// Does it.
pub fn run(args: &Args, settings: &Settings) -> CommandResult {
    match &args.what {
        What::Add(args) => add(args, settings),
        What::List(args) => list(args, settings),
        What::Remove(args) => remove(args, settings),
    }
}

fn add(args: &Add, settings: &Settings) -> CommandResult {
    let call = Call::new(&args.package, args.registry.as_deref(), settings)?;
    let wish = json!({
        "repository": args.repository, "repository_id": args.repository_id, "issuer": args.issuer,
        "workflow": args.workflow,
    });
    let added = call.send(Method::POST, "", Some(&wish))?;
    let text = |name: &str| ui::safe(added[name].as_str().unwrap_or_default());
    ui::note(&format!("{} may be published from {} ({})", call.package, text("repository"), text("issuer")));
    if args.json {
        ui::json(&added);
    }
    Ok(ExitCode::SUCCESS)
}

fn list(args: &List, settings: &Settings) -> CommandResult {
    let call = Call::new(&args.package, args.registry.as_deref(), settings)?;
    let listed = call.send(Method::GET, "", None)?;
    if args.json {
        ui::json(&listed);
        return Ok(ExitCode::SUCCESS);
    }
    let all = listed["trusted_publishers"].as_array().cloned().unwrap_or_default();
    if all.is_empty() {
        ui::note("no repository may publish it without a token");
        return Ok(ExitCode::SUCCESS);
    }
    let text = |one: &Value, name: &str| ui::safe(one[name].as_str().unwrap_or("-"));
    let row =
        |one: &Value| vec![one["id"].to_string(), text(one, "repository"), text(one, "workflow"), text(one, "issuer")];
    let rows: Vec<_> = all.iter().map(row).collect();
    for line in ui::table(&["ID", "REPOSITORY", "WORKFLOW", "ISSUER"], &rows) {
        ui::data(&line);
    }
    Ok(ExitCode::SUCCESS)
}

fn remove(args: &Remove, settings: &Settings) -> CommandResult {
    let call = Call::new(&args.package, args.registry.as_deref(), settings)?;
    call.send(Method::DELETE, &format!("/{}", args.id), None)?;
    ui::note(&format!("{} is not published from there any more", call.package));
    if args.json {
        ui::json(&json!({"removed": args.id}));
    }
    Ok(ExitCode::SUCCESS)
}

/// A call to the registry about a package.
struct Call {
    client: Client,
    token: String,
    package: PackageName,
}

impl Call {
    fn new(package: &str, registry: Option<&str>, settings: &Settings) -> Result<Self, CommandError> {
        let package = PackageName::lookup(package).map_err(|e| CommandError::from_error(Kind::Usage, &e))?;
        let client = commands::client(commands::configured_registry(registry, settings)?, settings)?;
        let token = client.token().map(str::to_owned).ok_or_else(|| {
            CommandError::new(Kind::Usage, "no token to say who asks")
                .hint("run `mpak login`")
                .hint("or set MPAK_TOKEN to a token of an owner or administrator (`--action manage`)")
        })?;
        Ok(Self { client, token, package })
    }

    fn send(&self, method: Method, below: &str, body: Option<&Value>) -> Result<Value, CommandError> {
        let path = format!("{}{below}", path::trusted_publishers(&self.package));
        let what = match below.strip_prefix('/') {
            Some(id) => format!("repository {id} of {}", self.package),
            None => self.package.to_string(),
        };
        Ok(self.client.manage(method, &path, &self.token, body, &what)?)
    }
}
