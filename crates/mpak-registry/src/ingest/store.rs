//! Stage 7, store: the bytes are kept by their digest, if they are not kept already.
//!
//! In: [`Admitted`]. Out: [`Stored`], the proof that the blob is kept for good.
//! Spec: MTF 0.1 RG-07.

use mpak_bundle::digest::Sha256;
use thiserror::Error;

use super::admit::{Admitted, Texts};
use super::receive::Upload;
use crate::blob::{BlobError, Blobs};
use crate::config::Mode;

/// A bundle whose bytes are kept.
#[derive(Debug)]
pub(crate) struct Stored {
    upload: Upload,
    texts: Texts,
    sha256: Sha256,
    bytes: u64,
    kept: bool,
}

impl Stored {
    /// What the publisher claimed, which was found true.
    pub(crate) fn upload(&self) -> &Upload {
        &self.upload
    }

    /// Manifest and README.
    pub(crate) fn texts(&self) -> &Texts {
        &self.texts
    }

    /// The digest.
    pub(crate) fn sha256(&self) -> Sha256 {
        self.sha256
    }

    /// The length.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the registry keeps the bytes; otherwise they stay at their release.
    pub(crate) fn kept(&self) -> bool {
        self.kept
    }
}

/// Why the bytes were not kept.
#[derive(Debug, Error)]
#[error("cannot keep the blob")]
pub(crate) struct StoreError(#[from] pub(crate) BlobError);

/// Keeps the bytes, unless they were fetched from a release and releases are only linked to.
pub(crate) async fn store(admitted: Admitted, blobs: &Blobs, mode: Mode) -> Result<Stored, StoreError> {
    let (received, texts) = admitted.into_parts();
    let (sha256, bytes) = (received.sha256(), received.bytes());
    let (upload, file) = received.into_parts();
    let kept = mode == Mode::Mirror || upload.release.is_none();
    if kept {
        blobs.put(file, &sha256, bytes).await?;
    }
    Ok(Stored { upload, texts, sha256, bytes, kept })
}
