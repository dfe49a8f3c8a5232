//! What the controls judge: everything read once, from a bundle or a folder.
//!
//! In: an opened archive or a folder, from an attacker. Out: facts of bounded size; the content of the
//! files passes through once and is not kept.

use std::path::Path;

use mpak_bundle::archive::{Archive, ArchiveError};
use mpak_bundle::collect::{CollectError, collect_any};
use mpak_bundle::dependencies::{self, Survey};
use mpak_bundle::digest::Sha256;
use mpak_bundle::limits::Limits;
use mpak_bundle::manifest::{self, FileKind, ManifestRead, Reading};
use mpak_bundle::sbom::{self, Sbom};
use serde_json::Value;

use crate::advisories::{Snapshot, SnapshotError};
use crate::completeness::{self, Completeness};
use crate::content::ContentKind;
use crate::controls::CONTROLS;
use crate::oauth;
use crate::outside::Outside;
use crate::report::{self, Report};
use crate::secrets::Secrets;
use crate::texts::Texts;

mod advised;
mod given;
mod source;
mod sources;
mod texts;

pub use advised::Advised;
pub use given::{OauthUse, Place};
use source::{Source, Visitor};
pub use sources::Code;
use sources::{Ownership, Sources};

/// The manifest's path.
pub const MANIFEST: &str = "manifest.json";
/// Where a bundle's own bill of materials stands.
pub const SBOMS: [&str; 3] = ["sbom.json", "sbom.cdx.json", "sbom.spdx.json"];
/// Largest bill of materials that is read.
const SBOM_BYTES_MAX: u64 = 32 << 20;

/// Facts about one bundle.
pub struct Evidence {
    files: Vec<FileFact>,
    manifest: ManifestFacts,
    dependencies: Survey,
    sboms: Vec<SbomFile>,
    secrets: Secrets,
    advised: Advised,
    code: Code,
    completeness: Completeness,
    outside: Outside,
    artifact: Option<Sha256>,
    oauth: OauthUse,
    texts: Option<Texts>,
}

/// A bill of materials that the bundle carries.
#[derive(Clone, Debug)]
pub struct SbomFile {
    /// Its path.
    pub path: String,
    /// What it says, or why it cannot be read.
    pub read: Result<Sbom, String>,
}

/// One file of the bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFact {
    /// Path in the bundle.
    pub path: String,
    /// Size.
    pub bytes: u64,
    /// Whether it gets an execute bit.
    pub executable: bool,
    /// What its first bytes say it is.
    pub kind: ContentKind,
    /// Digest of its content.
    pub sha256: Sha256,
}

/// What is known of `manifest.json`.
pub enum ManifestFacts {
    /// There is none at the root.
    Missing,
    /// It is too large to be read.
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// It was read.
    Read {
        /// The typed reading, with its problems and those against the contents.
        read: Box<ManifestRead>,
        /// The document, also where the typed reading refuses it; `None` where it is not JSON at all.
        document: Option<Value>,
    },
}

