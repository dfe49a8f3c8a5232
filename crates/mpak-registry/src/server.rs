//! Starts a registry on a data folder and stops it in order.
//!
//! Start: lock the data folder, empty `tmp/`, open database and blobs, make the search index and the
//! counts, listen, make the first token. Stop: accept no more, let accepted requests finish within the
//! deadline, stop the workers, write the counts, close the database.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use mpak_bundle::durable;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tower::ServiceExt as _;

use crate::auth::issuers::{IssuerError, Issuers};
use crate::auth::provider::Provider;
use crate::auth::{link, token};
use crate::blob::{self, Blobs};
use crate::config::{Config, Mode, Reads, first_token_path};
use crate::counts::{self, Counts};
use crate::db::{Db, DbError, blobs as blob_rows, events, jobs as job_rows, tokens, users};
use crate::follow::{self, Followed};
use crate::jobs;
use crate::lanes::Lanes;
use crate::metrics::{self, Metrics};
use crate::outbound::Outbound;
use crate::public_files;
use crate::rates::{Peer, Place, Rates};
use crate::router::router;
use crate::search::Search;
use crate::stall::Unstalled;
use crate::state::{AppState, Inner, Workers};
use crate::telemetry::{Telemetry, TelemetryError};
use crate::turns::Turns;

