//! What is known of files from earlier scans: nothing but what follows from their content.
//!
//! Only files that say nothing are remembered: no credential, no code to follow, no record, no finding of any engine.
//! Beside it stands what following code across files gave (`parts`). All that is kept of a file is its digest, its kind, the work that it took and whether its code was judged, under a key made of its content, its
//! name, whether it is the server's own, and the scanner itself. So a bundle cannot lower a judgement by what it says
//! of itself, and a scanner with other rules or other code knows nothing of what another one saw.
//!
//! The file belongs to whoever scans. Each record has a checksum; a record that is damaged, of another scanner or cut
//! off is as good as none. The file is replaced by rename: a kill at any point leaves the old one or the new one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use mpak_bundle::digest::Sha256;
use mpak_bundle::durable;

use crate::content::ContentKind;
use crate::controls::CONTROLS;
use crate::malware::Spoken;
use crate::report;

mod parts;

use parts::Parts;

const MAGIC: &[u8] = b"mpak scan cache3";
const HEADER_BYTES: usize = MAGIC.len() + 32;
/// Key, digest, work, kind, whether it was judged, what it says, checksum.
const RECORD_BYTES: usize = 32 + 32 + 8 + 1 + 1 + 1 + CHECKSUM_BYTES;
const CHECKSUM_BYTES: usize = 8;
/// Most records: two for each file.
const RECORDS_COUNT_MAX: usize = 1 << 17;

/// Facts of earlier scans, and what this one adds.
pub struct Cache {
    path: PathBuf,
    identity: Sha256,
    /// Records, sorted by key; not checked yet.
    records: Vec<u8>,
    /// By record: whether it was of use.
    used: Vec<AtomicBool>,
    fresh: Mutex<BTreeMap<[u8; 32], Known>>,
    parts: Parts,
    records_count_max: usize,
}

/// What is known of a file that says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) sha256: Sha256,
    pub(super) kind: ContentKind,
    /// Bytes that were looked at closely for credentials.
    pub(super) examined_bytes: u64,
    /// Whether its code was judged for malware, and nothing found.
    pub(super) judged: bool,
    /// What vendored code says, so that the files of a dependency are judged together.
    pub(super) said: Spoken,
}

/// Where a file is found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key([u8; 32]);

impl Key {
    /// Of a file's content, or of what it is unpacked from. `name` is the last part of its path, `role` what its
    /// whole path makes of it: the same content may start by itself in one folder and lie still in another.
    pub(super) fn new(
        identity: &Sha256,
        packed: bool,
        content: &Sha256,
        own: bool,
        role: crate::malware::Role,
        name: &str,
    ) -> Self {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend_from_slice(identity.as_bytes());
        bytes.extend_from_slice(&[u8::from(packed), u8::from(own), role.0]);
        bytes.extend_from_slice(content.as_bytes());
        bytes.extend_from_slice(name.as_bytes());
        Self(*Sha256::of(&bytes).as_bytes())
    }
}

impl Cache {
    /// Opens a cache; what cannot be read is empty, and it is made anew when it is saved.
    pub fn open(path: &Path) -> Self {
        Self::open_as(path, &identity(), RECORDS_COUNT_MAX)
    }

