//! Feeds as files: JSON, JSON lines, a list, gz of these, zip of JSON files, folders of all that.
//!
//! What a file is, its content says, not its name. In: files from outside. Out: the bytes of one record at
//! a time. Every size has a limit; a zip goes through the one strict reader.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek as _};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use mpak_bundle::archive::{Archive, ArchiveError};
use mpak_bundle::limits::Limits;
use serde_json::value::RawValue;

use super::BuildError;

/// Largest single record, also largest line.
const RECORD_BYTES_MAX: u64 = 32 << 20;
/// Largest JSON document of many records in one file.
const DOCUMENT_BYTES_MAX: u64 = 512 << 20;
/// Largest file after unpacking, when it is read line by line.
const UNPACKED_BYTES_MAX: u64 = 32 << 30;
/// Most files of a folder, and of a zip.
const FILES_COUNT_MAX: usize = 4_000_000;
/// Deepest folder.
const DEPTH_MAX: usize = 16;

/// A file that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The file system refuses.
    #[error("cannot read `{}`", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The zip is unsound.
    #[error("the zip `{}` cannot be read", path.display())]
    Zip {
        /// Where.
        path: PathBuf,
        /// Why.
        source: ArchiveError,
    },
    /// It is neither JSON nor JSON lines.
    #[error("`{}` is not JSON: {reason}", path.display())]
    Json {
        /// Where.
        path: PathBuf,
        /// What is wrong, and on which line.
        reason: String,
    },
    /// Larger than a feed is.
    #[error("`{}` is larger than {bytes_max} bytes", path.display())]
    TooLarge {
        /// Where.
        path: PathBuf,
        /// The limit.
        bytes_max: u64,
    },
    /// More files than a feed has, or folders in folders without end.
    #[error("`{}` holds more than {FILES_COUNT_MAX} files or {DEPTH_MAX} folders in each other", path.display())]
    TooMany {
        /// Where.
        path: PathBuf,
    },
}

/// Takes one record; gets the file it is from.
pub(super) type Take<'a> = dyn FnMut(&Path, &[u8]) -> Result<(), BuildError> + 'a;

/// Reads all records of a file or folder.
pub(super) fn records(path: &Path, take: &mut Take<'_>) -> Result<(), BuildError> {
    if path.is_dir() {
        let mut files = Vec::new();
        list(path, 0, &mut files)?;
        files.sort();
        return files.iter().try_for_each(|file| file_records(file, take));
    }
    file_records(path, take)
}

/// Files of a folder that can be feeds. Links are not followed.
fn list(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), InputError> {
    let io = |source| InputError::Io { path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        let kind = entry.file_type().map_err(io)?;
        let path = entry.path();
        if kind.is_dir() {
            if depth == DEPTH_MAX {
                return Err(InputError::TooMany { path });
            }
            list(&path, depth + 1, files)?;
        } else if kind.is_file() && is_feed(&path) {
            files.push(path);
        }
        if files.len() > FILES_COUNT_MAX {
            return Err(InputError::TooMany { path: folder.to_owned() });
        }
    }
    Ok(())
}

/// In a folder there may be other things: readmes, licences.
fn is_feed(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    matches!(extension.as_str(), "json" | "jsonl" | "ndjson" | "zip" | "gz")
}

fn file_records(path: &Path, take: &mut Take<'_>) -> Result<(), BuildError> {
    let io = |source| InputError::Io { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(io)?;
    let mut begin = Vec::new();
    (&file).take(4).read_to_end(&mut begin).map_err(io)?;
    file.rewind().map_err(io)?;
    if begin.starts_with(b"PK\x03\x04") || begin.starts_with(b"PK\x05\x06") {
        return zip_records(file, path, take);
    }
    text_records(unpacked(file, path)?, path, take)
}

/// A file's text, decompressed if it is gz.
pub(super) fn unpacked(mut file: File, path: &Path) -> Result<Box<dyn BufRead>, InputError> {
    const BUFFER_BYTES: usize = 256 << 10;
    let io = |source| InputError::Io { path: path.to_owned(), source };
    let mut begin = Vec::new();
    (&file).take(2).read_to_end(&mut begin).map_err(io)?;
    file.rewind().map_err(io)?;
    let plain = BufReader::with_capacity(BUFFER_BYTES, file);
    if begin == [0x1f, 0x8b] {
        let text = MultiGzDecoder::new(plain).take(UNPACKED_BYTES_MAX);
        return Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, text)));
    }
    Ok(Box::new(plain.take(UNPACKED_BYTES_MAX)))
}

