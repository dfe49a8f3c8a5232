//! A bundle for each level: it reaches exactly that one, and what keeps it from the next is told.

use mpak_bundle::limits::Limits;
use mpak_scan::advice;
use mpak_scan::control::Status;
use mpak_scan::evidence::{Evidence, scan};
use mpak_scan::level;
use mpak_scan::outside::Outside;
use mpak_scan::report::Report;
use mpak_testkit::levels::{Fixture, fixture};

use crate::advisories::{Feeds, record};
use crate::world::archive;

fn judged(fixture: &Fixture) -> Report {
    let archive = archive(&fixture.bytes);
    let outside = Outside::read(fixture.evidence.to_string().as_bytes()).expect("a sound fixture");
    let evidence = Evidence::from_archive(&archive, &Limits::default()).expect("a sound fixture");
    let evidence = evidence
        .with_artifact(archive.sha256().expect("a sound fixture"))
        .expect("a sound fixture")
        .with_outside(outside)
        .expect("a sound fixture");
    scan(
        &evidence
            .with_advisories(&Feeds::new().osv(&[record("GHSA-1", "npm", "a")]).snapshot())
            .expect("a sound fixture"),
    )
}

/// Controls that do not hold at a level, by id.
fn short(report: &Report, level: u8) -> Vec<&str> {
    let short = report.controls.iter().filter(|c| c.level <= level && !c.satisfied_at(level));
    short.map(|c| c.id.as_str()).collect()
}

#[test]
fn each_fixture_reaches_exactly_its_level() {
    for (wanted, missing) in [
        (0, &["AI-01", "CD-01"][..]),
        (1, &["AI-01", "PR-01", "PR-02"]),
        (2, &["AI-03", "PR-03"]),
        (3, &["AI-04", "CQ-06", "PR-04"]),
        (4, &[]),
    ] {
        let report = judged(&fixture(wanted));
        assert_eq!(report.level, wanted, "{:#?}", short(&report, wanted));
        assert_eq!(report.assessed_level(), Some(wanted));
        // Nothing but what makes the next level is missing, and nothing stopped with an error.
        let next = (wanted + 1).min(level::LEVEL_MAX);
        assert_eq!(short(&report, next), missing, "level {wanted}");
        assert!(report.controls.iter().all(|c| c.status != Status::Error), "level {wanted}");
        assert_eq!(report.controls_run, report.controls.len(), "level {wanted}");
    }
}

#[test]
fn the_best_fixture_has_one_finding_and_all_points() {
    let report = judged(&fixture(4));
    // No record of a Python package says where it came from, which is told and blocks nothing.
    let found: Vec<&str> = report.findings().map(|(_, f)| f.rule.as_str()).collect();
    assert_eq!(found, ["SC-05/unrecorded-source"]);
    assert_eq!(report.score, 100);
}

#[test]
fn evidence_alone_makes_the_difference_between_the_upper_levels() {
    let mut bare = fixture(4);
    bare.evidence = serde_json::json!({"version": 1});
    let report = judged(&bare);
    assert_eq!(report.level, 1);
    assert_eq!(short(&report, 4), ["AI-03", "AI-04", "CQ-06", "PR-02", "PR-03", "PR-04"]);
}

#[test]
fn what_keeps_a_fixture_from_the_next_level_is_told() {
    for (level, expected) in [
        (0, "list the tools of the server in manifest.json"),
        (1, "add `repository` to manifest.json"),
        (2, "build and publish in a CI workflow that signs and attests what it built"),
        (3, "declare the reproducible build"),
    ] {
        let report = judged(&fixture(level));
        let advice = advice::to_level(&report, level + 1).unwrap();
        assert!(advice.edits.iter().any(|edit| edit.what.starts_with(expected)), "{level}: {advice:#?}");
    }
    assert!(advice::to_level(&judged(&fixture(4)), 5).is_none());
}
