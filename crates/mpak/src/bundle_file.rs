//! A bundle that the user names by its path: opening it, and saying what is wrong with it.

use std::error::Error;
use std::fs::File;
use std::io;
use std::path::Path;

use mpak_bundle::archive::{ArchiveError, Bundle, Finding, OpenError};
use mpak_bundle::limits::Limits;
use mpak_bundle::manifest::{Problem, Severity};
use serde_json::{Value, json};

use crate::error::{CommandError, Kind};
use crate::ui;

/// Opens a bundle.
///
/// # Errors
/// Not found, not readable, or refused; the cause carries the code of `docs/formats/container.md`.
pub fn open(path: &Path) -> Result<Bundle, CommandError> {
    let file = open_file(path)?;
    Bundle::open(file, &Limits::default()).map_err(|error| refused(path, &error))
}

/// Opens the file of a bundle, whatever is in it.
///
/// # Errors
/// Not found, not readable, or no file.
pub fn open_file(path: &Path) -> Result<File, CommandError> {
    let failed = |error: &io::Error| {
        let missing = error.kind() == io::ErrorKind::NotFound;
        let kind = if missing { Kind::NotFound } else { Kind::Usage };
        let what = if missing { "there is no file" } else { "cannot read" };
        let mut out = CommandError::new(kind, format!("{what} `{}`", path.display()));
        out.causes.extend((!missing).then(|| error.to_string()));
        out.hint("give the path of a .mcpb file")
    };
    // A pipe would wait for its other end, so the kind is looked at before opening.
    let metadata = std::fs::metadata(path).map_err(|error| failed(&error))?;
    if !metadata.is_file() {
        return Err(not_a_bundle(path, &ArchiveError::NotAFile));
    }
    File::open(path).map_err(|error| failed(&error))
}

/// Exit 65, with code and help.
pub fn not_a_bundle(path: &Path, error: &ArchiveError) -> CommandError {
    with_cause(path, error, error.code(), error.help().to_owned())
}

/// Exit 65, with code, help, and all that is wrong with the manifest.
pub fn refused(path: &Path, error: &OpenError) -> CommandError {
    let mut out = with_cause(path, error, error.code(), error.help());
    if let OpenError::Manifest { problems } = error {
        let others = problems.iter().filter(|p| p.severity == Severity::Error).skip(1);
        out.causes.extend(others.map(|problem| format!("manifest.json: {} ({})", problem.message, problem.code)));
    }
    out
}

fn with_cause(path: &Path, cause: &dyn Error, code: &str, help: String) -> CommandError {
    let mut out = CommandError::new(Kind::NotABundle, format!("`{}` is not a bundle that can be read", path.display()));
    out.causes.push(format!("{cause} ({code})"));
    out.hint(help)
}

/// Remarks on the container and warnings about the manifest, a line for each.
pub fn remarks(bundle: &Bundle) -> Vec<String> {
    let findings = bundle.archive.findings().iter().map(|finding| {
        let place = if finding.path.is_empty() { String::new() } else { format!("`{}`: ", finding.path) };
        format!("{}: {place}{}", finding.code, finding.message)
    });
    let problems = bundle.problems.iter().map(|problem| {
        let line = problem.line.map_or(String::new(), |line| format!(":{line}"));
        format!("{}: manifest.json{line}: {}", problem.code, problem.message)
    });
    findings.chain(problems).map(|line| ui::safe(&line)).collect()
}

/// The same as JSON: remarks on the container.
pub fn findings_json(findings: &[Finding]) -> Value {
    findings.iter().map(|f| json!({ "code": f.code, "path": f.path, "message": f.message })).collect()
}

/// The same as JSON: warnings about the manifest.
pub fn problems_json(problems: &[Problem]) -> Value {
    let one = |p: &Problem| json!({ "code": p.code, "pointer": p.pointer, "line": p.line, "message": p.message, "help": p.help });
    problems.iter().map(one).collect()
}

/// A number of things, in the singular or the plural.
pub fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}
