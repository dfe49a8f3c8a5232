//! What a query asks of an index: for each of its words, the words of the lexicons that are meant and what
//! they weigh; for its text as a whole, how the packages that hold it as a piece are found.

use std::ops::Range;

use super::index::{Index, Part};
use super::lexicon::Lexicon;
use super::segment::Shelf;
use super::words::{WORD_BYTES_MAX, fold, stems, words};

/// Words of a query that are looked at.
const WORDS_MAX: usize = 12;
/// A word that is in fewer packages than this is looked for with typos, too.
const ENOUGH_COUNT: u64 = 10;
/// A text costs about as much to look through as so many postings cost to read.
const TEXT_COST: usize = 8;
/// What a match weighs beside one of the very word.
const EXACT: f32 = 1.0;
const STEM: f32 = 0.7;
const PREFIX: f32 = 0.5;
const TYPO: f32 = 0.2;

/// What a query asks of one index.
#[derive(Debug)]
pub(super) struct Plan {
    /// The trimmed query in lower case.
    pub(super) text: String,
    /// Those that are in the fewest packages first.
    pub(super) words: Vec<Word>,
    pub(super) piece: Piece,
    /// Where not all words are found together, some are enough.
    pub(super) some_suffice: bool,
    /// About how many postings will be read.
    pub(super) postings_count: u64,
}

/// A word of a query.
#[derive(Debug, Default)]
pub(super) struct Word {
    /// For each segment, the words that are meant.
    pub(super) meant: Vec<Vec<Meant>>,
    /// In how many packages they are, about.
    pub(super) postings_count: u64,
}

/// A word of a lexicon that is meant by one of a query.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meant {
    pub(super) number: u32,
    /// What it weighs.
    pub(super) factor: f32,
    /// It holds the whole text: where it stands as written, the text stands as a piece.
    pub(super) is_piece: bool,
}

/// How the packages are found whose name, display name or description holds the text.
#[derive(Debug)]
pub(super) enum Piece {
    /// There are none.
    None,
    /// By their words: for each segment, those that hold it.
    Words(Vec<Vec<u32>>),
    /// It begins with `@`, as few texts say it but names: by the order of names, and among those others by their text.
    At,
    /// Among those that hold for each of these at least one word (per segment), by their text.
    Among(Vec<Vec<Vec<u32>>>),
    /// Among all, by their text.
    Scan,
}

impl Plan {
    /// For a trimmed query in lower case.
    pub(super) fn new(text: &str, index: &Index) -> Self {
        let mut ranked: Vec<Word> = Vec::new();
        for (_, word) in words(text).take(WORDS_MAX) {
            let folded = fold(word);
            ranked.push(Word::new(folded.as_deref().unwrap_or(word), index));
        }
        ranked.sort_by_key(|word| word.postings_count);
        let (mut piece, mut piece_count) = Piece::new(text, index);
        if let (Piece::Words(words), [word]) = (&mut piece, &mut *ranked) {
            piece_count -= word.take_pieces(words, index);
        }
        Self {
            text: text.to_owned(),
            some_suffice: text.split_whitespace().count() > 1,
            postings_count: ranked.iter().map(|w| w.postings_count).sum::<u64>() + piece_count,
            words: ranked,
            piece,
        }
    }
}

/// The word of a part that is this one, and those that only begin so.
fn begun(part: &Part, word: &str) -> (Option<u32>, Range<u32>) {
    let lexicon = &part.segment.lexicon;
    let all = lexicon.prefixed(word);
    let itself = (!all.is_empty() && lexicon.word(all.start) == word.as_bytes()).then_some(all.start);
    (itself, all.start + u32::from(itself.is_some())..all.end)
}

impl Word {
    fn new(word: &str, index: &Index) -> Self {
        let mut found = Self { meant: vec![Vec::new(); index.parts().len()], postings_count: 0 };
        if word.len() > WORD_BYTES_MAX {
            return found;
        }
        // The word itself is the first of those that begin so.
        let (itself, longer): (Vec<_>, Vec<_>) = index.parts().iter().map(|part| begun(part, word)).unzip();
        let mut exact = found.add(index, EXACT, itself);
        if word.len() >= 2 {
            exact += found.add(index, PREFIX, longer);
        }
        let each = |give: &dyn Fn(&Lexicon) -> Vec<u32>| -> Vec<Vec<u32>> {
            index.parts().iter().map(|part| give(&part.segment.lexicon)).collect()
        };
        for stem in stems(word) {
            exact += found.add(index, STEM, each(&|lexicon| lexicon.find(&stem).into_iter().collect()));
        }
        if exact < ENOUGH_COUNT {
            found.add(index, TYPO, each(&|lexicon| lexicon.near(word)));
        }
        found
    }

