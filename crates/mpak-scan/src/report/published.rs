//! How findings in vendored files count that are known to be as they were published: as a dependency's, which warns.
//!
//! Only what is known from outside the bundle counts here (decision 15: a record inside proves nothing). What is certain
//! to be malware blocks nevertheless: such packages have been published, too.

use super::{Finding, Severity};
use crate::control::{Control, Verdict};
use crate::evidence::Advised;
use crate::suppressions::again;

/// Controls that tell the server's own files from its dependencies'. Source: `mtf/README.md` 12, decision 15.
const CONTROLS: [&str; 7] = ["CQ-01", "CQ-02", "CQ-03", "CQ-04", "CQ-05", "CD-02", "CD-03"];

/// The verdict with milder findings in unchanged files.
pub(super) fn judge(control: &Control, advised: &Advised, mut verdict: Verdict) -> Verdict {
    if !CONTROLS.contains(&control.id) {
        return verdict;
    }
    let (mut lowered, mut unblocked) = (false, false);
    for finding in &mut verdict.findings {
        let Some(package) = finding.file.as_deref().and_then(|path| advised.published_in(path)) else { continue };
        let milder = milder(control, finding.severity);
        unblocked |= finding.severity >= Severity::High && milder < Severity::High;
        lowered |= milder < finding.severity;
        *finding = Finding {
            severity: milder,
            title: format!("as published in {package}: {}", finding.title),
            ..finding.clone()
        };
    }
    if lowered { again(control, verdict, unblocked) } else { verdict }
}

fn milder(control: &Control, severity: Severity) -> Severity {
    match (control.id, severity) {
        ("CQ-02", Severity::Critical) => Severity::High,
        (_, severity) => severity.min(Severity::Medium),
    }
}
