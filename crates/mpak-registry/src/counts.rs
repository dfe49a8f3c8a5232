//! Download counts: counted in memory, written to the database at most a second later and at shutdown.
//!
//! Reads see every download that this process counted at once, and those of other replicas once they are
//! written and read, within about two seconds. A kill loses at most the last second; a failed write keeps its
//! counts for the next one.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use futures_util::TryStreamExt as _;
use tokio::sync::watch;

use crate::db::{Db, DbResult, downloads, unsigned};
use crate::state::AppState;

mod table;

use table::Table;

/// How often counts are written and read.
const FLUSH: Duration = Duration::from_millis(800);
/// After so long, what any replica counted before is in the database, unless the database was away.
pub(crate) const WRITTEN_WITHIN: Duration = Duration::from_secs(2);
/// A change may become visible so much later than its time says: the write that made it took long.
const LATE_MS: i64 = 10_000;

/// One downloaded artifact, and where it belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Counted {
    pub(crate) artifact: i64,
    pub(crate) version: i64,
    pub(crate) package: i64,
}

/// The counts of one registry. Searches look into them at the same time.
#[derive(Default)]
pub(crate) struct Counts(RwLock<Tables>);

#[derive(Default)]
struct Tables {
    versions: Table,
    packages: Table,
    /// Counted and not yet in the database.
    pending: HashMap<Counted, u64>,
    /// Changes up to here were read, by the database's clock.
    read_through_ms: i64,
}

impl Counts {
    /// Reads what was counted so far.
    pub(crate) async fn load(db: &Db) -> DbResult<Self> {
        let mut tables = Tables::default();
        let mut read = db.read().await?;
        tables.read_through_ms = downloads::last_change_ms(&mut read).await?;
        let mut rows = std::pin::pin!(downloads::all(&mut read));
        while let Some(row) = rows.try_next().await? {
            tables.versions.add(row.version_id, unsigned(row.downloads));
            tables.packages.add(row.package_id, unsigned(row.downloads));
        }
        Ok(Self(RwLock::new(tables)))
    }

    /// Counts one download.
    pub(crate) fn add(&self, counted: Counted) {
        let mut tables = self.change();
        tables.versions.add(counted.version, 1);
        tables.packages.add(counted.package, 1);
        *tables.pending.entry(counted).or_default() += 1;
    }

    /// Downloads of all versions of a package.
    pub(crate) fn package(&self, id: i64) -> u64 {
        self.read().packages.get(id)
    }

    /// The counts of packages, for looking up many at once.
    pub(crate) fn lookup(&self) -> Lookup<'_> {
        Lookup(self.read())
    }

    /// Downloads of all artifacts of a version.
    pub(crate) fn version(&self, id: i64) -> u64 {
        self.read().versions.get(id)
    }

    /// Writes what is pending, in one transaction.
    pub(crate) async fn flush(&self, db: &Db) -> DbResult<()> {
        let pending = std::mem::take(&mut self.change().pending);
        if pending.is_empty() {
            return Ok(());
        }
        let written = write(db, &pending).await;
        if written.is_err() {
            let mut tables = self.change();
            for (counted, more) in pending {
                *tables.pending.entry(counted).or_default() += more;
            }
        }
        written
    }

    /// Takes over what other replicas wrote. Never while a write of ours is on its way.
    pub(crate) async fn take_over(&self, db: &Db) -> DbResult<()> {
        let since_ms = self.read().read_through_ms - LATE_MS;
        let mut read = db.read().await?;
        let through_ms = downloads::last_change_ms(&mut read).await?;
        let changed = downloads::changed_after(&mut read, since_ms).await?;
        self.change().replace(&changed, through_ms);
        Ok(())
    }

    fn read(&self) -> RwLockReadGuard<'_, Tables> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> RwLockWriteGuard<'_, Tables> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    /// The database's counts of some versions, with what it does not know yet on top.
    fn replace(&mut self, changed: &[downloads::Count], through_ms: i64) {
        let mut pending: HashMap<i64, u64> = HashMap::new();
        for (counted, more) in &self.pending {
            *pending.entry(counted.version).or_default() += more;
        }
        for count in changed {
            let now = unsigned(count.downloads) + pending.get(&count.version_id).copied().unwrap_or(0);
            let before = self.versions.set(count.version_id, now);
            let package = self.packages.get(count.package_id);
            self.packages.set(count.package_id, (package + now).saturating_sub(before));
        }
        self.read_through_ms = through_ms;
    }
}

/// Writes and reads counts now and then until told to stop; the last ones are written by the server's stop.
pub(crate) async fn keep(state: AppState, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(FLUSH) => {}
            _ = stop.changed() => return,
        }
        if let Some(metrics) = &state.metrics {
            metrics.fold();
        }
        if let Err(error) = state.counts.flush(&state.db).await {
            tracing::error!(error = %error, "download counts were not written; they are kept for the next try");
        }
        if state.db.is_shared()
            && let Err(error) = state.counts.take_over(&state.db).await
        {
            tracing::error!(error = %error, "download counts of other replicas were not read");
        }
    }
}

/// Counts of packages; no download is counted while it lives.
pub(crate) struct Lookup<'a>(RwLockReadGuard<'a, Tables>);

impl Lookup<'_> {
    /// Downloads of all versions of a package.
    pub(crate) fn package(&self, id: i64) -> u64 {
        self.0.packages.get(id)
    }

    /// Downloads of all artifacts of a version.
    pub(crate) fn version(&self, id: i64) -> u64 {
        self.0.versions.get(id)
    }
}

async fn write(db: &Db, pending: &HashMap<Counted, u64>) -> DbResult<()> {
    let mut more: Vec<(i64, u64)> = pending.iter().map(|(counted, more)| (counted.artifact, *more)).collect();
    more.sort_unstable();
    let mut tx = db.update().await?;
    downloads::add(&mut tx, &more).await?;
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_others_replace_ours_but_for_what_is_not_written_yet() {
        let counts = Counts::default();
        for _ in 0..2 {
            counts.add(Counted { artifact: 1, version: 10, package: 100 });
        }
        counts.add(Counted { artifact: 2, version: 20, package: 100 });
        let changed = [downloads::Count { version_id: 10, package_id: 100, downloads: 5 }];
        for _ in 0..2 {
            counts.change().replace(&changed, 7);
            assert_eq!((counts.version(10), counts.version(20), counts.package(100)), (7, 1, 8));
        }
    }
}
