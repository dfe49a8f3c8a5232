//! Local headers, data descriptors and layout: every byte of the file belongs to exactly one thing.

use super::directory::{FLAG_DESCRIPTOR, Record};
use super::error::ArchiveError;
use super::extra::{self, Sizes};
use super::finding::{Findings, code};
use super::source::{Source, u16_at, u32_at, u64_at};
use crate::path::escape;

const HEADER_BYTES: usize = 30;
const HEADER: &[u8] = b"PK\x03\x04";
const DESCRIPTOR: &[u8] = b"PK\x07\x08";
/// Room for the extra fields of usual writers, so that one read is enough.
const EXTRA_BYTES_USUAL: usize = 64;

/// Checks all local headers against the directory and the layout, and fills in where data begins.
pub(super) fn check(
    source: &Source,
    records: &mut [Record],
    directory_at: u64,
    findings: &mut Findings,
) -> Result<(), ArchiveError> {
    // Entries in the order of the file, each reaching exactly to the next one.
    let mut order: Vec<usize> = (0..records.len()).collect();
    order.sort_by_key(|&i| records[i].header_at);
    let mut at = 0;
    for (place, &i) in order.iter().enumerate() {
        let next = order.get(place + 1).map_or(directory_at, |&n| records[n].header_at);
        let record = &mut records[i];
        check_start(record, at, place)?;
        let data_at = check_header(source, record, directory_at, findings)?;
        record.entry.data_at = data_at;
        at = check_data_end(source, record, data_at, next)?;
    }
    if at != directory_at {
        return Err(ArchiveError::Gap { name: "the directory".into(), bytes: directory_at - at });
    }
    Ok(())
}

fn shown(record: &Record) -> String {
    escape(record.entry.path.as_str())
}

fn check_start(record: &Record, at: u64, place: usize) -> Result<(), ArchiveError> {
    match record.header_at.checked_sub(at) {
        Some(0) => Ok(()),
        Some(bytes) if place == 0 => Err(ArchiveError::PrependedData { bytes }),
        Some(bytes) => Err(ArchiveError::Gap { name: shown(record), bytes }),
        None => Err(ArchiveError::Overlap { name: shown(record) }),
    }
}

/// Gives the place where the data begins.
fn check_header(
    source: &Source,
    record: &Record,
    directory_at: u64,
    findings: &mut Findings,
) -> Result<u64, ArchiveError> {
    let malformed = |reason| ArchiveError::LocalHeader { name: shown(record), reason };
    let name_bytes = record.entry.path.as_str().len() + usize::from(record.folder);
    let room = directory_at.saturating_sub(record.header_at);
    let first = (HEADER_BYTES + name_bytes + EXTRA_BYTES_USUAL).min(room as usize);
    let mut header = source.read_up_to(record.header_at, first)?;
    if header.len() < HEADER_BYTES {
        return Err(malformed("it is cut off by the directory"));
    }
    if !header.starts_with(HEADER) {
        return Err(malformed("it does not begin with its signature"));
    }
    let name_end = HEADER_BYTES + usize::from(u16_at(&header, 26));
    let end = name_end + usize::from(u16_at(&header, 28));
    if end as u64 > room {
        return Err(malformed("it reaches into the directory"));
    }
    if end > header.len() {
        header = source.read_up_to(record.header_at, end)?;
    }
    check_fields(record, &header, &header[HEADER_BYTES..name_end], &header[name_end..end], findings)?;
    Ok(record.header_at + end as u64)
}

fn check_fields(
    record: &Record,
    header: &[u8],
    name: &[u8],
    extra: &[u8],
    findings: &mut Findings,
) -> Result<(), ArchiveError> {
    let differs = |field| Err(ArchiveError::HeadersDiffer { name: shown(record), field });
    if !record.is_named(name) {
        return differs("name");
    }
    if u16_at(header, 6) != record.flags {
        return differs("flags field");
    }
    if (u16_at(header, 8) == 0) != record.entry.stored || !matches!(u16_at(header, 8), 0 | 8) {
        return differs("method");
    }
    let extra = extra::parse(extra).map_err(|reason| ArchiveError::Extra { name: shown(record), reason })?;
    if extra.unicode_path.is_some_and(|other| other != name) {
        return Err(ArchiveError::UnicodePath { name: shown(record) });
    }
    let short = Sizes { bytes: u32_at(header, 22).into(), packed_bytes: u32_at(header, 18).into(), header_at: None };
    let sizes = extra.widen(short).map_err(|reason| ArchiveError::Extra { name: shown(record), reason })?;
    let crc32 = u32_at(header, 14);
    // With a descriptor each value may be left out (zero); where it is given it must be true.
    let streamed = record.flags & FLAG_DESCRIPTOR != 0;
    let agrees = |value: u64, truth: u64| value == truth || (streamed && value == 0);
    if !agrees(crc32.into(), record.entry.crc32.into()) {
        return differs("checksum");
    }
    if !agrees(sizes.packed_bytes, record.entry.packed_bytes) {
        return differs("compressed size");
    }
    if !agrees(sizes.bytes, record.entry.bytes) {
        return differs("size");
    }
    if streamed && (crc32 != 0 || sizes.packed_bytes != 0 || sizes.bytes != 0) {
        findings.add(code::DESCRIPTOR_SIZES, record.entry.path.as_str(), || {
            "an entry has its sizes both in front of and behind its data".into()
        });
    }
    Ok(())
}

/// Gives the place where the entry ends, descriptor included.
fn check_data_end(source: &Source, record: &Record, data_at: u64, next: u64) -> Result<u64, ArchiveError> {
    let end = data_at.saturating_add(record.entry.packed_bytes);
    let Some(room) = next.checked_sub(end) else {
        return Err(ArchiveError::Overlap { name: shown(record) });
    };
    if record.flags & FLAG_DESCRIPTOR == 0 {
        return Ok(end);
    }
    // The next thing begins directly behind the descriptor, so the room tells its form.
    if !matches!(room, 12 | 16 | 20 | 24) {
        return Err(ArchiveError::Descriptor { name: shown(record) });
    }
    let descriptor = source.read_up_to(end, room as usize)?;
    let signed = matches!(room, 16 | 24);
    let values = if signed { &descriptor[4..] } else { &descriptor[..] };
    let (packed_bytes, bytes) = if values.len() == 12 {
        (u32_at(values, 4).into(), u32_at(values, 8).into())
    } else {
        (u64_at(values, 4), u64_at(values, 12))
    };
    let agrees = (!signed || descriptor.starts_with(DESCRIPTOR))
        && u32_at(values, 0) == record.entry.crc32
        && packed_bytes == record.entry.packed_bytes
        && bytes == record.entry.bytes;
    if agrees { Ok(next) } else { Err(ArchiveError::Descriptor { name: shown(record) }) }
}
