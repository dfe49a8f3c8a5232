//! Native code: what a program or library asks of the system, by its table of imports, and texts that tell of it.
//!
//! Spec: System V ABI (ELF), Microsoft PE/COFF, Apple Mach-O including universal files, WebAssembly core binary
//! format. In: the bytes of one file, from an attacker. Out: [`Native`], of bounded size. Nothing is disassembled:
//! an import says what the code can do, not when or whether it does. Every read is checked, every table is bounded,
//! and what does not fit is left out with [`Native::whole`] unset.

use std::collections::BTreeSet;

mod elf;
mod mach_o;
mod pe;
mod texts;
mod wasm;

pub use texts::{Runtime, runtime};

/// Most names of one kind that are kept.
const NAMES_COUNT_MAX: usize = 8_192;
/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// The format of a file of native code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Linux and most other Unix systems.
    Elf,
    /// Windows.
    Pe,
    /// macOS.
    MachO,
    /// WebAssembly.
    Wasm,
}

/// What a file of native code says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Native {
    /// Path in the bundle.
    pub path: String,
    /// The format.
    pub format: Format,
    /// Libraries that it is linked with; of WebAssembly the modules.
    pub libraries: Vec<String>,
    /// Names that it takes from them, sorted, without the leading `_` of Mach-O and the versions of ELF.
    pub imports: Vec<String>,
    /// Texts that tell what it does: addresses, paths of system files, commands, names of variables.
    pub texts: Vec<String>,
    /// The language's own library, where it is linked in, with what it says the program uses.
    pub runtime: Option<Runtime>,
    /// Whether the tables could be read to their end.
    pub whole: bool,
}

impl Native {
    /// Whether it says what it asks of the system: it is linked with libraries, or its runtime is known.
    pub fn tells(&self) -> bool {
        self.whole && (!self.imports.is_empty() || self.runtime.is_some())
    }
}

/// Libraries and imports, as a format's reader finds them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tables {
    libraries: BTreeSet<String>,
    imports: BTreeSet<String>,
    /// Something did not fit.
    cut: bool,
}

impl Tables {
    fn add_import(&mut self, name: Option<&str>) {
        Self::add(&mut self.imports, &mut self.cut, name);
    }

    fn add_library(&mut self, name: Option<&str>) {
        Self::add(&mut self.libraries, &mut self.cut, name);
    }

    fn add(names: &mut BTreeSet<String>, cut: &mut bool, name: Option<&str>) {
        match name {
            Some("") => {}
            Some(name) if names.len() < NAMES_COUNT_MAX => {
                names.insert(name.to_owned());
            }
            _ => *cut = true,
        }
    }
}

/// Reads a file of native code; `None` for any other.
pub fn read(path: &str, bytes: &[u8]) -> Option<Native> {
    let (format, tables) = match bytes {
        [0x7f, b'E', b'L', b'F', ..] => (Format::Elf, elf::tables(bytes)),
        [b'M', b'Z', ..] => (Format::Pe, pe::tables(bytes)?),
        [0, b'a', b's', b'm', ..] => (Format::Wasm, wasm::tables(bytes)),
        _ => (Format::MachO, mach_o::tables(bytes)?),
    };
    Some(Native {
        path: path.to_owned(),
        format,
        libraries: tables.libraries.into_iter().collect(),
        imports: tables.imports.into_iter().collect(),
        texts: texts::notable(bytes),
        runtime: runtime(bytes),
        whole: !tables.cut,
    })
}

/// A file whose numbers have one order.
#[derive(Clone, Copy)]
struct Bytes<'a> {
    all: &'a [u8],
    big: bool,
}

impl<'a> Bytes<'a> {
    fn slice(self, at: u64, length: u64) -> Option<&'a [u8]> {
        let start = usize::try_from(at).ok()?;
        let end = usize::try_from(at.checked_add(length)?).ok()?;
        self.all.get(start..end)
    }

    fn u16(self, at: u64) -> Option<u16> {
        let two = self.slice(at, 2)?.try_into().ok()?;
        Some(if self.big { u16::from_be_bytes(two) } else { u16::from_le_bytes(two) })
    }

    fn u32(self, at: u64) -> Option<u32> {
        let four = self.slice(at, 4)?.try_into().ok()?;
        Some(if self.big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) })
    }

    fn u64(self, at: u64) -> Option<u64> {
        let eight = self.slice(at, 8)?.try_into().ok()?;
        Some(if self.big { u64::from_be_bytes(eight) } else { u64::from_le_bytes(eight) })
    }

    /// A number of four or eight bytes.
    fn word(self, at: u64, wide: bool) -> Option<u64> {
        if wide { self.u64(at) } else { self.u32(at).map(u64::from) }
    }

    /// A name that ends with a NUL.
    fn name(self, at: u64) -> Option<&'a str> {
        let rest = self.all.get(usize::try_from(at).ok()?..)?;
        let rest = &rest[..rest.len().min(NAME_BYTES_MAX)];
        let length = memchr::memchr(0, rest)?;
        std::str::from_utf8(&rest[..length]).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_bytes_do_not_panic() {
        let heads: [&[u8]; 8] = [
            b"\x7fELF\x02\x01\x01\0",
            b"\x7fELF\x01\x02\x01\0",
            b"MZ",
            b"\0asm\x01\0\0\0",
            b"\xcf\xfa\xed\xfe",
            b"\xfe\xed\xfa\xcf",
            b"\xca\xfe\xba\xbe\0\0\0\x02",
            b"",
        ];
        for head in heads {
            for fill in [0_u8, 1, 2, 5, 0x40, 0x7f, 0x80, 0xff] {
                for length in [0, 1, 15, 64, 300, 5_000] {
                    let mut bytes = head.to_vec();
                    bytes.resize(head.len() + length, fill);
                    if bytes.len() > 0x40 && head == b"MZ" {
                        bytes[0x3c..0x40].copy_from_slice(&[0x40, 0, 0, 0]);
                        if bytes.len() > 0x44 {
                            bytes[0x40..0x44].copy_from_slice(b"PE\0\0");
                        }
                    }
                    let _ = read("a", &bytes);
                }
            }
        }
    }

    #[test]
    fn what_is_no_native_code_is_none() {
        for bytes in [&b"#!/bin/sh\n"[..], b"MZ is a text", b"", b"\xca\xfe\xba\xbe\0\0\0\x34"] {
            assert_eq!(read("a", bytes), None);
        }
    }

    /// A test's own program is one of the formats, and asks the system for files.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_real_program_names_what_it_takes() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let read = read("own", &own).unwrap();
        assert_eq!(read.format, Format::Elf);
        assert!(read.whole && read.tells());
        assert!(read.libraries.iter().any(|name| name.starts_with("libc.so")), "{:?}", read.libraries);
        assert!(read.imports.iter().any(|name| name == "getenv"), "{:?}", read.imports);
    }
}
