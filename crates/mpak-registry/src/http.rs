//! Small pieces of HTTP that several resources share: JSON with the wire's content type, cross-origin
//! reading, routes that do not exist.

use std::time::Instant;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{MatchedPath, OriginalUri, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use mpak_api::error::RouteNotFound;
use serde::Serialize;
use tracing::Instrument as _;

use crate::state::AppState;
use crate::telemetry;
use crate::web;

pub(crate) mod family;

use family::for_programs;

/// Longest name of a request that is taken over from the client.
const REQUEST_ID_BYTES_MAX: usize = 64;

/// JSON with the content type of the existing registry.
pub(crate) fn json(value: &impl Serialize) -> Response {
    json_text(serde_json::to_vec(value).unwrap_or_default())
}

/// The same for what is JSON already.
pub(crate) fn json_text(body: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"))], body).into_response()
}

/// JSON that is written already.
pub(crate) fn json_bytes(body: Bytes) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"))], body).into_response()
}

/// Adds a `Cache-Control` header.
pub(crate) fn cached(mut response: Response, policy: &'static str) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(policy));
    response
}

/// Whether `Accept` holds a media type, as existing clients mean it: by substring, q-values ignored.
pub(crate) fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    headers.get_all(header::ACCEPT).iter().any(|v| v.to_str().is_ok_and(|v| v.contains(media_type)))
}

/// What is not routed: the wire's JSON for programs, a page for people.
pub(crate) async fn no_route(
    State(state): State<AppState>,
    method: Method,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Response {
    if !for_programs(uri.path()) && method == Method::GET && accepts(&headers, "text/html") {
        return web::not_found(&state, uri.path());
    }
    let message = format!("Route {method}:{} not found", uri.path());
    let body = RouteNotFound { message, error: "Not Found".to_owned(), status_code: 404 };
    (StatusCode::NOT_FOUND, json(&body)).into_response()
}

/// Lets any web page read what is public: no credentials are involved.
pub(crate) async fn cross_origin(request: Request, next: Next) -> Response {
    let public = ["/v1", "/v0", "/blobs/", "/index/", "/.well-known/", "/health", "/openapi.json"];
    if !public.iter().any(|p| request.uri().path().starts_with(p)) {
        return next.run(request).await;
    }
    // Only what is announced is written from pages.
    let methods = if request.uri().path().starts_with("/v1/bundles") { "GET, HEAD, POST" } else { "GET, HEAD" };
    // Whoever asks from a page, also without naming a method, is told what pages may.
    let headers = request.headers();
    let asks = headers.contains_key(header::ORIGIN) || headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let preflight = request.method() == Method::OPTIONS && asks;
    let mut response = if preflight {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*"));
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
        response
    } else {
        next.run(request).await
    };
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// Around every request: headers of every answer, its trace and numbers, and one line in the log. Neither
/// tokens nor queries are logged; what the client wrote is escaped.
pub(crate) async fn observe(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let id = request_id(request.headers()).unwrap_or_else(|| state.next_request_id());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map(MatchedPath::as_str);
    let client = state.rates.client_of(&request).map(|address| address.to_string()).unwrap_or_default();
    let span = telemetry::request_span(method.as_str(), route.unwrap_or("/*"), request.headers());
    let began = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert("x-request-id", value);
    }
    let (status, took) = (response.status(), began.elapsed());
    span.record("http.response.status_code", status.as_u16());
    if let Some(metrics) = &state.metrics {
        metrics.request(&method, route, status, took);
    }
    let bytes = response.body().size_hint().exact();
    let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    tracing::info!(id, %method, ?path, route, status = status.as_u16(), us, bytes, client, "request");
    response
}

/// The name that a client or proxy gave the request, if it can stand in a log.
fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("x-request-id")?.to_str().ok()?;
    let sane = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    ((1..=REQUEST_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(sane)).then(|| id.to_owned())
}
