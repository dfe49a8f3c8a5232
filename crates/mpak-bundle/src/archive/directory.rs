//! The central directory: one record per entry, read whole, each field checked.

use super::Entry;
use super::end::End;
use super::error::ArchiveError;
use super::extra::{self, Sizes};
use super::finding::{Findings, code};
use super::source::{Source, u16_at, u32_at};
use crate::limits::Limits;
use crate::path::{BundlePath, escape};

const RECORD_BYTES: usize = 46;
const RECORD: &[u8] = b"PK\x01\x02";

/// Flag: encrypted.
const FLAG_ENCRYPTED: u16 = 1;
/// Flag: sizes follow the data.
pub(super) const FLAG_DESCRIPTOR: u16 = 1 << 3;
const FLAG_STRONG_ENCRYPTION: u16 = 1 << 6;
const FLAG_UTF8: u16 = 1 << 11;
const FLAG_MASKED: u16 = 1 << 13;
/// Two bits of deflate level, descriptor, UTF-8.
const FLAGS_KNOWN: u16 = 0b110 | FLAG_DESCRIPTOR | FLAG_UTF8;

/// Systems in the high byte of "version made by" whose attributes hold a Unix mode.
const UNIX_SYSTEMS: [u8; 2] = [3, 19];

/// One record: an entry, and what its local header must agree with.
pub(super) struct Record {
    /// The file, or the folder under the same type.
    pub(super) entry: Entry,
    /// Whether the name ends with `/`.
    pub(super) folder: bool,
    /// Where the local header is said to be.
    pub(super) header_at: u64,
    /// General purpose flags.
    pub(super) flags: u16,
}

impl Record {
    /// The name as both headers must have it, byte by byte.
    pub(super) fn is_named(&self, name: &[u8]) -> bool {
        let name = if self.folder { name.strip_suffix(b"/") } else { Some(name) };
        name == Some(self.entry.path.as_str().as_bytes())
    }
}

/// The fixed and variable parts of one record.
struct Raw<'a> {
    fixed: &'a [u8],
    name: &'a [u8],
    extra: &'a [u8],
    comment: &'a [u8],
}

pub(super) fn read(
    source: &Source,
    end: &End,
    limits: &Limits,
    findings: &mut Findings,
) -> Result<Vec<Record>, ArchiveError> {
    let bytes = source.read_up_to(end.directory.start, (end.directory.end - end.directory.start) as usize)?;
    let mut rest = bytes.as_slice();
    let mut records = Vec::with_capacity((end.entries_count as usize).min(bytes.len() / RECORD_BYTES));
    let mut unpacked_bytes = 0_u64;
    while !rest.is_empty() {
        let index = records.len();
        if index as u64 == end.entries_count {
            let found = format!("{} more bytes", rest.len());
            return Err(ArchiveError::DirectoryCount { declared: end.entries_count, found });
        }
        let raw = split(&mut rest).map_err(|reason| ArchiveError::DirectoryRecord { index, reason })?;
        let record = read_record(&raw, limits, findings)?;
        unpacked_bytes = unpacked_bytes.saturating_add(record.entry.bytes);
        records.push(record);
    }
    if records.len() as u64 != end.entries_count {
        let found = records.len().to_string();
        return Err(ArchiveError::DirectoryCount { declared: end.entries_count, found });
    }
    check_total(unpacked_bytes, source.bytes(), limits)?;
    Ok(records)
}

fn check_total(bytes: u64, packed_bytes: u64, limits: &Limits) -> Result<(), ArchiveError> {
    if bytes > limits.unpacked_bytes_max {
        return Err(ArchiveError::UnpackedTooLarge { limit: limits.unpacked_bytes_max });
    }
    let limit = limits.archive_ratio_max;
    if bytes > limits.archive_ratio_floor_bytes && bytes / packed_bytes.max(1) > limit {
        return Err(ArchiveError::ArchiveRatio { bytes, packed_bytes, limit });
    }
    Ok(())
}

fn split<'a>(rest: &mut &'a [u8]) -> Result<Raw<'a>, &'static str> {
    let (fixed, variable) = rest.split_at_checked(RECORD_BYTES).ok_or("it is cut off")?;
    if !fixed.starts_with(RECORD) {
        return Err("it does not begin with its signature");
    }
    let part = |from: &'a [u8], at: usize| from.split_at_checked(u16_at(fixed, at).into()).ok_or("it is cut off");
    let (name, variable) = part(variable, 28)?;
    let (extra, variable) = part(variable, 30)?;
    let (comment, variable) = part(variable, 32)?;
    *rest = variable;
    Ok(Raw { fixed, name, extra, comment })
}

