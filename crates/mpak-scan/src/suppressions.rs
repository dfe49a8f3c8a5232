//! Findings that somebody answers for: shown with the reason, counted, and not counted against the level.
//!
//! In: entries of the manifest's extension, from the author of the bundle, and of a file that whoever scans
//! gives. Out: findings marked [`Suppressed`], and one [`Told`] per entry, also for those that change
//! nothing. No comment in code suppresses anything. An author answers only for controls whose judgement of
//! code can be wrong; never for malware, credentials or texts that speak to the model.
//! Format: docs/formats/suppressions.md.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::control::{Control, Status, Verdict};
use crate::report::{Finding, Severity, Suppressed, SuppressedBy};

mod entry;

pub use entry::{Entry, Place};

/// The JSON Schema of the file.
pub const SCHEMA: &str = include_str!("../../../docs/formats/suppressions.schema.json");
/// Largest file that is read.
pub const SUPPRESSIONS_BYTES_MAX: usize = 4 << 20;
/// Most entries of one source.
pub const ENTRIES_COUNT_MAX: usize = 1_000;

/// Controls whose findings an author may answer for.
const BY_AUTHOR: [&str; 4] = ["AI-05", "CQ-03", "CQ-04", "CQ-05"];
/// Rules of these about code that was not judged: its author's word is all that there would be.
const UNREAD: [&str; 1] = ["CQ-03/unread"];
/// Controls whose findings whoever scans may answer for. The others state what the manifest says or what is
/// known from outside: that is corrected there, and SC-02 has VEX.
const BY_SCANNER: [&str; 12] =
    ["AI-05", "CD-02", "CD-03", "CQ-01", "CQ-02", "CQ-03", "CQ-04", "CQ-05", "SC-01", "SC-03", "SC-04", "SC-05"];
/// Controls with rows of medium severity that block from a higher level on.
const STRICTER_FROM: [(&str, u8); 2] = [("SC-03", 3), ("CQ-04", 4)];

/// Everything that is to be suppressed.
#[derive(Clone, Debug, Default)]
pub struct Suppressions {
    entries: Vec<Entry>,
    today: Option<String>,
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It suppresses something.
    Applied,
    /// Nothing was found that it is about.
    Unmatched,
    /// Its time is over.
    Expired,
    /// It may not suppress this, or is not well-formed.
    Refused,
}

impl State {
    /// The word of the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unmatched => "unmatched",
            Self::Expired => "expired",
            Self::Refused => "refused",
        }
    }
}

/// An entry in the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Rule that it is about.
    pub id: String,
    /// Place that it is about.
    pub place: String,
    /// Why, in the words of whoever stated it.
    pub reason: String,
    /// Who stated it.
    pub by: SuppressedBy,
    /// Last day on which it counts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<String>,
    /// What became of it.
    pub state: State,
    /// How many findings it suppresses.
    pub findings_count: usize,
    /// Why it does not count.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
}

/// Why a file of suppressions cannot be read.
#[derive(Debug, Error)]
pub enum SuppressionsError {
    /// Too large.
    #[error("the suppressions have {bytes} bytes, expected at most {SUPPRESSIONS_BYTES_MAX}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Not JSON.
    #[error("the suppressions are not JSON: {0}")]
    Json(serde_json::Error),
    /// Neither of the formats.
    #[error("expected an object with `version` 1 and a list `suppressions`, or an OpenVEX document")]
    Shape,
    /// Too many entries.
    #[error("there are {count} suppressions, expected at most {ENTRIES_COUNT_MAX}")]
    Count {
        /// How many.
        count: usize,
    },
    /// An entry is not well-formed.
    #[error("suppression {number}: {what}")]
    Entry {
        /// From 1.
        number: usize,
        /// Expected and found.
        what: String,
    },
}

/// What a file holds.
#[derive(Debug, Default)]
pub struct FromFile {
    /// Entries.
    pub suppressions: Suppressions,
    /// The document, where it is a VEX document: statements about vulnerabilities, which SC-02 judges.
    pub vex: Option<Value>,
}

impl Suppressions {
    /// Reads the file of whoever scans: our own form, or an OpenVEX or CycloneDX VEX document.
    ///
    /// # Errors
    /// [`SuppressionsError`].
    pub fn read(bytes: &[u8]) -> Result<FromFile, SuppressionsError> {
        if bytes.len() > SUPPRESSIONS_BYTES_MAX {
            return Err(SuppressionsError::TooLarge { bytes: bytes.len() });
        }
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let document: Value = serde_json::from_slice(text).map_err(SuppressionsError::Json)?;
        if document.get("statements").is_some_and(Value::is_array)
            || document.get("vulnerabilities").is_some_and(Value::is_array)
        {
            return Ok(FromFile { vex: Some(document), ..FromFile::default() });
        }
        let list = document.get("suppressions").and_then(Value::as_array).ok_or(SuppressionsError::Shape)?;
        if document.get("version").and_then(Value::as_u64) != Some(1) {
            return Err(SuppressionsError::Shape);
        }
        if list.len() > ENTRIES_COUNT_MAX {
            return Err(SuppressionsError::Count { count: list.len() });
        }
        let mut entries = Vec::new();
        for (at, value) in list.iter().enumerate() {
            let entry = Entry::read(value, SuppressedBy::File);
            match &entry.flaw {
                Some(what) => return Err(SuppressionsError::Entry { number: at + 1, what: what.clone() }),
                None => entries.push(entry),
            }
        }
        Ok(FromFile { suppressions: Self { entries, today: None }, vex: None })
    }

    /// Sets the day from which ends are counted, `YYYY-MM-DD`; without it an entry with an end does not count.
    #[must_use]
    pub fn on(mut self, today: Option<String>) -> Self {
        self.today = today.filter(|day| entry::is_day(day));
        self
    }

