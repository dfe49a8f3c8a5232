//! From a path to a report: what is given beside the bundle is read first, so that a mistake in it is told
//! before anything takes time.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use mpak_scan::evidence::{Cache, Evidence, scan_with_frames};
use mpak_scan::outside::{EVIDENCE_BYTES_MAX, Outside};
use mpak_scan::policy::{POLICY_BYTES_MAX, Policy};
use mpak_scan::report::Report;
use mpak_scan::sigstore::{TrustError, TrustRoots};
use mpak_scan::suppressions::{FromFile, SUPPRESSIONS_BYTES_MAX, Suppressions};

use super::subject::Subject;
use crate::advisories;
use crate::error::{CommandError, Kind};
use crate::home::Home;
use crate::settings::Settings;

/// What is given beside the bundle.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// Whether files that say nothing are remembered for the next scan.
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
    /// What it was judged from.
    pub evidence: Evidence,
    /// What was judged.
    pub subject: Subject,
    /// The policy's level.
    policy_level: Option<u8>,
    /// How long it took.
    pub took_ms: u64,
}

impl Judged {
    /// The level that counts without `--level`.
    pub fn level(&self) -> u8 {
        self.policy_level.unwrap_or(1)
    }
}

/// Judges what stands at a path.
///
/// # Errors
/// Not readable, no bundle, or something given that cannot be used.
pub fn judge(path: &Path, request: &Request<'_>, settings: &Settings) -> Result<Judged, CommandError> {
    // 1. What is given beside it.
    let snapshot = advisories::for_scan(request.advisories, settings)?;
    let mut outside = request.evidence.map(outside).transpose()?;
    let file = request.suppressions.map(suppressions).transpose()?.unwrap_or_default();
    let policy = request.policy.map(policy).transpose()?;
    let roots = request.trust_root.map(trust_roots).transpose()?;
    if let Some(vex) = file.vex {
        outside.get_or_insert_default().vex.push(vex);
    }
    // 2. The bundle.
    let started = Instant::now();
    let subject = Subject::open(path)?;
    let cache = if request.remember { cache(settings) } else { None };
    let gathered = subject.evidence(path, outside, cache.as_ref())?;
    // What cannot be remembered is looked at again next time.
    let _saved = cache.map(|cache| cache.save());
    let mut evidence = gathered.with_suppressions(file.suppressions.on(Some(today(settings))));
    if let Some(snapshot) = &snapshot {
        let named = request.advisories.map_or_else(|| Home::new(settings).advisories(), Path::to_owned);
        evidence = evidence.with_advisories(snapshot).map_err(|error| advisories::unsound(&named, &error))?;
    }
    if let Some(roots) = roots {
        evidence = evidence.with_trust_roots(Arc::new(roots));
    }
    // 3. Judged.
    let policy_level = policy.as_ref().and_then(Policy::level);
    if let Some(policy) = policy {
        evidence = evidence.with_policy(policy);
    }
    let report = scan_with_frames(&evidence, subject.contents());
    let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(Judged { report, evidence, subject, policy_level, took_ms })
}

/// What earlier scans know of files; none where there can be no home.
fn cache(settings: &Settings) -> Option<Cache> {
    let home = Home::new(settings);
    let path = home.scan_cache();
    home.create(path.parent()?).ok()?;
    Some(Cache::open(&path))
}

/// The day by which suppressions end: that of `SOURCE_DATE_EPOCH`, else today.
fn today(settings: &Settings) -> String {
    let now = settings.source_date_epoch.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    let day = now.unwrap_or_else(jiff::Timestamp::now).to_zoned(jiff::tz::TimeZone::UTC).date();
    day.to_string()
}

/// What is known from outside.
fn outside(path: &Path) -> Result<Outside, CommandError> {
    let bytes = read(path, "evidence", EVIDENCE_BYTES_MAX)?;
    Outside::read(&bytes).map_err(|error| {
        CommandError::from_error(Kind::Usage, &error).hint("`mpak explain evidence` prints the schema")
    })
}

fn trust_roots(path: &Path) -> Result<TrustRoots, CommandError> {
    TrustRoots::open(path).map_err(|error| {
        let gone = matches!(&error, TrustError::Io(error) if error.kind() == ErrorKind::NotFound);
        let kind = if gone { Kind::NotFound } else { Kind::Usage };
        CommandError::from_error(kind, &error).context(&format!("cannot use the trusted root `{}`", path.display()))
    })
}

fn suppressions(path: &Path) -> Result<FromFile, CommandError> {
    let bytes = read(path, "suppressions", SUPPRESSIONS_BYTES_MAX)?;
    Suppressions::read(&bytes).map_err(|error| {
        CommandError::from_error(Kind::Usage, &error).hint("`mpak explain suppressions` prints the schema")
    })
}

fn policy(path: &Path) -> Result<Policy, CommandError> {
    let bytes = read(path, "policy", POLICY_BYTES_MAX)?;
    Policy::read(&bytes)
        .map_err(|error| CommandError::from_error(Kind::Usage, &error).hint("`mpak explain policy` prints the schema"))
}

/// A file up to one byte more than is allowed, so that a longer one is noticed.
fn read(path: &Path, what: &str, bytes_max: usize) -> Result<Vec<u8>, CommandError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(bytes_max as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| {
        let kind = if error.kind() == ErrorKind::NotFound { Kind::NotFound } else { Kind::Usage };
        CommandError::from_error(kind, &error).context(&format!("cannot read the {what} `{}`", path.display()))
    })?;
    Ok(bytes)
}
