//! JSON with holes for what differs between two answers about the same state of a package: the registry's
//! address and counts of downloads.
//!
//! A text is rendered with marks where the holes will be, which nobody outside this process can know, and
//! kept with a control character for each, which JSON never has as such (RFC 8259 §7).

use std::io::Write as _;
use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem;

use crate::counts::Lookup;

/// Address of the registry.
const BASE: u8 = 1;
/// Downloads of the package.
const PACKAGE: u8 = 2;
/// Downloads of a version, whose key follows in eight bytes.
const VERSION: u8 = 3;
/// At the begin only: as the summary of the package, up to its first hole.
const SUMMARY: u8 = 4;

static BASE_MARK: LazyLock<String> = LazyLock::new(|| format!("mpak-base-{:016x}{:016x}", random(), random()));
/// Ten digits.
static COUNT_MARK: LazyLock<u64> =
    LazyLock::new(|| COUNT_MARKS.start + random() % (COUNT_MARKS.end - COUNT_MARKS.start));
const COUNT_MARKS: Range<u64> = 1_000_000_000..10_000_000_000;
/// Digits after the mark, which say whose count it is.
const PLACE_DIGITS: usize = 9;
const PLACES: u64 = 1_000_000_000;

fn random() -> u64 {
    let mut bytes = [0_u8; 8];
    // Without randomness an author could make holes, and learn only what every answer says.
    let _ = getrandom::fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// Stands where the registry's address will be.
pub(crate) fn base() -> &'static str {
    &BASE_MARK
}

/// Stands where the downloads of the package will be.
pub(crate) fn package_downloads() -> u64 {
    *COUNT_MARK * PLACES
}

/// Stands where the downloads of a version will be.
pub(crate) fn version_downloads(place: usize) -> u64 {
    package_downloads() + (place as u64 + 1).min(PLACES - 1)
}

/// The template of a rendered text; a version's place is that of its key here.
pub(crate) fn of(json: &[u8], versions: &[i64]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len());
    let mark = COUNT_MARK.to_string();
    for (number, part) in split(json, BASE_MARK.as_bytes()).enumerate() {
        if number > 0 {
            out.push(BASE);
        }
        for (number, part) in split(part, mark.as_bytes()).enumerate() {
            let mut rest = part;
            if number > 0 {
                let digits = part.get(..PLACE_DIGITS).and_then(|digits| std::str::from_utf8(digits).ok());
                match digits.and_then(|digits| digits.parse::<usize>().ok()) {
                    Some(place) => {
                        rest = &part[PLACE_DIGITS..];
                        hole(&mut out, place.checked_sub(1).and_then(|place| versions.get(place)));
                    }
                    None => out.extend_from_slice(mark.as_bytes()),
                }
            }
            out.extend_from_slice(rest);
        }
    }
    out
}

fn hole(out: &mut Vec<u8>, version: Option<&i64>) {
    match version {
        Some(id) => {
            out.push(VERSION);
            out.extend_from_slice(&id.to_le_bytes());
        }
        None => out.push(PACKAGE),
    }
}

fn split<'a>(mut text: &'a [u8], mark: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut over = false;
    std::iter::from_fn(move || {
        if over {
            return None;
        }
        Some(if let Some(at) = memmem::find(text, mark) {
            let part = &text[..at];
            text = &text[at + mark.len()..];
            part
        } else {
            over = true;
            text
        })
    })
}

/// What a summary says before its first hole.
fn head(summary: &[u8]) -> &[u8] {
    &summary[..memchr::memchr3(BASE, PACKAGE, VERSION, summary).unwrap_or(summary.len())]
}

/// Where the count of the package stands in a template that has no other hole.
pub(crate) fn only_count(template: &[u8]) -> Option<usize> {
    let at = memchr::memchr3(BASE, PACKAGE, VERSION, template)?;
    let is_only = memchr::memchr3(BASE, PACKAGE, VERSION, &template[at + 1..]).is_none();
    (template[at] == PACKAGE && template[0] != SUMMARY && is_only).then_some(at)
}

/// A template without what it has in common with the package's summary.
pub(crate) fn beside(summary: &[u8], template: Vec<u8>) -> Vec<u8> {
    match template.strip_prefix(head(summary)) {
        Some(rest) => [&[SUMMARY], rest].concat(),
        None => template,
    }
}

/// What the holes of a package's templates are filled with.
pub(crate) struct Fill<'a> {
    /// Address of the registry, free of what JSON escapes.
    pub(crate) base: &'a str,
    /// Key of the package.
    pub(crate) package: i64,
    /// Its summary's template, where it is needed.
    pub(crate) summary: &'a [u8],
    /// Without them all counts are 0.
    pub(crate) counts: Option<&'a Lookup<'a>>,
}

