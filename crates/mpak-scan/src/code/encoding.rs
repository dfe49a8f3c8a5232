//! The text of a file of code, as what runs it reads it: UTF-16 with its mark is decoded, and Python's declared
//! encoding is believed where ASCII stays ASCII in it. In every other one the bytes say something else than the
//! code does (`utf-7`, `unicode_escape`), so that a parser would judge a text that is never run.
//! Spec: PEP 263.

use std::borrow::Cow;

use super::facts::Language;

/// Encodings in which each byte below 128 is that character, wherever it stands.
const ASCII_SAFE: [&str; 18] = [
    "utf8",
    "u8",
    "utf",
    "utf8sig",
    "cp65001",
    "ascii",
    "usascii",
    "646",
    "l1",
    "eucjp",
    "eucjis2004",
    "euckr",
    "eucjisx0213",
    "gb2312",
    "euccn",
    "tis620",
    "ptcp154",
    "macroman",
];
/// Families of such encodings, of one byte for each character, without the number or letter of the member.
const ASCII_SAFE_FAMILIES: [&str; 6] = ["latin", "iso8859", "8859", "cp125", "windows125", "koi8"];
/// Encodings in which that holds for texts that are ASCII alone.
const ASCII_ALONE: [&str; 11] =
    ["gbk", "936", "cp936", "gb18030", "big5", "big5hkscs", "sjis", "shiftjis", "cp932", "ms932", "cp949"];

/// The text of a file.
pub(crate) fn text(bytes: &[u8]) -> Cow<'_, str> {
    let wide = |rest: &[u8], number: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = rest.chunks_exact(2).map(|pair| number([pair[0], pair[1]])).collect();
        Cow::Owned(String::from_utf16_lossy(&units))
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest),
        _ => String::from_utf8_lossy(bytes),
    }
}

/// Why the bytes of a file of code are not what runs.
pub(super) fn foreign(language: Language, bytes: &[u8]) -> Option<String> {
    let declared = (language == Language::Python).then(|| declared(bytes)).flatten()?;
    let name: String = declared.chars().filter(|c| !matches!(c, '-' | '_')).collect::<String>().to_ascii_lowercase();
    let safe = ASCII_SAFE.contains(&name.as_str())
        || ASCII_SAFE_FAMILIES.iter().any(|family| name.strip_prefix(family).is_some_and(|member| member.len() <= 2))
        || bytes.is_ascii() && ASCII_ALONE.contains(&name.as_str());
    (!safe).then(|| format!("it declares the encoding `{declared}`, expected UTF-8: its bytes do not show what runs"))
}

/// Whether the bytes of a file of code need decoding before anything can be found in them.
pub(crate) fn is_veiled(language: Language, bytes: &[u8]) -> bool {
    matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) || foreign(language, bytes).is_some()
}

/// The encoding that one of the first two lines of a Python file declares.
fn declared(bytes: &[u8]) -> Option<&str> {
    const LINE_BYTES_MAX: usize = 1 << 10;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let blank = |b: &u8| matches!(b, b' ' | b'\t' | b'\x0c');
    for line in bytes.split(|b| matches!(b, b'\n' | b'\r')).filter(|line| !line.is_empty()).take(2) {
        let line = &line[..line.len().min(LINE_BYTES_MAX)];
        let start = line.iter().position(|b| !blank(b)).unwrap_or(line.len());
        match line.get(start) {
            Some(b'#') => {}
            None => continue,
            Some(_) => return None,
        }
        for at in memchr::memmem::find_iter(line, b"coding") {
            let Some((b':' | b'=', rest)) = line[at + 6..].split_first() else { continue };
            let rest = &rest[rest.iter().position(|b| !blank(b)).unwrap_or(rest.len())..];
            let end = rest.iter().position(|b| !b.is_ascii_alphanumeric() && !matches!(b, b'-' | b'_' | b'.'));
            let name = std::str::from_utf8(&rest[..end.unwrap_or(rest.len())]).unwrap_or_default();
            if !name.is_empty() {
                return Some(name);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf_16_with_its_mark_is_decoded() {
        for (bytes, expected) in [
            (&b"\xff\xfea\0b\0"[..], "ab"),
            (b"\xfe\xff\0a\0b", "ab"),
            (b"\xef\xbb\xbfab", "ab"),
            (b"a\xffb", "a\u{fffd}b"),
            (b"\xff\xfea", ""),
        ] {
            assert_eq!(text(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn an_encoding_in_which_ascii_is_no_ascii_is_told() {
        for (source, refused) in [
            ("# coding: utf-8\n", false),
            ("#!/usr/bin/python\n# -*- coding: UTF-8 -*-\n", false),
            ("# vim: set fileencoding=latin-1 :\n", false),
            ("# coding: cp1252\n", false),
            ("# coding: gbk\nx = 1\n", false),
            ("# coding: gbk\nx = 'ä'\n", true),
            ("# coding: utf-7\n+AGk-mport os\n", true),
            ("\n# coding=utf_7\n", true),
            ("# coding: unicode_escape\n#\\nimport os\n", true),
            ("# coding: raw-unicode-escape\n", true),
            ("# coding: hz\n", true),
            ("# coding: own-codec\n", true),
            ("# coding: latin-own\n", true),
            ("import os\n# coding: utf-7\n", false),
            ("#\n#\n# coding: utf-7\n", false),
            ("# about coding in utf-7\n", false),
            ("", false),
        ] {
            assert_eq!(foreign(Language::Python, source.as_bytes()).is_some(), refused, "{source}");
            assert_eq!(foreign(Language::JavaScript, source.as_bytes()), None, "{source}");
        }
    }
}
