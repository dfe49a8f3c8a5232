//! Follows what others changed: other replicas, and administrators beside the server.
//!
//! Events become visible in the order of their numbers (see `db`), so looking for those after the last one
//! that was seen misses none. The search index of this process takes over every package that they are about;
//! what this process published itself is there already.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::sync::watch;

use crate::db::{DbResult, events, reindexes};
use crate::search::SearchError;
use crate::state::AppState;

/// How often new events are looked for.
const LOOK: Duration = Duration::from_millis(250);
/// Events that are taken over at once.
const BATCH: i64 = 1_000;

/// How far the events were followed.
pub(crate) struct Followed(Mutex<Position>);

struct Position {
    /// Everything up to here is known.
    through: i64,
    /// Later ones that this process wrote and indexed itself.
    own: HashSet<i64>,
}

impl Followed {
    /// The search index was made after this event.
    pub(crate) fn from(through: i64) -> Self {
        Self(Mutex::new(Position { through, own: HashSet::new() }))
    }

    /// This process has done already what the event asks for.
    pub(crate) fn done(&self, seq: i64) {
        let mut position = self.position();
        if seq > position.through {
            position.own.insert(seq);
        }
    }

    fn position(&self) -> MutexGuard<'_, Position> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of these events, those that somebody else wrote.
    fn of_others(&self, events: &[(i64, String)]) -> BTreeSet<String> {
        let position = self.position();
        events.iter().filter(|(seq, _)| !position.own.contains(seq)).map(|(_, package)| package.clone()).collect()
    }

    fn advance(&self, through: i64) {
        let mut position = self.position();
        position.through = through;
        position.own.retain(|seq| *seq > through);
    }
}

/// Follows until told to stop.
pub(crate) async fn run(state: AppState, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        match follow(&state).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::error!(error = %error, "the search index does not follow the events"),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = stop.changed() => return,
        }
    }
}

/// Takes over the next events; `false` when there is none.
async fn follow(state: &AppState) -> Result<bool, SearchError> {
    let asked = reindexes::last(&mut *state.db.read().await?).await?;
    if asked != state.search.made_for() {
        state.search.remake(&state.db, asked).await?;
        tracing::info!("the search index was made anew, as an administrator asked");
    } else if state.search.is_damaged() {
        tracing::error!("the disk gave back other texts than were kept; the search index is made anew");
        state.search.remake(&state.db, asked).await?;
    }
    let through = state.followed.position().through;
    let events = next(state, through).await?;
    let Some((last, _)) = events.last() else { return Ok(false) };
    let mut packages = state.followed.of_others(&events);
    packages.extend(events::judged_between(&mut *state.db.read().await?, through, *last).await?);
    // They share one batch of the index.
    try_join_all(packages.iter().map(|package| state.search.refresh(&state.db, package))).await?;
    state.followed.advance(*last);
    state.search.tidy(&state.db).await?;
    Ok(true)
}

async fn next(state: &AppState, through: i64) -> DbResult<Vec<(i64, String)>> {
    events::packages_after(&mut *state.db.read().await?, through, BATCH).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_events_are_stepped_over_once() {
        let followed = Followed::from(10);
        let events: Vec<_> = [(11, "@a/one"), (12, "@a/two"), (13, "@a/one")].map(|(s, p)| (s, p.to_owned())).into();
        followed.done(9);
        followed.done(11);
        followed.done(13);
        assert_eq!(followed.of_others(&events), BTreeSet::from(["@a/two".to_owned()]));
        followed.advance(13);
        followed.done(12);
        assert!(followed.position().own.is_empty(), "nothing is remembered for ever");
    }
}
