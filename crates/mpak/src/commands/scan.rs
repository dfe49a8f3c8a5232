//! `mpak scan`: judge a bundle.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use mpak_bundle::archive::Archive;
use mpak_bundle::limits::Limits;
use mpak_scan::control::Status;
use mpak_scan::evidence::{Evidence, GatherError, scan, scan_texts};
use mpak_scan::level;
use mpak_scan::outside::{EVIDENCE_BYTES_MAX, Outside};
use mpak_scan::report::{ControlResult, Finding, Report};
use mpak_scan::texts::Texts;

use crate::advisories;
use crate::bundle_file::{not_a_bundle, open_file};
use crate::error::{CommandError, CommandResult, Kind};
use crate::home::Home;
use crate::settings::Settings;
use crate::ui;

/// Largest file with tools.
const TOOLS_BYTES_MAX: u64 = 64 << 20;
/// The level that requires CD-03.
const TEXTS_LEVEL: u8 = 2;

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Bundle, or folder with a manifest.json
    #[arg(value_name = "FILE|DIR", required_unless_present = "tools")]
    pub path: Option<PathBuf>,
    /// Judge the JSON of a `tools/list` result, or an array of tools, by CD-03 instead of a bundle
    #[arg(long, value_name = "FILE", conflicts_with_all = ["path", "evidence", "advisories"])]
    pub tools: Option<PathBuf>,
    /// Exit with 1 when a control that this level requires fails [default: 1; with --tools 2, the level of CD-03]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=4))]
    pub level: Option<u8>,
    /// What a registry knows of the bundle from outside it, as JSON (`mpak explain evidence`)
    #[arg(long, value_name = "FILE")]
    pub evidence: Option<PathBuf>,
    /// Snapshot of advisories [default: ~/.mpak/advisories, if a trusted key signed it]
    #[arg(long, value_name = "FILE")]
    pub advisories: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
    /// Print the manifest's permissions that cover exactly what the code does, instead of a report
    #[arg(long, conflicts_with_all = ["tools", "evidence", "advisories", "level"])]
    pub suggest_permissions: bool,
}

/// Runs it.
pub fn run(args: &Args, settings: &Settings) -> CommandResult {
    if let (true, Some(path)) = (args.suggest_permissions, &args.path) {
        return suggest_permissions(path);
    }
    let (report, level) = judge(args, settings)?;
    if args.json {
        ui::json(&report);
    } else {
        for line in text(&report, level, args.evidence.is_some()) {
            ui::data(line.trim_end());
        }
    }
    Ok(verdict(&report, level))
}

/// The block on stdout, and for people what it was made from.
fn suggest_permissions(path: &Path) -> CommandResult {
    let evidence = gather(path, None)?;
    let Some(block) = evidence.suggested_permissions() else {
        return Err(CommandError::new(
            Kind::No,
            "the bundle holds no code that can be read, so there is nothing to suggest",
        )
        .hint("declare the permissions by hand, and see `mpak explain CD-02`"));
    };
    let found = evidence.capabilities();
    for line in found.summary() {
        ui::note(&ui::safe(&line));
    }
    if found.partly {
        ui::note("some code could not be read: the server may do more");
    }
    ui::note("put this into manifest.json, after removing from the code what should not be there:");
    ui::text(&format!("{block:#}\n"));
    Ok(ExitCode::SUCCESS)
}

/// The report, and the level that the exit code is about.
fn judge(args: &Args, settings: &Settings) -> Result<(Report, u8), CommandError> {
    let Some(path) = args.path.as_ref().or(args.tools.as_ref()) else {
        return Err(CommandError::new(Kind::Usage, "nothing to scan was given"));
    };
    if ui::interactive() && !args.json {
        ui::note(&format!("scanning {}", ui::safe(&path.display().to_string())));
    }
    match &args.tools {
        // Only CD-03 is judged, so that a lower level would never say no.
        Some(file) => Ok((scan_texts(&tool_texts(file)?), args.level.unwrap_or(TEXTS_LEVEL))),
        None => {
            let snapshot = advisories::for_scan(args.advisories.as_deref(), settings)?;
            let outside = args.evidence.as_deref().map(outside).transpose()?;
            let mut evidence = gather(path, outside)?;
            if let Some(snapshot) = &snapshot {
                let named = args.advisories.clone().unwrap_or_else(|| Home::new(settings).advisories());
                evidence = evidence.with_advisories(snapshot).map_err(|error| advisories::unsound(&named, &error))?;
            }
            Ok((scan(&evidence), args.level.unwrap_or(1)))
        }
    }
}

