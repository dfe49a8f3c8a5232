//! Where evidence comes from: the two kinds of things that can be scanned, behind one door.

use std::fs::File;
use std::io::{self, Read as _, Write};

use mpak_bundle::archive::Archive;
use mpak_bundle::collect::Collected;
use mpak_bundle::digest::Sha256;
use mpak_bundle::manifest::Contents;

use super::GatherError;

/// A bundle or folder whose files can be listed and read, from any thread.
pub(super) trait Source: Contents + Sync {
    /// All files, in the order of the bundle.
    fn items(&self) -> Vec<Item>;

    /// A name for a file's content that costs less than reading it, where there is one.
    fn packed_digest(&self, number: usize) -> Result<Option<Sha256>, GatherError>;

    /// Streams a file to its end, by its number in [`Source::items`]; never more than the size it has there.
    fn copy(&self, number: usize, to: &mut dyn Write) -> Result<(), GatherError>;

    /// A whole file, as [`Source::copy`] gives it; `buffer` is for its bytes, and may hold more behind them.
    fn read<'b>(&self, number: usize, bytes_max: u64, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], GatherError> {
        buffer.clear();
        self.copy(number, &mut Bounded { to: buffer, bytes_max })?;
        Ok(buffer)
    }
}

/// Takes no more than a file was said to have.
struct Bounded<'a> {
    to: &'a mut Vec<u8>,
    bytes_max: u64,
}

impl Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.to.is_empty() {
            self.to.reserve(usize::try_from(self.bytes_max).unwrap_or(0));
        }
        if (self.to.len() + bytes.len()) as u64 > self.bytes_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.to.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file before it is read.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) path: String,
    pub(super) bytes: u64,
    pub(super) executable: bool,
}

impl Source for Archive {
    fn items(&self) -> Vec<Item> {
        let item = |entry: &mpak_bundle::archive::Entry| Item {
            path: entry.path.as_str().to_owned(),
            bytes: entry.bytes,
            executable: entry.executable,
        };
        self.entries().iter().map(item).collect()
    }

    fn packed_digest(&self, number: usize) -> Result<Option<Sha256>, GatherError> {
        Ok(Some(Self::packed_digest(self, &self.entries()[number])?))
    }

    fn copy(&self, number: usize, to: &mut dyn Write) -> Result<(), GatherError> {
        Ok(Self::copy(self, &self.entries()[number], to)?)
    }

    fn read<'b>(&self, number: usize, _bytes_max: u64, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], GatherError> {
        Ok(self.read_into(&self.entries()[number], buffer)?)
    }
}

impl Source for Collected {
    fn items(&self) -> Vec<Item> {
        let item = |file: &mpak_bundle::collect::CollectedFile| Item {
            path: file.path.as_str().to_owned(),
            bytes: file.bytes,
            executable: file.executable,
        };
        self.files().iter().map(item).collect()
    }

    fn packed_digest(&self, _number: usize) -> Result<Option<Sha256>, GatherError> {
        Ok(None)
    }

    fn copy(&self, number: usize, mut to: &mut dyn Write) -> Result<(), GatherError> {
        let file = &self.files()[number];
        // A file that grows meanwhile is read as far as it was when it was listed.
        let copied = File::open(&file.source).and_then(|reader| io::copy(&mut reader.take(file.bytes), &mut to));
        copied.map(drop).map_err(|source| GatherError::Io { path: file.path.as_str().to_owned(), source })
    }
}
