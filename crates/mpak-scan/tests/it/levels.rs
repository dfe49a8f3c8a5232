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

/// The level that would be reached if the controls without code passed.
fn reached(report: &Report) -> u8 {
    let mut controls = report.controls.clone();
    for control in &mut controls {
        if control.reason == "not implemented yet" {
            control.status = Status::Pass;
        }
    }
    level::reached(&controls)
}

#[test]
fn each_fixture_reaches_exactly_its_level() {
    for wanted in 0..=level::LEVEL_MAX {
        let report = judged(&fixture(wanted));
        let short: Vec<String> = report
            .controls
            .iter()
            .filter(|c| c.level <= wanted && !c.satisfied_at(wanted))
            .map(|c| format!("{} {:?} {} {:?}", c.id, c.status, c.reason, c.findings))
            .collect();
        assert_eq!(reached(&report), wanted, "{short:#?}");
    }
}

#[test]
fn evidence_alone_makes_the_difference_between_the_upper_levels() {
    let mut bare = fixture(4);
    bare.evidence = serde_json::json!({"version": 1});
    assert_eq!(reached(&judged(&bare)), 1);
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
