//! The end of the file: signature block, end record, ZIP64 end record.
//!
//! The end record is the last one in the file, its comment must reach exactly to the end, and the
//! directory must stand directly in front of it. Only one thing may follow: one signature block whose
//! length fits exactly between its header and its footer at the end of the file.

use std::ops::Range;

use super::error::ArchiveError;
use super::finding::{Findings, code};
use super::source::{Source, last_of, u16_at, u32_at, u64_at};
use crate::limits::Limits;

const END_BYTES: usize = 22;
const COMMENT_BYTES_MAX: usize = 65_535;
const LOCATOR_BYTES: u64 = 20;
const ZIP64_END_BYTES: u64 = 56;

const END: &[u8] = b"PK\x05\x06";
const LOCATOR: &[u8] = b"PK\x06\x07";
const ZIP64_END: &[u8] = b"PK\x06\x06";

/// First bytes of a signature block.
pub(super) const SIGNATURE_HEADER: &[u8] = b"MCPB_SIG_V1";
/// Last bytes of a signature block.
pub(super) const SIGNATURE_FOOTER: &[u8] = b"MCPB_SIG_END";
/// Largest signature block: it must fit into a comment.
const SIGNATURE_BYTES_MAX: usize = COMMENT_BYTES_MAX;

/// What the end of the file says.
pub(super) struct End {
    /// Where the directory stands.
    pub(super) directory: Range<u64>,
    /// How many entries it holds.
    pub(super) entries_count: u64,
    /// Where the signature block stands.
    pub(super) signature: Option<Range<u64>>,
}

/// The four numbers of an end record.
#[derive(PartialEq, Eq)]
struct Numbers {
    entries_here: u64,
    entries: u64,
    directory_bytes: u64,
    directory_at: u64,
}

pub(super) fn find(source: &Source, limits: &Limits, findings: &mut Findings) -> Result<End, ArchiveError> {
    // 1. Size, and the last part of the file.
    if source.bytes() > limits.archive_bytes_max {
        return Err(ArchiveError::TooLarge { bytes: source.bytes(), limit: limits.archive_bytes_max });
    }
    let tail_at = source.bytes().saturating_sub((END_BYTES + COMMENT_BYTES_MAX + SIGNATURE_BYTES_MAX) as u64);
    let tail = source.read_up_to(tail_at, END_BYTES + COMMENT_BYTES_MAX + SIGNATURE_BYTES_MAX)?;
    // 2. The signature block, if the file ends with its footer.
    let block = signature_block(&tail)?;
    // Readers that know no signature blocks look for the end record in it too, and find another archive.
    if block.as_ref().is_some_and(|b| last_of(&tail[b.clone()], END).is_some()) {
        return Err(ArchiveError::EndRecordAmbiguous);
    }
    // 3. The end record: the last one in front of the block.
    let body = &tail[..block.as_ref().map_or(tail.len(), |b| b.start)];
    let Some(at) = last_of(body, END) else { return Err(no_end_record(source)?) };
    if at + END_BYTES > body.len() {
        return Err(ArchiveError::EndRecordMissing);
    }
    // 4. Its comment ends where the file ends; beside a block, either in front of it or behind it.
    let comment_bytes = check_comment(&tail, at, body.len())?;
    if comment_bytes > 0 {
        findings.add(code::ARCHIVE_COMMENT, "", || format!("the archive has a comment of {comment_bytes} bytes"));
    }
    // 5. Numbers, from the ZIP64 record if there is one.
    let record = &tail[at..at + END_BYTES];
    let (numbers, directory_end) = match zip64(source, record, tail_at + at as u64)? {
        Some(found) => {
            findings.add(code::ZIP64, "", || "the archive has a ZIP64 end record; some readers cannot open it".into());
            found
        }
        None => (short_numbers(record)?, tail_at + at as u64),
    };
    // 6. The directory stands directly in front.
    let declared = numbers.directory_at.saturating_add(numbers.directory_bytes);
    if declared != directory_end {
        return Err(ArchiveError::DirectoryPlace { declared, found: directory_end });
    }
    check_counts(&numbers, limits)?;
    Ok(End {
        directory: numbers.directory_at..declared,
        entries_count: numbers.entries,
        signature: block.map(|b| tail_at + b.start as u64..tail_at + b.end as u64),
    })
}

fn check_counts(numbers: &Numbers, limits: &Limits) -> Result<(), ArchiveError> {
    if numbers.entries != numbers.entries_here {
        return Err(ArchiveError::MultiDisk);
    }
    if numbers.entries == 0 && numbers.directory_bytes == 0 {
        return Err(ArchiveError::Empty);
    }
    if numbers.entries > limits.entries_count_max as u64 {
        return Err(ArchiveError::EntriesCount { count: numbers.entries, limit: limits.entries_count_max });
    }
    if numbers.directory_bytes > limits.directory_bytes_max {
        return Err(ArchiveError::DirectoryTooLarge {
            bytes: numbers.directory_bytes,
            limit: limits.directory_bytes_max,
        });
    }
    Ok(())
}

/// A block counts only if its length leads exactly from its header to its footer, and the footer ends
/// the file: `header + 15 + length == footer`, `footer + 12 == end`.
fn signature_block(tail: &[u8]) -> Result<Option<Range<usize>>, ArchiveError> {
    if !tail.ends_with(SIGNATURE_FOOTER) {
        return Ok(None);
    }
    let malformed = |reason| ArchiveError::SignatureMalformed { reason };
    let footer = tail.len() - SIGNATURE_FOOTER.len();
    let header = last_of(&tail[..footer], SIGNATURE_HEADER).ok_or(malformed("it has no beginning"))?;
    let blob = header + SIGNATURE_HEADER.len() + 4;
    if blob > footer || u32_at(tail, blob - 4) as usize != footer - blob {
        return Err(malformed("its length does not lead to its end"));
    }
    if blob == footer {
        return Err(malformed("it is empty"));
    }
    if tail.len() - header > SIGNATURE_BYTES_MAX {
        return Err(malformed("it is too long"));
    }
    Ok(Some(header..tail.len()))
}

