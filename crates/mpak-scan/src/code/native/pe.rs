//! PE: the import tables, at once and delayed. Spec: Microsoft PE/COFF, §5 and §6.4.

use super::{Bytes, Tables};

/// Most sections, libraries, and names of one library.
const SECTIONS_COUNT_MAX: u64 = 96;
const LIBRARIES_COUNT_MAX: u64 = 1_024;
const NAMES_COUNT_MAX: u64 = 8_192;
/// Imports of managed code stand in its own tables.
const MANAGED: u64 = 14;

struct Section {
    address: u64,
    offset: u64,
    bytes: u64,
}

/// `None` for a file that only begins like one.
pub(super) fn tables(bytes: &[u8]) -> Option<Tables> {
    let file = Bytes { all: bytes, big: false };
    let header = u64::from(file.u32(0x3c)?);
    if file.slice(header, 4)? != b"PE\0\0" {
        return None;
    }
    let mut tables = Tables::default();
    if read(file, header, &mut tables).is_none() {
        tables.cut = true;
    }
    Some(tables)
}

fn read(file: Bytes<'_>, header: u64, tables: &mut Tables) -> Option<()> {
    // 1. Sections and directories.
    let (sections, optional_bytes) = (u64::from(file.u16(header + 6)?), u64::from(file.u16(header + 20)?));
    let optional = header + 24;
    let wide = match file.u16(optional)? {
        0x10b => false,
        0x20b => true,
        _ => return None,
    };
    let directories = optional + if wide { 112 } else { 96 };
    let count = u64::from(file.u32(directories - 4)?);
    let all: Vec<Section> = (0..sections.min(SECTIONS_COUNT_MAX))
        .map_while(|index| {
            let at = optional + optional_bytes + index * 40;
            Some(Section {
                address: u64::from(file.u32(at + 12)?),
                bytes: u64::from(file.u32(at + 16)?),
                offset: u64::from(file.u32(at + 20)?),
            })
        })
        .collect();
    let directory = |index: u64| -> Option<u64> {
        let address = u64::from(file.u32(directories + index * 8)?);
        (index < count && address != 0).then_some(address)
    };
    // 2. Libraries, each with its names.
    for (index, size, name_at, names_at) in [(1, 20, 12, 0), (13, 32, 4, 16)] {
        let Some(start) = directory(index).and_then(|address| offset(&all, address)) else { continue };
        for entry in 0..LIBRARIES_COUNT_MAX {
            let at = start + entry * size;
            let (name, mut names) = (u64::from(file.u32(at + name_at)?), u64::from(file.u32(at + names_at)?));
            if name == 0 {
                break;
            }
            tables.add_library(offset(&all, name).and_then(|at| file.name(at)));
            if names == 0 && index == 1 {
                names = u64::from(file.u32(at + 16)?);
            }
            let Some(names) = offset(&all, names) else { continue };
            self::names(file, &all, names, wide, tables)?;
        }
    }
    tables.cut |= directory(MANAGED).is_some();
    Some(())
}

fn names(file: Bytes<'_>, sections: &[Section], start: u64, wide: bool, tables: &mut Tables) -> Option<()> {
    let (step, by_number) = if wide { (8, 1 << 63) } else { (4, 1 << 31) };
    for index in 0..NAMES_COUNT_MAX {
        let value = file.word(start + index * step, wide)?;
        if value == 0 {
            return Some(());
        }
        // Two bytes of a hint stand before the name.
        if value & by_number == 0 {
            tables.add_import(offset(sections, value).and_then(|at| file.name(at + 2)));
        }
    }
    tables.cut = true;
    Some(())
}

fn offset(sections: &[Section], address: u64) -> Option<u64> {
    let within = |section: &&Section| address.checked_sub(section.address).is_some_and(|at| at < section.bytes);
    let section = sections.iter().find(within)?;
    Some(section.offset + (address - section.address))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program of one section at address 0x1000 that takes names of one library.
    fn program(names: &[&str]) -> Vec<u8> {
        let mut section = vec![0_u8; 40];
        let put = |section: &mut Vec<u8>, at: usize, value: usize| {
            section[at..at + 4].copy_from_slice(&u32::try_from(value).unwrap().to_le_bytes());
        };
        let library = section.len();
        section.extend(b"KERNEL32.dll\0");
        let hints: Vec<usize> = names
            .iter()
            .map(|name| {
                let at = section.len();
                section.extend([0, 0]);
                section.extend(name.as_bytes());
                section.push(0);
                at
            })
            .collect();
        let table = section.len();
        for hint in hints {
            section.extend((0x1000 + hint as u64).to_le_bytes());
        }
        section.extend([0; 8]);
        put(&mut section, 0, 0x1000 + table);
        put(&mut section, 12, 0x1000 + library);
        let mut file = b"MZ".to_vec();
        file.resize(0x3c, 0);
        file.extend(0x40_u32.to_le_bytes());
        file.extend(b"PE\0\0");
        file.extend(0x8664_u16.to_le_bytes());
        file.extend(1_u16.to_le_bytes());
        file.extend([0; 12]);
        file.extend(240_u16.to_le_bytes());
        file.extend([0; 2]);
        let optional = file.len();
        file.extend(0x20b_u16.to_le_bytes());
        file.resize(optional + 108, 0);
        file.extend(16_u32.to_le_bytes());
        file.extend([0; 8]);
        file.extend(0x1000_u32.to_le_bytes());
        file.resize(optional + 240, 0);
        let header = file.len();
        file.resize(header + 40, 0);
        let start = file.len();
        file[header + 12..header + 16].copy_from_slice(&0x1000_u32.to_le_bytes());
        file[header + 16..header + 20].copy_from_slice(&u32::try_from(section.len()).unwrap().to_le_bytes());
        file[header + 20..header + 24].copy_from_slice(&u32::try_from(start).unwrap().to_le_bytes());
        file.extend(section);
        file
    }

    #[test]
    fn names_of_the_import_table_are_read() {
        let tables = tables(&program(&["CreateProcessW", "ReadFile"])).unwrap();
        assert!(!tables.cut);
        assert_eq!(tables.libraries.into_iter().collect::<Vec<_>>(), ["KERNEL32.dll"]);
        assert_eq!(tables.imports.into_iter().collect::<Vec<_>>(), ["CreateProcessW", "ReadFile"]);
    }

    #[test]
    fn a_file_that_is_cut_says_so_or_is_none() {
        let whole = program(&["CreateProcessW", "ReadFile"]);
        for length in 0..whole.len() {
            assert!(tables(&whole[..length]).is_none_or(|tables| tables.cut || tables.imports.len() < 3), "{length}");
        }
    }
}
