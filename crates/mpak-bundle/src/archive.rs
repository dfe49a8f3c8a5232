//! The container reader: a strict central-directory reader that refuses what two readers could read
//! differently.
//!
//! In: a `.mcpb` file from an attacker. Out: an [`Archive`] whose entries agree in end record, central
//! directory, local headers and layout. Data is checked (size, CRC) while it is read.
//! Spec: PKWARE APPNOTE 6.3.10, MCPB; verdicts are the "Ours" column of the project's table of nasty
//! containers (docs/formats/container.md).

use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::digest::{Hashing, Sha256};
use crate::limits::Limits;
use crate::manifest::{Contents, FileKind};
use crate::path::{BundlePath, escape};

mod bundle;
mod directory;
mod end;
mod error;
mod extra;
mod finding;
mod inflate;
mod local;
mod markers;
mod names;
mod source;

pub use bundle::{Bundle, OpenError};
pub use error::ArchiveError;
pub use finding::{Finding, code as finding_code};

use directory::Record;
use finding::Findings;
use inflate::Workspace;
use source::Source;

/// An opened archive: structure checked, data not yet. Reading needs `&self` only, from any thread.
pub struct Archive {
    source: Source,
    /// Files in archive order.
    entries: Vec<Entry>,
    /// Indexes of `entries`, sorted by path with a folder's contents together.
    sorted: Vec<u32>,
    /// Folders with an entry of their own, sorted likewise.
    folders: Vec<BundlePath>,
    findings: Vec<Finding>,
    signature: Option<Range<u64>>,
    /// Buffers of threads that are done; as many as ever read at once.
    idle: Mutex<Vec<Workspace>>,
}

/// An appended signature block, not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The PKCS #7 structure, DER.
    pub block: Vec<u8>,
    /// SHA-256 of the file in front of the block: as it is, and with the comment's length as it was before.
    pub digests: Vec<Sha256>,
}

/// One file (folders are not kept: they follow from the files).
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where it goes.
    pub path: BundlePath,
    /// Uncompressed size.
    pub bytes: u64,
    /// Compressed size.
    pub packed_bytes: u64,
    /// Whether it gets an execute bit.
    pub executable: bool,
    /// CRC-32 of the data.
    pub crc32: u32,
    /// Stored, else deflated.
    stored: bool,
    /// Where the data begins in the file.
    data_at: u64,
}

