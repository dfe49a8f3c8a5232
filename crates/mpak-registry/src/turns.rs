//! Turns: publishes of the same artifact go one after the other; others do not wait.

use std::hash::{DefaultHasher, Hash, Hasher as _};

use tokio::sync::{Mutex, MutexGuard};

/// Locks by key, bounded in memory: keys that share a lock merely wait for each other.
pub(crate) struct Turns(Vec<Mutex<()>>);

impl Turns {
    /// With this many locks.
    pub(crate) fn new(locks_count: usize) -> Self {
        Self((0..locks_count.max(1)).map(|_| Mutex::new(())).collect())
    }

    /// Waits for the turn of a key; it ends when the guard is dropped.
    pub(crate) async fn take(&self, key: &impl Hash) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let index = usize::try_from(hasher.finish() % self.0.len() as u64).unwrap_or(0);
        self.0[index].lock().await
    }
}
