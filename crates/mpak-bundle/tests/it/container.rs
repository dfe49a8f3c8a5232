//! The table of nasty containers: every row built by code, with its verdict.
//!
//! Refused means: refused when opening or when reading, with this code, and nothing is extracted.
//! Accepted means: opened, sound, extracted byte by byte, with exactly these remarks.

use std::collections::BTreeSet;
use std::fs;

use mpak_bundle::archive::{Bundle, OpenError};
use mpak_bundle::extract::{ExtractError, ExtractOptions, extract};
use mpak_bundle::limits::Limits;
use mpak_testkit::zip::{ZipBuilder, temporary};

mod data;
mod end;
mod headers;
mod modes;
mod names;
mod random;

/// One case of the table.
pub(crate) struct Case {
    row: u32,
    what: String,
    bytes: Vec<u8>,
    limits: Limits,
    verdict: Verdict,
}

/// What must come of it.
pub(crate) enum Verdict {
    /// Accepted, with remarks of these codes.
    Accept(Vec<&'static str>),
    /// Refused with this code.
    Refuse(&'static str),
}

impl Case {
    pub(crate) fn accept(row: u32, what: &str, zip: &ZipBuilder, remarks: &[&'static str]) -> Self {
        Self::of(row, what, zip.build(), Verdict::Accept(remarks.to_vec()))
    }

    pub(crate) fn refuse(row: u32, what: &str, zip: &ZipBuilder, code: &'static str) -> Self {
        Self::of(row, what, zip.build(), Verdict::Refuse(code))
    }

    pub(crate) fn of(row: u32, what: &str, bytes: Vec<u8>, verdict: Verdict) -> Self {
        Self { row, what: what.escape_debug().to_string(), bytes, limits: Limits::default(), verdict }
    }

    pub(crate) fn within(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }

    /// A text for each thing that is not as the verdict says.
    fn check(&self) -> Option<String> {
        let name = format!("row {} ({})", self.row, self.what);
        match (&self.verdict, outcome(&self.bytes, &self.limits)) {
            (Verdict::Accept(expected), Ok(mut found)) => {
                let mut expected = expected.clone();
                expected.sort_unstable();
                found.sort_unstable();
                (expected != found).then(|| format!("{name}: remarks {found:?}, expected {expected:?}"))
            }
            (Verdict::Refuse(expected), Err((found, help))) => (*expected != found || help.is_empty())
                .then(|| format!("{name}: refused with {found} ({help}), expected {expected}")),
            (Verdict::Accept(_), Err((found, _))) => Some(format!("{name}: refused with {found}, expected accepted")),
            (Verdict::Refuse(expected), Ok(_)) => Some(format!("{name}: accepted, expected refused with {expected}")),
        }
    }
}

/// A good bundle, changed.
pub(crate) fn good(change: impl FnOnce(&mut ZipBuilder)) -> ZipBuilder {
    let mut zip = ZipBuilder::good();
    change(&mut zip);
    zip
}

/// Opens, reads and extracts; remarks, or code and help.
fn outcome(bytes: &[u8], limits: &Limits) -> Result<Vec<&'static str>, (&'static str, String)> {
    let refused = |error: &OpenError| (error.code(), error.help());
    let bundle = Bundle::open(temporary(bytes), limits).map_err(|error| refused(&error))?;
    let sound = bundle.archive.check_all();
    let dir = tempfile::tempdir().unwrap();
    let options = ExtractOptions { force_executable: bundle.executable(), ..ExtractOptions::default() };
    let extracted = extract(&bundle.archive, &dir.path().join("out"), options);
    let left = fs::read_dir(dir.path()).unwrap().count();
    match extracted {
        Ok(_) => {
            sound.unwrap();
            for entry in bundle.archive.entries() {
                let on_disk = fs::read(entry.path.below(&dir.path().join("out"))).unwrap();
                assert_eq!(on_disk, bundle.archive.read(entry, u64::MAX).unwrap());
            }
            Ok(bundle.archive.findings().iter().map(|finding| finding.code).collect())
        }
        Err(ExtractError::Archive(error)) => {
            assert_eq!(left, 0, "something stays after {error}");
            assert_eq!(sound.unwrap_err().code(), error.code());
            Err((error.code(), error.help().to_owned()))
        }
        Err(error) => panic!("{error:?}"),
    }
}

fn cases() -> Vec<Case> {
    [names::cases(), headers::cases(), data::cases(), end::cases(), modes::cases()].into_iter().flatten().collect()
}

#[test]
fn every_row_has_its_verdict() {
    let wrong: Vec<String> = cases().iter().filter_map(Case::check).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_row_of_the_table_has_a_case() {
    // 82 to 84 are about the file and the target, not about bytes: see `extract.rs`.
    let expected: BTreeSet<u32> = (0..=81).collect();
    let found: BTreeSet<u32> = cases().iter().map(|case| case.row).collect();
    assert_eq!(found, expected);
}

/// The words between quotes behind `=>` in `fn code`, and the values of constants.
fn codes_in(source: &str) -> BTreeSet<&str> {
    let lines = source.lines().map(str::trim);
    let quoted = lines.filter(|line| line.starts_with("Self::") || line.starts_with("pub const"));
    quoted
        .filter_map(|line| line.split_once('"'))
        .filter_map(|(_, rest)| rest.split_once('"'))
        .map(|(code, _)| code)
        .filter(|code| code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'))
        .collect()
}

#[test]
fn the_page_names_every_code() {
    let page = include_str!("../../../../docs/formats/container.md");
    let sources = [
        include_str!("../../src/archive/error.rs"),
        include_str!("../../src/archive/bundle.rs"),
        include_str!("../../src/archive/finding.rs"),
        include_str!("../../src/path.rs"),
    ];
    let codes: BTreeSet<&str> = sources.iter().flat_map(|source| codes_in(source)).collect();
    assert!(codes.len() > 70, "the sources are read wrongly: {codes:?}");
    let missing: Vec<_> = codes.iter().filter(|code| !page.contains(&format!("`{code}`"))).collect();
    assert!(missing.is_empty(), "not on the page: {missing:?}");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(code, _)| code);
    let invented: Vec<_> = rows.filter(|code| !codes.contains(code)).collect();
    assert!(invented.is_empty(), "on the page only: {invented:?}");
}
