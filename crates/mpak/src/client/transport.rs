//! One request and its answer: limits on time and size, redirects that are judged, patience, refusals as
//! types, and who gets the token.

use std::io::Write;
use std::time::Duration;

use futures_util::StreamExt as _;
use mpak_api::error::{ErrorBody, ErrorDetail};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde::de::DeserializeOwned;
use url::Url;

use super::registry::is_loopback;
use super::{Client, ClientError};
use crate::ui;

/// Largest JSON answer that is read. Values take up to 25 times the room of their text.
pub(super) const JSON_BYTES_MAX: u64 = 8 << 20;

/// Longest time for the body of a JSON answer: one byte now and then must not hold a command up for ever.
pub(super) const JSON_TIMEOUT: Duration = Duration::from_mins(1);

/// Largest error answer that is read.
pub(super) const ERROR_BYTES_MAX: u64 = 64 << 10;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest silence while reading.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Most redirects that are followed.
const REDIRECTS_MAX: usize = 5;

/// How often a request is sent when the registry asks for patience.
const ATTEMPTS_MAX: u32 = 3;

/// Longest patience that a registry may ask for.
const PATIENCE_MAX: Duration = Duration::from_mins(1);

/// What requests are sent with.
pub(super) struct Open {
    pub(super) runtime: tokio::runtime::Runtime,
    pub(super) http: reqwest::Client,
}

impl Client {
    /// Refuses to send or get a secret over a connection that others can read.
    pub(super) fn private(&self) -> Result<(), ClientError> {
        if self.registry.url.scheme() == "https" || is_loopback(&self.registry.url) {
            return Ok(());
        }
        Err(ClientError::TokenInClear { host: host(&self.registry.url) })
    }

    /// The token, for an address that may have it.
    pub(super) fn token_for(&self, url: &Url) -> Option<&str> {
        let own = url.origin() == self.registry.url.origin();
        self.token.as_deref().filter(|_| own && self.private().is_ok())
    }

    pub(super) fn json<T: DeserializeOwned>(&self, url: &Url, what: &str) -> Result<T, ClientError> {
        let open = self.open()?;
        open.runtime.block_on(async {
            let headers = HeaderMap::from_iter([(ACCEPT, "application/json".parse().expect("a header value"))]);
            let response = self.get(open, url.clone(), headers, what).await?;
            parse(&read(response, url, JSON_BYTES_MAX, JSON_TIMEOUT).await?, url)
        })
    }

    pub(super) fn open(&self) -> Result<&Open, ClientError> {
        if self.open.get().is_none() {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let mut builder = reqwest::Client::builder()
                .user_agent(concat!("mpak/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(CONNECT_TIMEOUT)
                .read_timeout(IDLE_TIMEOUT)
                // each hop is checked by `get`
                .redirect(reqwest::redirect::Policy::none());
            if is_loopback(&self.registry.url) {
                builder = builder.no_proxy();
            }
            let http = builder.build().map_err(|e| unreachable(&self.registry.url, e))?;
            let _set = self.open.set(Open { runtime, http });
        }
        Ok(self.open.get().expect("set above"))
    }

    /// GET with redirects and patience.
    pub(super) async fn get(
        &self,
        open: &Open,
        url: Url,
        headers: HeaderMap,
        what: &str,
    ) -> Result<Response, ClientError> {
        let mut url = url;
        let mut attempts = 1;
        let mut redirects = 0;
        loop {
            let mut request = open.http.get(url.clone()).headers(headers.clone());
            if let Some(token) = self.token_for(&url) {
                request = request.header(AUTHORIZATION, format!("Bearer {token}"));
            }
            let sent = request.send().await;
            let response = sent.map_err(|e| unreachable(&url, e))?;
            if response.status().is_redirection() && response.headers().contains_key(LOCATION) {
                redirects += 1;
                url = self.next(&url, &response, redirects)?;
                continue;
            }
            if let Some(wait) = patience(&response) {
                if attempts >= ATTEMPTS_MAX || wait > PATIENCE_MAX {
                    return Err(self.busy(response, &url, wait).await);
                }
                attempts += 1;
                ui::note(&format!("{} is busy; trying again in {} s", self.registry, wait.as_secs()));
                tokio::time::sleep(wait).await;
                continue;
            }
            return self.checked(response, &url, what).await;
        }
    }

    fn next(&self, from: &Url, response: &Response, redirects: usize) -> Result<Url, ClientError> {
        let location = response.headers().get(LOCATION).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let insecure = |url: &str| ClientError::Insecure { url: url.chars().take(300).collect() };
        let to = from.join(location).map_err(|_invalid| insecure(location))?;
        if redirects > REDIRECTS_MAX || !self.registry.may_lead_to(&to) {
            return Err(insecure(&shown(&to)));
        }
        Ok(to)
    }

    /// The registry asks for more patience than we have.
    pub(super) async fn busy(&self, response: Response, url: &Url, wait: Duration) -> ClientError {
        let message = detail(response, url).await.map(|d| d.message);
        ClientError::Busy { registry: self.registry.to_string(), seconds: wait.as_secs(), message }
    }

    pub(super) async fn checked(&self, response: Response, url: &Url, what: &str) -> Result<Response, ClientError> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        if status == StatusCode::NOT_FOUND {
            return Err(ClientError::NotFound { what: what.to_owned(), registry: self.registry.to_string() });
        }
        // Who answered, after redirects.
        let (elsewhere, from) = (response.url().origin() != self.registry.url.origin(), host(response.url()));
        let detail = detail(response, url).await;
        if !status.is_client_error() {
            let message = detail.map(|d| d.message);
            return Err(ClientError::Status { url: shown(url), status: status.as_u16(), message });
        }
        let registry = self.registry.to_string();
        let message = detail.as_ref().map_or_else(|| format!("status {}", status.as_u16()), |d| d.message.clone());
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(if elsewhere {
                ClientError::DeniedElsewhere { host: from, registry, message, is_signed: is_signed(url) }
            } else {
                ClientError::Denied { registry, message }
            });
        }
        let help = detail.as_ref().and_then(|d| d.details.as_ref()?.get("help")?.as_str().map(str::to_owned));
        Err(ClientError::Refused { registry, message, code: detail.map(|d| d.code), help })
    }
}

