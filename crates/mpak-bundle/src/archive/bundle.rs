//! An archive with its manifest.

use std::fs::File;

use thiserror::Error;

use super::finding::{Finding, code};
use super::{Archive, ArchiveError};
use crate::limits::Limits;
use crate::manifest::{self, Manifest, Problem, Reading, ServerType, Severity};
use crate::path::{WindowsProblem, escape};
use crate::platform::Os;

const MANIFEST: &str = "manifest.json";

/// An archive with its manifest: what publish, scan, unpack and run open.
pub struct Bundle {
    /// The container.
    pub archive: Archive,
    /// The manifest, read tolerantly and checked against the contents.
    pub manifest: Manifest,
    /// The manifest's warnings.
    pub problems: Vec<Problem>,
}

/// Why a file is not a bundle.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The container is refused.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// No `manifest.json` at the root.
    #[error("there is no `manifest.json` at the root of the archive")]
    ManifestMissing {
        /// The single top folder that holds one.
        folder: Option<String>,
    },
    /// The manifest is refused.
    #[error("manifest.json: {}", first_error(problems))]
    Manifest {
        /// All problems, at least one an error.
        problems: Vec<Problem>,
    },
    /// A name that Windows takes for something else, in a bundle that is offered for Windows.
    #[error("`{name}` {problem}, and the bundle is offered for Windows")]
    WindowsName {
        /// Entry.
        name: String,
        /// What Windows makes of it.
        problem: WindowsProblem,
    },
}

impl OpenError {
    /// Stable kebab-case code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Archive(error) => error.code(),
            Self::ManifestMissing { .. } => "manifest-missing",
            Self::Manifest { .. } => "manifest-refused",
            Self::WindowsName { .. } => "name-windows",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Archive(error) => error.help().to_owned(),
            Self::ManifestMissing { folder: Some(folder) } => {
                format!("`{folder}/manifest.json` is there: pack the folder `{folder}` itself, not the one around it")
            }
            Self::ManifestMissing { folder: None } => "pack a folder that holds manifest.json, with `mpak pack`".into(),
            Self::Manifest { problems } => problems
                .iter()
                .find(|p| p.severity == Severity::Error)
                .and_then(|p| p.help.clone())
                .unwrap_or_else(|| "run `mpak validate` on the folder and pack it again".into()),
            Self::WindowsName { .. } => {
                "rename the file, or leave win32 out of compatibility.platforms in manifest.json".into()
            }
        }
    }
}

fn first_error(problems: &[Problem]) -> &str {
    let error = problems.iter().find(|p| p.severity == Severity::Error).or(problems.first());
    error.map_or("refused", |p| p.message.as_str())
}

impl Bundle {
    /// Opens a bundle: container, then manifest (tolerant), then manifest against contents.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(file: File, limits: &Limits) -> Result<Self, OpenError> {
        // 1. The container.
        let mut archive = Archive::open(file, limits)?;
        // 2. The manifest at the root.
        let Some(entry) = archive.entry(MANIFEST) else {
            return Err(OpenError::ManifestMissing { folder: single_folder(&archive) });
        };
        let bytes = archive.read(entry, limits.manifest_bytes_max)?;
        let (manifest, mut problems) = manifest::read(&bytes, Reading::Tolerant, limits)
            .into_result()
            .map_err(|problems| OpenError::Manifest { problems })?;
        // 3. The manifest against the contents.
        problems.extend(manifest::check_contents(&manifest, &archive, Reading::Tolerant, limits));
        if problems.iter().any(|p| p.severity == Severity::Error) {
            return Err(OpenError::Manifest { problems });
        }
        // 4. Names on Windows, if it is a target.
        check_windows(&mut archive, &manifest)?;
        remark_entry_point(&mut archive, &manifest);
        Ok(Self { archive, manifest, problems })
    }

    /// The file that must be executable whatever its mode says: the entry point of a binary server.
    pub fn executable(&self) -> Option<&str> {
        executable(&self.manifest)
    }
}

fn executable(manifest: &Manifest) -> Option<&str> {
    (manifest.server.kind == ServerType::Binary).then_some(manifest.server.entry_point.as_str())
}

fn single_folder(archive: &Archive) -> Option<String> {
    let mut folders = archive.entries().iter().map(|e| e.path.as_str().split_once('/').map(|(top, _)| top));
    let first = folders.next()??;
    let single = folders.all(|folder| folder == Some(first));
    (single && archive.entry(&format!("{first}/{MANIFEST}")).is_some()).then(|| escape(first))
}

fn check_windows(archive: &mut Archive, manifest: &Manifest) -> Result<(), OpenError> {
    let platforms = &manifest.compatibility.platforms;
    let mut bad = archive.entries.iter().filter_map(|e| Some((e.path.as_str(), e.path.windows_problem()?)));
    let Some((name, problem)) = bad.next() else { return Ok(()) };
    let name = escape(name);
    if platforms.is_empty() || platforms.iter().any(|os| matches!(os, Os::Win32 | Os::Any)) {
        return Err(OpenError::WindowsName { name, problem });
    }
    let more = bad.count();
    let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
    archive.findings.push(Finding {
        code: code::NAME_WINDOWS,
        message: format!("a name {problem}; the bundle is not offered for Windows{more}"),
        path: name,
    });
    Ok(())
}

fn remark_entry_point(archive: &mut Archive, manifest: &Manifest) {
    let Some(entry) = executable(manifest).and_then(|path| archive.entry(path)) else { return };
    if entry.executable {
        return;
    }
    archive.findings.push(Finding {
        code: code::ENTRY_POINT_MODE,
        path: escape(entry.path.as_str()),
        message: "the server's program lacks the execute bit; it is set when unpacking".into(),
    });
}
