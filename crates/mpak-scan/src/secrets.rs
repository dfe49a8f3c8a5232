//! Finds credentials in a stream: keywords first, then the shape around them, then randomness, check
//! digits and placeholders.
//!
//! In: the bytes of every file, from an attacker, once. Out: [`Secrets`]: places and masked texts. At
//! most one chunk is held, and nothing is ever sent anywhere.

use std::cmp::Reverse;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use crate::rules::{self, Confidence, SecretRule};

pub mod check;
mod placeholder;

use check::Outcome;

/// New bytes judged at a time.
const CHUNK_BYTES: usize = 1 << 20;
/// Bytes after the judged ones that are seen with them, so that nothing is cut: the longest match.
const AHEAD_BYTES: usize = 20 << 10;
/// Bytes before the judged ones that are seen with them, for word boundaries.
const BEHIND_BYTES: usize = 64;
/// Bytes before a keyword in which its match may start.
const BEFORE_KEYWORD_BYTES: usize = 96;
/// A NUL among these first bytes makes a file binary.
const PROBE_BYTES: usize = 8 << 10;
/// Most hits kept of one confidence; the others are counted.
const HITS_COUNT_MAX: usize = 1_000;
/// Most hits kept of one file and one confidence.
const FILE_HITS_COUNT_MAX: usize = 100;
/// Most bytes that expressions run over, all rules and files together: real bundles with thousands of
/// files stay far below it, and a flood of keywords would take minutes.
const EXAMINED_BYTES_MAX: u64 = 256 << 20;

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
}

/// All credentials of a bundle.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// In the order of the files.
    pub hits: Vec<Hit>,
    /// How many more there were, at least.
    pub omitted_count: u64,
    /// Bytes that expressions ran over.
    pub examined_bytes: u64,
    /// Files that were not searched to their end, because there was more to examine than is allowed.
    pub unfinished: Vec<String>,
}

/// Looks through files one after the other.
#[derive(Default)]
pub struct Scanner {
    secrets: Secrets,
    kept: [usize; 2],
}

impl Scanner {
    /// With the embedded rules.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a file; write its bytes and then call [`FileScan::finish`].
    pub fn file<'a>(&'a mut self, path: &'a str) -> FileScan<'a> {
        FileScan { scanner: self, path, buffer: Vec::new(), judged: 0, line: 1, binary: None, last: None, kept: [0; 2] }
    }

    /// A whole text in memory.
    pub fn text(&mut self, path: &str, bytes: &[u8]) {
        let mut file = self.file(path);
        file.feed(bytes);
        file.finish();
    }

    /// What was found.
    pub fn finish(self) -> Secrets {
        self.secrets
    }
}

/// One file on its way through.
pub struct FileScan<'a> {
    scanner: &'a mut Scanner,
    path: &'a str,
    /// `BEHIND_BYTES` already judged, then bytes not judged yet.
    buffer: Vec<u8>,
    /// How many bytes of `buffer` are judged.
    judged: usize,
    /// Line of the first byte of `buffer`.
    line: u32,
    /// Decided from the first chunk.
    binary: Option<bool>,
    /// Line, confidence and masked text of the last hit.
    last: Option<(u32, Confidence, String)>,
    /// By confidence.
    kept: [usize; 2],
}

