//! `mpak pack`: folder to bundle, with its dependencies where asked.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use mpak_bundle::archive::Bundle;
use mpak_bundle::collect::{CollectError, Collected, collect};
use mpak_bundle::durable;
use mpak_bundle::limits::Limits;
use mpak_bundle::manifest::{self, Contents as _, Manifest, Problem, Reading, ServerType, Severity};
use mpak_bundle::native::NativeCode;
use mpak_bundle::pack::{PackOptions, Packed, pack};
use mpak_bundle::platform::Platform;

use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::Settings;
use crate::ui;
use crate::vendor::{self, Vendored, binary};

mod summary;

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder to pack
    #[arg(default_value = ".")]
    directory: PathBuf,
    /// Bundle to write [default: name of the folder with .mcpb, in the current folder]
    output: Option<PathBuf>,
    /// Install the dependencies into a copy of the folder and pack that
    #[arg(long)]
    vendor: bool,
    /// Python to vendor for, as 3.12 [default: the one found]
    #[arg(long, value_name = "X.Y", requires = "vendor")]
    python_version: Option<String>,
    /// Platform to vendor for, as linux-arm64 [default: this machine]
    #[arg(long, value_name = "OS-ARCH", requires = "vendor")]
    platform: Option<Platform>,
    /// Build packages that have no wheel, which runs their build code
    #[arg(long, requires = "vendor")]
    allow_sdist: bool,
    /// Program of a `binary` server, for one platform or all; may be repeated
    #[arg(long, value_name = "[OS-ARCH=]PATH", requires = "vendor")]
    binary: Vec<binary::Source>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// A packed bundle and everything there is to tell about it.
struct Outcome {
    manifest: Manifest,
    problems: Vec<Problem>,
    collected: Collected,
    native: NativeCode,
    packed: Packed,
    vendored: Option<Vendored>,
    ignored_count: usize,
    output: PathBuf,
    took_ms: u128,
}

/// Runs it.
pub fn run(args: &Args, settings: &Settings) -> CommandResult {
    let started = Instant::now();
    let limits = Limits::default();
    // 1. The author's manifest, before anything takes time.
    let output = output(args)?;
    let (manifest, problems) = read_manifest(&args.directory, &limits)?;
    // 2. The dependencies, in a copy.
    let vendored = vendored(args, &manifest, settings)?;
    let folder = vendored.as_ref().map_or(args.directory.as_path(), Vendored::folder);
    // 3. The files, and what the manifest says about them.
    let collected = collect(folder, &limits, std::slice::from_ref(&output)).map_err(of_collect)?;
    let more = manifest::check_contents(&manifest, &collected, Reading::Strict, &limits);
    let mut problems = refuse_errors(problems.into_iter().chain(more).collect())?;
    problems.extend(not_vendored(&manifest, &collected));
    let native = NativeCode::of(&collected);
    check_platform(args.platform, &native)?;
    // 4. Written beside its place, opened by the reader that everybody uses, put in place.
    let options = PackOptions { source_date_epoch: settings.source_date_epoch };
    let packed = write(&collected, &output, &options, &limits)?;
    // 5. Told.
    let left_out = vendored.as_ref().map_or(0, |vendored| vendored.ignored_count);
    let ignored_count = collected.ignored_count() + left_out;
    let took_ms = started.elapsed().as_millis();
    let outcome = Outcome { manifest, problems, collected, native, packed, vendored, ignored_count, output, took_ms };
    if args.json {
        ui::json(&summary::json(&outcome));
    } else {
        for line in summary::text(&outcome) {
            ui::note(&line);
        }
        ui::data(&outcome.output.display().to_string());
    }
    Ok(ExitCode::SUCCESS)
}

