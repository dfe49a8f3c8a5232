//! The registry's snapshot of advisories.

use std::time::Duration;

use mpak_api::path;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, IF_NONE_MATCH};

use super::transport::read;
use super::{Client, ClientError};

/// Largest snapshot that is fetched.
const SNAPSHOT_BYTES_MAX: u64 = 512 << 20;

/// Longest time for it.
const SNAPSHOT_TIMEOUT: Duration = Duration::from_mins(30);

impl Client {
    /// The registry's snapshot of advisories; none where it has the digest that is already known.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn advisories(&self, known: Option<&str>) -> Result<Option<Vec<u8>>, ClientError> {
        let url = self.registry.at(path::ADVISORIES)?;
        let open = self.open()?;
        open.runtime.block_on(async {
            let mut headers = HeaderMap::new();
            if let Some(value) = known.and_then(|digest| format!("\"{digest}\"").parse().ok()) {
                headers.insert(IF_NONE_MATCH, value);
            }
            match self.get(open, url.clone(), headers, "a snapshot of advisories").await {
                Err(ClientError::Status { status, .. })
                    if known.is_some() && status == StatusCode::NOT_MODIFIED.as_u16() =>
                {
                    Ok(None)
                }
                Err(error) => Err(error),
                Ok(response) => read(response, &url, SNAPSHOT_BYTES_MAX, SNAPSHOT_TIMEOUT).await.map(Some),
            }
        })
    }
}
