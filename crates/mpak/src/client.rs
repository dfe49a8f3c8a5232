//! The door to a registry: requests with limits on time, size and redirects; answers as types.
//!
//! In: bytes from a registry that may be hostile. Out: types of `mpak-api`, whose texts are still the
//! registry's. Nothing is set up before the first request, so commands that need no network pay nothing.
//!
//! Addresses: https everywhere; http to loopback; the registry itself by whatever scheme its owner
//! configured. A token is sent over https or to loopback, and only to the registry.

use std::fs::File;
use std::io::Write;
use std::time::Duration;

use futures_util::StreamExt as _;
use mpak_api::bundle::{Detail, Download, SearchResponse, VersionsResponse};
use mpak_api::error::{ErrorBody, ErrorDetail};
use mpak_api::index::{self, WELL_KNOWN, WellKnown};
use mpak_api::path;
use mpak_api::person::{self, DeviceCode, DeviceRefusal, DeviceToken, Me};
use mpak_api::publish::Published;
use mpak_bundle::digest::Sha256;
use mpak_bundle::name::PackageName;
use mpak_bundle::platform::Platform;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, LOCATION, RANGE, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode};
use serde::de::DeserializeOwned;
use url::Url;

use crate::ui;

pub use error::ClientError;

mod error;

/// The registry where none is configured.
pub const DEFAULT_REGISTRY: &str = "https://registry.mpak.dev";

/// What this program is called in the device flow.
const CLIENT_ID: &str = "mpak-cli";

/// Largest JSON answer that is read. Values take up to 25 times the room of their text.
const JSON_BYTES_MAX: u64 = 8 << 20;

/// Longest time for the body of a JSON answer: one byte now and then must not hold a command up for ever.
const JSON_TIMEOUT: Duration = Duration::from_mins(1);

/// Largest error answer that is read.
const ERROR_BYTES_MAX: u64 = 64 << 10;

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

/// The address of a registry, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry {
    /// http or https, no user, no query, no slash at the end.
    url: Url,
}

impl std::fmt::Display for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Registry {
    /// Reads a configured address.
    ///
    /// # Errors
    /// [`ClientError::Address`].
    pub fn parse(text: &str) -> Result<Self, ClientError> {
        let error = |reason| ClientError::Address { url: text.to_owned(), reason };
        let mut url =
            Url::parse(text.trim()).map_err(|_invalid| error("it is not a URL, like https://registry.example"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(error("expected http or https and a host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(error("it holds a user or password; use MPAK_TOKEN"));
        }
        url.set_query(None);
        url.set_fragment(None);
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self { url })
    }

    /// The address without a slash at the end.
    pub fn as_str(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }

    /// The address of a path of the API.
    fn at(&self, path: &str) -> Result<Url, ClientError> {
        let text = format!("{}{path}", self.as_str());
        Url::parse(&text).map_err(|_invalid| ClientError::Address { url: text, reason: "it is not a URL" })
    }

    /// An address from one of its answers, which may be relative to it.
    fn resolve(&self, text: &str) -> Result<Url, ClientError> {
        let insecure = || ClientError::Insecure { url: text.chars().take(300).collect() };
        let base = format!("{}/", self.as_str());
        let url = Url::parse(&base).and_then(|base| base.join(text)).map_err(|_invalid| insecure())?;
        if self.may_lead_to(&url) { Ok(url) } else { Err(insecure()) }
    }

    /// Whether an answer of this registry may lead to an address: to itself, to https, and from loopback
    /// to loopback.
    fn may_lead_to(&self, url: &Url) -> bool {
        let same = url.origin() == self.url.origin();
        let plain = url.username().is_empty() && url.password().is_none();
        plain
            && (same
                || url.scheme() == "https"
                || (url.scheme() == "http" && is_loopback(url) && is_loopback(&self.url)))
    }
}

/// Whether an address is this machine's own.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// A connection to one registry, set up at the first request.
pub struct Client {
    registry: Registry,
    /// Sent to the registry's own origin, over https or to loopback; never elsewhere.
    token: Option<String>,
    open: std::cell::OnceCell<Open>,
}

struct Open {
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
}

/// What to search for.
#[derive(Clone, Debug, Default)]
pub struct SearchQuery<'a> {
    /// Words.
    pub q: &'a str,
    /// `node`, `python`, `binary`, `uv`.
    pub server_type: Option<&'a str>,
    /// `downloads`, `recent`, `name`.
    pub sort: Option<&'a str>,
    /// Most results.
    pub limit: Option<u64>,
    /// Results to leave out.
    pub offset: Option<u64>,
}

/// What to upload.
#[derive(Debug)]
pub struct Upload<'a> {
    /// Package.
    pub name: &'a PackageName,
    /// Version.
    pub version: &'a str,
    /// What it fits.
    pub platform: Platform,
    /// The bundle.
    pub file: File,
    /// Its length.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256,
    /// Allows it.
    pub token: &'a str,
}

