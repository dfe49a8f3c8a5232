//! A raw ZIP writer for tests: good by default, every field of every record can be spoiled.
//!
//! It knows nothing of `mpak-bundle`, so a mistake there cannot hide here.
//! Spec: PKWARE APPNOTE 6.3.10.

#![expect(clippy::missing_panics_doc, reason = "a fixture that cannot be built ends the test")]

use std::fs::File;
use std::io::{Seek as _, Write as _};

use flate2::Compression;
use flate2::write::DeflateEncoder;
use serde_json::{Value, json};

/// Method number of plain data.
pub const STORED: u16 = 0;
/// Method number of deflate.
pub const DEFLATED: u16 = 8;
/// Flag: sizes follow the data.
pub const FLAG_DESCRIPTOR: u16 = 1 << 3;
/// Flag: the name is UTF-8.
pub const FLAG_UTF8: u16 = 1 << 11;

/// A manifest that every reader accepts; change what the test is about.
pub fn good_manifest() -> Value {
    json!({
        "manifest_version": "0.3",
        "name": "good-bundle",
        "version": "1.0.0",
        "description": "A good bundle.",
        "author": { "name": "Tester" },
        "server": {
            "type": "node",
            "entry_point": "server/index.js",
            "mcp_config": { "command": "node", "args": ["${__dirname}/server/index.js"], "env": {} }
        },
        "tools": [{ "name": "greet", "description": "Says hello." }]
    })
}

/// The entry point that [`good_manifest`] names.
pub const GOOD_ENTRY_POINT: (&str, &[u8]) = ("server/index.js", b"console.log('hello');\n");

/// A bundle with this manifest and these files, and nothing else.
pub fn good_bundle(manifest: &Value, files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipBuilder::default();
    zip.file("manifest.json", serde_json::to_vec_pretty(manifest).expect("JSON values serialise"));
    for (name, data) in files {
        zip.file(name, *data);
    }
    zip.build()
}

/// [`good_manifest`] and [`GOOD_ENTRY_POINT`] as a bundle.
pub fn minimal_bundle() -> Vec<u8> {
    ZipBuilder::good().build()
}

/// A nameless temporary file with these bytes, open for reading, at its start.
pub fn temporary(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(bytes).expect("room for a test file");
    file.rewind().expect("files can seek");
    file
}

