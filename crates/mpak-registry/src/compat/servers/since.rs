//! `updated_since` of the flat list: packages with a version of since then, by name.
//!
//! The cursor is the place of a package among all, so that a page does not have to count what the pages before
//! it had; a page may have fewer entries than asked for, with a cursor that goes on.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

use crate::auth::access::Reader;
use crate::auth::asker;
use crate::db::{Connection, servers};
use crate::error::ApiError;
use crate::search::Found;
use crate::state::AppState;

/// Packages that are asked about in one go, and by one request.
const CHUNK: usize = 1_024;
const PACKAGES_COUNT_MAX: usize = 16 * CHUNK;
/// Events since a time up to which their packages are looked at one by one; with more, all packages are.
const CHANGES_COUNT_MAX: i64 = 8_192;

/// The entries of a page, and where the next one begins.
pub(super) async fn select(
    state: &AppState,
    (since_ms, text): (i64, &str),
    offset: usize,
    limit: usize,
) -> Result<(Vec<Found>, Option<usize>), ApiError> {
    let reader = asker::current().reader;
    let mut c = state.db.read().await?;
    let mut entries = Vec::new();
    if let Some(changed) = servers::changed_since(&mut c, since_ms, CHANGES_COUNT_MAX).await? {
        // 1. Little happened: what it happened to is looked at.
        let placed = few(state, reader, changed, offset).await?;
        for chunk in placed.chunks(CHUNK) {
            let good = fits(&mut c, chunk.iter().map(|(_, found)| found), since_ms, text).await?;
            for (at, found) in chunk.iter().filter(|(_, found)| good.contains(found.name())) {
                if entries.len() == limit {
                    return Ok((entries, Some(*at)));
                }
                entries.push(found.clone());
            }
        }
        return Ok((entries, None));
    }
    // 2. Much happened: all packages are looked at, as far as one request may.
    let mut at = offset;
    while at < offset.saturating_add(PACKAGES_COUNT_MAX) {
        let chunk = by_name(state, reader.clone(), at).await?;
        if chunk.is_empty() {
            return Ok((entries, None));
        }
        let good = fits(&mut c, chunk.iter(), since_ms, text).await?;
        for (number, found) in chunk.iter().enumerate() {
            if !good.contains(found.name()) {
                continue;
            }
            if entries.len() == limit {
                return Ok((entries, Some(at + number)));
            }
            entries.push(found.clone());
        }
        at += chunk.len();
    }
    Ok((entries, Some(at)))
}

/// The packages from a place on, in the order of their names.
async fn by_name(state: &AppState, reader: Reader, at: usize) -> Result<Vec<Found>, ApiError> {
    let state = state.clone();
    let taken = tokio::task::spawn_blocking(move || state.search.page_by_name(&reader, at, CHUNK).entries);
    taken.await.map_err(|error| ApiError::internal(&error))
}

/// The packages of some names that are there, from a place on, with their places.
async fn few(
    state: &AppState,
    reader: Reader,
    names: BTreeSet<String>,
    offset: usize,
) -> Result<Vec<(usize, Found)>, ApiError> {
    let state = state.clone();
    let placed = move || {
        // Who may not read all has places of their own.
        let own = (!reader.reads_everything()).then(|| state.search.page_by_name(&reader, 0, usize::MAX).entries);
        let len = own.as_ref().map_or_else(|| state.search.len(&reader), Vec::len);
        let at = |place: usize| match &own {
            Some(own) => own.get(place).cloned(),
            None => state.search.page_by_name(&reader, place, 1).entries.into_iter().next(),
        };
        // Places only grow with names.
        let mut from = offset;
        let mut placed = Vec::new();
        for name in &names {
            let Some((place, found)) = place(at, name, from..len) else { continue };
            from = place;
            placed.push((place, found));
        }
        placed
    };
    tokio::task::spawn_blocking(placed).await.map_err(|error| ApiError::internal(&error))
}

/// A package that is there, with its place among some; nothing when it has none of them.
fn place(at: impl Fn(usize) -> Option<Found>, name: &str, among: Range<usize>) -> Option<(usize, Found)> {
    let (mut low, mut high) = (among.start, among.end);
    while low < high {
        let middle = low + (high - low) / 2;
        match at(middle) {
            Some(found) if found.name() < name => low = middle + 1,
            _ => high = middle,
        }
    }
    at(low).filter(|found| found.name() == name).map(|found| (low, found))
}

/// The names of those that were published since and have the text.
async fn fits<'f>(
    c: &mut Connection,
    found: impl Iterator<Item = &'f Found>,
    since_ms: i64,
    text: &str,
) -> Result<HashSet<String>, ApiError> {
    let named: Vec<&str> = found.filter(|found| text.is_empty() || found.contains(text)).map(Found::name).collect();
    Ok(servers::published_since(c, &named, since_ms).await?)
}
