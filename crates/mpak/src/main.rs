//! The secure package manager and registry for MCP servers, in one binary.
#![allow(unreachable_pub, reason = "a binary has no outside; `pub` marks what other files use")]

use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

mod advisories;
mod bundle_file;
mod cli;
mod client;
mod commands;
mod configuration;
mod demo;
mod error;
mod home;
mod install;
mod settings;
mod ui;
mod user_config;
mod vendor;
mod workload;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(told) => return told_by_the_parser(&told),
    };
    let settings = settings::Settings::from_environment();
    let json = cli.command.wants_json();
    match commands::run(cli.command, &settings) {
        Ok(code) => code,
        Err(error) => ui::report(&error, json),
    }
}

/// Help and version, which were asked for, and wrong calls. The version stands alone, as scripts know it.
fn told_by_the_parser(told: &clap::Error) -> ExitCode {
    if told.kind() == ErrorKind::DisplayVersion {
        ui::data(env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    let _closed = told.print();
    if told.use_stderr() && std::env::args_os().skip(1).take_while(|arg| arg != "--").any(|arg| arg == "--json") {
        ui::json_error(&error::CommandError::from_parser(&told.to_string()));
    }
    ExitCode::from(u8::try_from(told.exit_code()).unwrap_or(error::Kind::Usage.exit_code()))
}
