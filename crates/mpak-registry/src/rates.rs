//! Rates: how often one client may ask and one owner may publish, and how many connections an address
//! may hold.
//!
//! A client is an address (of IPv6 its /64, which is what one subscriber has); behind a trusted proxy it
//! is the last address of `X-Forwarded-For` that is no trusted proxy. What clients claim elsewhere is not
//! believed. `/health` and `/ready` are never refused.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use mpak_api::error::Code;

use crate::config;
use crate::error::ApiError;
use crate::http::family;
use crate::state::AppState;

mod bucket;

use bucket::{Buckets, Taken};

/// Longest wait of a publisher for its turn, and how many may wait at the same time.
const WAIT_MAX: Duration = Duration::from_mins(1);
const WAITERS_MAX: u64 = 256;

/// The other end of a connection; put into each request by `server`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// The rates of one registry.
pub(crate) struct Rates {
    config: config::Rates,
    requests: Buckets<IpAddr>,
    publishes: Buckets<String>,
    connections: Mutex<HashMap<IpAddr, u32>>,
    /// Told once.
    proxy_told: AtomicBool,
    waiters: std::sync::Arc<()>,
}

impl Rates {
    /// As configured.
    pub(crate) fn new(config: &config::Rates) -> Self {
        Self {
            requests: Buckets::new(config.reads()),
            publishes: Buckets::new(config.publishes_per_minute),
            connections: Mutex::default(),
            proxy_told: AtomicBool::new(false),
            waiters: std::sync::Arc::new(()),
            config: config.clone(),
        }
    }

    fn is_trusted(&self, address: IpAddr) -> bool {
        self.config.trusted_proxies.iter().any(|network| network.contains(address))
    }

    /// Who asks, as far as it can be known.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let hops = headers.get_all("x-forwarded-for");
        if !self.is_trusted(client) {
            if hops.iter().next().is_some() && is_near(client) && !self.proxy_told.swap(true, Ordering::Relaxed) {
                tracing::warn!(%client, "a proxy passes requests on that `rates.trusted_proxies` does not name: \
                    all its clients share one rate");
            }
            return client;
        }
        let hops: Vec<&str> = hops.iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(',')).collect();
        for hop in hops.iter().rev() {
            // What is no address cannot be looked behind.
            let Some(hop) = hop_address(hop) else { break };
            client = hop;
            if !self.is_trusted(hop) {
                break;
            }
        }
        client
    }

    /// Whether somebody on this machine asks, without anybody in between, and the operator set no rate for reads.
    fn is_free(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        let forwarded = ["x-forwarded-for", "forwarded", "x-real-ip", "via"];
        let peer = peer.to_canonical();
        self.config.reads_per_minute.is_none()
            && peer.is_loopback()
            && !self.is_trusted(peer)
            && !forwarded.iter().any(|name| headers.contains_key(*name))
    }

    /// The address of whoever sent a request.
    pub(crate) fn client_of(&self, request: &Request) -> Option<IpAddr> {
        let Peer(peer) = request.extensions().get().copied()?;
        Some(self.client(peer, request.headers()))
    }

    /// Takes one publish of an owner's, or says when to come back.
    ///
    /// # Errors
    /// [`ApiError`] with 429.
    pub(crate) fn publish(&self, owner: &str) -> Result<(), ApiError> {
        match self.publishes.take(&owner.to_owned(), Instant::now()) {
            Taken::Yes { .. } => Ok(()),
            Taken::No { retry } => Err(too_fast(self.config.publishes_per_minute, retry)),
        }
    }

    /// Waits until an owner may publish: some clients take no for an answer and never come back.
    ///
    /// # Errors
    /// [`ApiError`] with 429 when it would take longer than a minute, or too many wait already.
    pub(crate) async fn wait_turn(&self, owner: &str) -> Result<(), ApiError> {
        let _waiter = std::sync::Arc::clone(&self.waiters);
        let crowded = std::sync::Arc::strong_count(&self.waiters) as u64 > WAITERS_MAX;
        let wait_max = if crowded { Duration::ZERO } else { WAIT_MAX };
        match self.publishes.reserve(&owner.to_owned(), Instant::now(), wait_max) {
            Ok(wait) => {
                tokio::time::sleep(wait).await;
                Ok(())
            }
            Err(retry) => Err(too_fast(self.config.publishes_per_minute, retry)),
        }
    }

    /// A place for a connection from an address, until dropped; `None` when it has too many.
    pub(crate) fn connect(self: &std::sync::Arc<Self>, peer: IpAddr) -> Option<Place> {
        // Proxies are named by their addresses, not by their networks.
        let is_trusted = self.is_trusted(peer.to_canonical());
        let peer = network_of(peer);
        let limit = self.config.connections_per_address;
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let count = connections.entry(peer).or_insert(0);
        if limit > 0 && *count >= limit && !is_trusted {
            return None;
        }
        *count += 1;
        Some(Place { rates: std::sync::Arc::clone(self), peer })
    }
}

