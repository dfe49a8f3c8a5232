//! The code of a bundle, followed: the server's own with all that it comes to, and vendored code that registers tools
//! with all that this comes to, side by side.
//!
//! In: a linked program. Out: flows and what only malware does. Both parts are of the same program; a file that both
//! come to is followed in both. What a part gives depends on nothing outside of it, so that it is remembered where it is
//! not malware: a scan after a change of the server's own code does not follow the vendored part again.

use std::collections::BTreeSet;
use std::io::Write as _;

use mpak_bundle::digest::{Hashing, Sha256};

use super::cache::Cache;
use super::{GatherError, pass};
use crate::code::facts::{Span, Unit};
use crate::code::flow::{self, Flow};
use crate::code::program::{Program, UnitId};
use crate::code::tools::Handler;
use crate::malware::{self, Hits};

/// A linked program and what is known of it.
pub(super) struct Whole<'a> {
    pub(super) program: &'a Program,
    /// Digests of the files, by unit.
    pub(super) digests: Vec<Sha256>,
    pub(super) handlers: &'a [Handler],
    /// Files that scripts of a package manager run.
    pub(super) hooks: BTreeSet<String>,
    /// Words that the manifest starts the server with.
    pub(super) words: Vec<String>,
    /// Whether a file is the server's own.
    pub(super) is_own: &'a (dyn Fn(&str) -> bool + Sync),
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Followed {
    pub(super) flows: Vec<Flow>,
    /// Whether all flows could be followed to their end.
    pub(super) whole: bool,
    /// What only malware does.
    pub(super) hits: Hits,
}

/// Some units, as a program of their own.
struct Part {
    program: Program,
    /// By unit of the part: the unit of the whole.
    ids: Vec<UnitId>,
    handlers: Vec<Handler>,
}

/// What a part is followed for.
#[derive(Clone, Copy)]
enum Of {
    All = 1,
    Own,
    Others,
}

/// Follows all code. To be called on a thread with a large stack.
///
/// # Errors
/// [`GatherError::Thread`].
pub(super) fn follow(whole: &Whole<'_>, cache: Option<&Cache>) -> Result<Followed, GatherError> {
    let Some((own, others)) = whole.parts() else { return whole.follow_undivided(cache) };
    // 1. What is remembered.
    let (own_memory, other_memory) = (whole.memory(cache, &own, Of::Own), whole.memory(cache, &others, Of::Others));
    let (own_known, other_known) = (own_memory.recall(&own), other_memory.recall(&others));
    let hits_of = |part: &Part, known: &Option<Flows>| {
        if known.is_some() { Hits::default() } else { whole.hits(part) }
    };
    let flows_of = |known: &Option<Flows>, work: &dyn Fn() -> Flows| known.clone().unwrap_or_else(work);
    // 2. Side by side, as long as anything is left to be done.
    let work_hits = || (hits_of(&own, &own_known), hits_of(&others, &other_known));
    let own_flows = || flows_of(&own_known, &|| whole.own_flows(&own));
    let other_flows = || flows_of(&other_known, &|| whole.other_flows(&others));
    let ((flows, (mut hits, other_hits)), other_flows) = match (&own_known, &other_known) {
        (Some(_), Some(_)) => ((own_flows(), work_hits()), other_flows()),
        _ => {
            let (first, second) = pass::both(|| pass::both(own_flows, work_hits), other_flows)?;
            (first?, second)
        }
    };
    // 3. Remembered.
    own_memory.keep(own_known.is_none() && hits.is_empty(), &flows);
    other_memory.keep(other_known.is_none() && other_hits.is_empty(), &other_flows);
    hits.add(other_hits);
    let (flows, other_flows) = (own.of_whole(flows), others.of_whole(other_flows));
    Ok(Followed { flows: flow::joined(flows.found, other_flows.found), whole: flows.whole && other_flows.whole, hits })
}

/// Flows of a part, by its own units.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Flows {
    found: Vec<Flow>,
    whole: bool,
}

impl From<(Vec<Flow>, bool)> for Flows {
    fn from((found, whole): (Vec<Flow>, bool)) -> Self {
        Self { found, whole }
    }
}

/// Where what a part gives is remembered.
struct Memory<'c>(Option<(&'c Cache, Sha256)>);

impl Memory<'_> {
    /// Flows of a part in which is no malware.
    fn recall(&self, part: &Part) -> Option<Flows> {
        let (cache, told) = self.0.as_ref()?;
        let flows: Flows = serde_json::from_slice(cache.recall(told)?).ok()?;
        let there = |unit: UnitId| (unit.0 as usize) < part.ids.len();
        let fits = |flow: &Flow| there(flow.unit) && flow.path.iter().all(|(unit, _, _)| there(*unit));
        flows.found.iter().all(fits).then_some(flows)
    }

    fn keep(&self, worth: bool, flows: &Flows) {
        if let Some((cache, told)) = self.0.as_ref().filter(|_| worth)
            && let Ok(text) = serde_json::to_vec(flows)
        {
            cache.keep(told, text);
        }
    }
}

