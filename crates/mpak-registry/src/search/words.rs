//! Words: how texts and queries are cut into them, and what counts as the same word.
//!
//! A word is a run of letters and digits, in lower case. Ranking also knows it without accents, by the
//! parts of a camel-cased name, and by its likely stem; the piece of text that existing clients search for
//! is compared with the words as written.

use std::ops::RangeInclusive;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Longest word that is ranked, in bytes; a text's own words are kept at any length, so that a piece of
/// one is found.
pub(super) const WORD_BYTES_MAX: usize = 64;

/// The words of a lower-case text, with where each begins.
pub(super) fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = text;
    let mut at = 0;
    std::iter::from_fn(move || {
        let begin = rest.find(char::is_alphanumeric)?;
        let tail = &rest[begin..];
        let bytes = tail.find(|c: char| !c.is_alphanumeric()).unwrap_or(tail.len());
        let found = (at + begin, &tail[..bytes]);
        at += begin + bytes;
        rest = &tail[bytes..];
        Some(found)
    })
}

/// A lower-case word without accents; `None` when it has none.
pub(super) fn fold(word: &str) -> Option<String> {
    if word.is_ascii() {
        return None;
    }
    let mut folded = String::with_capacity(word.len());
    for c in word.nfkd().filter(|c| !is_combining_mark(*c)) {
        match c {
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            'đ' => folded.push('d'),
            c => folded.push(c),
        }
    }
    (folded != word && !folded.is_empty()).then_some(folded)
}

/// The parts of camel-cased words, in lower case: `getCurrentTime` is also found by `current`.
pub(super) fn camel_parts(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    for (_, word) in words(text) {
        let mut part = String::new();
        let (mut before, whole) = (' ', word.to_lowercase());
        for c in word.chars() {
            if c.is_uppercase() && before.is_lowercase() && !part.is_empty() {
                parts.push(std::mem::take(&mut part));
            }
            part.extend(c.to_lowercase());
            before = c;
        }
        if part != whole && !part.is_empty() {
            parts.push(part);
        }
    }
    parts
}

/// What an English word is likely a form of: `queries` of `query`, `sprockets` of `sprocket`. The other way
/// round, a word finds its forms as their prefix.
pub(super) fn stems(word: &str) -> Vec<String> {
    let mut stems = Vec::new();
    for (ending, instead) in [("ies", "y"), ("es", ""), ("s", ""), ("ing", ""), ("ed", "")] {
        if let Some(stem) = word.strip_suffix(ending)
            && stem.len() >= 3
        {
            stems.push(format!("{stem}{instead}"));
        }
    }
    stems
}

/// Typos that are forgiven in a word of so many letters.
pub(super) fn typos_max(chars_count: usize) -> usize {
    match chars_count {
        0..=3 => 0,
        4..=7 => 1,
        _ => 2,
    }
}

/// Longest word in which typos are forgiven, in letters.
pub(super) const NEAR_CHARS_MAX: usize = 32;

/// A word that others are compared with, to find those it may be a misspelling of.
pub(super) struct Typed {
    chars: Vec<char>,
    typos_max: usize,
    /// For each ASCII character the places where it stands, if the word is ASCII.
    places: Option<[u32; 128]>,
}

impl Typed {
    /// Nothing for words in which no typos are forgiven. What differs from a number is another number.
    pub(super) fn new(word: &str) -> Option<Self> {
        let chars: Vec<char> = word.chars().collect();
        let typos_max = typos_max(chars.len());
        if typos_max == 0 || chars.len() > NEAR_CHARS_MAX || chars.iter().any(char::is_ascii_digit) {
            return None;
        }
        let places = word.is_ascii().then(|| {
            let mut places = [0_u32; 128];
            word.bytes().enumerate().for_each(|(place, byte)| places[usize::from(byte)] |= 1 << place);
            places
        });
        Some(Self { chars, typos_max, places })
    }

    /// The numbers of letters that near words may have, and the typos that are forgiven.
    pub(super) fn lengths(&self) -> (RangeInclusive<usize>, usize) {
        let most = (self.chars.len() + self.typos_max).min(NEAR_CHARS_MAX);
        (self.chars.len() - self.typos_max..=most, self.typos_max)
    }

    /// See [`is_near`]; for words of UTF-8 as long as [`Typed::lengths`] says.
    pub(super) fn is_near(&self, other: &[u8]) -> bool {
        match &self.places {
            Some(places) if other.is_ascii() => self.distance(places, other) <= self.typos_max,
            _ => std::str::from_utf8(other)
                .is_ok_and(|other| is_near(&self.chars, &other.chars().collect::<Vec<_>>(), self.typos_max)),
        }
    }

