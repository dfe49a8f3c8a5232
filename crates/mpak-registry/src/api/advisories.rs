//! `GET /advisories/v1/latest`: the operator's snapshot of advisories, as clients use it offline.
//!
//! The file may be replaced while the registry runs; its identity is the digest in its head, so a client that
//! has it already is told so without the bytes. Whether its signature counts, the client decides.

use std::fs::File;
use std::path::Path;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response as HttpResponse, StatusCode, header};
use axum::response::Response;
use mpak_scan::advisories::{Snapshot, SnapshotError};
use tokio_util::io::ReaderStream;

use super::blob::matches_etag;
use crate::error::{ApiError, ApiResult};
use crate::state::AppState;

/// `GET /advisories/v1/latest`
#[utoipa::path(
    get, path = "/advisories/v1/latest", tag = "static files",
    responses((status = 200, description = "The newest snapshot", body = [u8], content_type = "application/octet-stream"),
        (status = 304, description = "Unchanged"), (status = 404, description = "This registry has none")),
)]
pub(crate) async fn latest(State(state): State<AppState>, headers: HeaderMap) -> ApiResult<Response> {
    let path = state.config.advisories.clone();
    let path = path.ok_or_else(|| ApiError::not_found("This registry has no snapshot of advisories"))?;
    let opened = tokio::task::spawn_blocking(move || open(&path)).await.map_err(|e| ApiError::internal(&e))?;
    let (file, digest) = opened.map_err(|e| ApiError::internal(&e))?;
    let bytes = file.metadata().map_err(|e| ApiError::internal(&e))?.len();
    let etag = format!("\"{digest}\"");
    let response = HttpResponse::builder()
        .header(header::ETAG, &etag)
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header(header::CACHE_CONTROL, "public, max-age=300");
    let response = if matches_etag(&headers, header::IF_NONE_MATCH, &etag) {
        response.status(StatusCode::NOT_MODIFIED).body(Body::empty())
    } else {
        let body = Body::from_stream(ReaderStream::new(tokio::fs::File::from_std(file)));
        response.header(header::CONTENT_LENGTH, bytes).body(body)
    };
    response.map_err(|e| ApiError::internal(&e))
}

/// The file, which stays the same when it is replaced, and the digest of its head.
fn open(path: &Path) -> Result<(File, String), SnapshotError> {
    let file = File::open(path)?;
    let digest = Snapshot::open(file.try_clone()?)?.digest().to_string();
    // both handles share one position
    std::io::Seek::rewind(&mut &file)?;
    Ok((file, digest))
}
