//! `mpak check`: everything an author wants to know before publishing, in one transcript: the manifest, the
//! pack (which is thrown away), the verdict of the scan, and what to edit for the next level.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use mpak_bundle::collect::collect;
use mpak_bundle::limits::Limits;
use mpak_bundle::pack::{PackOptions, Packed};
use mpak_scan::advice;
use serde_json::json;

use crate::bundle_file::count;
use crate::commands::scan::judge::{Judged, Request, judge};
use crate::commands::scan::text::{Detail, Text};
use crate::commands::scan::verdict;
use crate::commands::{pack, validate};
use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::Settings;
use crate::ui;

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder with a manifest.json
    #[arg(value_name = "DIR", default_value = ".")]
    pub directory: PathBuf,
    /// Exit with 1 when a control that this level requires fails [default: the policy's, else 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=4))]
    pub level: Option<u8>,
    /// What a registry knows of the bundle from outside it, as JSON
    #[arg(long, value_name = "FILE")]
    pub evidence: Option<PathBuf>,
    /// Trusted root of Sigstore (`trusted_root.json`) to use instead of the built-in ones
    #[arg(long, value_name = "FILE")]
    pub trust_root: Option<PathBuf>,
    /// Snapshot of advisories [default: ~/.mpak/advisories, if a trusted key signed it]
    #[arg(long, value_name = "FILE")]
    pub advisories: Option<PathBuf>,
    /// Findings that you answer for, each with place and reason, or a VEX document
    #[arg(long, value_name = "FILE")]
    pub suppressions: Option<PathBuf>,
    /// What is demanded beyond the level, as TOML or JSON
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Show every finding of the controls that fail
    #[arg(long)]
    pub verbose: bool,
}

/// Runs it.
pub fn run(args: &Args, settings: &Settings) -> CommandResult {
    let limits = Limits::default();
    let quiet = args.json || !ui::interactive();
    let working = ui::Working::start(&format!("checking {}", args.directory.display()), quiet);
    // 1. The manifest, as strictly as its author must be.
    let checked = validate::check_directory(&args.directory, &limits)?;
    // 2. Packed, as it would be published, and thrown away.
    let folder = tempfile::tempdir().map_err(|error| no_room(&error))?;
    let bundle = folder.path().join("bundle.mcpb");
    let packed = if checked.valid() { Some(dry_run(&args.directory, &bundle, settings, &limits)?) } else { None };
    // 3. Judged: what would be published, or else the folder.
    let request = Request {
        remember: true,
        evidence: args.evidence.as_deref(),
        trust_root: args.trust_root.as_deref(),
        advisories: args.advisories.as_deref(),
        suppressions: args.suppressions.as_deref(),
        policy: args.policy.as_deref(),
    };
    let judged = judge(if packed.is_some() { &bundle } else { &args.directory }, &request, settings)?;
    drop(working);
    // 4. Told.
    let level = args.level.unwrap_or_else(|| judged.level());
    if args.json {
        ui::json(&json!({
            "manifest": checked.to_json(),
            "packed": packed.as_ref().map(|packed| json!({
                "bytes": packed.bytes, "unpacked_bytes": packed.unpacked_bytes, "files": packed.files_count,
                "sha256": packed.sha256,
            })),
            "report": judged.report,
            "next": advice::to_next_level(&judged.report),
        }));
    } else {
        lines(args, &checked, packed.as_ref(), &judged, level).iter().for_each(|line| ui::data(line));
    }
    let held = if checked.valid() { verdict(&judged.report, level) } else { ExitCode::from(Kind::No.exit_code()) };
    Ok(held)
}

fn no_room(error: &std::io::Error) -> CommandError {
    CommandError::from_error(Kind::NeedsPerson, error).context("no place to try packing").hint("is the disk full?")
}

fn dry_run(folder: &Path, bundle: &Path, settings: &Settings, limits: &Limits) -> Result<Packed, CommandError> {
    let collected = collect(folder, limits, &[]).map_err(pack::of_collect)?;
    let options = PackOptions { source_date_epoch: settings.source_date_epoch };
    pack::write(&collected, bundle, &options, limits)
}

fn lines(args: &Args, checked: &validate::Checked, packed: Option<&Packed>, judged: &Judged, level: u8) -> Vec<String> {
    let detail = if args.verbose { Detail::Verbose } else { Detail::Normal };
    let text = Text { report: &judged.report, level, with_evidence: args.evidence.is_some(), detail };
    // 1. The manifest.
    let mut lines = checked.lines();
    // 2. The pack.
    lines.push(match packed {
        Some(packed) => format!(
            "packs into {} ({}, {} unpacked), sha256 {}; nothing was written",
            ui::bytes(packed.bytes),
            count(packed.files_count, "file"),
            ui::bytes(packed.unpacked_bytes),
            packed.sha256
        ),
        None => "is not packed, because the manifest is not valid".to_owned(),
    });
    // 3. The verdict: what fails first.
    lines.extend(text.brief());
    lines
}
