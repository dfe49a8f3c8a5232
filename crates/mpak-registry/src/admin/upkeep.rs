//! What backup, restore, verify and reindex share; bringing the database up to date; making again what is
//! derived.

use std::io;

use serde::Serialize;
use thiserror::Error;

use super::{AdminError, existing, with_db};
use crate::blob::{BlobError, Blobs};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::{Db, DbError, packages, reindexes, verify};

/// Why a registry was not kept up.
#[derive(Debug, Error)]
pub enum UpkeepError {
    /// As for all administration.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The storage cannot be opened.
    #[error("cannot use the storage")]
    Storage(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A blob cannot be read or written.
    #[error("a blob cannot be read or written")]
    Blob(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A file or folder of a backup.
    #[error("cannot use `{path}`")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Where the backup goes there is something already.
    #[error("`{path}` exists already")]
    Exists {
        /// What was given.
        path: String,
    },
    /// What is to be restored is no backup of ours, or not whole.
    #[error("`{path}` is not a whole backup: {reason}")]
    NotWhole {
        /// Which file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The registry that is restored into holds something.
    #[error("the registry is not empty: `{table}` holds {rows} rows")]
    NotEmpty {
        /// A table.
        table: String,
        /// Its rows.
        rows: i64,
    },
    /// A server runs on the data folder.
    #[error("cannot take the data folder")]
    InUse(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<DbError> for UpkeepError {
    fn from(error: DbError) -> Self {
        Self::Admin(error.into())
    }
}

impl From<BlobError> for UpkeepError {
    fn from(error: BlobError) -> Self {
        Self::Blob(Box::new(error))
    }
}

/// Opens database and storage, works, closes them. A mistyped place is told instead of created.
pub(super) fn with_registry<T>(
    config: &Config,
    work: impl AsyncFnOnce(&Db, &Blobs) -> Result<T, UpkeepError>,
) -> Result<T, UpkeepError> {
    existing(config)?;
    with_db(config, async |db| {
        let blobs = open_blobs(config)?;
        work(db, &blobs).await
    })
}

pub(super) fn open_blobs(config: &Config) -> Result<Blobs, UpkeepError> {
    let file = |source| UpkeepError::File { path: config.tmp().display().to_string(), source };
    std::fs::create_dir_all(config.tmp()).map_err(file)?;
    Blobs::open(&config.storage, &config.outbound, &config.tmp()).map_err(|e| UpkeepError::Storage(Box::new(e)))
}

/// Brings the database's schema up to date; a new one is made where there is none.
///
/// # Errors
/// [`AdminError`].
pub fn migrate(config: &Config) -> Result<(), AdminError> {
    with_db(config, async |_db| Ok(()))
}

/// What was made again.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Reindexed {
    /// Packages whose latest version was chosen again.
    pub packages: u64,
    /// Failed jobs that are tried again.
    pub jobs: u64,
}

/// Makes again what follows from the database: latest versions here; search index and static files, wherever
/// they lie, by every server that runs on it, otherwise by the next start; failed scans by whoever scans.
///
/// # Errors
/// [`UpkeepError`].
pub fn reindex(config: &Config, clock: &Clock) -> Result<Reindexed, UpkeepError> {
    existing(config)?;
    with_db(config, async |db| {
        let ids = verify::package_ids(&mut *db.read().await?).await?;
        for id in &ids {
            let mut tx = db.write().await?;
            packages::choose_latest(&mut tx, *id).await?;
            tx.commit().await?;
        }
        let mut tx = db.update().await?;
        let jobs = verify::retry_failed_jobs(&mut tx, clock.now_ms()).await?;
        reindexes::ask(&mut tx, clock.now_ms()).await?;
        tx.commit().await?;
        Ok(Reindexed { packages: ids.len() as u64, jobs })
    })
}
