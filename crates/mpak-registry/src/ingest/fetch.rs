//! Stage 5 through its second door: a release's asset that was announced becomes a complete file.
//!
//! In: an [`Upload`] and the answer of whoever delivers the asset, which may be endless, short or another
//! file. Out: [`Received`]. Bounded while streaming by the size that was announced.

use mpak_api::error::Code;
use mpak_bundle::digest::{Hashing, Sha256};
use tempfile::NamedTempFile;
use thiserror::Error;

use super::receive::{self, CHUNK_BYTES, ReceiveError, Received, Upload};
use crate::config::Config;
use crate::error::ApiError;
use crate::outbound::{Answer, OutboundError};

/// Why an asset was not fetched.
#[derive(Debug, Error)]
pub(crate) enum FetchError {
    /// It has another size than announced.
    #[error("Size mismatch for {file}: declared {declared} bytes, got {found}")]
    Size {
        /// Its name.
        file: String,
        /// As announced.
        declared: u64,
        /// How many came, in words.
        found: String,
    },
    /// It is another file than announced.
    #[error("SHA256 mismatch for {file}: declared {declared}, computed {found}")]
    Digest {
        /// Its name.
        file: String,
        /// As announced.
        declared: Sha256,
        /// As received.
        found: Sha256,
    },
    /// Whoever delivers it does not.
    #[error("Failed to download {file}: {source}")]
    Outbound {
        /// Its name.
        file: String,
        /// Why.
        source: OutboundError,
    },
    /// Our disk.
    #[error("cannot write the asset")]
    Disk(#[from] ReceiveError),
}

impl From<FetchError> for ApiError {
    fn from(error: FetchError) -> Self {
        let message = error.to_string();
        let help = "build and announce the file again";
        match error {
            FetchError::Size { declared, found, .. } => {
                Self::refusal(Code::BadRequest, message, format!("{declared} bytes"), found, help)
            }
            FetchError::Digest { declared, found, .. } => {
                Self::refusal(Code::BadRequest, message, declared.prefixed(), found.prefixed(), help)
            }
            FetchError::Outbound { source, .. } => outbound(message, &source),
            FetchError::Disk(ReceiveError::Io(e)) => Self::disk(&e),
            FetchError::Disk(e) => Self::internal(&e),
        }
    }
}

/// What is refused is the publisher's fault, what does not answer is not.
pub(crate) fn outbound(message: String, error: &OutboundError) -> ApiError {
    match error {
        OutboundError::Unreachable { .. }
        | OutboundError::Slow { .. }
        | OutboundError::Crawls { .. }
        | OutboundError::Idle { .. } => ApiError::others(message),
        OutboundError::Client { .. } => ApiError::internal(error),
        _ => ApiError::new(Code::BadRequest, message),
    }
}

/// Fetches an asset. The bounds of the answer are those of the announced size.
pub(crate) async fn fetch(upload: Upload, mut asset: Answer, config: &Config) -> Result<Received, FetchError> {
    let file = upload.release.as_ref().map(|r| r.file.clone()).unwrap_or_default();
    let declared = upload.declared_bytes.unwrap_or(config.limits.archive_bytes_max);
    let tmp = config.tmp();
    let mut sink = receive::blocking(move || NamedTempFile::with_prefix_in("fetch-", tmp).map(Hashing::new))
        .await
        .map_err(ReceiveError::Io)?;
    // 1. Write and hash while it comes.
    let (mut bytes, mut chunk) = (0_u64, Vec::new());
    loop {
        let piece = match asset.chunk().await {
            Ok(Some(piece)) => piece,
            Ok(None) => break,
            Err(OutboundError::TooLarge { .. }) => {
                return Err(FetchError::Size { file, declared, found: "more".to_owned() });
            }
            Err(source) => return Err(FetchError::Outbound { file, source }),
        };
        bytes += piece.len() as u64;
        chunk.extend_from_slice(&piece);
        if chunk.len() >= CHUNK_BYTES {
            (sink, chunk) = receive::write(sink, chunk).await?;
        }
    }
    (sink, _) = receive::write(sink, chunk).await?;
    let (temporary, sha256) = sink.finish();
    // 2. It is what was announced.
    if bytes != declared {
        return Err(FetchError::Size { file, declared, found: format!("{bytes} bytes") });
    }
    match upload.declared_sha256 {
        Some(declared) if declared != sha256 => Err(FetchError::Digest { file, declared, found: sha256 }),
        _ => Ok(Received::new(upload, temporary, bytes, sha256)),
    }
}