    /// The number of typos between words of ASCII letters: a column of the table of distances in two words of bits
    /// (H. Hyyrö, A bit-vector algorithm for computing Levenshtein and Damerau edit distances, 2003).
    fn distance(&self, places: &[u32; 128], other: &[u8]) -> usize {
        let (mut rises, mut falls) = (u32::MAX, 0_u32);
        let (mut same, mut here_before) = (0_u32, 0_u32);
        let mut distance = self.chars.len();
        let last = 1_u32 << (distance - 1);
        for byte in other {
            let here = places[usize::from(*byte)];
            let swapped = ((!same & here) << 1) & here_before;
            same = (((here & rises).wrapping_add(rises)) ^ rises) | here | falls | swapped;
            let (up, down) = (falls | !(same | rises), same & rises);
            distance = distance + usize::from(up & last != 0) - usize::from(down & last != 0);
            let up = up << 1 | 1;
            rises = down << 1 | !(same | up);
            falls = up & same;
            here_before = here;
        }
        distance
    }
}

/// Whether one word becomes the other by at most so many inserted, left out, changed or swapped letters.
/// Longer words than [`NEAR_CHARS_MAX`] are not near any.
fn is_near(a: &[char], b: &[char], typos_max: usize) -> bool {
    if a.len().abs_diff(b.len()) > typos_max || a.len().max(b.len()) > NEAR_CHARS_MAX {
        return false;
    }
    // Three rows of the table of distances.
    let mut rows = [[0_u8; NEAR_CHARS_MAX + 1]; 3];
    for (j, distance) in (0_u8..).zip(&mut rows[0][..=b.len()]) {
        *distance = j;
    }
    for i in 1..=a.len() {
        let (now, last, before_last) = (i % 3, (i + 2) % 3, (i + 1) % 3);
        rows[now][0] = i as u8;
        let mut least = rows[now][0];
        for j in 1..=b.len() {
            let changed = rows[last][j - 1] + u8::from(a[i - 1] != b[j - 1]);
            let mut best = changed.min(rows[last][j] + 1).min(rows[now][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[before_last][j - 2] + 1);
            }
            rows[now][j] = best;
            least = least.min(best);
        }
        if usize::from(least) > typos_max {
            return false;
        }
    }
    usize::from(rows[a.len() % 3][b.len()]) <= typos_max
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::words::Random;

    #[test]
    fn words_are_runs_of_letters_and_digits() {
        let found: Vec<_> = words("@acme/read_file, 100% año!").collect();
        assert_eq!(found, [(1, "acme"), (6, "read"), (11, "file"), (17, "100"), (22, "año")]);
        assert_eq!(words("%% -").count(), 0);
    }

    #[test]
    fn accents_are_folded() {
        assert_eq!(fold("résumé").as_deref(), Some("resume"));
        assert_eq!(fold("straße").as_deref(), Some("strasse"));
        assert_eq!(fold("plain"), None);
        assert_eq!(fold("日本"), None);
    }

    #[test]
    fn camel_case_is_split() {
        assert_eq!(camel_parts("getCurrentTime read_file"), ["get", "current", "time"]);
        assert!(camel_parts("echo").is_empty());
    }

    #[test]
    fn forms_lead_to_their_stem() {
        assert!(stems("queries").contains(&"query".to_owned()));
        assert!(stems("sprockets").contains(&"sprocket".to_owned()));
        assert!(stems("searching").contains(&"search".to_owned()));
        assert!(stems("is").is_empty());
    }

    #[test]
    fn near_words_are_found_by_each_kind_of_typo() {
        let near =
            |a: &str, b: &str, typos| is_near(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>(), typos);
        for typo in ["widgte", "widgt", "widgeet", "wadget", "widget"] {
            assert!(near(typo, "widget", 1), "{typo}");
        }
        assert!(!near("gadget", "widget", 1) && near("gadget", "widget", 2));
        assert!(!near("wi", "widget", 2) && !near("tegdiw", "widget", 2));
    }

    #[test]
    fn the_number_of_typos_in_bits_is_that_of_the_table() {
        let mut random = Random::new(1, 11);
        let mut near = [0; 2];
        for _ in 0..20_000 {
            let count = 4 + random.below(24);
            let word: String = (0..count).map(|_| ['a', 'b', 'c', 'z'][random.below(4) as usize]).collect();
            let mut other: Vec<char> = word.chars().collect();
            for _ in 0..random.below(5) {
                let at = random.below(other.len() as u64) as usize;
                match random.below(4) {
                    0 => other.insert(at, 'a'),
                    1 if other.len() > 1 => drop(other.remove(at)),
                    2 if at > 0 => other.swap(at, at - 1),
                    _ => other[at] = ['b', 'é'][random.below(2) as usize],
                }
            }
            let typed = Typed::new(&word).unwrap();
            let expected = is_near(&typed.chars, &other, typed.typos_max);
            assert_eq!(typed.is_near(other.iter().collect::<String>().as_bytes()), expected, "{word} {other:?}");
            near[usize::from(expected)] += 1;
        }
        assert!(near[0] > 4_000 && near[1] > 4_000, "{near:?}");
    }
}