impl Archive {
    /// Opens and checks the structure.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn open(file: File, limits: &Limits) -> Result<Self, ArchiveError> {
        let mut findings = Findings::default();
        let source = Source::new(file)?;
        // 1. End records: where the directory is.
        let end = end::find(&source, limits, &mut findings)?;
        // 2. Directory: what the entries are.
        let mut records = directory::read(&source, &end, limits, &mut findings)?;
        // 3. Names against each other.
        names::check(&records, limits)?;
        // 4. Local headers, descriptors, layout.
        local::check(&source, &mut records, end.directory.start, &mut findings)?;
        // 5. Remarks.
        for record in &records {
            names::remark(record, limits, &mut findings);
        }
        let markers_are_data = end.signature.is_none();
        let mut archive = Self::of(source, records, end.signature)?;
        if markers_are_data {
            markers::remark(&archive.source, &archive.entries, &mut findings)?;
        }
        archive.findings = findings.finish();
        Ok(archive)
    }

    fn of(source: Source, records: Vec<Record>, signature: Option<Range<u64>>) -> Result<Self, ArchiveError> {
        let mut workspace = Workspace::new();
        let mut entries = Vec::with_capacity(records.len());
        let mut folders = Vec::new();
        for record in records {
            if record.folder {
                // Folders are empty, but may hold an empty deflate stream.
                workspace.copy(&source, &record.entry, &mut io::sink())?;
                folders.push(record.entry.path);
            } else {
                entries.push(record.entry);
            }
        }
        let mut sorted: Vec<u32> = (0..entries.len() as u32).collect();
        sorted.sort_by(|&a, &b| names::compare(entries[a as usize].path.as_str(), entries[b as usize].path.as_str()));
        folders.sort_by(|a, b| names::compare(a.as_str(), b.as_str()));
        let idle = Mutex::new(vec![workspace]);
        Ok(Self { source, entries, sorted, folders, findings: Vec::new(), signature, idle })
    }

    /// Length of the file.
    pub fn bytes(&self) -> u64 {
        self.source.bytes()
    }

    /// Sum of all files, unpacked.
    pub fn unpacked_bytes(&self) -> u64 {
        self.entries.iter().map(|e| e.bytes).sum()
    }

    /// All files, in archive order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Folders that have an entry of their own (perhaps empty ones).
    pub fn folders(&self) -> &[BundlePath] {
        &self.folders
    }

    /// The entry at an exact path.
    pub fn entry(&self, path: &str) -> Option<&Entry> {
        let found = self.sorted.binary_search_by(|&i| names::compare(self.at(i).path.as_str(), path)).ok()?;
        Some(self.at(self.sorted[found]))
    }

    /// What was accepted with a remark.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Where an appended MCPB signature block lies, if there is one.
    pub fn signature(&self) -> Option<Range<u64>> {
        self.signature.clone()
    }

    /// The appended MCPB signature block with the digests that it may be over, if there is one.
    ///
    /// # Errors
    /// [`ArchiveError`] of reading.
    pub fn signed(&self) -> Result<Option<Signed>, ArchiveError> {
        let Some(range) = self.signature() else { return Ok(None) };
        // 1. The PKCS #7 structure between the markers.
        let whole = self.source.read_up_to(range.start, (range.end - range.start) as usize)?;
        let block = end::signature_content(&whole).to_vec();
        // 2. What is in front of it, as it is and as it was before a comment's length was set for the block.
        let body_bytes = range.start;
        let comment = end::comment_length(&self.source, body_bytes)?;
        let before = comment.and_then(|(at, length)| Some((at, length.checked_sub(whole.len() as u64)?)));
        let mut digests = vec![self.digest(body_bytes, None)?];
        if let Some((at, length)) = before {
            let length = u16::try_from(length).unwrap_or(u16::MAX);
            digests.push(self.digest(body_bytes, Some((at, length.to_le_bytes())))?);
        }
        Ok(Some(Signed { block, digests }))
    }

    /// Digest of the whole file, read through the same handle as the entries.
    ///
    /// # Errors
    /// [`ArchiveError`] of reading.
    pub fn sha256(&self) -> Result<Sha256, ArchiveError> {
        self.digest(self.bytes(), None)
    }

    /// Digest of the first bytes of the file, with two of them replaced.
    fn digest(&self, bytes: u64, replaced: Option<(u64, [u8; 2])>) -> Result<Sha256, ArchiveError> {
        const CHUNK_BYTES: u64 = 256 << 10;
        let mut hashing = Hashing::new(io::sink());
        let mut at = 0;
        while at < bytes {
            let mut chunk = self.source.read_up_to(at, (bytes - at).min(CHUNK_BYTES) as usize)?;
            for (place, byte) in replaced.iter().flat_map(|(from, new)| (*from..).zip(new)) {
                if let Some(old) = place.checked_sub(at).and_then(|place| chunk.get_mut(usize::try_from(place).ok()?)) {
                    *old = *byte;
                }
            }
            hashing.write_all(&chunk).map_err(ArchiveError::Io)?;
            at += chunk.len() as u64;
        }
        Ok(hashing.finish().1)
    }

    /// A whole entry in memory, checked; for small files.
    ///
    /// # Errors
    /// [`ArchiveError`], also when it is larger than `bytes_max`.
    pub fn read(&self, entry: &Entry, bytes_max: u64) -> Result<Vec<u8>, ArchiveError> {
        if entry.bytes > bytes_max {
            let name = escape(entry.path.as_str());
            return Err(ArchiveError::EntryTooLarge { name, bytes: entry.bytes, limit: bytes_max });
        }
        let mut bytes = Vec::with_capacity(entry.bytes as usize);
        self.copy(entry, &mut bytes)?;
        Ok(bytes)
    }

    /// Streams an entry; size and CRC are checked at the end, so the caller must discard on error.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn copy(&self, entry: &Entry, to: &mut dyn Write) -> Result<(), ArchiveError> {
        self.with_workspace(|workspace| workspace.copy(&self.source, entry, to))
    }

    /// A whole entry in memory, checked, at the beginning of `buffer`, which grows to the largest entry that was read
    /// into it; for entries that the caller's limits let it hold.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn read_into<'b>(&self, entry: &Entry, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], ArchiveError> {
        self.with_workspace(|workspace| workspace.read(&self.source, entry, buffer))
    }

    /// A name for what an entry unpacks to, without unpacking it: two entries with the same one have the same content,
    /// and are sound or unsound together. Entries with the same content may have different ones.
    ///
    /// # Errors
    /// [`ArchiveError`] of reading.
    pub fn packed_digest(&self, entry: &Entry) -> Result<Sha256, ArchiveError> {
        self.with_workspace(|workspace| workspace.packed_digest(&self.source, entry))
    }

    /// Reads every entry and throws the data away: proves that the whole archive is sound.
    ///
    /// # Errors
    /// [`ArchiveError`] of the first unsound entry.
    pub fn check_all(&self) -> Result<(), ArchiveError> {
        self.entries.iter().try_for_each(|entry| self.copy(entry, &mut io::sink()))
    }

    fn at(&self, index: u32) -> &Entry {
        &self.entries[index as usize]
    }

    fn with_workspace<T>(&self, work: impl FnOnce(&mut Workspace) -> T) -> T {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut workspace = idle().pop().unwrap_or_else(Workspace::new);
        let result = work(&mut workspace);
        idle().push(workspace);
        result
    }

    /// Whether something stands below this folder.
    fn has_below(&self, folder: &str) -> bool {
        let below = format!("{folder}/");
        let is_below = |path: &str| path.starts_with(&below);
        let files = self.sorted.partition_point(|&i| names::compare(self.at(i).path.as_str(), &below).is_lt());
        let folders = self.folders.partition_point(|f| names::compare(f.as_str(), folder).is_lt());
        self.sorted.get(files).is_some_and(|&i| is_below(self.at(i).path.as_str()))
            || self.folders.get(folders).is_some_and(|f| f.as_str() == folder || is_below(f.as_str()))
    }
}

impl Contents for Archive {
    fn kind(&self, path: &str) -> Option<FileKind> {
        if let Some(entry) = self.entry(path) {
            return Some(FileKind::File(entry.bytes));
        }
        self.has_below(path).then_some(FileKind::Folder)
    }

    fn paths(&self) -> Vec<String> {
        self.entries.iter().map(|e| e.path.as_str().to_owned()).collect()
    }

    fn head(&self, path: &str, bytes_max: usize) -> Option<Vec<u8>> {
        let entry = self.entry(path)?;
        if bytes_max.min(usize::try_from(entry.bytes).unwrap_or(usize::MAX)) <= inflate::BUFFER_BYTES {
            return self.with_workspace(|workspace| workspace.head(&self.source, entry, bytes_max)).ok();
        }
        let mut start = Start { bytes: Vec::new(), bytes_max };
        let copied = self.copy(entry, &mut start);
        (copied.is_ok() || start.bytes.len() == bytes_max).then_some(start.bytes)
    }
}

/// Takes the first bytes and refuses the rest, which ends the copy.
struct Start {
    bytes: Vec<u8>,
    bytes_max: usize,
}

impl Write for Start {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.bytes_max - self.bytes.len());
        if taken == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.bytes.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
