//! What the controls judge: everything read once, from a bundle or a folder.
//!
//! In: an opened archive or a folder, from an attacker. Out: facts of bounded size; the content of the
//! files passes through once and is not kept.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use mpak_bundle::archive::{Archive, ArchiveError};
use mpak_bundle::collect::{CollectError, Collected, collect_any};
use mpak_bundle::dependencies::{self, Said, Survey};
use mpak_bundle::digest::Sha256;
use mpak_bundle::limits::Limits;
use mpak_bundle::manifest::{self, Contents, ManifestRead, Reading};
use mpak_bundle::sbom::{self, Sbom};
use serde_json::Value;

use crate::advisories::{Snapshot, SnapshotError};
use crate::capabilities::{self, Capabilities};
use crate::code::native::Native;
use crate::completeness::{self, Completeness, Reasons};
use crate::content::ContentKind;
use crate::controls::CONTROLS;
use crate::oauth;
use crate::outside::Outside;
use crate::policy::Policy;
use crate::report::{self, Report};
use crate::secrets::{self, Secrets};
use crate::signatures::Appended;
use crate::signatures::bundles::Seen;
use crate::sigstore::TrustRoots;
use crate::suppressions::Suppressions;
use crate::texts::Texts;
use crate::vex::{self, Statement};

mod advised;
mod cache;
mod capable;
mod followed;
mod given;
mod joined;
mod look;
mod pass;
mod plan;
mod source;
mod sources;
mod texts;

pub use advised::Advised;
pub use cache::Cache;
pub use given::{OauthUse, Place};
pub use sources::Code;

use look::Looked;
use plan::{Kept, Plan};
use source::{Item, Source};

/// The manifest's path.
pub const MANIFEST: &str = "manifest.json";
/// Where a bundle's own bill of materials stands.
pub const SBOMS: [&str; 3] = ["sbom.json", "sbom.cdx.json", "sbom.spdx.json"];
/// Largest bill of materials that is read.
const SBOM_BYTES_MAX: u64 = 32 << 20;

/// Facts about one bundle.
pub struct Evidence {
    files: Vec<FileFact>,
    /// By the number of a file: whether it is not the server's own.
    vendored: Vec<bool>,
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
    capabilities: Capabilities,
    natives: Vec<Native>,
    texts: Option<Texts>,
    /// Files with signatures, and the block that is appended.
    signature_files: Vec<(String, Vec<u8>)>,
    appended: Option<Appended>,
    suppressions: Suppressions,
    policy: Option<Policy>,
    trust_roots: Option<Arc<TrustRoots>>,
    /// Filled when a control asks.
    sigstore: OnceLock<Vec<Seen>>,
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
    /// The system gives no thread.
    #[error("no thread could be started")]
    Thread {
        /// Why.
        source: std::io::Error,
    },
}

/// How evidence is gathered; what comes out does not depend on it.
#[derive(Clone, Copy, Default)]
pub struct Gathering<'a> {
    /// Threads; by default as many as there are processors, up to a few.
    pub threads: Option<usize>,
    /// What earlier scans know of files; it is for the caller to save it.
    pub cache: Option<&'a Cache>,
}

impl Evidence {
    /// From an opened archive (its container is sound; the manifest may be missing or bad).
    ///
    /// # Errors
    /// [`GatherError`].
    pub fn from_archive(archive: &Archive, limits: &Limits) -> Result<Self, GatherError> {
        Self::from_archive_with(archive, limits, Gathering::default())
    }

    /// As [`Evidence::from_archive`], in a given way.
    ///
    /// # Errors
    /// [`GatherError`].
    pub fn from_archive_with(archive: &Archive, limits: &Limits, how: Gathering<'_>) -> Result<Self, GatherError> {
        let appended = archive.signed()?;
        Ok(Self { appended, ..Self::gather(archive, limits, how)? })
    }

    /// From any folder, with the ignore rules of `pack`; where it holds no manifest AI-01 says so.
    ///
    /// # Errors
    /// [`GatherError`].
    pub fn from_folder(folder: &Path, limits: &Limits) -> Result<Self, GatherError> {
        Self::from_folder_with(folder, limits, Gathering::default())
    }