impl Write for FileScan<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.feed(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A match in the buffer.
struct Match {
    start: usize,
    end: usize,
    rank: usize,
    confidence: Confidence,
    masked: String,
}

impl FileScan<'_> {
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

    /// Judges what is left. Must be called at the end of the file.
    pub fn finish(mut self) {
        self.judge(self.buffer.len());
    }

    /// Judges matches that start in `judged..until`, and lets go of what lies before.
    fn judge(&mut self, until: usize) {
        let binary = *self.binary.get_or_insert_with(|| self.buffer.iter().take(PROBE_BYTES).any(|b| *b == 0));
        let found = self.examine(until, binary);
        let (mut line, mut counted) = (self.line, 0);
        for found in found {
            line = line.saturating_add(newlines(&self.buffer[counted..found.start]));
            counted = found.start;
            self.keep(found, line);
        }
        let gone = until.saturating_sub(BEHIND_BYTES);
        self.line = self.line.saturating_add(newlines(&self.buffer[..gone]));
        self.buffer.drain(..gone);
        self.judged = until - gone;
    }

    /// Matches of the rules that can still add something, within the bounds of the work.
    fn examine(&mut self, until: usize, binary: bool) -> Vec<Match> {
        let full = |confidence: Confidence| self.kept[confidence as usize] >= FILE_HITS_COUNT_MAX;
        // A file full of sure hits has failed; one full of doubtful ones may still hide a sure one.
        if full(Confidence::High) {
            self.scanner.secrets.omitted_count += 1;
            return Vec::new();
        }
        let least = if binary || full(Confidence::Low) { Confidence::High } else { Confidence::Low };
        let windows = windows(&self.buffer, self.judged, least);
        let bytes: usize = windows.iter().map(|window| window.end - window.start).sum();
        let secrets = &mut self.scanner.secrets;
        secrets.examined_bytes += bytes as u64;
        if secrets.examined_bytes > EXAMINED_BYTES_MAX {
            if secrets.unfinished.last().is_none_or(|path| path != self.path) {
                secrets.unfinished.push(self.path.to_owned());
            }
            return Vec::new();
        }
        matches(&self.buffer, self.judged..until, windows, binary)
    }

    fn keep(&mut self, found: Match, line: u32) {
        // The same value twice on one line says nothing new.
        let seen = (line, found.confidence, found.masked);
        if self.last.as_ref() == Some(&seen) {
            return;
        }
        let masked = self.last.insert(seen).2.clone();
        let rank = found.confidence as usize;
        if self.kept[rank] >= FILE_HITS_COUNT_MAX || self.scanner.kept[rank] >= HITS_COUNT_MAX {
            self.scanner.secrets.omitted_count += 1;
            return;
        }
        self.kept[rank] += 1;
        self.scanner.kept[rank] += 1;
        self.scanner.secrets.hits.push(Hit {
            rule: &rules::secrets()[found.rank],
            confidence: found.confidence,
            path: self.path.to_owned(),
            line,
            masked,
        });
    }
}

fn newlines(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |count: u32, byte| count.saturating_add(u32::from(*byte == b'\n')))
}

/// Keywords of all rules in one automaton; the pattern's id gives keyword and rule.
struct Keywords {
    automaton: AhoCorasick,
    /// By pattern: the rule's rank, and the keyword where its case matters.
    patterns: Vec<(usize, Option<&'static [u8]>)>,
}

fn keywords() -> &'static Keywords {
    static KEYWORDS: OnceLock<Keywords> = OnceLock::new();
    KEYWORDS.get_or_init(|| {
        let all =
            rules::secrets().iter().enumerate().flat_map(|(rank, rule)| rule.keywords.iter().map(move |k| (rank, k)));
        let (texts, patterns): (Vec<&str>, Vec<_>) = all
            .map(|(rank, keyword)| {
                let exact = keyword.bytes().any(|b| b.is_ascii_uppercase());
                (keyword.as_str(), (rank, exact.then_some(keyword.as_bytes())))
            })
            .unzip();
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(texts)
            .expect("the embedded keywords are few");
        Keywords { automaton, patterns }
    })
}

/// All matches that start in a range, in order, without overlaps: the surer match wins, then the rule listed first.
fn matches(buffer: &[u8], range: Range<usize>, windows: Vec<Window>, binary: bool) -> Vec<Match> {
    let mut found = Vec::new();
    for Window { rank, start, end } in windows {
        let rule = &rules::secrets()[rank];
        let Some(regex) = rule.regex() else { continue };
        let mut at = start;
        while let Some(groups) = regex.captures_at(&buffer[..end], at) {
            let whole = groups.get(0).expect("group 0 is the match");
            at = whole.end().max(whole.start() + 1);
            if !range.contains(&whole.start()) {
                if whole.start() >= range.end {
                    break;
                }
                continue;
            }
            let secret = groups.name("secret").unwrap_or(whole);
            let outcome = judge(rule, whole.as_bytes(), secret.as_bytes());
            if let Some((confidence, masked)) =
                outcome.filter(|(confidence, _)| !binary || *confidence == Confidence::High)
            {
                found.push(Match { start: secret.start(), end: secret.end(), rank, confidence, masked });
            }
            if at >= end {
                break;
            }
        }
    }
    found.sort_by_key(|m| (m.start, m.rank));
    let mut apart: Vec<Match> = Vec::new();
    for next in found {
        match apart.last_mut() {
            Some(last) if next.start < last.end => {
                if (Reverse(next.confidence), next.rank) < (Reverse(last.confidence), last.rank) {
                    *last = next;
                }
            }
            _ => apart.push(next),
        }
    }
    apart
}