/// See [`Rates::connect`].
pub(crate) struct Place {
    rates: std::sync::Arc<Rates>,
    peer: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut connections = self.rates.connections.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = connections.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                connections.remove(&self.peer);
            }
        }
    }
}

/// What one subscriber has: the address, of IPv6 its /64.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// The network that a request comes from: of IPv4 the /24, of IPv6 the /48, which is about what one
/// organisation or one renter of machines has. Empty where nobody knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Network(String);

impl Network {
    fn of(client: IpAddr) -> Self {
        Self(match client.to_canonical() {
            IpAddr::V4(v4) => format!("{}/24", Ipv4Addr::from_bits(v4.to_bits() & !0xff)),
            IpAddr::V6(v6) => format!("{}/48", Ipv6Addr::from_bits(v6.to_bits() & !(u128::MAX >> 48))),
        })
    }

    /// As the database keeps it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromRequestParts<AppState> for Network {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<Peer>().copied();
        Ok(peer.map(|Peer(peer)| Self::of(state.rates.client(peer, &parts.headers))).unwrap_or_default())
    }
}

/// Whether an address is of this machine or of a private network: whoever forwards from there is ours.
fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local(),
    }
}

/// `1.2.3.4`, `1.2.3.4:567`, `::1`, `[::1]:567`
fn hop_address(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let bare = hop.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<IpAddr>().or_else(|_with_port| hop.parse::<std::net::SocketAddr>().map(|a| a.ip()));
    address.ok().map(|a| a.to_canonical())
}

fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

fn too_fast(per_minute: u32, retry: Duration) -> ApiError {
    let message = format!("Too many publishes: at most {per_minute} per minute. Try again in {} s.", seconds(retry));
    ApiError::new(Code::RateLimited, message).retry_after(u32::try_from(seconds(retry)).unwrap_or(u32::MAX))
}

/// Around every request: refuses what comes too fast, and tells each client what is left.
pub(crate) async fn limit(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let per_minute = state.config.rates.reads();
    let Some(Peer(peer)) = request.extensions().get().copied() else { return next.run(request).await };
    // A benchmark asks as fast as it can.
    if per_minute == 0 || state.config.floor || matches!(path, "/health" | "/ready") {
        return next.run(request).await;
    }
    let client = network_of(state.rates.client(peer, request.headers()));
    let (mut response, remaining, reset) = match state.rates.requests.take(&client, Instant::now()) {
        Taken::Yes { remaining, reset } => (next.run(request).await, remaining, reset),
        Taken::No { retry } if state.rates.is_free(peer, request.headers()) => (next.run(request).await, 0, retry),
        Taken::No { retry } => (refused(path, per_minute, retry), 0, retry),
    };
    let headers = response.headers_mut();
    headers.insert("x-ratelimit-limit", per_minute.into());
    headers.insert("x-ratelimit-remaining", remaining.into());
    headers.insert("x-ratelimit-reset", seconds(reset).into());
    response
}

