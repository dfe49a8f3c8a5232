//! Finds many keywords in one pass over bytes, with little work for each byte.
//!
//! At every second position the bytes that stand there are looked up in two tables of bits that fit the
//! innermost cache: four of them, in lower case, for the long keywords, and three, as they are, for the
//! short ones. A long keyword is in its table with the four bytes at its start and the four after the first,
//! so one of the two lies at a looked-up position; of a short one a byte that may be anything belongs to
//! them. What the tables let through is compared in full.

use std::ops::Range;

/// Shortest keyword.
const SHORT_BYTES: usize = 3;
/// Shortest keyword of the kind that is looked up by four bytes.
const LONG_BYTES: usize = 5;
/// Words of 64 bits in the table of long keywords, and of short ones.
const LONG_WORDS: usize = 1 << (17 - 6);
const SHORT_WORDS: usize = 1 << (20 - 6);
/// Bits of the index of the lists of candidates.
const LIST_BITS: u32 = 12;
/// Bytes that are looked up together, at offsets 0, 2 and 4.
const STEP_BYTES: usize = 6;
/// Makes letters lower-case; what it does to other bytes does not matter, since it is only looked up.
const FOLD: u32 = 0x2020_2020;
/// Three bytes of four.
const THREE: u32 = 0xff_ffff;

/// Keywords, ready to be searched for.
pub(crate) struct Keywords {
    long: Index<LONG_WORDS>,
    short: Index<SHORT_WORDS>,
    texts: Vec<Text>,
}

/// Bytes that keywords hold, by their hash.
struct Index<const WORDS: usize> {
    /// One bit for every hash.
    table: Box<[u64; WORDS]>,
    /// Where the candidates of a hash begin in `candidates`.
    lists: Vec<u32>,
    candidates: Vec<Candidate>,
}

#[derive(Clone, Copy)]
struct Candidate {
    gram: u32,
    /// Where in the keyword these bytes stand: 0 or 1, or one before it.
    offset: i8,
    text: u32,
}

struct Text {
    bytes: Box<[u8]>,
    /// Whether its case matters.
    exact: bool,
}

/// A keyword that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeywordHit {
    /// The keyword's number, in the order that they were given in.
    pub(crate) keyword: usize,
    /// Its first byte.
    pub(crate) start: usize,
    /// The byte after its last.
    pub(crate) end: usize,
}