/// What a refusal says, in the form of the API.
async fn detail(response: Response, url: &Url) -> Option<ErrorDetail> {
    let body = read(response, url, ERROR_BYTES_MAX, JSON_TIMEOUT).await.unwrap_or_default();
    serde_json::from_slice::<ErrorBody>(&body).ok().map(|body| body.error)
}

/// How long to wait before asking again: 429, 503, and 500 where it says so (an existing registry's form
/// of "too fast").
pub(super) fn patience(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.trim().parse().ok());
    match response.status().as_u16() {
        429 | 503 => Some(Duration::from_secs(seconds.unwrap_or(2))),
        500 => seconds.map(Duration::from_secs),
        _ => None,
    }
}

pub(super) async fn read(response: Response, url: &Url, limit: u64, within: Duration) -> Result<Vec<u8>, ClientError> {
    let mut bytes = Vec::new();
    let copied = tokio::time::timeout(within, copy(response, url, limit, &mut bytes)).await;
    copied.map_err(|_elapsed| ClientError::Slow { url: shown(url), seconds: within.as_secs() })??;
    Ok(bytes)
}

pub(super) async fn copy(response: Response, url: &Url, limit: u64, to: &mut dyn Write) -> Result<(), ClientError> {
    let mut stream = response.bytes_stream();
    let mut left = limit;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|e| unreachable(url, e))?;
        left = left.checked_sub(chunk.len() as u64).ok_or_else(|| ClientError::TooLarge { url: shown(url), limit })?;
        to.write_all(&chunk)?;
    }
    to.flush()?;
    Ok(())
}

pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8], url: &Url) -> Result<T, ClientError> {
    serde_json::from_slice(bytes).map_err(|e| ClientError::Form { url: shown(url), reason: e.to_string() })
}

/// An address as people may see it: what stands behind `?` may be a signature, which is a key to the bytes.
fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    if shown.query().is_some() {
        shown.set_query(Some("…"));
    }
    shown.to_string().replace("%E2%80%A6", "…")
}

/// Whether an address is the key itself, as those of object stores are.
fn is_signed(url: &Url) -> bool {
    url.query_pairs().any(|(name, _)| name == "sig" || name.to_ascii_lowercase().ends_with("-signature"))
}

fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

pub(super) fn unreachable(url: &Url, source: reqwest::Error) -> ClientError {
    ClientError::Unreachable { host: host(url), source: source.without_url() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Registry;

    #[test]
    fn a_signature_is_known_and_never_shown() {
        for (url, signed, text) in [
            ("https://r.example/v1/x", false, "https://r.example/v1/x"),
            ("https://r.example/v1/x?q=sig", false, "https://r.example/v1/x?…"),
            ("https://s.example/b?X-Amz-Date=1&X-Amz-Signature=ab", true, "https://s.example/b?…"),
            ("https://s.example/b?X-Goog-Signature=ab", true, "https://s.example/b?…"),
            ("https://s.example/b?sv=1&sig=ab%3D", true, "https://s.example/b?…"),
        ] {
            let url: Url = url.parse().unwrap();
            assert_eq!((is_signed(&url), &*shown(&url)), (signed, text), "{url}");
        }
    }

    #[test]
    fn a_token_goes_to_its_registry_only_and_never_in_the_clear() {
        for (registry, url, expect) in [
            ("https://r.example", "https://r.example/v1/x", true),
            ("https://r.example", "https://r.example:444/v1/x", false),
            ("https://r.example", "https://cdn.example/x", false),
            ("https://r.example", "https://r.example.evil/x", false),
            ("http://r.example", "http://r.example/v1/x", false),
            ("http://127.0.0.1:1", "http://127.0.0.1:1/x", true),
            ("http://127.0.0.1:1", "http://127.0.0.1:2/x", false),
        ] {
            let client = Client::new(Registry::parse(registry).unwrap()).with_token(Some("mpak_x".to_owned()));
            assert_eq!(client.token_for(&Url::parse(url).unwrap()).is_some(), expect, "{registry} {url}");
        }
    }

    #[test]
    fn an_answer_that_never_ends_is_given_up() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _asked = std::io::Read::read(&mut stream, &mut [0; 4096]).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            while stream.write_all(b" ").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let client = Client::new(Registry::parse(url.as_str()).unwrap());
        let open = client.open().unwrap();
        let result = open.runtime.block_on(async {
            let response = open.http.get(url.clone()).send().await.unwrap();
            read(response, &url, JSON_BYTES_MAX, Duration::from_millis(300)).await
        });
        assert!(matches!(result, Err(ClientError::Slow { .. })), "{result:?}");
        drop(client);
        server.join().unwrap();
    }
}
