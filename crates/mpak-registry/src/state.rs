//! What every request can reach.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use axum::http::{HeaderMap, header, uri::Authority};
use tokio::sync::{Notify, Semaphore};
use tokio::task::AbortHandle;

use crate::auth::issuers::Issuers;
use crate::auth::provider::Provider;
use crate::blob::Blobs;
use crate::clock::Clock;
use crate::config::Config;
use crate::counts::Counts;
use crate::db::Db;
use crate::follow::Followed;
use crate::lanes::Lanes;
use crate::metrics::Metrics;
use crate::outbound::Outbound;
use crate::rates::Rates;
use crate::search::Search;
use crate::turns::Turns;

/// The tasks in the background, named for people. They end with the server; before that, only by a panic.
#[derive(Default)]
pub(crate) struct Workers(OnceLock<Vec<(&'static str, AbortHandle)>>);

impl Workers {
    /// Remembers what was started.
    pub(crate) fn started(&self, workers: Vec<(&'static str, AbortHandle)>) {
        // Set once, by the start.
        let _again = self.0.set(workers);
    }

    /// One that ended.
    pub(crate) fn ended(&self) -> Option<&'static str> {
        let workers = self.0.get()?;
        workers.iter().find(|(_, task)| task.is_finished()).map(|(name, _)| *name)
    }
}

/// Shared by all requests and workers; cheap to clone.
#[derive(Clone)]
pub(crate) struct AppState(Arc<Inner>);

/// See [`AppState`].
pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) db: Db,
    pub(crate) blobs: Blobs,
    /// Whether there may be blobs that are not kept.
    pub(crate) may_link: bool,
    pub(crate) search: Search,
    pub(crate) counts: Counts,
    /// Who signs people in.
    pub(crate) provider: Provider,
    pub(crate) turns: Turns,
    /// The permit to hold a large body of an announcement.
    pub(crate) large_bodies: Semaphore,
    /// Whose workloads may publish.
    pub(crate) issuers: Issuers,
    /// The door through which everything is fetched.
    pub(crate) outbound: Arc<Outbound>,
    /// How much of that one owner has at the same time.
    pub(crate) lanes: Lanes,
    /// How much one client may ask for.
    pub(crate) rates: Arc<Rates>,
    /// Permits to receive or check an upload.
    pub(crate) uploads: Semaphore,
    /// How far the events of others were followed.
    pub(crate) followed: Followed,
    /// The tasks in the background.
    pub(crate) workers: Workers,
    /// Tells the scan worker that a job was enqueued.
    pub(crate) scan_wanted: Notify,
    /// What is counted for Prometheus, when somebody listens.
    pub(crate) metrics: Option<Metrics>,
    /// Number of the next request.
    pub(crate) requests: AtomicU64,
    /// Start of the server, so that numbers of two starts differ.
    pub(crate) started_ms: i64,
}

impl std::ops::Deref for AppState {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl AppState {
    /// Wraps what was opened.
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// The clock.
    pub(crate) fn clock(&self) -> &Clock {
        &self.config.clock
    }

    /// A name for a request, to find it in the log.
    pub(crate) fn next_request_id(&self) -> String {
        format!("{:x}-{:x}", self.started_ms, self.requests.fetch_add(1, Ordering::Relaxed))
    }

    /// The audience of workload tokens for this registry: the configured address, else the listening one.
    /// Never what a request's `Host` says, so that nobody chooses the audience of a token they hold.
    pub(crate) fn audience(&self) -> String {
        match &self.config.public_url {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            None => format!("http://{}", self.config.listen),
        }
    }

    /// Where people see this registry, for links on which they act, without a slash at the end: the
    /// configured address, else the one listened on when that is of this machine only. A request's `Host` is
    /// believed only where it says `localhost` or a loopback address and the port, which lead to the reader's
    /// own machine. Nothing where nobody but strangers could tell.
    pub(crate) fn own_url(&self, headers: &HeaderMap) -> Option<String> {
        if let Some(url) = &self.config.public_url {
            return Some(url.as_str().trim_end_matches('/').to_owned());
        }
        let listen = self.config.listen;
        let host = headers.get(header::HOST).and_then(|h| h.to_str().ok());
        match host.filter(|host| is_here(host, listen.port())) {
            Some(host) => Some(format!("http://{host}")),
            None => listen.ip().is_loopback().then(|| format!("http://{listen}")),
        }
    }

    /// Where clients see this registry, without a slash at the end: the configured address, else what
    /// the request's `Host` says (it is the asker's own word and goes back to the asker only), else the
    /// listening address.
    pub(crate) fn base_url(&self, headers: &HeaderMap) -> String {
        if let Some(url) = &self.config.public_url {
            return url.as_str().trim_end_matches('/').to_owned();
        }
        let host = headers.get(header::HOST).and_then(|h| h.to_str().ok());
        match host.filter(|h| !h.contains('@')).and_then(|h| h.parse::<Authority>().ok()) {
            Some(authority) => format!("http://{authority}"),
            None => format!("http://{}", self.config.listen),
        }
    }
}

/// Whether a `Host` leads to the machine of whoever reads it, at a port.
fn is_here(host: &str, port: u16) -> bool {
    if let Some((name, given)) = host.rsplit_once(':')
        && name == "localhost"
    {
        return given == port.to_string();
    }
    host.parse::<SocketAddr>().is_ok_and(|address| address.ip().is_loopback() && address.port() == port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_hosts_are_here() {
        for (host, here) in [
            ("localhost:7070", true),
            ("127.0.0.1:7070", true),
            ("[::1]:7070", true),
            ("127.0.0.1:7071", false),
            ("localhost", false),
            ("localhost.evil.example:7070", false),
            ("evil.example:7070", false),
            ("user@localhost:7070", false),
            ("evil.example/@localhost:7070", false),
            ("203.0.113.9:7070", false),
            ("", false),
        ] {
            assert_eq!(is_here(host, 7070), here, "{host}");
        }
    }
}
