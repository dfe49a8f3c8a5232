//! `mpak unpack`: bundle to folder.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use mpak_bundle::extract::{ExtractError, ExtractOptions, extract};
use serde_json::json;

use crate::bundle_file::{self, count};
use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::Settings;
use crate::ui;

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The bundle
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Where to: a folder that does not exist yet, or an empty one
    #[arg(value_name = "DIR", default_value = ".")]
    pub folder: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs it.
pub fn run(args: &Args, _settings: &Settings) -> CommandResult {
    let started = Instant::now();
    // 1. The bundle, refused before anything is written.
    let bundle = bundle_file::open(&args.file)?;
    for line in bundle_file::remarks(&bundle) {
        ui::note(&format!("warning: {line}"));
    }
    // 2. Everything, or nothing.
    let options = ExtractOptions { force_executable: bundle.executable(), ..ExtractOptions::default() };
    let extracted =
        extract(&bundle.archive, &args.folder, options).map_err(|error| failed(&args.file, &args.folder, &error))?;
    // 3. What changed.
    if args.json {
        ui::json(&json!({
            "name": bundle.manifest.name,
            "version": bundle.manifest.version,
            "folder": extracted.folder().display().to_string(),
            "files": extracted.files_count(),
            "bytes": extracted.bytes(),
            "findings": bundle_file::findings_json(bundle.archive.findings()),
            "warnings": bundle_file::problems_json(&bundle.problems),
        }));
    }
    ui::note(&format!(
        "unpacked {} {}: {}, {}, to {} in {} ms",
        ui::safe(&bundle.manifest.name),
        ui::safe(&bundle.manifest.version),
        count(extracted.files_count(), "file"),
        ui::bytes(extracted.bytes()),
        args.folder.display(),
        started.elapsed().as_millis(),
    ));
    Ok(ExitCode::SUCCESS)
}

fn failed(file: &Path, folder: &Path, error: &ExtractError) -> CommandError {
    match error {
        ExtractError::Archive(error) => bundle_file::not_a_bundle(file, error),
        ExtractError::Occupied { .. } => CommandError::from_error(Kind::Usage, error)
            .hint(format!("name a folder that does not exist yet: mpak unpack {} NEW-FOLDER", file.display())),
        ExtractError::Io { .. } => CommandError::from_error(Kind::No, error)
            .hint(format!("check space and permissions at {}", folder.display())),
    }
}
