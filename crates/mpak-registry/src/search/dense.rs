//! A search for one word that a large share of all packages hold: what is known of a package is one number in
//! an array over all of them, read from its begin to its end, which costs less than a list of those that match.

use super::index::Index;
use super::plan::{Meant, Piece, Plan, Word};
use super::scratch::{Match, WEIGHTS};
use super::segment::{IMPACT, IN_TEXT};

/// Where on average one of so many packages matches, going through all of them is quicker.
const SHARE: u64 = 16;
/// The bits of a code that say where the text stands as a piece; the others are the rank of a weight.
const PLACES_BITS: u32 = 3;
const PLACES: u16 = (1 << PLACES_BITS) - 1;
/// The places are the highest bits of a posting.
const PLACES_SHIFT: u32 = IN_TEXT.trailing_zeros();

/// See above.
#[derive(Debug, Default)]
pub(super) struct Dense {
    /// For each package the rank of what it weighs, then where the text stands; 0 for nothing.
    codes: Vec<u16>,
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
    pub(super) fn word<'a>(plan: &'a Plan, index: &Index) -> Option<(&'a Word, &'a [Vec<u32>])> {
        let [word] = &*plan.words else { return None };
        let pieces: &[Vec<u32>] = match &plan.piece {
            Piece::None => &[],
            Piece::Words(pieces) => pieces,
            Piece::Among(_) | Piece::Scan => return None,
        };
        (plan.postings_count * SHARE > index.slots() as u64).then_some((word, pieces))
    }

    /// Finds the packages that hold the word, or a word that it is a piece of.
    pub(super) fn carry_out(&mut self, index: &Index, word: &Word, pieces: &[Vec<u32>]) {
        self.codes.clear();
        self.codes.resize(index.slots(), 0);
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
        let codes = &mut self.codes[part.first as usize..][..part.segment.shelf.len() as usize];
        part.segment.postings.each(word, |package, posting| {
            let (code, new) = (&mut codes[package as usize], table[usize::from(posting)]);
            *code = (*code).max(new) & !PLACES | (*code | new) & PLACES;
        });
    }

    /// What was found, each package once.
    pub(super) fn matches(&self) -> impl Iterator<Item = Match> {
        let known = (0..).zip(&self.codes).filter(|(_, code)| **code != 0);
        known.map(|(at, code)| Match {
            at,
            weight: (code >> PLACES_BITS).checked_sub(1).map_or(0.0, |rank| self.weights[usize::from(rank)]),
            places: ((code & PLACES) as u8) << PLACES_SHIFT,
        })
    }
}

fn places(posting: u8) -> u16 {
    u16::from((posting & IN_TEXT) >> PLACES_SHIFT)
}
