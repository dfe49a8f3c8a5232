//! The native report: same input, same ruleset, same bytes.

use serde::{Deserialize, Serialize};

use crate::control::Status;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Informs.
    Info,
    /// Small.
    Low,
    /// Notable.
    Medium,
    /// Serious.
    High,
    /// Worst.
    Critical,
}

/// One piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable rule id, for example `AI-01/missing-field` or `CQ-01/github-token`.
    pub rule: String,
    /// How bad.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// Path in the bundle.
    pub file: Option<String>,
    /// From 1.
    pub line: Option<u32>,
    /// What was seen, masked where secret.
    pub evidence: Option<String>,
    /// What to do.
    pub remediation: Option<String>,
}

/// One control's result.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ControlResult {
    /// `AI-01`.
    pub id: String,
    /// Name.
    pub name: String,
    /// Level that requires it.
    pub level: u8,
    /// Status.
    pub status: Status,
    /// One sentence.
    pub reason: String,
    /// Stricter rows.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fails_from: Option<u8>,
    /// Evidence, worst first.
    pub findings: Vec<Finding>,
}

/// A whole report. `mpak scan --json` prints exactly this.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// 0 to 4.
    pub level: u8,
    /// 0 to 100.
    pub score: u8,
    /// Identity of controls and rules (version and digest).
    pub ruleset: String,
    /// Date of the advisory snapshot.
    pub advisories: Option<String>,
    /// How many of the controls have code.
    pub controls_run: usize,
    /// In the order of checking.
    pub controls: Vec<ControlResult>,
}
