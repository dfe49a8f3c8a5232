//! CQ-03 Static Analysis: what a model chooses must not name files, hosts or options unchecked.
//!
//! Spec: MTF 0.1 §3.4 CQ-03. Shells, evaluators, deserialisers and queries are CQ-05's.

use crate::code::flow::sinks::SinkKind;
use crate::control::{Status, Verdict};
use crate::evidence::Evidence;
use crate::report::{Finding, Severity};

use super::cq05_safe_execution::{findings, verdict};

/// Judges.
pub(super) fn judge(evidence: &Evidence) -> Verdict {
    let code = evidence.code();
    let mut found: Vec<Finding> = code
        .unread
        .iter()
        .map(|(file, reason)| {
            Finding::new("CQ-03/unread", Severity::High, "source code of the server that could not be analysed")
                .at(file.clone(), None)
                .seen(reason)
                .fix("split the file, or ship the readable source of what was generated")
        })
        .collect();
    if code.first_party_count == 0 && found.is_empty() {
        return Verdict::new(
            Status::NotApplicable,
            "the bundle holds no Python, JavaScript or TypeScript of the server's own",
        );
    }
    if !code.whole {
        found.push(Finding::new(
            "CQ-03/unfinished",
            Severity::Medium,
            "not every flow was followed to its end: the code is larger than the analysis allows",
        ));
    }
    found.extend(findings(code, "CQ-03", |flow| {
        matches!(flow.kind, SinkKind::Path | SinkKind::Host | SinkKind::Opener | SinkKind::Extract)
            || flow.kind == SinkKind::Process && flow.is_argument
    }));
    verdict(found, code, "names files, hosts or options unchecked")
}
