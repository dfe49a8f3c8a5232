//! What the controls say about an artifact, in a reader's words.
//!
//! In: a stored report or the reason why there is none. Out: [`Trust`]. "Not scanned", "waiting",
//! "failed" and "not assessed" are states of their own and never look like a bad verdict; a level is
//! shown only once every control of level 1 has judged.

use mpak_scan::control::Status;
use mpak_scan::level;
use mpak_scan::report::{self, ControlResult, Finding, Report, Severity};

use super::entry::Reached;
use super::figures::Moment;
use super::text::Shown;
use crate::db::scans;

/// Why there is no report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unscanned {
    /// In the queue.
    Waiting,
    /// Right now.
    Running,
    /// The scanner failed.
    Failed,
    /// Nobody asked for it.
    NotAsked,
}

/// The panel.
#[derive(Clone, Debug)]
pub(crate) struct Trust {
    /// `level`, `partial`, `waiting` or `failed`: how it looks.
    pub(crate) look: &'static str,
    /// `Not assessed: 3 of 25 controls run`.
    pub(crate) headline: String,
    /// The worst thing, or what to expect.
    pub(crate) sentence: Shown,
    /// How many controls have which status.
    pub(crate) tally: Vec<Tally>,
    /// When, by what.
    pub(crate) scan: Option<Scan>,
    /// All controls.
    pub(crate) domains: Vec<Domain>,
    /// What earlier scans of the same artifact came to, newest first.
    pub(crate) past: Vec<Past>,
}

/// What an earlier scan came to.
#[derive(Clone, Debug)]
pub(crate) struct Past {
    /// When this was found first.
    pub(crate) from: Moment,
    /// When it was found last.
    pub(crate) to: Moment,
    /// `Level 1 Basic, score 61`.
    pub(crate) outcome: String,
    /// Identity of controls and rules.
    pub(crate) ruleset: Shown,
}

/// About the scan itself.
#[derive(Clone, Debug)]
pub(crate) struct Scan {
    /// When.
    pub(crate) at: Moment,
    /// Identity of controls and rules.
    pub(crate) ruleset: Shown,
    /// Date of the advisories.
    pub(crate) advisories: Option<Shown>,
}

/// A status with its count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Its word, sign and look.
    pub(crate) status: Look,
    /// How many.
    pub(crate) count: usize,
}

/// How a status looks: the word says it, sign and colour only help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// For the style sheet.
    pub(crate) class: &'static str,
    /// The word.
    pub(crate) word: &'static str,
    /// A sign of another shape for each.
    pub(crate) sign: &'static str,
}

/// Controls that belong together.
#[derive(Clone, Debug)]
pub(crate) struct Domain {
    /// `Supply chain`.
    pub(crate) name: &'static str,
    /// In the order of checking.
    pub(crate) controls: Vec<Control>,
}

/// One control.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    /// `AI-01`.
    pub(crate) id: Shown,
    /// `Manifest Validation`.
    pub(crate) name: Shown,
    /// Lowest level that requires it.
    pub(crate) level: u8,
    /// Verdict.
    pub(crate) status: Look,
    /// Why.
    pub(crate) reason: Shown,
    /// A stricter row.
    pub(crate) fails_from: Option<u8>,
    /// Evidence, worst first.
    pub(crate) findings: Vec<Evidence>,
    /// Findings that are not shown.
    pub(crate) more_count: usize,
    /// Whether the evidence is open from the start.
    pub(crate) open: bool,
}

/// One finding.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    /// `high`.
    pub(crate) severity: &'static str,
    /// One line.
    pub(crate) title: Shown,
    /// `server/index.js:12`.
    pub(crate) place: Option<Shown>,
    /// What was seen.
    pub(crate) seen: Option<Shown>,
    /// The code around the place.
    pub(crate) frame: Vec<Line>,
    /// Why somebody answers for it, where somebody does.
    pub(crate) answered: Option<Shown>,
    /// The way of the data to this place.
    pub(crate) way: Vec<Step>,
    /// Steps that are not shown.
    pub(crate) way_more_count: usize,
    /// What to do.
    pub(crate) remedy: Option<Shown>,
    /// `CQ-01/github-token`.
    pub(crate) rule: Shown,
}

/// A line of code.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// From 1.
    pub(crate) number: u32,
    /// Whether the finding is about it.
    pub(crate) marked: bool,
    /// What stands there.
    pub(crate) code: Shown,
}

/// A place on the way of some data.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// `server/index.js:12`.
    pub(crate) place: Shown,
    /// What happens there.
    pub(crate) what: Shown,
    /// The line of code.
    pub(crate) code: Shown,
}

