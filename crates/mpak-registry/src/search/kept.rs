//! The summary of a package: in memory since it changed, or in the index's file, where most are: they are
//! the larger part of the index, and only those of a page are ever read.

use std::fs::File;
use std::io;
use std::sync::Arc;

/// JSON of a summary.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    /// Here.
    Memory(Arc<[u8]>),
    /// There. The file is written once; a later one takes its name, not its place.
    File { file: Arc<File>, at: u64, bytes: u32 },
}

impl Kept {
    /// Appends it.
    pub(super) fn read(&self, out: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Self::Memory(bytes) => out.extend_from_slice(bytes),
            Self::File { file, at, bytes } => {
                let from = out.len();
                out.resize(from + *bytes as usize, 0);
                read_at(file, &mut out[from..], *at)?;
            }
        }
        Ok(())
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
