//! The database: one folder with all SQL, one file per table or aggregate.
//!
//! SQLite in WAL mode. Reading uses a small pool; writing goes through one connection that takes the
//! write lock at once (`BEGIN IMMEDIATE`), so that two writers of this process wait in line instead of
//! failing, and writers of other processes (`mpak admin`) wait in `busy_timeout`. Every commit is synced
//! to disk before it is acknowledged. Functions take a connection or transaction; placeholders are `$1`
//! so that the same text serves PostgreSQL.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, Transaction};
use thiserror::Error;

pub(crate) mod artifacts;
pub(crate) mod blobs;
pub(crate) mod downloads;
pub(crate) mod events;
pub(crate) mod jobs;
pub(crate) mod packages;
pub(crate) mod scans;
pub(crate) mod tokens;
pub(crate) mod versions;

/// The database, in the data folder.
pub(crate) const FILE: &str = "registry.db";

/// A connection or, dereferenced, a transaction.
pub(crate) type Connection = sqlx::SqliteConnection;
/// A transaction that holds the write lock; rolled back unless committed.
pub(crate) type Write = Transaction<'static, Sqlite>;
/// A connection of the read pool.
pub(crate) type Read = PoolConnection<Sqlite>;

/// How long a writer waits for a writer of another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(15);
/// Readers at the same time.
const READERS_MAX: u32 = 4;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");

/// Why the database gave no answer.
#[derive(Debug, Error)]
pub(crate) enum DbError {
    /// The data folder cannot be locked for migration.
    #[error("cannot lock `{path}`")]
    Lock {
        /// The lock file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The schema cannot be brought up to date.
    #[error("cannot bring the database up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// Everything else.
    #[error("the database failed")]
    Sql(#[from] sqlx::Error),
    /// The machine gives no randomness for a token.
    #[error("no randomness: {0}")]
    Random(String),
    /// A stored value that this program would never write.
    #[error("the database holds an invalid {what}: `{found}`")]
    Corrupt {
        /// Kind of value.
        what: &'static str,
        /// The value.
        found: String,
    },
}

/// What `db` functions give.
pub(crate) type DbResult<T> = Result<T, DbError>;

/// The open database.
#[derive(Clone)]
pub(crate) struct Db {
    read: SqlitePool,
    write: SqlitePool,
}

impl Db {
    /// Opens or creates `registry.db` in a data folder and brings its schema up to date.
    ///
    /// # Errors
    /// [`DbError`].
    pub(crate) async fn open(data: &Path) -> DbResult<Self> {
        let any = SqliteConnectOptions::new().filename(data.join(FILE)).foreign_keys(true).busy_timeout(BUSY_TIMEOUT);
        let writer = any
            .clone()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let write = SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        let write = {
            // SQLite's migrator takes no lock of its own: two processes could migrate at once.
            let _lock = lock(data).await?;
            let write = write.connect_with(writer).await?;
            MIGRATIONS.run(&write).await?;
            write
        };
        let read = SqlitePoolOptions::new()
            .min_connections(1)
            .max_connections(READERS_MAX)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(any.read_only(true))
            .await?;
        Ok(Self { read, write })
    }

    /// A connection for reading.
    ///
    /// # Errors
    /// [`DbError::Sql`].
    pub(crate) async fn read(&self) -> DbResult<Read> {
        Ok(self.read.acquire().await?)
    }

    /// A transaction that holds the write lock from its start.
    ///
    /// # Errors
    /// [`DbError::Sql`].
    pub(crate) async fn write(&self) -> DbResult<Write> {
        Ok(self.write.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`DbError::Sql`].
    pub(crate) async fn ping(&self) -> DbResult<()> {
        sqlx::query("SELECT 1").execute(&self.read).await?;
        Ok(())
    }

    /// Waits for running statements, folds the write-ahead log back and closes.
    pub(crate) async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

/// Holds `migrate.lock` until dropped.
async fn lock(data: &Path) -> DbResult<File> {
    let path = data.join("migrate.lock");
    let error = |source| DbError::Lock { path: path.display().to_string(), source };
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(error)?;
    let locked = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await;
    locked.map_err(|e| error(std::io::Error::other(e)))?.map_err(error)
}

/// A digest as the database keeps it.
pub(crate) fn digest(bytes: &[u8]) -> DbResult<mpak_bundle::digest::Sha256> {
    <[u8; 32]>::try_from(bytes)
        .map(mpak_bundle::digest::Sha256::from_bytes)
        .map_err(|_wrong_length| DbError::Corrupt { what: "digest", found: format!("{} bytes", bytes.len()) })
}

/// A count or size, never negative in our tables.
pub(crate) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// A count or size on its way into the database.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