impl Fill<'_> {
    /// Appends a template whose only hole is where [`only_count`] said.
    pub(crate) fn write_around(&self, template: &[u8], at: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(&template[..at]);
        number(out, self.counts.map_or(0, |counts| counts.package(self.package)));
        out.extend_from_slice(&template[at + 1..]);
    }

    /// Appends a template with its holes filled.
    pub(crate) fn write(&self, template: &[u8], out: &mut Vec<u8>) {
        let mut rest = template;
        if let Some(own) = template.strip_prefix(&[SUMMARY]) {
            out.extend_from_slice(head(self.summary));
            rest = own;
        }
        while let Some(at) = memchr::memchr3(BASE, PACKAGE, VERSION, rest) {
            out.extend_from_slice(&rest[..at]);
            let hole = rest[at];
            rest = &rest[at + 1..];
            match (hole, self.counts) {
                (BASE, _) => out.extend_from_slice(self.base.as_bytes()),
                (PACKAGE, counts) => number(out, counts.map_or(0, |counts| counts.package(self.package))),
                (_, counts) => {
                    let Some((id, after)) = rest.split_first_chunk() else { break };
                    number(out, counts.map_or(0, |counts| counts.version(i64::from_le_bytes(*id))));
                    rest = after;
                }
            }
        }
        out.extend_from_slice(rest);
    }
}

fn number(out: &mut Vec<u8>, number: u64) {
    // Writing to a vector does not fail.
    let _ = write!(out, "{number}");
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::counts::{Counted, Counts};

    #[test]
    fn holes_are_filled_and_the_rest_stays() {
        let value = json!({
            "url": format!("{}/x", base()), "n": package_downloads(), "text": "\u{1}\u{2}\u{3}12345678\u{4}",
            "versions": [version_downloads(0), version_downloads(1)], "again": base(), "near": *COUNT_MARK,
        });
        let counts = Counts::default();
        for (version, times) in [(10, 2), (-20, 3)] {
            (0..times).for_each(|_| counts.add(Counted { artifact: 1, version, package: 5 }));
        }
        let template = of(value.to_string().as_bytes(), &[10, -20]);
        assert_eq!(only_count(&template), None);
        let lookup = counts.lookup();
        let fill = Fill { base: "http://a.example", package: 5, summary: b"", counts: Some(&lookup) };
        let mut out = Vec::new();
        fill.write(&template, &mut out);
        let expect = json!({
            "url": "http://a.example/x", "n": 5, "text": "\u{1}\u{2}\u{3}12345678\u{4}", "versions": [2, 3],
            "again": "http://a.example", "near": *COUNT_MARK,
        });
        assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), expect);
        let mut zero = Vec::new();
        Fill { counts: None, ..fill }.write(&template, &mut zero);
        assert_eq!(serde_json::from_slice::<Value>(&zero).unwrap()["versions"], json!([0, 0]));
    }

    #[test]
    fn a_count_that_is_the_only_hole_is_filled_where_it_stands() {
        let counts = Counts::default();
        (0..1_234).for_each(|_| counts.add(Counted { artifact: 1, version: 2, package: 5 }));
        let lookup = counts.lookup();
        let fill = Fill { base: "", package: 5, summary: b"", counts: Some(&lookup) };
        let template = of(json!({"a": "\u{2}", "n": package_downloads(), "z": 1}).to_string().as_bytes(), &[]);
        let (mut around, mut out) = (Vec::new(), Vec::new());
        fill.write_around(&template, only_count(&template).unwrap(), &mut around);
        fill.write(&template, &mut out);
        assert_eq!(String::from_utf8(around).unwrap(), String::from_utf8(out).unwrap());
        for other in [b"".as_slice(), b"none", &[PACKAGE, b'x', PACKAGE], &[b'x', BASE], &[SUMMARY, PACKAGE]] {
            assert_eq!(only_count(other), None, "{other:?}");
        }
    }

    #[test]
    fn what_the_summary_says_is_not_kept_twice() {
        let summary = of(json!({"name": "a", "n": package_downloads(), "x": 1}).to_string().as_bytes(), &[]);
        for (other, shares) in
            [(json!({"name": "a", "n": package_downloads(), "y": 2}), true), (json!({"y": 2}), false)]
        {
            let template = beside(&summary, of(other.to_string().as_bytes(), &[]));
            assert_eq!(template.first() == Some(&SUMMARY), shares);
            let mut out = Vec::new();
            Fill { base: "", package: 1, summary: &summary, counts: None }.write(&template, &mut out);
            let shown: Value = serde_json::from_slice(&out).unwrap();
            assert_eq!((&shown["y"], &shown["name"]), (&other["y"], &other["name"]));
        }
    }
}
