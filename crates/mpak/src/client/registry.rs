//! The address of a registry, and where its answers may lead.

use url::Url;

use super::ClientError;

/// The address of a registry, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry {
    /// http or https, no user, no query, no slash at the end.
    pub(super) url: Url,
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
    pub(super) fn at(&self, path: &str) -> Result<Url, ClientError> {
        let text = format!("{}{path}", self.as_str());
        Url::parse(&text).map_err(|_invalid| ClientError::Address { url: text, reason: "it is not a URL" })
    }

    /// An address from one of its answers, which may be relative to it.
    pub(super) fn resolve(&self, text: &str) -> Result<Url, ClientError> {
        let insecure = || ClientError::Insecure { url: text.chars().take(300).collect() };
        let base = format!("{}/", self.as_str());
        let url = Url::parse(&base).and_then(|base| base.join(text)).map_err(|_invalid| insecure())?;
        if self.may_lead_to(&url) { Ok(url) } else { Err(insecure()) }
    }

    /// Whether an answer of this registry may lead to an address: to itself, to https, and from loopback
    /// to loopback.
    pub(super) fn may_lead_to(&self, url: &Url) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
