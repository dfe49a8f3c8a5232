//! What a report is about, for the forms that name it. The native report does not: it is the same for equal
//! content, whatever the file is called.

use mpak_bundle::digest::Sha256;
use mpak_bundle::version::Version;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Report, Severity};
use crate::control::{Control, Status};
use crate::controls::CONTROLS;
use crate::evidence::Evidence;

/// Longest name or version that is taken over from a manifest.
const FIELD_CHARS_MAX: usize = 214;

/// The thing that was scanned.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct About {
    /// Name of the package, as its manifest says.
    pub name: String,
    /// Version, as its manifest says.
    pub version: String,
    /// Digest of the bundle's file; of a folder, of what packing gives.
    pub sha256: Sha256,
    /// How many components were found in it.
    pub components_count: usize,
}

/// When a scan was made; the caller's clock, since this crate has none.
#[derive(Clone, Debug)]
pub struct Made {
    /// RFC 3339.
    pub at: String,
    /// How long it took.
    pub took_ms: u64,
}

impl About {
    /// From the evidence and the digest of the file.
    pub fn new(evidence: &Evidence, sha256: Sha256) -> Self {
        let field = |name: &str| {
            let text = evidence.document().and_then(|d| d.get(name)).and_then(Value::as_str).unwrap_or_default();
            text.chars().take(FIELD_CHARS_MAX).collect::<String>()
        };
        let components_count = evidence.dependencies().components.len();
        Self { name: field("name"), version: field("version"), sha256, components_count }
    }

    /// The version where it is one, else `0.0.0`: forms demand three numbers.
    pub(super) fn semantic_version(&self) -> &str {
        if Version::parse(&self.version).is_ok() { &self.version } else { "0.0.0" }
    }
}

/// The level's name where level 0 has one too.
pub(super) fn level_name(level: u8) -> &'static str {
    crate::level::name(level).unwrap_or("None")
}

/// The worst finding in one word; remarks do not count.
pub(super) fn risk(report: &Report) -> &'static str {
    let counted = report.findings().filter(|(_, f)| f.suppressed.is_none()).map(|(_, f)| f.severity);
    match counted.max() {
        Some(Severity::Critical) => "CRITICAL",
        Some(Severity::High) => "HIGH",
        Some(Severity::Medium) => "MEDIUM",
        Some(Severity::Low) => "LOW",
        Some(Severity::Info) | None => "NONE",
    }
}

/// The word of the forms that know four of them.
pub(super) fn four_words(status: Status) -> &'static str {
    match status {
        Status::Pass | Status::Warn => "pass",
        Status::Fail => "fail",
        Status::NotApplicable | Status::NotRun => "skip",
        Status::Error => "error",
    }
}

/// The control of a result.
pub(super) fn control(id: &str) -> Option<&'static Control> {
    CONTROLS.iter().find(|control| control.id == id)
}
