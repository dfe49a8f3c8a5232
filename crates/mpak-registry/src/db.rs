//! The database: one folder with all SQL, one file per table or aggregate; SQLite or PostgreSQL.
//!
//! One text serves both: placeholders are `$1`, integers 64 bits wide, digests bytes, times milliseconds,
//! flags 0 and 1. [`on!`] runs it on whichever database a connection is of; the few differences stand in
//! [`dialect!`]. Functions take a connection or transaction.
//!
//! [`Db::write`] is for whatever appends to `events`: it holds the registry's one write turn, so that
//! events commit in the order of their numbers and a check made in it still holds at its commit. On
//! SQLite that is the write lock (`BEGIN IMMEDIATE`, one connection); on PostgreSQL an advisory lock that
//! all replicas share. [`Db::update`] is for rows that nobody else orders by (jobs, counts, sessions).
//! Every commit is on disk before it is acknowledged.

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Postgres, Sqlite, Transaction};
use thiserror::Error;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::config::Database;

pub(crate) mod artifacts;
pub(crate) mod attestations;
pub(crate) mod blobs;
pub(crate) mod catalogue;
pub(crate) mod device_grants;
pub(crate) mod downloads;
pub(crate) mod dump;
pub(crate) mod events;
pub(crate) mod jobs;
pub(crate) mod owners;
pub(crate) mod packages;
pub(crate) mod reindexes;
pub(crate) mod reservations;
pub(crate) mod scans;
pub(crate) mod scopes;
pub(crate) mod servers;
pub(crate) mod sessions;
pub(crate) mod sign_in_links;
pub(crate) mod sign_ins;
pub(crate) mod spent_identities;
pub(crate) mod stock;
pub(crate) mod tokens;
pub(crate) mod tombstones;
pub(crate) mod transfers;
pub(crate) mod trusted_publishers;
pub(crate) mod user_admin;
pub(crate) mod users;
pub(crate) mod verify;
pub(crate) mod versions;
pub(crate) mod yanks;

/// SQLite's file, in the data folder.
pub(crate) const FILE: &str = "registry.db";

/// How long a writer waits for another one, of this process or of another.
const BUSY_TIMEOUT: Duration = Duration::from_secs(15);
/// Readers of SQLite at the same time.
const READERS_MAX: u32 = 4;
/// Connections of a replica to PostgreSQL.
const CONNECTIONS_MAX: u32 = 16;
/// How long a request waits for a connection to PostgreSQL.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer of PostgreSQL is waited for; longer than the server's own limits, which tell more.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(22);
/// How long a connection may take to show that it is alive.
const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a start waits for a PostgreSQL that is starting, too.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// Key of PostgreSQL's advisory lock for [`Db::write`]: `mpak` in ASCII.
const WRITE_TURN: i64 = 0x6d70_616b;

static SQLITE_MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES_MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/postgres");

/// A connection or transaction of either database.
pub(crate) enum Connection {
    Sqlite(PoolConnection<Sqlite>),
    SqliteTransaction(Transaction<'static, Sqlite>),
    Postgres(PoolConnection<Postgres>),
    PostgresTransaction(Transaction<'static, Postgres>),
    /// See [`Db::snapshot`]; waits for its answers as long as they take.
    PostgresSnapshot(Transaction<'static, Postgres>),
}

/// What a statement runs on.
pub(crate) enum Backend<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

impl Connection {
    /// The connection itself.
    pub(crate) fn backend(&mut self) -> Backend<'_> {
        match self {
            Self::Sqlite(c) => Backend::Sqlite(c),
            Self::SqliteTransaction(c) => Backend::Sqlite(c),
            Self::Postgres(c) => Backend::Postgres(c),
            Self::PostgresTransaction(c) | Self::PostgresSnapshot(c) => Backend::Postgres(c),
        }
    }

    /// How long an answer of PostgreSQL is waited for.
    pub(crate) fn patience(&self) -> Option<Duration> {
        matches!(self, Self::Postgres(_) | Self::PostgresTransaction(_)).then_some(ANSWER_TIMEOUT)
    }

    /// Whether it is PostgreSQL.
    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_) | Self::PostgresTransaction(_) | Self::PostgresSnapshot(_))
    }
}

/// Evaluates an expression with `$c` as the connection of either database.
macro_rules! on {
    ($c:ident => $run:expr) => {{
        let patience = $c.patience();
        match $c.backend() {
            $crate::db::Backend::Sqlite($c) => $run,
            $crate::db::Backend::Postgres($c) => $crate::db::answered(patience, async { $run }).await,
        }
    }};
}

