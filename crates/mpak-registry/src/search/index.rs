//! The index of all packages: a few segments and which of their packages are still alive. Searches hold the
//! one that was current when they began; a change makes the next.

use std::io;
use std::sync::{Arc, OnceLock};

use super::Found;
use super::document::Document;
use super::kept::Tray;
use super::segment::{Alive, Segment};
use crate::auth::access::Reader;

/// A segment is at least so many times as large as the one after it.
const GROWTH: u32 = 4;

/// One state of the index.
#[derive(Debug, Default)]
pub(super) struct Index {
    parts: Vec<Part>,
    /// All that are alive in the order of their names, by their numbers among all; made when asked for.
    by_name: OnceLock<Vec<u32>>,
}

/// A segment of an index.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) segment: Arc<Segment>,
    pub(super) alive: Alive,
    /// Which part of the index it is.
    pub(super) number: usize,
    /// Number of its first package among those of all parts.
    pub(super) first: u32,
}

impl Part {
    /// A package of it.
    pub(super) fn found(&self, number: u32) -> Found {
        Found { segment: Arc::clone(&self.segment), number }
    }
}

impl Index {
    /// From whole segments, as they were kept.
    pub(super) fn from_segments(segments: Vec<(Segment, Alive)>) -> Self {
        let mut index = Self::default();
        for (segment, alive) in segments {
            index.push(segment, alive);
        }
        index
    }

    /// Its segments, large ones first.
    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Number of packages.
    pub(super) fn len(&self) -> usize {
        self.parts.iter().map(|part| part.alive.count() as usize).sum()
    }

    /// Number of packages, dead ones included.
    pub(super) fn slots(&self) -> usize {
        self.parts.last().map_or(0, |part| (part.first + part.segment.shelf.len()) as usize)
    }

    /// Where the package with this number among all is.
    pub(super) fn place(&self, at: u32) -> (&Part, u32) {
        let part = &self.parts[self.parts.partition_point(|part| part.first <= at) - 1];
        (part, at - part.first)
    }

    /// A package by its name.
    pub(super) fn find(&self, name: &str) -> Option<Found> {
        self.parts.iter().find_map(|part| {
            let number = part.segment.shelf.find(name)?;
            part.alive.is_alive(number).then(|| part.found(number))
        })
    }

    /// Packages that may be read in the order of their names, from a place on.
    pub(super) fn by_name(&self, offset: usize, reader: &Reader) -> impl Iterator<Item = Found> {
        let order = self.name_order().iter().skip(offset).map(|at| self.place(*at));
        let sees_all = reader.reads_everything();
        order.map(|(part, number)| part.found(number)).filter(move |found| sees_all || reader.may_read(found.name()))
    }

    /// How many packages stand before a name.
    pub(super) fn rank(&self, name: &str) -> usize {
        self.name_order().partition_point(|at| self.name(*at) < name.as_bytes())
    }

    fn name(&self, at: u32) -> &[u8] {
        let (part, number) = self.place(at);
        part.segment.shelf.name(number)
    }

    fn name_order(&self) -> &[u32] {
        self.by_name.get_or_init(|| {
            let alive = |part: &Part, number: &u32| part.alive.is_alive(*number);
            let of = |part: &Part| {
                (0..part.segment.shelf.len()).filter(|n| alive(part, n)).map(|n| part.first + n).collect::<Vec<_>>()
            };
            let mut all: Vec<u32> = self.parts.iter().flat_map(of).collect();
            if self.parts.len() > 1 {
                // Runs that are in order already: the sort merges them.
                all.sort_by(|a, b| self.name(*a).cmp(self.name(*b)));
            }
            all
        })
    }

    fn push(&mut self, segment: Segment, alive: Alive) {
        let (number, first) = (self.parts.len(), u32::try_from(self.slots()).unwrap_or(u32::MAX));
        self.parts.push(Part { segment: Arc::new(segment), alive, number, first });
    }

    /// The index without some packages and with others, whose texts go to the tray. Each is named once.
    pub(super) fn changed(&self, gone: &[&str], documents: Vec<Document>, tray: &Tray) -> io::Result<Self> {
        let mut next = Self { parts: self.parts.clone(), by_name: OnceLock::new() };
        let names = gone.iter().copied().chain(documents.iter().map(Document::name));
        for name in names {
            for part in &mut next.parts {
                if let Some(number) = part.segment.shelf.find(name) {
                    part.alive.end(number);
                }
            }
        }
        if !documents.is_empty() {
            let segment = Segment::new(documents, tray)?;
            let alive = Alive::all(segment.shelf.len());
            next.push(segment, alive);
        }
        next.tidy();
        Ok(next)
    }

    /// Makes one of segments of like size, and leaves no segment of which most is dead.
    fn tidy(&mut self) {
        while let Some(from) = self.first_to_merge() {
            let merged = self.parts.split_off(from);
            let merged: Vec<_> = merged.iter().map(|part| (&*part.segment, &part.alive)).collect();
            let segment = Segment::merge(&merged);
            if segment.shelf.len() > 0 {
                let alive = Alive::all(segment.shelf.len());
                self.push(segment, alive);
            }
        }
    }

    fn first_to_merge(&self) -> Option<usize> {
        let mostly_dead = self.parts.iter().position(|p| p.alive.count() * 2 < p.segment.shelf.len());
        let like = self.parts.windows(2).position(|p| p[0].segment.shelf.len() < GROWTH * p[1].segment.shelf.len());
        mostly_dead.into_iter().chain(like).min()
    }
}