impl Keywords {
    /// Keywords of at least three bytes. One of less than five, or with an upper-case letter, is matched
    /// exactly, else in any case.
    pub(crate) fn new<'a>(keywords: impl IntoIterator<Item = &'a str>) -> Self {
        let text = |keyword: &str| Text {
            bytes: keyword.as_bytes().into(),
            exact: keyword.len() < LONG_BYTES || keyword.bytes().any(|b| b.is_ascii_uppercase()),
        };
        Self::of(keywords.into_iter().map(text).collect())
    }

    /// As [`Keywords::new`], but all are matched exactly.
    pub(crate) fn exact<'a>(keywords: impl IntoIterator<Item = &'a str>) -> Self {
        let text = |keyword: &str| Text { bytes: keyword.as_bytes().into(), exact: true };
        Self::of(keywords.into_iter().map(text).collect())
    }

    fn of(texts: Vec<Text>) -> Self {
        let (mut long, mut short) = (Vec::new(), Vec::new());
        for (text, Text { bytes, .. }) in (0..).zip(&texts) {
            debug_assert!(bytes.len() >= SHORT_BYTES, "a keyword is too short");
            if let [first, second, third, fourth, fifth, ..] = **bytes {
                long.push(Candidate { gram: four([first, second, third, fourth]), offset: 0, text });
                long.push(Candidate { gram: four([second, third, fourth, fifth]), offset: 1, text });
            } else {
                short_candidates(bytes, text, &mut short);
            }
        }
        Self { long: Index::new(long), short: Index::new(short), texts }
    }

    /// Calls `found` for every keyword that starts in the range, overlapping ones too, ordered by place
    /// to within a few bytes.
    pub(crate) fn search(&self, bytes: &[u8], range: Range<usize>, mut found: impl FnMut(KeywordHit)) {
        let mut at = range.start.saturating_sub(1);
        while let Some(eight) = bytes.get(at..at + 8).and_then(|eight| <[u8; 8]>::try_from(eight).ok()) {
            if at > range.end {
                return;
            }
            let eight = u64::from_le_bytes(eight);
            #[expect(clippy::cast_possible_truncation, reason = "the low half is what is meant")]
            let low = |eight: u64| eight as u32;
            let [first, second, third] = [low(eight), low(eight >> 16), low(eight >> 32)];
            let hits = self.has(first) | self.has(second) << 1 | self.has(third) << 2;
            if hits != 0 {
                for (bit, window) in [(0, first), (1, second), (2, third)] {
                    if hits >> bit & 1 != 0 {
                        self.compare(bytes, at + 2 * bit, window, &range, &mut found);
                    }
                }
            }
            at += STEP_BYTES;
        }
        // The last bytes, with nothing behind them.
        while at + 2 < bytes.len() && at <= range.end {
            let mut window = [0; 4];
            let length = (bytes.len() - at).min(4);
            window[..length].copy_from_slice(&bytes[at..at + length]);
            self.compare(bytes, at, u32::from_le_bytes(window), &range, &mut found);
            at += 2;
        }
        if at + 2 == bytes.len() {
            self.compare_tail(bytes, &range, &mut found);
        }
    }

    #[inline]
    fn has(&self, window: u32) -> u64 {
        self.long.has(window | FOLD) | self.short.has(window & THREE)
    }

    fn compare(&self, bytes: &[u8], at: usize, window: u32, range: &Range<usize>, found: &mut impl FnMut(KeywordHit)) {
        let (long, short) = (window | FOLD, window & THREE);
        for candidate in self.long.candidates(long).chain(self.short.candidates(short)) {
            if let Some(start) = at.checked_add_signed(-isize::from(candidate.offset)) {
                self.compare_one(bytes, start, candidate.text as usize, range, found);
            }
        }
    }

    /// Keywords of three bytes at the very end, which no position that was looked up covers.
    fn compare_tail(&self, bytes: &[u8], range: &Range<usize>, found: &mut impl FnMut(KeywordHit)) {
        let Some(start) = bytes.len().checked_sub(SHORT_BYTES) else { return };
        let mut window = [0; 4];
        window[..SHORT_BYTES].copy_from_slice(&bytes[start..]);
        for candidate in self.short.candidates(u32::from_le_bytes(window)) {
            let text = &self.texts[candidate.text as usize].bytes;
            if candidate.offset == 0 && text.len() == SHORT_BYTES && !tells_before(text) {
                self.compare_one(bytes, start, candidate.text as usize, range, found);
            }
        }
    }

    fn compare_one(
        &self,
        bytes: &[u8],
        start: usize,
        keyword: usize,
        range: &Range<usize>,
        found: &mut impl FnMut(KeywordHit),
    ) {
        let text = &self.texts[keyword];
        let end = start + text.bytes.len();
        let Some(seen) = bytes.get(start..end) else { return };
        let same = if text.exact { *seen == *text.bytes } else { seen.eq_ignore_ascii_case(&text.bytes) };
        if same && range.contains(&start) {
            found(KeywordHit { keyword, start, end });
        }
    }
}

impl<const WORDS: usize> Index<WORDS> {
    fn new(mut candidates: Vec<Candidate>) -> Self {
        let mut table = Box::new([0_u64; WORDS]);
        for candidate in &candidates {
            let (word, bit) = Self::place(candidate.gram);
            table[word] |= 1 << bit;
        }
        candidates.sort_by_key(|candidate| list_of(candidate.gram));
        let mut lists = vec![0_u32; (1 << LIST_BITS) + 1];
        for candidate in &candidates {
            lists[list_of(candidate.gram) + 1] += 1;
        }
        for at in 1..lists.len() {
            lists[at] += lists[at - 1];
        }
        Self { table, lists, candidates }
    }

    #[inline]
    fn has(&self, gram: u32) -> u64 {
        let (word, bit) = Self::place(gram);
        self.table[word] >> bit & 1
    }

    /// The word of the table, and the bit in it. The number of words is a power of two.
    #[inline]
    fn place(gram: u32) -> (usize, u32) {
        let hash = gram.wrapping_mul(0x9e37_79b1);
        ((hash >> 12) as usize & (WORDS - 1), hash >> 26)
    }

    fn candidates(&self, gram: u32) -> impl Iterator<Item = &Candidate> {
        let list = list_of(gram);
        let all = &self.candidates[self.lists[list] as usize..self.lists[list + 1] as usize];
        all.iter().filter(move |candidate| candidate.gram == gram)
    }
}

