//! The lexicon of a segment: its words in order, and how to get from what somebody typed to the words
//! that are meant: exactly, by their begin, by a piece of them, with typos.

use std::ops::Range;

use memchr::memmem;

use super::words::{NEAR_CHARS_MAX, Typed};

/// Most words that a typo leads to.
const NEAR_WORDS_MAX: usize = 64;

/// The words of a segment. A word's number is its place in byte order.
#[derive(Debug, Default)]
pub(super) struct Lexicon {
    /// All words, each followed by a newline (which no word holds).
    text: Vec<u8>,
    /// Where each word begins; one more for the end.
    at: Vec<u32>,
    grams: Grams,
    /// By their number of letters, the words in which typos are looked for.
    by_length: Vec<Alike>,
}

/// Words of one length, those of like letters together.
#[derive(Debug, Default)]
struct Alike {
    /// The letters of each as bits, in which most words that are not near differ.
    letters: Vec<u32>,
    words: Vec<u32>,
    /// The letters that all of so many words in a row hold, and those that any of them holds.
    shared: Vec<(u32, u32)>,
}

/// Words that are compared with another at once.
const AT_ONCE: usize = 64;

impl Alike {
    /// From words with their letters.
    fn new(mut words: Vec<(u32, u32)>) -> Self {
        words.sort_unstable();
        let (letters, words): (Vec<u32>, Vec<u32>) = words.into_iter().unzip();
        let shared =
            letters.chunks(AT_ONCE).map(|some| some.iter().fold((u32::MAX, 0), |(all, any), l| (all & l, any | l)));
        Self { shared: shared.collect(), letters, words }
    }

    /// The words whose letters are these but for so many that they have more or less.
    fn candidates(&self, own: u32, typos: usize) -> impl Iterator<Item = u32> {
        let may_hold =
            move |(all, any): &(u32, u32)| without_lowest(all & !own, typos) | without_lowest(own & !any, typos) == 0;
        let chunks = self.letters.chunks(AT_ONCE).zip(self.words.chunks(AT_ONCE)).zip(&self.shared);
        let chunks = chunks.filter(move |(_, shared)| may_hold(shared)).map(|(chunk, _)| chunk);
        chunks.flat_map(move |(letters, words)| {
            // Without a branch for each, so that the compiler takes several at once.
            let mut differ = [0_u32; AT_ONCE];
            let mut least = u32::MAX;
            for (differ, letters) in differ.iter_mut().zip(letters) {
                *differ = without_lowest(letters & !own, typos) | without_lowest(own & !letters, typos);
                least = least.min(*differ);
            }
            let words = if least == 0 { words } else { &[] };
            words.iter().zip(differ).filter(|(_, differ)| *differ == 0).map(|(word, _)| *word)
        })
    }
}

/// Clears so many of the lowest bits, up to two.
fn without_lowest(bits: u32, count: usize) -> u32 {
    let fewer = bits & bits.wrapping_sub(1);
    if count < 2 { fewer } else { fewer & fewer.wrapping_sub(1) }
}

