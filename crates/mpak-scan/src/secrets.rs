//! Finds credentials in files: keywords first, then the shape around them, then randomness, check digits
//! and placeholders; texts that are encoded or in pieces are read and searched as well.
//!
//! In: the bytes of one file, from an attacker. Out: [`FileSecrets`]: places and masked texts. Files are
//! independent of each other and can be searched side by side; [`Secrets`] puts them together. The work on
//! a file grows with its bytes and no faster, and nothing is ever sent anywhere.

use std::io::{self, Write};
use std::ops::Range;

use crate::rules::{self, Confidence, SecretRule};

mod assigned;
pub mod check;
mod computed;
mod encoded;
mod given;
mod joined;
pub(crate) mod keywords;
mod kind;
mod named;
mod placeholder;
mod public;
mod published;
mod search;
mod uuid;
mod words;

pub(crate) use computed::add_computed;
pub use encoded::Layer;
use kind::Kind;
pub(crate) use search::prepare;
use search::{Found, Text, Work, search};

/// New bytes judged at a time.
const CHUNK_BYTES: usize = 1 << 20;
/// Bytes after the judged ones that are seen with them, so that nothing is cut: the longest match.
const AHEAD_BYTES: usize = 20 << 10;
/// Bytes before the judged ones that are seen with them, for names and boundaries.
const BEHIND_BYTES: usize = 2 << 10;
/// A NUL among these first bytes makes a file binary.
const PROBE_BYTES: usize = 8 << 10;
/// Most hits kept of one confidence; the others are counted.
const HITS_COUNT_MAX: usize = 1_000;
/// Most hits kept of one file and one confidence.
const FILE_HITS_COUNT_MAX: usize = 100;
/// Bytes that may be looked at closely in any file, and for each of its bytes. Real files stay far below;
/// a flood of keywords would take minutes.
const WORK_BYTES_MIN: u64 = 4 << 20;
const WORK_BYTES_EACH: u64 = 16;

/// One credential.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The rule.
    pub rule: &'static SecretRule,
    /// How sure, after the rule's check.
    pub confidence: Confidence,
    /// Path in the bundle.
    pub path: String,
    /// From 1.
    pub line: u32,
    /// What may be shown.
    pub masked: String,
    /// How it was written, unless plainly.
    pub layer: Option<Layer>,
}

/// All credentials of one file.
#[derive(Clone, Debug, Default)]
pub struct FileSecrets {
    /// Path in the bundle.
    pub path: String,
    /// In the order of the file.
    pub hits: Vec<Hit>,
    /// How many more there were, at least.
    pub omitted_count: u64,
    /// Bytes that were looked at closely.
    pub examined_bytes: u64,
    /// Whether it was not searched to its end, because there was more to look at than is allowed.
    pub unfinished: bool,
}

/// All credentials of a bundle.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// In the order of the files.
    pub hits: Vec<Hit>,
    /// How many more there were, at least.
    pub omitted_count: u64,
    /// Bytes that were looked at closely.
    pub examined_bytes: u64,
    /// Files that were not searched to their end.
    pub unfinished: Vec<String>,
    /// By confidence.
    kept: [usize; 2],
}

impl Secrets {
    /// Adds a file; the order of the files is the order of the calls.
    pub fn add(&mut self, file: FileSecrets) {
        self.omitted_count += file.omitted_count;
        self.examined_bytes += file.examined_bytes;
        if file.unfinished {
            self.unfinished.push(file.path);
        }
        for hit in file.hits {
            let kept = &mut self.kept[hit.confidence as usize];
            if *kept < HITS_COUNT_MAX {
                *kept += 1;
                self.hits.push(hit);
            } else {
                self.omitted_count += 1;
            }
        }
    }
}

/// Searches a whole file in memory.
pub fn scan_file(path: &str, bytes: &[u8]) -> FileSecrets {
    let mut file = Collector::new(path);
    if let Some(wide) = Wide::of(bytes) {
        file.whole(&wide.narrowed(bytes));
    } else {
        file.whole(bytes);
    }
    file.found
}

/// Searches a file that arrives in pieces: write its bytes and then call [`FileScan::finish`].
pub struct FileScan {
    file: Collector,
    /// `BEHIND_BYTES` already judged, then bytes not judged yet.
    buffer: Vec<u8>,
    /// How many bytes of `buffer` are judged.
    judged: usize,
    /// Whether the first piece was seen, which decides `wide`.
    begun: bool,
    wide: Option<Wide>,
    /// The first half of a character.
    half: Option<u8>,
}

