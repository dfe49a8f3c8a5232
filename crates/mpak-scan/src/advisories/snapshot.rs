//! A snapshot file: opened, checked, read block by block.
//!
//! ```text
//! 8   magic `mpakadv\n`
//! 4   version of the format, 1            (numbers of this table are little-endian)
//! 4   length of the head
//! …   head: what the file says of itself (JSON), then every block's length, SHA-256 and first key
//! 32  SHA-256 of everything before
//! 1   1 if signed, else 0
//! 96  if signed: public key and Ed25519 signature over the digest before
//! …   blocks: packages, sorted by ecosystem and name; then vulnerabilities, by number; then, if the head lists
//!     any, the files of versions of packages
//! ```
//!
//! The head names the digest of every block, so the one signature covers the whole file while a look-up
//! reads and checks only the blocks that it needs. In: a file from anyone. Spec: docs/formats/advisories.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::sync::{Mutex, PoisonError};

use mpak_bundle::digest::Sha256;
use serde::{Deserialize, Serialize};

use super::published::{Id, Published};
use super::sign::{PUBLIC_BYTES, PublicKey, SIGNATURE_BYTES, SigningKey};
use super::wire::{Reader, Writer};

/// What a snapshot begins with.
const MAGIC: &[u8; 8] = b"mpakadv\n";
/// The version of the format that is written and read.
const FORMAT: u32 = 1;
/// Magic, version and length of the head.
const FIXED_BYTES: usize = 16;
/// Largest head.
const HEAD_BYTES_MAX: usize = 32 << 20;
/// Largest block.
pub(super) const BLOCK_BYTES_MAX: usize = 16 << 20;
/// Blocks are closed above this size.
pub(super) const BLOCK_BYTES: usize = 16 << 10;
/// Largest snapshot.
const SNAPSHOT_BYTES_MAX: u64 = 1 << 30;

/// What a snapshot says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The day the data is of: the newest in it, or what the builder was told.
    pub date: String,
    /// The newest moment in the data.
    pub newest: String,
    /// Records taken, without withdrawn ones.
    pub records_count: u64,
    /// Records that were withdrawn and left out.
    pub withdrawn_count: u64,
    /// Records left out because they could not be read.
    pub unreadable_count: u64,
    /// Vulnerabilities: records whose ids are aliases of each other are one.
    pub vulnerabilities_count: u64,
    /// Of them malicious packages.
    pub malicious_count: u64,
    /// Of them without a score.
    pub unscored_count: u64,
    /// Packages by ecosystem, in the words of package URLs.
    pub packages: BTreeMap<String, u64>,
    /// Ranges of commits: they say nothing about versions and are left out.
    pub git_ranges_count: u64,
    /// Ranges left out because a bound is no version of its ecosystem.
    pub bad_ranges_count: u64,
    /// Packages of ecosystems that no bundle has.
    pub foreign_count: u64,
    /// What is known to be exploited.
    pub kev: Option<Feed>,
    /// How likely exploitation is.
    pub epss: Option<Feed>,
    /// Versions of packages whose files are known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub published_count: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A feed beside the advisories.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feed {
    /// The day it is of, if it says so.
    pub date: Option<String>,
    /// Entries.
    pub count: u64,
}

/// A snapshot that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file cannot be read.
    #[error("the snapshot cannot be read")]
    Io(#[from] io::Error),
    /// It does not begin as one.
    #[error("it is no snapshot of advisories: it does not begin with `mpakadv`")]
    Magic,
    /// A later version of the format.
    #[error("it has format version {found}, expected {FORMAT}")]
    Format {
        /// What the file says.
        found: u32,
    },
    /// Shorter or longer than it says.
    #[error("it has {found} bytes, expected {expected}")]
    Length {
        /// What the file is.
        found: u64,
        /// What its parts add up to, or the least that any has, or the limit.
        expected: u64,
    },
    /// The head's digest differs.
    #[error("its head is damaged: the digest differs")]
    Head,
    /// The digest is right but the head makes no sense.
    #[error("its head is malformed: {part}")]
    HeadForm {
        /// What is wrong.
        part: &'static str,
    },
    /// The signature is not of the key that stands beside it.
    #[error("its signature does not fit its content")]
    Signature,
    /// A block's digest differs.
    #[error("block {number} is damaged: the digest differs")]
    Block {
        /// From 0.
        number: usize,
    },
    /// The digest is right but the block makes no sense.
    #[error("block {number} is malformed")]
    BlockForm {
        /// From 0.
        number: usize,
    },
}

