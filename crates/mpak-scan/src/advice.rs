//! The shortest list of edits to the next level.
//!
//! In: a report. Out: for every control that keeps the bundle below the next level, what to do about it;
//! findings that one edit settles are one entry, whichever controls they are of.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::control::Status;
use crate::level;
use crate::report::{ControlResult, Finding, Report, Severity};

mod known;

/// Most places listed of one edit.
const PLACES_COUNT_MAX: usize = 20;

/// Who can do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// The author, in the bundle.
    Author,
    /// Whoever publishes: evidence from outside the bundle.
    Publisher,
    /// Whoever scans: something that the scan was not given.
    Scanner,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Edit {
    /// What to do, in a sentence without a full stop.
    pub what: String,
    /// Who can do it.
    pub by: Who,
    /// What to paste, where there is something to paste.
    pub snippet: Option<String>,
    /// Where, `file` or `file:line`, without doubles.
    pub places: Vec<String>,
    /// How many findings it settles; 0 for what was not run.
    pub findings_count: usize,
    /// Controls that it is for.
    pub controls: Vec<String>,
}

/// What it takes to the next level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// The level that is meant.
    pub level: u8,
    /// Its name.
    pub name: &'static str,
    /// What to do: in the bundle first, what settles most first.
    pub edits: Vec<Edit>,
}

/// What it takes to get one level higher; `None` at the highest.
pub fn to_next_level(report: &Report) -> Option<Advice> {
    to_level(report, report.level + 1)
}

/// What it takes to a level; `None` where there is no such level.
pub fn to_level(report: &Report, level: u8) -> Option<Advice> {
    let name = level::name(level)?;
    let missing = report.controls.iter().filter(|c| c.level <= level && !c.satisfied_at(level));
    let mut edits: Vec<Edit> = Vec::new();
    for control in missing {
        let settled: Vec<&Finding> = control.findings.iter().filter(|f| blocks(control, f, level)).collect();
        if settled.is_empty() {
            join(&mut edits, without_finding(control));
        }
        settled.into_iter().for_each(|finding| join(&mut edits, for_finding(control, finding)));
    }
    edits.sort_by(|a, b| {
        let weight = |edit: &Edit| (edit.controls.len(), edit.findings_count);
        a.by.cmp(&b.by).then_with(|| weight(b).cmp(&weight(a)))
    });
    Some(Advice { level, name, edits })
}

/// Whether a finding keeps its control from being satisfied at a level. Rows that block are of high severity
/// or worse, rows that block from a higher level on are of medium severity.
pub(crate) fn blocks(control: &ControlResult, finding: &Finding, level: u8) -> bool {
    let least = match (control.status, control.fails_from) {
        (Status::Fail, _) => Severity::High,
        (_, Some(from)) if from <= level => Severity::Medium,
        _ => return false,
    };
    finding.severity >= least && finding.suppressed.is_none()
}

fn for_finding(control: &ControlResult, finding: &Finding) -> Edit {
    let (what, snippet) = match known::edit(&finding.rule) {
        Some((what, snippet)) => (what.to_owned(), snippet.map(str::to_owned)),
        None => (finding.remediation.clone().unwrap_or_else(|| finding.title.clone()), None),
    };
    let place = finding.file.as_ref().map(|file| match finding.line {
        Some(line) => format!("{file}:{line}"),
        None => file.clone(),
    });
    let by = if known::is_publishers(&finding.rule) { Who::Publisher } else { Who::Author };
    Edit {
        what,
        by,
        snippet,
        places: place.into_iter().collect(),
        findings_count: 1,
        controls: vec![control.id.clone()],
    }
}

/// What was not run lacks something; what failed without a finding that blocks says why.
fn without_finding(control: &ControlResult) -> Edit {
    let (what, by) = match control.status {
        Status::NotRun => known::missing(&control.id, &control.reason),
        Status::Error => ("report this fault of the scanner".to_owned(), Who::Scanner),
        _ => (control.reason.clone(), Who::Author),
    };
    Edit { what, by, snippet: None, places: Vec::new(), findings_count: 0, controls: vec![control.id.clone()] }
}

/// Puts an edit with an equal one, if there is one.
fn join(edits: &mut Vec<Edit>, new: Edit) {
    let Some(old) = edits.iter_mut().find(|old| old.what == new.what && old.by == new.by) else {
        edits.push(new);
        return;
    };
    old.findings_count += new.findings_count;
    old.snippet = old.snippet.take().or(new.snippet);
    let controls: BTreeSet<String> = old.controls.drain(..).chain(new.controls).collect();
    old.controls = controls.into_iter().collect();
    for place in new.places {
        if old.places.len() < PLACES_COUNT_MAX && !old.places.contains(&place) {
            old.places.push(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(id: &str, level: u8, status: Status, findings: Vec<Finding>) -> ControlResult {
        let (name, reason) = (String::new(), "it was not given".to_owned());
        ControlResult { id: id.to_owned(), name, level, status, reason, fails_from: None, findings }
    }

    fn report(controls: Vec<ControlResult>) -> Report {
        crate::report::tests::report(controls)
    }

    #[test]
    fn findings_of_two_controls_that_one_edit_settles_are_one_entry() {
        let mut manifest = result("AI-01", 1, Status::Warn, vec![]);
        manifest.fails_from = Some(2);
        let finding = |rule: &str, severity| Finding::new(rule, severity, "t").at("manifest.json", None);
        manifest.findings =
            vec![finding("AI-01/missing-repository", Severity::Medium), finding("AI-01/icon", Severity::Low)];
        let source = result("PR-01", 2, Status::Fail, vec![finding("PR-01/missing-repository", Severity::High)]);
        let advice = to_next_level(&report(vec![manifest, source])).unwrap();
        assert_eq!((advice.level, advice.name, advice.edits.len()), (2, "Standard", 1), "{advice:?}");
        let edit = &advice.edits[0];
        assert_eq!((edit.findings_count, edit.controls.as_slice()), (2, &["AI-01".to_owned(), "PR-01".to_owned()][..]));
        assert_eq!(edit.places, ["manifest.json"]);
        let snippet: serde_json::Value =
            serde_json::from_str(&format!("{{{}}}", edit.snippet.as_ref().unwrap())).unwrap();
        assert_eq!(snippet["repository"]["type"], "git");
    }

    #[test]
    fn edits_in_the_bundle_come_before_what_others_must_give() {
        let finding = Finding::new("CQ-05/shell", Severity::Critical, "t").at("a.py", Some(3)).fix("no shell");
        let controls = vec![
            result("AI-03", 3, Status::NotRun, vec![]),
            result("SC-02", 2, Status::NotRun, vec![]),
            result("CQ-05", 3, Status::Fail, vec![finding]),
        ];
        let advice = to_level(&report(controls), 3).unwrap();
        let by: Vec<Who> = advice.edits.iter().map(|edit| edit.by).collect();
        assert_eq!(by, [Who::Author, Who::Publisher, Who::Scanner]);
        assert_eq!((advice.edits[0].what.as_str(), advice.edits[0].places[0].as_str()), ("no shell", "a.py:3"));
    }

    #[test]
    fn at_the_highest_level_there_is_nothing_to_do() {
        let mut report = report(vec![]);
        report.level = 4;
        assert_eq!(to_next_level(&report), None);
    }
}
