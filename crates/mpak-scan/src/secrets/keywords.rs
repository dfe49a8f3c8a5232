//! Finds many keywords in one pass over bytes, with little work for each byte.
//!
//! Three neighbouring bytes, in lower case, are looked up at every second position in a table of bits that
//! fits the innermost cache. A keyword of four bytes or more stands there with the three bytes at its start
//! and the three after the first, so one of the two lies at a looked-up position; a shorter one stands there
//! with every byte that may follow. What the table lets through is compared in full.

use std::ops::Range;

/// Bits of the table's index.
const TABLE_BITS: u32 = 16;
/// Bits of the index of the lists of candidates.
const LIST_BITS: u32 = 13;
/// Bytes that are looked up together, at offsets 0, 2 and 4.
const STEP_BYTES: usize = 6;

/// Keywords, ready to be searched for.
pub(super) struct Keywords {
    /// One bit for every hash of three bytes that a keyword holds.
    table: Vec<u64>,
    /// Where the candidates of a hash begin in `candidates`.
    lists: Vec<u32>,
    candidates: Vec<Candidate>,
    texts: Vec<Text>,
}

struct Candidate {
    gram: u32,
    /// Where in the keyword these bytes stand: 0 or 1.
    offset: u8,
    text: u32,
}

struct Text {
    lower: Box<[u8]>,
    /// The keyword itself where its case matters.
    exact: Option<Box<[u8]>>,
}

/// A keyword that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeywordHit {
    /// The keyword's number, in the order that they were given in.
    pub(super) keyword: usize,
    /// Its first byte.
    pub(super) start: usize,
    /// The byte after its last.
    pub(super) end: usize,
}