/// Most lines that are shown around a place.
const LINES_COUNT_MAX: usize = 9;
/// Most steps that are shown of one way.
const STEPS_COUNT_MAX: usize = 12;

impl Trust {
    /// Without a report.
    pub(crate) fn unscanned(why: Unscanned) -> Self {
        let (look, headline, sentence) = match why {
            Unscanned::Waiting => {
                ("waiting", "Not scanned yet", "The scan is waiting for its turn. Reload in a moment.")
            }
            Unscanned::Running => {
                ("waiting", "Being scanned", "The controls are judging this artifact right now. Reload in a moment.")
            }
            Unscanned::Failed => (
                "failed",
                "Scan failed",
                "The scanner could not finish. This is a fault of the registry and says nothing about the package.",
            ),
            Unscanned::NotAsked => ("waiting", "Not scanned", "No scan of this artifact was asked for."),
        };
        Self {
            look,
            headline: headline.to_owned(),
            sentence: Shown::line(sentence, 300),
            tally: Vec::new(),
            scan: None,
            domains: Vec::new(),
            past: Vec::new(),
        }
    }

    /// From a report; at most so many findings for each control, and in all.
    pub(crate) fn scanned(report: &Report, scanned_at_ms: i64, findings_count_max: usize, sum_max: usize) -> Self {
        let (look, headline) = headline(report);
        Self {
            look,
            headline,
            sentence: sentence(report),
            tally: tally(report),
            scan: Some(Scan {
                at: Moment::at(scanned_at_ms),
                ruleset: Shown::word(&report.ruleset, 60),
                advisories: report.advisories.as_deref().map(|date| Shown::word(date, 40)),
            }),
            domains: domains(report, findings_count_max, sum_max),
            past: Vec::new(),
        }
    }

    /// With what earlier scans came to.
    pub(crate) fn after(mut self, past: &[scans::Past]) -> Self {
        self.past = past.iter().map(Past::new).collect();
        self
    }
}

impl Past {
    fn new(row: &scans::Past) -> Self {
        Self {
            from: Moment::at(row.first_at_ms),
            to: Moment::at(row.scanned_at_ms),
            outcome: Reached::new(row.level, row.score).text,
            ruleset: Shown::word(&row.ruleset, 60),
        }
    }
}

fn headline(report: &Report) -> (&'static str, String) {
    let run = report.controls.iter().filter(|c| judged(c)).count();
    match report.assessed_level() {
        None => ("partial", format!("Not assessed: {run} of {} controls run", report.controls.len())),
        Some(0) => ("partial", "No level reached".to_owned()),
        Some(reached) => {
            let name = level::name(reached).unwrap_or_default();
            ("level", format!("Level {reached} {name}, score {}", report.score))
        }
    }
}

fn judged(control: &ControlResult) -> bool {
    !matches!(control.status, Status::NotRun | Status::Error)
}

/// The worst thing that was found.
fn sentence(report: &Report) -> Shown {
    let worst = report.findings().max_by(|(_, a), (_, b)| a.severity.cmp(&b.severity));
    let text = match worst {
        Some((control, finding)) if finding.severity > Severity::Info => {
            format!("Worst finding ({}, {}): {}", finding.severity.as_str(), control.id, finding.title)
        }
        _ => "The controls that ran found nothing worse than remarks.".to_owned(),
    };
    Shown::line(&text, 240)
}

fn tally(report: &Report) -> Vec<Tally> {
    let all = [Status::Fail, Status::Warn, Status::Pass, Status::NotApplicable, Status::Error, Status::NotRun];
    let counted = all.map(|status| Tally { status: look(status), count: report.count(status) });
    counted.into_iter().filter(|t| t.count > 0).collect()
}

fn look(status: Status) -> Look {
    let (class, word, sign) = match status {
        Status::Pass => ("pass", "Pass", "✓"),
        Status::Warn => ("warn", "Warning", "!"),
        Status::Fail => ("fail", "Fail", "✕"),
        Status::NotApplicable => ("na", "Not applicable", "–"),
        Status::NotRun => ("notrun", "Not run", "○"),
        Status::Error => ("error", "Scanner error", "?"),
    };
    Look { class, word, sign }
}

/// Names of the domains, by the letters in front of a control's number. Source: MTF 0.1 §3.
const DOMAINS: [(&str, &str); 5] = [
    ("AI-", "Artifact integrity"),
    ("SC-", "Supply chain"),
    ("CQ-", "Code quality"),
    ("CD-", "Capability declaration"),
    ("PR-", "Provenance"),
];

