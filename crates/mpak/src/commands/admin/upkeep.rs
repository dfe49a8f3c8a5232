//! `mpak admin migrate|verify|backup|restore|reindex`: keeping a registry's data.

use std::path::PathBuf;
use std::process::ExitCode;

use mpak_registry::admin::backup::{self, Manifest};
use mpak_registry::admin::upkeep::{self, UpkeepError};
use mpak_registry::admin::verify::{Verdict, verify};
use mpak_registry::clock::Clock;
use mpak_registry::config::Config;

use super::Plain;
use crate::configuration::Place;
use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::Settings;
use crate::ui;

/// Flags of `verify`.
#[derive(Debug, clap::Args)]
pub struct Verify {
    /// Which registry.
    #[command(flatten)]
    pub place: Place,
    /// Compare the lengths of blobs only, do not read them
    #[arg(long)]
    pub quick: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `backup`.
#[derive(Debug, clap::Args)]
pub struct Backup {
    /// The backup: a folder that does not exist yet
    #[arg(value_name = "DIR")]
    pub to: PathBuf,
    /// Which registry.
    #[command(flatten)]
    pub place: Place,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `restore`.
#[derive(Debug, clap::Args)]
pub struct Restore {
    /// What `mpak admin backup` wrote
    #[arg(value_name = "DIR")]
    pub from: PathBuf,
    /// Which registry; it must be empty.
    #[command(flatten)]
    pub place: Place,
    /// Prove afterwards that database, blobs and events agree, as `mpak admin verify` does
    #[arg(long)]
    pub verify: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Brings the database up to date.
pub fn migrate(args: &Plain, settings: &Settings) -> CommandResult {
    upkeep::migrate(&args.place.load(settings)?).map_err(|e| super::refusal(&e))?;
    if args.json {
        ui::json(&serde_json::json!({"migrated": true}));
    } else {
        ui::note("the database is up to date");
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes again what is derived.
pub fn reindex(args: &Plain, settings: &Settings) -> CommandResult {
    let done = upkeep::reindex(&args.place.load(settings)?, &Clock::system()).map_err(|e| refusal(&e))?;
    if args.json {
        ui::json(&done);
    } else {
        ui::note(&format!("{} packages were indexed again, {} failed jobs are tried again", done.packages, done.jobs));
    }
    Ok(ExitCode::SUCCESS)
}

/// Proves that everything agrees, or tells what does not.
pub fn run_verify(args: &Verify, settings: &Settings) -> CommandResult {
    let verdict = verify(&args.place.load(settings)?, !args.quick).map_err(|e| refusal(&e))?;
    if args.json {
        ui::json(&verdict);
    }
    Ok(judge(&verdict, args.json))
}

fn judge(verdict: &Verdict, json: bool) -> ExitCode {
    for problem in verdict.problems.iter().filter(|_| !json) {
        ui::data(&ui::safe(problem));
    }
    if verdict.strays > 0 {
        let strays = verdict.strays;
        ui::note(&format!("{strays} blobs belong to no artifact: publishes that were cut off leave them, harmlessly"));
    }
    let (artifacts, blobs) = (verdict.artifacts, verdict.blobs);
    if !verdict.agrees {
        ui::note(&format!("{} disagreements in {artifacts} artifacts and {blobs} blobs", verdict.problems.len()));
        return ExitCode::from(Kind::No.exit_code());
    }
    let how = if verdict.hashed { "hashed" } else { "measured" };
    ui::note(&format!("database, blobs and events agree: {artifacts} artifacts, {blobs} blobs {how}"));
    ExitCode::SUCCESS
}

/// Writes everything into a folder.
pub fn run_backup(args: &Backup, settings: &Settings) -> CommandResult {
    let config = args.place.load(settings)?;
    let made = backup::backup(&config, &args.to, &Clock::system()).map_err(|e| refusal(&e))?;
    tell(&made, args.json, &format!("written to {}", args.to.display()));
    Ok(ExitCode::SUCCESS)
}

fn tell(manifest: &Manifest, json: bool, what: &str) {
    if json {
        ui::json(manifest);
        return;
    }
    let rows: u64 = manifest.tables.values().map(|t| t.rows).sum();
    let (blobs, bytes) = (manifest.blobs, ui::bytes(manifest.blob_bytes));
    ui::note(&format!("{rows} rows and {blobs} blobs of {bytes} were {what}"));
}

/// Puts a backup into an empty registry.
pub fn run_restore(args: &Restore, settings: &Settings) -> CommandResult {
    let config: Config = args.place.load(settings)?;
    if args.from.join("manifest.json").symlink_metadata().is_err() {
        return Err(CommandError::new(Kind::Usage, format!("`{}` is no backup", args.from.display()))
            .hint("give the folder that `mpak admin backup DIR` wrote"));
    }
    let restored = backup::restore(&config, &args.from).map_err(|e| refusal(&e))?;
    tell(&restored, args.json, "restored");
    if !args.verify {
        return Ok(ExitCode::SUCCESS);
    }
    Ok(judge(&verify(&config, true).map_err(|e| refusal(&e))?, args.json))
}

fn refusal(error: &UpkeepError) -> CommandError {
    let (kind, hint) = match error {
        UpkeepError::Admin(error) => return super::refusal(error),
        UpkeepError::Storage(_) => (Kind::Usage, "see the settings below [storage]"),
        UpkeepError::Blob(_) => (Kind::Verification, "`mpak admin verify` names every blob that is wrong"),
        UpkeepError::File { .. } => (Kind::Usage, "give a place that you may read and write, with enough room"),
        UpkeepError::Exists { .. } => (Kind::Refused, "give a folder that does not exist yet"),
        UpkeepError::NotWhole { .. } => (Kind::Verification, "take another backup"),
        UpkeepError::NotEmpty { .. } => (Kind::Refused, "restore into a new database, and another --data DIR"),
        UpkeepError::InUse(_) => (Kind::Refused, "stop the server first"),
    };
    CommandError::from_error(kind, error).hint(hint)
}
