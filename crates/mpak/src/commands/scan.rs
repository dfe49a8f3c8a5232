//! `mpak scan`: judge a bundle.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use mpak_scan::control::Status;
use mpak_scan::evidence::scan_texts;
use mpak_scan::report::Report;

use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::Settings;
use crate::ui;

mod fetch;
mod form;
mod given;
pub mod judge;
mod permissions;
mod subject;
pub mod text;
mod tools;

pub use form::Format;
use judge::{Judged, Request};
use text::{Detail, Text};

/// The level that requires CD-03.
const TEXTS_LEVEL: u8 = 2;

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Bundle, folder, or package of the registry, which is downloaded and scanned here
    #[arg(value_name = "FILE|DIR|@SCOPE/NAME[@VERSION]", required_unless_present = "tools")]
    pub path: Option<PathBuf>,
    /// Judge the JSON of a `tools/list` result, or an array of tools, by CD-03 instead of a bundle
    #[arg(long, value_name = "FILE", conflicts_with_all = ["path", "evidence", "trust_root", "advisories", "suppressions", "policy"])]
    pub tools: Option<PathBuf>,
    /// Exit with 1 when a control that this level requires fails [default: the policy's, else 1; with --tools 2,
    /// the level of CD-03]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=4))]
    pub level: Option<u8>,
    /// What a registry knows of the bundle from outside it, as JSON (`mpak explain evidence`)
    #[arg(long, value_name = "FILE")]
    pub evidence: Option<PathBuf>,
    /// Trusted root of Sigstore (`trusted_root.json`) to use instead of the built-in ones
    #[arg(long, value_name = "FILE")]
    pub trust_root: Option<PathBuf>,
    /// Snapshot of advisories [default: ~/.mpak/advisories, if a trusted key signed it]
    #[arg(long, value_name = "FILE")]
    pub advisories: Option<PathBuf>,
    /// Findings that you answer for, each with place and reason (`mpak explain suppressions`), or a VEX document
    #[arg(long, value_name = "FILE")]
    pub suppressions: Option<PathBuf>,
    /// What you demand beyond the level, as TOML or JSON (`mpak explain policy`)
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Form of the report: `mtf` is that of MTF 0.1, `web` the one that existing web clients read, `cyclonedx` and
    /// `spdx` list the components only
    #[arg(long, value_enum, value_name = "FORM", default_value = "text")]
    pub format: Format,
    /// Print the report as JSON, like --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// Look at every file again, and remember nothing
    #[arg(long)]
    pub no_cache: bool,
    /// Print the manifest's permissions that cover exactly what the code does, instead of a report
    #[arg(long, conflicts_with_all = ["tools", "evidence", "trust_root", "advisories", "level", "suppressions", "policy", "format", "json", "sarif"])]
    pub suggest_permissions: bool,
    /// Print the report as SARIF 2.1.0, like --format sarif
    #[arg(long, conflicts_with_all = ["format", "json"])]
    pub sarif: bool,
    /// Show every finding, remarks too
    #[arg(long, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Show the level and the verdict only
    #[arg(short, long)]
    pub quiet: bool,
    /// Address of the registry, for a package
    #[arg(long, value_name = "URL")]
    pub registry: Option<String>,
}

impl Args {
    /// The form that was asked for.
    pub fn form(&self) -> Format {
        match (self.json, self.sarif) {
            (true, _) => Format::Json,
            (_, true) => Format::Sarif,
            (false, false) => self.format,
        }
    }

    fn request(&self) -> Request<'_> {
        Request {
            remember: !self.no_cache,
            evidence: self.evidence.as_deref(),
            trust_root: self.trust_root.as_deref(),
            advisories: self.advisories.as_deref(),
            suppressions: self.suppressions.as_deref(),
            policy: self.policy.as_deref(),
        }
    }
}

/// Runs it.
pub fn run(args: &Args, settings: &Settings) -> CommandResult {
    if let (true, Some(path)) = (args.suggest_permissions, &args.path) {
        return permissions::suggest(path);
    }
    match (&args.tools, &args.path) {
        (Some(file), _) => of_tools(file, args),
        (None, Some(path)) => of_bundle(path, args, settings),
        (None, None) => Err(CommandError::new(Kind::Usage, "nothing to scan was given")),
    }
}

