//! Vendoring: the dependencies that a folder names are installed into a copy of it, which is then packed.
//!
//! In: an author's folder and its manifest. Out: [`Vendored`], a temporary copy with the dependencies in
//! place. The author's folder is never written to. Package managers are started with argument lists and an
//! environment of what they need; code of packages is not run unless `--allow-sdist` asks for it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mpak_bundle::collect::{CollectError, collect};
use mpak_bundle::limits::Limits;
use mpak_bundle::manifest::{Manifest, ServerType};
use mpak_bundle::platform::Platform;
use thiserror::Error;

use crate::error::{CommandError, Kind};
use crate::settings::Settings;

pub mod binary;
mod node;
mod python;
mod tool;

/// What to vendor, for what.
pub struct Request<'a> {
    /// The author's folder.
    pub root: &'a Path,
    /// Its manifest.
    pub manifest: &'a Manifest,
    /// `--python-version`.
    pub python_version: Option<&'a str>,
    /// `--platform`: another one than this machine's.
    pub platform: Option<Platform>,
    /// `--allow-sdist`.
    pub allow_sdist: bool,
    /// `--binary`.
    pub binaries: &'a [binary::Source],
    /// No progress.
    pub quiet: bool,
    /// The environment.
    pub settings: &'a Settings,
}

/// A copy of the folder with its dependencies; removed when dropped.
#[derive(Debug)]
pub struct Vendored {
    copy: tempfile::TempDir,
    /// What was done.
    pub installed: Installed,
    /// Files and folders of the author's folder that the ignore rules left out and the copy does not hold.
    pub ignored_count: usize,
    /// How long it took.
    pub took: Duration,
}

/// What a package manager did.
#[derive(Debug, Default)]
pub struct Installed {
    /// Its name and way, for example `npm ci`.
    pub tool: String,
    /// What named the dependencies, for example `package-lock.json`.
    pub source: String,
    /// Folder or file in the bundle.
    pub into: String,
    /// How many packages or programs.
    pub components_count: usize,
    /// What was left undone on purpose.
    pub skipped: Vec<Skipped>,
}

/// Something left undone on purpose, which the server may need.
#[derive(Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Stable kebab-case code.
    pub code: &'static str,
    /// Package or file.
    pub name: String,
    /// Why, and what it means.
    pub message: String,
}