/// Where the bundle goes, as an absolute path.
fn output(args: &Args) -> Result<PathBuf, CommandError> {
    let unusable = |e: io::Error| CommandError::from_error(Kind::Usage, &e).context("no place for the bundle");
    let path = if let Some(path) = &args.output {
        path.clone()
    } else {
        let folder = fs::canonicalize(&args.directory).map_err(|e| missing(&args.directory, &e))?;
        let name = folder.file_name().map_or_else(|| "bundle".into(), |name| name.to_string_lossy().into_owned());
        PathBuf::from(format!("{name}.mcpb"))
    };
    if path.is_dir() {
        let message = format!("`{}` is a folder; expected the name of a file to write", path.display());
        return Err(CommandError::new(Kind::Usage, message));
    }
    std::path::absolute(path).map_err(unusable)
}

fn missing(folder: &Path, error: &io::Error) -> CommandError {
    if error.kind() == io::ErrorKind::NotFound {
        return of_collect(CollectError::Missing { path: folder.to_owned() });
    }
    CommandError::from_error(Kind::No, error).context(&format!("cannot use `{}`", folder.display()))
}

/// What is wrong with a folder.
pub(super) fn of_collect(error: CollectError) -> CommandError {
    let kind = match error {
        CollectError::Missing { .. } | CollectError::NoManifest { .. } => Kind::NotFound,
        CollectError::NotAFolder { .. } => Kind::Usage,
        _ => Kind::No,
    };
    let command = CommandError::from_error(kind, &error);
    match error {
        CollectError::NoManifest { root } => command.hint(format!("mpak init {}", root.display())),
        CollectError::LinkOutside { .. } | CollectError::LinkDangling { .. } | CollectError::LinkLoop { .. } => {
            command.hint("replace the link by a copy, or leave it out in .mcpbignore")
        }
        CollectError::Special { .. } | CollectError::Unreadable { .. } => command.hint("leave it out in .mcpbignore"),
        CollectError::Path { .. } | CollectError::NotUtf8 { .. } | CollectError::Collision { .. } => {
            command.hint("rename it, or leave it out in .mcpbignore")
        }
        CollectError::Limit { .. } => command.hint("leave out what the server does not need in .mcpbignore"),
        _ => command,
    }
}

/// Reads `manifest.json` strictly.
fn read_manifest(folder: &Path, limits: &Limits) -> Result<(Manifest, Vec<Problem>), CommandError> {
    let found = fs::metadata(folder).map_err(|e| missing(folder, &e))?;
    if !found.is_dir() {
        return Err(of_collect(CollectError::NotAFolder { path: folder.to_owned() }));
    }
    let path = folder.join("manifest.json");
    let mut bytes = Vec::new();
    let read = File::open(&path).and_then(|file| file.take(limits.manifest_bytes_max + 1).read_to_end(&mut bytes));
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(of_collect(CollectError::NoManifest { root: folder.to_owned() }));
        }
        Err(source) => return Err(of_collect(CollectError::Unreadable { path: "manifest.json".to_owned(), source })),
        Ok(_) => {}
    }
    let (manifest, problems) = manifest::read(&bytes, Reading::Strict, limits).into_result().map_err(invalid)?;
    Ok((manifest, refuse_errors(problems)?))
}

/// Warnings go on; one error ends it.
fn refuse_errors(problems: Vec<Problem>) -> Result<Vec<Problem>, CommandError> {
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        Err(invalid(problems))
    } else {
        Ok(problems)
    }
}

fn invalid(problems: Vec<Problem>) -> CommandError {
    let mut error = CommandError::new(Kind::No, "manifest.json is not valid, so nothing was packed");
    for problem in problems.into_iter().filter(|problem| problem.severity == Severity::Error) {
        error.causes.push(summary::problem(&problem));
        error.hints.extend(problem.help);
    }
    error.hints.dedup();
    error
}

fn vendored(args: &Args, manifest: &Manifest, settings: &Settings) -> Result<Option<Vendored>, CommandError> {
    if !args.vendor {
        return Ok(None);
    }
    let request = vendor::Request {
        root: &args.directory,
        manifest,
        python_version: args.python_version.as_deref(),
        platform: args.platform,
        allow_sdist: args.allow_sdist,
        binaries: &args.binary,
        quiet: args.json,
        settings,
    };
    match vendor::vendor(&request) {
        Ok(vendored) => Ok(Some(vendored)),
        Err(vendor::VendorError::Collect(error)) => Err(of_collect(error)),
        Err(error) => Err(error.into()),
    }
}

