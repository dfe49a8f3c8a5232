//! The controls agree with the labelled sets.

use mpak_scan::rules::Confidence;
use set::{PRECISION_MIN, RECALL_MIN};

#[path = "../../examples/quality/set.rs"]
mod set;

#[test]
fn no_set_is_below_its_floors() {
    let tallies = set::tallies().expect("every set is judged");
    assert!(!tallies.is_empty());
    for tally in tallies {
        assert!(tally.positives > 0 && tally.negatives > 0, "{} has only one kind of case", tally.set);
        let wrong: Vec<String> = tally
            .wrong
            .iter()
            .map(|wrong| format!("{:?} {} ({}) {:?}", wrong.label, wrong.id, wrong.note, wrong.found))
            .collect();
        assert!(tally.recall() >= RECALL_MIN, "{}: recall {}\n{}", tally.set, tally.recall(), wrong.join("\n"));
        assert!(
            tally.precision() >= PRECISION_MIN,
            "{}: precision {}\n{}",
            tally.set,
            tally.precision(),
            wrong.join("\n")
        );
    }
}

#[test]
fn the_sets_themselves_hold_no_credential() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/quality/cq01");
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("a set").path();
        let name = path.display().to_string();
        let text = std::fs::read(&path).expect("a set");
        let found = mpak_scan::secrets::scan_file(&name, &text).hits;
        let sure = found.iter().filter(|hit| hit.confidence == Confidence::High);
        let sure: Vec<_> = sure.map(|hit| (&hit.rule.id, hit.line)).collect();
        assert!(sure.is_empty(), "{name}: {sure:?}");
    }
}
