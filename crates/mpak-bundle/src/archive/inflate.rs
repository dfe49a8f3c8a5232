//! Data of one entry: read, inflated, counted and summed in two buffers of constant size.

use std::io::{self, Write};

use flate2::{Decompress, FlushDecompress, Status};

use super::Entry;
use super::error::ArchiveError;
use super::source::Source;
use crate::digest::{Hashing, Sha256};
use crate::path::escape;

pub(super) const BUFFER_BYTES: usize = 256 << 10;
/// Deflate blocks begin with tables, so a head needs some more input than output.
const TABLES_BYTES: usize = 1 << 10;

/// Buffers and state that one thread uses for entry after entry.
pub(super) struct Workspace {
    inflater: Decompress,
    packed: Vec<u8>,
    plain: Vec<u8>,
}

/// What an entry gave so far.
struct Progress {
    bytes: u64,
    crc32: crc32fast::Hasher,
}

impl Workspace {
    pub(super) fn new() -> Self {
        Self { inflater: Decompress::new(false), packed: vec![0; BUFFER_BYTES], plain: vec![0; BUFFER_BYTES] }
    }

    /// Copies the whole entry; on error what was written is worthless.
    pub(super) fn copy(&mut self, source: &Source, entry: &Entry, to: &mut dyn Write) -> Result<(), ArchiveError> {
        let mut progress = Progress { bytes: 0, crc32: crc32fast::Hasher::new() };
        if entry.stored {
            self.copy_stored(source, entry, to, &mut progress)?;
        } else {
            self.copy_deflated(source, entry, to, &mut progress)?;
        }
        if progress.bytes != entry.bytes {
            return Err(ArchiveError::SizeDiffers { name: shown(entry), declared: entry.bytes, longer: false });
        }
        let found = progress.crc32.finalize();
        if found != entry.crc32 {
            return Err(ArchiveError::Crc { name: shown(entry), declared: entry.crc32, found });
        }
        Ok(())
    }

