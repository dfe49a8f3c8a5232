//! What a control is: data and one pure function.

use serde::{Deserialize, Serialize};

use crate::evidence::Evidence;
use crate::report::Finding;

/// A control of MTF 0.1.
pub struct Control {
    /// `AI-01`.
    pub id: &'static str,
    /// `Manifest Validation`.
    pub name: &'static str,
    /// Lowest level that requires it, 1 to 4.
    pub level: u8,
    /// Domain key of the existing report shape, for example `artifact_integrity`.
    pub domain: &'static str,
    /// The page: what it checks, why, what it cannot see, how to fix (Markdown, from `docs/controls/`).
    pub page: &'static str,
    /// Judges; `None` means not implemented yet, which is reported as `not_run`.
    pub judge: Option<fn(&Evidence) -> Verdict>,
}

/// Status of a control. Source: `mtf/README.md` decision 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing found.
    Pass,
    /// Passes with findings.
    Warn,
    /// A finding blocks.
    Fail,
    /// Nothing to judge: counts as passed.
    NotApplicable,
    /// A needed fact was not available: does not count as passed.
    NotRun,
    /// Our fault: does not count as passed.
    Error,
}

impl Status {
    /// Whether a level may be reached with it.
    pub fn satisfied(self) -> bool {
        matches!(self, Self::Pass | Self::Warn | Self::NotApplicable)
    }

    /// The word of the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::NotApplicable => "not_applicable",
            Self::NotRun => "not_run",
            Self::Error => "error",
        }
    }
}

/// What a control says.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Status at the control's own level.
    pub status: Status,
    /// One sentence.
    pub reason: String,
    /// Evidence.
    pub findings: Vec<Finding>,
    /// A stricter row of the table fails it from this level on; caps the level below it.
    pub fails_from: Option<u8>,
    /// Why not everything could be judged, whatever was found: a control that no finding fails any more, because
    /// somebody answers for them or they are a dependency's, was then not run.
    pub open: Option<String>,
}

impl Verdict {
    /// A verdict without findings.
    pub fn new(status: Status, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into(), findings: Vec::new(), fails_from: None, open: None }
    }

    /// Pass without findings, warn with some.
    pub fn pass_or_warn(reason: impl Into<String>, findings: Vec<Finding>) -> Self {
        let status = if findings.is_empty() { Status::Pass } else { Status::Warn };
        Self { findings, ..Self::new(status, reason) }
    }

    /// Fail with the findings that say why.
    pub fn fail(reason: impl Into<String>, findings: Vec<Finding>) -> Self {
        Self { findings, ..Self::new(Status::Fail, reason) }
    }

    /// The fact that judging needs is missing.
    pub fn not_run(reason: impl Into<String>) -> Self {
        Self::new(Status::NotRun, reason)
    }

    /// States from which level on a stricter row fails the control.
    #[must_use]
    pub fn failing_from(mut self, level: Option<u8>) -> Self {
        self.fails_from = level;
        self
    }

    /// States why not everything could be judged.
    #[must_use]
    pub fn leaving_open(mut self, reason: Option<String>) -> Self {
        self.open = reason;
        self
    }
}
