//! The command line: names and shapes of commands; each command's flags stand in its own file.

use clap::{ArgAction, Parser, Subcommand};

use crate::commands::{
    admin, bench, cache, completion, config, delete, deprecate, example_server, explain, info, init, login, logout,
    owner, pack, publish, pull, run, scan, search, serve, show, transfer, trust, unpack, validate, whoami, yank,
};

/// The secure package manager and registry for MCP servers.
#[derive(Debug, Parser)]
#[command(name = "mpak", version, disable_version_flag = true, arg_required_else_help = true)]
pub struct Cli {
    /// Print the version
    #[arg(short = 'v', long, short_alias = 'V', action = ArgAction::Version)]
    version: Option<bool>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Search the registry
    Search(search::Args),
    /// Show a package: what it is, what it can do, how far it is trusted
    Show(show::Args),
    /// Download a bundle without running it
    Pull(pull::Args),
    /// Run a server from the registry or a local bundle
    Run(run::Args),
    /// Settings and secrets of packages
    Config(config::Args),
    /// What is kept on this machine
    Cache(cache::Args),
    /// Write a manifest.json
    Init(init::Args),
    /// Check a manifest
    Validate(validate::Args),
    /// Pack a folder into a bundle
    Pack(pack::Args),
    /// Unpack a bundle
    Unpack(unpack::Args),
    /// Tell what is in a bundle
    Info(info::Args),
    /// Judge a bundle by the mpak Trust Framework
    Scan(scan::Args),
    /// Explain a control
    Explain(explain::Args),
    /// Publish bundles
    Publish(publish::Args),
    /// Repositories that may publish a package without a token
    Trust(trust::Args),
    /// Connect this machine to a registry, as yourself
    Login(login::Args),
    /// End this machine's connection to a registry
    Logout(logout::Args),
    /// Who a registry takes this machine for
    Whoami(whoami::Args),
    /// Take a version out of resolution; who names it exactly still gets it
    Yank(yank::Args),
    /// Take a yank back
    Unyank(yank::Args),
    /// Say that a package should not be used any more, and what instead
    Deprecate(deprecate::Args),
    /// Take a deprecation back
    Undeprecate(deprecate::UndoArgs),
    /// Who owns a package
    Owner(owner::Args),
    /// Rename a package or give it away
    Transfer(transfer::Args),
    /// Delete a version or package that nobody depends on yet
    #[command(visible_alias = "unpublish")]
    Delete(delete::Args),
    /// Run a registry
    Serve(serve::Args),
    /// Administer a registry's data
    Admin(admin::Args),
    /// The existing names of search, show, pull and run
    #[command(subcommand)]
    Bundle(BundleCommand),
    /// Shell completion
    Completion(completion::Args),
    /// An example MCP server over stdio
    #[command(hide = true)]
    ExampleServer(example_server::Args),
    /// What the benchmarks of the registry are made of
    #[command(hide = true)]
    Bench(bench::Args),
}

/// Commands under their existing names.
#[derive(Debug, Subcommand)]
pub enum BundleCommand {
    /// Search the registry for bundles
    Search(search::BundleArgs),
    /// Show a bundle
    Show(show::Args),
    /// Download a bundle
    Pull(pull::Args),
    /// Run a bundle
    Run(run::Args),
}

impl Command {
    /// Whether `--json` was given, so that errors are JSON too.
    pub fn wants_json(&self) -> bool {
        match self {
            Self::Search(a) => a.json,
            Self::Show(a) | Self::Bundle(BundleCommand::Show(a)) => a.json,
            Self::Pull(a) | Self::Bundle(BundleCommand::Pull(a)) => a.json,
            Self::Config(a) => a.wants_json(),
            Self::Cache(a) => a.wants_json(),
            Self::Init(a) => a.json,
            Self::Validate(a) => a.json,
            Self::Pack(a) => a.json,
            Self::Unpack(a) => a.json,
            Self::Info(a) => a.json,
            Self::Scan(a) => a.json,
            Self::Explain(a) => a.json,
            Self::Publish(a) => a.json,
            Self::Trust(a) => a.wants_json(),
            Self::Login(a) => a.json,
            Self::Logout(a) => a.json,
            Self::Whoami(a) => a.json,
            Self::Yank(a) | Self::Unyank(a) => a.json,
            Self::Deprecate(a) => a.json,
            Self::Undeprecate(a) => a.json,
            Self::Owner(a) => a.wants_json(),
            Self::Transfer(a) => a.wants_json(),
            Self::Delete(a) => a.json,
            Self::Admin(a) => a.wants_json(),
            Self::Bundle(BundleCommand::Search(a)) => a.wants_json(),
            Self::Run(_)
            | Self::Bundle(BundleCommand::Run(_))
            | Self::Serve(_)
            | Self::Bench(_)
            | Self::Completion(_)
            | Self::ExampleServer(_) => false,
        }
    }
}
