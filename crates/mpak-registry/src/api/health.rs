//! `GET /health`: the process answers. `GET /ready`: its database and blobs do, too.

use axum::extract::State;
use axum::response::Response;
use mpak_api::error::Code;
use serde_json::json;

use crate::auth::access::Reader;
use crate::clock::rfc3339;
use crate::error::{ApiError, ApiResult};
use crate::http::json;
use crate::state::AppState;

/// `GET /health`
#[utoipa::path(
    get, path = "/health", tag = "operation",
    responses((status = 200, description = "The process answers", body = Value)),
)]
pub(crate) async fn health(State(state): State<AppState>) -> Response {
    json(&json!({"status": "ok", "timestamp": rfc3339(state.clock().now_ms())}))
}

/// `GET /ready`
#[utoipa::path(
    get, path = "/ready", tag = "operation",
    responses((status = 200, description = "Database and blobs answer", body = Value)),
)]
pub(crate) async fn ready(State(state): State<AppState>) -> ApiResult<Response> {
    let not_ready = |what: &str, cause: &dyn std::error::Error| {
        tracing::error!(cause = %cause, "{what} is not ready");
        ApiError::new(Code::ServiceUnavailable, format!("{what} is not ready"))
    };
    state.db.ping().await.map_err(|e| not_ready("the database", &e))?;
    state.blobs.check().await.map_err(|e| not_ready("the storage", &e))?;
    Ok(json(&json!({"status": "ready", "packages": state.search.len(&Reader::stranger(&state.config.access))})))
}
