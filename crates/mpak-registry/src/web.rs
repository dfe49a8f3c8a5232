//! The web pages.

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::state::AppState;

/// Routes of the pages.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
}

/// The page for an address without a page.
pub(crate) fn not_found(_state: &AppState, _path: &str) -> Response {
    (StatusCode::NOT_FOUND, "Not found").into_response()
}