/// Only CD-03 is judged, so that a lower level would never say no.
fn of_tools(file: &Path, args: &Args) -> CommandResult {
    let report = scan_texts(&tools::texts(file)?);
    let level = args.level.unwrap_or(TEXTS_LEVEL);
    match args.form() {
        Format::Text => text(&report, level, args),
        Format::Json => ui::json(&report),
        Format::Sarif => ui::json(&mpak_scan::report::sarif(&report)),
        form => {
            let message = format!("a list of tools has no form `{}`", form.as_str());
            return Err(CommandError::new(Kind::Usage, message).hint("use text, json or sarif"));
        }
    }
    Ok(verdict(&report, level))
}

fn of_bundle(path: &Path, args: &Args, settings: &Settings) -> CommandResult {
    let quiet = args.form() != Format::Text || !ui::interactive();
    // 1. A package is fetched first.
    let fetched = fetch::named(path).map(|spec| fetch::fetch(spec, args.registry.as_deref(), settings)).transpose()?;
    let path = fetched.as_ref().map_or(path, fetch::Fetched::path);
    // 2. Judged.
    let working = ui::Working::start(&format!("scanning {}", path.display()), quiet);
    let judged = judge::judge(path, &args.request(), settings)?;
    drop(working);
    // 3. Told.
    let level = args.level.unwrap_or_else(|| judged.level());
    print(&judged, path, level, args, settings)?;
    Ok(verdict(&judged.report, level))
}

fn print(judged: &Judged, path: &Path, level: u8, args: &Args, settings: &Settings) -> Result<(), CommandError> {
    match args.form() {
        Format::Text => text(&judged.report, level, args),
        form => ui::json(&form.value(judged, path, settings)?),
    }
    Ok(())
}

fn text(report: &Report, level: u8, args: &Args) {
    let detail = match (args.verbose, args.quiet) {
        (true, _) => Detail::Verbose,
        (false, true) => Detail::Quiet,
        (false, false) => Detail::Normal,
    };
    let text = Text { report, level, with_evidence: args.evidence.is_some(), detail };
    text.lines().iter().for_each(|line| ui::data(line));
}

/// 70 when a control that matters stopped with an error, 1 when one fails or the policy is not satisfied, else 0.
pub fn verdict(report: &Report, level: u8) -> ExitCode {
    let stopped = report.controls.iter().any(|c| c.level <= level && c.status == Status::Error);
    let held = report.policy.as_ref().is_none_or(|policy| policy.satisfied) && report.failing_at(level).is_empty();
    match (stopped, held) {
        (true, _) => ExitCode::from(Kind::Ours.exit_code()),
        (false, false) => ExitCode::from(Kind::No.exit_code()),
        (false, true) => ExitCode::SUCCESS,
    }
}

#[cfg(test)]
mod tests {
    use mpak_scan::evidence::scan_texts;
    use mpak_scan::texts::Texts;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_control_that_stopped_is_our_fault_where_it_matters() {
        let tools = json!([{"name": "a", "description": "Adds two numbers."}]);
        let mut report = scan_texts(&Texts::from_tools(&tools, "t.json").expect("a list of tools"));
        for control in &mut report.controls {
            control.status = Status::Pass;
        }
        let code = |report: &Report, level| format!("{:?}", verdict(report, level));
        let is = |code: u8| format!("{:?}", ExitCode::from(code));
        assert_eq!(code(&report, 4), is(0));
        let mut set = |id: &str, status| {
            report.controls.iter_mut().find(|c| c.id == id).expect("a control").status = status;
            report.clone()
        };
        // A control of level 2 stops: it matters from there on, and says more than one that fails.
        let stopped = set("CQ-03", Status::Error);
        assert_eq!((code(&stopped, 1), code(&stopped, 2)), (is(0), is(70)));
        let both = set("AI-01", Status::Fail);
        assert_eq!((code(&both, 1), code(&both, 2)), (is(1), is(70)));
    }
}
