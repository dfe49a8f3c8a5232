//! Which packages a query finds, how many, and the page of them that is wanted.
//!
//! A package is found when it holds all words of the query (as such, as a begin, as a form, with typos) or
//! the query as a piece of its name, display name or description; `scratch` finds which. Here they are counted
//! and ordered, of which only what the page needs is looked at closely.

use super::dense::Dense;
use super::document::kind;
use super::index::{Index, Part};
use super::plan::Plan;
use super::scratch::{Match, Scratches};
use super::segment::{IN_DISPLAY_NAME, IN_NAME};
use super::{Query, Sort};
use crate::counts::Lookup;

/// What a text weighs that is the name of a package.
const WHOLE_NAME: f32 = 1_000.0;

/// Where a package is: its segment and its number in it.
pub(super) type Place = (usize, u32);

/// What a package is ordered by, and its number among those of all parts.
type Entry = (u64, u32);

/// Entries that are kept beyond twice as many as are wanted, so that small pages are not chosen from too often.
const SPARE: usize = 64;

/// What was found.
#[derive(Debug)]
pub(super) struct Ranked {
    /// The page, in order.
    pub(super) places: Vec<Place>,
    /// All that match.
    pub(super) total: usize,
}

/// Carries out a plan.
pub(super) fn rank(index: &Index, plan: &Plan, query: &Query, counts: &Lookup<'_>, kept: &Scratches) -> Ranked {
    let chosen = Chosen::new(index, query, counts, &plan.text);
    if plan.text.is_empty() {
        let all = index.parts().iter().flat_map(|part| (0..part.segment.shelf.len()).map(|n| part.first + n));
        return chosen.page(all.map(|at| Match { at, weight: 0.0, places: 0 }));
    }
    let mut scratch = kept.take(index.slots());
    let ranked = if let Some((word, pieces)) = Dense::word(plan) {
        scratch.dense.carry_out(index, word, pieces);
        chosen.page(scratch.dense.matches())
    } else {
        scratch.carry_out(index, plan);
        chosen.page(scratch.matches())
    };
    kept.give_back(scratch);
    ranked
}

/// What a text as a piece weighs at most, and exactly: more in the name, most when it is the name.
fn piece_weight_most(places: u8) -> f32 {
    match places {
        0 => 0.0,
        places if places & IN_NAME != 0 => WHOLE_NAME,
        places if places & IN_DISPLAY_NAME != 0 => 10.0,
        _ => 2.0,
    }
}

fn piece_weight(part: &Part, number: u32, places: u8, text: &[u8]) -> f32 {
    if places & IN_NAME == 0 {
        return piece_weight_most(places);
    }
    let shelf = &part.segment.shelf;
    // A whole name begins with its scope.
    if text.first() == Some(&b'@') && shelf.name(number) == text {
        return WHOLE_NAME;
    }
    match (shelf.base_begins(number, text), shelf.base_is(number, text)) {
        (false, _) => 20.0,
        (true, false) => 40.0,
        (true, true) => 500.0,
    }
}

/// The part that is being read: matches of one part mostly follow each other.
#[derive(Clone, Copy)]
struct Reached<'a> {
    part: &'a Part,
    /// The number among all behind its last package.
    end: u32,
    /// Whether each of its packages is wanted.
    takes_all: bool,
}

impl Reached<'_> {
    #[inline]
    fn holds(&self, at: u32) -> bool {
        (self.part.first..self.end).contains(&at)
    }
}

/// Chooses and orders what was found.
struct Chosen<'a> {
    index: &'a Index,
    query: &'a Query,
    counts: &'a Lookup<'a>,
    text: &'a [u8],
    kind: Option<u8>,
    sees_all: bool,
}

impl<'a> Chosen<'a> {
    fn new(index: &'a Index, query: &'a Query, counts: &'a Lookup<'a>, text: &'a str) -> Self {
        Self {
            index,
            query,
            counts,
            text: text.as_bytes(),
            kind: query.server_type.as_deref().map(kind),
            sees_all: query.reader.reads_everything(),
        }
    }

