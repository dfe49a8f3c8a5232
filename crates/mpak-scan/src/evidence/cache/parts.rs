//! What following code across files gave in earlier scans: flows, as text, by a digest of everything that they depend on.
//!
//! A file of its own beside the records of files. Each entry has a digest over key and content; one that is damaged, of
//! another scanner or cut off is as good as none.

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use mpak_bundle::digest::Sha256;
use mpak_bundle::durable;

const MAGIC: &[u8] = b"mpak scan parts1";
const HEADER_BYTES: usize = MAGIC.len() + 32;
/// Key, length, digest; the content follows.
const ENTRY_BYTES: usize = 32 + 4 + 32;
/// Largest entry that is kept.
const ENTRY_BYTES_MAX: usize = 128 << 10;
/// Most entries: two for each bundle that is scanned now and then, and one for each of its small dependencies that are followed together.
const ENTRIES_COUNT_MAX: usize = 256;

/// Entries of earlier scans, and what this one adds.
pub(super) struct Parts {
    path: PathBuf,
    identity: Sha256,
    bytes: Vec<u8>,
    /// Keys with the places of their entries in `bytes`; not checked yet.
    entries: Vec<([u8; 32], Range<usize>)>,
    fresh: Mutex<Vec<([u8; 32], Vec<u8>)>>,
}

impl Parts {
    /// Those beside the cache at a path.
    pub(super) fn open(cache: &Path, identity: &Sha256) -> Self {
        let mut path = cache.as_os_str().to_owned();
        path.push("-parts");
        let path = PathBuf::from(path);
        let most = HEADER_BYTES + (ENTRY_BYTES + ENTRY_BYTES_MAX) * ENTRIES_COUNT_MAX;
        let mut bytes = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(most as u64).read_to_end(&mut bytes));
        if read.is_err() || !bytes.starts_with(&[MAGIC, identity.as_bytes()].concat()) {
            bytes.clear();
        }
        let entries = entries(&bytes);
        Self { path, identity: *identity, bytes, entries, fresh: Mutex::default() }
    }

    pub(super) fn find(&self, key: &Sha256) -> Option<&[u8]> {
        let (_, place) = self.entries.iter().find(|(of, _)| of == key.as_bytes())?;
        let entry = &self.bytes[place.clone()];
        let (sum, content) = entry[32 + 4..].split_at(32);
        (self.sum(key.as_bytes(), content).as_bytes() == sum).then_some(content)
    }

    pub(super) fn keep(&self, key: &Sha256, content: Vec<u8>) {
        if content.len() <= ENTRY_BYTES_MAX {
            self.fresh.lock().unwrap_or_else(PoisonError::into_inner).push((*key.as_bytes(), content));
        }
    }

    #[cfg(test)]
    pub(super) fn learned(&self) -> usize {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Writes what was added, if anything was: it comes first, and the last of the others go.
    pub(super) fn save(&self) -> io::Result<()> {
        let fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        if fresh.is_empty() {
            return Ok(());
        }
        let mut bytes = [MAGIC, self.identity.as_bytes()].concat();
        for (key, content) in fresh.iter().take(ENTRIES_COUNT_MAX) {
            bytes.extend_from_slice(key);
            bytes.extend_from_slice(&u32::try_from(content.len()).unwrap_or(u32::MAX).to_le_bytes());
            bytes.extend_from_slice(self.sum(key, content).as_bytes());
            bytes.extend_from_slice(content);
        }
        let is_fresh = |key: &[u8; 32]| fresh.iter().any(|(of, _)| of == key);
        let others = self.entries.iter().filter(|(key, _)| !is_fresh(key));
        for (_, place) in others.take(ENTRIES_COUNT_MAX.saturating_sub(fresh.len())) {
            bytes.extend_from_slice(&self.bytes[place.clone()]);
        }
        durable::replace_derived(&self.path, &bytes, 0o600)
    }

    fn sum(&self, key: &[u8; 32], content: &[u8]) -> Sha256 {
        Sha256::of(&[self.identity.as_bytes(), key.as_slice(), content].concat())
    }
}

/// Where entries stand, as far as they are whole.
fn entries(bytes: &[u8]) -> Vec<([u8; 32], Range<usize>)> {
    let (mut entries, mut at) = (Vec::new(), HEADER_BYTES);
    while let Some((key, rest)) = bytes.get(at..).and_then(|rest| rest.split_first_chunk::<32>())
        && let Some((length, _)) = rest.split_first_chunk::<4>()
        && entries.len() < ENTRIES_COUNT_MAX
    {
        let length = u32::from_le_bytes(*length) as usize;
        let end = at + ENTRY_BYTES + length;
        if length > ENTRY_BYTES_MAX || end > bytes.len() {
            break;
        }
        entries.push((*key, at..end));
        at = end;
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u16) -> Sha256 {
        Sha256::of(&n.to_le_bytes())
    }

    fn content(n: u16) -> Vec<u8> {
        n.to_le_bytes().repeat(usize::from(n))
    }

    fn saved(path: &Path, numbers: impl Iterator<Item = u16>) -> Parts {
        let parts = Parts::open(path, &key(9999));
        numbers.for_each(|n| parts.keep(&key(n), content(n)));
        parts.save().unwrap();
        Parts::open(path, &key(9999))
    }

    #[test]
    fn what_was_kept_is_found_by_the_same_scanner_and_the_newest_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache");
        saved(&path, 0..200);
        let parts = saved(&path, 200..300);
        assert!((200..300).all(|n| parts.find(&key(n)) == Some(&content(n)[..])));
        let kept = (0..200).filter(|n| parts.find(&key(*n)).is_some()).count();
        assert_eq!(kept, ENTRIES_COUNT_MAX - 100);
        assert!(Parts::open(&path, &key(9998)).find(&key(250)).is_none());
        parts.keep(&key(999), vec![0; ENTRY_BYTES_MAX + 1]);
        parts.save().unwrap();
        assert!(Parts::open(&path, &key(9999)).find(&key(999)).is_none());
    }

    #[test]
    fn damage_anywhere_is_as_good_as_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache");
        let whole = saved(&path, 1..6).bytes;
        let check = |bytes: &[u8], what: &str| {
            durable::replace_derived(&folder.path().join("cache-parts"), bytes, 0o600).unwrap();
            let parts = Parts::open(&path, &key(9999));
            let right = |n: u16| parts.find(&key(n)).is_none_or(|found| found == content(n));
            assert!((1..6).all(right), "{what}");
        };
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x11;
            check(&bytes, &format!("byte {at}"));
            check(&whole[..at], &format!("{at} bytes"));
        }
    }
}
