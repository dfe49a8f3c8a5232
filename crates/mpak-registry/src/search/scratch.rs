//! What is known of each package while a query is answered: arrays over all packages that are kept between
//! searches.

use std::sync::{LazyLock, Mutex, PoisonError};

use memchr::memmem;

use super::dense::Dense;
use super::document::weight_of;
use super::index::{Index, Part};
use super::plan::{Meant, Piece, Plan, Word};
use super::segment::{IMPACT, IN_NAME, IN_TEXT};

/// What each impact of a posting weighs.
pub(super) static WEIGHTS: LazyLock<[f32; 32]> =
    LazyLock::new(|| std::array::from_fn(|impact| weight_of(impact as u8)));

/// So many texts are looked at without narrowing them down further.
const FEW: usize = 64;
/// Where one of so many postings is wanted, the others are jumped over.
const JUMP: usize = 16;
/// Scratch arrays that are kept for the next search.
const SCRATCHES_MAX: usize = 4;

/// A package that matches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Match {
    /// Its number among those of all parts.
    pub(super) at: u32,
    /// What the words weigh, if it holds them.
    pub(super) weight: f32,
    /// Where the text stands as a piece.
    pub(super) places: u8,
}

/// What is known of a package; nothing between searches.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// What the words that matched so far weigh.
    weights: f32,
    /// What the word that is being looked at weighs.
    weight: f32,
    /// How many words matched.
    matched: u8,
    /// Where the text stands as a piece.
    places: u8,
    /// It holds the word that is being looked at.
    is_held: bool,
    /// How many of the lists of words that narrow a piece down hold it; zero between pieces.
    narrowed: u8,
}

fn is_worth_jumping(candidates: &[u32], count: u32) -> bool {
    candidates.len().saturating_mul(JUMP) < count as usize
}

/// See above.
#[derive(Debug)]
pub(super) struct Scratch {
    /// What each impact of a posting weighs.
    weights: &'static [f32; 32],
    slots: Vec<Slot>,
    /// Packages of which anything is known.
    touched: Vec<u32>,
    /// Packages that hold the word that is being looked at; at the end, those that match by their words.
    held: Vec<u32>,
    /// Packages that hold the text as a piece.
    pieced: Vec<u32>,
    /// For one word, instead of all of these.
    pub(super) dense: Dense,
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            weights: &WEIGHTS,
            slots: Vec::new(),
            touched: Vec::new(),
            held: Vec::new(),
            pieced: Vec::new(),
            dense: Dense::default(),
        }
    }
}

/// Scratch arrays of searches that are done.
#[derive(Debug, Default)]
pub(super) struct Scratches(Mutex<Vec<Scratch>>);

impl Scratches {
    pub(super) fn take(&self, count: usize) -> Scratch {
        let mut scratch = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        scratch.slots.resize(count, Slot::default());
        scratch
    }

    pub(super) fn give_back(&self, mut scratch: Scratch) {
        scratch.clear();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < SCRATCHES_MAX {
            kept.push(scratch);
        }
    }
}

impl Scratch {
    fn clear(&mut self) {
        for at in self.touched.drain(..).chain(self.pieced.drain(..)) {
            self.slots[at as usize] = Slot::default();
        }
        self.held.clear();
        self.dense.clear();
    }

    /// Finds what a plan asks for.
    pub(super) fn carry_out(&mut self, index: &Index, plan: &Plan) {
        // 1. Packages that hold all words, or some where none holds all.
        for (before, word) in (0_u8..).zip(&plan.words) {
            self.match_all(index, word, before);
        }
        if plan.some_suffice && plan.words.len() > 1 && self.held.is_empty() {
            self.clear();
            plan.words.iter().for_each(|word| self.match_some(index, word));
            self.held.clone_from(&self.touched);
            self.held.iter().for_each(|at| self.slots[*at as usize].is_held = true);
        }
        // 2. Packages that hold the text.
        self.match_piece(index, plan);
    }

    /// What was found, each package once.
    pub(super) fn matches(&self) -> impl Iterator<Item = Match> {
        let by_words = self.held.iter().map(|at| {
            let slot = self.slots[*at as usize];
            Match { at: *at, weight: slot.weights, places: slot.places }
        });
        let by_piece = self.pieced.iter().filter_map(|at| {
            let slot = self.slots[*at as usize];
            (!slot.is_held).then_some(Match { at: *at, weight: 0.0, places: slot.places })
        });
        by_words.chain(by_piece)
    }

    /// Leaves of those that held all words before the ones that hold this one, too.
    fn match_all(&mut self, index: &Index, word: &Word, before: u8) {
        let candidates = std::mem::take(&mut self.held);
        for at in &candidates {
            self.slots[*at as usize].is_held = false;
        }
        if before == 0 {
            for (part, meant) in index.parts().iter().zip(&word.meant) {
                meant.iter().for_each(|meant| self.weigh_each(part, meant));
            }
        } else if !candidates.is_empty() {
            self.weigh_candidates(index, word, candidates, before);
        }
        self.add_weights();
    }

