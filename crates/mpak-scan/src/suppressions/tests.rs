//! What is suppressed, what is not, and what is told.

use serde_json::json;

use super::*;

fn control(id: &'static str) -> Control {
    Control { id, name: "X", level: 2, domain: "x", page: "", judge: None }
}

fn failing(rule: &str, rest: &[(&str, Severity)]) -> Verdict {
    let mut findings = vec![Finding::new(rule, Severity::Critical, "t").at("a.py", Some(3))];
    findings.extend(rest.iter().map(|(rule, severity)| Finding::new(*rule, *severity, "t").at("b.py", Some(9))));
    Verdict::fail("it fails", findings)
}

fn in_manifest(entries: &Value) -> Suppressions {
    Suppressions::default().and_of_manifest(Some(&json!({"suppressions": entries})))
}

fn entry(id: &str, place: &str) -> Value {
    json!({"id": id, "place": place, "reason": "checked by hand, see the issue"})
}

#[test]
fn what_is_suppressed_is_shown_counted_and_no_longer_fails() {
    let all = in_manifest(&json!([entry("CQ-05/shell", "a.py:3")]));
    let mut applied = all.applied();
    let verdict = applied.judge(&control("CQ-05"), failing("CQ-05/shell", &[("CQ-05/shell", Severity::Medium)]));
    assert_eq!((verdict.status, verdict.fails_from), (Status::Warn, None));
    assert_eq!(verdict.reason, "it fails; 1 finding is suppressed");
    let marked = verdict.findings[0].suppressed.as_ref().unwrap();
    assert_eq!((marked.by, marked.reason.as_str()), (SuppressedBy::Manifest, "checked by hand, see the issue"));
    assert_eq!(verdict.findings[1].suppressed, None);
    let told = applied.told();
    assert_eq!((told[0].state, told[0].findings_count, told[0].place.as_str()), (State::Applied, 1, "a.py:3"));
}

#[test]
fn a_finding_that_is_not_suppressed_still_fails() {
    let all = in_manifest(&json!([entry("CQ-05/shell", "a.py")]));
    let verdict = all.applied().judge(&control("CQ-05"), failing("CQ-05/shell", &[("CQ-05/code", Severity::High)]));
    assert_eq!(verdict.status, Status::Fail);
    assert!(verdict.findings[0].suppressed.is_some());
}

#[test]
fn nothing_in_the_bundle_speaks_for_malware_secrets_or_texts_to_the_model() {
    for id in ["CQ-01/github-token", "CQ-02/reverse-shell", "CD-03/override", "SC-02/critical", "AI-01/missing-tools"] {
        let all = in_manifest(&json!([entry(id, "a.py")]));
        let mut applied = all.applied();
        let name: &'static str = crate::controls::find(&id[..5]).unwrap().id;
        assert_eq!(applied.judge(&control(name), failing(id, &[])).status, Status::Fail, "{id}");
        let told = applied.told();
        assert_eq!((told[0].state, told[0].findings_count), (State::Refused, 0), "{id}");
        assert!(told[0].note.as_ref().unwrap().contains(&id[..5]), "{told:?}");
    }
}

#[test]
fn whoever_scans_may_answer_for_more() {
    let file = json!({"version": 1, "suppressions": [entry("CQ-01/github-token", "a.py"), entry("AI-01/x", "a.py")]});
    let all = Suppressions::read(file.to_string().as_bytes()).unwrap().suppressions;
    let mut applied = all.applied();
    assert_eq!(applied.judge(&control("CQ-01"), failing("CQ-01/github-token", &[])).status, Status::Warn);
    assert_eq!(applied.judge(&control("AI-01"), failing("AI-01/x", &[])).status, Status::Fail);
    let states: Vec<State> = applied.told().iter().map(|told| told.state).collect();
    assert_eq!(states, [State::Applied, State::Refused]);
}

#[test]
fn an_entry_with_an_end_counts_until_that_day() {
    let mut ends = entry("CQ-05/shell", "a.py");
    ends["until"] = json!("2027-06-30");
    for (today, state) in [
        (Some("2027-06-30"), State::Applied),
        (Some("2027-07-01"), State::Expired),
        (None, State::Refused),
        (Some("tomorrow"), State::Refused),
    ] {
        let all = in_manifest(&json!([ends])).on(today.map(str::to_owned));
        let mut applied = all.applied();
        let verdict = applied.judge(&control("CQ-05"), failing("CQ-05/shell", &[]));
        assert_eq!(verdict.status == Status::Warn, state == State::Applied, "{today:?}");
        assert_eq!(applied.told()[0].state, state, "{today:?}");
    }
}