impl Lexicon {
    /// From words in ascending byte order, each once.
    pub(super) fn new<'a>(words: impl Iterator<Item = &'a [u8]>) -> Self {
        let (mut text, mut at) = (Vec::new(), vec![0]);
        for word in words {
            text.extend_from_slice(word);
            text.push(b'\n');
            at.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
        }
        Self::from_parts(text, at)
    }

    /// From what [`Lexicon::parts`] gave.
    pub(super) fn from_parts(text: Vec<u8>, at: Vec<u32>) -> Self {
        let mut lexicon = Self { text, at, ..Self::default() };
        let mut by_length = vec![Vec::new(); NEAR_CHARS_MAX + 1];
        for number in 0..lexicon.len() {
            let word = lexicon.word(number);
            let count = word.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
            // What differs from a number is another number.
            if count <= NEAR_CHARS_MAX && !word.iter().any(u8::is_ascii_digit) {
                by_length[count].push((letters(word), number));
            }
        }
        lexicon.by_length = by_length.into_iter().map(Alike::new).collect();
        lexicon.grams = Grams::new(&lexicon);
        lexicon
    }

    /// What has to be kept of it.
    pub(super) fn parts(&self) -> (&[u8], &[u32]) {
        (&self.text, &self.at)
    }

    /// Number of words.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.at.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// A word by its number.
    pub(super) fn word(&self, number: u32) -> &[u8] {
        let number = number as usize;
        &self.text[self.at[number] as usize..self.at[number + 1] as usize - 1]
    }

    /// The number of a word.
    pub(super) fn find(&self, word: &str) -> Option<u32> {
        let at = self.first_from(word.as_bytes());
        (at < self.len() && self.word(at) == word.as_bytes()).then_some(at)
    }

    /// The words that begin so.
    pub(super) fn prefixed(&self, begin: &str) -> Range<u32> {
        let from = self.first_from(begin.as_bytes());
        let begins = |number: u32| self.word(number).starts_with(begin.as_bytes());
        // Most begins are those of few words, which stand together: from there in growing steps.
        let (mut low, mut high, mut step) = (from, self.len(), 1);
        while low < high && step < high - low {
            if !begins(low + step - 1) {
                high = low + step - 1;
                break;
            }
            low += step;
            step *= 2;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if begins(middle) { low = middle + 1 } else { high = middle }
        }
        from..low
    }

    /// The first word that is not before this one.
    fn first_from(&self, word: &[u8]) -> u32 {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.word(middle) < word { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// The words that hold this piece, in order.
    pub(super) fn containing(&self, piece: &str) -> Vec<u32> {
        let piece = piece.as_bytes();
        if piece.len() < 3 {
            let mut found: Vec<u32> = memmem::find_iter(&self.text, piece).map(|at| self.number_at(at)).collect();
            found.dedup();
            return found;
        }
        let candidates = self.grams.rarest(piece).iter().copied();
        candidates.filter(|number| holds(self.word(*number), piece)).collect()
    }

    /// The words that end so, in order.
    pub(super) fn ending(&self, end: &str) -> Vec<u32> {
        let candidates = if end.len() < 3 { self.containing(end) } else { self.grams.rarest(end.as_bytes()).to_vec() };
        let ends = |number: &u32| self.word(*number).ends_with(end.as_bytes());
        candidates.into_iter().filter(ends).collect()
    }

    /// The word that stands at this place of the text.
    fn number_at(&self, place: usize) -> u32 {
        let after = self.at.partition_point(|at| *at as usize <= place);
        u32::try_from(after.saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// The words that this one may be a misspelling of.
    pub(super) fn near(&self, word: &str) -> Vec<u32> {
        let Some(typed) = Typed::new(word) else { return Vec::new() };
        let own = letters(word.as_bytes());
        let (lengths, typos_max) = typed.lengths();
        // A typo brings at most one letter and takes at most one away.
        let alike = lengths.filter_map(|length| self.by_length.get(length));
        let candidates = alike.flat_map(|alike| alike.candidates(own, typos_max));
        let is_near = |number: &u32| typed.is_near(self.word(*number));
        candidates.filter(is_near).take(NEAR_WORDS_MAX).collect()
    }
}

/// Whether a word holds a piece. Words are short: a search that is made ready first costs more than it saves.
fn holds(word: &[u8], piece: &[u8]) -> bool {
    word.windows(piece.len()).any(|window| window[0] == piece[0] && window == piece)
}

/// One bit for each letter that occurs, the others sharing six.
fn letters(word: &[u8]) -> u32 {
    word.iter().fold(0, |bits, byte| {
        bits | match byte {
            b'a'..=b'z' => 1 << (byte - b'a'),
            other => 1 << (26 + other % 6),
        }
    })
}

/// For every three bytes in a row, the words that hold them.
#[derive(Debug, Default)]
struct Grams {
    /// In order.
    keys: Vec<u32>,
    /// Where the list of each begins in `words`; one more for the end.
    at: Vec<u32>,
    words: Vec<u32>,
}

impl Grams {
    fn new(lexicon: &Lexicon) -> Self {
        let mut pairs: Vec<u64> = Vec::with_capacity(lexicon.text.len());
        for number in 0..lexicon.len() {
            pairs.extend(lexicon.word(number).windows(3).map(|gram| u64::from(key(gram)) << 32 | u64::from(number)));
        }
        pairs.sort_unstable();
        pairs.dedup();
        let mut grams = Self::default();
        for (place, pair) in (0..).zip(&pairs) {
            let key = (pair >> 32) as u32;
            if grams.keys.last() != Some(&key) {
                grams.keys.push(key);
                grams.at.push(place);
            }
            grams.words.push(*pair as u32);
        }
        grams.at.push(u32::try_from(grams.words.len()).unwrap_or(u32::MAX));
        grams
    }

    /// The shortest list of any three bytes in a row of this piece; it has at least three.
    fn rarest(&self, piece: &[u8]) -> &[u32] {
        let lists = piece.windows(3).map(|gram| match self.keys.binary_search(&key(gram)) {
            Ok(place) => &self.words[self.at[place] as usize..self.at[place + 1] as usize],
            Err(_) => &[],
        });
        lists.min_by_key(|list| list.len()).unwrap_or_default()
    }
}

fn key(gram: &[u8]) -> u32 {
    gram.iter().fold(0, |key, byte| key << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lexicon: &Lexicon, numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
        numbers.into_iter().map(|n| String::from_utf8(lexicon.word(n).to_vec()).unwrap()).collect()
    }

    #[test]
    fn words_are_found_exactly_by_begin_by_piece_and_with_typos() {
        let lexicon = Lexicon::new({
            let mut words = ["100", "gadget", "widget", "widgets", "wien", "año"];
            words.sort_unstable();
            words.map(str::as_bytes).into_iter()
        });
        assert_eq!(told(&lexicon, lexicon.find("widget")), ["widget"]);
        assert_eq!(lexicon.find("widge"), None);
        assert_eq!(told(&lexicon, lexicon.prefixed("wi")), ["widget", "widgets", "wien"]);
        assert_eq!(lexicon.prefixed("zz").len(), 0);
        assert_eq!(told(&lexicon, lexicon.containing("dget")), ["gadget", "widget", "widgets"]);
        assert_eq!(told(&lexicon, lexicon.containing("e")), ["gadget", "widget", "widgets", "wien"]);
        assert_eq!(told(&lexicon, lexicon.containing("ñ")), ["año"]);
        assert_eq!(told(&lexicon, lexicon.ending("dget")), ["gadget", "widget"]);
        assert_eq!(told(&lexicon, lexicon.ending("en")), ["wien"]);
        assert_eq!(lexicon.ending("gadgets"), Vec::<u32>::new());
        assert_eq!(told(&lexicon, lexicon.near("widgte")), ["widget"]);
        assert_eq!(told(&lexicon, lexicon.near("wid")), Vec::<String>::new());
    }

    #[test]
    fn an_empty_lexicon_holds_nothing() {
        let lexicon = Lexicon::new(std::iter::empty());
        assert_eq!((lexicon.len(), lexicon.find("a"), lexicon.prefixed("").len()), (0, None, 0));
        assert!(lexicon.containing("abc").is_empty() && lexicon.near("abcde").is_empty());
    }
}
