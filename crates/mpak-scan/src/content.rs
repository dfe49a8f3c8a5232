//! What kind of content a file has, told from its first bytes and never from its name alone.

use std::io::{self, Write};

use mpak_bundle::digest::{Hashing, Sha256};
use mpak_bundle::native;

/// As many first bytes as are looked at.
pub(crate) const HEAD_BYTES: usize = native::HEAD_BYTES;

/// Kinds of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentKind {
    /// Nothing.
    Empty,
    /// Text without `#!`.
    Text,
    /// Text with `#!`.
    Script,
    /// A program or library for a processor: ELF, PE, Mach-O, or an archive of such.
    Native,
    /// Code for a virtual machine: class files, WebAssembly.
    Bytecode,
    /// Compiled Python.
    Pyc,
    /// Zip, tar, or something compressed.
    Archive,
    /// Anything else.
    Data,
}

/// First bytes of archives.
const ARCHIVES: [&[u8]; 9] = [
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ\0",
    b"7z\xbc\xaf\x27\x1c",
    b"\x28\xb5\x2f\xfd",
    b"Rar!",
    b"MSCF",
];

impl ContentKind {
    /// All of them.
    pub(crate) const ALL: [Self; 8] =
        [Self::Empty, Self::Text, Self::Script, Self::Native, Self::Bytecode, Self::Pyc, Self::Archive, Self::Data];

    /// Tells the kind from the first bytes.
    pub fn of(head: &[u8]) -> Self {
        let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
        let starts = |all: &[&[u8]]| all.iter().any(|magic| head.starts_with(magic));
        let number = |at: usize| {
            head.get(at..at + 2).map(|b| (u16::from_le_bytes([b[0], b[1]]), u16::from_be_bytes([b[0], b[1]])))
        };
        if head.is_empty() {
            return Self::Empty;
        }
        if head.starts_with(b"#!") {
            return Self::Script;
        }
        // A class file and a universal Mach-O begin alike; the former's version is 45 or more.
        if head.starts_with(b"\xca\xfe\xba\xbe") && number(6).is_some_and(|(_, major)| major >= 45)
            || starts(&[b"\0asm"])
        {
            return Self::Bytecode;
        }
        if native::built_for(head).is_some() || starts(&[b"\x7fELF", b"!<arch>\n"]) {
            return Self::Native;
        }
        if head.get(2..4) == Some(b"\r\n") && number(0).is_some_and(|(magic, _)| (3000..4000).contains(&magic)) {
            return Self::Pyc;
        }
        if starts(&ARCHIVES) || head.get(257..262) == Some(b"ustar") {
            return Self::Archive;
        }
        if head.contains(&0) { Self::Data } else { Self::Text }
    }
}

/// Looks at the first bytes and the hash of what passes through on its way to another writer.
pub(crate) struct Watched<W: Write> {
    to: Hashing<W>,
    head: Vec<u8>,
}

impl<W: Write> Watched<W> {
    pub(crate) fn new(to: W) -> Self {
        Self { to: Hashing::new(to), head: Vec::new() }
    }

    /// The writer, the kind and the digest.
    pub(crate) fn finish(self) -> (W, ContentKind, Sha256) {
        let (to, sha256) = self.to.finish();
        (to, ContentKind::of(&self.head), sha256)
    }
}

impl<W: Write> Write for Watched<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.to.write(bytes)?;
        let room = HEAD_BYTES - self.head.len();
        self.head.extend_from_slice(&bytes[..taken.min(room)]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_told_from_its_first_bytes() {
        let mut tar = vec![b'a'; 257];
        tar.extend(b"ustar\0");
        for (head, expected) in [
            (b"".as_slice(), ContentKind::Empty),
            (b"import os\n", ContentKind::Text),
            (b"\xef\xbb\xbf#!/bin/sh", ContentKind::Script),
            (b"#!/usr/bin/env node\n", ContentKind::Script),
            (b"\x7fELF\x02\x01\x01\0", ContentKind::Native),
            (b"!<arch>\nfoo", ContentKind::Native),
            (b"\xca\xfe\xba\xbe\0\0\0\x34", ContentKind::Bytecode),
            (b"\0asm\x01\0\0\0", ContentKind::Bytecode),
            (b"\xa7\x0d\r\n\0\0\0\0", ContentKind::Pyc),
            (b"PK\x03\x04", ContentKind::Archive),
            (b"\x1f\x8b\x08", ContentKind::Archive),
            (&tar, ContentKind::Archive),
            (b"\x89PNG\r\n\x1a\n\0\0", ContentKind::Data),
            (b"MZ is how this text begins", ContentKind::Text),
        ] {
            assert_eq!(ContentKind::of(head), expected, "{head:?}");
        }
    }

    #[test]
    fn what_passes_through_is_kept_whole() {
        let mut watched = Watched::new(Vec::new());
        watched.write_all(&[b'x'; 10_000]).unwrap();
        let (to, kind, sha256) = watched.finish();
        assert_eq!((to.len(), kind, sha256), (10_000, ContentKind::Text, Sha256::of(&[b'x'; 10_000])));
    }
}