/// Where a block lies, and what is in it.
#[derive(Clone, Debug)]
struct Block<K> {
    at: u64,
    bytes: usize,
    sha256: [u8; 32],
    first: K,
}

/// An opened snapshot: head checked, blocks when they are read.
#[derive(Debug)]
pub struct Snapshot {
    source: Mutex<Source>,
    head: Head,
    digest: Sha256,
    signer: Option<PublicKey>,
    packages: Vec<Block<Vec<u8>>>,
    vulnerabilities: Vec<Block<u64>>,
    published: Vec<Block<Vec<u8>>>,
}

#[derive(Debug)]
enum Source {
    File(File),
    Memory(io::Cursor<Vec<u8>>),
}

impl Source {
    fn read(&mut self, at: u64, bytes: usize) -> io::Result<Vec<u8>> {
        let mut out = vec![0; bytes];
        match self {
            Self::File(file) => {
                file.seek(SeekFrom::Start(at))?;
                file.read_exact(&mut out)?;
            }
            Self::Memory(memory) => {
                memory.set_position(at);
                memory.read_exact(&mut out)?;
            }
        }
        Ok(out)
    }

    fn bytes(&self) -> io::Result<u64> {
        match self {
            Self::File(file) => file.metadata().map(|m| m.len()),
            Self::Memory(memory) => Ok(memory.get_ref().len() as u64),
        }
    }
}

impl Snapshot {
    /// Opens a file.
    ///
    /// # Errors
    /// [`SnapshotError`].
    pub fn open(file: File) -> Result<Self, SnapshotError> {
        Self::of(Source::File(file))
    }

    /// Opens what was read already.
    ///
    /// # Errors
    /// [`SnapshotError`].
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, SnapshotError> {
        Self::of(Source::Memory(io::Cursor::new(bytes)))
    }

    fn of(mut source: Source) -> Result<Self, SnapshotError> {
        // 1. It begins as a snapshot and is no longer than one may be.
        let found = source.bytes()?;
        let least = (FIXED_BYTES + 32 + 1) as u64;
        let begin = source.read(0, found.min(FIXED_BYTES as u64) as usize)?;
        if !begin.starts_with(MAGIC) {
            return Err(SnapshotError::Magic);
        }
        if found < least {
            return Err(SnapshotError::Length { found, expected: least });
        }
        if found > SNAPSHOT_BYTES_MAX {
            return Err(SnapshotError::Length { found, expected: SNAPSHOT_BYTES_MAX });
        }
        match u32_at(&begin, 8) {
            FORMAT => {}
            found => return Err(SnapshotError::Format { found }),
        }
        // 2. The head, and its digest.
        let head_bytes = u32_at(&begin, 12) as usize;
        let expected = least + head_bytes as u64;
        if head_bytes > HEAD_BYTES_MAX || found < expected {
            return Err(SnapshotError::Length { found, expected });
        }
        let head_end = FIXED_BYTES + head_bytes;
        let text = source.read(0, head_end + 32 + 1)?;
        let digest = Sha256::of(&text[..head_end]);
        if digest.as_bytes()[..] != text[head_end..head_end + 32] {
            return Err(SnapshotError::Head);
        }
        // 3. The signature, if there is one.
        let mut data_at = text.len() as u64;
        let signer = match text[text.len() - 1] {
            0 => None,
            1 => {
                let expected = data_at + (PUBLIC_BYTES + SIGNATURE_BYTES) as u64;
                if found < expected {
                    return Err(SnapshotError::Length { found, expected });
                }
                let signed = source.read(data_at, PUBLIC_BYTES + SIGNATURE_BYTES)?;
                data_at = expected;
                Some(signer(&signed, &digest)?)
            }
            _ => return Err(SnapshotError::Signature),
        };
        // 4. The index; what it names is exactly what follows.
        let mut reader = Reader::new(&text[FIXED_BYTES..head_end]);
        let head = reader.bytes().and_then(|json| serde_json::from_slice(json).ok());
        let head: Head = head.ok_or(SnapshotError::HeadForm { part: "what it says of itself" })?;
        if super::date::day(&head.date) != Some(&head.date) || super::date::moment(&head.newest).is_none() {
            return Err(SnapshotError::HeadForm { part: "its date" });
        }
        let mut at = data_at;
        let packages = blocks(&mut reader, &mut at, |reader| reader.bytes().map(<[u8]>::to_vec));
        let packages = packages.ok_or(SnapshotError::HeadForm { part: "the list of package blocks" })?;
        #[expect(clippy::redundant_closure_for_method_calls, reason = "a path is not general enough in its lifetime")]
        let vulnerabilities = blocks(&mut reader, &mut at, |reader| reader.number());
        let vulnerabilities =
            vulnerabilities.ok_or(SnapshotError::HeadForm { part: "the list of vulnerability blocks" })?;
        let published = match head.published_count {
            0 => Some(Vec::new()),
            _ => blocks(&mut reader, &mut at, |reader| reader.bytes().map(<[u8]>::to_vec)),
        };
        let published = published.ok_or(SnapshotError::HeadForm { part: "the list of blocks of files" })?;
        if !reader.is_empty() {
            return Err(SnapshotError::HeadForm { part: "something stands behind the lists" });
        }
        if at != found {
            return Err(SnapshotError::Length { found, expected: at });
        }
        Ok(Self { source: Mutex::new(source), head, digest, signer, packages, vulnerabilities, published })
    }

