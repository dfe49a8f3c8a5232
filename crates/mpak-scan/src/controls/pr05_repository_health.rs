//! PR-05: how the source repository is kept, by its OpenSSF Scorecard result.
//!
//! The manifest's own `scorecard` is a claim and is not judged. Spec: MTF 0.1 §3.6 PR-05.

use serde_json::Value;

use crate::control::{Status, Verdict};
use crate::evidence::Evidence;
use crate::outside::{Scorecard, repository_key};
use crate::report::{Finding, Severity};

/// Least score at level 3 and at level 4.
const SCORE_MIN: [(u8, f64); 2] = [(3, 5.0), (4, 7.0)];
/// Checks that must pass whatever the score is.
const CHECKS: [&str; 3] = ["Token-Permissions", "Dangerous-Workflow", "Branch-Protection"];
/// A check passes from this score on.
const CHECK_SCORE_MIN: f64 = 5.0;
/// Days after which a result is old.
const AGE_DAYS_MAX: i64 = 30;

pub(crate) fn judge(evidence: &Evidence) -> Verdict {
    let Some(card) = &evidence.outside().scorecard else {
        return Verdict::new(Status::NotApplicable, "no Scorecard result of the source repository is available");
    };
    // 1. It is about the repository that the manifest names.
    let named = evidence.document().and_then(|d| d.get("repository"));
    let named = named.and_then(|r| r.get("url").or(Some(r))).and_then(Value::as_str).and_then(repository_key);
    let about = card.repository.as_deref().and_then(repository_key);
    if let (Some(named), Some(about)) = (&named, &about)
        && named != about
    {
        return Verdict::not_run(format!("the Scorecard result is about `{about}`, and the manifest names `{named}`"));
    }
    // 2. Score and checks.
    judge_card(card, evidence.outside().as_of.as_deref())
}

fn finding(rule: &str, severity: Severity, title: impl Into<String>) -> Finding {
    Finding::new(format!("PR-05/{rule}"), severity, title)
}

fn judge_card(card: &Scorecard, as_of: Option<&str>) -> Verdict {
    let mut findings = Vec::new();
    let mut missing: Vec<&str> = Vec::new();
    let mut from: Option<u8> = None;
    for (level, least) in SCORE_MIN {
        if card.score < least {
            from = Some(from.map_or(level, |from| from.min(level)));
            let title = format!("the Scorecard result is {:.1}; level {level} needs {least:.1}", card.score);
            let severity = if level == 3 { Severity::High } else { Severity::Medium };
            findings
                .push(finding("low-score", severity, title).fix("see the checks of the result with the lowest scores"));
            break;
        }
    }
    for name in CHECKS {
        let score = card.checks.iter().find(|(check, _)| check.eq_ignore_ascii_case(name)).map(|(_, score)| *score);
        match score {
            Some(score) if score < 0.0 => {
                findings.push(finding(
                    "check-inconclusive",
                    Severity::Low,
                    format!("the check {name} came to no result"),
                ));
            }
            Some(score) if score < CHECK_SCORE_MIN => {
                from = Some(3);
                let title = format!("the check {name} scores {score}, expected {CHECK_SCORE_MIN} or more");
                findings.push(finding("check-failed", Severity::High, title).fix(remedy(name)));
            }
            Some(_) => {}
            None => {
                missing.push(name);
                findings.push(finding("check-missing", Severity::Low, format!("the result has no check {name}")));
            }
        }
    }
    let age = card.date.as_deref().and_then(day).zip(as_of.and_then(day)).map(|(then, now)| now - then);
    if let Some(days) = age.filter(|days| *days > AGE_DAYS_MAX) {
        findings.push(
            finding("old-result", Severity::Low, format!("the result is {days} days old"))
                .fix("let Scorecard run weekly"),
        );
    }
    match from {
        Some(3) => Verdict::fail("the source repository is not kept well enough", findings),
        // What must pass and was not looked at is not known.
        _ if !missing.is_empty() => {
            let reason =
                format!("the Scorecard result lacks what must pass whatever the score is: {}", missing.join(", "));
            Verdict { findings, ..Verdict::not_run(reason) }
        }
        from => {
            Verdict::pass_or_warn(format!("the Scorecard result is {:.1}", card.score), findings).failing_from(from)
        }
    }
}