    /// From the files of a folder.
    ///
    /// # Errors
    /// [`GatherError`].
    pub fn from_collected(collected: &Collected, limits: &Limits) -> Result<Self, GatherError> {
        Self::gather(collected, limits, Gathering::default())
    }

    /// As [`Evidence::from_collected`], in a given way.
    ///
    /// # Errors
    /// [`GatherError`].
    pub fn from_collected_with(
        collected: &Collected,
        limits: &Limits,
        how: Gathering<'_>,
    ) -> Result<Self, GatherError> {
        Self::gather(collected, limits, how)
    }

    /// As [`Evidence::from_folder`], in a given way.
    ///
    /// # Errors
    /// [`GatherError`].
    pub fn from_folder_with(folder: &Path, limits: &Limits, how: Gathering<'_>) -> Result<Self, GatherError> {
        Self::gather(&collect_any(folder, limits, &[])?, limits, how)
    }

    fn gather(source: &dyn Source, limits: &Limits, how: Gathering<'_>) -> Result<Self, GatherError> {
        // 1. The manifest: it says what the other files are for.
        let items = source.items();
        let (given, mut manifest) = manifest_facts(source, &items, limits)?;
        let mut plan = Plan::new(&items, given, document_of(&manifest), how.cache);
        plan.keep(source, read_of(&manifest), document_of(&manifest), limits);
        // 2. Every file once, to its end: an archive whose data is unsound gives no evidence. Those that tell why
        //    others are there come first.
        let threads = pass::threads(how.threads, items.iter().map(|item| item.bytes).sum());
        let first = plan.first();
        let mut looked = run(&plan, source, &first, threads)?;
        let all: HashSet<&str> = items.iter().map(|item| item.path.as_str()).collect();
        let reasons = Arc::new(reasons(&items, &mut looked, &all, document_of(&manifest)));
        plan.sources.settle(&items, Arc::clone(&reasons));
        plan.search_for(reasons.mentions(&all), |path| reasons.is_own(path));
        let rest: Vec<usize> = (0..items.len()).filter(|number| first.binary_search(number).is_err()).collect();
        looked.extend(run(&plan, source, &rest, threads)?);
        looked.sort_unstable_by_key(|(number, _)| *number);
        // 3. What was found, put together in the order of the bundle.
        let gathered = Joined::of(looked);
        let heads = gathered.heads.iter().map(|(number, head)| (items[*number].path.as_str(), head.as_slice()));
        compare(&mut manifest, &Kept { source, heads: heads.collect() }, limits);
        let texts = texts::gather(&items, document_of(&manifest), |number| gathered.head(number));
        let signature_files = plan
            .signature_files()
            .filter_map(|number| Some((items[number].path.clone(), gathered.head(number)?.to_vec())));
        let signature_files = signature_files.collect();
        let mentioned = gathered.mentions.iter().map(|number| plan.mention(*number)).collect();
        let mut completeness = completeness::look(&reasons, &gathered.files, &mentioned);
        plan.sources.changed(&completeness.changed);
        // 4. What the code does.
        let mut secrets = gathered.secrets;
        let (code, oauth, capabilities, texts) = pass::on_large_stack(|| {
            let mut suspects = gathered.suspects;
            suspects.extend(joined::judge(
                source,
                (&items, &gathered.files),
                &plan.sources,
                &gathered.said_by_code,
                how.cache,
            )?);
            let code = plan.sources.link(gathered.code, suspects, how.cache)?;
            secrets::add_computed(&code.program, &mut secrets);
            let own = |path: &str| plan.sources.is_own(path);
            let oauth = oauth::used(&code, &own);
            let capabilities = capable::gather(&code, document_of(&manifest), &gathered.files, &gathered.natives, &own);
            let unreached: HashSet<&str> = capabilities.unreached.iter().map(String::as_str).collect();
            let beside: HashSet<usize> = texts::beside(&items, own).into_iter().collect();
            let beside = gathered.heads.iter().filter(|(number, _)| beside.contains(number));
            let beside = beside.map(|(number, head)| (items[*number].path.as_str(), head.as_slice()));
            let texts = texts::with_code(texts, &code, &|path| (own(path), unreached.contains(path)), beside);
            Ok::<_, GatherError>((code, oauth, capabilities, texts))
        })??;
        completeness.add_unreached(&capabilities.unreached, &reasons);
        let vendored = gathered.files.iter().enumerate();
        let vendored = vendored.map(|(number, file)| !plan.sources.is_own_at(number, &file.path)).collect();
        Ok(Self {
            vendored,
            manifest,
            dependencies: dependencies::merge(gathered.said),
            sboms: gathered.sboms,
            secrets,
            advised: Advised::new(vex::in_bundle(gathered.statements.into_iter())),
            code,
            completeness,
            outside: Outside::default(),
            artifact: None,
            oauth,
            capabilities,
            natives: gathered.natives,
            texts,
            signature_files,
            appended: None,
            files: gathered.files,
            suppressions: Suppressions::default(),
            policy: None,
            trust_roots: None,
            sigstore: OnceLock::new(),
        })
    }

