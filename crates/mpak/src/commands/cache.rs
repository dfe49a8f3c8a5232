//! `mpak cache`: what is kept on this machine: list it, check it, remove it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use mpak_bundle::digest::Sha256;
use mpak_bundle::name::PackageName;
use serde::Serialize;

use crate::error::{CommandError, CommandResult, Kind};
use crate::home::record::{Installed, LocalRecord, Record};
use crate::home::{self, Home, HomeError, lock};
use crate::install::extract::changed;
use crate::settings::Settings;
use crate::ui::{self, safe};

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

/// What to do.
#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List installed bundles
    List(Json),
    /// Read every file of every installed bundle and compare it with what was installed
    Verify(Json),
    /// Remove installed bundles; settings and secrets stay
    Clear(Clear),
}

#[derive(Debug, clap::Args)]
struct Json {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Clear {
    /// The package, @scope/name; everything when left out
    package: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    /// Whether `--json` was given.
    pub fn wants_json(&self) -> bool {
        match &self.action {
            Action::List(args) | Action::Verify(args) => args.json,
            Action::Clear(args) => args.json,
        }
    }
}

/// Runs it.
pub fn run(args: &Args, settings: &Settings) -> CommandResult {
    let home = Home::new(settings);
    match &args.action {
        Action::List(args) => list(&home, args.json),
        Action::Verify(args) => verify(&home, args.json),
        Action::Clear(args) => clear(&home, args),
    }
}

/// One line of the list.
#[derive(Debug, Serialize)]
struct Entry {
    /// Package, or path of a local file.
    name: String,
    version: Option<String>,
    platform: Option<String>,
    registry: Option<String>,
    sha256: Sha256,
    pulled_at: Option<String>,
}

fn entries(home: &Home) -> Result<Vec<Entry>, HomeError> {
    let mut out = Vec::new();
    for record in records(home)? {
        for Installed { version, platform, sha256, pulled_at, .. } in record.artifacts {
            out.push(Entry {
                name: record.name.clone(),
                version: Some(version),
                platform: Some(format!("{}-{}", platform.os, platform.arch)),
                registry: Some(record.registry.clone()),
                sha256,
                pulled_at: Some(pulled_at),
            });
        }
    }
    for path in files_below(&home.local_records(), 1) {
        if let Ok(Some(LocalRecord { path, sha256, .. })) = home::read_json(&path) {
            out.push(Entry { name: path, version: None, platform: None, registry: None, sha256, pulled_at: None });
        }
    }
    out.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    Ok(out)
}

fn records(home: &Home) -> Result<Vec<Record>, HomeError> {
    let mut out = Vec::new();
    for path in files_below(&home.registries(), 3) {
        match home::read_json(&path) {
            Ok(Some(record)) => out.push(record),
            Ok(None) | Err(HomeError::Damaged { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(out)
}

/// Files so many levels below a folder.
fn files_below(folder: &Path, levels: u32) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path());
    if levels <= 1 {
        return entries.filter(|path| path.is_file()).collect();
    }
    entries.filter(|path| path.is_dir()).flat_map(|path| files_below(&path, levels - 1)).collect()
}

fn list(home: &Home, json: bool) -> CommandResult {
    let entries = entries(home)?;
    if json {
        ui::json(&serde_json::json!({"version": 1, "bundles": entries}));
        return Ok(ExitCode::SUCCESS);
    }
    if entries.is_empty() {
        ui::note("No bundles are installed");
        return Ok(ExitCode::SUCCESS);
    }
    let dash = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), safe);
    let row = |e: &Entry| {
        vec![
            safe(&e.name),
            dash(&e.version),
            dash(&e.platform),
            e.sha256.to_string()[..12].to_owned(),
            dash(&e.pulled_at),
        ]
    };
    let rows: Vec<_> = entries.iter().map(row).collect();
    for line in ui::table(&["NAME", "VERSION", "PLATFORM", "SHA256", "PULLED"], &rows) {
        ui::data(&line);
    }
    Ok(ExitCode::SUCCESS)
}

/// What checking one stored bundle gave.
#[derive(Debug, Serialize)]
struct Checked {
    sha256: Sha256,
    /// `intact`, `changed`, `unknown` (nothing to compare with).
    state: &'static str,
    /// Changed, missing and additional files.
    paths: Vec<String>,
}

fn verify(home: &Home, json: bool) -> CommandResult {
    let mut checked = Vec::new();
    for sha256 in stored(home) {
        let (state, paths) = match changed(home, &sha256)? {
            None => ("unknown", Vec::new()),
            Some(paths) if paths.is_empty() => ("intact", paths),
            Some(paths) => ("changed", paths),
        };
        checked.push(Checked { sha256, state, paths });
    }
    let bad: Vec<&Checked> = checked.iter().filter(|c| c.state != "intact").collect();
    if json {
        ui::json(&serde_json::json!({"version": 1, "bundles": checked}));
    }
    for found in &bad {
        ui::note(&format!("{} {}", found.sha256, found.state));
        for path in &found.paths {
            ui::note(&format!("  {}", safe(path)));
        }
    }
    ui::note(&format!("{} of {} bundles are intact", checked.len() - bad.len(), checked.len()));
    Ok(ExitCode::from(if bad.is_empty() { 0 } else { Kind::Verification.exit_code() }))
}

/// Digests of all stored bundles.
fn stored(home: &Home) -> BTreeSet<Sha256> {
    let entries = fs::read_dir(home.store()).into_iter().flatten().flatten();
    entries.filter_map(|e| e.file_name().to_str()?.parse().ok()).collect()
}

fn clear(home: &Home, args: &Clear) -> CommandResult {
    let name = match &args.package {
        Some(text) => Some(PackageName::lookup(text).map_err(|e| CommandError::from_error(Kind::Usage, &e))?),
        None => None,
    };
    // 1. what names it, so that nobody starts it any more
    let cleared = forget(home, name.as_ref())?;
    if cleared == 0
        && let Some(name) = name
    {
        return Err(CommandError::new(Kind::NotFound, format!("{name} is not installed")).hint("mpak cache list"));
    }
    // 2. what nothing names any more
    let (removed, in_use) = sweep(home)?;
    if name.is_none() {
        let _held = lock::exclusive(home, "cache")?;
        home::remove(&home.tmp())?;
    }
    if args.json {
        ui::json(&serde_json::json!({"version": 1, "forgotten": cleared, "removed": removed, "in_use": in_use}));
    }
    for sha256 in &in_use {
        ui::note(&format!("{sha256} is kept: a server runs from it"));
    }
    ui::note(&format!("Removed {} bundle(s)", removed.len()));
    Ok(ExitCode::SUCCESS)
}

/// Removes records and the copies for existing clients that belong to them.
fn forget(home: &Home, only: Option<&PackageName>) -> Result<usize, HomeError> {
    let _records = lock::exclusive(home, "records")?;
    let _cache = lock::exclusive(home, "cache")?;
    let mut count = 0;
    for path in files_below(&home.registries(), 3) {
        let record: Option<Record> = home::read_json(&path).ok().flatten();
        let name = record.as_ref().and_then(|r| PackageName::lookup(&r.name).ok());
        if only.is_some() && only != name.as_ref() {
            continue;
        }
        if let Some(name) = name {
            home::remove(&home.cache_entry(&name))?;
        }
        remove_file(&path)?;
        count += 1;
    }
    if only.is_none() {
        for path in files_below(&home.local_records(), 1) {
            if let Some(key) = path.file_stem().and_then(|s| s.to_str()) {
                home::remove(&home.local_entry(key))?;
            }
            remove_file(&path)?;
            count += 1;
        }
    }
    Ok(count)
}

/// Removes stored bundles that no record names, except running ones.
fn sweep(home: &Home) -> Result<(Vec<Sha256>, Vec<Sha256>), HomeError> {
    let named: BTreeSet<Sha256> = entries(home)?.into_iter().map(|e| e.sha256).collect();
    let (mut removed, mut in_use) = (Vec::new(), Vec::new());
    for sha256 in stored(home).difference(&named) {
        let Some(_held) = lock::try_exclusive(home, &format!("use-{sha256}"))? else {
            in_use.push(*sha256);
            continue;
        };
        home::remove(&home.stored(sha256))?;
        home::remove(&home.venv(sha256))?;
        remove_file(&home.venv(sha256).with_extension("ready"))?;
        remove_file(&home.files(sha256))?;
        removed.push(*sha256);
    }
    Ok((removed, in_use))
}

fn remove_file(path: &Path) -> Result<(), HomeError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(HomeError::Io { verb: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
