//! Reports of earlier scans, found again by everything that decides them: the scanner, the bundle's bytes, and what is
//! given beside them.
//!
//! In: digests and texts of whoever scans. Out: the report of exactly that, or none. Each report is a file of its own in
//! a folder of whoever scans, named by the bundle's length and by a digest over all of that, so that a scan of a bundle
//! of another length needs no digest at all. A file that is damaged, cut off or of another scanner is as good as none; it
//! is replaced by rename, so that a kill at any point leaves none or a whole one.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use mpak_bundle::digest::{Hashing, Sha256};
use mpak_bundle::durable;
use serde::{Deserialize, Serialize};

use super::{About, Report, ruleset};
use crate::advisories::Snapshot;
use crate::control::Status;
use crate::controls::CONTROLS;

const MAGIC: &[u8] = b"mpak scan report";
const HEADER_BYTES: usize = MAGIC.len() + 32;
/// Largest report that is kept.
const REPORT_BYTES_MAX: usize = 2 << 20;
/// Most reports that are kept; the oldest go.
const REPORTS_COUNT_MAX: usize = 32;

/// A folder of reports.
#[derive(Debug)]
pub struct Reports {
    folder: PathBuf,
}

/// A report, and what the forms that name a bundle say of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kept {
    /// The report.
    pub report: Report,
    /// What it is about.
    pub about: About,
}

/// All that decides a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    bytes: u64,
    digest: Sha256,
}

impl Question {
    /// Of a bundle of so many bytes. `beside` is everything else that decides its report, each with a name of its own.
    pub fn new(bytes: u64, bundle: &Sha256, snapshot: Option<&Snapshot>, beside: &[(&str, &[u8])]) -> Self {
        let mut hashing = Hashing::new(io::sink());
        let mut add = |part: &[u8]| {
            // Nothing is written anywhere.
            let _written = hashing.write_all(&(part.len() as u64).to_le_bytes()).and_then(|()| hashing.write_all(part));
        };
        add(ruleset(CONTROLS).as_bytes());
        add(bundle.as_bytes());
        if let Some(snapshot) = snapshot {
            add(snapshot.digest().as_bytes());
            add(format!("{:?}", snapshot.signer()).as_bytes());
        }
        for (name, content) in beside {
            add(name.as_bytes());
            add(content);
        }
        Self { bytes, digest: hashing.finish().1 }
    }

    fn file_name(&self) -> String {
        format!("{}{}", begin(self.bytes), self.digest)
    }
}

/// What the names of all reports on bundles of so many bytes begin with.
fn begin(bytes: u64) -> String {
    format!("{bytes:x}-")
}

impl Reports {
    /// Those in a folder, which need not be there.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Whether there is any on a bundle of so many bytes, so that its digest is worth knowing.
    pub fn may_know(&self, bytes: u64) -> bool {
        let begin = begin(bytes);
        self.names().any(|name| name.starts_with(&begin))
    }

    /// The report that this question had before.
    pub fn find(&self, question: &Question) -> Option<Kept> {
        let file = File::open(self.folder.join(question.file_name())).ok()?;
        let mut bytes = Vec::new();
        file.take((HEADER_BYTES + REPORT_BYTES_MAX) as u64).read_to_end(&mut bytes).ok()?;
        let (sum, content) = bytes.strip_prefix(MAGIC)?.split_at_checked(32)?;
        if sum != sum_of(question, content).as_bytes() {
            return None;
        }
        serde_json::from_slice(content).ok()
    }

    /// Keeps a report, unless a control stopped: that says more of the moment than of the bundle.
    ///
    /// # Errors
    /// What the file system says.
    pub fn keep(&self, question: &Question, kept: &Kept) -> io::Result<()> {
        let content = serde_json::to_vec(kept)?;
        let stopped = kept.report.controls.iter().any(|control| control.status == Status::Error);
        if stopped || content.len() > REPORT_BYTES_MAX {
            return Ok(());
        }
        let bytes = [MAGIC, sum_of(question, &content).as_bytes(), &content].concat();
        durable::replace_derived(&self.folder.join(question.file_name()), &bytes, 0o600)?;
        self.prune()
    }

    /// Lets the oldest go.
    fn prune(&self) -> io::Result<()> {
        let modified = |name: &str| fs::metadata(self.folder.join(name)).and_then(|metadata| metadata.modified()).ok();
        let mut all: Vec<_> = self.names().map(|name| (modified(&name), name)).collect();
        if all.len() <= REPORTS_COUNT_MAX {
            return Ok(());
        }
        all.sort_unstable();
        let surplus = all.len() - REPORTS_COUNT_MAX;
        all.iter().take(surplus).try_for_each(|(_, name)| fs::remove_file(self.folder.join(name)))
    }

