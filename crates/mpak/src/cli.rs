//! The command line: names and shapes of commands; each command's flags stand in its own file.

use clap::{ArgAction, Parser, Subcommand};

use crate::commands::{
    admin, advisories, bench, cache, check, completion, config, delete, deprecate, example_server, explain, info, init,
    login, logout, owner, pack, publish, pull, run, scan, scan_worker, search, serve, show, transfer, trust, unpack,
    validate, whoami, yank,
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
    /// Check a folder before publishing: manifest, pack, scan, and what to edit for the next level
    Check(check::Args),
    /// Judge a bundle by the mpak Trust Framework
    Scan(scan::Args),
    /// Published vulnerabilities, as one file for all scans
    Advisories(advisories::Args),
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
    /// One scan of a registry, in a process of its own
    #[command(hide = true)]
    ScanWorker(scan_worker::Args),
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
            Self::Check(a) => a.json,
            Self::Scan(a) => a.form() != scan::Format::Text,
            Self::Advisories(a) => a.wants_json(),
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
            | Self::ExampleServer(_)
            | Self::ScanWorker(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use clap::CommandFactory as _;

    use super::*;

    /// The commands that a page shows: in blocks of code, and between backticks.
    fn shown(page: &str) -> Vec<String> {
        let (mut found, mut in_block) = (Vec::new(), false);
        for line in page.lines() {
            if line.trim_start().starts_with("```") {
                in_block = !in_block;
            } else if in_block || line.starts_with("    ") {
                let words: Vec<&str> = line.split_whitespace().collect();
                let before = |word: &&str| matches!(*word, "$" | "-" | "run:") || word.contains('=');
                let start = words.iter().take_while(|word| before(word)).count();
                if words.get(start) == Some(&"mpak") {
                    found.push(words[start + 1..].join(" "));
                }
            } else {
                let code = line.split('`').skip(1).step_by(2);
                found.extend(code.filter_map(|code| code.strip_prefix("mpak ")).map(str::to_owned));
            }
        }
        found
    }

    /// The first word of a command that does not exist.
    fn unknown(command: &str) -> Option<String> {
        let mut current = Cli::command();
        for word in command.split(' ').take_while(|word| !matches!(*word, "#" | "--" | "help")) {
            let plain = word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '-');
            if let Some(flag) = plain.strip_prefix("--") {
                let flag = flag.split(['=', '[']).next().unwrap_or_default();
                let is_known = current.get_arguments().any(|a| a.get_long() == Some(flag));
                if !is_known && flag != "help" && flag != "version" {
                    return Some(word.to_owned());
                }
            } else if current.has_subcommands() && !plain.is_empty() {
                // `yank\|unyank` in a table; `COMMAND` stands for any.
                let names: Vec<&str> = plain.split(['\\', '|']).filter(|name| !name.is_empty()).collect();
                if names.iter().any(|name| name.chars().any(|c| !c.is_ascii_lowercase() && c != '-')) {
                    return None;
                }
                let next = names.iter().map(|name| current.find_subcommand(name).cloned());
                let Some(next) = next.collect::<Option<Vec<_>>>() else { return Some(word.to_owned()) };
                current = next.into_iter().next()?;
            }
        }
        None
    }

    fn pages(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pages(&path, found);
            } else if path.extension().is_some_and(|e| e == "md") {
                found.push(path);
            }
        }
    }

    #[test]
    fn every_command_of_the_documentation_exists() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut found =
            ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"].map(|page| root.join(page)).to_vec();
        pages(&root.join("docs"), &mut found);
        let mut commands = 0;
        for page in found {
            for command in shown(&fs::read_to_string(&page).unwrap()) {
                assert_eq!(unknown(&command), None, "`mpak {command}` in {}", page.display());
                commands += 1;
            }
        }
        assert!(commands > 80, "{commands}");
    }

    #[test]
    fn a_command_that_does_not_exist_would_be_found() {
        for (command, word) in [
            ("pack . --vendor --output x.mcpb", Some("--output")),
            ("pack [DIR] [OUT]", None),
            ("frobnicate", Some("frobnicate")),
            ("admin tokens create", Some("tokens")),
            ("admin token create --data DIR --name ci --json", None),
            ("admin token create\\|list\\|revoke", None),
            ("admin token create\\|drop", Some("create\\|drop")),
            ("yank @a/b@1.2.3 [--reason TEXT]", None),
            ("serve --demo", None),
            ("serve --listen 127.0.0.1:0", None),
            ("run @demo/time -- --anything", None),
            ("help COMMAND", None),
        ] {
            assert_eq!(unknown(command).as_deref(), word, "{command}");
        }
    }
}
