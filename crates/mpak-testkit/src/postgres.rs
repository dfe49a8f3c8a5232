//! A real PostgreSQL: one server for the tests of a binary, one empty database for each test.
//!
//! The server is of the installed programs, on a temporary folder and a free loopback port. It ends and its
//! folder goes with the process that started it, however that ends.

#![expect(clippy::missing_panics_doc, clippy::panic, reason = "a fixture that cannot be built ends the test")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread::JoinHandle;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};
use tokio::sync::oneshot;

mod programs;
mod server;

pub use server::Server;

static SHARED: LazyLock<Arc<Server>> = LazyLock::new(|| Arc::new(Server::start()));
static NUMBER: AtomicU32 = AtomicU32::new(1);

/// A database, empty at first; dropped with the value.
#[derive(Debug)]
pub struct Database {
    name: String,
    server: Arc<Server>,
}

impl Database {
    /// An empty database on the server that all tests of this binary share.
    pub fn create() -> Self {
        Self::create_on(&SHARED)
    }

    /// An empty database on a server of the caller's.
    pub fn create_on(server: &Arc<Server>) -> Self {
        Self::create_with(server, "LC_COLLATE 'C' LC_CTYPE 'C'")
    }

    /// An empty database that orders text as people do (`a` before `B`), as many installations have it.
    pub fn create_with_people_order() -> Self {
        Self::create_with(&SHARED, "LC_COLLATE 'C' LC_CTYPE 'C' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'")
    }

    /// An empty database on the small disk of [`Server::start_with_small_disk`].
    pub fn create_on_small_disk(server: &Arc<Server>) -> Self {
        Self::create_with(server, "LC_COLLATE 'C' LC_CTYPE 'C' TABLESPACE small")
    }

    /// Takes what is left of its disk, for the table `filler`, and gives how often it got some.
    pub fn fill(&self) -> u32 {
        self.execute("CREATE TABLE filler (noise TEXT); ALTER TABLE filler ALTER noise SET STORAGE EXTERNAL");
        let mut count = 0;
        for bytes in [1 << 20, 100 << 10, 8 << 10] {
            let sql = format!("INSERT INTO filler SELECT repeat('x', {bytes})");
            while self.try_execute(&sql) {
                count += 1;
            }
        }
        count
    }

    /// Whether statements could be executed.
    fn try_execute(&self, sql: &str) -> bool {
        let sql = sql.to_owned();
        run(&self.url(), async move |c| sqlx::raw_sql(AssertSqlSafe(sql)).execute(c).await).is_ok()
    }

    fn create_with(server: &Arc<Server>, locale: &str) -> Self {
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let sql = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' {locale}");
        run(&server.url("postgres"), async move |c| sqlx::raw_sql(AssertSqlSafe(sql)).execute(c).await)
            .expect("a database");
        Self { name, server: Arc::clone(server) }
    }

    /// `postgres://USER:PASSWORD@127.0.0.1:PORT/NAME`
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// Executes statements and gives the number of rows that they touched.
    #[track_caller]
    pub fn execute(&self, sql: &str) -> u64 {
        let sql = sql.to_owned();
        let done = run(&self.url(), async move |c| sqlx::raw_sql(AssertSqlSafe(sql)).execute(c).await);
        done.expect("sound SQL").rows_affected()
    }

    /// The one BIGINT that a query gives.
    #[track_caller]
    pub fn number(&self, sql: &str) -> i64 {
        let sql = sql.to_owned();
        run(&self.url(), async move |c| sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(c).await).expect("a number")
    }

    /// Everything that is in it: the rows of each table as text, in an order of their own.
    pub fn content(&self) -> BTreeMap<String, String> {
        run(&self.url(), async |c| {
            let mut content = BTreeMap::new();
            let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'";
            for row in sqlx::query(tables).fetch_all(&mut *c).await? {
                let table: String = row.get(0);
                let sql = format!("SELECT coalesce(string_agg(t::text, chr(10) ORDER BY t::text), '') FROM {table} t");
                let rows: String = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *c).await?;
                content.insert(table, rows);
            }
            Ok(content)
        })
        .expect("a readable database")
    }

    /// Executes statements on a connection that stays open, with the locks that it took.
    pub fn hold(&self, sql: &str) -> Held {
        let (url, sql) = (self.url(), sql.to_owned());
        let (release, released) = oneshot::channel::<()>();
        let (done, held) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let hold = run(&url, async move |c| {
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(c).await?;
                done.send(()).expect("somebody waits");
                let _ = released.await;
                Ok(())
            });
            hold.expect("sound SQL");
        });
        held.recv().expect("the statements were executed");
        Held { release: Some(release), thread: Some(thread) }
    }

    /// Ends all connections to it, as an administrator or a failover does; gives their number.
    pub fn end_connections(&self) -> u64 {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
        let name = self.name.clone();
        let ended = run(&self.server.url("postgres"), async move |c| sqlx::query(sql).bind(name).fetch_all(c).await);
        ended.expect("connections end").len() as u64
    }
}

/// A connection that does something and stays open; ended when dropped.
#[derive(Debug)]
pub struct Held {
    release: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.release.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let url = self.server.url("postgres");
        // Nobody waits for it: whoever drops this may hold up a runtime with a connection that is half made, and
        // PostgreSQL drops nothing before that one is made or, after a minute, given up. A server that is stopped or
        // gone takes its databases along.
        std::thread::spawn(move || run(&url, async move |c| sqlx::raw_sql(AssertSqlSafe(sql)).execute(c).await));
    }
}

/// Runs something on a connection of its own, on a thread of its own: callers may be inside a runtime.
fn run<T: Send>(url: &str, work: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T> + Send) -> sqlx::Result<T> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut c = PgConnection::connect(url).await?;
            let result = work(&mut c).await;
            let _ = c.close().await;
            result
        })
    };
    std::thread::scope(|threads| threads.spawn(run).join()).expect("the thread ends well")
}
