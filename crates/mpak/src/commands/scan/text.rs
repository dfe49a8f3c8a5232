//! A report for people: what was found, grouped by control, worst first; what to do to the next level.

use mpak_scan::advice;
use mpak_scan::control::Status;
use mpak_scan::level;
use mpak_scan::report::{ControlResult, Finding, Report, Severity, Step};

use crate::ui;

mod answers;
mod lines;
mod next;

use lines::{cut, indented};

/// Columns of a line.
const WIDTH: usize = 100;
/// Findings of one control that are shown without `--verbose`.
const FINDINGS_COUNT_MAX: usize = 8;
/// Steps of one path that are shown.
const STEPS_COUNT_MAX: usize = 12;
/// Where what belongs to a finding begins.
const INDENT: usize = 12;

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Headline and verdict.
    Quiet,
    /// What matters.
    Normal,
    /// Everything, remarks too.
    Verbose,
}

/// A report in words.
pub struct Text<'a> {
    /// The report.
    pub report: &'a Report,
    /// The level that the exit code is about.
    pub level: u8,
    /// Whether evidence from outside was given.
    pub with_evidence: bool,
    /// How much is told.
    pub detail: Detail,
}

impl Text<'_> {
    /// All lines, each safe for a terminal.
    pub fn lines(&self) -> Vec<String> {
        let report = self.report;
        let mut lines = vec![self.headline()];
        if self.detail != Detail::Quiet {
            let advisories =
                report.advisories.as_ref().map_or_else(String::new, |date| format!("  advisories of {date}"));
            lines.push(ui::safe(&format!("ruleset {}{advisories}", report.ruleset)));
            for control in worst_first(report) {
                lines.extend(self.control(control));
            }
            lines.push(String::new());
            lines.extend(self.table());
            lines.extend(answers::suppressions(&report.suppressions));
            lines.extend(report.policy.iter().flat_map(answers::violations));
            lines.extend(self.next());
            lines.push(String::new());
        }
        lines.push(self.verdict());
        lines.extend(report.policy.as_ref().map(answers::decision));
        lines.into_iter().map(|line| line.trim_end().to_owned()).collect()
    }

    /// What an author needs: the level, what fails at the level asked for, what to do next, the verdict.
    pub fn brief(&self) -> Vec<String> {
        let report = self.report;
        let mut lines = vec![self.headline()];
        for control in worst_first(report).into_iter().filter(|c| c.fails_at(self.level)) {
            lines.extend(self.control(control));
        }
        lines.extend(answers::suppressions(&report.suppressions));
        lines.extend(report.policy.iter().flat_map(answers::violations));
        lines.extend(self.next());
        lines.extend([String::new(), self.verdict()]);
        lines.extend(report.policy.as_ref().map(answers::decision));
        lines.into_iter().map(|line| line.trim_end().to_owned()).collect()
    }

    /// What the exit code says, and what would say no at a higher level.
    pub fn verdict(&self) -> String {
        let (report, level) = (self.report, self.level);
        let ids = |results: &[&ControlResult]| results.iter().map(|c| c.id.as_str()).collect::<Vec<_>>().join(", ");
        let stopped: Vec<&ControlResult> =
            report.controls.iter().filter(|c| c.level <= level && c.status == Status::Error).collect();
        if !stopped.is_empty() {
            return format!("the scanner itself failed in {}; this is a fault of mpak", ids(&stopped));
        }
        let failing = report.failing_at(level);
        if let Some(first) = failing.first() {
            let verb = if failing.len() == 1 { "fails" } else { "fail" };
            let (ids, first) = (ids(&failing), &first.id);
            return format!("level {level} is out of reach: {ids} {verb}; `mpak explain {first}` tells more");
        }
        let (pass, warn, not_run) =
            (report.count(Status::Pass), report.count(Status::Warn), report.count(Status::NotRun));
        let above = report.failing_at(level::LEVEL_MAX);
        let above = if above.is_empty() { String::new() } else { format!("; above it: {}", ids(&above)) };
        format!(
            "nothing that level {level} requires fails{above} ({pass} pass, {warn} with findings, {not_run} not run)"
        )
    }

    fn headline(&self) -> String {
        let report = self.report;
        let name = level::name(report.level).map(|name| format!(" {name}")).unwrap_or_default();
        let assessed = if report.assessed_level().is_none() { " (not assessed)" } else { "" };
        let possible = within_reach(report);
        let hint = if self.with_evidence || !assessed.is_empty() || possible <= report.level {
            String::new()
        } else {
            format!(" (up to L{possible} with publisher evidence)")
        };
        let all = report.controls.len();
        let run = all - report.count(Status::NotRun);
        format!("L{}{name}{assessed}{hint}  score {}  {run} of {all} controls run", report.level, report.score)
    }

    /// One control with what it found; nothing where it found nothing to show.
    fn control(&self, control: &ControlResult) -> Vec<String> {
        let verbose = self.detail == Detail::Verbose;
        let shown: Vec<&Finding> = control
            .findings
            .iter()
            .filter(|f| verbose || f.severity > Severity::Info || f.suppressed.is_some())
            .collect();
        if shown.is_empty() {
            return Vec::new();
        }
        let most = if verbose { usize::MAX } else { FINDINGS_COUNT_MAX };
        let from = control.fails_from.map_or_else(String::new, |level| format!("; fails from level {level}"));
        let head = format!("{} {} (level {}): {}{from}", control.id, control.name, control.level, control.reason);
        let word = word(control.status);
        let mut lines = vec![String::new()];
        lines.extend(indented(&format!("{word}  "), &head, word.len() + 2, WIDTH));
        lines.extend(shown.iter().take(most).copied().flat_map(one));
        let hidden = control.findings.len() - shown.len().min(most);
        if hidden > 0 {
            lines.push(format!("  {hidden} more of {}: `--verbose` shows them", control.id));
        }
        lines
    }

    fn table(&self) -> Vec<String> {
        let row = |c: &ControlResult| {
            let reason =
                c.fails_from.map_or_else(|| c.reason.clone(), |n| format!("{}; fails from level {n}", c.reason));
            vec![c.id.clone(), format!("L{}", c.level), word(c.status).to_owned(), c.name.clone(), ui::safe(&reason)]
        };
        let rows: Vec<Vec<String>> = self.report.controls.iter().map(row).collect();
        let lines = ui::table(&["CONTROL", "LEVEL", "STATUS", "NAME", "REASON"], &rows);
        if self.detail == Detail::Verbose { lines } else { lines.iter().map(|line| cut(line, WIDTH)).collect() }
    }

    fn next(&self) -> Vec<String> {
        advice::to_next_level(self.report)
            .map(|advice| next::lines(&advice, self.detail == Detail::Verbose))
            .unwrap_or_default()
    }
}