fn refused(path: &str, per_minute: u32, retry: Duration) -> Response {
    let message = format!("Too many requests: at most {per_minute} per minute. Try again in {} s.", seconds(retry));
    let mut response = if family::for_programs(path) {
        family::error(path, StatusCode::TOO_MANY_REQUESTS, Code::RateLimited, &message)
    } else {
        (StatusCode::TOO_MANY_REQUESTS, message).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, seconds(retry).into());
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(trusted: &[&str]) -> Rates {
        let trusted_proxies = trusted.iter().map(|t| t.parse().unwrap()).collect();
        Rates::new(&config::Rates { trusted_proxies, ..config::Rates::default() })
    }

    #[test]
    fn the_client_is_the_last_hop_that_is_no_trusted_proxy() {
        let rates = rates(&["10.0.0.0/8", "::1"]);
        for (peer, forwarded, expect) in [
            ("203.0.113.9", vec!["198.51.100.1"], "203.0.113.9"),
            ("10.0.0.1", vec![], "10.0.0.1"),
            ("10.0.0.1", vec!["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", vec!["6.6.6.6, 198.51.100.1, 10.2.2.2"], "198.51.100.1"),
            ("10.0.0.1", vec!["6.6.6.6", "198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", vec!["6.6.6.6, nonsense"], "10.0.0.1"),
            ("10.0.0.1", vec!["6.6.6.6, nonsense, 10.3.3.3"], "10.3.3.3"),
            ("::1", vec!["[2001:db8::7]:443"], "2001:db8::7"),
            ("::ffff:10.0.0.1", vec!["198.51.100.1:80"], "198.51.100.1"),
        ] {
            let mut headers = HeaderMap::new();
            for value in &forwarded {
                headers.append("x-forwarded-for", value.parse().unwrap());
            }
            let client = rates.client(peer.parse().unwrap(), &headers);
            assert_eq!(client, expect.parse::<IpAddr>().unwrap(), "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn this_machine_asks_freely_unless_somebody_is_in_between() {
        let check = |rates: &Rates, peer: &str, header: Option<&str>, free: bool| {
            let mut headers = HeaderMap::new();
            if let Some(name) = header {
                headers.insert(header::HeaderName::from_bytes(name.as_bytes()).unwrap(), "x".parse().unwrap());
            }
            assert_eq!(rates.is_free(peer.parse().unwrap(), &headers), free, "{peer} {header:?}");
        };
        let usual = rates(&[]);
        for (peer, header, free) in [
            ("127.0.0.1", None, true),
            ("::1", None, true),
            ("::ffff:127.0.0.1", None, true),
            ("127.0.0.1", Some("x-forwarded-for"), false),
            ("127.0.0.1", Some("forwarded"), false),
            ("127.0.0.1", Some("x-real-ip"), false),
            ("127.0.0.1", Some("via"), false),
            ("10.0.0.1", None, false),
            ("203.0.113.9", None, false),
        ] {
            check(&usual, peer, header, free);
        }
        check(&rates(&["127.0.0.1"]), "127.0.0.1", None, false);
        for set in [0, 6_000] {
            let set = Rates::new(&config::Rates { reads_per_minute: Some(set), ..config::Rates::default() });
            check(&set, "127.0.0.1", None, false);
        }
    }

    #[test]
    fn one_subscriber_is_one_client() {
        let of = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:1.2.3.4"), of("1.2.3.4"));
        assert_ne!(of("1.2.3.4"), of("1.2.3.5"));
    }

    #[test]
    fn networks_are_those_of_organisations() {
        for (address, network) in [
            ("203.0.113.9", "203.0.113.0/24"),
            ("::ffff:203.0.113.9", "203.0.113.0/24"),
            ("2001:db8:1:2::1", "2001:db8:1::/48"),
            ("2001:db8:1:ffff::1", "2001:db8:1::/48"),
        ] {
            assert_eq!(Network::of(address.parse().unwrap()).as_str(), network, "{address}");
        }
    }

    #[test]
    fn connections_are_counted_until_they_end() {
        let config = config::Rates {
            connections_per_address: 2,
            trusted_proxies: vec!["10.0.0.1".parse().unwrap(), "fd00::7".parse().unwrap()],
            ..config::Rates::default()
        };
        let rates = std::sync::Arc::new(Rates::new(&config));
        let connect = |text: &str| rates.connect(text.parse().unwrap());
        let places = (connect("1.2.3.4").unwrap(), connect("1.2.3.4").unwrap());
        assert!(connect("1.2.3.4").is_none());
        assert!(connect("1.2.3.5").is_some());
        let proxied: Vec<_> =
            (0..9).flat_map(|_| [connect("10.0.0.1").unwrap(), connect("fd00::7").unwrap()]).collect();
        drop((places, proxied));
        assert!(connect("1.2.3.4").is_some());
        drop(connect("1.2.3.4"));
        assert!(rates.connections.lock().unwrap().is_empty(), "nothing is left behind");
    }

    #[tokio::test]
    async fn an_owner_waits_for_its_turn_and_others_do_not() {
        let rates = Rates::new(&config::Rates { publishes_per_minute: 600, ..config::Rates::default() });
        while rates.publish("acme").is_ok() {}
        let began = Instant::now();
        rates.wait_turn("other").await.unwrap();
        assert!(began.elapsed() < Duration::from_millis(90), "{:?}", began.elapsed());
        rates.wait_turn("acme").await.unwrap();
        rates.wait_turn("acme").await.unwrap();
        assert!(began.elapsed() > Duration::from_millis(100), "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn nobody_waits_longer_than_a_minute() {
        let rates = Rates::new(&config::Rates { publishes_per_minute: 1, ..config::Rates::default() });
        rates.publish("acme").unwrap();
        let waiting = tokio::time::timeout(Duration::from_millis(20), rates.wait_turn("acme")).await;
        assert!(waiting.is_err(), "one waits for its minute");
        assert!(rates.wait_turn("acme").await.is_err(), "two minutes are too long");
    }
}