    /// Sets the day where it is not known yet.
    pub(crate) fn or_on(self, day: Option<&str>) -> Self {
        if self.today.is_some() { self } else { self.on(day.map(str::to_owned)) }
    }

    /// Adds the entries of a manifest's extension; what is not well-formed is told.
    pub(crate) fn and_of_manifest(&self, extension: Option<&Value>) -> Self {
        let mut all = self.clone();
        let Some(value) = extension.and_then(|e| e.get("suppressions")) else { return all };
        let list = value.as_array().map_or(&[][..], Vec::as_slice);
        all.entries.extend(list.iter().take(ENTRIES_COUNT_MAX).map(|v| Entry::read(v, SuppressedBy::Manifest)));
        all
    }

    /// Refuses the entries that a policy does not allow.
    pub(crate) fn permitted(&mut self, allowed: &dyn Fn(&Entry) -> Option<String>) {
        for entry in self.entries.iter_mut().filter(|entry| entry.flaw.is_none()) {
            entry.flaw = allowed(entry);
        }
    }

    /// A judge of one scan.
    pub(crate) fn applied(&self) -> Applied<'_> {
        let used = |entry| Used { entry, dead: self.dead(entry), findings_count: 0 };
        Applied { used: self.entries.iter().map(used).collect() }
    }

    /// Why an entry does not count, whatever is found.
    fn dead(&self, entry: &Entry) -> Option<(State, String)> {
        if let Some(flaw) = &entry.flaw {
            return Some((State::Refused, flaw.clone()));
        }
        let (may, who): (&[&str], _) = match entry.by {
            SuppressedBy::Manifest => (&BY_AUTHOR, "an author cannot answer for"),
            SuppressedBy::File => (&BY_SCANNER, "nothing suppresses"),
        };
        let control = entry.id.split('/').next().unwrap_or_default();
        if !may.contains(&control) {
            return Some((State::Refused, format!("{who} findings of {control}")));
        }
        if entry.by == SuppressedBy::Manifest && UNREAD.contains(&entry.id.as_str()) {
            return Some((State::Refused, "an author cannot answer for code that nobody could read".to_owned()));
        }
        let until = entry.until.as_ref()?;
        match &self.today {
            None => Some((State::Refused, "it has an end, and today's date is not known".to_owned())),
            Some(today) if today > until => Some((State::Expired, format!("it ended on {until}"))),
            Some(_) => None,
        }
    }
}

/// Suppressions at work in one scan.
pub(crate) struct Applied<'a> {
    used: Vec<Used<'a>>,
}

/// An entry at work.
struct Used<'a> {
    entry: &'a Entry,
    /// Why it does not count, whatever is found.
    dead: Option<(State, String)>,
    findings_count: usize,
}

impl Applied<'_> {
    /// Marks what is suppressed, and judges the control again by what is not.
    pub(crate) fn judge(&mut self, control: &Control, mut verdict: Verdict) -> Verdict {
        let mut count = 0;
        let mut lifted = false;
        for finding in &mut verdict.findings {
            let about = |used: &&mut Used<'_>| used.dead.is_none() && used.entry.is_about(finding);
            let Some(used) = self.used.iter_mut().find(about) else { continue };
            used.findings_count += 1;
            count += 1;
            lifted |= finding.severity >= Severity::Medium;
            finding.suppressed = Some(Suppressed { by: used.entry.by, reason: used.entry.reason.clone() });
        }
        let suppressed = match count {
            0 => return verdict,
            1 => "1 finding is suppressed".to_owned(),
            count => format!("{count} findings are suppressed"),
        };
        verdict.reason = format!("{}; {suppressed}", verdict.reason);
        let blocking = |f: &Finding| f.suppressed.is_some() && f.severity >= Severity::High;
        let unblocked = verdict.findings.iter().any(blocking);
        if lifted { again(control, verdict, unblocked) } else { verdict }
    }

    /// What became of each entry.
    pub(crate) fn told(self) -> Vec<Told> {
        self.used.into_iter().map(Used::told).collect()
    }
}

impl Used<'_> {
    fn told(self) -> Told {
        let Self { entry, dead, findings_count } = self;
        let (state, note) = match dead {
            Some((state, note)) => (state, Some(note)),
            None if findings_count == 0 => (State::Unmatched, Some("nothing of this rule was found there".to_owned())),
            None => (State::Applied, None),
        };
        Told {
            id: entry.id.clone(),
            place: entry.place.to_string(),
            reason: entry.reason.clone(),
            by: entry.by,
            until: entry.until.clone(),
            state,
            findings_count,
            note,
        }
    }
}

/// Rows that block are of high severity or worse; those that block from a higher level on are of medium
/// severity. A control that no such row speaks against any more, as one did, passes with findings, unless something
/// could not be judged at all: nobody answers for that.
pub(crate) fn again(control: &Control, mut verdict: Verdict, unblocked: bool) -> Verdict {
    let worst = verdict.findings.iter().filter(|f| f.suppressed.is_none()).map(|f| f.severity).max();
    let blocked = |by: Severity| worst.is_some_and(|worst| worst >= by);
    if verdict.status == Status::Fail && unblocked && !blocked(Severity::High) {
        verdict.status = if verdict.open.is_some() { Status::NotRun } else { Status::Warn };
        if let Some(open) = &verdict.open {
            verdict.reason = format!("{open}; {}", verdict.reason);
        }
        verdict.fails_from = STRICTER_FROM.iter().find(|(id, _)| *id == control.id).map(|(_, from)| *from);
    }
    verdict.fails_from = verdict.fails_from.filter(|_| blocked(Severity::Medium));
    verdict
}

#[cfg(test)]
mod tests;
