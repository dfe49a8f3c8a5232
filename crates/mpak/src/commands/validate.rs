//! `mpak validate`: check a manifest as its author must, with the files around it.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use mpak_bundle::archive::{Archive, ArchiveError, Bundle, OpenError};
use mpak_bundle::collect;
use mpak_bundle::limits::Limits;
use mpak_bundle::manifest::{
    Contents, ManifestRead, ManifestVersion, Problem, Reading, Severity, check_contents, read,
};
use serde_json::{Value, json};

use crate::bundle_file::{not_a_bundle, open_file, refused};
use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::Settings;
use crate::ui;

const MANIFEST: &str = "manifest.json";

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A manifest, a folder that holds one, or a bundle
    #[arg(value_name = "FILE|DIR")]
    pub path: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs it.
pub fn run(args: &Args, _settings: &Settings) -> CommandResult {
    let limits = Limits::default();
    let checked = check(&args.path, &limits)?;
    if args.json {
        ui::json(&checked.to_json());
    } else {
        checked.lines().iter().for_each(|line| ui::data(line));
    }
    Ok(ExitCode::from(u8::from(!checked.valid())))
}

/// A manifest with everything found wrong with it.
pub(super) struct Checked {
    /// Where it is, as shown.
    place: String,
    read: ManifestRead,
    /// Why its files were not looked at.
    unchecked: Option<String>,
}

/// Checks the manifest of a folder.
pub(super) fn check_directory(folder: &Path, limits: &Limits) -> Result<Checked, CommandError> {
    let metadata = std::fs::metadata(folder).map_err(|error| unreadable(folder, &error))?;
    if !metadata.is_dir() {
        return Err(CommandError::new(Kind::Usage, format!("`{}` is not a folder", folder.display()))
            .hint("`mpak scan` and `mpak validate` take the file of a bundle"));
    }
    check(folder, limits)
}

fn check(path: &Path, limits: &Limits) -> Result<Checked, CommandError> {
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if metadata.is_dir() {
        let here = path == Path::new(".");
        let manifest = if here { PathBuf::from(MANIFEST) } else { path.join(MANIFEST) };
        return check_folder(path, &manifest, limits);
    }
    // a pipe would wait for its other end
    if !metadata.is_file() {
        return Err(not_a_bundle(path, &ArchiveError::NotAFile));
    }
    let mut file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let mut start = [0; 4];
    let is_bundle = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("mcpb"))
        || (file.read_exact(&mut start).is_ok() && start == *b"PK\x03\x04");
    if is_bundle { check_bundle(path, limits) } else { check_file(path, limits) }
}

/// A manifest in the folder that it describes; without one of that name only the text can be checked.
fn check_file(path: &Path, limits: &Limits) -> Result<Checked, CommandError> {
    if path.file_name().is_some_and(|name| name == MANIFEST) {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        return check_folder(folder, path, limits);
    }
    let read = read(&head(path, limits)?, Reading::Strict, limits);
    let reason = format!("its files were not checked, because it is not named {MANIFEST}");
    Ok(Checked { place: path.display().to_string(), read, unchecked: Some(reason) })
}

fn check_folder(folder: &Path, path: &Path, limits: &Limits) -> Result<Checked, CommandError> {
    let bytes = head(path, limits).map_err(|error| match error.kind {
        Kind::NotFound => error.hint(format!("`mpak init {}` writes one", folder.display())),
        _ => error,
    })?;
    let read = read(&bytes, Reading::Strict, limits);
    let place = path.display().to_string();
    // What `pack` would leave out or refuse counts here too.
    match collect::collect(folder, limits, &[]) {
        Ok(files) => Ok(Checked { place, read: with_contents(read, &files, limits), unchecked: None }),
        Err(error) => {
            let reason = format!("the files of the folder were not checked: {error}");
            Ok(Checked { place, read, unchecked: Some(reason) })
        }
    }
}

