//! One file per command.

use crate::cli::{BundleCommand, Command};
use mpak_bundle::name::{NameError, PackageSpec};

use crate::client::{Client, DEFAULT_REGISTRY, Registry};
use crate::error::{CommandError, CommandResult, Kind};
use crate::home::Home;
use crate::home::config_file::ConfigFile;
use crate::home::secrets::Secrets;
use crate::settings::Settings;
use crate::ui;

pub mod admin;
pub mod advisories;
pub mod bench;
pub mod cache;
pub mod check;
pub mod completion;
pub mod config;
pub mod delete;
pub mod deprecate;
pub mod example_server;
pub mod explain;
pub mod info;
pub mod init;
pub mod login;
pub mod logout;
pub mod owner;
pub mod pack;
pub mod publish;
pub mod pull;
pub mod run;
pub mod scan;
pub mod scan_worker;
pub mod search;
pub mod serve;
pub mod show;
pub mod transfer;
pub mod trust;
pub mod unpack;
pub mod validate;
pub mod whoami;
pub mod yank;

/// Runs a command.
pub fn run(command: Command, settings: &Settings) -> CommandResult {
    match command {
        Command::Search(args) => search::run(&args, settings),
        Command::Show(args) | Command::Bundle(BundleCommand::Show(args)) => show::run(&args, settings),
        Command::Pull(args) | Command::Bundle(BundleCommand::Pull(args)) => pull::run(&args, settings),
        Command::Run(args) | Command::Bundle(BundleCommand::Run(args)) => run::run(&args, settings),
        Command::Bundle(BundleCommand::Search(args)) => search::run_bundle(&args, settings),
        Command::Config(args) => config::run(&args, settings),
        Command::Cache(args) => cache::run(&args, settings),
        Command::Init(args) => init::run(&args, settings),
        Command::Validate(args) => validate::run(&args, settings),
        Command::Pack(args) => pack::run(&args, settings),
        Command::Unpack(args) => unpack::run(&args, settings),
        Command::Info(args) => info::run(&args, settings),
        Command::Check(args) => check::run(&args, settings),
        Command::Scan(args) => scan::run(&args, settings),
        Command::Advisories(args) => advisories::run(&args, settings),
        Command::Explain(args) => explain::run(&args, settings),
        Command::Publish(args) => publish::run(&args, settings),
        Command::Trust(args) => trust::run(&args, settings),
        Command::Login(args) => login::run(&args, settings),
        Command::Logout(args) => logout::run(&args, settings),
        Command::Whoami(args) => whoami::run(&args, settings),
        Command::Yank(args) => yank::run(&args, settings, true),
        Command::Unyank(args) => yank::run(&args, settings, false),
        Command::Deprecate(args) => deprecate::run(&args, settings),
        Command::Undeprecate(args) => deprecate::undo(&args, settings),
        Command::Owner(args) => owner::run(&args, settings),
        Command::Transfer(args) => transfer::run(&args, settings),
        Command::Delete(args) => delete::run(&args, settings),
        Command::Serve(args) => serve::run(&args, settings),
        Command::Admin(args) => admin::run(&args, settings),
        Command::Bench(args) => bench::run(&args, settings),
        Command::Completion(args) => completion::run(&args, settings),
        Command::ExampleServer(args) => example_server::run(&args, settings),
        Command::ScanWorker(args) => scan_worker::run(&args, settings),
    }
}

/// The registry that is meant: the flag, else `MPAK_REGISTRY_URL`, else the stored one, else the public one.
pub fn registry(flag: Option<&str>, settings: &Settings, config: &ConfigFile) -> Result<Registry, CommandError> {
    let named = flag.or(settings.registry_url.as_deref()).or(config.registry_url());
    Ok(Registry::parse(named.unwrap_or(DEFAULT_REGISTRY))?)
}

/// The same, with the stored one read only where it decides.
pub fn configured_registry(flag: Option<&str>, settings: &Settings) -> Result<Registry, CommandError> {
    let config = match flag.or(settings.registry_url.as_deref()) {
        Some(_) => ConfigFile::default(),
        None => ConfigFile::read(&Home::new(settings))?,
    };
    registry(flag, settings, &config)
}

/// A client of a registry, with the token that this machine has for it: MPAK_TOKEN, else the login's.
pub fn client(registry: Registry, settings: &Settings) -> Result<Client, CommandError> {
    let token = match settings.token.as_ref().filter(|_| is_meant_for(&registry, settings)) {
        Some(token) => Some(token.clone()),
        None => Secrets::read(&Home::new(settings))?.login(registry.as_str()).map(|login| login.token.clone()),
    };
    Ok(Client::new(registry).with_token(token))
}

/// Whether MPAK_TOKEN may go to a registry. Where the environment names one, the token beside it is that one's;
/// otherwise nothing tells whose it is but the user's choice.
fn is_meant_for(registry: &Registry, settings: &Settings) -> bool {
    let Some(named) = &settings.registry_url else { return true };
    let is_meant = Registry::parse(named).is_ok_and(|named| named == *registry);
    if !is_meant {
        ui::note(&format!("MPAK_TOKEN belongs to {}; it is not sent to {registry}", ui::safe(named)));
    }
    is_meant
}

/// The token that speaks for the user.
pub fn token(client: &Client) -> Result<&str, CommandError> {
    client.token().ok_or_else(|| {
        CommandError::new(Kind::Usage, "no token to do this with")
            .hint("run `mpak login`")
            .hint("or set MPAK_TOKEN; the registry's operator makes one with `mpak admin token create --action manage`")
    })
}

/// A package without a version.
pub fn parse_name(text: &str) -> Result<mpak_bundle::name::PackageName, CommandError> {
    let spec = parse_spec(text)?;
    match spec.version {
        None => Ok(spec.name),
        Some(version) => Err(CommandError::new(Kind::Usage, format!("this is about all of `{}`", spec.name))
            .hint(format!("leave `@{version}` out"))),
    }
}

/// A package, perhaps with a version, as a user types it.
pub fn parse_spec(text: &str) -> Result<PackageSpec, CommandError> {
    text.parse().map_err(|e: NameError| {
        let text: String = text.chars().take(300).collect();
        let message = format!("Invalid package spec: \"{text}\". Expected scoped format: @scope/name");
        let mut error = CommandError::new(Kind::Usage, message);
        error.causes.push(e.to_string());
        error
    })
}
