//! Buckets by key that refill evenly (the generic cell rate algorithm): per key one time, the moment at
//! which the bucket is full again. Memory is bounded: full buckets are forgotten, and when too many keys
//! are in use at once, those that used least go first.
//!
//! Spec: ITU-T I.371, GCRA as virtual scheduling.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const SHARDS: usize = 16;
/// Keys of one shard, at most.
const KEYS_MAX: usize = 4_096;

/// What taking one gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// One was there.
    Yes {
        /// So many are left.
        remaining: u32,
        /// The bucket is full again after this.
        reset: Duration,
    },
    /// None was; one is after this.
    No {
        /// How long.
        retry: Duration,
    },
}

/// See the module.
pub(super) struct Buckets<K> {
    /// What one costs; none when there is no limit.
    period: Option<Duration>,
    per_minute: u32,
    shards: Vec<Mutex<HashMap<K, Instant>>>,
    hasher: RandomState,
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    /// So many per minute, and as many at once; 0 is no limit.
    pub(super) fn new(per_minute: u32) -> Self {
        Self {
            period: (per_minute > 0).then(|| Duration::from_mins(1) / per_minute),
            per_minute,
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
        }
    }

    /// Takes one now, or none.
    pub(super) fn take(&self, key: &K, now: Instant) -> Taken {
        match self.reserve(key, now, Duration::ZERO) {
            Ok(_) => self.left(key, now),
            Err(retry) => Taken::No { retry },
        }
    }

    fn left(&self, key: &K, now: Instant) -> Taken {
        let Some(period) = self.period else { return Taken::Yes { remaining: u32::MAX, reset: Duration::ZERO } };
        let reset = self.shard(key).get(key).map_or(Duration::ZERO, |full| full.saturating_duration_since(now));
        let used = u32::try_from(reset.as_nanos().div_ceil(period.as_nanos().max(1))).unwrap_or(u32::MAX);
        Taken::Yes { remaining: self.per_minute.saturating_sub(used), reset }
    }

    /// Takes one for as soon as it is there, and says how long that is; nothing when it is longer than
    /// `wait_max`.
    pub(super) fn reserve(&self, key: &K, now: Instant, wait_max: Duration) -> Result<Duration, Duration> {
        let Some(period) = self.period else { return Ok(Duration::ZERO) };
        let burst = period * self.per_minute;
        let mut shard = self.shard(key);
        let full = shard.get(key).copied().unwrap_or(now).max(now) + period;
        let wait = full.saturating_duration_since(now + burst);
        if wait > wait_max {
            return Err(wait);
        }
        if shard.len() >= KEYS_MAX && !shard.contains_key(key) {
            make_room(&mut shard, now, burst);
        }
        shard.insert(key.clone(), full);
        Ok(wait)
    }

    fn shard(&self, key: &K) -> MutexGuard<'_, HashMap<K, Instant>> {
        let index = usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or(0);
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets full buckets; if that is not enough, the fuller half again and again.
fn make_room<K: Hash + Eq>(shard: &mut HashMap<K, Instant>, now: Instant, burst: Duration) {
    let mut bound = now;
    let mut step = burst / 2;
    shard.retain(|_, full| *full > bound);
    while shard.len() > KEYS_MAX / 2 && step > Duration::ZERO {
        bound += step;
        step /= 2;
        // All that are left are about equally empty: any of them may go.
        if step < burst / 1_024 {
            shard.clear();
        }
        shard.retain(|_, full| *full > bound);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_refills_evenly() {
        let buckets = Buckets::new(3);
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let yes = |remaining, seconds| Taken::Yes { remaining, reset: Duration::from_secs(seconds) };
        assert_eq!(buckets.take(&"a", at(0)), yes(2, 20));
        assert_eq!(buckets.take(&"a", at(0)), yes(1, 40));
        assert_eq!(buckets.take(&"a", at(0)), yes(0, 60));
        assert_eq!(buckets.take(&"a", at(5)), Taken::No { retry: Duration::from_secs(15) });
        assert_eq!(buckets.take(&"b", at(5)), yes(2, 20), "others have their own");
        assert_eq!(buckets.take(&"a", at(20)), yes(0, 60));
        assert_eq!(buckets.take(&"a", at(1_000)), yes(2, 20));
    }

    #[test]
    fn places_are_reserved_up_to_the_longest_wait() {
        let buckets = Buckets::new(2);
        let now = Instant::now();
        let seconds = Duration::from_secs;
        for expect in [Ok(0), Ok(0), Ok(30), Ok(60), Err(90), Err(90)] {
            let expect = expect.map(seconds).map_err(seconds);
            assert_eq!(buckets.reserve(&"a", now, seconds(60)), expect);
        }
        assert_eq!(buckets.reserve(&"b", now, seconds(60)), Ok(seconds(0)));
    }

    #[test]
    fn no_limit_is_no_limit() {
        let buckets = Buckets::new(0);
        let now = Instant::now();
        assert!((0..10_000).all(|_| matches!(buckets.take(&"a", now), Taken::Yes { .. })));
    }

    #[test]
    fn memory_is_bounded_and_the_greedy_are_remembered() {
        let buckets = Buckets::new(60);
        let now = Instant::now();
        for _ in 0..60 {
            buckets.take(&u32::MAX, now);
        }
        for key in 0..200_000_u32 {
            buckets.take(&key, now);
        }
        let keys: usize = buckets.shards.iter().map(|s| s.lock().unwrap().len()).sum();
        assert!(keys <= SHARDS * KEYS_MAX, "{keys}");
        assert!(matches!(buckets.take(&u32::MAX, now), Taken::No { .. }), "the greedy one is not forgotten");
    }
}