/// The same for what gives its rows one after the other, without a limit: nobody's request waits for it.
macro_rules! rows {
    ($c:ident => $run:expr) => {
        match $c.backend() {
            $crate::db::Backend::Sqlite($c) => $run,
            $crate::db::Backend::Postgres($c) => $run,
        }
    };
}

/// Executes a statement and gives the number of rows that it touched.
macro_rules! execute {
    ($c:ident => $query:expr) => {{
        let patience = $c.patience();
        match $c.backend() {
            $crate::db::Backend::Sqlite($c) => $query.execute($c).await.map(|done| done.rows_affected()),
            $crate::db::Backend::Postgres($c) => {
                $crate::db::answered(patience, $query.execute($c)).await.map(|done| done.rows_affected())
            }
        }
    }};
}

/// The text for the connection's database, where one text cannot serve both.
macro_rules! dialect {
    ($c:ident, sqlite: $sqlite:expr, postgres: $postgres:expr $(,)?) => {
        if $c.is_postgres() { $postgres } else { $sqlite }
    };
}

pub(crate) use {dialect, execute, on, rows};

/// Waits for PostgreSQL's answer, but not for ever: a server that is frozen or a way to it that swallows
/// everything ends no connection, and keeps to no limit of its own.
pub(crate) async fn answered<T>(
    patience: Option<Duration>,
    answer: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<T> {
    let Some(patience) = patience else { return answer.await };
    match tokio::time::timeout(patience, answer).await {
        Ok(answer) => answer,
        Err(_elapsed) => Err(silent(patience)),
    }
}

fn silent(patience: Duration) -> sqlx::Error {
    let message = format!("PostgreSQL did not answer for {} seconds", patience.as_secs());
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, message))
}

/// A connection for reading.
pub(crate) struct Read(Connection);

impl Deref for Read {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl DerefMut for Read {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.0
    }
}

/// A transaction; rolled back unless committed.
pub(crate) struct Write {
    connection: Connection,
    /// Held until the end.
    turn: Option<OwnedMutexGuard<()>>,
}

impl Deref for Write {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Write {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

impl Write {
    /// Makes it last.
    ///
    /// # Errors
    /// [`DbError::Sql`].
    pub(crate) async fn commit(self) -> DbResult<()> {
        match self.connection {
            Connection::SqliteTransaction(tx) => Ok(tx.commit().await?),
            Connection::PostgresTransaction(tx) => Ok(answered(Some(ANSWER_TIMEOUT), tx.commit()).await?),
            Connection::Sqlite(_) | Connection::Postgres(_) | Connection::PostgresSnapshot(_) => Ok(()),
        }
    }
}

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
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// What this program would write does not fit what is there.
    #[error("a newer version of mpak changed the database; its migration {migration} is not known here")]
    Newer {
        /// The first one that is not known.
        migration: i64,
    },
    /// Everything else.
    #[error("the database failed")]
    Sql(#[from] sqlx::Error),
    /// Too many wait for the write turn.
    #[error("no write turn within {} seconds", BUSY_TIMEOUT.as_secs())]
    Busy,
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

impl From<sqlx::migrate::MigrateError> for DbError {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        match error {
            sqlx::migrate::MigrateError::VersionMissing(migration) => Self::Newer { migration },
            error => Self::Migrate(error),
        }
    }
}

impl DbError {
    /// Whether it may work again by itself: the database is gone, restarting, or has too much to do.
    pub(crate) fn is_unavailable(&self) -> bool {
        match self {
            Self::Busy => true,
            Self::Sql(error) | Self::Migrate(sqlx::migrate::MigrateError::Execute(error)) => is_unavailable(error),
            _ => false,
        }
    }

    /// Whether there is no room for more on the database's disk: `SQLITE_FULL`, and `SQLITE_IOERR_SHMSIZE` for
    /// the index of its write-ahead log; PostgreSQL's `disk_full`.
    pub(crate) fn is_full(&self) -> bool {
        let codes = ["13", "4874", "53100"];
        matches!(self, Self::Sql(sqlx::Error::Database(e)) if e.code().is_some_and(|code| codes.contains(&&*code)))
    }

