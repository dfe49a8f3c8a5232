//! The secure package manager and registry for MCP servers, in one binary.
#![allow(unreachable_pub, reason = "a binary has no outside; `pub` marks what other files use")]

use std::process::ExitCode;

use clap::Parser as _;

mod bundle_file;
mod cli;
mod client;
mod commands;
mod demo;
mod error;
mod home;
mod install;
mod settings;
mod ui;
mod user_config;
mod vendor;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let settings = settings::Settings::from_environment();
    let json = cli.command.wants_json();
    match commands::run(cli.command, &settings) {
        Ok(code) => code,
        Err(error) => ui::report(&error, json),
    }
}
