//! WebAssembly: the import section. Spec: WebAssembly core 5.5.5.

use super::{NAME_BYTES_MAX, Tables};

const IMPORTS: u8 = 2;
/// Most sections and imports.
const SECTIONS_COUNT_MAX: usize = 1_024;
const IMPORTS_COUNT_MAX: u32 = 100_000;

pub(super) fn tables(bytes: &[u8]) -> Tables {
    let mut tables = Tables::default();
    if read(bytes, &mut tables).is_none() {
        tables.cut = true;
    }
    tables
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number of up to 32 bits, seven to a byte.
    fn number(&mut self) -> Option<u32> {
        let mut value: u32 = 0;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte()?;
            value |= u32::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn name(&mut self) -> Option<&'a str> {
        let length = self.number()? as usize;
        std::str::from_utf8(self.take(length)?).ok()
    }

    fn limits(&mut self) -> Option<()> {
        let flags = self.byte()?;
        self.number()?;
        if flags & 1 != 0 {
            self.number()?;
        }
        Some(())
    }
}

fn read(bytes: &[u8], tables: &mut Tables) -> Option<()> {
    let mut file = Cursor(bytes.get(8..)?);
    for _ in 0..SECTIONS_COUNT_MAX {
        let Some(id) = file.byte() else { return Some(()) };
        let length = file.number()? as usize;
        let section = file.take(length)?;
        if id == IMPORTS {
            return imports(section, tables);
        }
        // Code comes after imports: there are none.
        if id > IMPORTS {
            return Some(());
        }
    }
    None
}

fn imports(section: &[u8], tables: &mut Tables) -> Option<()> {
    let mut section = Cursor(section);
    let count = section.number()?;
    for _ in 0..count.min(IMPORTS_COUNT_MAX) {
        let (module, name) = (section.name()?, section.name()?);
        let short = |name: &'_ str| name.len() <= NAME_BYTES_MAX;
        tables.add_library(Some(module).filter(|name| short(name)));
        tables.add_import(Some(name).filter(|name| short(name)));
        match section.byte()? {
            0 => {
                section.number()?;
            }
            1 => {
                section.byte()?;
                section.limits()?;
            }
            2 => section.limits()?,
            3 => {
                section.take(2)?;
            }
            4 => {
                section.byte()?;
                section.number()?;
            }
            _ => return None,
        }
    }
    tables.cut |= count > IMPORTS_COUNT_MAX;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_read() {
        let mut section = vec![2];
        for name in ["sock_connect", "path_open"] {
            section.push(22);
            section.extend(b"wasi_snapshot_preview1");
            section.push(u8::try_from(name.len()).unwrap());
            section.extend(name.as_bytes());
            section.extend([0, 0]);
        }
        let mut file = b"\0asm\x01\0\0\0\x01\x01\0\x02".to_vec();
        file.push(u8::try_from(section.len()).unwrap());
        file.extend(section);
        let read = tables(&file);
        assert!(!read.cut);
        assert_eq!(read.imports.iter().collect::<Vec<_>>(), ["path_open", "sock_connect"]);
        assert_eq!(read.libraries.iter().collect::<Vec<_>>(), ["wasi_snapshot_preview1"]);
        for length in 12..file.len() {
            assert!(tables(&file[..length]).cut, "{length}");
        }
    }
}
