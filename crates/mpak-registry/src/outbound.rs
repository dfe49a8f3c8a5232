//! The one door through which the registry fetches anything.
//!
//! In: an address, and who vouches for it. Out: an [`Answer`] whose body is read within bounds.
//!
//! What the operator wrote into the configuration may lead anywhere, by exact scheme, host and port.
//! Everything else (from tokens, manifests, releases, redirects) must be https to a public address. Names
//! are resolved once per connection and only to addresses that are allowed, so that a name cannot mean
//! another address when it is connected to. Each redirect is checked like a first address. The proxies of
//! the environment are never used, only `[outbound] proxy`; behind it names are resolved by the proxy,
//! whose own rules apply then. Times, sizes and redirects are bounded.

use std::error::Error as StdError;
use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::time::Instant;
use url::{Host, Origin, Url};

use crate::config;

pub(crate) mod address;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest text of an address in an error.
const URL_CHARS_TOLD_MAX: usize = 200;

/// Least average speed of a body that has to keep one up, after its grace.
const BYTES_PER_SECOND_MIN: u64 = 64 << 10;

/// How much of the world's time and data one fetch may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// From the first byte sent to the last received, redirects included.
    pub(crate) total: Duration,
    /// Between two pieces of the answer.
    pub(crate) idle: Duration,
    /// Of the body.
    pub(crate) bytes_max: u64,
    /// Most redirects that are followed.
    pub(crate) redirects_max: usize,
    /// How long the body may take besides a second for every [`BYTES_PER_SECOND_MIN`] of it; `total` alone
    /// without it.
    pub(crate) grace: Option<Duration>,
}

impl Bounds {
    /// For documents of an API.
    pub(crate) const DOCUMENT: Self = Self {
        total: Duration::from_secs(20),
        idle: Duration::from_secs(10),
        bytes_max: 4 << 20,
        redirects_max: 5,
        grace: None,
    };

    /// For bundles, which have to keep up a speed: few of them are fetched at a time.
    pub(crate) fn bundle(bytes_max: u64, idle: Duration) -> Self {
        Self { total: Duration::from_mins(10), idle, bytes_max, redirects_max: 5, grace: Some(idle / 2) }
    }

    /// With another size.
    pub(crate) fn bytes_max(self, bytes_max: u64) -> Self {
        Self { bytes_max, ..self }
    }
}

/// Something to fetch.
#[derive(Clone, Debug)]
pub(crate) struct Fetch {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<Bytes>,
    bounds: Bounds,
    /// Origins that the operator configured and this fetch may reach wherever they lie.
    trusted: Vec<Origin>,
}

impl Fetch {
    /// An address from anybody: public https only.
    pub(crate) fn public(url: Url, bounds: Bounds) -> Self {
        let headers = HeaderMap::from_iter([
            (header::USER_AGENT, HeaderValue::from_static(concat!("mpak-registry/", env!("CARGO_PKG_VERSION")))),
            (header::ACCEPT_ENCODING, HeaderValue::from_static("identity")),
        ]);
        Self { method: Method::GET, url, headers, body: None, bounds, trusted: Vec::new() }
    }

    /// An address that the operator configured, or one below it.
    pub(crate) fn configured(url: Url, bounds: Bounds) -> Self {
        let origin = url.origin();
        Self { trusted: vec![origin], ..Self::public(url, bounds) }
    }

    /// May also reach what the operator configured here.
    pub(crate) fn trusting(mut self, configured: &Url) -> Self {
        self.trusted.push(configured.origin());
        self
    }

    /// With a header, which is not sent to another origin when it is `Authorization` or `Cookie`.
    pub(crate) fn header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Sends a body with a method of its own; redirects are not followed then.
    pub(crate) fn send(mut self, method: Method, body: Bytes) -> Self {
        self.method = method;
        self.body = Some(body);
        self
    }
}