    /// Those among the packages that held so many words before.
    fn weigh_candidates(&mut self, index: &Index, word: &Word, mut candidates: Vec<u32>, before: u8) {
        candidates.sort_unstable();
        for (part, meant) in index.parts().iter().zip(&word.meant) {
            let from = candidates.partition_point(|at| *at < part.first);
            let to = candidates.partition_point(|at| *at < part.first + part.segment.shelf.len());
            let (own, postings) = (&candidates[from..to], &part.segment.postings);
            for Meant { number, factor, .. } in meant {
                if is_worth_jumping(own, postings.count(*number)) {
                    let own = own.iter().map(|at| at - part.first);
                    postings.each_of(*number, own, |package, posting| {
                        self.weigh(part.first + package, *factor, posting);
                    });
                } else {
                    postings.each(*number, |package, posting| {
                        let at = part.first + package;
                        if self.slots[at as usize].matched == before {
                            self.weigh(at, *factor, posting);
                        }
                    });
                }
            }
        }
    }

    fn weigh_each(&mut self, part: &Part, meant: &Meant) {
        let (factor, is_piece) = (meant.factor, meant.is_piece);
        part.segment.postings.each(meant.number, |package, posting| {
            let at = part.first + package;
            if is_piece {
                self.found_at(at, posting & IN_TEXT);
            }
            self.weigh(at, factor, posting);
        });
    }

    /// Of several words that are meant, the one that weighs most counts.
    #[inline]
    fn weigh(&mut self, at: u32, factor: f32, posting: u8) {
        if posting & IMPACT == 0 {
            return;
        }
        let slot = &mut self.slots[at as usize];
        if !slot.is_held {
            slot.is_held = true;
            self.held.push(at);
        }
        slot.weight = slot.weight.max(factor * self.weights[usize::from(posting & IMPACT)]);
    }

    fn match_some(&mut self, index: &Index, word: &Word) {
        for (part, meant) in index.parts().iter().zip(&word.meant) {
            meant.iter().for_each(|meant| self.weigh_each(part, meant));
        }
        self.add_weights();
        let held = std::mem::take(&mut self.held);
        held.iter().for_each(|at| self.slots[*at as usize].is_held = false);
    }

    /// Adds what the word that was looked at weighs in the packages that hold it.
    fn add_weights(&mut self) {
        for at in &self.held {
            let slot = &mut self.slots[*at as usize];
            if slot.matched == 0 {
                self.touched.push(*at);
            }
            slot.weights += slot.weight;
            slot.matched += 1;
            slot.weight = 0.0;
        }
    }

    /// Marks where the text stands.
    fn match_piece(&mut self, index: &Index, plan: &Plan) {
        match &plan.piece {
            Piece::None => {}
            Piece::Words(words) => {
                for (part, numbers) in index.parts().iter().zip(words) {
                    for number in numbers {
                        part.segment.postings.each(*number, |package, posting| {
                            self.found_at(part.first + package, posting & IN_TEXT);
                        });
                    }
                }
            }
            Piece::At => {
                let finder = memmem::Finder::new(plan.text.as_bytes());
                for part in index.parts() {
                    let shelf = &part.segment.shelf;
                    let named = shelf.named(plan.text.as_bytes());
                    let others = shelf.say_at.iter().filter(|number| !named.contains(number));
                    others.for_each(|number| self.look_at(part, *number, &finder));
                    named.for_each(|number| self.found_at(part.first + number, IN_NAME));
                }
            }
            Piece::Among(needed) => {
                let finder = memmem::Finder::new(plan.text.as_bytes());
                for (place, part) in index.parts().iter().enumerate() {
                    for number in self.holding_all(part, needed.iter().map(|n| n[place].as_slice())) {
                        self.look_at(part, number, &finder);
                    }
                }
            }
            Piece::Scan => {
                let finder = memmem::Finder::new(plan.text.as_bytes());
                for part in index.parts() {
                    (0..part.segment.shelf.len()).for_each(|number| self.look_at(part, number, &finder));
                }
            }
        }
    }

    /// The packages of a part that hold, as written, one word of each list.
    fn holding_all<'a>(&mut self, part: &Part, lists: impl Iterator<Item = &'a [u32]>) -> Vec<u32> {
        let postings = &part.segment.postings;
        let (mut all, mut first): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
        for (before, numbers) in (0_u8..).zip(lists) {
            if before > 0 && all.len() <= FEW {
                break;
            }
            let mut candidates = std::mem::take(&mut all);
            candidates.sort_unstable();
            let mut hold = |package: u32, posting: u8| {
                let held = &mut self.slots[package as usize].narrowed;
                if posting & IN_TEXT != 0 && *held == before {
                    *held += 1;
                    all.push(package);
                }
            };
            for number in numbers {
                if before > 0 && is_worth_jumping(&candidates, postings.count(*number)) {
                    postings.each_of(*number, candidates.iter().copied(), &mut hold);
                } else {
                    postings.each(*number, &mut hold);
                }
            }
            if before == 0 {
                first.clone_from(&all);
            }
        }
        for package in first {
            self.slots[package as usize].narrowed = 0;
        }
        all
    }

    fn look_at(&mut self, part: &Part, number: u32, finder: &memmem::Finder<'_>) {
        let text = part.segment.shelf.text(number);
        if let Some(at) = finder.find(text) {
            let parts_before = memchr::memchr_iter(0, &text[..at]).count();
            self.found_at(part.first + number, IN_NAME << parts_before.min(2));
        }
    }

    #[inline]
    fn found_at(&mut self, at: u32, places: u8) {
        if places == 0 {
            return;
        }
        let slot = &mut self.slots[at as usize];
        if slot.places == 0 {
            self.pieced.push(at);
        }
        slot.places |= places;
    }
}