/// Where one rule is worth running.
struct Window {
    rank: usize,
    start: usize,
    end: usize,
}

/// Where each rule of a confidence is worth running: around its keywords, overlapping windows joined.
fn windows(buffer: &[u8], from: usize, least: Confidence) -> Vec<Window> {
    let Keywords { automaton, patterns } = keywords();
    let rules = rules::secrets();
    let mut open: Vec<Option<(usize, usize)>> = vec![None; rules.len()];
    let mut done: Vec<Window> = Vec::new();
    for hit in automaton.find_overlapping_iter(buffer) {
        let (rank, exact) = patterns[hit.pattern().as_usize()];
        let rule = &rules[rank];
        let other_case = exact.is_some_and(|keyword| buffer[hit.range()] != *keyword);
        if other_case || rule.confidence < least {
            continue;
        }
        let start = hit.start().saturating_sub(BEFORE_KEYWORD_BYTES);
        let end = (hit.end() + rule.span).min(buffer.len());
        if end <= from {
            continue;
        }
        match &mut open[rank] {
            Some((_, last)) if start <= *last => *last = end.max(*last),
            window => {
                done.extend(window.map(|(start, end)| Window { rank, start, end }));
                *window = Some((start, end));
            }
        }
    }
    let last = open.iter().enumerate();
    done.extend(last.filter_map(|(rank, window)| window.map(|(start, end)| Window { rank, start, end })));
    done
}

/// Randomness, placeholders, check digits: what is left is shown masked.
fn judge(rule: &SecretRule, whole: &[u8], secret: &[u8]) -> Option<(Confidence, String)> {
    if entropy(secret) < rule.entropy_min {
        return None;
    }
    let outcome = match rule.check {
        Some(check) if check.knows_placeholders() => check.judge(whole, secret),
        _ if placeholder::is_placeholder(secret) => Outcome::Drop,
        Some(check) => check.judge(whole, secret),
        None => Outcome::Keep,
    };
    let confidence = match outcome {
        Outcome::Keep => rule.confidence,
        Outcome::Lower => Confidence::Low,
        Outcome::Drop => return None,
    };
    let masked = match rule.check {
        Some(check) => check.masked(whole, secret),
        None => masked(secret),
    };
    Some((confidence, masked))
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

    fn scan(bytes: &[u8]) -> Secrets {
        let mut scanner = Scanner::new();
        scanner.text("file", bytes);
        scanner.finish()
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
        let text = format!("{}{}\n", "x".repeat(100_000), token()).repeat(30);
        let mut scanner = Scanner::new();
        let mut file = scanner.file("file");
        for piece in text.as_bytes().chunks(777) {
            file.write_all(piece).unwrap();
        }
        file.finish();
        let (small, large) = (scanner.finish(), scan(text.as_bytes()));
        assert_eq!(small.hits.len(), large.hits.len());
        assert!(small.hits.iter().zip(&large.hits).all(|(a, b)| a.line == b.line));
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
        let mut scanner = Scanner::new();
        scanner.secrets.examined_bytes = EXAMINED_BYTES_MAX;
        scanner.text("flood", format!("{}\n", token()).as_bytes());
        assert_eq!(scanner.finish().unfinished, ["flood"]);
    }

    #[test]
    fn hostile_bytes_do_not_panic() {
        let keywords: String = rules::secrets().iter().flat_map(|r| r.keywords.clone()).collect();
        for bytes in [
            vec![0xff; 3 << 20],
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
