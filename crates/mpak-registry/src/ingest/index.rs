//! Stage 10, index: what was published can be found.
//!
//! In: [`Recorded`]. Out: [`Indexed`]. It follows stage 8 directly, since what search shows does not
//! depend on the scan; the index is derived data, so its failure is logged and healed by whoever follows the
//! events.

use super::record::Recorded;
use crate::state::AppState;

/// An artifact whose package search finds.
#[derive(Debug)]
pub(crate) struct Indexed {
    recorded: Recorded,
}

impl Indexed {
    /// What was recorded.
    pub(crate) fn recorded(&self) -> &Recorded {
        &self.recorded
    }
}

/// Brings the search index up to date with a package.
pub(crate) async fn index(recorded: Recorded, state: &AppState) -> Indexed {
    let package = recorded.upload().publisher.package().as_str().to_owned();
    match state.search.refresh(&state.db, &package).await {
        Ok(()) => state.followed.done(recorded.event_seq()),
        Err(error) => tracing::error!(%package, error = %error, "the search index was not brought up to date"),
    }
    Indexed { recorded }
}
