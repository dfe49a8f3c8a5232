//! One entry: which rule, where, why, until when.

use std::fmt;

use serde_json::Value;

use crate::report::{Finding, SuppressedBy};

/// Longest text of an entry.
const TEXT_CHARS_MAX: usize = 500;
/// Shortest reason that says something.
const REASON_CHARS_MIN: usize = 8;
/// What stands for findings without a file.
const BUNDLE: &str = "bundle";

/// Where a suppressed finding is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// No file: the bundle as a whole.
    Bundle,
    /// Anywhere in a file.
    File(String),
    /// One line of a file.
    Line(String, u32),
}

impl Place {
    /// `bundle`, `path` or `path:line`.
    fn parse(text: &str) -> Self {
        if text == BUNDLE {
            return Self::Bundle;
        }
        let line = text.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse().ok()?)));
        match line {
            Some((file, line)) if !file.is_empty() => Self::Line(file.to_owned(), line),
            _ => Self::File(text.to_owned()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bundle => f.write_str(BUNDLE),
            Self::File(file) => f.write_str(file),
            Self::Line(file, line) => write!(f, "{file}:{line}"),
        }
    }
}

/// One entry as it was stated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Rule, for example `CQ-05/shell`.
    pub id: String,
    /// Where.
    pub place: Place,
    /// Why.
    pub reason: String,
    /// Last day on which it counts, `YYYY-MM-DD`.
    pub until: Option<String>,
    /// Who stated it.
    pub by: SuppressedBy,
    /// Why it does not count, where that is so.
    pub(super) flaw: Option<String>,
}

impl Entry {
    /// Reads an entry; what is wrong with it becomes its flaw.
    pub(super) fn read(value: &Value, by: SuppressedBy) -> Self {
        let text = |field: &str| {
            let text = value.get(field).and_then(Value::as_str).unwrap_or_default().trim();
            text.chars().take(TEXT_CHARS_MAX).collect::<String>()
        };
        let (id, place, reason) = (text("id"), text("place"), text("reason"));
        let until = value.get("until").filter(|until| !until.is_null()).map(|_| text("until"));
        let flaw = if !is_rule(&id) {
            Some("expected `id` to be a rule such as `CQ-05/shell`".to_owned())
        } else if place.is_empty() {
            Some("expected `place`: `path`, `path:line` or `bundle`".to_owned())
        } else if reason.chars().count() < REASON_CHARS_MIN {
            Some(format!("expected `reason`, a text of {REASON_CHARS_MIN} characters or more"))
        } else if until.as_deref().is_some_and(|until| !is_day(until)) {
            Some("expected `until` to be a day such as `2027-06-30`".to_owned())
        } else {
            None
        };
        Self { id, place: Place::parse(&place), reason, until, by, flaw }
    }

    /// Whether it is about a finding.
    pub(super) fn is_about(&self, finding: &Finding) -> bool {
        self.id == finding.rule
            && match &self.place {
                Place::Bundle => finding.file.is_none(),
                Place::File(file) => finding.file.as_ref() == Some(file),
                Place::Line(file, line) => finding.file.as_ref() == Some(file) && finding.line == Some(*line),
            }
    }
}

/// `XX-00/words`.
fn is_rule(id: &str) -> bool {
    id.split_once('/').is_some_and(|(control, rule)| crate::controls::find(control).is_some() && !rule.is_empty())
}

/// `YYYY-MM-DD`, so that days compare as texts.
pub(super) fn is_day(text: &str) -> bool {
    let digits = |range: std::ops::Range<usize>, low: u32, high: u32| {
        text.get(range)
            .filter(|part| part.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|part| part.parse().ok())
            .is_some_and(|n: u32| (low..=high).contains(&n))
    };
    let dashes = text.as_bytes().get(4) == Some(&b'-') && text.as_bytes().get(7) == Some(&b'-');
    text.len() == 10 && dashes && digits(0..4, 0, 9_999) && digits(5..7, 1, 12) && digits(8..10, 1, 31)
}