/// What three bytes may be where a keyword of three or four bytes stands.
fn short_candidates(bytes: &[u8], text: u32, candidates: &mut Vec<Candidate>) {
    let mut add = |three: [u8; 3], offset: i8| {
        candidates.push(Candidate { gram: u32::from_le_bytes([three[0], three[1], three[2], 0]), offset, text });
    };
    let [first, second, third] = [bytes[0], bytes[1], bytes[2]];
    add([first, second, third], 0);
    match bytes.get(3) {
        Some(fourth) => add([second, third, *fourth], 1),
        None if tells_before(bytes) => (0..=u8::MAX).for_each(|any| add([any, first, second], -1)),
        None => (0..=u8::MAX).for_each(|any| add([second, third, any], 1)),
    }
}

/// Of a keyword of three bytes: whether its first two bytes are rarer than its last two.
fn tells_before(keyword: &[u8]) -> bool {
    common(keyword[0]) < common(keyword[2])
}

/// How common a byte is in programs, roughly.
fn common(byte: u8) -> u32 {
    match byte {
        b' ' | b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' => 10,
        b'l' | b'h' | b'd' | b'c' | b'u' | b'/' | b'.' | b'"' => 6,
        b'm' | b'p' | b'f' | b'g' | b'w' | b'_' | b'-' | b':' => 4,
        b'y' | b'b' | b'v' | b'k' | b'+' | b'\'' => 3,
        _ => 1,
    }
}

fn four(bytes: [u8; 4]) -> u32 {
    u32::from_le_bytes(bytes) | FOLD
}

fn list_of(gram: u32) -> usize {
    (gram.wrapping_mul(0x85eb_ca6b) >> (32 - LIST_BITS)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: [&str; 8] = ["ghp_", "eyJ", "token", "AKIA", "://", "oke", "Token", "secret-access-key"];

    fn naive(bytes: &[u8]) -> Vec<(usize, usize)> {
        let lower = bytes.to_ascii_lowercase();
        let mut all = Vec::new();
        for (keyword, word) in WORDS.iter().enumerate() {
            let exact = word.len() < 5 || word.bytes().any(|b| b.is_ascii_uppercase());
            let text = if exact { bytes } else { &lower };
            all.extend((0..bytes.len()).filter(|at| text[*at..].starts_with(word.as_bytes())).map(|at| (at, keyword)));
        }
        all.sort_unstable();
        all
    }

    fn searched(bytes: &[u8], range: Range<usize>) -> Vec<(usize, usize)> {
        let mut all = Vec::new();
        Keywords::new(WORDS).search(bytes, range, |hit| all.push((hit.start, hit.keyword)));
        all.sort_unstable();
        all
    }

    #[test]
    fn every_keyword_is_found_once_at_every_position() {
        for word in [
            "oke",
            "okeyJ",
            "ghp_",
            "GHP_",
            "eyJ",
            "eyj",
            "ToKeN",
            "AKIA",
            "akia",
            "://",
            "broken",
            "Secret-Access-KEY",
        ] {
            for before in 0..20 {
                for after in 0..12 {
                    let text = format!("{}{word}{}", "x".repeat(before), "y".repeat(after));
                    assert_eq!(searched(text.as_bytes(), 0..text.len()), naive(text.as_bytes()), "{text}");
                }
            }
        }
    }

    #[test]
    fn exact_keywords_are_found_as_they_are_only() {
        let keywords = Keywords::exact(["token", "stratum+tcp://", "UPX!"]);
        let text = b"Token token TOKEN stratum+TCP:// stratum+tcp:// upx! UPX!";
        let mut all = Vec::new();
        keywords.search(text, 0..text.len(), |hit| all.push((hit.start, hit.keyword)));
        all.sort_unstable();
        assert_eq!(all, [(6, 0), (33, 1), (53, 2)]);
    }

    #[test]
    fn only_what_starts_in_the_range_is_found() {
        let text = b"token token token token eyJ eyJ";
        for from in 0..text.len() {
            for until in from..=text.len() {
                let expected: Vec<_> = naive(text).into_iter().filter(|(at, _)| (from..until).contains(at)).collect();
                assert_eq!(searched(text, from..until), expected, "{from}..{until}");
            }
        }
    }
}