/// A raw deflate stream.
pub fn deflate(data: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

/// An extra field: id, length, content.
pub fn extra(id: u16, content: &[u8]) -> Vec<u8> {
    let mut out = id.to_le_bytes().to_vec();
    out.extend(u16::try_from(content.len()).expect("a short extra field").to_le_bytes());
    out.extend(content);
    out
}

/// A ZIP64 extra field (id 1) with these values.
pub fn zip64_extra(values: &[u64]) -> Vec<u8> {
    extra(1, &values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>())
}

/// An appended MCPB signature block around a blob of any content.
pub fn signature_block(blob: &[u8]) -> Vec<u8> {
    let mut out = b"MCPB_SIG_V1".to_vec();
    out.extend(u32::try_from(blob.len()).expect("a short blob").to_le_bytes());
    out.extend(blob);
    out.extend(b"MCPB_SIG_END");
    out
}

/// What one of an entry's two headers says instead of the truth.
#[derive(Clone, Debug, Default)]
pub struct Spoil {
    /// Name.
    pub name: Option<Vec<u8>>,
    /// Method number.
    pub method: Option<u16>,
    /// Flags.
    pub flags: Option<u16>,
    /// CRC-32.
    pub crc32: Option<u32>,
    /// Compressed size.
    pub packed_bytes: Option<u32>,
    /// Uncompressed size.
    pub bytes: Option<u32>,
    /// Extra field.
    pub extra: Option<Vec<u8>>,
    /// Declared length of the extra field.
    pub extra_length: Option<u16>,
    /// Central only: where the local header is said to be.
    pub offset: Option<u32>,
    /// Central only: disk number.
    pub disk: Option<u16>,
}

/// What follows the data of an entry.
#[derive(Clone, Debug, Default)]
pub enum Descriptor {
    /// Nothing; sizes are in the local header.
    #[default]
    None,
    /// Signature and true 32-bit values; sizes in the local header are zero.
    Signed,
    /// True 32-bit values without signature.
    Unsigned,
    /// Signature and true 64-bit values.
    Signed64,
    /// True 64-bit values without signature.
    Unsigned64,
    /// These bytes.
    Raw(Vec<u8>),
}

/// One entry.
#[derive(Clone, Debug)]
pub struct ZipEntry {
    /// Name, as bytes.
    pub name: Vec<u8>,
    /// Uncompressed data.
    pub data: Vec<u8>,
    /// Method number.
    pub method: u16,
    /// Flags of both headers.
    pub flags: u16,
    /// Version made by: system in the high byte (3 Unix, 0 FAT).
    pub made_by: u16,
    /// External attributes: Unix mode in the high half.
    pub attributes: u32,
    /// DOS time and date.
    pub time: u32,
    /// Extra field of both headers.
    pub extra: Vec<u8>,
    /// Comment.
    pub comment: Vec<u8>,
    /// Written instead of the compressed data.
    pub packed: Option<Vec<u8>>,
    /// What follows the data.
    pub descriptor: Descriptor,
    /// Bytes in front of the local header.
    pub gap: Vec<u8>,
    /// No local header and data of its own: the directory points at this other entry's.
    pub shares: Option<usize>,
    /// Written to the file, but not named in the directory.
    pub hidden: bool,
    /// What the local header says instead.
    pub local: Spoil,
    /// What the central record says instead.
    pub central: Spoil,
}

impl ZipEntry {
    /// A deflated regular file with mode 0644.
    pub fn new(name: impl AsRef<[u8]>, data: impl Into<Vec<u8>>) -> Self {
        let name = name.as_ref().to_vec();
        Self {
            flags: if name.is_ascii() { 0 } else { FLAG_UTF8 },
            name,
            data: data.into(),
            method: DEFLATED,
            made_by: 0x0314,
            attributes: 0o100_644 << 16,
            time: 0x0021_0000,
            extra: Vec::new(),
            comment: Vec::new(),
            packed: None,
            descriptor: Descriptor::None,
            gap: Vec::new(),
            shares: None,
            hidden: false,
            local: Spoil::default(),
            central: Spoil::default(),
        }
    }

    /// Plain instead of deflated data.
    #[must_use]
    pub fn stored(mut self) -> Self {
        self.method = STORED;
        self
    }

    /// With a Unix mode, type bits included (`0o100755`).
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.attributes = mode << 16;
        self
    }

    /// With any change.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn crc32(&self) -> u32 {
        crc32fast::hash(&self.data)
    }

    fn packed(&self) -> Vec<u8> {
        match (&self.packed, self.method) {
            (Some(packed), _) => packed.clone(),
            (None, DEFLATED) => deflate(&self.data),
            (None, _) => self.data.clone(),
        }
    }

    fn descriptor(&self, packed_bytes: usize) -> Vec<u8> {
        let signature = 0x0807_4b50_u32.to_le_bytes().to_vec();
        let crc = self.crc32().to_le_bytes();
        let short: Vec<u8> =
            [packed_bytes as u32, self.data.len() as u32].iter().flat_map(|v| v.to_le_bytes()).collect();
        let long: Vec<u8> =
            [packed_bytes as u64, self.data.len() as u64].iter().flat_map(|v| v.to_le_bytes()).collect();
        match &self.descriptor {
            Descriptor::None => Vec::new(),
            Descriptor::Signed => [&signature[..], &crc, &short].concat(),
            Descriptor::Unsigned => [&crc[..], &short].concat(),
            Descriptor::Signed64 => [&signature[..], &crc, &long].concat(),
            Descriptor::Unsigned64 => [&crc[..], &long].concat(),
            Descriptor::Raw(bytes) => bytes.clone(),
        }
    }

    fn flags(&self) -> u16 {
        if matches!(self.descriptor, Descriptor::None) { self.flags } else { self.flags | FLAG_DESCRIPTOR }
    }

    /// Flags, method, time, CRC, sizes and the two lengths: the part that both headers share.
    fn shared_header(&self, spoil: &Spoil, packed_bytes: usize, descriptor: bool) -> Vec<u8> {
        let truth = |value: u32| if descriptor { 0 } else { value };
        let name = spoil.name.as_ref().unwrap_or(&self.name);
        let extra = spoil.extra.as_ref().unwrap_or(&self.extra);
        let mut out = Vec::new();
        out.extend(spoil.flags.unwrap_or_else(|| self.flags()).to_le_bytes());
        out.extend(spoil.method.unwrap_or(self.method).to_le_bytes());
        out.extend(self.time.to_le_bytes());
        out.extend(spoil.crc32.unwrap_or_else(|| truth(self.crc32())).to_le_bytes());
        out.extend(spoil.packed_bytes.unwrap_or_else(|| truth(packed_bytes as u32)).to_le_bytes());
        out.extend(spoil.bytes.unwrap_or_else(|| truth(self.data.len() as u32)).to_le_bytes());
        out.extend((name.len() as u16).to_le_bytes());
        out.extend(spoil.extra_length.unwrap_or(extra.len() as u16).to_le_bytes());
        out
    }

    fn local_record(&self, packed: &[u8]) -> Vec<u8> {
        let descriptor = !matches!(self.descriptor, Descriptor::None);
        let mut out = b"PK\x03\x04\x14\x00".to_vec();
        out.extend(self.shared_header(&self.local, packed.len(), descriptor));
        out.extend(self.local.name.as_ref().unwrap_or(&self.name));
        out.extend(self.local.extra.as_ref().unwrap_or(&self.extra));
        out.extend(packed);
        out.extend(self.descriptor(packed.len()));
        out
    }

    fn central_record(&self, packed_bytes: usize, offset: u32) -> Vec<u8> {
        let mut out = b"PK\x01\x02".to_vec();
        out.extend(self.made_by.to_le_bytes());
        out.extend(20_u16.to_le_bytes());
        out.extend(self.shared_header(&self.central, packed_bytes, false));
        out.extend((self.comment.len() as u16).to_le_bytes());
        out.extend(self.central.disk.unwrap_or(0).to_le_bytes());
        out.extend(0_u16.to_le_bytes());
        out.extend(self.attributes.to_le_bytes());
        out.extend(self.central.offset.unwrap_or(offset).to_le_bytes());
        out.extend(self.central.name.as_ref().unwrap_or(&self.name));
        out.extend(self.central.extra.as_ref().unwrap_or(&self.extra));
        out.extend(&self.comment);
        out
    }
}

