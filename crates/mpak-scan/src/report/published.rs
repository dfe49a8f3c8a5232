//! How findings in vendored files count that are known to be as they were published: as a dependency's, which warns.
//!
//! Only what is known from outside the bundle counts here (decision 15: a record inside proves nothing). What is certain
//! to be malware blocks nevertheless: such packages have been published, too.

use super::{Finding, Severity};
use crate::control::{Control, Verdict};
use crate::evidence::Advised;
use crate::malware;
use crate::suppressions::again;

/// Controls that tell the server's own files from its dependencies'. Source: `mtf/README.md` 12, decision 15.
const CONTROLS: [&str; 7] = ["CQ-01", "CQ-02", "CQ-03", "CQ-04", "CQ-05", "CD-02", "CD-03"];

/// Most places that are told of a way of what a model chooses; where there are as many, some are left out.
const PLACES_COUNT_MAX: usize = 64;

/// The verdict with milder findings in unchanged files.
pub(super) fn judge(control: &Control, advised: &Advised, mut verdict: Verdict) -> Verdict {
    if !CONTROLS.contains(&control.id) {
        return verdict;
    }
    let (mut lowered_count, mut unblocked) = (0, false);
    for finding in &mut verdict.findings {
        let milder = milder(control, finding.severity);
        if milder == finding.severity || !is_all_published(control, advised, finding) {
            continue;
        }
        let Some(package) = finding.file.as_deref().and_then(|path| advised.published_in(path)) else { continue };
        unblocked |= finding.severity >= Severity::High && milder < Severity::High;
        lowered_count += 1;
        finding.title = format!("as published in {package}: {}", finding.title);
        finding.severity = milder;
    }
    verdict.reason = match lowered_count {
        0 => return verdict,
        1 => format!("{}; 1 finding is in a file as it was published", verdict.reason),
        count => format!("{}; {count} findings are in files as they were published", verdict.reason),
    };
    again(control, verdict, unblocked)
}

/// Whether the whole way of the data is through files as they were published: what the server's own code hands to a
/// dependency is the server's doing.
fn is_all_published(control: &Control, advised: &Advised, finding: &Finding) -> bool {
    let whole = match control.id {
        "CQ-02" => finding.path.is_empty() || malware::begins_at_source(&finding.path),
        _ => finding.path.len() < PLACES_COUNT_MAX,
    };
    whole && finding.path.iter().all(|step| advised.published_in(&step.file).is_some())
}

fn milder(control: &Control, severity: Severity) -> Severity {
    match (control.id, severity) {
        ("CQ-02", Severity::Critical) => Severity::High,
        (_, severity) => severity.min(Severity::Medium),
    }
}
