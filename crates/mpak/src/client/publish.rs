//! What changes a registry: uploads, and what owners and workloads decide about a package.

use std::fs::File;

use mpak_api::path;
use mpak_api::publish::Published;
use mpak_bundle::digest::Sha256;
use mpak_bundle::name::PackageName;
use mpak_bundle::platform::Platform;
use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};

use super::transport::{JSON_BYTES_MAX, JSON_TIMEOUT, parse, read, unreachable};
use super::{Client, ClientError};

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
    /// Uploads a bundle.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn upload(&self, upload: Upload<'_>) -> Result<Published, ClientError> {
        use base64::Engine as _;
        self.private()?;
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
        self.private()?;
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Registry;

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
}
