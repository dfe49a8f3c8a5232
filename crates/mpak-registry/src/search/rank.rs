//! Which packages a query finds, how many, and the page of them that is wanted.
//!
//! A package is found when it holds all words of the query (as such, as a begin, as a form, with typos) or
//! the query as a piece of its name, display name or description. The whole answer is computed from arrays
//! over all packages that are kept between searches.

use std::cmp::Reverse;
use std::sync::{LazyLock, Mutex, PoisonError};

use memchr::memmem;

use super::document::{kind, weight_of};
use super::index::{Index, Part};
use super::plan::{Piece, Plan};
use super::segment::{IMPACT, IN_DISPLAY_NAME, IN_NAME, IN_TEXT};
use super::{Query, Sort};
use crate::counts::Lookup;

/// What each impact of a posting weighs.
static WEIGHTS: LazyLock<[f32; 32]> = LazyLock::new(|| std::array::from_fn(|impact| weight_of(impact as u8)));

/// So many texts are looked at without narrowing them down further.
const FEW: usize = 64;
/// Scratch arrays that are kept for the next search.
const SCRATCHES_MAX: usize = 4;

/// Where a package is: its segment and its number in it.
pub(super) type Place = (usize, u32);

/// What was found.
#[derive(Debug)]
pub(super) struct Ranked {
    /// The page, in order.
    pub(super) places: Vec<Place>,
    /// All that match.
    pub(super) total: usize,
}

/// Arrays over all packages of an index, all zero between searches.
#[derive(Debug, Default)]
struct Scratch {
    /// What the words that matched so far weigh.
    weights: Vec<f32>,
    /// What the word that is being looked at weighs.
    weight: Vec<f32>,
    /// How many words matched.
    matched: Vec<u8>,
    /// Where the text stands as a piece.
    places: Vec<u8>,
    /// Packages with anything in these arrays.
    touched: Vec<u32>,
    /// Packages that hold the word that is being looked at.
    held: Vec<u32>,
    /// How many of the lists of words that narrow a piece down hold a package; zero between pieces.
    narrowed: Vec<u8>,
}

/// Scratch arrays of searches that are done.
#[derive(Debug, Default)]
pub(super) struct Scratches(Mutex<Vec<Scratch>>);

impl Scratches {
    fn take(&self, count: usize) -> Scratch {
        let mut scratch = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        scratch.weights.resize(count, 0.0);
        scratch.weight.resize(count, 0.0);
        scratch.matched.resize(count, 0);
        scratch.places.resize(count, 0);
        scratch.narrowed.resize(count, 0);
        scratch
    }

    fn give_back(&self, mut scratch: Scratch) {
        scratch.clear();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < SCRATCHES_MAX {
            kept.push(scratch);
        }
    }
}

/// Carries out a plan.
pub(super) fn rank(index: &Index, plan: &Plan, query: &Query, counts: &Lookup<'_>, kept: &Scratches) -> Ranked {
    let chosen = Chosen::new(index, query, counts);
    if plan.text.is_empty() {
        let all = index.parts().iter().flat_map(|part| (0..part.segment.shelf.len()).map(move |n| (part, n)));
        return chosen.page(all.map(|(part, number)| (part.number, number, 0.0)));
    }
    let mut scratch = kept.take(index.slots());
    // 1. Packages that hold all words, or some where none holds all.
    scratch.match_words(index, plan, true);
    let wanted = plan.words.len();
    if plan.some_suffice && wanted > 1 && !scratch.touched.iter().any(|at| scratch.has_matched(*at, wanted)) {
        scratch.clear();
        scratch.match_words(index, plan, false);
        scratch.touched.iter().for_each(|at| scratch.matched[*at as usize] = wanted as u8);
    }
    // 2. Packages that hold the text.
    scratch.match_piece(index, plan);
    // 3. Those that are wanted, in order.
    let found = scratch.touched.iter().filter_map(|at| {
        let place = scratch.places[*at as usize];
        if place == 0 && !scratch.has_matched(*at, wanted) {
            return None;
        }
        let (part, number) = index.place(*at);
        let by_words = if scratch.has_matched(*at, wanted) { scratch.weights[*at as usize] } else { 0.0 };
        Some((part.number, number, by_words + piece_weight(part, number, place, &plan.text)))
    });
    let ranked = chosen.page(found);
    kept.give_back(scratch);
    ranked
}

impl Scratch {
    fn clear(&mut self) {
        for at in self.touched.drain(..) {
            let at = at as usize;
            (self.weights[at], self.matched[at], self.places[at]) = (0.0, 0, 0);
        }
    }

    fn has_matched(&self, at: u32, words_count: usize) -> bool {
        words_count > 0 && usize::from(self.matched[at as usize]) == words_count
    }