impl FileScan {
    /// A file, by its path in the bundle.
    pub fn new(path: &str) -> Self {
        Self { file: Collector::new(path), buffer: Vec::new(), judged: 0, begun: false, wide: None, half: None }
    }

    fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = (BEHIND_BYTES + CHUNK_BYTES + AHEAD_BYTES).saturating_sub(self.buffer.len());
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() >= BEHIND_BYTES + CHUNK_BYTES + AHEAD_BYTES {
                self.judge(self.buffer.len() - AHEAD_BYTES);
            }
        }
    }

    /// Judges matches that start in `judged..until`, and lets go of what lies before.
    fn judge(&mut self, until: usize) {
        self.file.judge(&self.buffer, self.judged..until);
        let gone = until.saturating_sub(BEHIND_BYTES);
        self.buffer.drain(..gone);
        self.judged = until - gone;
    }

    /// Judges what is left.
    pub fn finish(mut self) -> FileSecrets {
        self.judge(self.buffer.len());
        self.file.found
    }
}

impl Write for FileScan {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(first) = bytes.first() else { return Ok(0) };
        if !std::mem::replace(&mut self.begun, true) {
            self.wide = Wide::of(bytes);
        }
        match self.wide {
            None => self.feed(bytes),
            Some(wide) => {
                let whole = self.half.take().map(|half| [half, *first]);
                let rest = &bytes[usize::from(whole.is_some())..];
                self.half = rest.chunks_exact(2).remainder().first().copied();
                let mut narrowed = whole.map_or(Vec::new(), |pair| wide.narrowed(&pair));
                narrowed.extend(wide.narrowed(rest));
                self.feed(&narrowed);
            }
        }
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Text of two bytes for each character.
#[derive(Clone, Copy, Debug)]
enum Wide {
    LittleEndian,
    BigEndian,
}

impl Wide {
    /// By its mark, or by characters of ASCII at the beginning.
    fn of(bytes: &[u8]) -> Option<Self> {
        let head = &bytes[..bytes.len().min(64)];
        let all = |low: usize| {
            head.len() >= 32
                && head
                    .chunks_exact(2)
                    .all(|pair| pair[1 - low] == 0 && (pair[low].is_ascii_graphic() || pair[low].is_ascii_whitespace()))
        };
        match head {
            [0xff, 0xfe, ..] => Some(Self::LittleEndian),
            [0xfe, 0xff, ..] => Some(Self::BigEndian),
            _ if all(0) => Some(Self::LittleEndian),
            _ if all(1) => Some(Self::BigEndian),
            _ => None,
        }
    }

    /// Credentials are of ASCII; other characters only end them.
    fn narrowed(self, bytes: &[u8]) -> Vec<u8> {
        let narrow = |pair: &[u8]| {
            let (low, high) = match self {
                Self::LittleEndian => (pair[0], pair[1]),
                Self::BigEndian => (pair[1], pair[0]),
            };
            if high == 0 { low } else { 0xff }
        };
        bytes.chunks_exact(2).map(narrow).collect()
    }
}

/// What was found in one file so far.
struct Collector {
    found: FileSecrets,
    kind: Kind,
    /// Decided from the first chunk.
    binary: Option<bool>,
    /// Line of the first byte that is not judged.
    line: u32,
    /// By confidence.
    kept: [usize; 2],
    work: Work,
    /// Line, confidence and masked text of the last hit.
    last: Option<(u32, Confidence, String)>,
}

impl Collector {
    fn new(path: &str) -> Self {
        Self {
            found: FileSecrets { path: path.to_owned(), ..FileSecrets::default() },
            kind: Kind::of(path),
            binary: None,
            line: 1,
            kept: [0; 2],
            work: Work { done_bytes: 0, allowed_bytes: WORK_BYTES_MIN },
            last: None,
        }
    }

    fn whole(&mut self, bytes: &[u8]) {
        let mut from = 0;
        while from < bytes.len() {
            let until = (from + CHUNK_BYTES).min(bytes.len());
            // What lies far ahead is cut, so that no chunk's work grows with the file.
            self.judge(&bytes[..(until + AHEAD_BYTES).min(bytes.len())], from..until);
            from = until;
        }
    }