/// Why nothing was fetched.
#[derive(Debug, Error)]
pub(crate) enum OutboundError {
    /// The address is not one that may be fetched.
    #[error("`{url}` may not be fetched: {reason}")]
    Url {
        /// The address.
        url: String,
        /// What is expected of it.
        reason: &'static str,
    },
    /// The name means no public address.
    #[error("`{host}` may not be fetched: it has no public address")]
    NotPublic {
        /// The name.
        host: String,
    },
    /// It leads on and on.
    #[error("`{url}` leads to more than {limit} others")]
    Redirects {
        /// Where it began.
        url: String,
        /// `redirects_max`.
        limit: usize,
    },
    /// No connection, or it broke.
    #[error("cannot fetch from `{host}`")]
    Unreachable {
        /// Which host.
        host: String,
        /// Why.
        source: reqwest::Error,
    },
    /// It takes too long.
    #[error("`{host}` did not answer completely within {seconds} seconds")]
    Slow {
        /// Which host.
        host: String,
        /// The limit.
        seconds: u64,
    },
    /// Nothing comes any more.
    #[error("`{host}` sent nothing for {seconds} seconds")]
    Idle {
        /// Which host.
        host: String,
        /// The limit.
        seconds: u64,
    },
    /// It comes so slowly that it would keep the place of others.
    #[error("`{host}` sent {bytes} bytes in {seconds} seconds, expected {BYTES_PER_SECOND_MIN} bytes per second")]
    Crawls {
        /// Which host.
        host: String,
        /// What came.
        bytes: u64,
        /// In this time.
        seconds: u64,
    },
    /// More than allowed.
    #[error("the answer of `{host}` is larger than {limit} bytes")]
    TooLarge {
        /// Which host.
        host: String,
        /// `bytes_max`.
        limit: u64,
    },
    /// Not the document that was asked for.
    #[error("the answer of `{host}` is not the expected JSON")]
    Json {
        /// Which host.
        host: String,
        /// Why.
        source: serde_json::Error,
    },
    /// This machine cannot fetch at all.
    #[error("nothing can be fetched: {reason}")]
    Client {
        /// Why.
        reason: String,
    },
}

impl OutboundError {
    /// Whether the same fetch may work later: nobody answered, or not to the end.
    pub(crate) fn is_away(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Slow { .. } | Self::Idle { .. } | Self::Crawls { .. } => true,
            Self::Url { .. }
            | Self::NotPublic { .. }
            | Self::Redirects { .. }
            | Self::TooLarge { .. }
            | Self::Json { .. }
            | Self::Client { .. } => false,
        }
    }
}

/// The door.
pub(crate) struct Outbound {
    config: config::Outbound,
    /// For public addresses.
    public: OnceLock<Result<reqwest::Client, String>>,
    /// For origins that the operator configured.
    configured: OnceLock<Result<reqwest::Client, String>>,
}

impl Outbound {
    /// With the operator's settings. Nothing is opened before the first fetch.
    pub(crate) fn new(config: &config::Outbound) -> Self {
        if config.allow_loopback {
            tracing::warn!("[outbound] allow_loopback is on: whoever publishes can reach this machine's own services");
        }
        Self { config: config.clone(), public: OnceLock::new(), configured: OnceLock::new() }
    }

    /// Fetches; redirects are followed for GET and HEAD. Every status is an answer.
    pub(crate) async fn fetch(&self, fetch: Fetch) -> Result<Answer, OutboundError> {
        let deadline = Instant::now() + fetch.bounds.total;
        let Fetch { method, mut url, mut headers, body, bounds, trusted } = fetch;
        let began_at = told(&url);
        let follows = body.is_none() && (method == Method::GET || method == Method::HEAD);
        for _ in 0..=bounds.redirects_max {
            // 1. May this address be fetched?
            let client = self.client_for(&url, &trusted)?;
            // 2. Ask it.
            let mut request = client.request(method.clone(), url.clone()).headers(headers.clone());
            if let Some(body) = &body {
                request = request.body(body.clone());
            }
            let host = host(&url);
            let seconds = bounds.total.as_secs();
            let response = tokio::time::timeout_at(deadline, tokio::time::timeout(bounds.idle, request.send())).await;
            let response = response
                .map_err(|_elapsed| OutboundError::Slow { host: host.clone(), seconds })?
                .map_err(|_elapsed| OutboundError::Idle { host: host.clone(), seconds: bounds.idle.as_secs() })?
                .map_err(|source| unreachable(&host, source))?;
            // 3. Does it lead on?
            let location = follows.then(|| redirect(&response)).flatten();
            let Some(location) = location else {
                return Answer::new(response, host, bounds, deadline);
            };
            let next = url.join(&location).map_err(|_not_a_url| OutboundError::Url {
                url: location.chars().take(URL_CHARS_TOLD_MAX).collect(),
                reason: "it is not a URL",
            })?;
            if next.origin() != url.origin() {
                headers.remove(header::AUTHORIZATION);
                headers.remove(header::COOKIE);
            }
            url = next;
        }
        Err(OutboundError::Redirects { url: began_at, limit: bounds.redirects_max })
    }

    /// Fetches a JSON document that must be there (2xx); another status is given back.
    pub(crate) async fn json<T: DeserializeOwned>(&self, fetch: Fetch) -> Result<Result<T, StatusCode>, OutboundError> {
        let answer = self.fetch(fetch).await?;
        if !answer.status().is_success() {
            return Ok(Err(answer.status()));
        }
        let host = answer.host.clone();
        let bytes = answer.bytes().await?;
        serde_json::from_slice(&bytes).map(Ok).map_err(|source| OutboundError::Json { host, source })
    }