/// The texts of a file with tools.
fn tool_texts(path: &Path) -> Result<Texts, CommandError> {
    let refused = |message: String| {
        CommandError::new(Kind::NotABundle, message)
            .hint("give the JSON of a `tools/list` result, or an array of tools")
    };
    let mut text = Vec::new();
    open_file(path)?
        .take(TOOLS_BYTES_MAX + 1)
        .read_to_end(&mut text)
        .map_err(|error| refused(format!("`{}` cannot be read: {error}", path.display())))?;
    if text.len() as u64 > TOOLS_BYTES_MAX {
        return Err(refused(format!("`{}` has more than {TOOLS_BYTES_MAX} bytes", path.display())));
    }
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let document =
        serde_json::from_slice(text).map_err(|error| refused(format!("`{}` is not JSON: {error}", path.display())))?;
    Texts::from_tools(&document, &path.display().to_string())
        .ok_or_else(|| refused(format!("`{}` holds no list of tools", path.display())))
}

/// 70 when a control that matters stopped with an error, 1 when one fails, else 0.
fn verdict(report: &Report, level: u8) -> ExitCode {
    let stopped = report.controls.iter().any(|c| c.level <= level && c.status == Status::Error);
    match (stopped, report.failing_at(level).is_empty()) {
        (true, _) => ExitCode::from(Kind::Ours.exit_code()),
        (false, false) => ExitCode::from(Kind::No.exit_code()),
        (false, true) => ExitCode::SUCCESS,
    }
}

fn gather(path: &Path, outside: Option<Outside>) -> Result<Evidence, CommandError> {
    let limits = Limits::default();
    let mut digest = None;
    let gathered = if path.is_dir() {
        Evidence::from_folder(path, &limits)
    } else {
        let archive = Archive::open(open_file(path)?, &limits).map_err(GatherError::from);
        archive.and_then(|archive| {
            digest = outside.as_ref().map(|_| archive.sha256()).transpose()?;
            Evidence::from_archive(&archive, &limits)
        })
    };
    let gathered = gathered.map_err(|error| match &error {
        GatherError::Archive(error) => not_a_bundle(path, error),
        _ => CommandError::from_error(Kind::NotABundle, &error)
            .hint("give the path of a .mcpb file, or of a folder with a manifest.json"),
    })?;
    // Evidence about other bytes proves nothing about these.
    let with_digest = match digest {
        Some(sha256) => gathered.with_artifact(sha256),
        None => Ok(gathered),
    };
    with_digest.and_then(|evidence| evidence.with_outside(outside.unwrap_or_default())).map_err(|error| {
        CommandError::from_error(Kind::Verification, &error).hint("ask the registry for the evidence of this file")
    })
}

/// What is known from outside.
fn outside(path: &Path) -> Result<Outside, CommandError> {
    let mut bytes = Vec::new();
    let limit = EVIDENCE_BYTES_MAX as u64 + 1;
    let read = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    read.map_err(|error| {
        let kind = if error.kind() == ErrorKind::NotFound { Kind::NotFound } else { Kind::Usage };
        CommandError::from_error(kind, &error).context(&format!("cannot read the evidence `{}`", path.display()))
    })?;
    Outside::read(&bytes).map_err(|error| {
        CommandError::from_error(Kind::Usage, &error).hint("`mpak explain evidence` prints the schema")
    })
}