    /// What it says of itself.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Its identity: the digest of the head, which names the digests of everything else.
    pub fn digest(&self) -> Sha256 {
        self.digest
    }

    /// The key that signed it; whether that key is to be trusted is the caller's question.
    pub fn signer(&self) -> Option<PublicKey> {
        self.signer
    }

    /// Whether it is older than another one: by its day, then by the newest moment in its data.
    pub fn is_older_than(&self, other: &Self) -> bool {
        let age = |head: &Head| (head.date.clone(), head.newest.clone());
        age(&self.head) < age(&other.head)
    }

    pub(super) fn package_blocks(&self) -> usize {
        self.packages.len()
    }

    pub(super) fn vulnerability_blocks(&self) -> usize {
        self.vulnerabilities.len()
    }

    /// The number of the package block that a key is in, if it is in any.
    pub(super) fn package_block_of(&self, key: &[u8]) -> Option<usize> {
        self.packages.partition_point(|block| block.first.as_slice() <= key).checked_sub(1)
    }

    /// The number of the vulnerability block that a number is in.
    pub(super) fn vulnerability_block_of(&self, number: u64) -> Option<usize> {
        self.vulnerabilities.partition_point(|block| block.first <= number).checked_sub(1)
    }

    /// The first number of a vulnerability block.
    pub(super) fn first_vulnerability(&self, block: usize) -> u64 {
        self.vulnerabilities[block].first
    }

    pub(super) fn first_package(&self, block: usize) -> &[u8] {
        &self.packages[block].first
    }

    pub(super) fn package_block(&self, number: usize) -> Result<Vec<u8>, SnapshotError> {
        let Block { at, bytes, sha256, .. } = &self.packages[number];
        self.block(*at, *bytes, sha256, number)
    }

    pub(super) fn vulnerability_block(&self, number: usize) -> Result<Vec<u8>, SnapshotError> {
        let Block { at, bytes, sha256, .. } = &self.vulnerabilities[number];
        self.block(*at, *bytes, sha256, self.packages.len() + number)
    }

    /// Which of the `wanted` files are of which versions of packages, as far as these are known. The keys of packages
    /// are asked in their order, so that each block is read once.
    pub(crate) fn published(
        &self,
        keys: &BTreeSet<Vec<u8>>,
        wanted: &dyn Fn(&Id) -> bool,
        take: &mut dyn FnMut(&[u8], Published),
    ) -> Result<(), SnapshotError> {
        let mut keys = keys.iter().map(Vec::as_slice).peekable();
        while let Some(first) = keys.peek() {
            let Some(number) = self.published.partition_point(|block| block.first.as_slice() <= *first).checked_sub(1)
            else {
                keys.next();
                continue;
            };
            let next = self.published.get(number + 1).map(|block| block.first.as_slice());
            let mut asked: BTreeSet<&[u8]> = BTreeSet::new();
            while let Some(key) = keys.next_if(|key| next.is_none_or(|next| *key < next)) {
                asked.insert(key);
            }
            self.published_block(number, &|key, id| asked.contains(key) && wanted(id), &mut |key, files| {
                if asked.contains(key) {
                    take(key, files);
                }
            })?;
        }
        Ok(())
    }

    /// Whether the files of any package are known.
    pub(crate) fn knows_files(&self) -> bool {
        !self.published.is_empty()
    }

    pub(super) fn published_blocks(&self) -> usize {
        self.published.len()
    }