    /// Nothing at all.
    #[cfg(test)]
    pub(crate) fn empty() -> Self {
        Self {
            files: Vec::new(),
            vendored: Vec::new(),
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
            capabilities: Capabilities::default(),
            natives: Vec::new(),
            texts: None,
            signature_files: Vec::new(),
            appended: None,
            suppressions: Suppressions::default(),
            policy: None,
            trust_roots: None,
            sigstore: OnceLock::new(),
        }
    }

    /// Looks the components up in a snapshot of advisories, and their files among the published ones.
    ///
    /// # Errors
    /// [`SnapshotError`] of a damaged snapshot.
    pub fn with_advisories(mut self, snapshot: &Snapshot) -> Result<Self, SnapshotError> {
        self.advised.look_up(snapshot, &self.dependencies, &self.sboms)?;
        self.advised.compare(snapshot, &self.dependencies, &self.files, &self.vendored)?;
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

    /// What native code of the server's own says of itself: imports, texts.
    pub fn natives(&self) -> &[Native] {
        &self.natives
    }

    /// Credentials.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Which files are there for a reason.
    pub fn completeness(&self) -> &Completeness {
        &self.completeness
    }

    /// The texts that a model reads; `None` where neither a manifest nor code gives any.
    pub fn texts(&self) -> Option<&Texts> {
        self.texts.as_ref()
    }

    /// A CycloneDX 1.6 document of the components found, for bundles without their own.
    pub fn generated_sbom(&self) -> Value {
        let field = |name: &str| self.document().and_then(|d| d.get(name)).and_then(Value::as_str).unwrap_or_default();
        sbom::cyclonedx(field("name"), field("version"), &self.dependencies.components)
    }

    /// The same as SPDX 2.3, which demands a time: RFC 3339 in UTC to the second.
    pub fn generated_spdx(&self, created: &str) -> Value {
        let field = |name: &str| self.document().and_then(|d| d.get(name)).and_then(Value::as_str).unwrap_or_default();
        sbom::spdx(field("name"), field("version"), &self.dependencies.components, created)
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

fn read_of(manifest: &ManifestFacts) -> Option<&ManifestRead> {
    match manifest {
        ManifestFacts::Read { read, .. } => Some(read),
        ManifestFacts::Missing | ManifestFacts::TooLarge { .. } => None,
    }
}

/// A file with its number.
type Given = Option<(usize, Vec<u8>)>;

/// What the manifest says, and its bytes, so that they are not read again.
fn manifest_facts(source: &dyn Source, items: &[Item], limits: &Limits) -> Result<(Given, ManifestFacts), GatherError> {
    let Some((number, item)) = items.iter().enumerate().find(|(_, item)| item.path == MANIFEST) else {
        return Ok((None, ManifestFacts::Missing));
    };
    if item.bytes > limits.manifest_bytes_max {
        return Ok((None, ManifestFacts::TooLarge { bytes: item.bytes, limit: limits.manifest_bytes_max }));
    }
    let mut text = Vec::new();
    source.copy(number, &mut text)?;
    let read = manifest::read(&text, Reading::Tolerant, limits);
    let document = match &read.manifest {
        Some(manifest) => Some(manifest.raw.clone()),
        None => serde_json::from_slice(text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text)).ok(),
    };
    Ok((Some((number, text)), ManifestFacts::Read { read: Box::new(read), document }))
}

/// Adds the problems of the manifest with the contents.
fn compare(manifest: &mut ManifestFacts, contents: &Kept<'_>, limits: &Limits) {
    if let ManifestFacts::Read { read, .. } = manifest
        && let Some(manifest) = &read.manifest
    {
        let problems = manifest::check_contents(manifest, contents, Reading::Tolerant, limits);
        read.problems.extend(problems);
    }
}

fn run(
    plan: &Plan<'_>,
    source: &dyn Source,
    numbers: &[usize],
    threads: usize,
) -> Result<Vec<(usize, Looked)>, GatherError> {
    let order = pass::largest_first(plan.items, numbers.iter().copied());
    pass::every(&order, threads, &|number, buffer: &mut Vec<u8>| plan.look(source, number, buffer))
}

/// Why files are there, from the files that tell it.
fn reasons(items: &[Item], looked: &mut [(usize, Looked)], all: &HashSet<&str>, document: Option<&Value>) -> Reasons {
    let packages = looked.iter_mut().filter_map(|(number, one)| {
        let folder = completeness::folder_of_package(&items[*number].path)?;
        Some((folder.to_owned(), *one.package.take()?))
    });
    let packages = packages.collect();
    let records = looked.iter().filter(|(number, _)| completeness::is_record(&items[*number].path));
    let records = records.filter_map(|(number, one)| Some((items[*number].path.as_str(), one.head.as_deref()?)));
    Reasons::new(all, records, packages, document)
}

/// Facts of all files.
#[derive(Default)]
struct Joined {
    files: Vec<FileFact>,
    secrets: Secrets,
    code: Vec<sources::Read>,
    suspects: Vec<crate::malware::Suspect>,
    said: Vec<Said>,
    said_by_code: BTreeMap<usize, crate::malware::Spoken>,
    natives: Vec<Native>,
    sboms: Vec<SbomFile>,
    statements: Vec<Vec<Statement>>,
    mentions: BTreeSet<u32>,
    heads: BTreeMap<usize, Vec<u8>>,
}

impl Joined {
    fn of(looked: Vec<(usize, Looked)>) -> Self {
        let mut all = Self { files: Vec::with_capacity(looked.len()), ..Self::default() };
        for (number, one) in looked {
            all.files.push(one.fact);
            all.secrets.add(one.secrets);
            all.code.extend(one.code.map(|code| *code));
            let words = one.suspect.as_ref().map_or_else(Default::default, |suspect| suspect.said());
            if words != crate::malware::Spoken::default() {
                all.said_by_code.insert(number, words);
            }
            all.suspects.extend(one.suspect.map(|suspect| *suspect));
            all.said.extend(one.said.map(|said| *said));
            all.natives.extend(one.native.map(|native| *native));
            all.sboms.extend(one.sbom.map(|sbom| *sbom));
            all.statements.extend(Some(one.statements).filter(|statements| !statements.is_empty()));
            all.mentions.extend(one.mentions);
            all.heads.extend(one.head.map(|head| (number, head)));
        }
        let rank = |file: &SbomFile| SBOMS.iter().position(|path| *path == file.path);
        all.sboms.sort_by_key(rank);
        all
    }

    fn head(&self, number: usize) -> Option<&[u8]> {
        self.heads.get(&number).map(Vec::as_slice)
    }
}

/// Makes the tables that scans look things up in. It is for a thread of its own while something else is waited for;
/// without it they are made when they are first needed.
pub fn prepare() {
    secrets::prepare();
    capabilities::prepare();
    crate::texts::prepare();
}

/// Judges the texts of tools by CD-03 alone; the other controls are `not_run`.
pub fn scan_texts(texts: &Texts) -> Report {
    report::assemble_texts(CONTROLS, texts)
}

/// Judges everything.
pub fn scan(evidence: &Evidence) -> Report {
    report::assemble(CONTROLS, evidence)
}

/// Judges everything, and shows the code around what was found. The contents are those of the evidence.
pub fn scan_with_frames(evidence: &Evidence, contents: &dyn Contents) -> Report {
    let mut report = scan(evidence);
    report::frame::add(&mut report, contents, evidence.secrets());
    report
}

#[cfg(test)]
mod tests;