/// What the end records say; `None` is the truth.
#[derive(Clone, Debug, Default)]
pub struct End {
    /// Number of this disk.
    pub disk: u16,
    /// Disk where the directory starts.
    pub directory_disk: u16,
    /// Entries on this disk.
    pub entries_here: Option<u16>,
    /// Entries.
    pub entries: Option<u16>,
    /// Size of the directory.
    pub directory_bytes: Option<u32>,
    /// Place of the directory.
    pub directory_offset: Option<u32>,
    /// Archive comment.
    pub comment: Vec<u8>,
    /// Declared length of the comment.
    pub comment_length: Option<u16>,
    /// Write a ZIP64 end record and locator.
    pub zip64: bool,
    /// With `zip64`: keep the true values in the 32-bit fields instead of all ones.
    pub zip64_keep_short: bool,
    /// With `zip64`: entries in the ZIP64 record.
    pub zip64_entries: Option<u64>,
    /// With `zip64`: place of the ZIP64 record in the locator.
    pub zip64_offset: Option<u64>,
}

/// A whole archive.
#[derive(Clone, Debug, Default)]
pub struct ZipBuilder {
    /// Bytes in front of everything.
    pub prefix: Vec<u8>,
    /// Offsets count from the end of the prefix, as in a stub that was prepended later.
    pub prefix_unadjusted: bool,
    /// Entries in order.
    pub entries: Vec<ZipEntry>,
    /// Bytes between the last entry and the directory.
    pub directory_gap: Vec<u8>,
    /// End records.
    pub end: End,
    /// Bytes after everything.
    pub suffix: Vec<u8>,
}

impl ZipBuilder {
    /// A good bundle: [`good_manifest`] and [`GOOD_ENTRY_POINT`].
    pub fn good() -> Self {
        Self::with_manifest(&good_manifest())
    }

    /// A bundle with this manifest and [`GOOD_ENTRY_POINT`].
    pub fn with_manifest(manifest: &Value) -> Self {
        let mut zip = Self::default();
        zip.file("manifest.json", serde_json::to_vec_pretty(manifest).expect("JSON values serialise"));
        zip.file(GOOD_ENTRY_POINT.0, GOOD_ENTRY_POINT.1);
        zip
    }