fn read_record(raw: &Raw<'_>, limits: &Limits, findings: &mut Findings) -> Result<Record, ArchiveError> {
    let fixed = raw.fixed;
    let shown = || escape(&String::from_utf8_lossy(raw.name));
    let flags = u16_at(fixed, 8);
    let method = u16_at(fixed, 10);
    let attributes = u32_at(fixed, 38);
    // 1. Name.
    let (path, folder) = read_name(raw, flags, limits, findings)?;
    // 2. Flags and method.
    check_flags(flags, method, &shown)?;
    // 3. Sizes and place.
    let extra = extra::parse(raw.extra).map_err(|reason| ArchiveError::Extra { name: shown(), reason })?;
    if extra.unicode_path.is_some_and(|name| name != raw.name) {
        return Err(ArchiveError::UnicodePath { name: shown() });
    }
    let short = Sizes {
        bytes: u32_at(fixed, 24).into(),
        packed_bytes: u32_at(fixed, 20).into(),
        header_at: Some(u32_at(fixed, 42).into()),
    };
    let sizes = extra.widen(short).map_err(|reason| ArchiveError::Extra { name: shown(), reason })?;
    check_sizes(sizes, method, limits, &shown)?;
    if u16_at(fixed, 34) != 0 {
        return Err(ArchiveError::MultiDisk);
    }
    // 4. Kind and mode.
    let mode = attributes >> 16;
    check_kind(mode, attributes, folder, sizes, &shown)?;
    let entry = Entry {
        executable: mode & 0o111 != 0,
        bytes: sizes.bytes,
        packed_bytes: sizes.packed_bytes,
        crc32: u32_at(fixed, 16),
        stored: method == 0,
        data_at: 0,
        path,
    };
    // 5. Remarks.
    if !raw.comment.is_empty() {
        findings.add(code::ENTRY_COMMENT, entry.path.as_str(), || "an entry has a comment".into());
    }
    if !folder {
        remark_mode(mode, entry.path.as_str(), findings);
        remark_ratio(&entry, limits, findings);
    }
    Ok(Record { entry, folder, header_at: sizes.header_at.unwrap_or(0), flags })
}

fn read_name(
    raw: &Raw<'_>,
    flags: u16,
    limits: &Limits,
    findings: &mut Findings,
) -> Result<(BundlePath, bool), ArchiveError> {
    let lossy = || escape(&String::from_utf8_lossy(raw.name));
    let text = std::str::from_utf8(raw.name).map_err(|_not_utf8| ArchiveError::NameEncoding { name: lossy() })?;
    if flags & FLAG_UTF8 == 0 && !text.is_ascii() {
        if !UNIX_SYSTEMS.contains(&raw.fixed[5]) {
            return Err(ArchiveError::NameEncoding { name: lossy() });
        }
        findings
            .add(code::NAME_NOT_FLAGGED, text, || "a name is UTF-8 without saying so; some readers garble it".into());
    }
    let stem = text.strip_suffix('/');
    let path = BundlePath::parse(stem.unwrap_or(text), limits)
        .map_err(|source| ArchiveError::Name { name: lossy(), source })?;
    Ok((path, stem.is_some()))
}

fn check_flags(flags: u16, method: u16, shown: &dyn Fn() -> String) -> Result<(), ArchiveError> {
    if flags & (FLAG_ENCRYPTED | FLAG_STRONG_ENCRYPTION | FLAG_MASKED) != 0 {
        return Err(ArchiveError::Encrypted { name: shown() });
    }
    if flags & !FLAGS_KNOWN != 0 {
        return Err(ArchiveError::Flags { name: shown(), flags });
    }
    if method != 0 && method != 8 {
        return Err(ArchiveError::Method { name: shown(), method });
    }
    Ok(())
}

fn check_sizes(sizes: Sizes, method: u16, limits: &Limits, shown: &dyn Fn() -> String) -> Result<(), ArchiveError> {
    let Sizes { bytes, packed_bytes, .. } = sizes;
    if bytes > limits.entry_bytes_max {
        return Err(ArchiveError::EntryTooLarge { name: shown(), bytes, limit: limits.entry_bytes_max });
    }
    if method == 0 && bytes != packed_bytes {
        return Err(ArchiveError::StoredSize { name: shown(), bytes, packed_bytes });
    }
    if bytes > packed_bytes.saturating_mul(limits.entry_ratio_max) {
        return Err(ArchiveError::RatioImpossible { name: shown(), bytes, packed_bytes });
    }
    Ok(())
}

/// Type bits count whatever system is named: other readers obey them too.
fn check_kind(
    mode: u32,
    attributes: u32,
    folder: bool,
    sizes: Sizes,
    shown: &dyn Fn() -> String,
) -> Result<(), ArchiveError> {
    const DOS_FOLDER: u32 = 0x10;
    let clear = match mode & 0o170_000 {
        0o120_000 => return Err(ArchiveError::SymbolicLink { name: shown() }),
        0o040_000 => folder,
        0o100_000 => !folder,
        0 => folder || attributes & DOS_FOLDER == 0,
        _ => return Err(ArchiveError::SpecialFile { name: shown(), mode }),
    };
    if !clear || (folder && sizes.bytes != 0) {
        return Err(ArchiveError::KindUnclear { name: shown() });
    }
    Ok(())
}

fn remark_mode(mode: u32, path: &str, findings: &mut Findings) {
    let permissions = mode & 0o777;
    if permissions == 0 {
        findings.add(code::MODE_MISSING, path, || "a file has no mode; it becomes 0644".into());
    }
    if mode & (0o4000 | 0o2000 | 0o1000) != 0 {
        findings.add(code::MODE_SPECIAL, path, || {
            format!("a file has the mode {:04o}; the special bits are dropped", mode & 0o7777)
        });
    }
    if mode & 0o002 != 0 {
        findings.add(code::MODE_WRITABLE, path, || {
            format!("a file has the mode {:04o}, writable for everybody; it becomes 0755 or 0644", mode & 0o7777)
        });
    }
}

fn remark_ratio(entry: &Entry, limits: &Limits, findings: &mut Findings) {
    let ratio = entry.bytes / entry.packed_bytes.max(1);
    if entry.bytes > limits.ratio_floor_bytes && ratio > limits.entry_ratio_warn {
        findings.add(code::RATIO_HIGH, entry.path.as_str(), || format!("a file unpacks to {ratio} times its size"));
    }
}
