//! The door to a registry: requests with limits on time, size and redirects; answers as types.
//!
//! In: bytes from a registry that may be hostile. Out: types of `mpak-api`, whose texts are still the
//! registry's. Nothing is set up before the first request, so commands that need no network pay nothing.
//!
//! Addresses: https everywhere; http to loopback; the registry itself by whatever scheme its owner
//! configured. A token is sent over https or to loopback, and only to the registry.

use std::io::Write;

use mpak_api::bundle::{Detail, Download, SearchResponse, VersionsResponse};
use mpak_api::index::{self, WELL_KNOWN, WellKnown};
use mpak_api::path;
use mpak_bundle::name::PackageName;
use mpak_bundle::platform::Platform;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RANGE};
use url::Url;

use transport::{Open, copy};

pub use error::ClientError;
pub use publish::Upload;
pub use registry::{Registry, is_loopback};

mod advisories;
mod error;
mod person;
mod publish;
mod registry;
mod transport;

/// The registry where none is configured.
pub const DEFAULT_REGISTRY: &str = "https://registry.mpak.dev";

/// A connection to one registry, set up at the first request.
pub struct Client {
    registry: Registry,
    /// Sent to the registry's own origin, over https or to loopback; never elsewhere.
    token: Option<String>,
    open: std::cell::OnceCell<Open>,
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

    /// Its registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// An address that the registry names to a person: on itself, or https.
    ///
    /// # Errors
    /// [`ClientError::Insecure`].
    pub fn address_of(&self, text: &str) -> Result<Url, ClientError> {
        self.registry.resolve(text)
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
}