    /// Adds a plain good file.
    pub fn file(&mut self, name: impl AsRef<[u8]>, data: impl Into<Vec<u8>>) -> &mut Self {
        self.entry(ZipEntry::new(name, data))
    }

    /// Adds an entry.
    pub fn entry(&mut self, entry: ZipEntry) -> &mut Self {
        self.entries.push(entry);
        self
    }

    /// Changes the entry with this name (the first one).
    ///
    /// # Panics
    /// Where there is none.
    pub fn spoil(&mut self, name: &str, change: impl FnOnce(&mut ZipEntry)) -> &mut Self {
        change(self.entries.iter_mut().find(|e| e.name == name.as_bytes()).expect("an entry of this name"));
        self
    }

    /// The bytes.
    pub fn build(&self) -> Vec<u8> {
        let mut out = self.prefix.clone();
        let base = if self.prefix_unadjusted { self.prefix.len() } else { 0 };
        let places = self.write_entries(&mut out, base);
        out.extend(&self.directory_gap);
        let directory_at = out.len();
        for (entry, &(offset, packed_bytes)) in self.entries.iter().zip(&places).filter(|(e, _)| !e.hidden) {
            out.extend(entry.central_record(packed_bytes, offset));
        }
        self.write_end(&mut out, directory_at, base);
        out.extend(&self.suffix);
        out
    }

    fn write_entries(&self, out: &mut Vec<u8>, base: usize) -> Vec<(u32, usize)> {
        let mut places: Vec<(u32, usize)> = Vec::new();
        for entry in &self.entries {
            if let Some(other) = entry.shares {
                places.push(places[other]);
                continue;
            }
            out.extend(&entry.gap);
            let packed = entry.packed();
            places.push(((out.len() - base) as u32, packed.len()));
            out.extend(entry.local_record(&packed));
        }
        places
    }

    fn write_end(&self, out: &mut Vec<u8>, directory_at: usize, base: usize) {
        let end = &self.end;
        let count = self.entries.iter().filter(|e| !e.hidden).count();
        let bytes = out.len() - directory_at;
        let offset = directory_at - base;
        let (mut short_count, mut short_bytes, mut short_offset) = (count as u16, bytes as u32, offset as u32);
        if end.zip64 {
            self.write_zip64(out, count, bytes, offset);
            if !end.zip64_keep_short {
                (short_count, short_bytes, short_offset) = (u16::MAX, u32::MAX, u32::MAX);
            }
        }
        out.extend(b"PK\x05\x06");
        out.extend(end.disk.to_le_bytes());
        out.extend(end.directory_disk.to_le_bytes());
        out.extend(end.entries_here.unwrap_or(short_count).to_le_bytes());
        out.extend(end.entries.unwrap_or(short_count).to_le_bytes());
        out.extend(end.directory_bytes.unwrap_or(short_bytes).to_le_bytes());
        out.extend(end.directory_offset.unwrap_or(short_offset).to_le_bytes());
        out.extend(end.comment_length.unwrap_or(end.comment.len() as u16).to_le_bytes());
        out.extend(&end.comment);
    }

    fn write_zip64(&self, out: &mut Vec<u8>, count: usize, bytes: usize, offset: usize) {
        let at = out.len() as u64;
        let count = self.end.zip64_entries.unwrap_or(count as u64);
        out.extend(b"PK\x06\x06");
        out.extend(44_u64.to_le_bytes());
        out.extend([45, 3, 45, 0]);
        out.extend([0; 8]);
        for value in [count, count, bytes as u64, offset as u64] {
            out.extend(value.to_le_bytes());
        }
        out.extend(b"PK\x06\x07");
        out.extend(0_u32.to_le_bytes());
        out.extend(self.end.zip64_offset.unwrap_or(at).to_le_bytes());
        out.extend(1_u32.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_bundle_has_the_records_in_order() {
        let bytes = minimal_bundle();
        assert!(bytes.starts_with(b"PK\x03\x04"));
        let end = &bytes[bytes.len() - 22..];
        assert!(end.starts_with(b"PK\x05\x06"));
        assert_eq!(end[10], 2);
        let offset = u32::from_le_bytes(end[16..20].try_into().unwrap()) as usize;
        assert!(bytes[offset..].starts_with(b"PK\x01\x02"));
    }
}