    /// Judges matches that start in a range.
    fn judge(&mut self, bytes: &[u8], range: Range<usize>) {
        let probe = &bytes[..bytes.len().min(PROBE_BYTES)];
        let binary = *self.binary.get_or_insert_with(|| probe.contains(&0));
        self.work.allowed_bytes += range.len() as u64 * WORK_BYTES_EACH;
        let full = |confidence: Confidence| self.kept[confidence as usize] >= FILE_HITS_COUNT_MAX;
        // A file full of sure hits has failed; one full of doubtful ones may still hide a sure one.
        if full(Confidence::High) {
            self.found.omitted_count += 1;
            return;
        }
        let least = if full(Confidence::Low) { Confidence::High } else { Confidence::Low };
        let text = Text { bytes, kind: self.kind, least, binary, depth: 0 };
        let all = search(text, range.clone(), &mut self.work);
        self.found.examined_bytes = self.work.done_bytes;
        self.found.unfinished |= self.work.is_exceeded();
        let (mut line, mut counted) = (self.line, range.start);
        self.line = line.saturating_add(newlines(&bytes[range]));
        for one in all {
            let start = one.start.max(counted);
            line = line.saturating_add(newlines(&bytes[counted..start]));
            counted = start;
            self.keep(one, line);
        }
    }