impl Whole<'_> {
    fn owns(&self, program: &Program, handler: &Handler) -> bool {
        let is_own = |unit: UnitId| (self.is_own)(&program.unit(unit).path);
        is_own(handler.unit) || is_own(handler.registered_in)
    }

    /// The server's own part and the vendored one; `None` where one of them is empty, or where what counts as a
    /// handler in one depends on whether there are any in the other.
    fn parts(&self) -> Option<(Part, Part)> {
        let is_apart = |handler: &Handler| !handler.by_hand;
        let serves = self.handlers.iter().any(|handler| self.owns(self.program, handler));
        if !serves || !self.handlers.iter().all(is_apart) {
            return None;
        }
        let of = |own: bool| {
            let units = self.program.units().filter(|(_, unit)| (self.is_own)(&unit.path) == own);
            self.part(self.program.closure(units.map(|(id, _)| id)))
        };
        let others = of(false);
        (!others.ids.is_empty()).then(|| (of(true), others))
    }

    fn part(&self, ids: Vec<UnitId>) -> Part {
        let local = |id: UnitId| ids.binary_search(&id).ok().and_then(|at| u32::try_from(at).ok()).map(UnitId);
        let handlers = self.handlers.iter().filter_map(|handler| {
            let unit = local(handler.unit)?;
            let registered_in = local(handler.registered_in);
            let span = if registered_in.is_some() { handler.span } else { Span::default() };
            Some(Handler { unit, registered_in: registered_in.unwrap_or(unit), span, ..handler.clone() })
        });
        let handlers = handlers.collect();
        Part { program: self.program.part(&ids), ids, handlers }
    }

    fn memory<'c>(&self, cache: Option<&'c Cache>, part: &Part, of: Of) -> Memory<'c> {
        Memory(cache.map(|cache| (cache, self.told(cache, part, of))))
    }

    /// Digest of all that decides what following a part gives.
    fn told(&self, cache: &Cache, part: &Part, of: Of) -> Sha256 {
        let mut hashing = Hashing::new(std::io::sink());
        let mut add = |bytes: &[u8]| {
            // Nothing is written anywhere.
            let _written =
                hashing.write_all(&(bytes.len() as u64).to_le_bytes()).and_then(|()| hashing.write_all(bytes));
        };
        add(cache.identity().as_bytes());
        add(&[of as u8]);
        for (at, (_, unit)) in part.program.units().enumerate() {
            add(unit.path.as_bytes());
            add(self.digests[part.ids[at].0 as usize].as_bytes());
            add(&[u8::from((self.is_own)(&unit.path)), u8::from(self.hooks.contains(&unit.path))]);
        }
        for word in &self.words {
            add(word.as_bytes());
        }
        for handler in &part.handlers {
            add(format!("{handler:?}").as_bytes());
        }
        hashing.finish().1
    }

    fn own_flows(&self, part: &Part) -> Flows {
        let is_own = |handler: &Handler| self.owns(&part.program, handler);
        let own = |unit: &Unit| (self.is_own)(&unit.path);
        flow::flows(&part.program, &part.handlers, &is_own, &own).into()
    }

    /// What handlers in dependencies do does not depend on what the server's own handlers stored.
    fn other_flows(&self, part: &Part) -> Flows {
        let is_other = |handler: &Handler| !self.owns(&part.program, handler);
        if !part.handlers.iter().any(is_other) {
            return Flows { found: Vec::new(), whole: true };
        }
        flow::flows(&part.program, &part.handlers, &is_other, &|_| false).into()
    }

    fn hits(&self, part: &Part) -> Hits {
        malware::judge_program(&part.program, &part.handlers, !self.handlers.is_empty(), &self.words, &self.hooks)
    }

    /// All code together.
    fn follow_undivided(&self, cache: Option<&Cache>) -> Result<Followed, GatherError> {
        let all = self.part(self.program.units().map(|(id, _)| id).collect());
        let memory = self.memory(cache, &all, Of::All);
        if let Some(Flows { found, whole }) = memory.recall(&all) {
            return Ok(Followed { flows: found, whole, hits: Hits::default() });
        }
        let (rest, others) =
            pass::both(|| pass::both(|| self.own_flows(&all), || self.hits(&all)), || self.other_flows(&all))?;
        let (own, hits) = rest?;
        let found = flow::joined(own.found, others.found);
        let flows = Flows { found, whole: own.whole && others.whole };
        memory.keep(hits.is_empty(), &flows);
        Ok(Followed { flows: flows.found, whole: flows.whole, hits })
    }
}

impl Part {
    /// Flows by the units of the whole.
    fn of_whole(&self, mut flows: Flows) -> Flows {
        let id = |local: UnitId| self.ids[local.0 as usize];
        for flow in &mut flows.found {
            flow.unit = id(flow.unit);
            flow.path.iter_mut().for_each(|(unit, _, _)| *unit = id(*unit));
        }
        flows
    }
}
