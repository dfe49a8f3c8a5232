//! The native report: same input, same ruleset, same bytes.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mpak_bundle::digest::Sha256;
use serde::{Deserialize, Serialize};

use crate::control::{Control, Status, Verdict};
use crate::controls::cd03_description_safety;
use crate::evidence::Evidence;
use crate::policy::Decision;
use crate::suppressions::{Applied, Told};
use crate::texts::{self, Texts};
use crate::{level, rules};

mod about;
pub mod frame;
pub mod kept;
mod mtf;
mod published;
mod sarif;

pub use about::{About, Made};
pub use frame::Frame;
pub use mtf::{mtf, web};
pub use sarif::sarif;

/// The JSON Schema of the native report.
pub const SCHEMA: &str = include_str!("../../../docs/formats/report.schema.json");

/// Most findings listed per control; the rest is counted.
const FINDINGS_COUNT_MAX: usize = 200;
/// Most findings listed about a list of tools.
const TOOL_FINDINGS_COUNT_MAX: usize = 20_000;
/// Longest text taken over from a bundle into one field of a finding, in characters.
const TEXT_CHARS_MAX: usize = 300;

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

impl Severity {
    /// The word of the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
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
    /// The way of the data, from its source to this place.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub path: Vec<Step>,
    /// The lines around the place.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub frame: Option<Frame>,
    /// Somebody answers for it: it is shown, and does not count against the level.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub suppressed: Option<Suppressed>,
}

/// Who answers for a finding, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppressed {
    /// Where it is stated.
    pub by: SuppressedBy,
    /// Why it does not count, in the words of whoever stated it.
    pub reason: String,
}

/// Where a suppression stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SuppressedBy {
    /// In the bundle's manifest: its author.
    Manifest,
    /// In a file given to the scan: whoever scans.
    File,
}

/// A place on the way of some data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Path in the bundle.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// What happens there.
    pub what: String,
    /// The line of code.
    pub code: String,
}

impl Finding {
    /// A finding about the bundle as a whole.
    pub fn new(rule: impl Into<String>, severity: Severity, title: impl Into<String>) -> Self {
        let title = clip(&title.into());
        Self {
            rule: rule.into(),
            severity,
            title,
            file: None,
            line: None,
            evidence: None,
            remediation: None,
            path: Vec::new(),
            frame: None,
            suppressed: None,
        }
    }

    /// Where.
    #[must_use]
    pub fn at(mut self, file: impl Into<String>, line: Option<u32>) -> Self {
        self.file = Some(file.into());
        self.line = line;
        self
    }

    /// What was seen; cut to a readable length.
    #[must_use]
    pub fn seen(mut self, evidence: impl AsRef<str>) -> Self {
        self.evidence = Some(clip(evidence.as_ref()));
        self
    }

    /// The way of the data; the code of each step is cut to a readable length.
    #[must_use]
    pub fn along(mut self, path: Vec<Step>) -> Self {
        self.path =
            path.into_iter().map(|step| Step { code: clip(&step.code), what: clip(&step.what), ..step }).collect();
        self
    }

    /// What to do.
    #[must_use]
    pub fn fix(mut self, remediation: impl Into<String>) -> Self {
        self.remediation = Some(remediation.into());
        self
    }
}

fn clip(text: &str) -> String {
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", &text[..at]),
    }
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

impl ControlResult {
    /// Whether a level may be reached with this result.
    pub fn satisfied_at(&self, level: u8) -> bool {
        self.status.satisfied() && self.fails_from.is_none_or(|from| level < from)
    }

    /// Whether a finding blocks at a level; `not_run` and `error` do not satisfy and do not fail.
    pub fn fails_at(&self, level: u8) -> bool {
        self.level <= level && (self.status == Status::Fail || self.fails_from.is_some_and(|from| from <= level))
    }
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
    /// What became of each suppression.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub suppressions: Vec<Told>,
    /// What the policy says, where one was given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub policy: Option<Decision>,
}

