//! Download counts: counted in memory, written to the database at most a second later and at shutdown.
//!
//! Reads see every counted download at once. A kill loses at most the last second; a failed write keeps
//! its counts for the next one.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::TryStreamExt as _;

use crate::db::{Db, DbResult, downloads, unsigned};

/// One downloaded artifact, and where it belongs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    pub(crate) artifact: i64,
    pub(crate) version: i64,
    pub(crate) package: i64,
}

/// The counts of one registry.
#[derive(Default)]
pub(crate) struct Counts(Mutex<Tables>);

#[derive(Default)]
struct Tables {
    versions: HashMap<i64, u64, ByKey>,
    packages: HashMap<i64, u64, ByKey>,
    /// By artifact; counted and not yet in the database.
    pending: HashMap<i64, u64>,
}

impl Counts {
    /// Reads what was counted so far.
    pub(crate) async fn load(db: &Db) -> DbResult<Self> {
        let mut tables = Tables::default();
        let mut read = db.read().await?;
        let mut rows = std::pin::pin!(downloads::all(&mut read));
        while let Some(row) = rows.try_next().await? {
            *tables.versions.entry(row.version_id).or_default() += unsigned(row.downloads);
            *tables.packages.entry(row.package_id).or_default() += unsigned(row.downloads);
        }
        Ok(Self(Mutex::new(tables)))
    }

    /// Counts one download.
    pub(crate) fn add(&self, counted: Counted) {
        let mut tables = self.tables();
        *tables.versions.entry(counted.version).or_default() += 1;
        *tables.packages.entry(counted.package).or_default() += 1;
        *tables.pending.entry(counted.artifact).or_default() += 1;
    }

    /// Downloads of all versions of a package.
    pub(crate) fn package(&self, id: i64) -> u64 {
        self.tables().packages.get(&id).copied().unwrap_or(0)
    }

    /// The counts of packages, for looking up many at once.
    pub(crate) fn lookup(&self) -> Lookup<'_> {
        Lookup(self.tables())
    }

    /// Downloads of all artifacts of a version.
    pub(crate) fn version(&self, id: i64) -> u64 {
        self.tables().versions.get(&id).copied().unwrap_or(0)
    }

    /// Writes what is pending, in one transaction.
    pub(crate) async fn flush(&self, db: &Db) -> DbResult<()> {
        let pending = std::mem::take(&mut self.tables().pending);
        if pending.is_empty() {
            return Ok(());
        }
        let written = write(db, &pending).await;
        if written.is_err() {
            let mut tables = self.tables();
            for (id, more) in pending {
                *tables.pending.entry(id).or_default() += more;
            }
        }
        written
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Spreads our own keys, which nobody chooses, by one multiplication: a list that is ordered by downloads asks
/// for the count of every package.
#[derive(Default)]
struct KeyHasher(u64);

type ByKey = BuildHasherDefault<KeyHasher>;

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_i64(i64::from(*byte)));
    }

    fn write_i64(&mut self, key: i64) {
        self.0 = (self.0 ^ key.cast_unsigned()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// Counts of packages; no download is counted while it lives.
pub(crate) struct Lookup<'a>(MutexGuard<'a, Tables>);

impl Lookup<'_> {
    /// Downloads of all versions of a package.
    pub(crate) fn package(&self, id: i64) -> u64 {
        self.0.packages.get(&id).copied().unwrap_or(0)
    }
}

async fn write(db: &Db, pending: &HashMap<i64, u64>) -> DbResult<()> {
    let mut tx = db.update().await?;
    for (&artifact_id, &more) in pending {
        downloads::add(&mut tx, artifact_id, more).await?;
    }
    tx.commit().await
}