    fn names(&self) -> impl Iterator<Item = String> {
        let names = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        names.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| is_name(name))
    }
}

/// Whether a file is a report by its name.
fn is_name(name: &str) -> bool {
    let hex = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    name.split_once('-').is_some_and(|(bytes, digest)| hex(bytes) && hex(digest) && digest.len() == 64)
}

fn sum_of(question: &Question, content: &[u8]) -> Sha256 {
    Sha256::of(&[question.digest.as_bytes(), content].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Evidence;
    use crate::report::tests::report;

    fn kept(name: &str) -> Kept {
        let about = About { name: name.to_owned(), ..About::new(&Evidence::empty(), Sha256::of(b"x")) };
        Kept { report: report(Vec::new()), about }
    }

    fn question(bundle: &[u8]) -> Question {
        Question::new(bundle.len() as u64, &Sha256::of(bundle), None, &[])
    }

    #[test]
    fn a_report_is_found_by_the_same_question_only() {
        let folder = tempfile::tempdir().unwrap();
        let reports = Reports::new(folder.path());
        let ask = |bundle: &[u8], beside: &[(&str, &[u8])]| {
            reports.find(&Question::new(3, &Sha256::of(bundle), None, beside)).map(|kept| kept.about.name)
        };
        let asked = Question::new(3, &Sha256::of(b"one"), None, &[("day", b"2030-01-01")]);
        assert!(!reports.may_know(3));
        reports.keep(&asked, &kept("first")).unwrap();
        assert!(reports.may_know(3) && !reports.may_know(4) && !reports.may_know(0x33));
        assert_eq!(ask(b"one", &[("day", b"2030-01-01")]).as_deref(), Some("first"));
        for (bundle, beside) in [
            (&b"two"[..], &[("day", &b"2030-01-01"[..])][..]),
            (b"one", &[("day", b"2030-01-02")]),
            (b"one", &[("policy", b"2030-01-01")]),
            (b"one", &[("day", b"2030-01-01"), ("policy", b"")]),
            (b"one", &[("da", b"y2030-01-01")]),
            (b"one", &[]),
        ] {
            assert_eq!(ask(bundle, beside), None, "{beside:?}");
        }
    }

    #[test]
    fn damage_anywhere_is_as_good_as_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let reports = Reports::new(folder.path());
        reports.keep(&question(b"a"), &kept("first")).unwrap();
        let path = folder.path().join(question(b"a").file_name());
        let whole = fs::read(&path).unwrap();
        let with = |bytes: &[u8]| {
            durable::replace_derived(&path, bytes, 0o600).unwrap();
            reports.find(&question(b"a")).is_some()
        };
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x01;
            assert!(!with(&bytes), "byte {at}");
            assert!(!with(&whole[..at]), "{at} bytes");
        }
        assert!(with(&whole));
        // The report of another question does not answer this one.
        reports.keep(&question(b"b"), &kept("second")).unwrap();
        assert!(!with(&fs::read(folder.path().join(question(b"b").file_name())).unwrap()));
    }

    #[test]
    fn the_oldest_reports_go_and_what_is_too_large_or_stopped_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let reports = Reports::new(folder.path());
        File::create(folder.path().join("something else")).unwrap();
        let bundle = |n: usize| vec![7; n + 1];
        for n in 0..REPORTS_COUNT_MAX + 3 {
            reports.keep(&question(&bundle(n)), &kept("x")).unwrap();
            // Times of files are coarse.
            let file = File::options().write(true).open(folder.path().join(question(&bundle(n)).file_name())).unwrap();
            file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(n as u64)).unwrap();
        }
        let found: Vec<usize> =
            (0..REPORTS_COUNT_MAX + 3).filter(|n| reports.find(&question(&bundle(*n))).is_some()).collect();
        assert_eq!(found.len(), REPORTS_COUNT_MAX);
        assert!(found.contains(&(REPORTS_COUNT_MAX + 2)));
        assert!(folder.path().join("something else").exists());
        reports.keep(&question(b"large"), &kept(&"x".repeat(REPORT_BYTES_MAX))).unwrap();
        assert!(reports.find(&question(b"large")).is_none());
        let mut stopped = kept("x");
        stopped.report = crate::evidence::scan(&Evidence::empty());
        stopped.report.controls[0].status = Status::Error;
        reports.keep(&question(b"stopped"), &stopped).unwrap();
        assert!(reports.find(&question(b"stopped")).is_none());
    }
}