    /// Marks and weighs what holds each word; with `all`, only what held the words before is looked at.
    fn match_words(&mut self, index: &Index, plan: &Plan, all: bool) {
        let weights_of = &*WEIGHTS;
        for (before, word) in (0_u8..).zip(&plan.words) {
            let Self { weights, weight, matched, touched, held, .. } = self;
            for (part, meant) in index.parts().iter().zip(&word.meant) {
                for (number, factor) in meant {
                    part.segment.postings.each(*number, |package, posting| {
                        let at = (part.first + package) as usize;
                        if posting & IMPACT == 0 || (all && matched[at] != before) {
                            return;
                        }
                        if weight[at] == 0.0 {
                            held.push(at as u32);
                        }
                        weight[at] = weight[at].max(factor * weights_of[usize::from(posting & IMPACT)]);
                    });
                }
            }
            for at in held.drain(..) {
                let place = at as usize;
                if matched[place] == 0 && weights[place] == 0.0 {
                    touched.push(at);
                }
                weights[place] += weight[place];
                matched[place] += 1;
                weight[place] = 0.0;
            }
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
                            self.found_at((part.first + package) as usize, posting & IN_TEXT);
                        });
                    }
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
        let (mut all, mut first): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
        for (before, numbers) in (0_u8..).zip(lists) {
            if before > 0 && all.len() <= FEW {
                break;
            }
            all.clear();
            for number in numbers {
                part.segment.postings.each(*number, |package, posting| {
                    let held = &mut self.narrowed[package as usize];
                    if posting & IN_TEXT != 0 && *held == before {
                        *held += 1;
                        all.push(package);
                    }
                });
            }
            if before == 0 {
                first.clone_from(&all);
            }
        }
        for package in first {
            self.narrowed[package as usize] = 0;
        }
        all
    }

    fn look_at(&mut self, part: &Part, number: u32, finder: &memmem::Finder<'_>) {
        let text = part.segment.shelf.text(number);
        if let Some(at) = finder.find(text) {
            let parts_before = memchr::memchr_iter(0, &text[..at]).count();
            self.found_at((part.first + number) as usize, IN_NAME << parts_before.min(2));
        }
    }

    fn found_at(&mut self, at: usize, places: u8) {
        if places == 0 {
            return;
        }
        if self.places[at] == 0 && self.matched[at] == 0 {
            self.touched.push(at as u32);
        }
        self.places[at] |= places;
    }
}

/// What the text as a piece weighs: more in the name, most when it is the name.
fn piece_weight(part: &Part, number: u32, places: u8, text: &str) -> f32 {
    if places & IN_NAME != 0 {
        let name = part.segment.shelf.name(number);
        let base = name.rsplit(|byte| *byte == b'/').next().unwrap_or(name);
        return match text.as_bytes() {
            text if name == text => 1_000.0,
            text if base == text => 500.0,
            text if base.starts_with(text) => 40.0,
            _ => 20.0,
        };
    }
    match places {
        0 => 0.0,
        places if places & IN_DISPLAY_NAME != 0 => 10.0,
        _ => 2.0,
    }
}

/// Chooses and orders what was found.
struct Chosen<'a> {
    index: &'a Index,
    query: &'a Query,
    counts: &'a Lookup<'a>,
    kind: Option<u8>,
    sees_all: bool,
}

impl<'a> Chosen<'a> {
    fn new(index: &'a Index, query: &'a Query, counts: &'a Lookup<'a>) -> Self {
        Self {
            index,
            query,
            counts,
            kind: query.server_type.as_deref().map(kind),
            sees_all: query.reader.reads_everything(),
        }
    }

    fn is_wanted(&self, part: &Part, number: u32) -> bool {
        part.alive.is_alive(number)
            && self.kind.is_none_or(|kind| part.segment.shelf.kinds[number as usize] == kind)
            && (self.sees_all || self.may_read(part, number))
    }

    fn may_read(&self, part: &Part, number: u32) -> bool {
        std::str::from_utf8(part.segment.shelf.name(number)).is_ok_and(|name| self.query.reader.may_read(name))
    }

    /// What it is ordered by, largest first.
    fn key(&self, part: &Part, number: u32, weight: f32) -> u64 {
        let shelf = &part.segment.shelf;
        let downloads = || self.counts.package(shelf.package_ids[number as usize]);
        match self.query.sort {
            Sort::Relevance => u64::from(weight.to_bits()) << 32 | downloads().min(u64::from(u32::MAX)),
            Sort::Downloads => downloads(),
            Sort::Recent => shelf.created_at_ms[number as usize].cast_unsigned() ^ 1 << 63,
            Sort::Published => shelf.published_at_ms[number as usize].cast_unsigned() ^ 1 << 63,
            Sort::Name => 0,
        }
    }

    fn name(&self, (part, number): Place) -> &'a [u8] {
        self.index.parts()[part].segment.shelf.name(number)
    }

    /// Counts all and keeps the best that the page needs: never more than twice as many at once.
    fn page(&self, found: impl Iterator<Item = (usize, u32, f32)>) -> Ranked {
        let wanted = self.query.offset.saturating_add(self.query.limit).min(self.index.slots());
        let mut total = 0;
        let mut best: Vec<(u64, Place)> = Vec::with_capacity(wanted.min(1_000) * 2 + 1);
        let mut least = 0;
        for (part, number, weight) in found {
            let place = &self.index.parts()[part];
            if !self.is_wanted(place, number) {
                continue;
            }
            total += 1;
            // What cannot come first is not looked up.
            if self.query.sort == Sort::Relevance && u64::from(weight.to_bits()) < least >> 32 {
                continue;
            }
            let key = self.key(place, number, weight);
            if key < least {
                continue;
            }
            best.push((key, (part, number)));
            if best.len() > wanted * 2 + 64 {
                best.select_nth_unstable_by(wanted, |a, b| self.order(a, b));
                best.truncate(wanted + 1);
                least = best.last().map_or(0, |(key, _)| *key);
            }
        }
        best.sort_unstable_by(|a, b| self.order(a, b));
        let page = best.into_iter().skip(self.query.offset).take(self.query.limit);
        Ranked { places: page.map(|(_, place)| place).collect(), total }
    }

    /// The larger key first, then by name; packages of one segment are in the order of their names.
    fn order(&self, a: &(u64, Place), b: &(u64, Place)) -> std::cmp::Ordering {
        Reverse(a.0)
            .cmp(&Reverse(b.0))
            .then_with(|| if a.1.0 == b.1.0 { a.1.1.cmp(&b.1.1) } else { self.name(a.1).cmp(self.name(b.1)) })
    }
}