    /// The client that may fetch an address, if one may.
    fn client_for(&self, url: &Url, trusted: &[Origin]) -> Result<&reqwest::Client, OutboundError> {
        let configured = trusted.contains(&url.origin());
        check(url, configured, self.config.allow_loopback)?;
        let (cell, guarded) = if configured { (&self.configured, false) } else { (&self.public, true) };
        let client = cell.get_or_init(|| self.client(guarded));
        client.as_ref().map_err(|reason| OutboundError::Client { reason: reason.clone() })
    }

    fn client(&self, guarded: bool) -> Result<reqwest::Client, String> {
        let builder = reqwest::Client::builder()
            .no_proxy()
            .referer(false)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT);
        let builder = match &self.config.proxy {
            Some(proxy) => builder.proxy(reqwest::Proxy::all(proxy.clone()).map_err(|e| e.to_string())?),
            None if guarded => builder.dns_resolver(Guarded { allow_loopback: self.config.allow_loopback }),
            None => builder,
        };
        builder.build().map_err(|e| with_sources(&e))
    }
}

/// Whether an address may be fetched, as far as its text tells.
fn check(url: &Url, configured: bool, allow_loopback: bool) -> Result<(), OutboundError> {
    let error = |reason| Err(OutboundError::Url { url: told(url), reason });
    if !url.username().is_empty() || url.password().is_some() {
        return error("it holds a user or password");
    }
    if configured {
        return if matches!(url.scheme(), "http" | "https") { Ok(()) } else { error("expected http or https") };
    }
    let literal = match url.host() {
        None => return error("it has no host"),
        Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
        Some(Host::Domain(_)) => None,
    };
    let loopback = allow_loopback && (literal.is_some_and(address::is_loopback) || url.host_str() == Some("localhost"));
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        _ => return error("expected https"),
    }
    match literal {
        Some(ip) if !loopback && !address::is_public(ip) => error("its address is not public"),
        _ => Ok(()),
    }
}

/// Resolves names to public addresses only.
struct Guarded {
    allow_loopback: bool,
}

/// A name that has no address that may be connected to.
#[derive(Debug, Error)]
#[error("`{0}` has no public address")]
struct NotPublic(String);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_loopback = self.allow_loopback;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed = allowed(found, allow_loopback);
            if allowed.is_empty() {
                return Err(NotPublic(name.as_str().to_owned()).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

fn allowed(found: impl Iterator<Item = SocketAddr>, allow_loopback: bool) -> Vec<SocketAddr> {
    found.filter(|a| address::is_public(a.ip()) || (allow_loopback && address::is_loopback(a.ip()))).collect()
}

/// Where a redirect leads.
fn redirect(response: &reqwest::Response) -> Option<String> {
    matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308)
        .then(|| response.headers().get(header::LOCATION))
        .flatten()
        .and_then(|v| v.to_str().ok())
        .map(str::to_owned)
}

fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default().to_owned();
    url.port().map_or(host.clone(), |port| format!("{host}:{port}"))
}

/// An address for an error: without its query, which may hold a signature.
fn told(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.as_str().chars().take(URL_CHARS_TOLD_MAX).collect()
}

fn unreachable(host: &str, source: reqwest::Error) -> OutboundError {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&source);
    while let Some(error) = cause {
        if let Some(NotPublic(host)) = error.downcast_ref() {
            return OutboundError::NotPublic { host: host.clone() };
        }
        cause = error.source();
    }
    // The address may hold a signature.
    OutboundError::Unreachable { host: host.to_owned(), source: source.without_url() }
}

fn with_sources(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(next) = source {
        text = format!("{text}: {next}");
        source = next.source();
    }
    text
}

/// What a host answered; its body is read by [`Answer::chunk`] or [`Answer::bytes`].
#[derive(Debug)]
pub(crate) struct Answer {
    response: reqwest::Response,
    host: String,
    bounds: Bounds,
    deadline: Instant,
    /// When the body began.
    began: Instant,
    /// Bytes read so far.
    bytes: u64,
}

impl Answer {
    fn new(
        response: reqwest::Response,
        host: String,
        bounds: Bounds,
        deadline: Instant,
    ) -> Result<Self, OutboundError> {
        // An error's body is never asked for, whatever size it claims.
        if response.status().is_success() && response.content_length().is_some_and(|n| n > bounds.bytes_max) {
            return Err(OutboundError::TooLarge { host, limit: bounds.bytes_max });
        }
        Ok(Self { response, host, bounds, deadline, began: Instant::now(), bytes: 0 })
    }

