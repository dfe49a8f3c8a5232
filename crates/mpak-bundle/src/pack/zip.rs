//! The records of a ZIP archive, written in one pass.
//!
//! Spec: PKWARE APPNOTE 6.3.10 §4.3 (layout), §4.5.3 (ZIP64 extra field). No data descriptors, no folders,
//! no comments; UTF-8 flag only for names that need it; ZIP64 records only where a number does not fit.

use std::io::{self, Read, Write};

use crc32fast::Hasher;

use super::compress::{CompressError, Compressed, Data};
use crate::collect::CollectedFile;

/// Version 2.0, made on Unix: then the upper half of the attributes is a mode.
const MADE_BY: u16 = 0x0314;
const MADE_BY_ZIP64: u16 = 0x032d;
const NEEDED: u16 = 20;
const NEEDED_ZIP64: u16 = 45;
const UTF8: u16 = 1 << 11;
const ZIP64_EXTRA: u16 = 1;
const REGULAR_FILE: u32 = 0o100_000;

/// From which number on ZIP64 records are used; the format's own bounds outside of tests.
#[derive(Clone, Copy)]
pub(super) struct Zip64 {
    /// Sizes and offsets.
    pub(super) bytes_from: u64,
    /// Number of entries.
    pub(super) entries_from: u64,
}

impl Zip64 {
    /// The largest values mean "see the ZIP64 record".
    pub(super) const WHEN_NEEDED: Self = Self { bytes_from: 0xffff_ffff, entries_from: 0xffff };
}

/// Date and time as MS-DOS keeps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DosTime {
    date: u16,
    time: u16,
}

impl DosTime {
    /// 1980-01-01T00:00:00 and 2107-12-31T23:59:58, in seconds since 1970.
    const FIRST: i64 = 315_532_800;
    const LAST: i64 = 4_354_819_198;

    /// In UTC, so that the time zone of the machine does not show; clamped to what the form can say.
    pub(super) fn from_epoch(seconds: Option<i64>) -> Self {
        let seconds = seconds.unwrap_or(Self::FIRST).clamp(Self::FIRST, Self::LAST);
        let (year, month, day) = civil(seconds / 86_400);
        let second = seconds % 86_400;
        let date = ((year - 1980) << 9) | (month << 5) | day;
        let time = ((second / 3600) << 11) | ((second / 60 % 60) << 5) | (second % 60 / 2);
        let fits = "within 1980 and 2107";
        Self { date: u16::try_from(date).expect(fits), time: u16::try_from(time).expect(fits) }
    }
}

/// Year, month and day of a day since 1970 (Gregorian calendar, years counted from March).
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Why an entry cannot be added.
pub(super) enum AddError {
    Read(CompressError),
    Write(io::Error),
}

/// Writes entries one after the other, then the directory.
pub(super) struct ZipWriter<W> {
    out: W,
    offset: u64,
    time: DosTime,
    zip64: Zip64,
    entries: Vec<Entry>,
}

/// What the directory says of an entry.
struct Entry {
    name: String,
    method: u16,
    crc32: u32,
    bytes: u64,
    packed_bytes: u64,
    offset: u64,
    mode: u32,
}

impl<W: Write> ZipWriter<W> {
    pub(super) fn new(out: W, time: DosTime, zip64: Zip64) -> Self {
        Self { out, offset: 0, time, zip64, entries: Vec::new() }
    }

    /// Writes a local header and the data.
    pub(super) fn add(&mut self, file: &CollectedFile, compressed: Compressed) -> Result<(), AddError> {
        let entry = Entry {
            name: file.path.as_str().to_owned(),
            method: if matches!(compressed.data, Data::Deflated(_)) { 8 } else { 0 },
            crc32: compressed.crc32,
            bytes: file.bytes,
            packed_bytes: compressed.packed_bytes,
            offset: self.offset,
            mode: if file.executable { 0o755 } else { 0o644 },
        };
        self.write(&self.local(&entry)).map_err(AddError::Write)?;
        self.data(compressed)?;
        self.entries.push(entry);
        Ok(())
    }

