//! What became of each suppression, and what the policy says.

use mpak_scan::policy::Decision;
use mpak_scan::suppressions::{State, Told};

use super::WIDTH;
use super::lines::indented;
use crate::bundle_file::count;

/// Suppressions, with an empty line in front.
pub(super) fn suppressions(all: &[Told]) -> Vec<String> {
    if all.is_empty() {
        return Vec::new();
    }
    let findings: usize = all.iter().map(|told| told.findings_count).sum();
    let applied = all.iter().filter(|told| told.state == State::Applied).count();
    let entries = if all.len() == 1 { "entry" } else { "entries" };
    let mut lines = vec![
        String::new(),
        format!("{} suppressed by {applied} of {} {entries}", count(findings, "finding"), all.len()),
    ];
    for told in all.iter().filter(|told| told.state != State::Applied) {
        let note = told.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
        let text = format!("{} at {} is {}{note}", told.id, told.place, told.state.as_str());
        lines.extend(indented("  ", &text, 4, WIDTH));
    }
    lines
}

/// What breaks a policy, with an empty line in front.
pub(super) fn violations(decision: &Decision) -> Vec<String> {
    if decision.satisfied {
        return Vec::new();
    }
    let mut lines = vec![String::new(), "against the policy:".to_owned()];
    for violation in &decision.violations {
        lines.extend(indented("  ", &format!("{}: {}", violation.rule, violation.message), 4, WIDTH));
    }
    lines
}

/// The decision in one line.
pub(super) fn decision(decision: &Decision) -> String {
    let name = decision.name.as_ref().map(|name| format!(" `{}`", crate::ui::safe(name))).unwrap_or_default();
    if decision.satisfied {
        return format!("the policy{name} is satisfied");
    }
    let broken = decision.violations.len();
    let verb = if broken == 1 { "is" } else { "are" };
    format!("the policy{name} is not satisfied: {} {verb} broken", count(broken, "rule"))
}