/// One finding: what, where, the code, the way of the data, what to do.
fn one(finding: &Finding) -> Vec<String> {
    let begin = format!("  {:10}", finding.severity.as_str());
    let mut lines = indented(&begin, &format!("{} [{}]", finding.title, finding.rule), INDENT, WIDTH);
    let mut say = |name: &str, text: &str| {
        lines.extend(indented(&format!("{:INDENT$}{name}", ""), text, INDENT + 2, WIDTH));
    };
    // 1. Where, and the code there.
    if let Some(place) = place(finding) {
        say("at ", &place);
    }
    if let Some(evidence) = finding.evidence.as_ref().filter(|_| finding.frame.is_none()) {
        say("seen: ", evidence);
    }
    lines.extend(frame(finding));
    // 2. The way of the data.
    lines.extend(path(&finding.path));
    // 3. What to do, or who answers for it.
    let mut say = |name: &str, text: &str| {
        lines.extend(indented(&format!("{:INDENT$}{name}", ""), text, INDENT + 2, WIDTH));
    };
    match (&finding.suppressed, &finding.remediation) {
        (Some(suppressed), _) => {
            let by = match suppressed.by {
                mpak_scan::report::SuppressedBy::Manifest => "its author",
                mpak_scan::report::SuppressedBy::File => "the file of suppressions",
            };
            say(&format!("suppressed by {by}: "), &suppressed.reason);
        }
        (None, Some(fix)) => say("fix: ", fix),
        (None, None) => {}
    }
    lines
}

/// Controls that say no first, then those whose findings are worst.
fn worst_first(report: &Report) -> Vec<&ControlResult> {
    let rank = |c: &&ControlResult| {
        let status = match c.status {
            Status::Fail => 0,
            Status::Error => 1,
            _ if c.fails_from.is_some() => 2,
            _ => 3,
        };
        let worst = c.findings.iter().map(|f| f.severity).max();
        (status, c.level * u8::from(status < 3), std::cmp::Reverse(worst))
    };
    let mut controls: Vec<&ControlResult> = report.controls.iter().collect();
    controls.sort_by_key(rank);
    controls
}

/// The level that the bundle would have if evidence from outside spoke for it.
fn within_reach(report: &Report) -> u8 {
    const BY_EVIDENCE: [&str; 3] = ["AI-03", "PR-02", "PR-03"];
    let held = |c: &ControlResult, level| {
        c.satisfied_at(level) || (c.status == Status::NotRun && BY_EVIDENCE.contains(&c.id.as_str()))
    };
    let reached = |&level: &u8| report.controls.iter().filter(|c| c.level <= level).all(|c| held(c, level));
    (1..level::LEVEL_MAX).take_while(reached).last().unwrap_or(0)
}

/// A status as it is shown.
pub(super) fn word(status: Status) -> &'static str {
    match status {
        Status::Pass => "pass",
        Status::Warn => "warn",
        Status::Fail => "FAIL",
        Status::NotApplicable => "n/a",
        Status::NotRun => "not run",
        Status::Error => "ERROR",
    }
}

fn place(finding: &Finding) -> Option<String> {
    let file = finding.file.as_ref()?;
    Some(finding.line.map_or_else(|| file.clone(), |line| format!("{file}:{line}")))
}

/// The code around a place; the marked line has a sign of its own.
fn frame(finding: &Finding) -> Vec<String> {
    let Some(frame) = &finding.frame else { return Vec::new() };
    let last = u64::from(frame.first) + frame.lines.len() as u64;
    let digits = last.to_string().len();
    let line = |(number, text): (u32, &String)| {
        let sign = if Some(number) == finding.line { '>' } else { ' ' };
        let text = ui::safe(&text.replace('\t', "    "));
        cut(&format!("{:INDENT$}{sign} {number:digits$} | {text}", ""), WIDTH)
    };
    (frame.first..).zip(&frame.lines).map(line).collect()
}

/// The way of the data in numbered steps.
fn path(steps: &[Step]) -> Vec<String> {
    let step = |(at, step): (usize, &Step)| {
        let head = format!("{}:{}: {}", step.file, step.line, step.what);
        let mut lines = indented(&format!("{:INDENT$}{}. ", "", at + 1), &head, INDENT + 3, WIDTH);
        lines.push(cut(&format!("{:width$}{}", "", ui::safe(step.code.trim()), width = INDENT + 3), WIDTH));
        lines
    };
    let mut lines: Vec<String> = steps.iter().take(STEPS_COUNT_MAX).enumerate().flat_map(step).collect();
    if steps.len() > STEPS_COUNT_MAX {
        lines.push(format!("{:INDENT$}and {} more steps", "", steps.len() - STEPS_COUNT_MAX));
    }
    lines
}