#[test]
fn a_day_that_is_given_beats_that_of_the_evidence() {
    let mut ends = entry("CQ-05/shell", "a.py");
    ends["until"] = json!("2027-06-30");
    for (given, evidence, state) in [
        (Some("2027-07-01"), Some("2026-11-21"), State::Expired),
        (None, Some("2026-11-21"), State::Applied),
        (None, Some("2027-07-01"), State::Expired),
        (None, None, State::Refused),
    ] {
        let all = in_manifest(&json!([ends])).on(given.map(str::to_owned)).or_on(evidence);
        let mut applied = all.applied();
        let _judged = applied.judge(&control("CQ-05"), failing("CQ-05/shell", &[]));
        assert_eq!(applied.told()[0].state, state, "{given:?} {evidence:?}");
    }
}

#[test]
fn entries_that_say_too_little_are_told_and_do_not_count() {
    for (spoiled, expected) in [
        (json!({"place": "a.py", "reason": "a good reason"}), "`id`"),
        (json!({"id": "CQ-05", "place": "a.py", "reason": "a good reason"}), "`id`"),
        (json!({"id": "CQ-05/shell", "reason": "a good reason"}), "`place`"),
        (json!({"id": "CQ-05/shell", "place": "a.py"}), "`reason`"),
        (json!({"id": "CQ-05/shell", "place": "a.py", "reason": "ok"}), "`reason`"),
        (json!({"id": "CQ-05/shell", "place": "a.py", "reason": "a good reason", "until": "soon"}), "`until`"),
        (json!(7), "`id`"),
    ] {
        let all = in_manifest(&json!([spoiled]));
        let mut applied = all.applied();
        assert_eq!(applied.judge(&control("CQ-05"), failing("CQ-05/shell", &[])).status, Status::Fail, "{spoiled}");
        let told = applied.told();
        assert_eq!(told[0].state, State::Refused);
        assert!(told[0].note.as_ref().unwrap().contains(expected), "{spoiled}: {told:?}");
        let file = json!({"version": 1, "suppressions": [spoiled]});
        let error = Suppressions::read(file.to_string().as_bytes()).unwrap_err().to_string();
        assert!(error.contains("suppression 1") && error.contains(expected), "{spoiled}: {error}");
    }
}

#[test]
fn an_entry_about_nothing_is_told() {
    let all = in_manifest(&json!([entry("CQ-05/shell", "a.py:4"), entry("CQ-05/shell", "bundle")]));
    let mut applied = all.applied();
    assert_eq!(applied.judge(&control("CQ-05"), failing("CQ-05/shell", &[])).status, Status::Fail);
    assert!(applied.told().iter().all(|told| told.state == State::Unmatched));
}

#[test]
fn a_stricter_row_keeps_its_level_when_what_failed_is_suppressed() {
    let file = json!({"version": 1, "suppressions": [entry("SC-03/unpinned", "a.py")]});
    let all = Suppressions::read(file.to_string().as_bytes()).unwrap().suppressions;
    for (rest, from) in [(Severity::Medium, Some(3)), (Severity::Low, None)] {
        let verdict = failing("SC-03/unpinned", &[("SC-03/no-hash", rest)]);
        let verdict = all.applied().judge(&control("SC-03"), verdict);
        assert_eq!((verdict.status, verdict.fails_from), (Status::Warn, from));
    }
}

#[test]
fn files_of_other_kinds_are_refused_and_vex_is_handed_on() {
    for bad in ["", "[]", "{}", r#"{"version":2,"suppressions":[]}"#, r#"{"version":1,"suppressions":{}}"#] {
        assert!(Suppressions::read(bad.as_bytes()).is_err(), "{bad}");
    }
    let many = json!({"version": 1, "suppressions": vec![1; ENTRIES_COUNT_MAX + 1]});
    assert!(matches!(Suppressions::read(many.to_string().as_bytes()), Err(SuppressionsError::Count { .. })));
    assert!(matches!(
        Suppressions::read(&vec![b' '; SUPPRESSIONS_BYTES_MAX + 1]),
        Err(SuppressionsError::TooLarge { .. })
    ));
    let vex = Suppressions::read(br#"{"@context":"https://openvex.dev/ns/v0.2.0","statements":[]}"#).unwrap();
    assert!(vex.vex.is_some());
}