    /// The whole entry in memory, unpacked to where it is wanted: a copy less, and no window to be kept. `to` keeps its
    /// length from entry to entry. What is not exactly as declared is copied instead, which tells what is wrong.
    pub(super) fn read<'b>(
        &mut self,
        source: &Source,
        entry: &Entry,
        to: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], ArchiveError> {
        let bytes = entry.bytes as usize;
        if to.len() < bytes {
            to.resize(bytes, 0);
        }
        let out = &mut to[..bytes];
        let whole = if entry.stored {
            source.read_exact(entry.data_at, out)?;
            true
        } else {
            self.inflate_whole(source, entry, out)?
        };
        if !whole || crc32fast::hash(out) != entry.crc32 {
            self.copy(source, entry, &mut &mut *out)?;
        }
        Ok(out)
    }

    /// Whether the data fill `out` exactly, and nothing is behind them.
    fn inflate_whole(&mut self, source: &Source, entry: &Entry, out: &mut [u8]) -> Result<bool, ArchiveError> {
        self.inflater.reset(false);
        let (mut taken, mut made) = (0, 0);
        while taken < entry.packed_bytes {
            let count = (entry.packed_bytes - taken).min(BUFFER_BYTES as u64);
            let chunk = &mut self.packed[..count as usize];
            source.read_exact(entry.data_at + taken, chunk)?;
            taken += count;
            let is_last = taken == entry.packed_bytes;
            let flush = if is_last { FlushDecompress::Finish } else { FlushDecompress::None };
            let Ok(status) = self.inflater.decompress(chunk, &mut out[made..], flush) else { return Ok(false) };
            made = self.inflater.total_out() as usize;
            if is_last {
                let all = self.inflater.total_in() == taken && made == out.len();
                return Ok(status == Status::StreamEnd && all);
            }
            if self.inflater.total_in() != taken || status == Status::StreamEnd {
                return Ok(false);
            }
        }
        Ok(false)
    }

    /// Digest of the data as it lies there, and of everything else that decides what comes out of it.
    pub(super) fn packed_digest(&mut self, source: &Source, entry: &Entry) -> Result<Sha256, ArchiveError> {
        let mut hashing = Hashing::new(io::sink());
        let mut add = |bytes: &[u8]| hashing.write_all(bytes).map_err(ArchiveError::Io);
        add(&[u8::from(entry.stored)])?;
        add(&entry.crc32.to_le_bytes())?;
        add(&entry.bytes.to_le_bytes())?;
        add(&entry.packed_bytes.to_le_bytes())?;
        let mut done = 0;
        while done < entry.packed_bytes {
            let count = (entry.packed_bytes - done).min(BUFFER_BYTES as u64) as usize;
            source.read_exact(entry.data_at + done, &mut self.packed[..count])?;
            add(&self.packed[..count])?;
            done += count as u64;
        }
        Ok(hashing.finish().1)
    }

    fn copy_stored(
        &mut self,
        source: &Source,
        entry: &Entry,
        to: &mut dyn Write,
        progress: &mut Progress,
    ) -> Result<(), ArchiveError> {
        while progress.bytes < entry.bytes {
            let count = (entry.bytes - progress.bytes).min(BUFFER_BYTES as u64) as usize;
            let chunk = &mut self.packed[..count];
            source.read_exact(entry.data_at + progress.bytes, chunk)?;
            progress.take(chunk, entry, to)?;
        }
        Ok(())
    }

    fn copy_deflated(
        &mut self,
        source: &Source,
        entry: &Entry,
        to: &mut dyn Write,
        progress: &mut Progress,
    ) -> Result<(), ArchiveError> {
        self.inflater.reset(false);
        let mut unread = entry.packed_bytes;
        let mut input = 0..0;
        loop {
            if input.is_empty() && unread > 0 {
                let count = unread.min(BUFFER_BYTES as u64) as usize;
                source.read_exact(entry.data_at + (entry.packed_bytes - unread), &mut self.packed[..count])?;
                unread -= count as u64;
                input = 0..count;
            }
            let (in_before, out_before) = (self.inflater.total_in(), self.inflater.total_out());
            let status = self
                .inflater
                .decompress(&self.packed[input.clone()], &mut self.plain, FlushDecompress::None)
                .map_err(|_invalid| ArchiveError::DeflateInvalid { name: shown(entry) })?;
            let consumed = (self.inflater.total_in() - in_before) as usize;
            let produced = (self.inflater.total_out() - out_before) as usize;
            input.start += consumed;
            progress.take(&self.plain[..produced], entry, to)?;
            if status == Status::StreamEnd {
                let bytes = unread + input.len() as u64;
                return if bytes == 0 {
                    Ok(())
                } else {
                    Err(ArchiveError::DeflateTrailing { name: shown(entry), bytes })
                };
            }
            if consumed == 0 && produced == 0 {
                return Err(ArchiveError::DeflateTruncated { name: shown(entry) });
            }
        }
    }

    /// At most the first `bytes_max` bytes, unchecked.
    pub(super) fn head(&mut self, source: &Source, entry: &Entry, bytes_max: usize) -> Result<Vec<u8>, ArchiveError> {
        let wanted = bytes_max.min(BUFFER_BYTES);
        if entry.stored {
            let mut head = vec![0; entry.bytes.min(wanted as u64) as usize];
            source.read_exact(entry.data_at, &mut head)?;
            return Ok(head);
        }
        self.inflater.reset(false);
        let mut head = 0;
        let mut taken = 0_u64;
        while head < wanted && taken < entry.packed_bytes {
            let count = (entry.packed_bytes - taken).min((wanted + TABLES_BYTES).min(BUFFER_BYTES) as u64) as usize;
            source.read_exact(entry.data_at + taken, &mut self.packed[..count])?;
            let before = self.inflater.total_in();
            let status = self
                .inflater
                .decompress(&self.packed[..count], &mut self.plain[head..wanted], FlushDecompress::None)
                .map_err(|_invalid| ArchiveError::DeflateInvalid { name: shown(entry) })?;
            let consumed = self.inflater.total_in() - before;
            taken += consumed;
            let so_far = self.inflater.total_out() as usize;
            if status == Status::StreamEnd || (consumed == 0 && so_far == head) {
                head = so_far;
                break;
            }
            head = so_far;
        }
        Ok(self.plain[..head].to_vec())
    }
}

impl Progress {
    fn take(&mut self, chunk: &[u8], entry: &Entry, to: &mut dyn Write) -> Result<(), ArchiveError> {
        self.bytes += chunk.len() as u64;
        if self.bytes > entry.bytes {
            return Err(ArchiveError::SizeDiffers { name: shown(entry), declared: entry.bytes, longer: true });
        }
        self.crc32.update(chunk);
        to.write_all(chunk).map_err(|source| ArchiveError::Write { name: shown(entry), source })
    }
}

fn shown(entry: &Entry) -> String {
    escape(entry.path.as_str())
}
