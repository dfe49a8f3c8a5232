//! Lanes: how many releases of one owner are fetched at the same time, so that a slow host of theirs does not
//! take the places of everybody.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Fetches of one owner at the same time.
const LANES_MAX: usize = 4;
/// Owners above which those without a fetch are forgotten.
const OWNERS_KEPT: usize = 256;

/// No lane became free in time.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{limit} releases of this owner are being fetched already, and none was done within {seconds} seconds")]
pub(crate) struct LaneError {
    /// Fetches of one owner at the same time.
    pub(crate) limit: usize,
    /// How long was waited.
    pub(crate) seconds: u64,
}

/// The lanes of all owners.
#[derive(Default)]
pub(crate) struct Lanes(Mutex<HashMap<String, Arc<Semaphore>>>);

/// A lane, until dropped.
#[derive(Debug)]
pub(crate) struct Lane(#[expect(dead_code, reason = "held for its end")] OwnedSemaphorePermit);

impl Lanes {
    /// Waits for a lane of an owner's.
    ///
    /// # Errors
    /// [`LaneError`].
    pub(crate) async fn enter(&self, owner: &str, patience: Duration) -> Result<Lane, LaneError> {
        let lanes = self.of(owner);
        match tokio::time::timeout(patience, lanes.acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Lane(permit)),
            // Lanes are never closed.
            Ok(Err(_)) | Err(_) => Err(LaneError { limit: LANES_MAX, seconds: patience.as_secs() }),
        }
    }

    fn of(&self, owner: &str) -> Arc<Semaphore> {
        let mut owners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if owners.len() >= OWNERS_KEPT {
            // Whoever fetches or waits holds the other reference.
            owners.retain(|_, lanes| Arc::strong_count(lanes) > 1);
        }
        Arc::clone(owners.entry(owner.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(LANES_MAX))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn an_owner_has_a_few_lanes_and_others_their_own() {
        let lanes = Lanes::default();
        let mut held = Vec::new();
        for _ in 0..LANES_MAX {
            held.push(lanes.enter("acme", SOON).await.unwrap());
        }
        assert_eq!(lanes.enter("acme", SOON).await.unwrap_err().limit, LANES_MAX);
        lanes.enter("other", SOON).await.unwrap();
        let (waiting, ()) = tokio::join!(lanes.enter("acme", Duration::from_secs(10)), async {
            tokio::task::yield_now().await;
            held.pop();
        });
        waiting.unwrap();
    }

    #[tokio::test]
    async fn owners_without_a_fetch_are_forgotten() {
        let lanes = Lanes::default();
        let _held = lanes.enter("acme", SOON).await.unwrap();
        for n in 0..2 * OWNERS_KEPT {
            lanes.enter(&n.to_string(), SOON).await.unwrap();
        }
        let owners = lanes.0.lock().unwrap();
        assert!(owners.len() <= OWNERS_KEPT && owners.contains_key("acme"));
    }
}