/// The name of a control's domain.
pub(crate) fn domain_name(id: &str) -> &'static str {
    DOMAINS.iter().find(|(letters, _)| id.starts_with(letters)).map_or("Other", |(_, name)| name)
}

fn domains(report: &Report, findings_count_max: usize, sum_max: usize) -> Vec<Domain> {
    let mut domains: Vec<Domain> = Vec::new();
    let mut left = sum_max;
    for result in &report.controls {
        let name = domain_name(&result.id);
        let control = control(result, findings_count_max.min(left));
        left -= control.findings.len();
        match domains.iter_mut().find(|d| d.name == name) {
            Some(domain) => domain.controls.push(control),
            None => domains.push(Domain { name, controls: vec![control] }),
        }
    }
    domains
}

fn control(result: &ControlResult, findings_count_max: usize) -> Control {
    Control {
        id: Shown::word(&result.id, 10),
        name: Shown::line(&result.name, 60),
        level: result.level,
        status: look(result.status),
        reason: Shown::line(&result.reason, 180),
        fails_from: result.fails_from,
        findings: result.findings.iter().take(findings_count_max).map(evidence).collect(),
        more_count: result.findings.len().saturating_sub(findings_count_max),
        open: result.status == Status::Fail,
    }
}

fn evidence(finding: &Finding) -> Evidence {
    Evidence {
        severity: finding.severity.as_str(),
        title: Shown::line(&finding.title, 200),
        place: finding.file.as_deref().map(|file| place(file, finding.line)),
        seen: finding.evidence.as_deref().map(|text| Shown::prose(text, 200)).filter(|s| !s.is_empty()),
        frame: finding.frame.as_ref().map(|frame| lines(frame, finding.line)).unwrap_or_default(),
        answered: finding.suppressed.as_ref().map(|s| Shown::line(&s.reason, 200)),
        way: finding.path.iter().take(STEPS_COUNT_MAX).map(step).collect(),
        way_more_count: finding.path.len().saturating_sub(STEPS_COUNT_MAX),
        remedy: finding.remediation.as_deref().map(|text| Shown::line(text, 200)).filter(|s| !s.is_empty()),
        rule: Shown::word(&finding.rule, 60),
    }
}

fn lines(frame: &report::Frame, marked: Option<u32>) -> Vec<Line> {
    let numbered = (frame.first..).zip(frame.lines.iter().take(LINES_COUNT_MAX));
    let line =
        |(number, code): (u32, &String)| Line { number, marked: marked == Some(number), code: Shown::code(code, 160) };
    numbered.map(line).collect()
}

fn step(step: &report::Step) -> Step {
    Step {
        place: place(&step.file, Some(step.line)),
        what: Shown::line(&step.what, 120),
        code: Shown::prose(&step.code, 160),
    }
}

fn place(file: &str, line: Option<u32>) -> Shown {
    match line {
        Some(line) => Shown::word(&format!("{}:{line}", clipped(file)), 200),
        None => Shown::word(file, 200),
    }
}