/// Dependencies that are named beside the manifest, while no package is packed.
fn not_vendored(manifest: &Manifest, collected: &Collected) -> Option<Problem> {
    let (sources, packages): (&[&str], &str) = match manifest.server.kind {
        ServerType::Node => (&["package.json"], "node_modules/"),
        ServerType::Python => (&["requirements.txt", "pyproject.toml"], ".dist-info/"),
        ServerType::Binary | ServerType::Uv => return None,
    };
    let source = sources.iter().find(|source| names_dependencies(collected, source))?;
    let packed = collected.files().iter().any(|file| file.path.as_str().contains(packages));
    (!packed).then(|| Problem {
        severity: Severity::Warning,
        code: "not-vendored",
        pointer: (*source).to_owned(),
        line: None,
        message: "names dependencies, and none is packed; --vendor brings them in".to_owned(),
        help: Some("pack with --vendor, unless the server was built into files that need no packages".to_owned()),
    })
}

fn names_dependencies(collected: &Collected, source: &str) -> bool {
    const BYTES_MAX: usize = 1 << 20;
    let Some(bytes) = collected.head(source, BYTES_MAX) else { return false };
    let text = String::from_utf8_lossy(&bytes);
    match source {
        "package.json" => serde_json::from_str::<serde_json::Value>(&text)
            .is_ok_and(|package| package["dependencies"].as_object().is_some_and(|list| !list.is_empty())),
        "pyproject.toml" => text.parse::<toml::Table>().is_ok_and(|project| {
            let list = project.get("project").and_then(|project| project.get("dependencies"));
            list.and_then(toml::Value::as_array).is_some_and(|list| !list.is_empty())
        }),
        _ => text.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')),
    }
}

/// What was vendored for a platform must be for it.
fn check_platform(named: Option<Platform>, native: &NativeCode) -> Result<(), CommandError> {
    let Some(named) = named.filter(|named| !native.allows(*named)) else { return Ok(()) };
    let mut error = CommandError::new(Kind::No, format!("what was vendored does not fit {named}"));
    let files = native.files.iter().filter(|(_, platform)| !platform.fits(named)).take(5);
    error.causes.extend(files.map(|(path, platform)| format!("`{path}` is for {platform}")));
    Err(error.hint("leave out --platform, or vendor on that platform"))
}

/// Packs beside the place, opens the result by the reader that everybody uses, and puts it in place.
pub(super) fn write(
    collected: &Collected,
    output: &Path,
    options: &PackOptions,
    limits: &Limits,
) -> Result<Packed, CommandError> {
    let unwritable =
        |e: io::Error| CommandError::from_error(Kind::No, &e).context(&format!("cannot write `{}`", output.display()));
    let folder = output.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(unwritable)?;
    let staging = tempfile::Builder::new().prefix(".mpak-new-").tempdir_in(folder).map_err(unwritable)?;
    let staged = staging.path().join("bundle.mcpb");
    let packed = pack(collected, &staged, options).map_err(|e| CommandError::from_error(Kind::No, &e))?;
    let file = File::open(&staged).map_err(unwritable)?;
    Bundle::open(file, limits).map_err(|e| {
        CommandError::from_error(Kind::No, &e)
            .context("readers would refuse this bundle, so it was not written")
            .hint("change what the cause names; `mpak validate` checks the manifest alone")
    })?;
    durable::rename(&staged, output).map_err(unwritable)?;
    Ok(packed)
}

/// Interpreters that the vendored native modules are for, as `cpython-311`.
fn python_abis(collected: &Collected) -> Vec<String> {
    let paths = collected.paths();
    mpak_runner::runtime::python::vendored_abis(paths.iter().map(String::as_str)).into_iter().collect()
}