/// Why nothing was vendored.
#[derive(Debug, Error)]
pub enum VendorError {
    /// The folder cannot be copied.
    #[error(transparent)]
    Collect(#[from] CollectError),
    /// Nothing names the dependencies.
    #[error("a `{kind}` server is vendored from {expected}, found none")]
    NoSource {
        /// Type of the server.
        kind: &'static str,
        /// Which files.
        expected: &'static str,
    },
    /// The flags do not go together.
    #[error("{0}")]
    Flags(String),
    /// A program is missing.
    #[error("`{tool}` is needed to vendor a `{kind}` server and is not on the PATH")]
    MissingTool {
        /// The program.
        tool: &'static str,
        /// Type of the server.
        kind: &'static str,
        /// How to get it.
        hint: &'static str,
    },
    /// A program failed.
    #[error("`{command}` failed ({status})")]
    Failed {
        /// The program with its first arguments.
        command: String,
        /// How it ended.
        status: String,
        /// The last lines it wrote.
        lines: Vec<String>,
        /// What may help.
        hint: Option<&'static str>,
    },
    /// A record of a package manager is not readable.
    #[error("cannot read `{file}`: {reason}")]
    Record {
        /// Which.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// A program was built for another platform than named.
    #[error("`{}` is named for {named}, but was built for {found}", path.display())]
    OtherPlatform {
        /// The program.
        path: PathBuf,
        /// What the flag says.
        named: Platform,
        /// What its first bytes say.
        found: String,
    },
    /// Two programs would be the same file of the bundle.
    #[error("two programs go to `{place}`: {first} and {second}")]
    SamePlace {
        /// The path in the bundle.
        place: String,
        /// One.
        first: String,
        /// The other.
        second: String,
    },
    /// The file system refuses.
    #[error("cannot use `{}`", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl VendorError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

impl From<VendorError> for CommandError {
    fn from(error: VendorError) -> Self {
        let kind = if matches!(error, VendorError::Flags(_)) { Kind::Usage } else { Kind::No };
        let mut command = Self::from_error(kind, &error);
        match error {
            VendorError::MissingTool { hint, .. } => command.hint(hint),
            VendorError::Failed { lines, hint, .. } => {
                command.causes.extend(lines);
                match hint {
                    Some(hint) => command.hint(hint),
                    None => command,
                }
            }
            VendorError::NoSource { .. } => command.hint("add the file, or pack without --vendor"),
            VendorError::SamePlace { .. } => {
                command.hint("give each system its own `command` in server.mcp_config.platform_overrides")
            }
            _ => command,
        }
    }
}

impl Vendored {
    /// The copy.
    pub fn folder(&self) -> &Path {
        self.copy.path()
    }
}

/// Vendors by the type of the server.
///
/// # Errors
/// [`VendorError`]; the copy is removed.
pub fn vendor(request: &Request<'_>) -> Result<Vendored, VendorError> {
    let started = Instant::now();
    // 1. Flags that say nothing for this type of server are mistakes.
    refuse_useless_flags(request)?;
    // 2. A copy without what will be installed anew.
    let copy = tempfile::Builder::new().prefix("mpak-vendor-").tempdir().map_err(VendorError::io(request.root))?;
    let ignored_count = copy_folder(request, copy.path())?;
    // 3. The dependencies.
    let installed = match request.manifest.server.kind {
        ServerType::Node => node::install(request, copy.path()),
        ServerType::Python => python::install(request, copy.path()),
        ServerType::Binary => binary::install(request, copy.path()),
        ServerType::Uv => uv(copy.path()),
    }?;
    Ok(Vendored { copy, installed, ignored_count, took: started.elapsed() })
}

fn refuse_useless_flags(request: &Request<'_>) -> Result<(), VendorError> {
    let kind = request.manifest.server.kind;
    let wrong = [
        ("--python-version", request.python_version.is_some(), kind == ServerType::Python),
        ("--allow-sdist", request.allow_sdist, kind == ServerType::Python),
        ("--platform", request.platform.is_some(), matches!(kind, ServerType::Python | ServerType::Node)),
        ("--binary", !request.binaries.is_empty(), kind == ServerType::Binary),
    ];
    match wrong.into_iter().find(|(_, given, fits)| *given && !fits) {
        Some((flag, ..)) => {
            Err(VendorError::Flags(format!("{flag} says nothing about a server of type `{}`", kind.as_str())))
        }
        None => Ok(()),
    }
}

/// A `uv` server brings its dependencies in at install time; its project file must be there.
fn uv(copy: &Path) -> Result<Installed, VendorError> {
    if !copy.join("pyproject.toml").is_file() {
        return Err(VendorError::NoSource { kind: "uv", expected: "pyproject.toml" });
    }
    Ok(Installed { tool: "none".to_owned(), source: "pyproject.toml".to_owned(), ..Installed::default() })
}

/// Folders that are made by tools, never read by package managers, and often large.
const MADE_BY_TOOLS: [&str; 10] =
    [".git", ".hg", ".mypy_cache", ".svn", ".tox", ".venv", "__pycache__", "node_modules", "target", "venv"];

/// Copies the folder: what would be packed, links followed, and the files that the ignore rules leave out
/// but package managers may read (lock files, local packages). Gives the number of what was left out and is
/// not in the copy.
fn copy_folder(request: &Request<'_>, copy: &Path) -> Result<usize, VendorError> {
    let limits = Limits::default();
    // 1. What would be packed, without what is installed anew.
    let replaced = replaced(request);
    let collected = collect(request.root, &limits, &replaced)?;
    for file in collected.files() {
        copy_file(&file.source, &file.path.below(copy))?;
    }
    // 2. The rest.
    copy_rest(request.root, copy, &replaced)?;
    // 3. What the copy leaves out is counted when it is packed.
    Ok(collected.ignored_count().saturating_sub(collect(copy, &limits, &[])?.ignored_count()))
}

/// Folders of the author that vendoring makes anew.
fn replaced(request: &Request<'_>) -> Vec<PathBuf> {
    let names: &[&str] = match request.manifest.server.kind {
        ServerType::Node => &["node_modules"],
        ServerType::Python | ServerType::Uv => &[".venv", "venv", "server/venv"],
        ServerType::Binary => &["target"],
    };
    let mut replaced: Vec<PathBuf> = names.iter().map(|path| request.root.join(path)).collect();
    if request.manifest.server.kind == ServerType::Python {
        let into = request.root.join(python::vendor_folder(request.manifest));
        replaced.extend(python::is_vendored(&into).then_some(into));
    }
    replaced
}

/// Plain files that are not there yet; links among them are not followed, because nothing checked them.
fn copy_rest(from: &Path, to: &Path, replaced: &[PathBuf]) -> Result<(), VendorError> {
    for entry in fs::read_dir(from).map_err(VendorError::io(from))? {
        let entry = entry.map_err(VendorError::io(from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(VendorError::io(&source))?;
        let made = MADE_BY_TOOLS.iter().any(|name| entry.file_name() == *name);
        if kind.is_dir() && !made && !replaced.contains(&source) {
            copy_rest(&source, &target, replaced)?;
        } else if kind.is_file() && !target.exists() {
            copy_file(&source, &target)?;
        }
    }
    Ok(())
}

fn copy_file(source: &Path, target: &Path) -> Result<(), VendorError> {
    let folder = target.parent().expect("a file below the copy");
    fs::create_dir_all(folder).map_err(VendorError::io(folder))?;
    fs::copy(source, target).map(drop).map_err(VendorError::io(source))
}

/// Where a template of the manifest points in the bundle: `${__dirname}/x` or a relative path.
fn in_bundle(template: &str) -> Option<&str> {
    let path = template.strip_prefix("${__dirname}/").or_else(|| template.strip_prefix("${__dirname}\\"));
    let path = path.unwrap_or(template).trim_end_matches('/');
    let plain = !path.is_empty() && !path.contains(['$', '\\', ':']) && !path.starts_with('/');
    (plain && path.split('/').all(|part| !matches!(part, "" | "." | ".."))).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_lead_into_the_bundle_only() {
        let cases = [
            ("${__dirname}/server/lib", Some("server/lib")),
            ("${__dirname}/lib/", Some("lib")),
            ("server/x", Some("server/x")),
            ("${__dirname}/../x", None),
            ("/usr/lib", None),
            ("${HOME}/x", None),
            ("${__dirname}/", None),
            ("a:b", None),
        ];
        for (template, expect) in cases {
            assert_eq!(in_bundle(template), expect, "{template}");
        }
    }
}