/// The end of a long path, since the line number follows it.
fn clipped(path: &str) -> String {
    let count = path.chars().count();
    if count <= 160 { path.to_owned() } else { format!("…{}", path.chars().skip(count - 160).collect::<String>()) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn result(id: &str, level: u8, status: Status) -> ControlResult {
        let reason = "why it is so".to_owned();
        ControlResult {
            id: id.to_owned(),
            name: "A Control".to_owned(),
            level,
            status,
            reason,
            fails_from: None,
            findings: vec![],
        }
    }

    pub(crate) fn report(controls: Vec<ControlResult>) -> Report {
        Report {
            level: 1,
            score: 61,
            ruleset: "0.1.0+x".to_owned(),
            advisories: None,
            controls_run: 1,
            controls,
            suppressions: Vec::new(),
            policy: None,
        }
    }

    fn finding(severity: Severity, title: &str) -> Finding {
        Finding {
            rule: "CQ-01/x".to_owned(),
            severity,
            title: title.to_owned(),
            file: Some("server/\u{202E}a.js".to_owned()),
            line: Some(12),
            evidence: Some("ghp_\u{1b}[31m****".to_owned()),
            remediation: Some("Remove it.".to_owned()),
            path: Vec::new(),
            frame: None,
            suppressed: None,
        }
    }

    #[test]
    fn the_way_of_the_data_is_shown_with_its_places_and_is_bounded() {
        let mut found = finding(Severity::High, "reaches a shell");
        let step = |line| report::Step {
            file: "a.py".to_owned(),
            line,
            what: "is joined\u{202e}".to_owned(),
            code: "x = f\"ls {y}\"\u{1b}[2J".to_owned(),
        };
        found.path = (1..=40).map(step).collect();
        let shown = evidence(&found);
        assert_eq!((shown.way.len(), shown.way_more_count), (STEPS_COUNT_MAX, 40 - STEPS_COUNT_MAX));
        assert_eq!(shown.way[0].place.as_str(), "a.py:1");
        let text = format!("{}{}", shown.way[0].what.as_str(), shown.way[0].code.as_str());
        assert!(!text.contains(['\u{202e}', '\u{1b}']), "{text:?}");
    }

    #[test]
    fn the_code_around_a_place_is_numbered_marked_and_bounded() {
        let mut found = finding(Severity::High, "reaches a shell");
        let lines = (0..40).map(|n| format!("line {n}\u{1b}[2J")).collect();
        found.frame = Some(report::Frame { first: 11, lines });
        let shown = evidence(&found).frame;
        assert_eq!(shown.len(), LINES_COUNT_MAX);
        let marked: Vec<u32> = shown.iter().filter(|l| l.marked).map(|l| l.number).collect();
        assert_eq!(marked, [12]);
        assert!(!shown[0].code.as_str().contains('\u{1b}'));
    }

    #[test]
    fn earlier_outcomes_tell_level_and_score() {
        let past = |level, score| scans::Past {
            first_at_ms: 0,
            scanned_at_ms: 86_400_000,
            ruleset: "0.1.0+x".to_owned(),
            level,
            score,
        };
        let shown = Trust::unscanned(Unscanned::NotAsked).after(&[past(Some(2), Some(70)), past(None, None)]).past;
        assert_eq!(shown[0].outcome, "Level 2 Standard, score 70");
        assert_eq!((shown[0].from.day.as_str(), shown[0].to.day.as_str()), ("1 Jan 1970", "2 Jan 1970"));
        assert_eq!(shown[1].outcome, "Not assessed");
    }

    #[test]
    fn no_level_is_shown_before_every_control_of_level_1_judged() {
        let trust = Trust::scanned(
            &report(vec![result("AI-01", 1, Status::Pass), result("CQ-02", 1, Status::NotRun)]),
            0,
            5,
            50,
        );
        assert_eq!((trust.look, trust.headline.as_str()), ("partial", "Not assessed: 1 of 2 controls run"));
        let trust = Trust::scanned(
            &report(vec![result("AI-01", 1, Status::Pass), result("SC-02", 2, Status::NotRun)]),
            0,
            5,
            50,
        );
        assert_eq!((trust.look, trust.headline.as_str()), ("level", "Level 1 Basic, score 61"));
    }

    #[test]
    fn states_without_a_verdict_do_not_look_like_one() {
        for why in [Unscanned::Waiting, Unscanned::Running, Unscanned::Failed, Unscanned::NotAsked] {
            let trust = Trust::unscanned(why);
            assert!(trust.look == "waiting" || trust.look == "failed");
            assert!(trust.domains.is_empty() && trust.tally.is_empty());
        }
        assert!(Trust::unscanned(Unscanned::Failed).sentence.as_str().contains("fault of the registry"));
    }

    #[test]
    fn the_worst_finding_is_the_sentence() {
        let mut low = result("AI-01", 1, Status::Warn);
        low.findings = vec![finding(Severity::Low, "small")];
        let mut high = result("CQ-01", 1, Status::Fail);
        high.findings = vec![finding(Severity::High, "a token"), finding(Severity::Medium, "b")];
        let trust = Trust::scanned(&report(vec![low, high]), 0, 1, 50);
        assert_eq!(trust.sentence.as_str(), "Worst finding (high, CQ-01): a token");
        let control = &trust.domains[1].controls[0];
        assert!(control.open);
        assert_eq!((control.findings.len(), control.more_count), (1, 1));
        assert_eq!(control.findings[0].place.as_ref().unwrap().as_str(), "server/[U+202E]a.js:12");
        assert_eq!(control.findings[0].seen.as_ref().unwrap().as_str(), "ghp_[U+001B][31m****");
    }

    #[test]
    fn every_status_has_its_own_word_and_sign() {
        let looks =
            [Status::Fail, Status::Warn, Status::Pass, Status::NotApplicable, Status::Error, Status::NotRun].map(look);
        for (i, a) in looks.iter().enumerate() {
            for b in &looks[i + 1..] {
                assert!(a.word != b.word && a.sign != b.sign && a.class != b.class);
            }
        }
    }
}
