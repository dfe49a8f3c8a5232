//! What is given beside a bundle, read before anything takes time, so that a mistake in it is told at once.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;
use std::sync::Arc;

use mpak_bundle::digest::Sha256;
use mpak_scan::advisories::Snapshot;
use mpak_scan::outside::{EVIDENCE_BYTES_MAX, Outside};
use mpak_scan::policy::{POLICY_BYTES_MAX, Policy};
use mpak_scan::report::kept::Question;
use mpak_scan::sigstore::{TrustError, TrustRoots};
use mpak_scan::suppressions::{FromFile, SUPPRESSIONS_BYTES_MAX, Suppressions};

use super::judge::Request;
use crate::advisories;
use crate::error::{CommandError, Kind};
use crate::settings::Settings;

/// Everything that decides a report and is not the bundle.
pub(super) struct Given {
    pub(super) snapshot: Option<Snapshot>,
    pub(super) outside: Option<Outside>,
    pub(super) suppressions: Suppressions,
    pub(super) policy: Option<Policy>,
    pub(super) roots: Option<Arc<TrustRoots>>,
    /// The files that were read, by what they are given as, and the day.
    told: Vec<(&'static str, Vec<u8>)>,
}

impl Given {
    /// Reads it.
    ///
    /// # Errors
    /// Something given that cannot be used.
    pub(super) fn read(request: &Request<'_>, settings: &Settings) -> Result<Self, CommandError> {
        let snapshot = advisories::for_scan(request.advisories, settings)?;
        let day = today(settings);
        let mut told = vec![("day", day.clone().into_bytes())];
        let mut take = |path: Option<&Path>, what: &'static str, bytes_max: usize| {
            let Some(path) = path else { return Ok(None) };
            let bytes = read(path, what, bytes_max)?;
            told.push((what, bytes.clone()));
            Ok::<_, CommandError>(Some(bytes))
        };
        let outside = take(request.evidence, "evidence", EVIDENCE_BYTES_MAX)?;
        let mut outside = outside.map(|bytes| parse_outside(&bytes)).transpose()?;
        let file = take(request.suppressions, "suppressions", SUPPRESSIONS_BYTES_MAX)?;
        let FromFile { suppressions, vex } =
            file.map(|bytes| parse_suppressions(&bytes)).transpose()?.unwrap_or_default();
        let policy = take(request.policy, "policy", POLICY_BYTES_MAX)?;
        let policy = policy.map(|bytes| parse_policy(&bytes)).transpose()?;
        let roots = request.trust_root.map(trust_roots).transpose()?.map(Arc::new);
        if let Some(vex) = vex {
            outside.get_or_insert_default().vex.push(vex);
        }
        Ok(Self { snapshot, outside, suppressions: suppressions.on(Some(day)), policy, roots, told })
    }

    /// What a report on a bundle is found by. Roots of Sigstore are not in it.
    pub(super) fn question(&self, bytes: u64, bundle: &Sha256) -> Question {
        let beside: Vec<(&str, &[u8])> = self.told.iter().map(|(what, bytes)| (*what, bytes.as_slice())).collect();
        Question::new(bytes, bundle, self.snapshot.as_ref(), &beside)
    }
}

/// The day by which suppressions end: that of `SOURCE_DATE_EPOCH`, else today.
fn today(settings: &Settings) -> String {
    let now = settings.source_date_epoch.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    let day = now.unwrap_or_else(jiff::Timestamp::now).to_zoned(jiff::tz::TimeZone::UTC).date();
    day.to_string()
}

/// What is known from outside.
fn parse_outside(bytes: &[u8]) -> Result<Outside, CommandError> {
    Outside::read(bytes).map_err(|error| {
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

fn parse_suppressions(bytes: &[u8]) -> Result<FromFile, CommandError> {
    Suppressions::read(bytes).map_err(|error| {
        CommandError::from_error(Kind::Usage, &error).hint("`mpak explain suppressions` prints the schema")
    })
}

fn parse_policy(bytes: &[u8]) -> Result<Policy, CommandError> {
    Policy::read(bytes)
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