    fn keep(&mut self, found: Found, line: u32) {
        // The same value twice on one line says nothing new.
        let seen = (line, found.confidence, found.masked);
        if self.last.as_ref() == Some(&seen) {
            return;
        }
        let masked = self.last.insert(seen).2.clone();
        let kept = &mut self.kept[found.confidence as usize];
        if *kept >= FILE_HITS_COUNT_MAX {
            self.found.omitted_count += 1;
            return;
        }
        *kept += 1;
        self.found.hits.push(Hit {
            rule: &rules::secrets()[found.rank],
            confidence: found.confidence,
            path: self.found.path.clone(),
            line,
            masked,
            layer: found.layer,
        });
    }
}

fn newlines(bytes: &[u8]) -> u32 {
    u32::try_from(memchr::memchr_iter(b'\n', bytes).count()).unwrap_or(u32::MAX)
}

/// The first four characters of what is long enough to spare them.
fn masked(secret: &[u8]) -> String {
    const SHOWN: usize = 4;
    let text = String::from_utf8_lossy(secret);
    let shown: String = if secret.len() >= 4 * SHOWN { text.chars().take(SHOWN).collect() } else { String::new() };
    format!("{shown}…")
}

/// Shannon entropy in bits per byte.
fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let total = bytes.len().max(1);
    #[expect(clippy::cast_precision_loss, reason = "lengths of credentials are small")]
    let share = |count: u32| f64::from(count) / total as f64;
    counts.iter().filter(|count| **count > 0).map(|count| -share(*count) * share(*count).log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token whose check digits hold, put together here so that this file does not hold it.
    fn token() -> String {
        rules::secrets().iter().find(|r| r.id == "github-token").unwrap().matches[0].replace('·', "")
    }

    fn scan(bytes: &[u8]) -> FileSecrets {
        scan_file("file.js", bytes)
    }

    #[test]
    fn line_and_mask_are_right() {
        let secrets = scan(format!("one\ntwo\n  key = '{}'\n", token()).as_bytes());
        assert_eq!(secrets.hits.len(), 1);
        assert_eq!((secrets.hits[0].line, secrets.hits[0].masked.as_str()), (3, "ghp_…"));
    }

    #[test]
    fn a_secret_is_found_once_wherever_the_chunks_end() {
        let step = BEHIND_BYTES + CHUNK_BYTES;
        for offset in [0, 1, step - 50, step - 20, step - 1, step, step + 1, step + AHEAD_BYTES - 20, 2 * CHUNK_BYTES] {
            let mut text = vec![b'\n'; offset];
            text.extend_from_slice(format!(" {} ", token()).as_bytes());
            text.extend(vec![b' '; 3 * CHUNK_BYTES - offset]);
            let secrets = scan(&text);
            assert_eq!(secrets.hits.len(), 1, "offset {offset}");
            assert_eq!(secrets.hits[0].line as usize, offset + 1);
        }
    }

    #[test]
    fn small_writes_give_the_same_as_one_large_one() {
        let text = format!("{}{}\n", "x ".repeat(50_000), token()).repeat(30);
        let mut file = FileScan::new("file.js");
        for piece in text.as_bytes().chunks(777) {
            file.write_all(piece).unwrap();
        }
        let (small, large) = (file.finish(), scan(text.as_bytes()));
        assert_eq!(small.hits.len(), 30);
        assert_eq!(small.hits.len(), large.hits.len());
        assert!(small.hits.iter().zip(&large.hits).all(|(a, b)| a.line == b.line));
    }

    #[test]
    fn text_of_two_bytes_for_each_character_is_read() {
        let text = format!("\u{feff}first\r\ntoken = {}\r\n", token());
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [&little[..], &big, &little[2..], &big[2..]] {
            assert_eq!(scan(bytes).hits.len(), 1);
            assert_eq!(scan(bytes).hits[0].line, 2);
        }
        for bytes in [little, big] {
            let mut file = FileScan::new("file.ps1");
            file.write_all(&bytes[..33]).unwrap();
            file.write_all(&bytes[33..]).unwrap();
            assert_eq!(file.finish().hits.len(), 1);
        }
    }

    #[test]
    fn what_is_encoded_or_in_pieces_is_found_and_named() {
        let token = token();
        let encode = |text: &str| base64::engine::Engine::encode(&base64::engine::general_purpose::STANDARD, text);
        let hex = |text: &str| text.bytes().map(|b| format!("{b:02x}")).collect::<String>();
        let sentence = format!("machine access with {token} only");
        for (text, layer) in [
            (encode(&sentence), Layer::Base64),
            (encode(&encode(&sentence)), Layer::Base64),
            (hex(&sentence), Layer::Hex),
            (encode(&hex(&sentence)), Layer::Base64),
            (format!("'{}' + '{}'", &token[..7], &token[7..]), Layer::Joined),
            (format!("'{}'+\"{}\"", &token[..2], &token[2..]), Layer::Joined),
            (token.bytes().map(|b| format!("%{b:02X}")).collect(), Layer::Percent),
            (token.bytes().map(|b| format!("\\x{b:02x}")).collect(), Layer::Escapes),
        ] {
            let found = scan(format!("first\nconst text = \"{text}\";").as_bytes());
            assert_eq!(found.hits.len(), 1, "{text}");
            assert_eq!((found.hits[0].layer, found.hits[0].line), (Some(layer), 2), "{text}");
        }
    }

    #[test]
    fn what_is_encoded_too_often_is_not_unwrapped_for_ever() {
        let mut text = token();
        for _ in 0..3 {
            text = base64::engine::Engine::encode(&base64::engine::general_purpose::STANDARD, text);
        }
        assert!(scan(text.as_bytes()).hits.is_empty());
    }

    #[test]
    fn binaries_are_searched_for_what_is_sure() {
        let jwt = rules::secrets().iter().find(|r| r.id == "jwt").unwrap().matches[0].replace('·', "");
        let text = format!("\0\0\0 {} \0 {jwt} \0", token());
        let found: Vec<&str> = scan(text.as_bytes()).hits.iter().map(|h| h.rule.id.as_str()).collect();
        assert_eq!(found, ["github-token"]);
    }

    #[test]
    fn a_flood_is_counted_and_not_kept() {
        let text = format!("{}\n", token()).repeat(5_000);
        let secrets = scan(text.as_bytes());
        assert_eq!(secrets.hits.len(), FILE_HITS_COUNT_MAX);
        assert_eq!(secrets.omitted_count as usize, 5_000 - FILE_HITS_COUNT_MAX);
    }

    #[test]
    fn a_flood_of_doubtful_ones_hides_nothing_sure() {
        let doubtful = &rules::secrets().iter().find(|r| r.id == "github-token").unwrap().matches[2];
        let doubtful = doubtful.replace('·', "");
        for flood in [format!("{doubtful}\n").repeat(5_000), format!("{doubtful} ")] {
            let secrets = scan(format!("{flood}{}\n", token()).as_bytes());
            assert_eq!(secrets.hits.iter().filter(|hit| hit.confidence == Confidence::High).count(), 1);
        }
    }

    #[test]
    fn what_takes_too_long_is_named_and_not_taken_for_clean() {
        let mut file = Collector::new("flood");
        file.work.done_bytes = u64::MAX / 2;
        file.whole(format!("{}\n", token()).as_bytes());
        let mut secrets = Secrets::default();
        secrets.add(file.found);
        assert_eq!(secrets.unfinished, ["flood"]);
    }

    #[test]
    fn hostile_bytes_do_not_panic() {
        let keywords: String = rules::secrets().iter().flat_map(|r| r.keywords.clone()).collect();
        for bytes in [
            vec![0xff; 3 << 20],
            b"%\\x".repeat(500_000),
            b"'a'+".repeat(300_000),
            b"token=\"".repeat(300_000),
            b"QUJD".repeat(500_000),
            b"ghp_".repeat(500_000),
            b"-----BEGIN PRIVATE KEY-----".repeat(50_000),
            b"postgres://a:b@".repeat(100_000),
            keywords.into_bytes().repeat(200),
            b"eyJ.eyJ.".repeat(100_000),
            Vec::new(),
        ] {
            scan(&bytes);
        }
    }

    #[test]
    fn entropy_is_in_bits_per_byte() {
        assert!(entropy(b"") < 1e-9);
        assert!(entropy(b"aaaa") < 1e-9);
        assert!((entropy(b"abcd") - 2.0).abs() < 1e-9);
    }
}
