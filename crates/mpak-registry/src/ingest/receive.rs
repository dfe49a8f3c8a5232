//! Stage 5, receive: a stream of bytes from a publisher becomes a complete file with its digest.
//!
//! In: an [`Upload`] (what the publisher claims) and the body. Out: [`Received`]. Bounded by
//! `Limits::archive_bytes_max` while streaming, by an idle time between pieces and by a least speed.
//! Spec: RFC 3230 `Digest`, RFC 9530 `Content-Digest`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{BodyDataStream, Bytes};
use futures_util::StreamExt as _;
use mpak_bundle::digest::{Hashing, Sha256};
use mpak_bundle::platform::Platform;
use mpak_bundle::version::Version;
use serde_json::Value;
use std::io::Write as _;
use tempfile::NamedTempFile;
use thiserror::Error;

use crate::auth::token::Publisher;
use crate::config::Config;

/// Pieces are gathered to this size before they are hashed and written off the async threads.
pub(super) const CHUNK_BYTES: usize = 512 << 10;

/// Slowest upload that is waited for, after a grace as long as the idle time.
const BYTES_PER_SECOND_MIN: u64 = 4 << 10;

/// What a publisher claims to send. Its name is the one that the publisher may publish.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    pub(crate) publisher: Publisher,
    pub(crate) version: Version,
    pub(crate) platform: Platform,
    /// From `Content-Length`.
    pub(crate) declared_bytes: Option<u64>,
    /// From `Digest`.
    pub(crate) declared_sha256: Option<Sha256>,
    /// The release that the bytes are fetched from; none when they are sent.
    pub(crate) release: Option<Release>,
}

/// A release whose asset was announced.
#[derive(Clone, Debug)]
pub(crate) struct Release {
    /// As announced and found.
    pub(crate) tag: String,
    /// Its page.
    pub(crate) url: String,
    /// Name of the asset.
    pub(crate) file: String,
    /// Where the asset lies.
    pub(crate) source_url: String,
    /// The commit of the tag, where the forge tells.
    pub(crate) tag_sha: Option<String>,
    /// The manifest that was announced; the bundle's must say the same.
    pub(crate) manifest: Arc<Value>,
}

/// A complete upload.
#[derive(Debug)]
pub(crate) struct Received {
    upload: Upload,
    /// Removed when dropped.
    file: NamedTempFile,
    bytes: u64,
    sha256: Sha256,
}

impl Received {
    /// From the other door of this stage.
    pub(super) fn new(upload: Upload, file: NamedTempFile, bytes: u64, sha256: Sha256) -> Self {
        Self { upload, file, bytes, sha256 }
    }

    /// What the publisher claimed.
    pub(crate) fn upload(&self) -> &Upload {
        &self.upload
    }

    /// Digest of what came.
    pub(crate) fn sha256(&self) -> Sha256 {
        self.sha256
    }

    /// Length of what came.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The file.
    pub(crate) fn file(&self) -> &NamedTempFile {
        &self.file
    }

    /// The parts, for the stage that keeps the file.
    pub(crate) fn into_parts(self) -> (Upload, NamedTempFile) {
        (self.upload, self.file)
    }
}

/// Why an upload was not received.
#[derive(Debug, Error)]
pub(crate) enum ReceiveError {
    /// More than allowed.
    #[error("the bundle is larger than {limit} bytes")]
    TooLarge {
        /// `archive_bytes_max`.
        limit: u64,
        /// As far as known.
        found: u64,
    },
    /// Nothing came.
    #[error("the request has no body")]
    Empty,
    /// The connection ended early, or the body is malformed.
    #[error("the body ended after {bytes} bytes")]
    Broken {
        /// What came.
        bytes: u64,
        /// Why.
        source: axum::Error,
    },
    /// Nothing came for too long.
    #[error("no byte came for {seconds} seconds")]
    Idle {
        /// The limit.
        seconds: u64,
    },
    /// It comes so slowly that it would keep the place of others.
    #[error("only {bytes} bytes came in {seconds} seconds")]
    Slow {
        /// What came.
        bytes: u64,
        /// In this time.
        seconds: u64,
    },
    /// Other bytes than announced.
    #[error("the bytes do not match the Digest header")]
    Digest {
        /// As declared.
        expected: Sha256,
        /// As received.
        found: Sha256,
    },
    /// Our disk.
    #[error("cannot write the upload")]
    Io(#[from] std::io::Error),
}

/// Receives an upload.
pub(crate) async fn receive(
    upload: Upload,
    body: &mut BodyDataStream,
    config: &Config,
) -> Result<Received, ReceiveError> {
    let limit = config.limits.archive_bytes_max;
    // 1. Too large by its own word.
    if let Some(found) = upload.declared_bytes.filter(|n| *n > limit) {
        return Err(ReceiveError::TooLarge { limit, found });
    }
    // 2. Write and hash while it comes.
    let tmp = config.tmp();
    let mut sink = blocking(move || NamedTempFile::with_prefix_in("upload-", tmp).map(Hashing::new)).await?;
    let mut bytes = 0;
    let mut chunk = Vec::new();
    let began = Instant::now();
    while let Some(piece) = next(body, config.body_idle_timeout, bytes).await? {
        bytes += piece.len() as u64;
        check_speed(began.elapsed(), bytes, config.body_idle_timeout)?;
        if bytes > limit {
            return Err(ReceiveError::TooLarge { limit, found: bytes });
        }
        chunk.extend_from_slice(&piece);
        if chunk.len() >= CHUNK_BYTES {
            (sink, chunk) = write(sink, chunk).await?;
        }
    }
    (sink, _) = write(sink, chunk).await?;
    let (file, sha256) = sink.finish();
    // 3. Something came, and what was announced.
    if bytes == 0 {
        return Err(ReceiveError::Empty);
    }
    match upload.declared_sha256 {
        Some(expected) if expected != sha256 => Err(ReceiveError::Digest { expected, found: sha256 }),
        _ => Ok(Received { upload, file, bytes, sha256 }),
    }
}

/// A byte now and then is not enough: few publishers at a time are heard.
fn check_speed(took: Duration, bytes: u64, grace: Duration) -> Result<(), ReceiveError> {
    let allowed = grace.saturating_add(Duration::from_secs(bytes / BYTES_PER_SECOND_MIN));
    if took > allowed { Err(ReceiveError::Slow { bytes, seconds: took.as_secs() }) } else { Ok(()) }
}

async fn next(body: &mut BodyDataStream, idle: Duration, bytes: u64) -> Result<Option<Bytes>, ReceiveError> {
    match tokio::time::timeout(idle, body.next()).await {
        Err(_elapsed) => Err(ReceiveError::Idle { seconds: idle.as_secs() }),
        Ok(Some(Err(source))) => Err(ReceiveError::Broken { bytes, source }),
        Ok(piece) => Ok(piece.transpose().unwrap_or(None)),
    }
}

pub(super) type Sink = Hashing<NamedTempFile>;

/// Writes a chunk on a thread that may block, and gives both back, the chunk emptied.
pub(super) async fn write(mut sink: Sink, mut chunk: Vec<u8>) -> Result<(Sink, Vec<u8>), ReceiveError> {
    let written = blocking(move || {
        sink.write_all(&chunk)?;
        chunk.clear();
        Ok((sink, chunk))
    });
    Ok(written.await?)
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other)?
}
