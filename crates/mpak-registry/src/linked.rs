//! Blobs that the registry does not keep (`mode = "link"`): their bytes stay where they were released.
//!
//! Readers are sent there and compare the pinned digest; the scanner fetches them through the outbound
//! door. What comes from there is not trusted: other bytes than the pinned ones are refused.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};

use mpak_bundle::digest::{Hashing, Sha256};
use thiserror::Error;
use url::Url;

use crate::auth::asker;
use crate::db::{DbError, DbResult, blobs};
use crate::outbound::{Bounds, Fetch, OutboundError};
use crate::state::AppState;

/// Why linked bytes were not fetched.
#[derive(Debug, Error)]
pub(crate) enum LinkedError {
    /// The recorded address is none.
    #[error("`{found}` is not an address")]
    Address {
        /// As recorded.
        found: String,
    },
    /// The release is gone, or whoever delivers it does not.
    #[error("the release at `{host}` answered {status}")]
    Gone {
        /// Which host.
        host: String,
        /// Its answer.
        status: u16,
    },
    /// Other bytes lie there now.
    #[error("the release has other bytes now: {found} instead of {expected}")]
    Changed {
        /// As published.
        expected: Sha256,
        /// As found.
        found: Sha256,
    },
    /// No connection, or not allowed.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// Our database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// Our disk.
    #[error("cannot keep the fetched bytes for the moment")]
    Io(#[from] io::Error),
}

impl LinkedError {
    /// Whether it may work later by itself: no answer, or one that says so. What is gone or other bytes is not.
    pub(crate) fn is_away(&self) -> bool {
        match self {
            Self::Gone { status, .. } => *status >= 500 || matches!(status, 408 | 429),
            Self::Outbound(error) => error.is_away(),
            Self::Db(error) => error.is_unavailable(),
            Self::Io(_) => true,
            Self::Address { .. } | Self::Changed { .. } => false,
        }
    }
}

/// Where the bytes of an artifact are when the registry does not keep them: at its own release, so that
/// nobody who releases the same bytes elsewhere is asked by its users. Asks the database only where such
/// blobs can be.
pub(crate) async fn address_of(state: &AppState, artifact_id: i64) -> DbResult<Option<String>> {
    if !state.may_link {
        return Ok(None);
    }
    blobs::source_of_artifact(&mut *state.db.read().await?, artifact_id).await
}

/// Where the bytes of a blob are that the registry does not keep: at the first release of a package that
/// the asker may read.
pub(crate) async fn address_for(state: &AppState, sha256: &Sha256) -> DbResult<Option<String>> {
    if !state.may_link {
        return Ok(None);
    }
    let sources = blobs::public_sources(&mut *state.db.read().await?, sha256).await?;
    let reader = asker::current().reader;
    Ok(sources.into_iter().find(|(package, _)| reader.may_read(package)).map(|(_, address)| address))
}

/// Fetches linked bytes into a file that is gone when it is closed.
pub(crate) async fn fetch(state: &AppState, sha256: &Sha256, address: &str) -> Result<File, LinkedError> {
    // 1. Ask for them. A forge of the operator's own delivers from itself, wherever it lies.
    let url = Url::parse(address).map_err(|_not_a_url| LinkedError::Address { found: address.to_owned() })?;
    let mut request =
        Fetch::public(url, Bounds::bundle(state.config.limits.archive_bytes_max, state.config.body_idle_timeout));
    for api in state.config.publishing.issuer.iter().filter_map(|issuer| issuer.api_url.as_ref()) {
        request = request.trusting(api);
    }
    let mut answer = state.outbound.fetch(request).await?;
    if !answer.status().is_success() {
        return Err(LinkedError::Gone { host: answer.host().to_owned(), status: answer.status().as_u16() });
    }
    // 2. Write and hash while they come.
    let tmp = state.config.tmp();
    let mut sink = blocking(move || tempfile::tempfile_in(tmp).map(Hashing::new)).await?;
    while let Some(piece) = answer.chunk().await? {
        sink = blocking(move || sink.write_all(&piece).map(|()| sink)).await?;
    }
    // 3. They are the published ones.
    let (mut file, found) = sink.finish();
    if found != *sha256 {
        return Err(LinkedError::Changed { expected: *sha256, found });
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