    /// Writes the directory and its end.
    pub(super) fn finish(mut self) -> io::Result<W> {
        let start = self.offset;
        let entries = std::mem::take(&mut self.entries);
        for entry in &entries {
            self.write(&self.central(entry))?;
        }
        let end = self.end(entries.len() as u64, start, self.offset - start);
        self.write(&end)?;
        Ok(self.out)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.offset += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    /// Copies exactly as many bytes as the header says, and of a file read again the same ones.
    fn data(&mut self, compressed: Compressed) -> Result<(), AddError> {
        let (mut source, check): (Box<dyn Read>, bool) = match compressed.data {
            Data::Deflated(spool) => (Box::new(spool), false),
            Data::Stored(file) => (Box::new(file), true),
        };
        let mut crc = Hasher::new();
        let mut block = vec![0; 64 << 10];
        let mut left = compressed.packed_bytes;
        while left > 0 {
            let want = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
            let length = source.read(&mut block[..want]).map_err(|e| AddError::Read(CompressError::Read(e)))?;
            if length == 0 {
                let found = Some(compressed.packed_bytes - left);
                return Err(AddError::Read(CompressError::Size { found }));
            }
            crc.update(&block[..length]);
            self.write(&block[..length]).map_err(AddError::Write)?;
            left -= length as u64;
        }
        if check && crc.finalize() != compressed.crc32 {
            return Err(AddError::Read(CompressError::Content));
        }
        Ok(())
    }

    fn large(&self, number: u64) -> bool {
        number >= self.zip64.bytes_from
    }

    /// The fields that local and central header share, from the version needed to the name's length.
    fn shared(&self, entry: &Entry, needs_zip64: bool, sizes: [u32; 2], extra_bytes: usize) -> Vec<u8> {
        let mut record = Vec::with_capacity(80 + entry.name.len());
        put16(&mut record, if needs_zip64 { NEEDED_ZIP64 } else { NEEDED });
        put16(&mut record, if entry.name.is_ascii() { 0 } else { UTF8 });
        put16(&mut record, entry.method);
        put16(&mut record, self.time.time);
        put16(&mut record, self.time.date);
        put32(&mut record, entry.crc32);
        for size in sizes {
            put32(&mut record, size);
        }
        put16(&mut record, u16::try_from(entry.name.len()).expect("paths are limited"));
        put16(&mut record, u16::try_from(extra_bytes).expect("at most three numbers"));
        record
    }

    /// A local header carries both sizes in ZIP64 form or neither.
    fn local(&self, entry: &Entry) -> Vec<u8> {
        let large = self.large(entry.bytes) || self.large(entry.packed_bytes);
        let extra = if large { extra(&[entry.bytes, entry.packed_bytes]) } else { Vec::new() };
        let sizes = [entry.packed_bytes, entry.bytes].map(|size| if large { u32::MAX } else { narrow(size) });
        let mut record = b"PK\x03\x04".to_vec();
        record.extend(self.shared(entry, large, sizes, extra.len()));
        record.extend(entry.name.as_bytes());
        record.extend(extra);
        record
    }

    /// A central header carries in ZIP64 form what does not fit, in this order.
    fn central(&self, entry: &Entry) -> Vec<u8> {
        let numbers = [entry.bytes, entry.packed_bytes, entry.offset];
        let large: Vec<u64> = numbers.into_iter().filter(|number| self.large(*number)).collect();
        let extra = if large.is_empty() { Vec::new() } else { extra(&large) };
        let fit = |number| if self.large(number) { u32::MAX } else { narrow(number) };
        let mut record = b"PK\x01\x02".to_vec();
        put16(&mut record, MADE_BY);
        let sizes = [entry.packed_bytes, entry.bytes].map(fit);
        record.extend(self.shared(entry, !large.is_empty(), sizes, extra.len()));
        // Comment, disk, internal attributes.
        record.extend([0; 6]);
        put32(&mut record, (REGULAR_FILE | entry.mode) << 16);
        put32(&mut record, fit(entry.offset));
        record.extend(entry.name.as_bytes());
        record.extend(extra);
        record
    }

    fn end(&self, count: u64, start: u64, bytes: u64) -> Vec<u8> {
        let many = count >= self.zip64.entries_from;
        let mut record = Vec::new();
        if many || self.large(start) || self.large(bytes) {
            record.extend(b"PK\x06\x06");
            put64(&mut record, 44);
            put16(&mut record, MADE_BY_ZIP64);
            put16(&mut record, NEEDED_ZIP64);
            record.extend([0; 8]);
            for number in [count, count, bytes, start] {
                put64(&mut record, number);
            }
            record.extend(b"PK\x06\x07");
            put32(&mut record, 0);
            put64(&mut record, self.offset);
            put32(&mut record, 1);
        }
        let count = if many { u16::MAX } else { u16::try_from(count).expect("below the bound") };
        record.extend(b"PK\x05\x06");
        record.extend([0; 4]);
        put16(&mut record, count);
        put16(&mut record, count);
        for number in [bytes, start] {
            put32(&mut record, if self.large(number) { u32::MAX } else { narrow(number) });
        }
        put16(&mut record, 0);
        record
    }
}

fn extra(numbers: &[u64]) -> Vec<u8> {
    let mut field = Vec::with_capacity(4 + 8 * numbers.len());
    put16(&mut field, ZIP64_EXTRA);
    put16(&mut field, u16::try_from(8 * numbers.len()).expect("at most three numbers"));
    for number in numbers {
        put64(&mut field, *number);
    }
    field
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).expect("below the ZIP64 bound")
}

fn put16(record: &mut Vec<u8>, number: u16) {
    record.extend(number.to_le_bytes());
}

fn put32(record: &mut Vec<u8>, number: u32) {
    record.extend(number.to_le_bytes());
}

fn put64(record: &mut Vec<u8>, number: u64) {
    record.extend(number.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_and_clamped() {
        let dos = |year: u16, month: u16, day: u16, hour: u16, minute: u16, second: u16| DosTime {
            date: ((year - 1980) << 9) | (month << 5) | day,
            time: (hour << 11) | (minute << 5) | (second / 2),
        };
        let first = dos(1980, 1, 1, 0, 0, 0);
        let last = dos(2107, 12, 31, 23, 59, 58);
        let cases = [
            (None, first),
            (Some(0), first),
            (Some(i64::MIN), first),
            (Some(315_532_800), first),
            (Some(951_782_400), dos(2000, 2, 29, 0, 0, 0)),
            (Some(1_700_000_001), dos(2023, 11, 14, 22, 13, 20)),
            (Some(1_735_689_599), dos(2024, 12, 31, 23, 59, 58)),
            (Some(4_354_819_198), last),
            (Some(i64::MAX), last),
        ];
        for (epoch, expect) in cases {
            assert_eq!(DosTime::from_epoch(epoch), expect, "{epoch:?}");
        }
    }
}
