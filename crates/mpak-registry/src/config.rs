//! What an operator decides: where the data lies, where to listen, who may do what, and the limits.
//!
//! The sections are what `mpak serve --config FILE` reads; unknown keys are refused.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mpak_bundle::limits::Limits;
use url::Url;

use crate::clock::Clock;

mod access;
mod assemble;
pub mod keys;
pub mod load;
mod outbound;
pub mod print;
mod publishing;
mod rates;
mod scanning;
mod secret;
mod sign_in;
mod storage;

pub use access::{Access, Reads};
pub use outbound::Outbound;
pub use publishing::{Issuer, IssuerKind, Publishing, VersionPolicy};
pub use rates::{Network, NetworkError, Rates};
pub use scanning::Scanning;
pub use secret::Secret;
pub use sign_in::SignIn;
pub use storage::{Downloads, Mode, Storage};

/// Where what is known is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// A file of SQLite.
    Sqlite(PathBuf),
    /// `postgres://USER:PASSWORD@HOST/DATABASE`
    Postgres(Secret),
}

/// Port used when none is given.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:7070";

/// Settings of one registry. What lies in the data folder:
///
/// ```text
/// DATA/
/// ├── registry.db (-wal, -shm)      everything that is known
/// ├── blobs/sha256/ab/cdef…         the bundles, by digest
/// ├── public/                       what any file server can serve, with its position `public-through`
/// ├── search.index                  the search index of the last stop; made anew when missing
/// ├── scan-cache                    files that earlier scans found nothing in; made anew when missing
/// ├── scan-cache-parts              flows of code that earlier scans followed; made anew when missing
/// ├── tmp/                          uploads on their way; emptied at start
/// ├── first-token                   admin token of the first start (0600)
/// ├── serve.lock                    held by the running server
/// └── migrate.lock                  held while the schema is brought up to date
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    /// The data folder; created when missing.
    pub data: PathBuf,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Address under which clients see the registry; otherwise what the request's `Host` says.
    pub public_url: Option<Url>,
    /// Where Prometheus reads metrics; nowhere when there is none.
    pub metrics_listen: Option<SocketAddr>,
    /// Where traces are sent by OTLP over HTTP; nowhere when there is none.
    pub otlp_endpoint: Option<Url>,
    /// What is logged, as in `info` or `mpak_registry=debug`.
    pub log_filter: String,
    /// Whether logs are JSON.
    pub log_json: bool,
    /// `[database]`
    pub database: Database,
    /// `[storage]`
    pub storage: Storage,
    /// `[publishing]`
    pub publishing: Publishing,
    /// `[outbound]`
    pub outbound: Outbound,
    /// `[access]`
    pub access: Access,
    /// `[sign_in]`
    pub sign_in: Option<SignIn>,
    /// `[rates]`
    pub rates: Rates,
    /// The snapshot of advisories that scans use and that is served; none when there is none.
    pub advisories: Option<PathBuf>,
    /// Limits on bundles; `archive_bytes_max` is also the largest upload.
    pub limits: Limits,
    /// Connections at the same time; more wait to be accepted.
    pub connections_max: usize,
    /// Bundles that are received or checked at the same time; more wait.
    pub uploads_max: usize,
    /// Longest time without a byte of a request's body.
    pub body_idle_timeout: Duration,
    /// Longest time for a request's head, and between two requests of a connection.
    pub header_timeout: Duration,
    /// Longest time that accepted requests get to finish at shutdown.
    pub shutdown_timeout: Duration,
    /// Whether `/v1/floor/BYTES` answers so many fixed bytes; for benchmarks only.
    pub floor: bool,
    /// `[scan]`
    pub scanning: Scanning,
    /// The clock.
    pub clock: Clock,
}

impl Config {
    /// A registry on a data folder and address, with the usual limits.
    pub fn new(data: impl Into<PathBuf>, listen: SocketAddr) -> Self {
        let data = data.into();
        Self {
            listen,
            public_url: None,
            metrics_listen: None,
            otlp_endpoint: None,
            log_filter: "info".to_owned(),
            log_json: false,
            database: Database::Sqlite(data.join(crate::db::FILE)),
            storage: Storage::local(&data.join("blobs")),
            publishing: Publishing::default(),
            outbound: Outbound::default(),
            access: Access::default(),
            sign_in: None,
            rates: Rates::default(),
            advisories: None,
            data,
            limits: Limits::default(),
            connections_max: 2_048,
            uploads_max: 32,
            body_idle_timeout: Duration::from_secs(30),
            header_timeout: Duration::from_secs(15),
            shutdown_timeout: Duration::from_secs(10),
            floor: false,
            scanning: Scanning::default(),
            clock: Clock::system(),
        }
    }

    /// Where uploads wait.
    pub(crate) fn tmp(&self) -> PathBuf {
        self.data.join("tmp")
    }

    /// Files that earlier scans found nothing in, by content.
    pub fn scan_cache(&self) -> PathBuf {
        self.data.join("scan-cache")
    }
}

/// Where the first start leaves its admin token.
pub fn first_token_path(data: &Path) -> PathBuf {
    data.join("first-token")
}