/// Publishes that are decided at the same time, at most.
const TURNS: usize = 256;
/// Longest time in which a reader takes nothing of an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest head of a request.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Why a registry does not start, or stopped.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The data folder cannot be used.
    #[error("cannot use the data folder: `{path}`")]
    Data {
        /// Which path.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Another server runs on it.
    #[error("another server runs on the data folder `{path}`")]
    InUse {
        /// Which folder.
        path: String,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {listen}")]
    Listen {
        /// Which address.
        listen: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The database does not work.
    #[error("cannot open the database")]
    Db(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database is not there, or lets nobody in.
    #[error("the database does not answer, or does not let this program in")]
    DatabaseAway(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The storage cannot be used as configured.
    #[error("cannot use the storage")]
    Storage(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The search index cannot be made.
    #[error("cannot make the search index")]
    Search(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// An issuer is configured in a way that cannot work.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// The runtime or its signals do not work.
    #[error("cannot start the runtime")]
    Runtime(#[source] io::Error),
    /// Logs or traces cannot be written.
    #[error("cannot log or trace as configured")]
    Telemetry(#[from] TelemetryError),
    /// A second signal came.
    #[error("ended by a second signal, before everything that was accepted had finished")]
    Cut,
}

impl From<DbError> for ServeError {
    fn from(error: DbError) -> Self {
        if error.is_unavailable() { Self::DatabaseAway(Box::new(error)) } else { Self::Db(Box::new(error)) }
    }
}

/// Runs a registry until SIGTERM or SIGINT, on a runtime of its own; `ready` is called once it answers.
///
/// # Errors
/// [`ServeError`].
pub fn serve(config: Config, ready: impl FnOnce(&Running)) -> Result<(), ServeError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(ServeError::Runtime)?;
    let telemetry = Telemetry::start(&config, runtime.handle())?;
    let served = runtime.block_on(async {
        // Before `ready`, so that whoever reads the address may stop us at once.
        let mut stop = Signals::new().map_err(ServeError::Runtime)?;
        let running = tokio::select! {
            running = start(config) => running?,
            // A start may wait for its database, and nothing was promised to anybody yet.
            () = stop.next() => {
                tracing::info!("stopped before it answered");
                return Ok(());
            }
        };
        ready(&running);
        stop.next().await;
        tracing::info!("stopping; a second signal ends at once");
        tokio::select! {
            () = running.stop() => Ok(()),
            () = stop.next() => Err(ServeError::Cut),
        }
    });
    telemetry.stop();
    // What still runs is not waited for.
    runtime.shutdown_background();
    served
}

/// SIGTERM and SIGINT.
#[cfg(unix)]
struct Signals {
    term: tokio::signal::unix::Signal,
    int: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// A registry that answers.
pub struct Running {
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    first_token: Option<String>,
    sign_in_link: Option<String>,
    state: AppState,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
    working: Vec<JoinHandle<()>>,
    /// Held until everything is written.
    _lock: File,
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where Prometheus reads metrics.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// The admin token, if this was the first start on the data folder.
    pub fn first_token(&self) -> Option<&str> {
        self.first_token.as_deref()
    }

    /// Signs the administrator in, once, if nobody can decide anything yet and no provider is configured.
    pub fn sign_in_link(&self) -> Option<&str> {
        self.sign_in_link.as_deref()
    }

    /// What it works with.
    pub(crate) fn state(&self) -> &AppState {
        &self.state
    }

    /// Stops it in order: requests that were accepted finish, counts are written.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let _ = self.accepting.await;
        for worker in self.working {
            let _ = worker.await;
        }
        if let Err(error) = self.state.counts.flush(&self.state.db).await {
            tracing::error!(error = %error, "the last download counts were not written");
        }
        if let Err(error) = self.state.search.save(&self.state.db).await {
            tracing::error!(error = %error, "the search index was not kept");
        }
        self.state.db.close().await;
    }
}

/// Starts a registry on the caller's runtime.
///
/// # Errors
/// [`ServeError`].
pub async fn start(config: Config) -> Result<Running, ServeError> {
    // 1. The data folder is ours alone.
    let issuers = Issuers::new(&config.publishing)?;
    let lock = own_data(&config.data)?;
    let data_error = |source| ServeError::Data { path: config.data.display().to_string(), source };
    blob::empty_tmp(&config.tmp()).map_err(data_error)?;
    // 2. What is known.
    let db = Db::open(&config.database).await?;
    let blobs =
        Blobs::open(&config.storage, &config.outbound, &config.tmp()).map_err(|e| ServeError::Storage(Box::new(e)))?;
    let may_link = config.storage.mode == Mode::Link || blob_rows::any_linked(&mut *db.read().await?).await?;
    let counts = Counts::load(&db).await?;
    // Read first: what happens while the index is made is followed afterwards.
    let followed = Followed::from(events::last(&mut *db.read().await?).await?);
    let search = Search::load(&db, &config.data).await.map_err(|e| ServeError::Search(Box::new(e)))?;
    take_up_jobs(&db).await?;
    // 3. Listen.
    let listen_error = |source| ServeError::Listen { listen: config.listen, source };
    let listener = TcpListener::bind(config.listen).await.map_err(listen_error)?;
    let address = listener.local_addr().map_err(listen_error)?;
    let metrics_listener = match config.metrics_listen {
        Some(listen) => {
            let error = |source| ServeError::Listen { listen, source };
            let listener = TcpListener::bind(listen).await.map_err(error)?;
            Some((listener.local_addr().map_err(error)?, listener))
        }
        None => None,
    };
    // 4. Somebody may publish.
    let first_token = first_token(&db, &config).await?;
    let sign_in_link = sign_in_link(&db, &config, address).await?;
    if config.sign_in.is_some() {
        end_local_tokens(&db, config.clock.now_ms()).await?;
    }
    // 5. Work.
    let state = AppState::new(Inner {
        turns: Turns::new(TURNS),
        issuers,
        large_bodies: Semaphore::new(1),
        outbound: Arc::new(Outbound::new(&config.outbound)),
        lanes: Lanes::default(),
        rates: Arc::new(Rates::new(&config.rates)),
        uploads: Semaphore::new(config.uploads_max),
        scan_wanted: Notify::new(),
        metrics: config.metrics_listen.map(|_| Metrics::new()),
        requests: AtomicU64::new(1),
        started_ms: config.clock.now_ms(),
        config: Config { listen: address, ..config },
        db,
        blobs,
        may_link,
        search,
        counts,
        followed,
        workers: Workers::default(),
        provider: Provider::default(),
    });
    tell(&state);
    let (stop, stopped) = watch::channel(false);
    let accepting = tokio::spawn(accept(listener, router(&state), state.clone(), stopped.clone()));
    let mut working = vec![
        ("the counter of downloads", tokio::spawn(counts::keep(state.clone(), stopped.clone()))),
        ("the follower of events", tokio::spawn(follow::run(state.clone(), stopped.clone()))),
    ];
    let mut metrics_address = None;
    if let Some((address, listener)) = metrics_listener {
        metrics_address = Some(address);
        let answering = accept(listener, metrics::router(state.clone()), state.clone(), stopped.clone());
        working.push(("the listener for metrics", tokio::spawn(answering)));
        tracing::info!(%address, "metrics are told");
    }
    working.push(("transfers", tokio::spawn(jobs::transfer(state.clone(), stopped.clone()))));
    if state.config.scanning.enabled {
        working.push(("the scan worker", tokio::spawn(jobs::run(state.clone(), stopped.clone()))));
        working.push(("the watch over rules", tokio::spawn(jobs::judge_again(state.clone(), stopped.clone()))));
    }
    working.push(("the writer of public files", tokio::spawn(public_files::keep(state.clone(), stopped))));
    state.workers.started(working.iter().map(|(name, task)| (*name, task.abort_handle())).collect());
    let working = working.into_iter().map(|(_, task)| task).collect();
    Ok(Running { address, metrics_address, first_token, sign_in_link, state, stop, accepting, working, _lock: lock })
}

/// Says what this server works with; that the storage does not answer yet is no reason not to start.
fn tell(state: &AppState) {
    let config = &state.config;
    let database = if state.db.is_shared() { "PostgreSQL" } else { "SQLite" };
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        listen = %config.listen,
        data = %config.data.display(),
        database,
        storage = %config.storage.url,
        private = config.access.reads == Reads::Private,
        "serving"
    );
    let state = state.clone();
    tokio::spawn(async move {
        if let Err(error) = state.blobs.check().await {
            tracing::warn!(%error, "the storage does not answer; what needs it fails until it does");
        }
    });
}

/// Creates the data folder, for its owner only, and locks it until the file is dropped.
pub(crate) fn own_data(data: &Path) -> Result<File, ServeError> {
    let error = |source| ServeError::Data { path: data.display().to_string(), source };
    create_data(data).map_err(error)?;
    let path = data.join("serve.lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(error)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ServeError::InUse { path: data.display().to_string() }),
        Err(TryLockError::Error(source)) => Err(error(source)),
    }
}

/// Creates the data folder; it holds hashes of tokens and is for its owner only.
pub(crate) fn create_data(data: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(data)
}

/// What a killed server was about to do.
async fn take_up_jobs(db: &Db) -> Result<(), DbError> {
    if db.is_shared() {
        return Ok(());
    }
    let mut tx = db.write().await?;
    job_rows::requeue_running(&mut tx).await?;
    tx.commit().await
}

/// Makes an admin token while there is no token at all; of replicas that start at once, one does. The file
/// is written before the database: a kill between the two leaves a file with a token that nobody knows, and
/// the next start writes another.
async fn first_token(db: &Db, config: &Config) -> Result<Option<String>, ServeError> {
    if tokens::count(&mut *db.read().await?).await? > 0 {
        return Ok(None);
    }
    let mut tx = db.write().await?;
    if tokens::count(&mut tx).await? > 0 {
        return Ok(None);
    }
    let path = first_token_path(&config.data);
    let token = token::random()?;
    durable::replace(&path, format!("{token}\n").as_bytes(), 0o600)
        .map_err(|source| ServeError::Data { path: path.display().to_string(), source })?;
    let all = ["*".to_owned()];
    let new = token::New {
        name: "first-token",
        actions: &[token::ADMIN],
        packages: &all,
        days: token::DAYS_MAX,
        user_id: None,
    };
    token::store_in(&mut tx, &token, new, "admin", config.clock.now_ms()).await?;
    tx.commit().await?;
    Ok(Some(token))
}

/// Where a provider decides who people are, the administrator of before does not: neither by session nor by token.
async fn end_local_tokens(db: &Db, now_ms: i64) -> Result<(), ServeError> {
    let mut ended = Vec::new();
    if let Some(user_id) = users::with_subject(&mut *db.read().await?, link::LOCAL, link::ADMIN).await? {
        ended = tokens::of_user(&mut *db.read().await?, user_id).await?;
    }
    for one in ended {
        token::revoke_by(db, one.id, "registry", now_ms).await?;
    }
    Ok(())
}

/// Makes a link for the local administrator while there is none.
async fn sign_in_link(db: &Db, config: &Config, address: SocketAddr) -> Result<Option<String>, ServeError> {
    if config.sign_in.is_some() || !link::is_needed(db).await? {
        return Ok(None);
    }
    let secret = link::make(db, config.clock.now_ms()).await?;
    let base = config.public_url.as_ref().map_or_else(|| format!("http://{address}"), ToString::to_string);
    Ok(Some(link::address(&base, &secret)))
}

/// Accepts connections until told to stop, then lets accepted requests finish within the deadline.
async fn accept(listener: TcpListener, router: Router, state: AppState, mut stop: watch::Receiver<bool>) {
    let permits = Arc::new(Semaphore::new(state.config.connections_max));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            accepted = next(&listener, &permits, &state) => accepted,
            _ = stop.changed() => break,
        };
        match accepted {
            // Its address has enough of them: closed at once.
            Ok((_, _, None)) => {}
            Ok((stream, permit, Some((peer, place)))) => {
                let serving = connection(stream, peer, router.clone(), state.config.header_timeout, stop.clone());
                connections.spawn(async move {
                    serving.await;
                    drop((permit, place));
                });
            }
            Err(error) => {
                // Out of file descriptors, mostly: waiting lets some close.
                tracing::warn!(error = %error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    let finished =
        tokio::time::timeout(state.config.shutdown_timeout, async { while connections.join_next().await.is_some() {} });
    if finished.await.is_err() {
        tracing::warn!(connections = connections.len(), "requests did not finish in time");
    }
}

/// A connection, its place among all and among those of its address.
type Accepted = (TcpStream, OwnedSemaphorePermit, Option<(Peer, Place)>);

async fn next(listener: &TcpListener, permits: &Arc<Semaphore>, state: &AppState) -> io::Result<Accepted> {
    let permit = Arc::clone(permits).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    let place = state.rates.connect(peer.ip()).map(|place| (Peer(peer.ip()), place));
    // Fails where the other side is gone already, which is no reason to accept less.
    let _ = stream.set_nodelay(true);
    Ok((stream, permit, place))
}

async fn connection(
    stream: TcpStream,
    peer: Peer,
    router: Router,
    header_timeout: Duration,
    mut stop: watch::Receiver<bool>,
) {
    let router = router.map_request(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(peer);
        request
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(header_timeout).max_buf_size(HEAD_BYTES_MAX);
    let mut serving = pin!(
        http.serve_connection(TokioIo::new(Unstalled::new(stream, WRITE_TIMEOUT)), TowerToHyperService::new(router))
    );
    let stopped = async {
        let _ = stop.wait_for(|stop| *stop).await;
    };
    let served = tokio::select! {
        served = serving.as_mut() => served,
        () = stopped => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(error = %error, "a connection ended badly");
    }
}