    fn open_as(path: &Path, identity: &Sha256, records_count_max: usize) -> Self {
        let most = (HEADER_BYTES + RECORD_BYTES * records_count_max) as u64;
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes));
        let header = [MAGIC, identity.as_bytes()].concat();
        if read.is_err() || !bytes.starts_with(&header) {
            bytes.truncate(0);
        } else {
            bytes.drain(..HEADER_BYTES);
        }
        let used = (0..bytes.len() / RECORD_BYTES).map(|_| AtomicBool::new(false)).collect();
        Self {
            path: path.to_owned(),
            identity: *identity,
            records: bytes,
            used,
            fresh: Mutex::default(),
            parts: Parts::open(path, identity),
            records_count_max,
        }
    }

    /// Writes what was added, if anything was.
    ///
    /// # Errors
    /// What the file system says; the old file is then still there.
    pub fn save(&self) -> io::Result<()> {
        // One of the files is saved whatever becomes of the other.
        let parts = self.parts.save();
        let fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        if fresh.is_empty() {
            return parts;
        }
        // 1. What is new and what was of use, then what else there is room for.
        let mut kept: BTreeMap<[u8; 32], Known> =
            fresh.iter().take(self.records_count_max).map(|(k, v)| (*k, *v)).collect();
        for wanted in [true, false] {
            for (record, used) in self.records.chunks_exact(RECORD_BYTES).zip(&self.used) {
                if used.load(Ordering::Relaxed) == wanted
                    && kept.len() < self.records_count_max
                    && let Some((key, known)) = self.check(record)
                {
                    kept.entry(key).or_insert(known);
                }
            }
        }
        // 2. Sorted, behind a header.
        let mut bytes = Vec::with_capacity(HEADER_BYTES + kept.len() * RECORD_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(self.identity.as_bytes());
        for (key, known) in &kept {
            bytes.extend_from_slice(&self.record(key, known));
        }
        durable::replace_derived(&self.path, &bytes, 0o600).and(parts)
    }

    pub(super) fn identity(&self) -> &Sha256 {
        &self.identity
    }

    pub(super) fn find(&self, key: Key) -> Option<Known> {
        let count = self.used.len();
        let at = |index: usize| &self.records[index * RECORD_BYTES..][..RECORD_BYTES];
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = usize::midpoint(low, high);
            if at(middle)[..32] < key.0[..] { low = middle + 1 } else { high = middle }
        }
        let (found, known) = (low < count).then(|| self.check(at(low)))??;
        if found != key.0 {
            return None;
        }
        self.used[low].store(true, Ordering::Relaxed);
        Some(known)
    }

    pub(super) fn learn(&self, key: Key, known: Known) {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner).insert(key.0, known);
    }

    /// What following a part of a program gave, by all that it depends on; only where it is not malware.
    pub(super) fn recall(&self, told: &Sha256) -> Option<&[u8]> {
        self.parts.find(told)
    }

    /// Remembers what following a part of a program gave.
    pub(super) fn keep(&self, told: &Sha256, gave: Vec<u8>) {
        self.parts.keep(told, gave);
    }

    /// How many parts were followed and remembered in this scan.
    #[cfg(test)]
    pub(super) fn parts_learned(&self) -> usize {
        self.parts.learned()
    }

    fn record(&self, key: &[u8; 32], known: &Known) -> [u8; RECORD_BYTES] {
        let kind = ContentKind::ALL.iter().position(|kind| *kind == known.kind).expect("it is listed");
        let mut record = [0; RECORD_BYTES];
        record[..32].copy_from_slice(key);
        record[32..64].copy_from_slice(known.sha256.as_bytes());
        record[64..72].copy_from_slice(&known.examined_bytes.to_le_bytes());
        record[72] = u8::try_from(kind).expect("there are few kinds");
        record[73] = u8::from(known.judged);
        record[74] = known.said.0;
        let (content, sum) = record.split_at_mut(RECORD_BYTES - CHECKSUM_BYTES);
        sum.copy_from_slice(&self.checksum(content));
        record
    }

    /// A record whose checksum holds.
    fn check(&self, record: &[u8]) -> Option<([u8; 32], Known)> {
        let (content, sum) = record.split_at_checked(RECORD_BYTES - CHECKSUM_BYTES)?;
        if self.checksum(content) != sum {
            return None;
        }
        let known = Known {
            sha256: Sha256::from_bytes(content[32..64].try_into().ok()?),
            examined_bytes: u64::from_le_bytes(content[64..72].try_into().ok()?),
            kind: *ContentKind::ALL.get(usize::from(content[72]))?,
            judged: content[73] != 0,
            said: Spoken(content[74]),
        };
        Some((content[..32].try_into().ok()?, known))
    }

    fn checksum(&self, content: &[u8]) -> [u8; CHECKSUM_BYTES] {
        let sum = Sha256::of(&[self.identity.as_bytes(), content].concat());
        let mut first = [0; CHECKSUM_BYTES];
        first.copy_from_slice(&sum.as_bytes()[..CHECKSUM_BYTES]);
        first
    }
}