impl Report {
    /// The level, once every control that level 1 requires has code; `None` means "not assessed".
    pub fn assessed_level(&self) -> Option<u8> {
        let judged = |c: &ControlResult| !matches!(c.status, Status::NotRun | Status::Error);
        self.controls.iter().filter(|c| c.level == 1).all(judged).then_some(self.level)
    }

    /// The controls a level requires and that fail at it.
    pub fn failing_at(&self, level: u8) -> Vec<&ControlResult> {
        self.controls.iter().filter(|c| c.fails_at(level)).collect()
    }

    /// How many controls have a status.
    pub fn count(&self, status: Status) -> usize {
        self.controls.iter().filter(|c| c.status == status).count()
    }

    /// All findings with their control, in the order of checking.
    pub fn findings(&self) -> impl Iterator<Item = (&ControlResult, &Finding)> {
        self.controls.iter().flat_map(|c| c.findings.iter().map(move |f| (c, f)))
    }
}

/// Judges every control in order and sums up.
pub(crate) fn assemble(controls: &[Control], evidence: &Evidence) -> Report {
    // 1. Verdicts, and what somebody answers for.
    let suppressions = evidence.suppressions();
    let mut applied = suppressions.applied();
    let results: Vec<ControlResult> = controls.iter().map(|control| result(control, evidence, &mut applied)).collect();
    // 2. Summed up.
    let level = level::reached(&results);
    let mut report = Report {
        level,
        score: level::score(&results, level),
        ruleset: ruleset(controls),
        advisories: evidence.advised().found().map(|found| found.date.clone()),
        controls_run: controls.iter().filter(|c| c.judge.is_some()).count(),
        controls: results,
        suppressions: applied.told(),
        policy: None,
    };
    // 3. What the policy says to that.
    report.policy = evidence.policy().map(|policy| policy.judge(&report, evidence));
    report
}

/// Judges the texts of tools alone; every other control is not run.
pub(crate) fn assemble_texts(controls: &[Control], texts: &Texts) -> Report {
    let judge = || cd03_description_safety::judge_texts(texts);
    let result = |control: &Control| match control.id {
        "CD-03" => listed(control, caught(judge), TOOL_FINDINGS_COUNT_MAX),
        _ => listed(control, Verdict::not_run("only the texts of tools were given"), FINDINGS_COUNT_MAX),
    };
    let results: Vec<ControlResult> = controls.iter().map(result).collect();
    let level = level::reached(&results);
    let score = level::score(&results, level);
    let ruleset = ruleset(controls);
    let (suppressions, policy) = (Vec::new(), None);
    Report { level, score, ruleset, advisories: None, controls_run: 1, controls: results, suppressions, policy }
}

fn result(control: &Control, evidence: &Evidence, suppressions: &mut Applied<'_>) -> ControlResult {
    let verdict = match control.judge {
        None => Verdict::not_run("not implemented yet"),
        Some(judge) => caught(|| judge(evidence)),
    };
    let verdict = published::judge(control, evidence.advised(), verdict);
    listed(control, suppressions.judge(control, verdict), FINDINGS_COUNT_MAX)
}

/// The evidence is only read, so that a control that dies half-way leaves nothing broken behind.
fn caught(judge: impl Fn() -> Verdict) -> Verdict {
    catch_unwind(AssertUnwindSafe(judge))
        .unwrap_or_else(|_panic| Verdict::new(Status::Error, "the control stopped with an internal error"))
}

fn listed(control: &Control, verdict: Verdict, findings_count_max: usize) -> ControlResult {
    ControlResult {
        id: control.id.to_owned(),
        name: control.name.to_owned(),
        level: control.level,
        status: verdict.status,
        reason: verdict.reason,
        fails_from: verdict.fails_from.filter(|_| verdict.status.satisfied()),
        findings: ordered(control.id, verdict.findings, findings_count_max),
    }
}