/// A whole document, decompressed if it is gz.
pub(super) fn whole(path: &Path) -> Result<Vec<u8>, InputError> {
    let file = File::open(path).map_err(|source| InputError::Io { path: path.to_owned(), source })?;
    rest(&mut unpacked(file, path)?, Vec::new(), path)
}

fn rest(text: &mut dyn BufRead, mut begin: Vec<u8>, path: &Path) -> Result<Vec<u8>, InputError> {
    text.take(DOCUMENT_BYTES_MAX + 1)
        .read_to_end(&mut begin)
        .map_err(|source| InputError::Io { path: path.to_owned(), source })?;
    if begin.len() as u64 > DOCUMENT_BYTES_MAX {
        return Err(InputError::TooLarge { path: path.to_owned(), bytes_max: DOCUMENT_BYTES_MAX });
    }
    Ok(begin)
}

/// The JSON files of a zip, one after the other.
fn zip_records(file: File, path: &Path, take: &mut Take<'_>) -> Result<(), BuildError> {
    let error = |source| InputError::Zip { path: path.to_owned(), source };
    let archive = Archive::open(file, &limits()).map_err(error)?;
    for entry in archive.entries() {
        if is_feed(Path::new(entry.path.as_str())) {
            let bytes = archive.read(entry, DOCUMENT_BYTES_MAX).map_err(error)?;
            text_records(Box::new(io::Cursor::new(bytes)), &path.join(entry.path.as_str()), take)?;
        }
    }
    Ok(())
}

/// A dump of a whole ecosystem is larger and has more files than any bundle.
fn limits() -> Limits {
    Limits {
        archive_bytes_max: 8 << 30,
        unpacked_bytes_max: UNPACKED_BYTES_MAX,
        entry_bytes_max: DOCUMENT_BYTES_MAX,
        entries_count_max: FILES_COUNT_MAX,
        directory_bytes_max: 1 << 30,
        ..Limits::default()
    }
}

/// One document, a list of them, or one on each line.
fn text_records(mut text: Box<dyn BufRead>, path: &Path, take: &mut Take<'_>) -> Result<(), BuildError> {
    let mut number = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        let io = |source| InputError::Io { path: path.to_owned(), source };
        let read = (&mut text).take(RECORD_BYTES_MAX + 1).read_until(b'\n', &mut line).map_err(io)?;
        if read == 0 {
            return Ok(());
        }
        number += 1;
        let begin = line.trim_ascii_start();
        if begin.is_empty() {
            continue;
        }
        // 1. A line that is no document by itself begins one that spans lines, or a list: then all is one text.
        if number == 1 && (begin[0] == b'[' || serde_json::from_slice::<&RawValue>(&line).is_err()) {
            let whole = rest(&mut *text, std::mem::take(&mut line), path)?;
            return document(&whole, path, take);
        }
        if line.len() as u64 > RECORD_BYTES_MAX {
            return Err(InputError::TooLarge { path: path.to_owned(), bytes_max: RECORD_BYTES_MAX }.into());
        }
        // 2. Else one record.
        take(path, &line)?;
    }
}

fn document(text: &[u8], path: &Path, take: &mut Take<'_>) -> Result<(), BuildError> {
    let error = |e: &serde_json::Error| InputError::Json { path: path.to_owned(), reason: e.to_string() };
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    if text.trim_ascii_start().first() == Some(&b'[') {
        let list: Vec<&RawValue> = serde_json::from_slice(text).map_err(|e| error(&e))?;
        return list.iter().try_for_each(|record| take(path, record.get().as_bytes()));
    }
    for record in serde_json::Deserializer::from_slice(text).into_iter::<&RawValue>() {
        take(path, record.map_err(|e| error(&e))?.get().as_bytes())?;
    }
    Ok(())
}