/// The scanner: its rules, and the code that was compiled.
fn identity() -> Sha256 {
    Sha256::of(report::ruleset(CONTROLS).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::malware::role;

    fn known(n: u8) -> Known {
        Known {
            sha256: Sha256::of(&[n]),
            kind: ContentKind::Text,
            examined_bytes: u64::from(n),
            judged: n.is_multiple_of(2),
            said: Spoken(n % 32),
        }
    }

    fn key(n: u8) -> Key {
        Key::new(&Sha256::of(b"me"), false, &Sha256::of(&[n]), false, role("x.js"), "x.js")
    }

    fn saved(path: &Path, numbers: std::ops::Range<u8>, most: usize) {
        let cache = Cache::open_as(path, &Sha256::of(b"me"), most);
        numbers.for_each(|n| cache.learn(key(n), known(n)));
        cache.save().unwrap();
    }

    #[test]
    fn what_was_saved_is_found_again_by_the_same_scanner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scan-cache");
        saved(&path, 0..100, 1_000);
        saved(&path, 100..200, 1_000);
        let cache = Cache::open_as(&path, &Sha256::of(b"me"), 1_000);
        assert!((0..200).all(|n| cache.find(key(n)) == Some(known(n))));
        assert_eq!(cache.find(key(200)), None);
        let other = Cache::open_as(&path, &Sha256::of(b"other"), 1_000);
        assert!((0..200).all(|n| other.find(key(n)).is_none()));
        let other = |own, path: &str| {
            let name = path.rsplit('/').next().unwrap();
            Key::new(&Sha256::of(b"me"), false, &Sha256::of(&[1]), own, role(path), name)
        };
        assert_eq!(key(1), other(false, "lib/x.js"));
        assert_ne!(key(1), other(true, "x.js"));
        assert_ne!(key(1), other(false, "setup.py"));
        assert_ne!(other(false, "a/tasks.json"), other(false, "a/.vscode/tasks.json"));
        assert_ne!(other(false, "a/settings.json"), other(false, "a/.claude/settings.json"));
        assert_ne!(other(false, "a/daily"), other(false, "etc/cron.d/daily"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_full_cache_keeps_what_is_new_and_what_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scan-cache");
        saved(&path, 0..10, 10);
        let cache = Cache::open_as(&path, &Sha256::of(b"me"), 10);
        let used = [3, 7].map(|n| cache.find(key(n)));
        assert!(used.iter().all(Option::is_some));
        (20..28).for_each(|n| cache.learn(key(n), known(n)));
        cache.save().unwrap();
        let cache = Cache::open_as(&path, &Sha256::of(b"me"), 10);
        assert!([3, 7, 20, 27].into_iter().all(|n| cache.find(key(n)).is_some()));
        assert_eq!(std::fs::metadata(&path).unwrap().len() as usize, HEADER_BYTES + 10 * RECORD_BYTES);
    }

    #[test]
    fn damage_anywhere_is_as_good_as_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scan-cache");
        saved(&path, 0..20, 1_000);
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            durable::replace_derived(&path, &bytes, 0o600).unwrap();
            let cache = Cache::open_as(&path, &Sha256::of(b"me"), 1_000);
            assert!((0..20).all(|n| cache.find(key(n)).is_none_or(|found| found == known(n))), "byte {at}");
        }
        for length in [0, 1, HEADER_BYTES, HEADER_BYTES + 1, whole.len() - 1] {
            durable::replace_derived(&path, &whole[..length], 0o600).unwrap();
            let cache = Cache::open_as(&path, &Sha256::of(b"me"), 1_000);
            assert!((0..20).all(|n| cache.find(key(n)).is_none_or(|found| found == known(n))), "{length} bytes");
        }
    }
}