impl Keywords {
    /// Keywords of at least three bytes; one with an upper-case letter is matched exactly, else in any case.
    pub(super) fn new<'a>(keywords: impl IntoIterator<Item = &'a str>) -> Self {
        let texts: Vec<Text> = keywords
            .into_iter()
            .map(|keyword| Text {
                lower: fold(keyword.as_bytes()),
                exact: keyword.bytes().any(|b| b.is_ascii_uppercase()).then(|| keyword.as_bytes().into()),
            })
            .collect();
        let mut candidates = Vec::new();
        for (text, Text { lower, .. }) in (0..).zip(&texts) {
            debug_assert!(lower.len() >= 3, "a keyword is too short");
            candidates.push(Candidate { gram: gram(lower[0], lower[1], lower[2]), offset: 0, text });
            match lower.get(3) {
                Some(&last) => candidates.push(Candidate { gram: gram(lower[1], lower[2], last), offset: 1, text }),
                // One position further the third byte is anything; the fold leaves half of all values.
                None => candidates.extend((0..=u8::MAX).filter(|any| any | 0x20 == *any).map(|any| Candidate {
                    gram: gram(lower[1], lower[2], any),
                    offset: 1,
                    text,
                })),
            }
        }
        let mut table = vec![0_u64; 1 << (TABLE_BITS - 6)];
        for candidate in &candidates {
            let bit = hash(candidate.gram) >> (32 - TABLE_BITS);
            table[(bit >> 6) as usize] |= 1 << (bit & 63);
        }
        candidates.sort_by_key(|candidate| list_of(candidate.gram));
        let mut lists = vec![0_u32; (1 << LIST_BITS) + 1];
        for candidate in &candidates {
            lists[list_of(candidate.gram) + 1] += 1;
        }
        for at in 1..lists.len() {
            lists[at] += lists[at - 1];
        }
        Self { table, lists, candidates, texts }
    }

    /// Calls `found` for every keyword that starts in the range, overlapping ones too, ordered by place
    /// to within a few bytes.
    pub(super) fn search(&self, bytes: &[u8], range: Range<usize>, mut found: impl FnMut(KeywordHit)) {
        let mut at = range.start.saturating_sub(1);
        let mut visit = |at: usize| self.compare(bytes, at, &range, &mut found);
        while let Some(eight) = bytes.get(at..at + 8).and_then(|eight| eight.first_chunk::<8>()) {
            if at > range.end {
                return;
            }
            let folded = u64::from_le_bytes(*eight) | 0x2020_2020_2020_2020;
            let [first, second, third] = [folded, folded >> 16, folded >> 32].map(|w| self.has((w & 0xff_ffff) as u32));
            if first | second | third != 0 {
                for (is, offset) in [(first, 0), (second, 2), (third, 4)] {
                    if is != 0 {
                        visit(at + offset);
                    }
                }
            }
            at += STEP_BYTES;
        }
        while at + 2 < bytes.len() && at <= range.end {
            visit(at);
            at += 2;
        }
        // A keyword may end on the very last byte, with nothing after its second and third.
        if at + 2 == bytes.len() {
            self.compare_tail(bytes, &range, &mut found);
        }
    }

    #[inline]
    fn has(&self, gram: u32) -> u64 {
        let bit = hash(gram) >> (32 - TABLE_BITS);
        self.table[(bit >> 6) as usize] >> (bit & 63) & 1
    }

    fn compare(&self, bytes: &[u8], at: usize, range: &Range<usize>, found: &mut impl FnMut(KeywordHit)) {
        let Some(three) = bytes.get(at..at + 3) else { return };
        let seen = gram(three[0], three[1], three[2]);
        let list = list_of(seen);
        for candidate in &self.candidates[self.lists[list] as usize..self.lists[list + 1] as usize] {
            if candidate.gram == seen
                && let Some(start) = at.checked_sub(usize::from(candidate.offset))
            {
                self.compare_one(bytes, start, candidate.text as usize, range, found);
            }
        }
    }

    /// Keywords of three bytes at the very end, which no position that was looked up covers.
    fn compare_tail(&self, bytes: &[u8], range: &Range<usize>, found: &mut impl FnMut(KeywordHit)) {
        let Some(start) = bytes.len().checked_sub(3) else { return };
        for (keyword, text) in self.texts.iter().enumerate() {
            if text.lower.len() == 3 {
                self.compare_one(bytes, start, keyword, range, found);
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
        let end = start + text.lower.len();
        let Some(seen) = bytes.get(start..end) else { return };
        let same = match &text.exact {
            Some(exact) => seen == exact.as_ref(),
            None => seen.eq_ignore_ascii_case(&text.lower),
        };
        if same && range.contains(&start) {
            found(KeywordHit { keyword, start, end });
        }
    }
}

/// Lower case for letters; what it does to other bytes does not matter, since it is only looked up.
fn fold(bytes: &[u8]) -> Box<[u8]> {
    bytes.to_ascii_lowercase().into()
}

fn gram(first: u8, second: u8, third: u8) -> u32 {
    u32::from_le_bytes([first | 0x20, second | 0x20, third | 0x20, 0])
}

#[inline]
fn hash(gram: u32) -> u32 {
    gram.wrapping_mul(0x9e37_79b1)
}

fn list_of(gram: u32) -> usize {
    (gram.wrapping_mul(0x85eb_ca6b) >> (32 - LIST_BITS)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: [&str; 6] = ["ghp_", "eyJ", "token", "AKIA", "://", "oke"];

    fn naive(bytes: &[u8]) -> Vec<(usize, usize)> {
        let lower = bytes.to_ascii_lowercase();
        let mut all = Vec::new();
        for (keyword, word) in WORDS.iter().enumerate() {
            let exact = word.bytes().any(|b| b.is_ascii_uppercase());
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
        for word in ["ghp_", "GHP_", "eyJ", "eyj", "ToKeN", "AKIA", "akia", "://", "broken"] {
            for before in 0..20 {
                for after in 0..12 {
                    let text = format!("{}{word}{}", "x".repeat(before), "y".repeat(after));
                    assert_eq!(searched(text.as_bytes(), 0..text.len()), naive(text.as_bytes()), "{text}");
                }
            }
        }
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
