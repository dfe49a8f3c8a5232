//! Mach-O: undefined symbols and libraries, of each processor of a universal file. Spec: Apple, `mach-o/loader.h`,
//! `mach-o/nlist.h` and `mach-o/fat.h`.

use super::{Bytes, Tables};

/// Most processors; Java class files begin alike, but their second number is 45 or more.
const PROCESSORS_COUNT_MAX: u32 = 20;
/// Most commands of a header, and symbols.
const COMMANDS_COUNT_MAX: u32 = 4_096;
const SYMBOLS_COUNT_MAX: u32 = 1 << 18;
const SYMTAB: u32 = 2;
const LIBRARIES: [u32; 4] = [0xc, 0x8000_0018, 0x8000_001f, 0x20];
/// Bits of a symbol's kind: for debuggers, and what it is; external.
const DEBUG: u8 = 0xe0;
const KIND: u8 = 0x0e;
const EXTERNAL: u8 = 0x01;

/// `None` for a file that is none.
pub(super) fn tables(bytes: &[u8]) -> Option<Tables> {
    let big = Bytes { all: bytes, big: true };
    let mut tables = Tables::default();
    let record_bytes = match big.u32(0)? {
        0xcafe_babe => 20,
        0xcafe_babf => 32,
        _ => {
            if !is_thin(bytes)? {
                return None;
            }
            tables.cut |= thin(bytes, &mut tables).is_none();
            return Some(tables);
        }
    };
    let count = big.u32(4).filter(|count| (1..=PROCESSORS_COUNT_MAX).contains(count))?;
    for index in 0..u64::from(count) {
        let at = 8 + index * record_bytes;
        let part = if record_bytes == 32 {
            big.u64(at + 8).zip(big.u64(at + 16))
        } else {
            big.u32(at + 8).map(u64::from).zip(big.u32(at + 12).map(u64::from))
        };
        let inside = part.and_then(|(start, length)| big.slice(start, length));
        tables.cut |= inside.and_then(|inside| thin(inside, &mut tables)).is_none();
    }
    Some(tables)
}

fn is_thin(bytes: &[u8]) -> Option<bool> {
    let first = Bytes { all: bytes, big: false }.u32(0)?;
    Some(matches!(first, 0xfeed_face | 0xfeed_facf) || matches!(first.swap_bytes(), 0xfeed_face | 0xfeed_facf))
}

fn thin(bytes: &[u8], tables: &mut Tables) -> Option<()> {
    let first = Bytes { all: bytes, big: false }.u32(0)?;
    let (big, wide) = match (first, first.swap_bytes()) {
        (0xfeed_facf, _) => (false, true),
        (0xfeed_face, _) => (false, false),
        (_, 0xfeed_facf) => (true, true),
        (_, 0xfeed_face) => (true, false),
        _ => return None,
    };
    let file = Bytes { all: bytes, big };
    let count = file.u32(16)?.min(COMMANDS_COUNT_MAX);
    let mut at: u64 = if wide { 32 } else { 28 };
    for _ in 0..count {
        let (command, length) = (file.u32(at)?, u64::from(file.u32(at + 4)?));
        if LIBRARIES.contains(&command) {
            let name = u64::from(file.u32(at + 8)?);
            tables.add_library(file.name(at + name));
        } else if command == SYMTAB {
            symbols(file, at, wide, tables)?;
        }
        if length < 8 {
            return None;
        }
        at += length;
    }
    Some(())
}

fn symbols(file: Bytes<'_>, command: u64, wide: bool, tables: &mut Tables) -> Option<()> {
    let (start, count) = (u64::from(file.u32(command + 8)?), file.u32(command + 12)?);
    let strings = u64::from(file.u32(command + 16)?);
    let size = if wide { 16 } else { 12 };
    for index in 0..u64::from(count.min(SYMBOLS_COUNT_MAX)) {
        let at = start + index * size;
        let (name, kind) = (u64::from(file.u32(at)?), *file.slice(at + 4, 1)?.first()?);
        if kind & DEBUG == 0 && kind & KIND == 0 && kind & EXTERNAL != 0 {
            let name = file.name(strings + name);
            tables.add_import(name.map(|name| name.strip_prefix('_').unwrap_or(name)));
        }
    }
    tables.cut |= count > SYMBOLS_COUNT_MAX;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program with two symbols, of which one is defined elsewhere.
    fn program() -> Vec<u8> {
        let number = |value: u32| value.to_le_bytes();
        let mut file: Vec<u8> =
            [0xfeed_facf, 0x0100_000c, 0, 2, 2, 24 + 40, 0, 0].into_iter().flat_map(number).collect();
        let symbols = 32 + 24 + 40;
        file.extend([SYMTAB, 24, symbols, 2, symbols + 32, 20].into_iter().flat_map(number));
        file.extend([0xc, 40, 24, 0, 0, 0].into_iter().flat_map(number));
        file.extend(b"libSystem.dylib\0");
        file.extend([1, 0x01, 0, 0].into_iter().flat_map(number));
        file.extend([0; 0]);
        file.extend([10, 0x0f, 0, 0].into_iter().flat_map(number));
        file.extend(b"\0_connect\0_main\0");
        file
    }

    #[test]
    fn undefined_symbols_are_imports() {
        let one = program();
        let read = tables(&one).unwrap();
        assert!(!read.cut);
        assert_eq!(read.imports.iter().collect::<Vec<_>>(), ["connect"]);
        assert_eq!(read.libraries.iter().collect::<Vec<_>>(), ["libSystem.dylib"]);
        // In a universal file.
        let mut file: Vec<u8> = [0xcafe_babe_u32, 1, 0x0100_000c, 0, 28, u32::try_from(one.len()).unwrap(), 0]
            .into_iter()
            .flat_map(u32::to_be_bytes)
            .collect();
        file.extend(&one);
        assert_eq!(tables(&file), Some(read));
    }

    #[test]
    fn a_file_that_is_cut_does_not_pass_for_whole() {
        let whole = program();
        for length in 4..whole.len() - 6 {
            assert!(tables(&whole[..length]).unwrap().cut, "{length}");
        }
    }
}