    /// What a block says of the files that are `wanted`; its keys rise from the first one.
    pub(super) fn published_block(
        &self,
        number: usize,
        wanted: &dyn Fn(&[u8], &Id) -> bool,
        take: &mut dyn FnMut(&[u8], Published),
    ) -> Result<(), SnapshotError> {
        let Block { at, bytes, sha256, first } = &self.published[number];
        let number = self.packages.len() + self.vulnerabilities.len() + number;
        let block = self.block(*at, *bytes, sha256, number)?;
        let mut reader = Reader::new(&block);
        let mut last: Option<&[u8]> = None;
        while !reader.is_empty() {
            let key = reader.bytes().filter(|key| last.map_or(key == first, |last| last < *key));
            let entry = key.and_then(|key| Some((key, Published::read(&mut reader, &|id| wanted(key, id))?)));
            let (key, files) = entry.ok_or(SnapshotError::BlockForm { number })?;
            last = Some(key);
            take(key, files);
        }
        Ok(())
    }

    fn block(&self, at: u64, bytes: usize, sha256: &[u8; 32], number: usize) -> Result<Vec<u8>, SnapshotError> {
        let block = self.source.lock().unwrap_or_else(PoisonError::into_inner).read(at, bytes)?;
        if Sha256::of(&block).as_bytes() != sha256 {
            return Err(SnapshotError::Block { number });
        }
        Ok(block)
    }
}

fn signer(signed: &[u8], digest: &Sha256) -> Result<PublicKey, SnapshotError> {
    let (public, signature) = signed.split_at(PUBLIC_BYTES);
    let key = PublicKey::from_bytes(public.try_into().expect("split at its length"));
    if key.verify(digest, signature) { Ok(key) } else { Err(SnapshotError::Signature) }
}

/// One of the two lists; first keys rise, so that a search in them finds one block.
fn blocks<K: PartialOrd>(
    reader: &mut Reader<'_>,
    at: &mut u64,
    first: impl Fn(&mut Reader<'_>) -> Option<K>,
) -> Option<Vec<Block<K>>> {
    let count = reader.count()?;
    let mut out: Vec<Block<K>> = Vec::with_capacity(count);
    for _ in 0..count {
        let bytes = usize::try_from(reader.number()?).ok().filter(|bytes| (1..=BLOCK_BYTES_MAX).contains(bytes))?;
        let sha256 = reader.take(32)?.try_into().ok()?;
        let first = first(reader)?;
        if out.last().is_some_and(|last| last.first >= first) {
            return None;
        }
        out.push(Block { at: *at, bytes, sha256, first });
        *at += bytes as u64;
    }
    Some(out)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// The bytes of a snapshot: head, blocks with their first keys, and a key to sign with.
pub(super) fn write(
    head: &Head,
    packages: &[(Vec<u8>, Vec<u8>)],
    vulnerabilities: &[(u64, Vec<u8>)],
    published: &[(Vec<u8>, Vec<u8>)],
    key: Option<&SigningKey>,
) -> Vec<u8> {
    let mut inner = Writer::default();
    inner.bytes(&serde_json::to_vec(head).expect("our own values serialise"));
    list(&mut inner, packages);
    inner.number(vulnerabilities.len() as u64);
    for (first, block) in vulnerabilities {
        inner.number(block.len() as u64);
        inner.0.extend_from_slice(Sha256::of(block).as_bytes());
        inner.number(*first);
    }
    if !published.is_empty() {
        list(&mut inner, published);
    }
    let mut out = MAGIC.to_vec();
    out.extend(FORMAT.to_le_bytes());
    out.extend((inner.0.len() as u32).to_le_bytes());
    out.extend(inner.0);
    let digest = Sha256::of(&out);
    out.extend_from_slice(digest.as_bytes());
    out.push(u8::from(key.is_some()));
    if let Some(key) = key {
        out.extend_from_slice(key.public().as_bytes());
        out.extend_from_slice(&key.sign(&digest));
    }
    packages.iter().for_each(|(_, block)| out.extend_from_slice(block));
    vulnerabilities.iter().for_each(|(_, block)| out.extend_from_slice(block));
    published.iter().for_each(|(_, block)| out.extend_from_slice(block));
    out
}

fn list(inner: &mut Writer, blocks: &[(Vec<u8>, Vec<u8>)]) {
    inner.number(blocks.len() as u64);
    for (first, block) in blocks {
        inner.number(block.len() as u64);
        inner.0.extend_from_slice(Sha256::of(block).as_bytes());
        inner.bytes(first);
    }
}
