//! ELF: the dynamic symbol table. Spec: System V ABI, chapters 4 and 5.

use super::{Bytes, Tables};

const DYNAMIC: u32 = 2;
const LOAD: u32 = 1;
/// Tags of the dynamic section.
const NEEDED: u64 = 1;
const STRINGS: u64 = 5;
const SYMBOLS: u64 = 6;
const STRINGS_BYTES: u64 = 10;
/// Most program headers and entries of the dynamic section.
const HEADERS_COUNT_MAX: u64 = 512;
const ENTRIES_COUNT_MAX: u64 = 4_096;
/// Most symbols that are looked at.
const SYMBOLS_COUNT_MAX: u64 = 1 << 18;

/// Where a part of the file lies in memory.
struct Segment {
    address: u64,
    offset: u64,
    bytes: u64,
}

pub(super) fn tables(bytes: &[u8]) -> Tables {
    let mut tables = Tables::default();
    if read(bytes, &mut tables).is_none() {
        tables.cut = true;
    }
    tables
}

fn read(bytes: &[u8], tables: &mut Tables) -> Option<()> {
    let wide = *bytes.get(4)? == 2;
    let file = Bytes { all: bytes, big: *bytes.get(5)? == 2 };
    // 1. The program headers.
    let (start, size_at) = if wide { (file.u64(32)?, 54) } else { (u64::from(file.u32(28)?), 42) };
    let (size, count) = (u64::from(file.u16(size_at)?), u64::from(file.u16(size_at + 2)?).min(HEADERS_COUNT_MAX));
    let (mut segments, mut dynamic) = (Vec::new(), None);
    for index in 0..count {
        let at = start.checked_add(index.checked_mul(size)?)?;
        let kind = file.u32(at)?;
        let field = |narrow: u64, broad: u64| file.word(at.checked_add(if wide { broad } else { narrow })?, wide);
        let segment = Segment { offset: field(4, 8)?, address: field(8, 16)?, bytes: field(16, 32)? };
        match kind {
            LOAD => segments.push(segment),
            DYNAMIC => dynamic = Some(segment),
            _ => {}
        }
    }
    // A program that is linked with nothing.
    let Some(dynamic) = dynamic else { return Some(()) };
    // 2. The dynamic section.
    let step = if wide { 16 } else { 8 };
    let (mut needed, mut strings, mut symbols, mut strings_bytes) = (Vec::new(), None, None, 0);
    for index in 0..(dynamic.bytes / step).min(ENTRIES_COUNT_MAX) {
        let at = dynamic.offset.checked_add(index * step)?;
        let (tag, value) = (file.word(at, wide)?, file.word(at.checked_add(step / 2)?, wide)?);
        match tag {
            0 => break,
            NEEDED => needed.push(value),
            STRINGS => strings = Some(value),
            SYMBOLS => symbols = Some(value),
            STRINGS_BYTES => strings_bytes = value,
            _ => {}
        }
    }
    let strings = offset(&segments, strings?)?;
    for name in needed {
        tables.add_library(file.name(strings.checked_add(name)?));
    }
    // 3. Symbols that are defined elsewhere. Their number is written nowhere: the table ends where the strings
    //    begin, as every linker lays it out, or else where a name is none.
    let symbols = offset(&segments, symbols?)?;
    let size = if wide { 24 } else { 16 };
    let count = if strings > symbols { (strings - symbols) / size } else { SYMBOLS_COUNT_MAX };
    for index in 1..count.min(SYMBOLS_COUNT_MAX) {
        let at = symbols.checked_add(index * size)?;
        let (Some(name), Some(section)) = (file.u32(at), file.u16(at + if wide { 6 } else { 14 })) else { break };
        if u64::from(name) >= strings_bytes {
            break;
        }
        if section == 0 {
            tables.add_import(file.name(strings.checked_add(u64::from(name))?));
        }
    }
    tables.cut |= count > SYMBOLS_COUNT_MAX;
    Some(())
}

/// Where an address lies in the file.
fn offset(segments: &[Segment], address: u64) -> Option<u64> {
    let within = |segment: &&Segment| address.checked_sub(segment.address).is_some_and(|at| at < segment.bytes);
    let segment = segments.iter().find(within)?;
    segment.offset.checked_add(address - segment.address)
}
