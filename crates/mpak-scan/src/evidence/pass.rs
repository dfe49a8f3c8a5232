//! Work on many files side by side: largest first, on threads of their own, put together in the order of the bundle.
//!
//! What comes out is the same with any number of threads.

use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::GatherError;
use super::source::Item;
use crate::code::STACK_BYTES;

/// Most threads: each holds a file and its syntax tree.
const THREADS_COUNT_MAX: usize = 4;
/// Work that is worth another thread.
const THREAD_BYTES: u64 = 256 << 10;

/// How many threads, for files of so many bytes.
pub(super) fn threads(wanted: Option<usize>, bytes: u64) -> usize {
    let wanted = wanted.unwrap_or_else(|| {
        let there = thread::available_parallelism().map_or(1, usize::from).min(THREADS_COUNT_MAX);
        there.min(usize::try_from(1 + bytes / THREAD_BYTES).unwrap_or(there))
    });
    wanted.max(1)
}

/// Numbers of files, the largest first, so that none is left for last.
pub(super) fn largest_first(items: &[Item], numbers: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut order: Vec<usize> = numbers.collect();
    order.sort_by_key(|number| (std::cmp::Reverse(items[*number].bytes), *number));
    order
}

/// Runs `look` on every file, each worker with a buffer of its own, and gives the results by number.
///
/// # Errors
/// That of the first file in the order of the bundle, whichever thread met its own first.
pub(super) fn every<T: Send>(
    order: &[usize],
    threads: usize,
    look: &(impl Fn(usize, &mut Vec<u8>) -> Result<T, GatherError> + Sync),
) -> Result<Vec<(usize, T)>, GatherError> {
    let next = AtomicUsize::new(0);
    let work = || {
        let (mut done, mut failed, mut buffer) = (Vec::new(), None, Vec::new());
        while let Some(number) = order.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
            match look(number, &mut buffer) {
                Ok(looked) => done.push((number, looked)),
                Err(error) if failed.as_ref().is_none_or(|(first, _)| number < *first) => {
                    failed = Some((number, error));
                }
                Err(_) => {}
            }
        }
        (done, failed)
    };
    let parts = thread::scope(|scope| {
        let mut running = Vec::new();
        for _ in 0..threads.min(order.len()) {
            let thread = thread::Builder::new().name("scan".to_owned()).stack_size(STACK_BYTES);
            match thread.spawn_scoped(scope, work) {
                Ok(handle) => running.push(handle),
                // The ones that run do all the work.
                Err(_) if !running.is_empty() => break,
                Err(source) => return Err(GatherError::Thread { source }),
            }
        }
        Ok(running
            .into_iter()
            .map(|handle| handle.join().unwrap_or_else(|e| panic::resume_unwind(e)))
            .collect::<Vec<_>>())
    })?;
    let mut all: Vec<(usize, T)> = Vec::with_capacity(order.len());
    let mut first = None;
    for (done, failed) in parts {
        all.extend(done);
        first = first.into_iter().chain(failed).min_by_key(|(number, _)| *number);
    }
    match first {
        Some((_, error)) => Err(error),
        None => {
            all.sort_unstable_by_key(|(number, _)| *number);
            Ok(all)
        }
    }
}

/// Runs on a thread whose stack is large enough for syntax trees.
///
/// # Errors
/// [`GatherError::Thread`].
pub(super) fn on_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, GatherError> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("scan".to_owned()).stack_size(STACK_BYTES).spawn_scoped(scope, work);
        let joined = thread.map_err(|source| GatherError::Thread { source })?.join();
        Ok(joined.unwrap_or_else(|panic| panic::resume_unwind(panic)))
    })
}

/// Does two things side by side, the second on a thread of its own.
///
/// # Errors
/// [`GatherError::Thread`].
pub(super) fn both<A, B: Send>(
    first: impl FnOnce() -> A,
    second: impl FnOnce() -> B + Send,
) -> Result<(A, B), GatherError> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("scan".to_owned()).stack_size(STACK_BYTES);
        let running = thread.spawn_scoped(scope, second).map_err(|source| GatherError::Thread { source })?;
        Ok((first(), running.join().unwrap_or_else(|panic| panic::resume_unwind(panic))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(bytes: u64) -> Item {
        Item { path: String::new(), bytes, executable: false }
    }

    #[test]
    fn results_and_errors_do_not_depend_on_the_number_of_threads() {
        let items: Vec<Item> = (0..500).map(|n| item(n * 7919 % 501)).collect();
        let order = largest_first(&items, 0..items.len());
        assert!(order.windows(2).all(|pair| items[pair[0]].bytes >= items[pair[1]].bytes));
        for threads in [1, 4, 9] {
            let all = every(&order, threads, &|number, _| Ok(number * 2)).unwrap();
            assert!(all.iter().enumerate().all(|(at, one)| *one == (at, at * 2)) && all.len() == 500);
            let failed = every(&order, threads, &|number, _| match number {
                7 | 300 | 499 => {
                    Err(GatherError::Io { path: number.to_string(), source: std::io::ErrorKind::Other.into() })
                }
                _ => Ok(()),
            });
            assert!(matches!(failed, Err(GatherError::Io { path, .. }) if path == "7"));
        }
    }
}