/// Why nothing could be gathered.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    /// The archive is unsound.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The folder cannot be listed.
    #[error(transparent)]
    Collect(#[from] CollectError),
    /// A file of the folder cannot be read.
    #[error("cannot read `{path}`")]
    Io {
        /// Where.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

impl Evidence {
    /// From an opened archive (its container is sound; the manifest may be missing or bad).
    ///
    /// # Errors
    /// [`GatherError`].
    pub fn from_archive(archive: &Archive, limits: &Limits) -> Result<Self, GatherError> {
        Self::gather(archive, limits)
    }

    /// From any folder, with the ignore rules of `pack`; where it holds no manifest AI-01 says so.
    ///
    /// # Errors
    /// [`GatherError`].
    pub fn from_folder(folder: &Path, limits: &Limits) -> Result<Self, GatherError> {
        Self::gather(&collect_any(folder, limits, &[])?, limits)
    }

    fn gather(source: &dyn Source, limits: &Limits) -> Result<Self, GatherError> {
        // 1. The manifest, and the manifest against the contents.
        let manifest = manifest_facts(source, limits);
        // 2. Components, from the records of package managers, and the bundle's own list of them.
        let dependencies = dependencies::survey(source);
        let sboms = SBOMS.iter().filter_map(|path| sbom_file(source, path)).collect();
        // 3. Every file once, to its end: an archive whose data is unsound gives no evidence.
        let ownership = || Ownership::new(&source.paths(), entry_point(&manifest).as_deref());
        let sources = Sources::new(ownership());
        let mut visitor = Visitor { secrets: Secrets::default(), sources };
        let files = source.visit(&mut visitor)?;
        let advised = Advised::gather(source);
        // 4. Which of them are there for a reason, and what the code does.
        let completeness = completeness::look(source, &files, document_of(&manifest));
        let code = visitor.sources.read();
        let ours = ownership();
        let oauth = oauth::used(&code, &|path| ours.is_own(path));
        // 5. What models read.
        let texts = texts::gather(source, document_of(&manifest), limits);
        Ok(Self {
            files,
            manifest,
            dependencies,
            sboms,
            secrets: visitor.secrets,
            advised,
            code,
            completeness,
            outside: Outside::default(),
            artifact: None,
            oauth,
            texts,
        })
    }

    /// Nothing at all.
    #[cfg(test)]
    pub(crate) fn empty() -> Self {
        Self {
            files: Vec::new(),
            manifest: ManifestFacts::Missing,
            dependencies: Survey::default(),
            sboms: Vec::new(),
            secrets: Secrets::default(),
            advised: Advised::default(),
            code: Code::default(),
            completeness: Completeness::default(),
            outside: Outside::default(),
            artifact: None,
            oauth: OauthUse::Unknown,
            texts: None,
        }
    }

    /// Looks the components up in a snapshot of advisories.
    ///
    /// # Errors
    /// [`SnapshotError`] of a damaged snapshot.
    pub fn with_advisories(mut self, snapshot: &Snapshot) -> Result<Self, SnapshotError> {
        self.advised.look_up(snapshot, &self.dependencies, &self.sboms)?;
        Ok(self)
    }

    /// What is published about the components.
    pub fn advised(&self) -> &Advised {
        &self.advised
    }

    /// All files, in the order of the bundle.
    pub fn files(&self) -> &[FileFact] {
        &self.files
    }

    /// What is known of the manifest.
    pub fn manifest(&self) -> &ManifestFacts {
        &self.manifest
    }

    /// Components found in the records of package managers.
    pub fn dependencies(&self) -> &Survey {
        &self.dependencies
    }

    /// The bundle's own bills of materials.
    pub fn sboms(&self) -> &[SbomFile] {
        &self.sboms
    }

    /// The code, read and followed.
    pub fn code(&self) -> &Code {
        &self.code
    }

    /// Credentials.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Which files are there for a reason.
    pub fn completeness(&self) -> &Completeness {
        &self.completeness
    }

    /// The texts that a model reads; `None` without a manifest.
    pub fn texts(&self) -> Option<&Texts> {
        self.texts.as_ref()
    }

    /// A CycloneDX 1.6 document of the components found, for bundles without their own.
    pub fn generated_sbom(&self) -> Value {
        let field = |name: &str| self.document().and_then(|d| d.get(name)).and_then(Value::as_str).unwrap_or_default();
        sbom::cyclonedx(field("name"), field("version"), &self.dependencies.components)
    }

    /// The manifest as a JSON document, also where the typed reading refuses it.
    pub fn document(&self) -> Option<&Value> {
        document_of(&self.manifest)
    }
}

fn document_of(manifest: &ManifestFacts) -> Option<&Value> {
    match manifest {
        ManifestFacts::Read { document, .. } => document.as_ref(),
        ManifestFacts::Missing | ManifestFacts::TooLarge { .. } => None,
    }
}

fn manifest_facts(source: &dyn Source, limits: &Limits) -> ManifestFacts {
    let bytes = match source.kind(MANIFEST) {
        Some(FileKind::File(bytes)) if bytes <= limits.manifest_bytes_max => bytes,
        Some(FileKind::File(bytes)) => {
            return ManifestFacts::TooLarge { bytes, limit: limits.manifest_bytes_max };
        }
        Some(FileKind::Folder) | None => return ManifestFacts::Missing,
    };
    let Some(text) = source.head(MANIFEST, usize::try_from(bytes).unwrap_or(usize::MAX)) else {
        return ManifestFacts::Missing;
    };
    let mut read = manifest::read(&text, Reading::Tolerant, limits);
    if let Some(manifest) = &read.manifest {
        let problems = manifest::check_contents(manifest, source, Reading::Tolerant, limits);
        read.problems.extend(problems);
    }
    let document = match &read.manifest {
        Some(manifest) => Some(manifest.raw.clone()),
        None => serde_json::from_slice(text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text)).ok(),
    };
    ManifestFacts::Read { read: Box::new(read), document }
}

/// Where the server starts, as the manifest's document says it.
fn entry_point(manifest: &ManifestFacts) -> Option<String> {
    let ManifestFacts::Read { document: Some(document), .. } = manifest else { return None };
    document.get("server")?.get("entry_point")?.as_str().map(str::to_owned)
}

fn sbom_file(source: &dyn Source, path: &str) -> Option<SbomFile> {
    let Some(FileKind::File(bytes)) = source.kind(path) else { return None };
    let read = if bytes > SBOM_BYTES_MAX {
        Err(format!("it has {bytes} bytes, expected at most {SBOM_BYTES_MAX}"))
    } else {
        match source.head(path, usize::try_from(bytes).unwrap_or(usize::MAX)) {
            Some(text) => sbom::read(&text).map_err(|e| e.to_string()),
            None => Err("its data cannot be read".to_owned()),
        }
    };
    Some(SbomFile { path: path.to_owned(), read })
}

/// Judges the texts of tools by CD-03 alone; the other controls are `not_run`.
pub fn scan_texts(texts: &Texts) -> Report {
    report::assemble_texts(CONTROLS, texts)
}

/// Judges everything.
pub fn scan(evidence: &Evidence) -> Report {
    report::assemble(CONTROLS, evidence)
}
