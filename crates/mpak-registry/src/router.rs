//! The whole HTTP surface in one table.

use std::any::Any;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post, put};
use mpak_api::error::Code;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use crate::api::{blob, device, health, index, me, upload};
use crate::auth::asker::ask;
use crate::bench;
use crate::compat::servers::{flat, official};
use crate::compat::{badge, bundles, download, security};
use crate::error::ApiError;
use crate::http::family::families;
use crate::http::{cross_origin, no_route, observe};
use crate::rates;
use crate::state::AppState;
use crate::web;

/// Longest time until a reader's answer begins.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest body where none is expected.
const BODY_BYTES_MAX: usize = 64 << 10;

/// All routes. Every GET also answers HEAD.
pub(crate) fn router(state: &AppState) -> Router {
    let read = Router::new()
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .route("/v1/bundles/search", get(bundles::search))
        .route("/v1/bundles/{scope}/{name}", get(bundles::detail))
        .route("/v1/bundles/{scope}/{name}/index.json", get(bundles::index))
        .route("/v1/bundles/{scope}/{name}/badge.svg", get(badge::badge))
        .route("/v1/bundles/{scope}/{name}/security", get(security::security))
        .route("/v1/bundles/{scope}/{name}/versions", get(bundles::versions))
        .route("/v1/bundles/{scope}/{name}/versions/{version}", get(bundles::version_detail))
        .route("/v1/bundles/{scope}/{name}/versions/{version}/download", get(download::download))
        .route("/v1/bundles/{scope}/{name}/versions/{version}/artifacts/{file}", get(download::artifact))
        .route("/v1", get(flat::info))
        .route("/v1/", get(flat::info))
        .route("/v1/health", get(flat::health))
        .route("/v1/servers", get(flat::list))
        .route("/v1/servers/search", get(flat::search))
        .route("/v1/servers/{name}", get(flat::server))
        .route("/v1/servers/{name}/versions", get(flat::all_versions))
        .route("/v1/servers/{name}/versions/{version}", get(flat::version))
        .merge(official_at("/v0.1"))
        .merge(official_at("/v0"))
        .route("/.well-known/mpak.json", get(index::well_known))
        .route("/index/v1/{scope}/{file}", get(index::package))
        .route("/blobs/sha256/{first}/{others}", get(blob::blob))
        .route("/api/v1/me", get(me::me))
        .route("/api/v1/me/token", delete(me::revoke))
        .route("/api/v1/device/code", post(device::code))
        .route("/api/v1/device/token", post(device::token))
        .merge(web::router())
        .merge(if state.config.floor {
            Router::new().route("/v1/floor/{bytes}", get(bench::floor))
        } else {
            Router::new()
        })
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, READ_TIMEOUT))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
    let write = Router::new()
        .route("/api/v1/packages/{scope}/{name}/versions/{version}/artifacts/{platform}", put(upload::upload))
        // The stage that receives has its own limits.
        .layer(DefaultBodyLimit::disable());
    read.merge(write)
        .fallback(no_route)
        .method_not_allowed_fallback(no_route)
        .layer(from_fn_with_state(state.clone(), ask))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(families))
        .layer(from_fn_with_state(state.clone(), rates::limit))
        .layer(from_fn(cross_origin))
        .layer(from_fn_with_state(state.clone(), observe))
        .with_state(state.clone())
}

/// The official registry's routes under one of its two prefixes.
fn official_at(prefix: &str) -> Router<AppState> {
    Router::new()
        .route(prefix, get(flat::info))
        .route(&format!("{prefix}/"), get(flat::info))
        .route(&format!("{prefix}/health"), get(official::health))
        .route(&format!("{prefix}/ping"), get(official::ping))
        .route(&format!("{prefix}/version"), get(official::version))
        .route(&format!("{prefix}/servers"), get(official::list))
        .route(&format!("{prefix}/servers/{{name}}"), get(official::server))
        .route(&format!("{prefix}/servers/{{name}}/versions"), get(official::all_versions))
        .route(&format!("{prefix}/servers/{{name}}/versions/{{version}}"), get(official::one_version))
}

/// A handler's panic costs its request only; the panic itself is already on stderr.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over")]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<&str>().map_or("unknown", |text| text);
    tracing::error!(panic = text, "a handler panicked");
    ApiError::new(Code::InternalError, "An internal error occurred. Please try again later.").into_response()
}
