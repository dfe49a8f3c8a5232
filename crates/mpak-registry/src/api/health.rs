//! `GET /health`: the process answers. `GET /ready`: its database and storage do, too, and its workers live.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use mpak_api::error::Code;
use mpak_api::report::{Alive, Ready};

use crate::auth::access::Reader;
use crate::clock::rfc3339;
use crate::error::{ApiError, ApiResult};
use crate::http::json;
use crate::state::AppState;

/// Longest time that a check may take: who asks wants to send requests elsewhere.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// When to ask again.
const RETRY_S: u32 = 1;

/// `GET /health`
#[utoipa::path(
    get, path = "/health", tag = "operation",
    responses((status = 200, description = "The process answers", body = Alive)),
)]
pub(crate) async fn health(State(state): State<AppState>) -> Response {
    json(&Alive { status: "ok".to_owned(), timestamp: rfc3339(state.clock().now_ms()) })
}

/// `GET /ready`
#[utoipa::path(
    get, path = "/ready", tag = "operation",
    responses((status = 200, description = "Database and blobs answer", body = Ready)),
)]
pub(crate) async fn ready(State(state): State<AppState>) -> ApiResult<Response> {
    within("the database", state.db.ping()).await?;
    within("the storage", state.blobs.check()).await?;
    if let Some(worker) = state.workers.ended() {
        return Err(not_ready(worker, &"it ended"));
    }
    let packages = state.search.len(&Reader::stranger(&state.config.access)) as u64;
    Ok(json(&Ready { status: "ready".to_owned(), packages }))
}

async fn within<E: std::error::Error>(what: &str, check: impl Future<Output = Result<(), E>>) -> ApiResult<()> {
    match tokio::time::timeout(CHECK_TIMEOUT, check).await {
        Ok(checked) => checked.map_err(|e| not_ready(what, &e)),
        Err(late) => Err(not_ready(what, &late)),
    }
}

fn not_ready(what: &str, cause: &dyn std::fmt::Display) -> ApiError {
    tracing::error!(%cause, "{what} is not ready");
    ApiError::new(Code::ServiceUnavailable, format!("{what} is not ready")).retry_after(RETRY_S)
}
