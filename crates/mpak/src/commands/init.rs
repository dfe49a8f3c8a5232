//! `mpak init`: write a manifest, from what the project says about itself and what a person answers.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use mpak_bundle::durable;
use mpak_bundle::limits::Limits;
use mpak_bundle::manifest::{Reading, Severity, read};
use serde_json::{Value, json};

use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::Settings;
use crate::ui;

mod draft;
mod project;
mod questions;

use draft::Draft;

/// Manifest version written where neither a flag nor the server type asks for another.
const VERSION: &str = "0.3";
/// First version that knows `uv`.
const VERSION_UV: &str = "0.4";

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The project's folder
    #[arg(default_value = ".", value_name = "DIR")]
    pub dir: PathBuf,
    /// Ask nothing, take the defaults
    #[arg(short, long)]
    pub yes: bool,
    /// Version of the manifest [default: 0.3, for `uv` 0.4]
    #[arg(long, value_name = "V", value_parser = ["0.1", "0.2", "0.3", "0.4"])]
    pub manifest_version: Option<String>,
    /// What starts the server [default: by the project's files]
    #[arg(long = "type", value_name = "TYPE", value_parser = ["node", "python", "binary", "uv"])]
    pub server_type: Option<String>,
    /// Overwrite an existing manifest
    #[arg(long)]
    pub force: bool,
    /// Print JSON, ask nothing
    #[arg(long)]
    pub json: bool,
}

/// Runs it.
pub fn run(args: &Args, _settings: &Settings) -> CommandResult {
    // 1. Where to, and whether something is there.
    let here = args.dir == Path::new(".");
    let path = if here { PathBuf::from("manifest.json") } else { args.dir.join("manifest.json") };
    check_place(args, &path)?;
    // 2. What the project says about itself.
    let mut draft = project::read(&args.dir, args.server_type.as_deref())?;
    draft.manifest_version = manifest_version(args, &draft)?;
    // 3. What a person says.
    let mut left_out = draft.settle();
    if !args.yes && !args.json && ui::can_ask() {
        questions::ask(&mut draft, &mut ui::ask)?;
        left_out.extend(draft.settle());
    }
    // 4. Written whole or not at all.
    let manifest = draft.to_json();
    write(&path, &manifest)?;
    for message in &left_out {
        ui::note(&format!("left out: {}", ui::safe(message)));
    }
    if args.json {
        ui::json(&json!({"created": path.display().to_string(), "left_out": left_out, "manifest": manifest}));
    } else {
        ui::data(&format!("Created {}", ui::safe(&path.display().to_string())));
        next_steps(&args.dir, &draft);
    }
    Ok(ExitCode::SUCCESS)
}

fn check_place(args: &Args, path: &Path) -> Result<(), CommandError> {
    let dir = args.dir.display();
    if !args.dir.is_dir() {
        let message = format!("there is no folder `{dir}`");
        return Err(CommandError::new(Kind::NotFound, message).hint("create it first"));
    }
    // A link that leads nowhere is something too.
    if !args.force && path.symlink_metadata().is_ok() {
        let message = format!("`{}` already exists", path.display());
        return Err(CommandError::new(Kind::No, message)
            .hint(format!("`mpak validate {dir}` checks it; `--force` overwrites it")));
    }
    Ok(())
}

fn manifest_version(args: &Args, draft: &Draft) -> Result<String, CommandError> {
    let uv = draft.server_type == "uv";
    match args.manifest_version.as_deref() {
        Some(version) if uv && version != VERSION_UV => {
            let message = format!("a `uv` server needs manifest version {VERSION_UV}, found `{version}`");
            Err(CommandError::new(Kind::Usage, message)
                .hint("leave out `--manifest-version`, or choose `--type python`"))
        }
        Some(version) => Ok(version.to_owned()),
        None => Ok(if uv { VERSION_UV } else { VERSION }.to_owned()),
    }
}

fn write(path: &Path, manifest: &Value) -> Result<(), CommandError> {
    let mut text = serde_json::to_string_pretty(manifest).expect("a JSON value serialises");
    text.push('\n');
    let problems = read(text.as_bytes(), Reading::Strict, &Limits::default()).problems;
    if let Some(problem) = problems.iter().find(|problem| problem.severity == Severity::Error) {
        let message = format!("the manifest would not be valid: {}: {}", problem.pointer, problem.message);
        return Err(CommandError::new(Kind::Ours, message));
    }
    durable::replace(path, text.as_bytes(), 0o644).map_err(|error| {
        let mut out = CommandError::new(Kind::No, format!("cannot write `{}`", path.display()));
        out.causes.push(error.to_string());
        out
    })
}

fn next_steps(dir: &Path, draft: &Draft) {
    let shown = ui::safe(&dir.display().to_string());
    if !dir.join(&draft.entry_point).is_file() {
        ui::note(&format!("The entry point `{}` does not exist yet.", ui::safe(&draft.entry_point)));
    }
    ui::note("Next steps:");
    ui::note(&format!("  1. mpak validate {shown}"));
    let vendor = if matches!(draft.server_type.as_str(), "node" | "python") { " --vendor" } else { "" };
    ui::note(&format!("  2. mpak pack {shown}{vendor}"));
}