    /// The status.
    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// The headers.
    pub(crate) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The host that answered in the end.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Until when the next piece of the body has to be there.
    fn until(&self) -> Instant {
        let Some(grace) = self.bounds.grace else { return self.deadline };
        self.deadline.min(self.began + grace + Duration::from_secs(self.bytes / BYTES_PER_SECOND_MIN))
    }

    /// The next piece of the body.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, OutboundError> {
        let host = || self.host.clone();
        let until = self.until();
        let next = tokio::time::timeout_at(until, tokio::time::timeout(self.bounds.idle, self.response.chunk()));
        let piece = match next.await {
            Err(_elapsed) if until < self.deadline => {
                let seconds = self.began.elapsed().as_secs();
                return Err(OutboundError::Crawls { host: host(), bytes: self.bytes, seconds });
            }
            Err(_elapsed) => return Err(OutboundError::Slow { host: host(), seconds: self.bounds.total.as_secs() }),
            Ok(Err(_elapsed)) => return Err(OutboundError::Idle { host: host(), seconds: self.bounds.idle.as_secs() }),
            Ok(Ok(Err(source))) => return Err(unreachable(&self.host, source)),
            Ok(Ok(Ok(piece))) => piece,
        };
        let Some(piece) = piece else { return Ok(None) };
        self.bytes += piece.len() as u64;
        if self.bytes > self.bounds.bytes_max {
            return Err(OutboundError::TooLarge { host: host(), limit: self.bounds.bytes_max });
        }
        Ok(Some(piece))
    }

    /// The whole body.
    pub(crate) async fn bytes(mut self) -> Result<Vec<u8>, OutboundError> {
        let mut all = Vec::new();
        while let Some(piece) = self.chunk().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn addresses_of_others_are_public_https() {
        for (text, plain, with_loopback) in [
            ("https://releases.example/x", true, true),
            ("https://8.8.8.8/x", true, true),
            ("http://releases.example/x", false, false),
            ("ftp://releases.example/x", false, false),
            ("file:///etc/passwd", false, false),
            ("https://user:password@releases.example/", false, false),
            ("https://user@releases.example/", false, false),
            ("http://127.0.0.1:80/", false, true),
            ("https://127.0.0.1/", false, true),
            ("http://[::1]/", false, true),
            ("http://localhost:1/", false, true),
            // The many ways to write an address.
            ("https://2130706433/", false, true),
            ("https://0x7f.1/", false, true),
            ("https://017700000001/", false, true),
            ("https://0xa9fea9fe/", false, false),
            ("https://[::ffff:169.254.169.254]/", false, false),
            ("https://[::ffff:a9fe:a9fe]/", false, false),
            ("https://[64:ff9b::10.0.0.1]/", false, false),
            ("https://169.254.169.254/latest/meta-data/", false, false),
            ("http://10.0.0.1/", false, false),
            ("https://10.0.0.1/", false, false),
            ("https://192.168.0.1:8443/", false, false),
            ("https://0/", false, false),
            ("https://[fd00:ec2::254]/", false, false),
        ] {
            assert_eq!(check(&url(text), false, false).is_ok(), plain, "{text}");
            assert_eq!(check(&url(text), false, true).is_ok(), with_loopback, "{text} with allow_loopback");
        }
    }

    #[test]
    fn what_the_operator_configured_may_be_private() {
        assert!(check(&url("http://10.0.0.1:8080/"), true, false).is_ok());
        assert!(check(&url("https://gitlab.internal/"), true, false).is_ok());
        assert!(check(&url("file:///etc/passwd"), true, false).is_err());
    }

    #[test]
    fn names_mean_their_public_addresses_only() {
        let found = ["127.0.0.1:0", "10.0.0.1:0", "8.8.8.8:0", "[::1]:0", "[2606:4700::1111]:0"];
        let found = || found.iter().map(|a| a.parse::<SocketAddr>().unwrap());
        assert_eq!(allowed(found(), false).len(), 2);
        assert_eq!(allowed(found(), true).len(), 4);
    }

    #[tokio::test]
    async fn a_name_of_this_machine_is_refused_when_it_is_resolved() {
        let outbound = Outbound::new(&config::Outbound::default());
        let error = outbound.fetch(Fetch::public(url("https://localhost:1/"), Bounds::DOCUMENT)).await.unwrap_err();
        assert!(matches!(&error, OutboundError::NotPublic { host } if host == "localhost"), "{error:?}");
    }

    #[test]
    fn errors_tell_no_signatures() {
        let address = url("https://u:p@store.example/x?X-Signature=secret#frag");
        assert_eq!(told(&address), "https://store.example/x");
    }
}
