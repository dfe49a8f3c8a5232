//! Counts by key. The database hands out keys one after the other, so nearly all stand in an array by
//! their key: a list that is ordered by downloads asks for the count of every package.

use std::collections::HashMap;

/// Keys that are always worth an array.
const NEAR_MIN: usize = 1_024;
/// Places of the array for each count, at most.
const NEAR_FACTOR: usize = 4;

/// Counts; 0 for a key that was never counted.
#[derive(Debug, Default)]
pub(super) struct Table {
    near: Vec<u64>,
    /// Keys beyond the array.
    far: HashMap<i64, u64>,
    /// Counts that are not 0, at least.
    used: usize,
}

impl Table {
    /// The count of a key.
    #[inline]
    pub(super) fn get(&self, key: i64) -> u64 {
        match usize::try_from(key).ok().and_then(|key| self.near.get(key)) {
            Some(count) => *count,
            None => self.far.get(&key).copied().unwrap_or(0),
        }
    }

    /// Counts more.
    pub(super) fn add(&mut self, key: i64, more: u64) {
        self.set(key, self.get(key) + more);
    }

    /// Replaces a count and gives the one before.
    pub(super) fn set(&mut self, key: i64, count: u64) -> u64 {
        let before = self.get(key);
        if before == count {
            return before;
        }
        self.used += usize::from(before == 0);
        if let Ok(place) = usize::try_from(key)
            && place < NEAR_MIN.max(self.used.saturating_mul(NEAR_FACTOR)).max(self.near.len())
        {
            self.reach(place);
            self.near[place] = count;
        } else {
            self.far.insert(key, count);
        }
        before
    }

    /// Makes the array long enough for a place.
    fn reach(&mut self, place: usize) {
        if place < self.near.len() {
            return;
        }
        self.near.resize((place + 1).max(self.near.len() + self.near.len() / 2), 0);
        let near = &mut self.near;
        self.far.retain(|key, count| match usize::try_from(*key).ok().and_then(|place| near.get_mut(place)) {
            Some(place) => {
                *place = *count;
                false
            }
            None => true,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::words::Random;

    #[test]
    fn every_key_has_its_count_and_strange_keys_cost_no_memory() {
        for seed in 0..40 {
            let mut random = Random::new(seed, 9);
            let (mut table, mut expected) = (Table::default(), HashMap::<i64, u64>::new());
            for _ in 0..5_000 {
                let reach = 1 << (4 + random.below(14));
                let key = match random.below(20) {
                    0 => i64::MAX - i64::try_from(random.below(9)).unwrap(),
                    1 => -i64::try_from(random.below(9)).unwrap(),
                    _ => i64::try_from(random.below(reach)).unwrap(),
                };
                let count = random.below(4);
                if random.below(3) == 0 {
                    assert_eq!(table.set(key, count), expected.insert(key, count).unwrap_or(0));
                } else {
                    table.add(key, count);
                    *expected.entry(key).or_default() += count;
                }
            }
            for (key, count) in &expected {
                assert_eq!(table.get(*key), *count, "{key}");
            }
            assert_eq!((table.get(i64::MIN), table.get(1 << 40)), (0, 0));
            assert!(table.near.len() <= 2 * NEAR_MIN.max(table.used * NEAR_FACTOR), "{}", table.near.len());
        }
    }
}