fn remedy(check: &str) -> &'static str {
    match check {
        "Token-Permissions" => "give each workflow `permissions: read-all` and each job only what it needs",
        "Dangerous-Workflow" => "check out no code of strangers in workflows that hold secrets",
        _ => "protect the main branch: no force-push, and a review before merging",
    }
}

/// Days since 1970 of `YYYY-MM-DD…`.
fn day(text: &str) -> Option<i64> {
    let date = text.get(..10)?;
    let mut parts = date.split('-');
    let (year, month, day): (i64, i64, i64) =
        (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    if parts.next().is_some() || year > 9999 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years begin in March, so that the leap day is the last one.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let days = year * 365 + year / 4 - year / 100 + (153 * month + 2) / 5 + day - 1;
    Some(era * 146_097 + days - 719_468)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::outside::Outside;

    fn verdict(card: &Value) -> Verdict {
        let outside = json!({"version": 1, "as_of": "2026-11-21T10:00:00Z", "scorecard": card});
        let outside = Outside::read(outside.to_string().as_bytes()).unwrap();
        let document = json!({"repository": {"url": "https://github.com/acme/widget"}});
        judge(&Evidence::of_document(&document).with_outside(outside).unwrap())
    }

    #[test]
    fn each_row_of_the_table_is_judged() {
        let checks = json!({"Token-Permissions": 10, "Dangerous-Workflow": 10, "Branch-Protection": 8});
        let card = |score: f64, check: &str, value: f64| {
            let mut checks = checks.clone();
            checks[check] = json!(value);
            json!({"repository": "acme/widget", "score": score, "checks": checks, "date": "2026-11-01"})
        };
        for (card, status, from, rule) in [
            (card(7.0, "Code-Review", 0.0), Status::Pass, None, ""),
            (card(6.9, "Code-Review", 0.0), Status::Warn, Some(4), "PR-05/low-score"),
            (card(5.0, "Code-Review", 0.0), Status::Warn, Some(4), "PR-05/low-score"),
            (card(4.9, "Code-Review", 0.0), Status::Fail, None, "PR-05/low-score"),
            (card(9.0, "Token-Permissions", 0.0), Status::Fail, None, "PR-05/check-failed"),
            (card(9.0, "Dangerous-Workflow", 0.0), Status::Fail, None, "PR-05/check-failed"),
            (card(9.0, "Branch-Protection", 4.0), Status::Fail, None, "PR-05/check-failed"),
            (card(9.0, "Branch-Protection", -1.0), Status::Warn, None, "PR-05/check-inconclusive"),
            (json!({"score": 9.0}), Status::NotRun, None, "PR-05/check-missing"),
            (json!({"score": 4.0}), Status::Fail, None, "PR-05/low-score"),
            (json!({"score": 9.0, "checks": {"Token-Permissions": 10}}), Status::NotRun, None, "PR-05/check-missing"),
            (json!({"score": 9.0, "checks": {"Token-Permissions": 0}}), Status::Fail, None, "PR-05/check-failed"),
            (json!({"score": 9.0, "checks": checks, "date": "2026-10-21"}), Status::Warn, None, "PR-05/old-result"),
            (json!({"score": 9.0, "checks": checks, "date": "2026-10-22"}), Status::Pass, None, ""),
            (json!({"score": 9.0, "checks": checks, "repository": "acme/other"}), Status::NotRun, None, ""),
            (Value::Null, Status::NotApplicable, None, ""),
        ] {
            let verdict = verdict(&card);
            assert_eq!((verdict.status, verdict.fails_from), (status, from), "{card}: {verdict:?}");
            assert!(rule.is_empty() || verdict.findings.iter().any(|f| f.rule == rule), "{card}: {verdict:?}");
        }
    }

    #[test]
    fn days_are_counted() {
        for (text, expected) in [
            ("1970-01-01", Some(0)),
            ("2000-03-01", Some(11_017)),
            ("2026-11-21T10:00:00Z", Some(20_778)),
            ("2026-13-01", None),
            ("2026", None),
            ("ééééééééé", None),
            ("999999-1-1", None),
        ] {
            assert_eq!(day(text), expected, "{text}");
        }
    }
}
