//! Rendered entries of server lists, kept in memory so that a page is put together without the database.
//!
//! An entry is kept with holes for what differs between answers (the registry's address, downloads). The
//! events say which packages changed: before each use, everything that an event names is forgotten, on
//! every replica. Memory is bounded: entries live in two generations, and the elder one goes when the
//! younger is full.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::record::{Record, Told};
use crate::db::{Connection, DbResult, servers};

/// Bytes of rendered entries, at most.
const BYTES_MAX: usize = 64 << 20;
/// Changes that are looked at one by one; after more, everything is forgotten.
const CHANGES_MAX: i64 = 1_000;

/// Stand where a hole is; nobody outside this process can know them.
static BASE: LazyLock<String> = LazyLock::new(|| mark("base"));
static DOWNLOADS: LazyLock<String> = LazyLock::new(|| mark("downloads"));

fn mark(what: &str) -> String {
    let mut bytes = [0_u8; 16];
    // Without randomness no entry is split, which `Text::new` notices.
    let _ = getrandom::fill(&mut bytes);
    let hex = bytes.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    format!("mpak-{what}-{hex}")
}

/// The two shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Shape {
    Flat,
    Official,
}

/// The JSON of one entry, with holes.
#[derive(Debug)]
pub(super) struct Text(Vec<Piece>);

#[derive(Debug)]
enum Piece {
    Text(Box<str>),
    Base,
    Downloads,
}

impl Text {
    /// Renders an entry.
    pub(super) fn new(record: &Record, shape: Shape) -> Self {
        let downloads = Value::from(DOWNLOADS.as_str());
        let told = Told { base: &BASE, downloads: &downloads };
        let value = match shape {
            Shape::Flat => record.flat(told),
            Shape::Official => record.official(told),
        };
        Self::split(&value.to_string())
    }

    fn split(text: &str) -> Self {
        let mut pieces = Vec::new();
        let quoted = format!("\"{}\"", *DOWNLOADS);
        for (i, part) in text.split(&quoted).enumerate() {
            if i > 0 {
                pieces.push(Piece::Downloads);
            }
            for (i, text) in part.split(BASE.as_str()).enumerate() {
                if i > 0 {
                    pieces.push(Piece::Base);
                }
                pieces.push(Piece::Text(text.into()));
            }
        }
        Self(pieces)
    }

    /// Writes the entry for one answer. `base` is free of what JSON escapes.
    pub(super) fn write(&self, out: &mut String, base: &str, downloads: u64) {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Base => out.push_str(base),
                Piece::Downloads => out.push_str(&downloads.to_string()),
            }
        }
    }

    fn bytes(&self) -> usize {
        let text = |piece: &Piece| size_of::<Piece>() + if let Piece::Text(text) = piece { text.len() } else { 0 };
        self.0.iter().map(text).sum()
    }
}

/// A kept entry, and of which package it counts downloads.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) package_id: i64,
    pub(super) text: Text,
}

type Texts = HashMap<String, HashMap<Shape, Arc<Kept>>>;

/// The kept entries of one registry: of the latest version of each package.
#[derive(Default)]
pub(crate) struct Rendered(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    /// Up to which event it is true.
    seq: Option<i64>,
    young: Texts,
    old: Texts,
    young_bytes: usize,
}

/// What is true up to an event; an entry that was read before may be kept only while that is the newest.
#[derive(Clone, Copy, Debug)]
pub(super) struct UpTo(i64);

impl Rendered {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what changed.
    pub(super) async fn catch_up(&self, c: &mut Connection) -> DbResult<UpTo> {
        let known = self.inner().seq;
        let Some(known) = known else {
            let seq = servers::newest_event(c).await?;
            let mut inner = self.inner();
            return Ok(UpTo(*inner.seq.get_or_insert(seq)));
        };
        let events = servers::events_after(c, known, CHANGES_MAX).await?;
        let Some(&(newest, _)) = events.last() else { return Ok(UpTo(known)) };
        if i64::try_from(events.len()) == Ok(CHANGES_MAX) {
            let newest = servers::newest_event(c).await?;
            *self.inner() = Inner { seq: Some(newest), ..Inner::default() };
            return Ok(UpTo(newest));
        }
        let mut changed: Vec<String> = events.into_iter().filter_map(|(_, package)| package).collect();
        changed.sort_unstable();
        changed.dedup();
        // A scan is told of one package and judges the same bytes of others, too.
        let mut others = Vec::new();
        for package in &changed {
            others.extend(servers::sharing_bytes(c, package).await?);
        }
        let mut inner = self.inner();
        for package in changed.iter().chain(&others) {
            inner.young.remove(package);
            inner.old.remove(package);
        }
        inner.seq = inner.seq.max(Some(newest));
        Ok(UpTo(newest))
    }

    /// The entries of some packages that are kept, in their order.
    pub(super) fn get(&self, packages: &[&str], shape: Shape) -> Vec<Option<Arc<Kept>>> {
        let mut inner = self.inner();
        let one = |package: &&str| inner.get(package, shape);
        packages.iter().map(one).collect()
    }

    /// Keeps an entry, unless something happened since.
    pub(super) fn put(&self, package: &str, shape: Shape, kept: &Arc<Kept>, up_to: UpTo) {
        let mut inner = self.inner();
        if inner.seq == Some(up_to.0) {
            inner.put(package, shape, kept);
        }
    }
}

impl Inner {
    fn get(&mut self, package: &str, shape: Shape) -> Option<Arc<Kept>> {
        if let Some(kept) = self.young.get(package).and_then(|shapes| shapes.get(&shape)) {
            return Some(Arc::clone(kept));
        }
        let kept = Arc::clone(self.old.get(package)?.get(&shape)?);
        self.put(package, shape, &kept);
        Some(kept)
    }

    fn put(&mut self, package: &str, shape: Shape, kept: &Arc<Kept>) {
        let bytes = kept.text.bytes() + 2 * package.len() + 128;
        if self.young_bytes + bytes > BYTES_MAX / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += bytes;
        self.young.entry(package.to_owned()).or_default().insert(shape, Arc::clone(kept));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn holes_are_filled_and_the_rest_stays() {
        let value =
            json!({"url": format!("{}/x", *BASE), "n": *DOWNLOADS, "text": "mpak-base-\u{1}\"", "again": *BASE});
        let mut out = String::new();
        Text::split(&value.to_string()).write(&mut out, "http://a.example", 7);
        let back: Value = serde_json::from_str(&out).unwrap();
        let expect =
            json!({"url": "http://a.example/x", "n": 7, "text": "mpak-base-\u{1}\"", "again": "http://a.example"});
        assert_eq!(back, expect);
    }

    #[test]
    fn memory_is_bounded_and_what_is_used_stays() {
        let mut inner = Inner::default();
        let kept = || Arc::new(Kept { package_id: 1, text: Text(vec![Piece::Text("x".repeat(1 << 20).into())]) });
        inner.put("@acme/used", Shape::Flat, &kept());
        for i in 0..500 {
            inner.put(&format!("@acme/{i}"), Shape::Flat, &kept());
            assert!(inner.get("@acme/used", Shape::Flat).is_some(), "{i}");
            assert!(inner.young.len() + inner.old.len() <= BYTES_MAX >> 20, "{i}");
        }
        assert!(inner.get("@acme/0", Shape::Flat).is_none());
        assert!(inner.get("@acme/499", Shape::Flat).is_some());
        assert!(inner.get("@acme/499", Shape::Official).is_none());
    }
}
