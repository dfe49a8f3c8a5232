//! Which packages a page of the official list may be about: looked for by name, a stretch at a time.
//!
//! Every step is bounded, and what computes does so beside the threads that answer: a search that hardly
//! anything matches must hold up nobody. A request that looked at enough ends with a cursor that goes on.

use std::collections::BTreeSet;

use tokio::sync::Semaphore;

use super::official::Asked;
use super::{ServerError, name};
use crate::auth::access::Reader;
use crate::auth::asker;
use crate::db::{Connection, servers};
use crate::error::ApiError;
use crate::search::Found;
use crate::state::AppState;

/// Packages of a stretch.
const PACKAGES_AT_ONCE: usize = 128;
/// Packages that a search of one request looks through.
const SEARCHED_COUNT_MAX: usize = 131_072;
/// Packages that are taken out of the index in one go.
const CHUNK: usize = 1_024;
/// Events since a time up to which their packages are looked at one by one; with more, all packages are.
const CHANGES_COUNT_MAX: i64 = 8_192;
/// Searches that compute at the same time.
static SEARCHES: Semaphore = Semaphore::const_new(2);

/// Packages that come next.
pub(super) struct Stretch {
    /// In order: what is there, and what is gone.
    pub(super) names: Vec<String>,
    /// Those of which something may be gone.
    pub(super) gone: Vec<String>,
    /// Up to which name all was looked at; nothing when there is no further one.
    pub(super) end: Option<String>,
}

/// A walk through the names.
pub(super) struct Looking {
    from: String,
    /// What the index has from there on, where it was looked at already.
    ahead: Option<Names>,
    /// What changed since the time that was asked for, where that is little.
    changed: Option<BTreeSet<String>>,
    left_count: usize,
}

/// Some names, and up to where they are all; nothing: to the end.
type Names = (Vec<String>, Option<String>);

impl Looking {
    /// At the place where the page before ended.
    pub(super) async fn begin(c: &mut Connection, asked: &Asked) -> Result<Self, ServerError> {
        let changed = match asked.since_ms {
            Some(since_ms) => servers::changed_since(c, since_ms, CHANGES_COUNT_MAX).await?,
            None => None,
        };
        let from = asked.after.as_ref().map(|(package, _)| package.clone()).unwrap_or_default();
        Ok(Self { from, ahead: None, changed, left_count: SEARCHED_COUNT_MAX })
    }

    /// Whether one request has looked at enough.
    pub(super) fn is_tired(&self) -> bool {
        self.left_count == 0
    }

    /// The next stretch.
    pub(super) async fn on(
        &mut self,
        state: &AppState,
        c: &mut Connection,
        asked: &Asked,
    ) -> Result<Stretch, ServerError> {
        let reader = asker::current().reader;
        // 1. What is there, and what is gone.
        let there = match &self.changed {
            Some(changed) => match self.ahead.take() {
                Some(ahead) => ahead,
                None => among(state, &reader, changed, &self.from, &asked.search),
            },
            None => self.walk(state, reader.clone(), &asked.search).await?,
        };
        let gone = if asked.include_deleted {
            let count = i64::try_from(PACKAGES_AT_ONCE).unwrap_or(i64::MAX);
            let names = servers::names_gone(c, &self.from, asked.since_ms.unwrap_or(0), count).await?;
            let end = names.last().filter(|_| names.len() == PACKAGES_AT_ONCE).cloned();
            let fits = |name: &String| reader.may_read(name) && name::is_piece(name, &asked.search);
            (names.into_iter().filter(fits).collect(), end)
        } else {
            (Vec::new(), None)
        };
        // 2. As far as both were looked at.
        let mut end = [&there.1, &gone.1].into_iter().flatten().min().cloned();
        let within = |name: &&String| end.as_ref().is_none_or(|end| *name <= end);
        let names: BTreeSet<String> = there.0.iter().chain(&gone.0).filter(within).cloned().collect();
        let mut names: Vec<String> = names.into_iter().collect();
        if names.len() > PACKAGES_AT_ONCE {
            names.truncate(PACKAGES_AT_ONCE);
            end = names.last().cloned();
        }
        if let Some(end) = &end {
            self.go_on(end, there);
        }
        let gone = gone.0.into_iter().filter(|name| names.binary_search(name).is_ok()).collect();
        Ok(Stretch { names, gone, end })
    }

    /// Behind a name; what was found behind it is kept.
    fn go_on(&mut self, end: &str, (mut there, there_end): Names) {
        self.from = format!("{end}\u{1}");
        there.retain(|name| name.as_str() > end);
        let more = !there.is_empty() || there_end.as_deref().is_none_or(|there_end| there_end > end);
        self.ahead = more.then_some((there, there_end));
    }

