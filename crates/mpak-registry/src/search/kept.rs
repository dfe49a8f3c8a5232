//! The texts of packages, kept in files: they are the larger part of the index, and only those of an answer
//! are ever read. Most are in the index's file, those of packages that changed since in a [`Tray`]. Summaries,
//! of which each search shows many, are held in memory besides, as long as they are not too many.
//!
//! Each text has a CRC-32, looked at whenever it is read: what a disk gave back wrong is never shown.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::answers::{PARTS, Part, Texts};

/// Whether a text came back that is not what was written: the index is to be made anew.
pub(super) type Damage = Arc<AtomicBool>;

/// A file that texts are in.
#[derive(Debug)]
pub(super) struct Store {
    file: File,
    damage: Damage,
}

impl Store {
    pub(super) fn new(file: File, damage: Damage) -> Self {
        Self { file, damage }
    }
}

/// Where the texts of one package are. Files only grow; a later index file takes the name, not the place.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(super) store: Arc<Store>,
    pub(super) at: [u64; PARTS],
    pub(super) bytes: [u32; PARTS],
    /// CRC-32 of each.
    pub(super) checks: [u32; PARTS],
    /// The summary, if it is in memory.
    pub(super) summary: Option<Held>,
}

/// A text among others in memory.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) all: Arc<Vec<u8>>,
    pub(super) at: usize,
    /// See [`crate::answers::template::only_count`].
    pub(super) count_at: Option<u32>,
}

impl Kept {
    /// Texts of which nothing is known yet.
    pub(super) fn nowhere(store: &Arc<Store>) -> Self {
        let store = Arc::clone(store);
        Self { store, at: [0; PARTS], bytes: [0; PARTS], checks: [0; PARTS], summary: None }
    }

    /// Whether this is what was written.
    pub(super) fn check(&self, part: usize, text: &[u8]) -> io::Result<()> {
        if crc32fast::hash(text) == self.checks[part] {
            return Ok(());
        }
        self.store.damage.store(true, Ordering::Release);
        Err(io::Error::new(io::ErrorKind::InvalidData, "a kept text is not what was written; the index is made anew"))
    }

    /// A part that is in memory.
    pub(super) fn held(&self, part: usize) -> Option<&[u8]> {
        let held = self.summary.as_ref().filter(|_| part == Part::Summary as usize)?;
        held.all.get(held.at..held.at + self.bytes[part] as usize)
    }
}

/// Some texts that were read.
#[derive(Debug, Default)]
pub(crate) struct Read {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Read {
    /// One of them.
    pub(crate) fn get(&self, number: usize) -> &[u8] {
        let from = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[from..self.ends[number]]
    }

    /// All as one.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// All, in their order.
    pub(crate) fn all(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.ends.len()).map(|number| self.get(number))
    }
}

/// Reads these parts of each package. What lies one after the other is read at once.
#[expect(clippy::needless_pass_by_value, reason = "each pass begins with a copy of the iterator")]
pub(super) fn read<'a>(packages: impl Iterator<Item = &'a Kept> + Clone, parts: &[Part]) -> io::Result<Read> {
    let each = || packages.clone().flat_map(|kept| parts.iter().map(move |part| (kept, *part as usize)));
    let bytes: usize = each().map(|(kept, part)| kept.bytes[part] as usize).sum();
    let mut read = Read { bytes: vec![0; bytes], ends: Vec::new() };
    let mut end = 0;
    // The file, the place in it and the place here of what is to be read next.
    let mut next: Option<(&Arc<Store>, u64, usize)> = None;
    for (kept, part) in each() {
        let (at, bytes) = (kept.at[part], kept.bytes[part] as usize);
        if let Some(held) = kept.held(part) {
            if let Some((store, from, to)) = next.take() {
                read_at(&store.file, &mut read.bytes[to..end], from)?;
            }
            read.bytes[end..end + bytes].copy_from_slice(held);
            end += bytes;
            read.ends.push(end);
            continue;
        }
        let follows =
            next.is_some_and(|(store, from, to)| Arc::ptr_eq(store, &kept.store) && from + (end - to) as u64 == at);
        if !follows {
            if let Some((store, from, to)) = next {
                read_at(&store.file, &mut read.bytes[to..end], from)?;
            }
            next = Some((&kept.store, at, end));
        }
        end += bytes;
        read.ends.push(end);
    }
    if let Some((store, from, to)) = next {
        read_at(&store.file, &mut read.bytes[to..end], from)?;
    }
    for ((kept, part), text) in each().zip(read.all()) {
        if kept.held(part).is_none() {
            kept.check(part, text)?;
        }
    }
    Ok(read)
}

