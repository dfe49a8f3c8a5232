//! The road of a bundle into the registry: stages 5 to 10, whichever door it came through.
//!
//! Refusals happen before stage 7, so that they leave no trace in storage or database. Stage 8 is one
//! transaction: a kill before its commit leaves the old state (and perhaps a blob that nothing names), a
//! kill after it the new one. Stage 9 runs in the background, from the job that stage 8 enqueued; stage 10
//! is done before the answer, so that a publisher finds what was published.

use axum::body::BodyDataStream;
use thiserror::Error;
use tracing::Instrument as _;

use crate::outbound::Answer;
use crate::state::AppState;

pub(crate) mod admit;
pub(crate) mod fetch;
pub(crate) mod index;
pub(crate) mod receive;
pub(crate) mod record;
pub(crate) mod review;
pub(crate) mod scan;
pub(crate) mod store;
pub(crate) mod succession;

use admit::AdmitError;
use fetch::FetchError;
use index::Indexed;
use receive::{ReceiveError, Received, Upload};
use record::{RecordError, Standing};
use store::StoreError;

/// What became of a publish.
pub(crate) enum Outcome {
    /// The artifact is new.
    Created(Indexed),
    /// The same bytes were there already.
    Unchanged {
        /// Where they came from.
        upload: Upload,
        /// What is there.
        artifact: crate::db::artifacts::Artifact,
    },
}

/// Why nothing was published.
#[derive(Debug, Error)]
pub(crate) enum PublishError {
    #[error(transparent)]
    Receive(#[from] ReceiveError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Admit(#[from] AdmitError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("the task of this publish died")]
    Died(#[from] tokio::task::JoinError),
}

/// What a collector of traces sees of a stage.
fn stage(name: &'static str) -> tracing::Span {
    tracing::trace_span!(target: "mpak_trace", "stage", otel.name = name)
}

/// Takes an upload through stages 5 to 10 (but for 9, which follows in the background).
pub(crate) async fn publish(
    state: &AppState,
    upload: Upload,
    body: &mut BodyDataStream,
) -> Result<Outcome, PublishError> {
    // 5 receive: whoever hangs up here leaves nothing behind.
    let received = receive::receive(upload, body, &state.config).instrument(stage("receive")).await?;
    follow(state, received).await
}

/// The same for a release's asset, which the registry fetches itself.
pub(crate) async fn publish_fetched(state: &AppState, upload: Upload, asset: Answer) -> Result<Outcome, PublishError> {
    // 5 receive, through its second door.
    let received = fetch::fetch(upload, asset, &state.config).instrument(stage("receive")).await?;
    follow(state, received).await
}

async fn follow(state: &AppState, received: Received) -> Result<Outcome, PublishError> {
    // From here on the publish goes to its end, even if the publisher hangs up.
    let state = state.clone();
    let publishing = async move {
        // 6 admit
        let limits = state.config.limits.clone();
        let admitted =
            tokio::task::spawn_blocking(move || admit::admit(received, &limits)).instrument(stage("admit")).await??;
        let policy = state.config.publishing.version_policy;
        // Two publishes of the same artifact decide one after the other.
        let _turn = state.turns.take(&admitted.identity()).await;
        if let Standing::Same(artifact) = record::standing(&state.db, &admitted, policy, state.clock().now_ms()).await?
        {
            return Ok(Outcome::Unchanged { upload: admitted.into_upload(), artifact });
        }
        let held = review::review(&state, admitted.received().upload().publisher.package()).await;
        let held = held.map_err(RecordError::Db)?;
        // 7 store
        let stored = store::store(admitted, &state.blobs, state.config.storage.mode).instrument(stage("store")).await?;
        // 8 record
        let recorded = record::record(stored, &state, held.as_deref(), state.clock().now_ms());
        let recorded = recorded.instrument(stage("record")).await?;
        if let Some(artifact) = recorded.already() {
            return Ok(Outcome::Unchanged { upload: recorded.upload().clone(), artifact: artifact.clone() });
        }
        // 9 scan: the job is in the database.
        state.scan_wanted.notify_one();
        // 10 index
        Ok(Outcome::Created(index::index(recorded, &state).instrument(stage("index")).await))
    };
    tokio::spawn(publishing.in_current_span()).await?
}
