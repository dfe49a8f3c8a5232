//! Compression of one file: deflated, or as it is where deflating does not shrink it.
//!
//! Input is fed in blocks of one size, so that the result depends on nothing but the content.

use std::fs::File;
use std::io::{self, Read, Seek as _, Write as _};
use std::path::Path;

use crc32fast::Hasher;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use tempfile::SpooledTempFile;

/// Bytes given to the compressor at once.
const BLOCK_BYTES: usize = 128 << 10;
/// Compressed bytes kept in memory per file; more goes to a temporary file without a name.
const MEMORY_BYTES_MAX: usize = 1 << 20;
const LEVEL: u32 = 9;

/// One file, ready to be written.
pub(super) struct Compressed {
    pub(super) crc32: u32,
    pub(super) packed_bytes: u64,
    pub(super) data: Data,
}

/// Where the bytes come from, at their start.
pub(super) enum Data {
    /// Method 8.
    Deflated(SpooledTempFile),
    /// Method 0: the file itself, read again.
    Stored(File),
}

/// Why a file cannot be compressed.
#[derive(Debug)]
pub(super) enum CompressError {
    Read(io::Error),
    /// Not the size that was collected; `None` means more.
    Size {
        found: Option<u64>,
    },
    /// Read twice, with other bytes the second time.
    Content,
}

impl From<io::Error> for CompressError {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

/// Reads a file of `bytes` bytes; what does not fit in memory goes to `folder` meanwhile.
pub(super) fn compress(source: &Path, bytes: u64, folder: &Path) -> Result<Compressed, CompressError> {
    let mut file = File::open(source)?;
    let mut crc = Hasher::new();
    let spool = tempfile::spooled_tempfile_in(MEMORY_BYTES_MAX, folder);
    let mut encoder = DeflateEncoder::new(spool, Compression::new(LEVEL));
    let mut block = vec![0; BLOCK_BYTES.min(usize::try_from(bytes).unwrap_or(BLOCK_BYTES) + 1)];
    let mut read = 0;
    loop {
        let length = fill(&mut file, &mut block)?;
        if length == 0 {
            break;
        }
        read += length as u64;
        if read > bytes {
            return Err(CompressError::Size { found: None });
        }
        crc.update(&block[..length]);
        encoder.write_all(&block[..length])?;
    }
    if read != bytes {
        return Err(CompressError::Size { found: Some(read) });
    }
    let mut spool = encoder.finish()?;
    let packed_bytes = spool.stream_position()?;
    let crc32 = crc.finalize();
    if packed_bytes >= bytes {
        file.rewind()?;
        return Ok(Compressed { crc32, packed_bytes: bytes, data: Data::Stored(file) });
    }
    spool.rewind()?;
    Ok(Compressed { crc32, packed_bytes, data: Data::Deflated(spool) })
}

/// Fills the block as far as the file reaches, however little each read gives.
fn fill(file: &mut File, block: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < block.len() {
        match file.read(&mut block[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}
