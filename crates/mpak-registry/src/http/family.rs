//! Error bodies by the routes that they come from: existing clients know three families.
//!
//! `/v1/bundles` and `/api` answer `{"error":{"code","message"}}`, server lists `{"error":"…"}`, routes
//! that do not exist the router's own shape. What extractors and layers refuse (a body that is no JSON, a
//! path that is no text, a time-out) comes as plain text and is put into the family of its route here.

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use mpak_api::error::{Code, ErrorBody, ErrorDetail};
use mpak_api::server::ErrorText;

use super::json;

/// Longest sentence that is taken over.
const MESSAGE_BYTES_MAX: usize = 4 << 10;
/// Below these, programs ask.
const FOR_PROGRAMS: &[&str] = &[
    "/v1",
    "/v0",
    "/api",
    "/app/",
    "/blobs",
    "/index",
    "/advisories",
    "/.well-known",
    "/health",
    "/ready",
    "/openapi.json",
];

/// Whether programs ask for a path, not people.
pub(crate) fn for_programs(path: &str) -> bool {
    FOR_PROGRAMS.iter().any(|prefix| path.starts_with(prefix))
}

/// Whether a path belongs to the server lists.
pub(crate) fn is_server_list(path: &str) -> bool {
    let at = |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    path == "/v1" || path == "/v1/" || ["/v0", "/v0.1", "/v1/servers", "/v1/health"].into_iter().any(at)
}

/// An error in the family of its route.
pub(crate) fn error(path: &str, status: StatusCode, code: Code, message: &str) -> Response {
    if is_server_list(path) {
        return (status, json(&ErrorText { error: message.to_owned() })).into_response();
    }
    let error = ErrorDetail { code: code.as_str().to_owned(), message: message.to_owned(), details: None };
    (status, json(&ErrorBody { error })).into_response()
}

/// Puts plain refusals into the family of their route.
pub(crate) async fn families(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) || !for_programs(&path) || !is_plain(response.headers())
    {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let text = axum::body::to_bytes(body, MESSAGE_BYTES_MAX).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let text = text.lines().next().map(str::trim).filter(|t| !t.is_empty() && !status.is_server_error());
    let message = text.unwrap_or_else(|| status.canonical_reason().unwrap_or("error"));
    let (mut own, body) = error(&path, status, code(status), message).into_parts();
    parts.headers.remove(header::CONTENT_TYPE);
    parts.headers.remove(header::CONTENT_LENGTH);
    own.headers.extend(parts.headers);
    Response::from_parts(own, body)
}

fn is_plain(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_none_or(|value| value.starts_with("text/plain"))
}

fn code(status: StatusCode) -> Code {
    match status {
        StatusCode::UNAUTHORIZED => Code::Unauthorized,
        StatusCode::FORBIDDEN => Code::Forbidden,
        StatusCode::NOT_FOUND => Code::NotFound,
        StatusCode::PAYLOAD_TOO_LARGE => Code::TooLarge,
        StatusCode::UNPROCESSABLE_ENTITY => Code::ValidationError,
        StatusCode::TOO_MANY_REQUESTS => Code::RateLimited,
        StatusCode::SERVICE_UNAVAILABLE => Code::ServiceUnavailable,
        status if status.is_client_error() => Code::BadRequest,
        _ => Code::InternalError,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_lists_are_told_from_bundles() {
        for (path, servers) in [
            ("/v1", true),
            ("/v1/", true),
            ("/v1/servers", true),
            ("/v1/servers/x", true),
            ("/v1/health", true),
            ("/v0.1/servers", true),
            ("/v0/x", true),
            ("/v1/bundles/search", false),
            ("/v1/serversx", false),
            ("/api/v1/packages", false),
            ("/v0x", false),
        ] {
            assert_eq!(is_server_list(path), servers, "{path}");
        }
    }
}