/// Takes the texts of packages that change while the registry runs: a file that is gone when it is closed.
#[derive(Debug)]
pub(super) struct Tray {
    folder: PathBuf,
    damage: Damage,
    open: Mutex<Option<(Arc<Store>, u64)>>,
}

impl Tray {
    /// One in a folder.
    pub(super) fn new(folder: &Path, damage: Damage) -> Self {
        Self { folder: folder.to_owned(), damage, open: Mutex::default() }
    }

    /// Takes the texts of a package.
    pub(super) fn put(&self, texts: &Texts) -> io::Result<Kept> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let (store, end) = match open.take() {
            Some(open) => open,
            None => {
                let file = tempfile::tempfile_in(&self.folder)?;
                (Arc::new(Store::new(file, Arc::clone(&self.damage))), 0)
            }
        };
        let mut kept = Kept::nowhere(&store);
        let mut next = end;
        for (part, text) in texts.0.iter().enumerate() {
            kept.at[part] = next;
            kept.bytes[part] = u32::try_from(text.len()).map_err(io::Error::other)?;
            kept.checks[part] = crc32fast::hash(text);
            next += text.len() as u64;
        }
        // A file that was not written to its end is left: the next text begins another.
        (&store.file).write_all(&texts.0.concat())?;
        *open = Some((store, next));
        Ok(kept)
    }

    /// How much it took.
    pub(super) fn bytes(&self) -> u64 {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map_or(0, |(_, bytes)| *bytes)
    }

    /// Begins another file: what is in this one is elsewhere, too.
    pub(super) fn renew(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(unix)]
fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, into, at)
}

#[cfg(windows)]
fn read_at(file: &File, mut into: &mut [u8], mut at: u64) -> io::Result<()> {
    while !into.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, into, at)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        into = &mut into[read..];
        at += read as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_back_alone_and_together() {
        let folder = tempfile::tempdir().unwrap();
        let tray = Tray::new(folder.path(), Damage::default());
        let text = |n: usize, part: usize| format!("{n}-{part} ").repeat(n * (part + 1)).into_bytes();
        let texts = |n: usize| Texts(std::array::from_fn(|part| text(n, part)));
        let mut kept: Vec<Kept> = (0..20).map(|n| tray.put(&texts(n)).unwrap()).collect();
        tray.renew();
        assert_eq!(tray.bytes(), 0);
        kept.extend((20..40).map(|n| tray.put(&texts(n)).unwrap()));
        let parts = [Part::Summary, Part::Detail, Part::Flat, Part::Official, Part::Offers];
        for (n, kept) in kept.iter().enumerate() {
            for part in parts {
                let read = read(std::iter::once(kept), &[part]).unwrap();
                assert_eq!(read.get(0), texts(n).0[part as usize], "{n} {part:?}");
            }
        }
        let together = read(kept.iter().rev().step_by(3), &[Part::Detail, Part::Flat, Part::Summary]).unwrap();
        let expected = || (0..40).rev().step_by(3).flat_map(|n| [1, 2, 0].map(|part| texts(n).0[part].clone()));
        assert!(together.all().eq(expected()));
        // Some of them in memory, among others; what the file has is not looked at.
        for (n, kept) in kept.iter_mut().enumerate().filter(|(n, _)| n % 2 == 0) {
            let all = [b"before ".to_vec(), texts(n).0[0].clone(), b" after".to_vec()].concat();
            kept.summary = Some(Held { all: Arc::new(all), at: b"before ".len(), count_at: None });
            kept.at[0] = u64::MAX;
            kept.checks[0] ^= 1;
        }
        let together = read(kept.iter().rev().step_by(3), &[Part::Detail, Part::Flat, Part::Summary]).unwrap();
        assert!(together.all().eq(expected()));
    }

    #[test]
    fn another_text_than_was_written_is_not_given() {
        let folder = tempfile::tempdir().unwrap();
        let damage = Damage::default();
        let tray = Tray::new(folder.path(), Arc::clone(&damage));
        let kept: Vec<Kept> =
            (0..3).map(|_| tray.put(&Texts(std::array::from_fn(|_| b"text".to_vec()))).unwrap()).collect();
        assert!(read(kept.iter(), &[Part::Detail]).is_ok() && !damage.load(Ordering::Acquire));
        let mut file = &kept[1].store.file;
        io::Seek::seek(&mut file, io::SeekFrom::Start(kept[1].at[Part::Detail as usize])).unwrap();
        file.write_all(b"next").unwrap();
        assert!(read([&kept[0], &kept[2]].into_iter(), &[Part::Detail]).is_ok() && !damage.load(Ordering::Acquire));
        assert!(read(kept.iter(), &[Part::Flat]).is_ok() && !damage.load(Ordering::Acquire));
        let error = read(kept.iter(), &[Part::Detail]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(damage.load(Ordering::Acquire));
    }
}