    /// The part that holds a package.
    fn reach(&self, at: u32) -> Reached<'a> {
        let (part, _) = self.index.place(at);
        let count = part.segment.shelf.len();
        let takes_all = self.kind.is_none() && self.sees_all && part.alive.count() == count;
        Reached { part, end: part.first + count, takes_all }
    }

    #[inline]
    fn is_wanted(&self, part: &Part, number: u32) -> bool {
        part.alive.is_alive(number)
            && self.kind.is_none_or(|kind| part.segment.shelf.kinds[number as usize] == kind)
            && (self.sees_all || self.may_read(part, number))
    }

    fn may_read(&self, part: &Part, number: u32) -> bool {
        std::str::from_utf8(part.segment.shelf.name(number)).is_ok_and(|name| self.query.reader.may_read(name))
    }

    /// What it is ordered by, largest first; 0 for what comes after the least that is wanted.
    #[inline]
    fn key(&self, part: &Part, number: u32, found: &Match, least: u64) -> u64 {
        let shelf = &part.segment.shelf;
        let downloads = || self.counts.package(shelf.package_ids[number as usize]);
        match self.query.sort {
            Sort::Relevance => {
                // What cannot come first is not looked up.
                let comes_after = |weight: f32| u64::from(weight.to_bits()) < least >> 32;
                if comes_after(found.weight + piece_weight_most(found.places)) {
                    return 0;
                }
                let weight = found.weight + piece_weight(part, number, found.places, self.text);
                if comes_after(weight) {
                    return 0;
                }
                u64::from(weight.to_bits()) << 32 | downloads().min(u64::from(u32::MAX))
            }
            Sort::Downloads => downloads(),
            Sort::Recent => shelf.created_at_ms[number as usize].cast_unsigned() ^ 1 << 63,
            Sort::Published => shelf.published_at_ms[number as usize].cast_unsigned() ^ 1 << 63,
            Sort::Name => 0,
        }
    }

    fn name(&self, at: u32) -> &'a [u8] {
        let (part, number) = self.index.place(at);
        part.segment.shelf.name(number)
    }

    /// Counts all and keeps the best that the page needs: never more than twice as many at once.
    fn page(&self, found: impl Iterator<Item = Match>) -> Ranked {
        let wanted = self.query.offset.saturating_add(self.query.limit).min(self.index.slots());
        let mut total = 0;
        let mut best: Vec<Entry> = Vec::with_capacity(wanted.min(1_000) * 2 + SPARE + 1);
        // The last of those that are wanted, as far as it is known.
        let mut last: Option<Entry> = None;
        let mut reached: Option<Reached<'_>> = None;
        for found in found {
            let at = match reached {
                Some(at) if at.holds(found.at) => at,
                _ => *reached.insert(self.reach(found.at)),
            };
            let (part, number) = (at.part, found.at - at.part.first);
            if !at.takes_all && !self.is_wanted(part, number) {
                continue;
            }
            total += 1;
            let least = last.map_or(0, |(key, _)| key);
            let key = self.key(part, number, &found, least);
            let entry = (key, found.at);
            if key < least || last.is_some_and(|last| self.order(&entry, &last).is_gt()) {
                continue;
            }
            best.push(entry);
            if best.len() > wanted * 2 + SPARE {
                let (_, place, _) = best.select_nth_unstable_by(wanted, |a, b| self.order(a, b));
                last = Some(*place);
                best.truncate(wanted + 1);
            }
        }
        best.sort_unstable_by(|a, b| self.order(a, b));
        let page = best.into_iter().skip(self.query.offset).take(self.query.limit);
        let place = |(_, at)| {
            let (part, number) = self.index.place(at);
            (part.number, number)
        };
        Ranked { places: page.map(place).collect(), total }
    }

    /// The larger key first, then by name; packages of one segment are in the order of their names.
    fn order(&self, a: &Entry, b: &Entry) -> std::cmp::Ordering {
        b.0.cmp(&a.0).then_with(|| match self.index.parts() {
            [_] => a.1.cmp(&b.1),
            _ => self.order_names(a.1, b.1),
        })
    }

    fn order_names(&self, a: u32, b: u32) -> std::cmp::Ordering {
        if self.reach(a).holds(b) { a.cmp(&b) } else { self.name(a).cmp(self.name(b)) }
    }
}