impl Client {
    /// A client of a registry. Nothing is set up yet.
    pub fn new(registry: Registry) -> Self {
        Self { registry, token: None, open: std::cell::OnceCell::new() }
    }

    /// With a token that this machine has for the registry.
    #[must_use]
    pub fn with_token(mut self, token: Option<String>) -> Self {
        self.token = token;
        self
    }

    /// The token that it has.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// An address that the registry names to a person: on itself, or https.
    ///
    /// # Errors
    /// [`ClientError::Insecure`].
    pub fn address_of(&self, text: &str) -> Result<Url, ClientError> {
        self.registry.resolve(text)
    }

    /// Begins the device flow.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn device_code(&self, machine: &str) -> Result<Result<DeviceCode, DeviceRefusal>, ClientError> {
        self.form(person::DEVICE_CODE, &[("client_id", CLIENT_ID), ("machine", machine)])
    }

    /// Asks for the device flow's token.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn device_token(&self, code: &str) -> Result<Result<DeviceToken, DeviceRefusal>, ClientError> {
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        self.form(person::DEVICE_TOKEN, &[("client_id", CLIENT_ID), ("grant_type", grant), ("device_code", code)])
    }

    /// Who the registry takes the token's holder for.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn me(&self) -> Result<Me, ClientError> {
        self.private()?;
        self.json(&self.registry.at(person::ME)?, "who you are")
    }

    /// Ends the token.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn end_token(&self) -> Result<(), ClientError> {
        self.private()?;
        let url = self.registry.at(person::MY_TOKEN)?;
        let open = self.open()?;
        open.runtime.block_on(async {
            let mut request = open.http.delete(url.clone());
            if let Some(token) = self.token_for(&url) {
                request = request.header(AUTHORIZATION, format!("Bearer {token}"));
            }
            let response = request.send().await.map_err(|e| unreachable(&url, e))?;
            self.checked(response, &url, "the token").await.map(|_ended| ())
        })
    }

    /// A form whose answer is or gives a secret.
    fn form<T: DeserializeOwned>(
        &self,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Result<Result<T, DeviceRefusal>, ClientError> {
        self.private()?;
        let url = self.registry.at(path)?;
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let open = self.open()?;
        open.runtime.block_on(async {
            let request = open.http.post(url.clone()).header(ACCEPT, "application/json");
            let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
            let response = request.send().await.map_err(|e| unreachable(&url, e))?;
            if let Some(wait) = patience(&response) {
                return Err(self.busy(response, &url, wait).await);
            }
            if response.status() != StatusCode::BAD_REQUEST {
                let response = self.checked(response, &url, "the device flow").await?;
                return parse(&read(response, &url, JSON_BYTES_MAX, JSON_TIMEOUT).await?, &url).map(Ok);
            }
            parse(&read(response, &url, ERROR_BYTES_MAX, JSON_TIMEOUT).await?, &url).map(Err)
        })
    }

    /// Refuses to send or get a secret over a connection that others can read.
    fn private(&self) -> Result<(), ClientError> {
        if self.registry.url.scheme() == "https" || is_loopback(&self.registry.url) {
            return Ok(());
        }
        Err(ClientError::TokenInClear { host: host(&self.registry.url) })
    }

    /// The token, for an address that may have it.
    fn token_for(&self, url: &Url) -> Option<&str> {
        let own = url.origin() == self.registry.url.origin();
        self.token.as_deref().filter(|_| own && self.private().is_ok())
    }

    /// Its registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Searches.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn search(&self, query: &SearchQuery<'_>) -> Result<SearchResponse, ClientError> {
        let mut url = self.registry.at(path::SEARCH)?;
        {
            let mut pairs = url.query_pairs_mut();
            let numbers = [("limit", query.limit), ("offset", query.offset)];
            let texts = [("q", Some(query.q)), ("type", query.server_type), ("sort", query.sort)];
            for (name, value) in texts {
                value.filter(|v| !v.is_empty()).map(|v| pairs.append_pair(name, v));
            }
            for (name, value) in numbers {
                value.map(|v| pairs.append_pair(name, &v.to_string()));
            }
        }
        self.json(&url, "the search")
    }

    /// A package.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn detail(&self, name: &PackageName) -> Result<Detail, ClientError> {
        self.json(&self.registry.at(&path::bundle(name))?, name.as_str())
    }

    /// All versions of a package.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn versions(&self, name: &PackageName) -> Result<VersionsResponse, ClientError> {
        self.json(&self.registry.at(&path::versions(name))?, name.as_str())
    }

    /// Where the artifact of a version (or of `latest`) for a platform is.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn download(&self, name: &PackageName, version: &str, platform: Platform) -> Result<Download, ClientError> {
        let platform = Some(platform).filter(|p| p.os != mpak_bundle::platform::Os::Any);
        self.json(&self.registry.at(&path::download(name, version, platform))?, &format!("{name}@{version}"))
    }

    /// What the registry says about its static files; none where it has no such files.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn well_known(&self) -> Result<Option<WellKnown>, ClientError> {
        match self.json::<WellKnown>(&self.registry.at(WELL_KNOWN)?, "the static index") {
            Ok(found) => Ok(Some(found).filter(|w| w.version == 1)),
            // An existing registry: it knows no such path, or a page is all that it has there.
            Err(ClientError::NotFound { .. } | ClientError::Form { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The file of a package in the static index; `what` is asked for, in case that there is none.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn index(&self, well_known: &WellKnown, name: &PackageName, what: &str) -> Result<index::Package, ClientError> {
        let url = self.registry.resolve(&format!("{}/{name}.json", well_known.index.trim_end_matches('/')))?;
        self.json(&url, what)
    }

    /// Reads bytes from an address that an answer gave, from an offset, to a writer. Gives the offset at
    /// which the answer starts: the one asked for, or 0 where the server cannot.
    ///
    /// # Errors
    /// [`ClientError`]. What was written until then stays written.
    pub fn bytes(
        &self,
        address: &str,
        offset: u64,
        size: u64,
        begin: &mut dyn FnMut(u64) -> std::io::Result<Box<dyn Write>>,
    ) -> Result<(), ClientError> {
        let url = self.registry.resolve(address)?;
        let open = self.open()?;
        open.runtime.block_on(async {
            let mut headers = HeaderMap::new();
            if offset > 0 {
                headers.insert(RANGE, format!("bytes={offset}-").parse().expect("digits are a header value"));
            }
            let response = self.get(open, url.clone(), headers, "the file").await?;
            let start = if response.status() == StatusCode::PARTIAL_CONTENT { offset } else { 0 };
            let mut to = begin(start)?;
            copy(response, &url, size.saturating_sub(start), &mut to).await
        })
    }

    /// Uploads a bundle.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn upload(&self, upload: Upload<'_>) -> Result<Published, ClientError> {
        use base64::Engine as _;
        if self.registry.url.scheme() != "https" && !is_loopback(&self.registry.url) {
            return Err(ClientError::TokenInClear { host: host(&self.registry.url) });
        }
        let url = self.registry.at(&path::upload(upload.name, upload.version, upload.platform))?;
        let digest = base64::engine::general_purpose::STANDARD.encode(upload.sha256.as_bytes());
        let open = self.open()?;
        open.runtime.block_on(async {
            let request = open
                .http
                .request(Method::PUT, url.clone())
                .header(ACCEPT, "application/json")
                .header(AUTHORIZATION, format!("Bearer {}", upload.token))
                .header("digest", format!("sha-256={digest}"))
                .header(CONTENT_TYPE, "application/octet-stream")
                .header(CONTENT_LENGTH, upload.size)
                .body(tokio::fs::File::from_std(upload.file));
            let response = request.send().await.map_err(|e| match unreachable(&url, e) {
                // What was sent may have been published.
                ClientError::Unreachable { host, source } if !source.is_connect() => {
                    ClientError::Interrupted { host, source }
                }
                error => error,
            })?;
            let response = self.checked(response, &url, &format!("{}@{}", upload.name, upload.version)).await?;
            parse(&read(response, &url, JSON_BYTES_MAX, JSON_TIMEOUT).await?, &url)
        })
    }

    /// Manages something of a package by its owner's or a workload's token. `what` is told when it is not
    /// there.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn manage(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<&serde_json::Value>,
        what: &str,
    ) -> Result<serde_json::Value, ClientError> {
        if self.registry.url.scheme() != "https" && !is_loopback(&self.registry.url) {
            return Err(ClientError::TokenInClear { host: host(&self.registry.url) });
        }
        let url = self.registry.at(path)?;
        let open = self.open()?;
        open.runtime.block_on(async {
            let request = open.http.request(method, url.clone()).header(ACCEPT, "application/json");
            let mut request = request.header(AUTHORIZATION, format!("Bearer {token}"));
            if let Some(body) = body {
                request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
            }
            let response = request.send().await.map_err(|e| unreachable(&url, e))?;
            let response = self.checked(response, &url, what).await?;
            let bytes = read(response, &url, JSON_BYTES_MAX, JSON_TIMEOUT).await?;
            if bytes.is_empty() { Ok(serde_json::Value::Null) } else { parse(&bytes, &url) }
        })
    }

    fn json<T: DeserializeOwned>(&self, url: &Url, what: &str) -> Result<T, ClientError> {
        let open = self.open()?;
        open.runtime.block_on(async {
            let headers = HeaderMap::from_iter([(ACCEPT, "application/json".parse().expect("a header value"))]);
            let response = self.get(open, url.clone(), headers, what).await?;
            parse(&read(response, url, JSON_BYTES_MAX, JSON_TIMEOUT).await?, url)
        })
    }

    fn open(&self) -> Result<&Open, ClientError> {
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
    async fn get(&self, open: &Open, url: Url, headers: HeaderMap, what: &str) -> Result<Response, ClientError> {
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
        let insecure = || ClientError::Insecure { url: location.chars().take(300).collect() };
        let to = from.join(location).map_err(|_invalid| insecure())?;
        if redirects > REDIRECTS_MAX || !self.registry.may_lead_to(&to) {
            return Err(insecure());
        }
        Ok(to)
    }

    async fn busy(&self, response: Response, url: &Url, wait: Duration) -> ClientError {
        let message = detail(response, url).await.map(|d| d.message);
        ClientError::Busy { registry: self.registry.to_string(), seconds: wait.as_secs(), message }
    }

    async fn checked(&self, response: Response, url: &Url, what: &str) -> Result<Response, ClientError> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        if status == StatusCode::NOT_FOUND {
            return Err(ClientError::NotFound { what: what.to_owned(), registry: self.registry.to_string() });
        }
        let detail = detail(response, url).await;
        if !status.is_client_error() {
            let message = detail.map(|d| d.message);
            return Err(ClientError::Status { url: url.to_string(), status: status.as_u16(), message });
        }
        let registry = self.registry.to_string();
        let message = detail.as_ref().map_or_else(|| format!("status {}", status.as_u16()), |d| d.message.clone());
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(ClientError::Denied { registry, message });
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
fn patience(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.trim().parse().ok());
    match response.status().as_u16() {
        429 | 503 => Some(Duration::from_secs(seconds.unwrap_or(2))),
        500 => seconds.map(Duration::from_secs),
        _ => None,
    }
}

async fn read(response: Response, url: &Url, limit: u64, within: Duration) -> Result<Vec<u8>, ClientError> {
    let mut bytes = Vec::new();
    let copied = tokio::time::timeout(within, copy(response, url, limit, &mut bytes)).await;
    copied.map_err(|_elapsed| ClientError::Slow { url: url.to_string(), seconds: within.as_secs() })??;
    Ok(bytes)
}

async fn copy(response: Response, url: &Url, limit: u64, to: &mut dyn Write) -> Result<(), ClientError> {
    let mut stream = response.bytes_stream();
    let mut left = limit;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|e| unreachable(url, e))?;
        left = left
            .checked_sub(chunk.len() as u64)
            .ok_or_else(|| ClientError::TooLarge { url: url.to_string(), limit })?;
        to.write_all(&chunk)?;
    }
    to.flush()?;
    Ok(())
}