fn check_bundle(path: &Path, limits: &Limits) -> Result<Checked, CommandError> {
    // 1. What every reader demands; the manifest itself is judged more strictly below.
    match Bundle::open(open_file(path)?, limits) {
        Ok(_) | Err(OpenError::Manifest { .. }) => {}
        Err(error) => return Err(refused(path, &error)),
    }

    // 2. The manifest, with the files around it.
    let archive = Archive::open(open_file(path)?, limits).map_err(|error| not_a_bundle(path, &error))?;
    let missing = || refused(path, &OpenError::ManifestMissing { folder: None });
    let entry = archive.entry(MANIFEST).ok_or_else(missing)?;
    let bytes = archive.read(entry, limits.manifest_bytes_max).map_err(|error| not_a_bundle(path, &error))?;
    let read = with_contents(read(&bytes, Reading::Strict, limits), &archive, limits);
    Ok(Checked { place: format!("{}/{MANIFEST}", path.display()), read, unchecked: None })
}

fn with_contents(mut read: ManifestRead, contents: &dyn Contents, limits: &Limits) -> ManifestRead {
    if let Some(manifest) = &read.manifest {
        read.problems.extend(check_contents(manifest, contents, Reading::Strict, limits));
        read.problems.sort_by_key(|problem| problem.line);
    }
    read
}

/// As much of a file as a manifest may be long, and one byte more so that a longer one is noticed.
fn head(path: &Path, limits: &Limits) -> Result<Vec<u8>, CommandError> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    file.take(limits.manifest_bytes_max + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    Ok(bytes)
}

fn unreadable(path: &Path, error: &std::io::Error) -> CommandError {
    if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) {
        return CommandError::new(Kind::NotFound, format!("there is no `{}`", path.display()));
    }
    let mut out = CommandError::new(Kind::No, format!("cannot read `{}`", path.display()));
    out.causes.push(error.to_string());
    out
}

impl Checked {
    /// Whether it holds no error.
    pub(super) fn valid(&self) -> bool {
        self.count(Severity::Error) == 0
    }

    fn count(&self, severity: Severity) -> usize {
        self.read.problems.iter().filter(|problem| problem.severity == severity).count()
    }

    /// For people.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut out = problem_lines(&self.place, &self.read.problems);
        let place = ui::safe(&self.place);
        if let Some(reason) = &self.unchecked {
            out.push(format!("note: {}", ui::safe(reason)));
        }
        let version = self.read.manifest_version.map_or_else(String::new, |v| format!(" ({})", v.as_str()));
        let verdict = if self.valid() { "is valid" } else { "is not valid" };
        let identity = self.read.manifest.as_ref().filter(|_| self.valid());
        let identity =
            identity.map_or_else(String::new, |m| format!(": {} {}", ui::safe(&m.name), ui::safe(&m.version)));
        let counts = counts(self.count(Severity::Error), self.count(Severity::Warning));
        out.push(format!("{place} {verdict}{version}{identity}{counts}"));
        out
    }

    /// For programs.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "valid": self.valid(),
            "manifest_version": self.read.manifest_version.map(ManifestVersion::as_str),
            "problems": self.read.problems.iter().map(problem_json).collect::<Vec<_>>(),
            "note": self.unchecked,
        })
    }
}

fn counts(errors: usize, warnings: usize) -> String {
    let words = |count: usize, word: &str| match count {
        0 => None,
        1 => Some(format!("1 {word}")),
        _ => Some(format!("{count} {word}s")),
    };
    let parts: Vec<String> = [words(errors, "error"), words(warnings, "warning")].into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!(", {}", parts.join(", ")) }
}

/// Problems as people read them, one empty line after each.
pub fn problem_lines(place: &str, problems: &[Problem]) -> Vec<String> {
    let mut out = Vec::new();
    for problem in problems {
        out.push(format!("{}[{}]: {}", word(problem.severity), problem.code, ui::safe(&problem.message)));
        let line = problem.line.map_or_else(String::new, |line| format!(":{line}"));
        let pointer =
            if problem.pointer.is_empty() { String::new() } else { format!(" ({})", ui::safe(&problem.pointer)) };
        out.push(format!(" --> {}{line}{pointer}", ui::safe(place)));
        out.extend(problem.help.iter().map(|help| format!("  help: {}", ui::safe(help))));
        out.push(String::new());
    }
    out
}

/// A problem in `--json` output.
pub fn problem_json(problem: &Problem) -> Value {
    json!({
        "severity": word(problem.severity),
        "code": problem.code,
        "pointer": problem.pointer,
        "line": problem.line,
        "message": problem.message,
        "help": problem.help,
    })
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}