/// Worst first, then by place; at most so many, and a line that counts the rest.
fn ordered(control: &str, mut findings: Vec<Finding>, findings_count_max: usize) -> Vec<Finding> {
    findings.sort_by(|a, b| {
        let place = |f: &Finding| (f.file.clone(), f.line, f.rule.clone(), f.title.clone());
        b.severity.cmp(&a.severity).then_with(|| place(a).cmp(&place(b)))
    });
    findings.dedup();
    if findings.len() > findings_count_max {
        let rest = findings.len() - findings_count_max;
        findings.truncate(findings_count_max);
        findings.push(Finding::new(
            format!("{control}/more"),
            Severity::Info,
            format!("{rest} more findings of this control are not listed"),
        ));
    }
    findings
}

/// Version of this crate and a digest over everything that can change a verdict and is not evidence.
pub fn ruleset(controls: &[Control]) -> String {
    let mut text = String::new();
    for control in controls {
        let _ = writeln!(text, "{} {} {}", control.id, control.level, control.judge.is_some());
    }
    text.push_str(env!("MPAK_SCAN_SOURCE"));
    text.push_str(rules::SECRETS_TOML);
    text.push_str(crate::credentials::SCOPES_TOML);
    text.push_str(crate::controls::SOURCES_TOML);
    text.push_str(texts::TEXTS_TOML);
    text.push_str(texts::WORDING_TXT);
    let digest = Sha256::of(text.as_bytes()).to_string();
    format!("{}+sha256.{}", env!("CARGO_PKG_VERSION"), &digest[..16])
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn report(controls: Vec<ControlResult>) -> Report {
        let level = level::reached(&controls);
        let score = level::score(&controls, level);
        let ruleset = "0.0.0+sha256.0".to_owned();
        let controls_run = controls.len();
        Report { level, score, ruleset, advisories: None, controls_run, controls, suppressions: vec![], policy: None }
    }

    fn panics(_: &Evidence) -> Verdict {
        panic!("a bug")
    }

    fn floods(_: &Evidence) -> Verdict {
        let many = (0..500).map(|i| Finding::new("X/y", Severity::Low, format!("finding {i:03}"))).collect();
        Verdict::pass_or_warn("many", many)
    }

    fn control(judge: Option<fn(&Evidence) -> Verdict>) -> Control {
        Control { id: "XX-01", name: "X", level: 1, domain: "x", page: "", judge }
    }

    #[test]
    fn a_control_that_panics_is_an_error_and_the_others_still_judge() {
        let report = assemble(&[control(Some(panics)), control(Some(floods))], &Evidence::empty());
        assert_eq!(report.controls[0].status, Status::Error);
        assert_eq!(report.controls[1].status, Status::Warn);
        assert_eq!((report.level, report.assessed_level()), (0, None));
    }

    #[test]
    fn a_control_without_code_is_not_run_and_says_so() {
        let report = assemble(&[control(None)], &Evidence::empty());
        assert_eq!(report.controls[0].status, Status::NotRun);
        assert_eq!(report.controls[0].reason, "not implemented yet");
        assert_eq!((report.controls_run, report.level), (0, 0));
    }

    #[test]
    fn findings_are_bounded_and_the_rest_is_counted() {
        let report = assemble(&[control(Some(floods))], &Evidence::empty());
        let findings = &report.controls[0].findings;
        assert_eq!(findings.len(), FINDINGS_COUNT_MAX + 1);
        assert!(findings.last().unwrap().title.starts_with("300 more"));
    }

    #[test]
    fn long_texts_are_cut() {
        let finding = Finding::new("X/y", Severity::Low, "é".repeat(5_000)).seen("x".repeat(5_000));
        assert_eq!(finding.title.chars().count(), TEXT_CHARS_MAX + 1);
        assert_eq!(finding.evidence.unwrap().chars().count(), TEXT_CHARS_MAX + 1);
    }

    #[test]
    fn the_ruleset_changes_with_the_controls() {
        assert_ne!(ruleset(&[control(None)]), ruleset(&[control(Some(floods))]));
    }
}
