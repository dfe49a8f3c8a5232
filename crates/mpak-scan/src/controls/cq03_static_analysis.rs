//! CQ-03 Static Analysis: what a model chooses must not name files, hosts or options unchecked.
//!
//! Spec: MTF 0.1 §3.4 CQ-03. Shells, evaluators, deserialisers and queries are CQ-05's.

use std::collections::BTreeMap;

use crate::code::facts::Unit;
use crate::code::flow::Danger;
use crate::code::flow::sinks::SinkKind;
use crate::code::program::UnitId;
use crate::code::weak;
use crate::control::{Status, Verdict};
use crate::evidence::{Code, Evidence};
use crate::report::{Finding, Severity};

use super::cq05_safe_execution::{findings, unjudged, verdict};

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
    if code.first_party_count == 0
        && found.is_empty()
        && let Some(reason) = unjudged(evidence)
    {
        return Verdict::not_run(reason);
    }
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
    found.extend(weak_ones(code));
    found.extend(silenced_ones(code));
    verdict(found, evidence, "names files, hosts or options unchecked")
}

/// Protection that is switched off, whatever the data is.
fn weak_ones(code: &Code) -> Vec<Finding> {
    let found = weak::find(&code.program, &is_plainly_own);
    let finding = |weak: weak::Weak| {
        let unit = code.program.unit(weak.unit);
        Finding::new(format!("CQ-03/{}", weak.rule), Severity::Medium, weak.what)
            .at(unit.path.clone(), Some(weak.span.line))
            .seen(unit.line(weak.span))
            .fix(weak.fix)
    };
    found.into_iter().map(finding).collect()
}

/// Comments that would silence a finding elsewhere, without saying why; here none does.
fn silenced_ones(code: &Code) -> Vec<Finding> {
    let mut lines: BTreeMap<UnitId, Vec<u32>> = BTreeMap::new();
    for flow in code.flows.iter().filter(|flow| flow.danger > Danger::Constant) {
        lines.entry(flow.unit).or_default().push(flow.span.line);
    }
    let mut found = Vec::new();
    for (unit, lines) in lines {
        let unit = code.program.unit(unit);
        for span in weak::silenced(unit, &lines) {
            found.push(
                Finding::new("CQ-03/silenced", Severity::Medium, "a comment silences a finding without a reason")
                    .at(unit.path.clone(), Some(span.line))
                    .seen(unit.line(span))
                    .fix("say why after a colon, and answer for the finding with an entry of the manifest"),
            );
        }
    }
    found
}

/// Whether a file lies in no folder of packages: what vendored code registers is followed, its habits are not judged.
fn is_plainly_own(unit: &Unit) -> bool {
    let folder = |part: &str| matches!(part, "node_modules" | "site-packages" | "vendor" | "deps" | ".venv");
    !unit.path.split('/').any(folder)
}
