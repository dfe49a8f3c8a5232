//! Positional reads from the archive file, and little-endian numbers.

use std::fs::File;
use std::io;

use super::error::ArchiveError;

/// The file, with the length it had when it was opened. Reads carry their own position, so several
/// threads may read at once.
pub(super) struct Source {
    file: File,
    bytes: u64,
}

impl Source {
    pub(super) fn new(file: File) -> Result<Self, ArchiveError> {
        let metadata = file.metadata().map_err(ArchiveError::Io)?;
        if !metadata.is_file() {
            return Err(ArchiveError::NotAFile);
        }
        Ok(Self { file, bytes: metadata.len() })
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Fills the buffer from this place; the place must lie inside the file.
    pub(super) fn read_exact(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ArchiveError> {
        let mut done = 0;
        while done < buffer.len() {
            match read_at(&self.file, &mut buffer[done..], offset + done as u64) {
                Ok(0) => return Err(ArchiveError::Changed),
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ArchiveError::Io(error)),
            }
        }
        Ok(())
    }

    /// At most `wanted` bytes from this place, fewer only at the end of the file.
    pub(super) fn read_up_to(&self, offset: u64, wanted: usize) -> Result<Vec<u8>, ArchiveError> {
        let there = self.bytes.saturating_sub(offset).min(wanted as u64);
        let mut buffer = vec![0; there as usize];
        self.read_exact(offset, &mut buffer)?;
        Ok(buffer)
    }
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

/// A little-endian number at a place that the caller knows to be inside.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

/// See [`u16_at`].
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

/// See [`u16_at`].
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

/// The last place of a pattern.
pub(super) fn last_of(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).rposition(|window| window == pattern)
}