/// What is between the markers of a signature block.
pub(super) fn signature_content(block: &[u8]) -> &[u8] {
    let start = SIGNATURE_HEADER.len() + 4;
    block.get(start..block.len().saturating_sub(SIGNATURE_FOOTER.len())).unwrap_or_default()
}

/// Where the length of the archive's comment stands in a body of this size, and what it is.
pub(super) fn comment_length(source: &Source, body_bytes: u64) -> Result<Option<(u64, u64)>, ArchiveError> {
    let most = (END_BYTES + COMMENT_BYTES_MAX) as u64;
    let tail_at = body_bytes.saturating_sub(most);
    let tail = source.read_up_to(tail_at, (body_bytes - tail_at) as usize)?;
    let at = last_of(&tail, END).filter(|at| at + END_BYTES <= tail.len());
    Ok(at.map(|at| (tail_at + at as u64 + 20, u64::from(u16_at(&tail, at + 20)))))
}

fn no_end_record(source: &Source) -> Result<ArchiveError, ArchiveError> {
    let head = source.read_up_to(0, 2)?;
    Ok(if head == b"PK" { ArchiveError::EndRecordMissing } else { ArchiveError::NotAZip })
}

/// Gives the length of the comment without the signature block.
fn check_comment(tail: &[u8], at: usize, body_end: usize) -> Result<usize, ArchiveError> {
    let comment_end = |at: usize| at + END_BYTES + usize::from(u16_at(tail, at + 20));
    let fits = |end: usize| end == body_end || end == tail.len();
    let end = comment_end(at);
    // An earlier record whose comment also ends the file hides a second archive in that comment.
    let earlier = tail[..at].windows(END.len()).enumerate().filter(|(_, window)| *window == END);
    if earlier.map(|(place, _)| place).any(|place| fits(comment_end(place))) {
        return Err(ArchiveError::EndRecordAmbiguous);
    }
    if fits(end) {
        return Ok(end.min(body_end) - at - END_BYTES);
    }
    if end > body_end {
        let found = (tail.len() - at - END_BYTES) as u64;
        return Err(ArchiveError::CommentOverrun { declared: u64::from(u16_at(tail, at + 20)), found });
    }
    Err(ArchiveError::TrailingData { bytes: (body_end - end) as u64 })
}

fn short_numbers(record: &[u8]) -> Result<Numbers, ArchiveError> {
    if u16_at(record, 4) != 0 || u16_at(record, 6) != 0 {
        return Err(ArchiveError::MultiDisk);
    }
    Ok(Numbers {
        entries_here: u16_at(record, 8).into(),
        entries: u16_at(record, 10).into(),
        directory_bytes: u32_at(record, 12).into(),
        directory_at: u32_at(record, 16).into(),
    })
}

/// The ZIP64 numbers and where their record begins, if a locator stands in front of the end record.
fn zip64(source: &Source, short: &[u8], end_at: u64) -> Result<Option<(Numbers, u64)>, ArchiveError> {
    let wrong = |reason| ArchiveError::Zip64End { reason };
    let Some(locator_at) = end_at.checked_sub(LOCATOR_BYTES) else { return Ok(None) };
    let locator = source.read_up_to(locator_at, LOCATOR_BYTES as usize)?;
    if !locator.starts_with(LOCATOR) {
        return Ok(None);
    }
    if u32_at(&locator, 4) != 0 || u32_at(&locator, 16) != 1 {
        return Err(ArchiveError::MultiDisk);
    }
    let at = locator_at.checked_sub(ZIP64_END_BYTES).ok_or(wrong("there is no room for it"))?;
    if u64_at(&locator, 8) != at {
        return Err(wrong("the locator points elsewhere than directly in front of itself"));
    }
    let record = source.read_up_to(at, ZIP64_END_BYTES as usize)?;
    if !record.starts_with(ZIP64_END) || u64_at(&record, 4) != ZIP64_END_BYTES - 12 {
        return Err(wrong("it is malformed"));
    }
    if u32_at(&record, 16) != 0 || u32_at(&record, 20) != 0 {
        return Err(ArchiveError::MultiDisk);
    }
    let numbers = Numbers {
        entries_here: u64_at(&record, 24),
        entries: u64_at(&record, 32),
        directory_bytes: u64_at(&record, 40),
        directory_at: u64_at(&record, 48),
    };
    check_agreement(short, &numbers)?;
    Ok(Some((numbers, at)))
}

/// Each short field is either all ones or the same number.
fn check_agreement(short: &[u8], long: &Numbers) -> Result<(), ArchiveError> {
    let agrees16 = |at: usize, value: u64| u16_at(short, at) == u16::MAX || u64::from(u16_at(short, at)) == value;
    let agrees32 = |at: usize, value: u64| u32_at(short, at) == u32::MAX || u64::from(u32_at(short, at)) == value;
    if !agrees16(4, 0) || !agrees16(6, 0) {
        return Err(ArchiveError::MultiDisk);
    }
    let agrees = agrees16(8, long.entries_here)
        && agrees16(10, long.entries)
        && agrees32(12, long.directory_bytes)
        && agrees32(16, long.directory_at);
    if agrees { Ok(()) } else { Err(ArchiveError::Zip64End { reason: "it disagrees with the short end record" }) }
}