    /// Whether a text holds what PostgreSQL cannot keep: U+0000.
    pub(crate) fn is_text_refused(&self) -> bool {
        matches!(self, Self::Sql(sqlx::Error::Database(e)) if e.code().as_deref() == Some("22021"))
    }
}

fn is_unavailable(error: &sqlx::Error) -> bool {
    use sqlx::Error as E;
    match error {
        E::Io(_) | E::Tls(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed => true,
        // Whoever stands before the server takes the connection and ends it at once: there is no server.
        E::Protocol(text) => text.starts_with("unexpected response from SSLRequest"),
        E::Database(e) => e.code().is_some_and(|code| {
            // PostgreSQL's classes: the connection, no resources, ended by the operator, no such user.
            let classes = ["08", "53", "57P", "28"];
            // A timeout of a statement, a lock or a transaction; a conflict; no such or no open database.
            let codes = ["57014", "55P03", "25P03", "40001", "40P01", "3D000", "55000"];
            // SQLite's: busy, locked.
            let sqlite = code.parse::<u32>().is_ok_and(|n| n < 10_000 && matches!(n & 0xff, 5 | 6));
            sqlite || (code.len() == 5 && (classes.iter().any(|c| code.starts_with(c)) || codes.contains(&&*code)))
        }),
        _ => false,
    }
}

/// What `db` functions give.
pub(crate) type DbResult<T> = Result<T, DbError>;

/// Whether a text of an asker can be held against a column: PostgreSQL fails on NUL, which no text there has.
pub(crate) fn is_text(asked: &str) -> bool {
    !asked.contains('\0')
}

/// See [`Db::try_turn`].
pub(crate) enum Turn {
    /// Ours until this is dropped.
    Mine(Option<Write>),
    /// Another replica's.
    Others,
}

/// The open database; cheap to clone.
#[derive(Clone)]
pub(crate) enum Db {
    /// A file: readers beside one writer.
    Sqlite { read: SqlitePool, write: SqlitePool },
    /// A server that several replicas share. One connection of each replica at most waits for the write
    /// turn; the others stay free for reads.
    Postgres { pool: PgPool, turn: Arc<Mutex<()>> },
}

impl Db {
    /// Opens or creates the database and brings its schema up to date, one process at a time.
    ///
    /// # Errors
    /// [`DbError`].
    pub(crate) async fn open(database: &Database) -> DbResult<Self> {
        match database {
            Database::Sqlite(path) => Self::open_sqlite(path).await,
            Database::Postgres(url) => Self::open_postgres(url.as_str()).await,
        }
    }

    async fn open_sqlite(path: &Path) -> DbResult<Self> {
        let any = SqliteConnectOptions::new().filename(path).foreign_keys(true).busy_timeout(BUSY_TIMEOUT);
        let writer = any
            .clone()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            // A full disk makes SQLite roll back by itself. The library then fails to do it again, takes the
            // connection for one in a transaction for ever, and nothing could be written until a restart.
            .before_acquire(|c, _| Box::pin(async move { Ok(!sqlx::Connection::is_in_transaction(c)) }));
        let write = {
            // SQLite's migrator takes no lock of its own: two processes could migrate at once.
            let _lock = lock(path.parent().unwrap_or(Path::new("."))).await?;
            let write = write.connect_with(writer).await?;
            SQLITE_MIGRATIONS.run(&write).await?;
            write
        };
        let read = SqlitePoolOptions::new()
            .min_connections(1)
            .max_connections(READERS_MAX)
            // A file does not go away as a server does, and asking costs as much as a query.
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(any.read_only(true))
            .await?;
        Ok(Self::Sqlite { read, write })
    }

    async fn open_postgres(url: &str) -> DbResult<Self> {
        let options: PgConnectOptions = url.parse()?;
        let options = options.application_name("mpak");
        // Without time limits: whoever starts first migrates, the others wait for its lock however long it takes.
        let mut first = connect(&options).await?;
        POSTGRES_MIGRATIONS.run(&mut first).await?;
        sqlx::Connection::close(first).await?;
        // A statement or a forgotten transaction must not hold the write turn for ever.
        let options = options.options([
            ("statement_timeout", "20s"),
            ("lock_timeout", "15s"),
            ("idle_in_transaction_session_timeout", "10s"),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .before_acquire(|c, _meta| Box::pin(is_alive(c)))
            // The pool waits here without a limit: a connection that is silent would never be replaced.
            .after_release(|c, _meta| Box::pin(is_alive(c)));
        let pool = pool.connect_with(options).await?;
        Ok(Self::Postgres { pool, turn: Arc::default() })
    }

    /// A connection for reading.
    ///
    /// # Errors
    /// [`DbError::Sql`].
    pub(crate) async fn read(&self) -> DbResult<Read> {
        Ok(Read(match self {
            Self::Sqlite { read, .. } => Connection::Sqlite(read.acquire().await?),
            Self::Postgres { pool, .. } => Connection::Postgres(pool.acquire().await?),
        }))
    }

    /// A transaction that holds the registry's write turn from its start; for all that appends events.
    ///
    /// # Errors
    /// [`DbError::Sql`].
    pub(crate) async fn write(&self) -> DbResult<Write> {
        let turn = match self {
            Self::Sqlite { .. } => None,
            Self::Postgres { turn, .. } => {
                let turn = tokio::time::timeout(BUSY_TIMEOUT, Arc::clone(turn).lock_owned());
                Some(turn.await.map_err(|_elapsed| DbError::Busy)?)
            }
        };
        let mut tx = self.update().await?;
        if let Backend::Postgres(c) = tx.backend() {
            let lock = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(WRITE_TURN);
            answered(Some(ANSWER_TIMEOUT), lock.execute(c)).await?;
        }
        tx.turn = turn;
        Ok(tx)
    }

    /// A transaction for rows that nobody else orders by.
    ///
    /// # Errors
    /// [`DbError::Sql`].
    pub(crate) async fn update(&self) -> DbResult<Write> {
        let tx = match self {
            Self::Sqlite { write, .. } => Connection::SqliteTransaction(write.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres { pool, .. } => {
                Connection::PostgresTransaction(answered(Some(ANSWER_TIMEOUT), pool.begin()).await?)
            }
        };
        Ok(Write { connection: tx, turn: None })
    }

    /// A transaction that sees one state of everything for as long as it lasts, and changes nothing.
    ///
    /// # Errors
    /// [`DbError::Sql`].
    pub(crate) async fn snapshot(&self) -> DbResult<Read> {
        Ok(Read(match self {
            Self::Sqlite { read, .. } => Connection::SqliteTransaction(read.begin().await?),
            Self::Postgres { pool, .. } => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                let mut tx = answered(Some(ANSWER_TIMEOUT), pool.begin_with(begin)).await?;
                // It may take long, and holds no lock that anybody waits for.
                for limit in ["SET LOCAL statement_timeout = 0", "SET LOCAL idle_in_transaction_session_timeout = 0"] {
                    sqlx::query(limit).execute(&mut *tx).await?;
                }
                Connection::PostgresSnapshot(tx)
            }
        }))
    }

    /// Takes a turn that only one of several replicas can have; without waiting.
    ///
    /// # Errors
    /// [`DbError::Sql`].
    pub(crate) async fn try_turn(&self, key: i64) -> DbResult<Turn> {
        let Self::Postgres { .. } = self else { return Ok(Turn::Mine(None)) };
        let mut tx = self.update().await?;
        let mut taken = 0_i64;
        if let Backend::Postgres(c) = tx.backend() {
            let sql = "SELECT CASE WHEN pg_try_advisory_xact_lock($1) THEN 1::BIGINT ELSE 0::BIGINT END";
            let turn = sqlx::query_scalar(sql).bind(key).fetch_one(&mut *c);
            taken = answered(Some(ANSWER_TIMEOUT), turn).await?;
            // What is done in the turn may take long.
            sqlx::query("SET LOCAL idle_in_transaction_session_timeout = 0").execute(c).await?;
        }
        Ok(if taken == 1 { Turn::Mine(Some(tx)) } else { Turn::Others })
    }

    /// Open connections, and those of them that nobody uses.
    pub(crate) fn connections(&self) -> (u32, usize) {
        match self {
            Self::Sqlite { read, write } => (read.size() + write.size(), read.num_idle() + write.num_idle()),
            Self::Postgres { pool, .. } => (pool.size(), pool.num_idle()),
        }
    }

    /// Whether several servers may share it.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres { .. })
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`DbError::Sql`].
    pub(crate) async fn ping(&self) -> DbResult<()> {
        let mut c = self.read().await?;
        execute!(c => sqlx::query("SELECT 1"))?;
        Ok(())
    }

    /// Waits for running statements, folds SQLite's write-ahead log back and closes.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite { read, write } => {
                read.close().await;
                write.close().await;
            }
            Self::Postgres { pool, .. } => pool.close().await,
        }
    }
}

/// Connects once the server accepts connections: it may be starting at the same time as we are.
async fn connect(options: &PgConnectOptions) -> sqlx::Result<PgConnection> {
    let began = Instant::now();
    loop {
        match options.connect().await {
            Err(error) if is_unavailable(&error) && !is_refusal(&error) && began.elapsed() < START_TIMEOUT => {
                tracing::warn!(error = %error, "the database does not answer yet");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            done => return done,
        }
    }
}

/// Whether a connection answers, and soon.
async fn is_alive(c: &mut PgConnection) -> sqlx::Result<bool> {
    answered(Some(PING_TIMEOUT), sqlx::Connection::ping(c)).await.map(|()| true)
}

/// Whether the server answered that it will not have us: no such user, password or database.
fn is_refusal(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|c| c.starts_with("28") || c == "3D000")
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

/// A text of somebody else's, without U+0000, which PostgreSQL cannot keep.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// A count or size, never negative in our tables.
pub(crate) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// A count or size on its way into the database.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
