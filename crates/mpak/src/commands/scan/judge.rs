//! From a path to a report: a report of the very same bundle and everything beside it is as good as judging again.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Instant, SystemTime};

use mpak_bundle::digest::Sha256;
use mpak_scan::evidence::{self, Cache, Evidence, scan_with_frames};
use mpak_scan::policy::Policy;
use mpak_scan::report::kept::{Kept, Reports};
use mpak_scan::report::{About, Report};

use super::given::Given;
use super::subject::Subject;
use crate::advisories;
use crate::bundle_file::open_file;
use crate::error::CommandError;
use crate::home::Home;
use crate::settings::Settings;

/// What is given beside the bundle.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// Whether files that say nothing, and reports, are remembered for the next scan.
    pub remember: bool,
    /// What a registry knows.
    pub evidence: Option<&'a Path>,
    /// Roots of Sigstore that are trusted instead of the pinned ones.
    pub trust_root: Option<&'a Path>,
    /// Advisories.
    pub advisories: Option<&'a Path>,
    /// What whoever scans answers for.
    pub suppressions: Option<&'a Path>,
    /// What is demanded.
    pub policy: Option<&'a Path>,
}

/// A judged bundle or folder.
pub struct Judged {
    /// The report.
    pub report: Report,
    basis: Basis,
    /// The policy's level.
    policy_level: Option<u8>,
    /// How long it took.
    pub took_ms: u64,
}

/// What a report comes from.
enum Basis {
    /// It was judged now.
    Evidence(Box<Evidence>, Subject),
    /// It was judged before.
    Kept(About),
}

impl Judged {
    /// The level that counts without `--level`.
    pub fn level(&self) -> u8 {
        self.policy_level.unwrap_or(1)
    }

    /// What the report is about.
    ///
    /// # Errors
    /// The digest cannot be computed.
    pub fn about(&self, path: &Path, settings: &Settings) -> Result<About, CommandError> {
        match &self.basis {
            Basis::Evidence(evidence, subject) => {
                Ok(About::new(evidence, subject.sha256(path, settings.source_date_epoch)?))
            }
            Basis::Kept(about) => Ok(about.clone()),
        }
    }

    /// What it was judged from; gathered again where only the report is known.
    ///
    /// # Errors
    /// It can no longer be read.
    pub fn with_evidence<T>(
        &self,
        path: &Path,
        settings: &Settings,
        work: impl FnOnce(&Evidence) -> T,
    ) -> Result<T, CommandError> {
        match &self.basis {
            Basis::Evidence(evidence, _) => Ok(work(evidence)),
            Basis::Kept(_) => Ok(work(&Subject::open(path)?.evidence(path, None, cache(settings).as_ref())?)),
        }
    }
}

/// Judges what stands at a path.
///
/// # Errors
/// Not readable, no bundle, or something given that cannot be used.
pub fn judge(path: &Path, request: &Request<'_>, settings: &Settings) -> Result<Judged, CommandError> {
    // 1. What is given beside it.
    let given = Given::read(request, settings)?;
    let policy_level = given.policy.as_ref().and_then(Policy::level);
    let started = Instant::now();
    let took_ms = || u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    // 2. The same was judged before.
    let reports = reports(request, settings);
    if let Some(Kept { report, about }) = reports.as_ref().and_then(|reports| known(reports, path, &given)) {
        return Ok(Judged { report, basis: Basis::Kept(about), policy_level, took_ms: took_ms() });
    }
    // 3. The bundle, and its digest beside it. Tables are made meanwhile; without the thread they are made later.
    let _preparing = thread::Builder::new().name("tables".to_owned()).spawn(evidence::prepare);
    let before = state(path);
    let subject = Subject::open(path)?;
    let cache = if request.remember { cache(settings) } else { None };
    let hash = || reports.as_ref().and_then(|_| subject.file_digest());
    let (outside, snapshot) = (given.outside.clone(), given.snapshot.as_ref());
    let (gathered, digest) = thread::scope(|scope| {
        let hashing = thread::Builder::new().name("digest".to_owned()).spawn_scoped(scope, hash).ok();
        (subject.evidence(path, outside, cache.as_ref()), hashing.and_then(|hashing| hashing.join().ok().flatten()))
    });
    let gathered = gathered?;
    // What cannot be remembered is looked at again next time.
    let _saved = cache.map(|cache| cache.save());
    let mut evidence = gathered.with_suppressions(given.suppressions.clone());
    if let Some(snapshot) = snapshot {
        let named = request.advisories.map_or_else(|| Home::new(settings).advisories(), Path::to_owned);
        evidence = evidence.with_advisories(snapshot).map_err(|error| advisories::unsound(&named, &error))?;
    }
    if let Some(roots) = &given.roots {
        evidence = evidence.with_trust_roots(Arc::clone(roots));
    }
    // 4. Judged.
    if let Some(policy) = &given.policy {
        evidence = evidence.with_policy(policy.clone());
    }
    let report = scan_with_frames(&evidence, subject.contents());
    // 5. Kept, if it is about these bytes from the beginning to the end.
    if let (Some(reports), Some((bytes, digest)), true) = (&reports, digest, before.is_some() && before == state(path))
    {
        let kept = Kept { report: report.clone(), about: About::new(&evidence, digest) };
        let _kept = reports.keep(&given.question(bytes, &digest), &kept);
    }
    Ok(Judged { report, basis: Basis::Evidence(Box::new(evidence), subject), policy_level, took_ms: took_ms() })
}

/// The report that the same bundle had before, with the same things beside it.
fn known(reports: &Reports, path: &Path, given: &Given) -> Option<Kept> {
    let mut file = open_file(path).ok()?;
    let bytes = file.metadata().ok()?.len();
    if !reports.may_know(bytes) {
        return None;
    }
    let (digest, read_bytes) = Sha256::of_reader(&mut file).ok()?;
    reports.find(&given.question(read_bytes, &digest))
}

/// Where reports are kept; nowhere where there can be no home. Roots of Sigstore that are not ours are asked every time.
fn reports(request: &Request<'_>, settings: &Settings) -> Option<Reports> {
    let folder = Home::new(settings).scan_reports();
    (request.remember && request.trust_root.is_none()).then_some(())?;
    Home::new(settings).create(&folder).ok()?;
    Some(Reports::new(&folder))
}

/// What earlier scans know of files; none where there can be no home.
fn cache(settings: &Settings) -> Option<Cache> {
    let home = Home::new(settings);
    let path = home.scan_cache();
    home.create(path.parent()?).ok()?;
    Some(Cache::open(&path))
}

/// What changes with a file; `None` where it cannot be told.
#[derive(PartialEq, Eq)]
struct State {
    bytes: u64,
    modified: Option<SystemTime>,
    #[cfg(unix)]
    changed: (u64, i64, i64),
}

fn state(path: &Path) -> Option<State> {
    let metadata = std::fs::metadata(path).ok()?;
    #[cfg(unix)]
    let changed = {
        use std::os::unix::fs::MetadataExt as _;
        (metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
    };
    Some(State {
        bytes: metadata.len(),
        modified: metadata.modified().ok(),
        #[cfg(unix)]
        changed,
    })
}
