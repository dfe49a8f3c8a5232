//! Levels and the trust score.
//!
//! Levels are cumulative: level N needs every control required up to N. Weights and caps of the score:
//! docs/controls/README.md.

use crate::report::{ControlResult, Severity};

/// The highest level.
pub const LEVEL_MAX: u8 = 4;

/// Weight of one control in the score, by the level that requires it.
const WEIGHTS: [u32; 5] = [0, 8, 4, 2, 2];
/// Added when nothing above low severity was found.
const CLEAN_BONUS: u32 = 2;
/// Highest score at a level.
const CAPS: [u8; 5] = [39, 69, 89, 100, 100];

/// The name of a level, `None` for 0.
pub fn name(level: u8) -> Option<&'static str> {
    match level {
        1 => Some("Basic"),
        2 => Some("Standard"),
        3 => Some("Verified"),
        4 => Some("Attested"),
        _ => None,
    }
}

/// The highest level whose controls are all satisfied at it.
pub fn reached(results: &[ControlResult]) -> u8 {
    let holds = |&level: &u8| results.iter().filter(|c| c.level <= level).all(|c| c.satisfied_at(level));
    (1..=LEVEL_MAX).take_while(holds).last().unwrap_or(0)
}

/// Weighted share of satisfied controls, 0 to 100, capped by the level.
pub fn score(results: &[ControlResult], level: u8) -> u8 {
    let weight = |c: &ControlResult| WEIGHTS.get(usize::from(c.level)).copied().unwrap_or(0);
    let satisfied: u32 = results.iter().filter(|c| c.status.satisfied()).map(weight).sum();
    let clean = results.iter().flat_map(|c| &c.findings).all(|f| f.severity <= Severity::Low);
    let sum = satisfied + if clean { CLEAN_BONUS } else { 0 };
    let cap = CAPS[usize::from(level.min(LEVEL_MAX))];
    u8::try_from(sum).unwrap_or(100).min(cap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Status;
    use crate::controls::CONTROLS;
    use crate::report::Finding;

    fn all(status: Status) -> Vec<ControlResult> {
        CONTROLS
            .iter()
            .map(|c| ControlResult {
                id: c.id.to_owned(),
                name: c.name.to_owned(),
                level: c.level,
                status,
                reason: String::new(),
                fails_from: None,
                findings: Vec::new(),
            })
            .collect()
    }

    fn with(id: &str, change: impl Fn(&mut ControlResult)) -> Vec<ControlResult> {
        let mut results = all(Status::Pass);
        change(results.iter_mut().find(|c| c.id == id).unwrap());
        results
    }

    #[test]
    fn levels_are_cumulative() {
        assert_eq!(reached(&all(Status::Pass)), 4);
        for (id, expected) in [("CQ-02", 0), ("SC-03", 1), ("AI-03", 2), ("PR-04", 3)] {
            for status in [Status::Fail, Status::NotRun, Status::Error] {
                assert_eq!(reached(&with(id, |c| c.status = status)), expected, "{id} {status:?}");
            }
            for status in [Status::Warn, Status::NotApplicable] {
                assert_eq!(reached(&with(id, |c| c.status = status)), 4, "{id} {status:?}");
            }
        }
    }

    #[test]
    fn a_stricter_row_caps_the_level_below_it() {
        let results = with("CD-01", |c| c.fails_from = Some(2));
        assert_eq!(reached(&results), 1);
        assert!(!results.iter().any(|c| c.fails_at(1)));
        assert_eq!(results.iter().filter(|c| c.fails_at(2)).count(), 1);
    }

    #[test]
    fn the_score_is_a_weighted_share_with_caps() {
        let scored = |results: &[ControlResult]| score(results, reached(results));
        assert_eq!(scored(&all(Status::Pass)), 100);
        assert_eq!(scored(&all(Status::NotRun)), 2);
        assert_eq!(scored(&with("AI-01", |c| c.status = Status::Fail)), 39);
        assert_eq!(scored(&with("PR-01", |c| c.status = Status::Fail)), 69);
        assert_eq!(scored(&with("PR-05", |c| c.status = Status::NotRun)), 89);
        let medium = |c: &mut ControlResult| c.findings.push(Finding::new("x", Severity::Medium, "x"));
        assert_eq!(scored(&with("AI-01", medium)), 98);
    }

    #[test]
    fn each_level_requires_what_the_framework_lists() {
        let up_to = |level: u8| CONTROLS.iter().filter(|c| c.level <= level).count();
        assert_eq!([1, 2, 3, 4].map(up_to), [5, 14, 22, 25]);
    }
}
