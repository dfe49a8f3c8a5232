//! Finds a named section in an ELF, PE or Mach-O file. In: a file from an attacker; every offset is checked.

/// Most sections and load commands that are looked at.
const COUNT_MAX: usize = 4_096;

/// Whether a file begins as a program.
pub(super) fn is_program(head: &[u8]) -> bool {
    head.starts_with(b"\x7fELF") || head.starts_with(b"MZ") || MACH_O.iter().any(|magic| head.starts_with(magic))
}

/// Mach-O of 64 and 32 bits, little-endian.
const MACH_O: [&[u8]; 2] = [&[0xcf, 0xfa, 0xed, 0xfe], &[0xce, 0xfa, 0xed, 0xfe]];

/// The content of a section.
pub(super) fn find<'a>(file: &'a [u8], name: &str) -> Option<&'a [u8]> {
    elf(file, name).or_else(|| pe(file, name)).or_else(|| mach_o(file, name))
}

fn number(file: &[u8], at: usize, bytes: usize) -> Option<usize> {
    let field = file.get(at..at.checked_add(bytes)?)?;
    let value = field.iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    usize::try_from(value).ok()
}

fn part(file: &[u8], at: usize, bytes: usize) -> Option<&[u8]> {
    file.get(at..at.checked_add(bytes)?)
}

/// A name that ends at its first zero.
fn is(field: &[u8], name: &str) -> bool {
    field.split(|byte| *byte == 0).next() == Some(name.as_bytes())
}

/// Little-endian only: no bundle runs on anything else.
fn elf<'a>(file: &'a [u8], name: &str) -> Option<&'a [u8]> {
    if !file.starts_with(b"\x7fELF") || file.get(5) != Some(&1) {
        return None;
    }
    // Where the headers are, their size and count, and which of them holds the names.
    let (word, table, sizes) = if file[4] == 2 { (8, 40, 58) } else { (4, 32, 46) };
    let (offset_at, size_at) = if word == 8 { (24, 32) } else { (16, 20) };
    let headers = number(file, table, word)?;
    let (bytes, count, names) = (number(file, sizes, 2)?, number(file, sizes + 2, 2)?, number(file, sizes + 4, 2)?);
    let header = |i: usize| part(file, headers.checked_add(i.checked_mul(bytes)?)?, bytes);
    let content = |header: &[u8]| part(file, number(header, offset_at, word)?, number(header, size_at, word)?);
    let names = content(header(names)?)?;
    (0..count.min(COUNT_MAX)).filter_map(header).find_map(|header| {
        let own = names.get(number(header, 0, 4)?..)?;
        is(own, name).then(|| content(header))?
    })
}

fn pe<'a>(file: &'a [u8], name: &str) -> Option<&'a [u8]> {
    if !file.starts_with(b"MZ") {
        return None;
    }
    let header = number(file, 0x3c, 4)?;
    if part(file, header, 4)? != b"PE\0\0" {
        return None;
    }
    let (count, optional) = (number(file, header.checked_add(6)?, 2)?, number(file, header.checked_add(20)?, 2)?);
    let table = header.checked_add(24)?.checked_add(optional)?;
    (0..count.min(COUNT_MAX)).find_map(|i| {
        let section = part(file, table.checked_add(i * 40)?, 40)?;
        let (real, stored, at) = (number(section, 8, 4)?, number(section, 16, 4)?, number(section, 20, 4)?);
        is(&section[..8], name).then(|| part(file, at, real.min(stored)))?
    })
}

fn mach_o<'a>(file: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let magic = MACH_O.iter().position(|magic| file.starts_with(magic))?;
    // 64 bits, then 32: the command of a segment, the header before the commands, and where things lie in them.
    let (segment, mut at, count_at, first, bytes, size_at, word) =
        if magic == 0 { (0x19, 32, 64, 72, 80, 40, 8) } else { (1, 28, 48, 56, 68, 36, 4) };
    for _ in 0..number(file, 16, 4)?.min(COUNT_MAX) {
        let (kind, length) = (number(file, at, 4)?, number(file, at.checked_add(4)?, 4)?);
        let command = part(file, at, length.max(8))?;
        if kind == segment {
            let count = number(command, count_at, 4)?.min(COUNT_MAX);
            let sections = (0..count).filter_map(|i| part(command, first + i * bytes, bytes));
            let found = sections.into_iter().find(|section| is(&section[..16], name));
            if let Some(section) = found {
                return part(file, number(section, size_at + word, 4)?, number(section, size_at, word)?);
            }
        }
        at = at.checked_add(length.max(8))?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_of_pe_are_found() {
        let mut file = vec![0; 0x200];
        file[..2].copy_from_slice(b"MZ");
        file[0x3c] = 0x40;
        file[0x40..0x44].copy_from_slice(b"PE\0\0");
        file[0x46] = 1;
        let table = 0x40 + 24;
        file[table..table + 7].copy_from_slice(b".dep-v0");
        file[table + 8] = 4;
        file[table + 16] = 16;
        file[table + 20..table + 22].copy_from_slice(&[0x80, 1]);
        file[0x180..0x184].copy_from_slice(b"data");
        assert_eq!(find(&file, ".dep-v0"), Some(&b"data"[..]));
        assert_eq!(find(&file, ".text"), None);
    }

    #[test]
    fn sections_of_mach_o_are_found() {
        let mut file = vec![0; 0x200];
        file[..4].copy_from_slice(&[0xcf, 0xfa, 0xed, 0xfe]);
        file[16] = 1;
        file[32] = 0x19;
        file[36] = 152;
        file[32 + 64] = 1;
        let section = 32 + 72;
        file[section..section + 7].copy_from_slice(b".dep-v0");
        file[section + 40] = 4;
        file[section + 48..section + 50].copy_from_slice(&[0x80, 1]);
        file[0x180..0x184].copy_from_slice(b"data");
        assert_eq!(find(&file, ".dep-v0"), Some(&b"data"[..]));
    }
}