fn parse<T: DeserializeOwned>(bytes: &[u8], url: &Url) -> Result<T, ClientError> {
    serde_json::from_slice(bytes).map_err(|e| ClientError::Form { url: url.to_string(), reason: e.to_string() })
}

fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn unreachable(url: &Url, source: reqwest::Error) -> ClientError {
    ClientError::Unreachable { host: host(url), source: source.without_url() }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn addresses_are_normalised() {
        for (text, expected) in [
            ("https://registry.mpak.dev", Some("https://registry.mpak.dev")),
            ("https://r.example/mpak/", Some("https://r.example/mpak")),
            (" http://127.0.0.1:8080/?q#f", Some("http://127.0.0.1:8080")),
            ("HTTPS://R.example", Some("https://r.example")),
            ("ftp://r.example", None),
            ("r.example", None),
            ("https://user:pw@r.example", None),
            ("file:///etc/passwd", None),
        ] {
            assert_eq!(Registry::parse(text).ok().as_ref().map(Registry::as_str), expected, "{text}");
        }
    }

    #[test]
    fn e2_addresses_in_answers_are_relative_to_the_registry() {
        let registry = Registry::parse("https://r.example/base").unwrap();
        for (text, expected) in [
            ("/blobs/x", Some("https://r.example/blobs/x")),
            ("blobs/x", Some("https://r.example/base/blobs/x")),
            ("https://cdn.example/x", Some("https://cdn.example/x")),
            ("http://cdn.example/x", None),
            ("http://127.0.0.1:1/x", None),
            ("http://localhost/x", None),
            ("file:///etc/passwd", None),
            ("https://user@cdn.example/x", None),
            ("http://[", None),
        ] {
            assert_eq!(registry.resolve(text).ok().as_ref().map(Url::as_str), expected, "{text}");
        }
        let local = Registry::parse("http://127.0.0.1:1").unwrap();
        assert!(local.resolve("http://localhost:2/x").is_ok());
        let intranet = Registry::parse("http://registry.intranet").unwrap();
        assert!(intranet.resolve("/x").is_ok());
        assert!(intranet.resolve("http://other.intranet/x").is_err());
        assert!(intranet.resolve("http://127.0.0.1/x").is_err());
    }

    #[test]
    fn a_token_never_travels_in_the_clear() {
        let client = Client::new(Registry::parse("http://registry.example").unwrap());
        let name = PackageName::lookup("@a/b").unwrap();
        let upload = Upload {
            name: &name,
            version: "1.0.0",
            platform: Platform::ANY,
            file: tempfile::tempfile().unwrap(),
            size: 0,
            sha256: Sha256::of(b""),
            token: "secret",
        };
        assert!(matches!(client.upload(upload), Err(ClientError::TokenInClear { .. })));
        assert!(client.open.get().is_none(), "nothing was even set up");
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
