//! The provider's way through the one outbound door: what the operator configured may lie anywhere, other
//! addresses that the provider names (its keys, its token endpoint) must be public https. A provider is
//! never asked over a connection that others can read, but on this machine.

use std::pin::Pin;

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use thiserror::Error;
use url::{Host, Url};

use crate::config::SignIn;
use crate::outbound::{Bounds, Fetch, Outbound, OutboundError};

/// Largest answer.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// Why the provider could not be asked.
#[derive(Debug, Error)]
pub(crate) enum DoorError {
    /// Not an address to go to.
    #[error("`{url}` is not asked: expected https")]
    Address {
        /// Which.
        url: String,
    },
    /// No answer.
    #[error("the provider gave no answer")]
    Outbound(#[from] OutboundError),
    /// Not an answer.
    #[error("the provider's answer has an impossible head")]
    Http(#[from] openidconnect::http::Error),
}

/// Asks the provider.
#[derive(Clone, Copy)]
pub(crate) struct Door<'a> {
    outbound: &'a Outbound,
    provider: &'a Url,
}

impl<'a> Door<'a> {
    /// To the provider that the operator configured.
    pub(crate) fn new(outbound: &'a Outbound, to: &'a SignIn) -> Self {
        Self { outbound, provider: &to.issuer }
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, DoorError> {
        let (parts, body) = request.into_parts();
        let text = parts.uri.to_string();
        let url = Url::parse(&text).ok().filter(is_private).ok_or(DoorError::Address { url: text })?;
        let bounds = Bounds { redirects_max: 0, ..Bounds::DOCUMENT.bytes_max(ANSWER_BYTES_MAX) };
        let mut fetch = Fetch::public(url, bounds).trusting(self.provider);
        for (name, value) in &parts.headers {
            fetch = fetch.header(name.clone(), value.clone());
        }
        if !body.is_empty() {
            fetch = fetch.send(parts.method, body.into());
        }
        let answer = self.outbound.fetch(fetch).await?;
        let mut response = openidconnect::http::Response::builder().status(answer.status());
        for (name, value) in answer.headers() {
            response = response.header(name, value);
        }
        Ok(response.body(answer.bytes().await?)?)
    }
}

impl<'c> AsyncHttpClient<'c> for Door<'_> {
    type Error = DoorError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, DoorError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

/// Whether nobody on the way can read what is sent: https, or not leaving this machine.
fn is_private(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_loopback_are_private() {
        for (url, expect) in [
            ("https://id.example/token", true),
            ("http://id.example/token", false),
            ("http://127.0.0.1:1/token", true),
            ("http://[::1]:1/token", true),
            ("http://localhost:1/token", true),
            ("http://127.0.0.1.evil.example/", false),
            ("ftp://127.0.0.1/", false),
        ] {
            assert_eq!(is_private(&Url::parse(url).unwrap()), expect, "{url}");
        }
    }
}