    /// Through the index, by name.
    async fn walk(&mut self, state: &AppState, reader: Reader, text: &str) -> Result<Names, ServerError> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(ahead);
        }
        if text.is_empty() && reader.reads_everything() {
            let next = |from: &str, count| state.search.from_name(&reader, from, count);
            return Ok(walked(next, (Found::name, |_: &Found| true), self.from.clone(), PACKAGES_AT_ONCE).0);
        }
        let (from, text, left_count) = (self.from.clone(), text.to_owned(), self.left_count);
        let died = |error: &(dyn std::error::Error + 'static)| ServerError::from(ApiError::internal(error));
        let _turn = SEARCHES.acquire().await.map_err(|error| died(&error))?;
        let state = state.clone();
        let walked = move || {
            let by_namespace = name::reaches_namespaces(&text);
            let next = |from: &str, count| state.search.from_name(&reader, from, count);
            walked(next, (Found::name, |found: &Found| fits(found, &text, by_namespace)), from, left_count)
        };
        let (found, left_count) = tokio::task::spawn_blocking(walked).await.map_err(|error| died(&error))?;
        self.left_count = left_count;
        Ok(found)
    }
}

/// Looks through names from one on, as far as so many may be looked at. `next` gives the next ones.
fn walked<T>(
    next: impl Fn(&str, usize) -> Vec<T>,
    (name, fits): (impl Fn(&T) -> &str, impl Fn(&T) -> bool),
    mut from: String,
    mut left_count: usize,
) -> (Names, usize) {
    let mut names = Vec::new();
    loop {
        let chunk = next(&from, CHUNK.min(left_count.max(1)));
        let Some(last) = chunk.last().map(|found| name(found).to_owned()) else { return ((names, None), left_count) };
        for found in &chunk {
            left_count = left_count.saturating_sub(1);
            if fits(found) {
                names.push(name(found).to_owned());
            }
            if names.len() == PACKAGES_AT_ONCE {
                let end = names.last().cloned();
                return ((names, end), left_count);
            }
        }
        if left_count == 0 {
            return ((names, Some(last)), 0);
        }
        from = format!("{last}\u{1}");
    }
}

fn fits(found: &Found, text: &str, by_namespace: bool) -> bool {
    text.is_empty() || found.contains(text) || by_namespace && name::is_piece(found.name(), text)
}

/// Those of some names that are there.
fn among(state: &AppState, reader: &Reader, changed: &BTreeSet<String>, from: &str, text: &str) -> Names {
    let by_namespace = name::reaches_namespaces(text);
    let fitting = changed.range(from.to_owned()..).filter(|name| {
        let entry = state.search.entry(reader, name);
        entry.is_some_and(|found| fits(&found, text, by_namespace))
    });
    let names: Vec<String> = fitting.take(PACKAGES_AT_ONCE).cloned().collect();
    let end = names.last().filter(|_| names.len() == PACKAGES_AT_ONCE).cloned();
    (names, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However little one request may look at, the next ones find the rest, each once.
    #[test]
    fn a_walk_goes_on_where_it_was_tired() {
        let all: Vec<String> = (0..3_000).map(|n| format!("@a/{n:04}")).collect();
        let next = |from: &str, count: usize| {
            let at = all.partition_point(|name| name.as_str() < from);
            all[at..].iter().take(count).cloned().collect::<Vec<_>>()
        };
        for (budget, every) in [(1, 100), (7, 100), (1_000, 1), (1_024, 999), (5_000, 2), (PACKAGES_AT_ONCE, 1)] {
            let fits = |name: &String| name[3..].parse::<usize>().unwrap() % every == 0;
            let (mut found, mut from) = (Vec::new(), String::new());
            loop {
                let ((names, end), left) = walked(next, (String::as_str, fits), from, budget);
                assert!(names.len() <= PACKAGES_AT_ONCE && left <= budget);
                found.extend(names);
                let Some(end) = end else { break };
                from = format!("{end}\u{1}");
            }
            let expect: Vec<String> = all.iter().filter(|name| fits(name)).cloned().collect();
            assert_eq!(found, expect, "{budget} {every}");
        }
    }

    #[test]
    fn what_was_found_behind_the_end_of_a_stretch_is_kept() {
        let names = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (there, end, expect) in [
            ((&["a", "c"][..], None), "b", Some((&["c"][..], None))),
            ((&["a"], None), "b", Some((&[], None))),
            ((&["a"], Some("b")), "b", None),
            ((&["a", "c"], Some("d")), "b", Some((&["c"], Some("d")))),
        ] {
            let mut looking = Looking { from: String::new(), ahead: None, changed: None, left_count: 0 };
            looking.go_on(end, (names(there.0), there.1.map(str::to_owned)));
            assert_eq!(
                looking.ahead,
                expect.map(|(all, end): (&[&str], Option<&str>)| (names(all), end.map(str::to_owned)))
            );
            assert_eq!(looking.from, format!("{end}\u{1}"));
        }
    }
}
