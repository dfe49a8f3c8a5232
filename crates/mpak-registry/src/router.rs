//! The whole HTTP surface in one table.

use std::any::Any;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use mpak_api::error::Code;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::{advisories, blob, device, health, index, me, package, publishers, report, upload};
use crate::auth::asker::ask;
use crate::bench;
use crate::compat::servers::{flat, official};
use crate::compat::{announce, badge, bundles, claim, download, security};
use crate::error::ApiError;
use crate::http::family::families;
use crate::http::{self, cross_origin, no_route, observe};
use crate::openapi;
use crate::rates;
use crate::state::AppState;
use crate::web;

/// Longest time until a reader's answer begins.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest body where none is expected.
const BODY_BYTES_MAX: usize = 64 << 10;

/// All routes. Every GET also answers HEAD. What programs ask for is routed by `routes!`, from the path that
/// its handler names, and so stands in the API's description.
pub(crate) fn router(state: &AppState) -> Router {
    let read = OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(health::health))
        .routes(routes!(health::ready))
        .routes(routes!(bundles::search))
        .routes(routes!(bundles::detail))
        .routes(routes!(bundles::index))
        .routes(routes!(badge::badge))
        .routes(routes!(security::security))
        .routes(routes!(bundles::versions))
        .routes(routes!(bundles::version_detail))
        .routes(routes!(download::download))
        .routes(routes!(download::artifact))
        .routes(routes!(flat::info))
        .route("/v1/", get(flat::info))
        .routes(routes!(flat::health))
        .routes(routes!(flat::list))
        .routes(routes!(flat::search))
        .routes(routes!(flat::server))
        .routes(routes!(flat::all_versions))
        .routes(routes!(flat::version))
        .route("/v0.1", get(flat::info))
        .route("/v0.1/", get(flat::info))
        .route("/v0", get(flat::info))
        .route("/v0/", get(flat::info))
        .nest("/v0.1", official_routes())
        .nest("/v0", official_routes())
        .routes(routes!(index::well_known))
        .routes(routes!(index::package))
        .routes(routes!(blob::blob))
        .routes(routes!(advisories::latest))
        .routes(routes!(me::me))
        .routes(routes!(me::revoke))
        .routes(routes!(device::code))
        .routes(routes!(device::token))
        .routes(routes!(publishers::list, publishers::add))
        .routes(routes!(publishers::remove))
        .routes(routes!(publishers::explain))
        .merge(OpenApiRouter::from(web::router()))
        .merge(if state.config.floor {
            OpenApiRouter::new().route("/v1/floor/{bytes}", get(bench::floor))
        } else {
            OpenApiRouter::new()
        })
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, READ_TIMEOUT))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
    let manage = OpenApiRouter::new()
        .routes(routes!(claim::status))
        .routes(routes!(claim::claim))
        .routes(routes!(package::show, package::remove))
        .routes(routes!(package::history))
        .routes(routes!(report::report))
        .routes(routes!(package::remove_version))
        .routes(routes!(package::set_yank, package::end_yank))
        .routes(routes!(package::set_deprecation, package::end_deprecation))
        .routes(routes!(package::add_owner, package::remove_owner))
        .routes(routes!(package::decide))
        .routes(routes!(package::allow_tokens, package::disallow_tokens))
        .routes(routes!(package::request_transfer, package::accept_transfer, package::cancel_transfer))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, READ_TIMEOUT))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
    let write = OpenApiRouter::new()
        .routes(routes!(upload::upload))
        .routes(routes!(announce::announce))
        // The stage that receives has its own limits, so has the announcement.
        .layer(DefaultBodyLimit::disable());
    let (router, api) = read.merge(manage).merge(write).split_for_parts();
    let api = Bytes::from(openapi::written(api));
    router
        .route("/openapi.json", get(move || async move { http::cached(http::json_bytes(api), "public, max-age=60") }))
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

/// The official registry's routes, which stand under two prefixes.
fn official_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(official::health))
        .routes(routes!(official::ping))
        .routes(routes!(official::version))
        .routes(routes!(official::list))
        .routes(routes!(official::server))
        .routes(routes!(official::all_versions))
        .routes(routes!(official::one_version))
}

/// A handler's panic costs its request only; the panic itself is already on stderr.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over")]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<&str>().map_or("unknown", |text| text);
    tracing::error!(panic = text, "a handler panicked");
    ApiError::new(Code::InternalError, "An internal error occurred. Please try again later.").into_response()
}