fn text(report: &Report, level: u8, with_evidence: bool) -> Vec<String> {
    let advisories = report.advisories.as_ref().map_or_else(String::new, |date| format!("  advisories of {date}"));
    let ruleset = format!("ruleset {}{advisories}", report.ruleset);
    let mut lines = vec![headline(report, with_evidence), ruleset, String::new()];
    lines.extend(ui::table(&["CONTROL", "LEVEL", "STATUS", "NAME", "REASON"], &rows(report)));
    for result in report.controls.iter().filter(|c| !c.findings.is_empty()) {
        lines.push(String::new());
        lines.push(format!("{} {}", result.id, result.name));
        lines.extend(result.findings.iter().flat_map(finding));
    }
    lines.push(String::new());
    lines.push(summary(report, level));
    lines
}

fn headline(report: &Report, with_evidence: bool) -> String {
    let name = level::name(report.level).map(|name| format!(" {name}")).unwrap_or_default();
    let assessed = if report.assessed_level().is_none() { " (not assessed)" } else { "" };
    let possible = within_reach(report);
    let hint = if with_evidence || !assessed.is_empty() || possible <= report.level {
        String::new()
    } else {
        format!(" (up to L{possible} with publisher evidence)")
    };
    let (run, all) = (report.controls_run, report.controls.len());
    format!("L{}{name}{assessed}{hint}  score {}  {run} of {all} controls run", report.level, report.score)
}

/// The level that the bundle would have if evidence from outside spoke for it.
fn within_reach(report: &Report) -> u8 {
    const BY_EVIDENCE: [&str; 3] = ["AI-03", "PR-02", "PR-03"];
    let held = |c: &ControlResult, level| {
        c.satisfied_at(level) || (c.status == Status::NotRun && BY_EVIDENCE.contains(&c.id.as_str()))
    };
    let reached = |&level: &u8| report.controls.iter().filter(|c| c.level <= level).all(|c| held(c, level));
    (1..level::LEVEL_MAX).take_while(reached).last().unwrap_or(0)
}

fn rows(report: &Report) -> Vec<Vec<String>> {
    let row = |c: &ControlResult| {
        let mut reason = ui::safe(&c.reason);
        if let Some(level) = c.fails_from {
            reason = format!("{reason}; fails from level {level}");
        }
        vec![c.id.clone(), format!("L{}", c.level), word(c.status).to_owned(), c.name.clone(), reason]
    };
    report.controls.iter().map(row).collect()
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Pass => "pass",
        Status::Warn => "warn",
        Status::Fail => "FAIL",
        Status::NotApplicable => "n/a",
        Status::NotRun => "not run",
        Status::Error => "ERROR",
    }
}

fn finding(finding: &Finding) -> Vec<String> {
    let place = match (&finding.file, finding.line) {
        (Some(file), Some(line)) => format!("{}:{line}: ", ui::safe(file)),
        (Some(file), None) => format!("{}: ", ui::safe(file)),
        (None, _) => String::new(),
    };
    let seen = finding.evidence.as_ref().map(|e| format!(" [{}]", ui::safe(e))).unwrap_or_default();
    let mut lines = vec![format!("  {:8} {place}{}{seen}", finding.severity.as_str(), ui::safe(&finding.title))];
    lines.extend(finding.remediation.as_ref().map(|fix| format!("           fix: {}", ui::safe(fix))));
    lines
}

/// What the exit code says, and what would say no at a higher level.
fn summary(report: &Report, level: u8) -> String {
    let ids = |results: &[&ControlResult]| results.iter().map(|c| c.id.as_str()).collect::<Vec<_>>().join(", ");
    let failing = report.failing_at(level);
    if let Some(first) = failing.first() {
        let verb = if failing.len() == 1 { "fails" } else { "fail" };
        return format!(
            "level {level} is out of reach: {} {verb}; `mpak explain {}` tells more",
            ids(&failing),
            first.id
        );
    }
    let (pass, warn, not_run) = (report.count(Status::Pass), report.count(Status::Warn), report.count(Status::NotRun));
    let above = report.failing_at(level::LEVEL_MAX);
    let above = if above.is_empty() { String::new() } else { format!("; above it: {}", ids(&above)) };
    format!("nothing that level {level} requires fails{above} ({pass} pass, {warn} with findings, {not_run} not run)")
}
