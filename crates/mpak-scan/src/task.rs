//! A scan that another process does: what it is told, and what it answers.
//!
//! The scanner reads hostile input. A registry lets a child process do it, with bounds on its time and
//! memory, and this is the form in which both speak. In: a [`Task`] and the opened bundle. Out: an
//! [`Answer`]. Nothing here starts a process.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use mpak_bundle::archive::{Archive, ArchiveError};
use mpak_bundle::limits::Limits;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::advisories::{Snapshot, SnapshotError};
use crate::evidence::{self, Cache, Evidence, GatherError, Gathering};
use crate::outside::{OtherArtifact, Outside, OutsideError};
use crate::report::Report;
use crate::sigstore::{TrustError, TrustRoots};

/// What is to be judged, beside the bundle itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    /// Limits on bundles.
    pub limits: Limits,
    /// The snapshot of advisories.
    pub advisories: Option<PathBuf>,
    /// What is known from outside, as in `mpak scan --evidence`.
    pub evidence: Option<Value>,
    /// Where is remembered which files said nothing.
    #[serde(default)]
    pub cache: Option<PathBuf>,
    /// Roots of Sigstore to trust instead of the pinned ones.
    #[serde(default)]
    pub trust_root: Option<PathBuf>,
}

/// What came out.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It was judged.
    Report(Box<Report>),
    /// It could not be judged.
    Refused {
        /// Why, with causes.
        message: String,
    },
}

/// Why nothing was judged.
#[derive(Debug, Error)]
pub enum TaskError {
    /// The archive is unsound.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Nothing could be gathered.
    #[error(transparent)]
    Gather(#[from] GatherError),
    /// The snapshot is damaged.
    #[error(transparent)]
    Advisories(#[from] SnapshotError),
    /// The roots of Sigstore cannot be used.
    #[error("the trusted root `{}` cannot be used", path.display())]
    Trust {
        /// Where they stand.
        path: PathBuf,
        /// Why.
        source: TrustError,
    },
    /// The evidence cannot be read.
    #[error(transparent)]
    Outside(#[from] OutsideError),
    /// The evidence is about something else.
    #[error(transparent)]
    Other(#[from] OtherArtifact),
}

impl Task {
    /// Judges the bundle.
    ///
    /// # Errors
    /// [`TaskError`].
    pub fn judge(&self, bundle: File) -> Result<Report, TaskError> {
        // 1. The bundle.
        let archive = Archive::open(bundle, &self.limits)?;
        let cache = self.cache.as_deref().map(Cache::open);
        let how = Gathering { cache: cache.as_ref(), ..Gathering::default() };
        let mut evidence = Evidence::from_archive_with(&archive, &self.limits, how)?;
        // What cannot be remembered is looked at again next time.
        let _saved = cache.map(|cache| cache.save());
        // 2. What is published about its components.
        if let Some(path) = &self.advisories {
            let snapshot = File::open(path).map_err(SnapshotError::from).and_then(Snapshot::open)?;
            evidence = evidence.with_advisories(&snapshot)?;
        }
        if let Some(path) = &self.trust_root {
            let roots = TrustRoots::open(path).map_err(|source| TaskError::Trust { path: path.clone(), source })?;
            evidence = evidence.with_trust_roots(Arc::new(roots));
        }
        // 3. What is known from outside, which must be about these bytes.
        if let Some(outside) = &self.evidence {
            let outside = Outside::read(outside.to_string().as_bytes())?;
            evidence = evidence.with_artifact(archive.sha256()?)?.with_outside(outside)?;
        }
        Ok(evidence::scan_with_frames(&evidence, &archive))
    }

    /// The answer of a child.
    pub fn answer(&self, bundle: File) -> Answer {
        match self.judge(bundle) {
            Ok(report) => Answer::Report(Box::new(report)),
            Err(error) => Answer::Refused { message: with_causes(&error) },
        }
    }
}

/// An error with everything that led to it, in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}
