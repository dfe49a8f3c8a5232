//! A search for one word: what is known of a package is one number in an array over all of them, beside one bit
//! for each that has any, which costs less than what several words need to know of it.

use super::index::Index;
use super::plan::{Meant, Piece, Plan, Word};
use super::scratch::{Match, WEIGHTS};
use super::segment::{IMPACT, IN_TEXT};

/// The bits of a code that say where the text stands as a piece; the others are the rank of a weight.
const PLACES_BITS: u32 = 3;
const PLACES: u16 = (1 << PLACES_BITS) - 1;
/// Packages whose bits stand in one number.
const AT_ONCE: usize = 64;
/// The places are the highest bits of a posting.
const PLACES_SHIFT: u32 = IN_TEXT.trailing_zeros();

/// See above.
#[derive(Debug, Default)]
pub(super) struct Dense {
    /// For each package the rank of what it weighs, then where the text stands; 0 for nothing, as all are
    /// between searches.
    codes: Vec<u16>,
    /// A bit for each package that has a code.
    known: Vec<u64>,
    /// What each rank from 1 on weighs, in ascending order.
    weights: Vec<f32>,
}

/// What the code of a package becomes by a posting, for all postings of words that weigh alike.
struct Table {
    factor: f32,
    is_piece: bool,
    codes: [u16; 256],
}

impl Table {
    fn is_of(&self, meant: &Meant) -> bool {
        self.factor.to_bits() == meant.factor.to_bits() && self.is_piece == meant.is_piece
    }
}

impl Dense {
    /// The word of a plan that is answered so.
    pub(super) fn word(plan: &Plan) -> Option<(&Word, &[Vec<u32>])> {
        let [word] = &*plan.words else { return None };
        let pieces: &[Vec<u32>] = match &plan.piece {
            Piece::None => &[],
            Piece::Words(pieces) => pieces,
            Piece::At | Piece::Among(_) | Piece::Scan => return None,
        };
        Some((word, pieces))
    }

    /// Finds the packages that hold the word, or a word that it is a piece of.
    pub(super) fn carry_out(&mut self, index: &Index, word: &Word, pieces: &[Vec<u32>]) {
        self.codes.resize(index.slots(), 0);
        self.known.resize(index.slots().div_ceil(AT_ONCE), 0);
        self.rank(word);
        let mut tables: Vec<Table> = Vec::new();
        for (part, meant) in index.parts().iter().zip(&word.meant) {
            for meant in meant {
                let known = tables.iter().position(|t| t.is_of(meant));
                let at = known.unwrap_or_else(|| {
                    tables.push(self.table(meant));
                    tables.len() - 1
                });
                self.add(part, meant.number, &tables[at].codes);
            }
        }
        let places: [u16; 256] = std::array::from_fn(|posting| places(posting as u8));
        for (part, numbers) in index.parts().iter().zip(pieces) {
            numbers.iter().for_each(|number| self.add(part, *number, &places));
        }
    }

    /// Orders all that a package may weigh.
    fn rank(&mut self, word: &Word) {
        let mut factors: Vec<f32> = word.meant.iter().flatten().map(|meant| meant.factor).collect();
        factors.sort_by(f32::total_cmp);
        factors.dedup();
        self.weights.clear();
        self.weights.extend(factors.iter().flat_map(|factor| WEIGHTS[1..].iter().map(move |weight| factor * weight)));
        self.weights.sort_by(f32::total_cmp);
        self.weights.dedup();
    }

    fn table(&self, meant: &Meant) -> Table {
        let ranks: [u16; 32] = std::array::from_fn(|impact| match impact {
            0 => 0,
            _ => {
                let weight = meant.factor * WEIGHTS[impact];
                1 + self.weights.partition_point(|known| *known < weight) as u16
            }
        });
        let codes = std::array::from_fn(|posting| {
            let place = if meant.is_piece { places(posting as u8) } else { 0 };
            ranks[posting & usize::from(IMPACT)] << PLACES_BITS | place
        });
        Table { factor: meant.factor, is_piece: meant.is_piece, codes }
    }

    /// Of several words that are meant, the one that weighs most counts; places add up.
    fn add(&mut self, part: &super::index::Part, word: u32, table: &[u16; 256]) {
        let first = part.first as usize;
        part.segment.postings.each(word, |package, posting| {
            let at = first + package as usize;
            let (code, new) = (&mut self.codes[at], table[usize::from(posting)]);
            *code = (*code).max(new) & !PLACES | (*code | new) & PLACES;
            self.known[at / AT_ONCE] |= u64::from(new != 0) << (at % AT_ONCE);
        });
    }

    /// What was found, each package once, in ascending order.
    pub(super) fn matches(&self) -> impl Iterator<Item = Match> {
        let (mut word, mut bits) = (0, self.known.first().copied().unwrap_or(0));
        std::iter::from_fn(move || {
            while bits == 0 {
                word += 1;
                bits = *self.known.get(word)?;
            }
            let at = word * AT_ONCE + bits.trailing_zeros() as usize;
            bits &= bits - 1;
            Some(self.found(at))
        })
    }

    #[inline]
    fn found(&self, at: usize) -> Match {
        let code = self.codes[at];
        let rank = usize::from(code >> PLACES_BITS);
        Match {
            at: at as u32,
            weight: rank.checked_sub(1).map_or(0.0, |rank| self.weights[rank]),
            places: ((code & PLACES) as u8) << PLACES_SHIFT,
        }
    }

    /// Forgets what was found.
    pub(super) fn clear(&mut self) {
        for (known, codes) in self.known.iter_mut().zip(self.codes.chunks_mut(AT_ONCE)) {
            if *known != 0 {
                *known = 0;
                codes.fill(0);
            }
        }
    }
}

fn places(posting: u8) -> u16 {
    u16::from((posting & IN_TEXT) >> PLACES_SHIFT)
}
