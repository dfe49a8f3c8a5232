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

/// Rules of CQ-02 that may fail a bundle. `install-hook` and `unread` only warn.
const MALWARE_RULES: [&str; 19] = [
    "agent-orders",
    "beacon",
    "constant-recipient",
    "destruction",
    "download-and-run",
    "encoded-code",
    "exfiltration",
    "forwarded-input",
    "hidden-code",
    "hidden-recipient",
    "install-network",
    "mining",
    "obfuscated-code",
    "persistence",
    "planted-access",
    "reverse-shell",
    "self-propagation",
    "spying",
    "start-up-hook",
];

fn malware_tally() -> set::Tally {
    let tallies = set::tallies().expect("every set is judged");
    tallies.into_iter().find(|tally| tally.set == "cq02").expect("the set of CQ-02")
}

#[test]
fn no_rule_of_malware_can_be_lost_unseen() {
    let tally = malware_tally();
    for rule in MALWARE_RULES {
        let alone = tally.named.values().any(|rules| rules.len() == 1 && rules.contains(rule));
        assert!(alone, "no case is found by `{rule}` alone");
    }
}

#[test]
fn nothing_of_malware_is_missed_but_what_is_listed() {
    let listed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/quality/cq02/known-misses.txt"));
    let listed = listed.expect("the list of known misses");
    let known: Vec<&str> = listed.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    let missed: Vec<String> = malware_tally().wrong.into_iter().map(|wrong| wrong.id).collect();
    let lost: Vec<&String> = missed.iter().filter(|id| !known.contains(&id.as_str())).collect();
    assert!(lost.is_empty(), "these were judged rightly before: {lost:?}");
}