    /// Adds words of each part, as rare as they are together; gives in how many packages they are.
    fn add<N: IntoIterator<Item = u32> + Clone>(&mut self, index: &Index, weight: f32, given: Vec<N>) -> u64 {
        let count = |(part, numbers): (&Part, &N)| {
            numbers.clone().into_iter().map(|n| u64::from(part.segment.postings.count(n))).sum::<u64>()
        };
        let together: u64 = index.parts().iter().zip(&given).map(count).sum();
        let rarity = rarity(together, index.len() as u64);
        for (meant, numbers) in self.meant.iter_mut().zip(given) {
            let factor = weight * rarity;
            meant.extend(numbers.into_iter().map(|number| Meant { number, factor, is_piece: false }));
        }
        self.postings_count += together;
        together
    }

    /// Takes the words over that are meant anyway, so that their postings are read once; gives in how many
    /// packages they are. They are in order.
    fn take_pieces(&mut self, words: &mut [Vec<u32>], index: &Index) -> u64 {
        let mut count = 0;
        for ((part, meant), pieces) in index.parts().iter().zip(&mut self.meant).zip(words) {
            let mut taken = Vec::new();
            for meant in meant {
                if pieces.binary_search(&meant.number).is_ok() {
                    meant.is_piece = true;
                    taken.push(meant.number);
                }
            }
            taken.sort_unstable();
            taken.dedup();
            count += taken.iter().map(|number| u64::from(part.segment.postings.count(*number))).sum::<u64>();
            pieces.retain(|number| taken.binary_search(number).is_err());
        }
        count
    }
}

/// How much a word says, as BM25 has it: little when most packages hold it.
#[expect(clippy::cast_precision_loss, reason = "the logarithm of a share forgives it")]
fn rarity(holding: u64, all: u64) -> f32 {
    let (holding, all) = (holding.min(all) as f32, all as f32);
    (1.0 + (all - holding + 0.5) / (holding + 0.5)).ln()
}

impl Piece {
    fn new(text: &str, index: &Index) -> (Self, u64) {
        if text.is_empty() || text.contains('\0') {
            return (Self::None, 0);
        }
        if text.starts_with('@') {
            let count = |shelf: &Shelf| shelf.named(text.as_bytes()).len() + shelf.say_at.len() * TEXT_COST;
            return (Self::At, index.parts().iter().map(|part| count(&part.segment.shelf) as u64).sum());
        }
        let all: Vec<(usize, &str)> = words(text).collect();
        let given = |give: &dyn Fn(&Lexicon) -> Vec<u32>| -> Vec<Vec<u32>> {
            index.parts().iter().map(|part| give(&part.segment.lexicon)).collect()
        };
        let count = |given: &[Vec<u32>]| -> u64 {
            let parts = index.parts().iter().zip(given);
            parts.flat_map(|(p, numbers)| numbers.iter().map(|n| u64::from(p.segment.postings.count(*n)))).sum()
        };
        let scan = (index.len() * TEXT_COST) as u64;
        let mut needed: Vec<(u64, Vec<Vec<u32>>)> = Vec::new();
        for (at, word) in all {
            // Where the text goes on beyond the word, the word ends there in what holds the text.
            let (begins, ends) = (at > 0, at + word.len() < text.len());
            let found = given(&|lexicon| match (begins, ends) {
                (true, true) => lexicon.find(word).into_iter().collect(),
                (true, false) => lexicon.prefixed(word).collect(),
                (false, true) => lexicon.ending(word),
                (false, false) => lexicon.containing(word),
            });
            needed.push((count(&found), found));
        }
        needed.sort_by_key(|(count, _)| *count);
        // The rarest two narrow it down enough for looking at the texts.
        needed.truncate(2);
        let sum = needed.iter().map(|(count, _)| count).sum();
        let is_word = text.chars().all(char::is_alphanumeric);
        let mut given = needed.into_iter().map(|(_, given)| given);
        match given.next() {
            None => (Self::Scan, scan),
            Some(_) if sum > scan => (Self::Scan, scan),
            Some(words) if is_word => (Self::Words(words), sum),
            Some(first) => (Self::Among(std::iter::once(first).chain(given).collect()), sum),
        }
    }
}
