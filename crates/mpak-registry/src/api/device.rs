//! `POST /api/v1/device/code` and `…/token`: how `mpak login` gets its token. Spec: RFC 8628.
//!
//! Requests are forms and errors have the RFC's shape, `{"error":WORD,"error_description":TEXT}`.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use mpak_api::person::{DeviceCode, DeviceRefusal, DeviceToken};
use serde_json::json;

use crate::auth::actor::Role;
use crate::auth::device::{self, DeviceError, INTERVAL_SECONDS, LIFE_SECONDS};
use crate::auth::form::Form;
use crate::clock::rfc3339;
use crate::http::{cached, json};
use crate::rates::Network;
use crate::state::AppState;

/// The one client there is.
const CLIENT: &str = "mpak-cli";
/// Said where nobody but the request itself tells the registry's address.
const NO_PUBLIC_URL: &str = "the registry does not know the address of its pages: its operator has to set `public_url`; \
     until then, make a token with `mpak admin token create`";
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// `POST /api/v1/device/code`
#[utoipa::path(
    post, path = "/api/v1/device/code", tag = "people",
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "RFC 8628 §3.1"),
    responses((status = 200, description = "Codes to sign in with", body = DeviceCode),
        (status = 400, description = "RFC 8628 §3.5", body = DeviceRefusal)),
)]
pub(crate) async fn code(
    State(state): State<AppState>,
    network: Network,
    headers: HeaderMap,
    form: Result<Form, Response>,
) -> Response {
    let Ok(form) = form else { return no_form() };
    if form.get("client_id") != CLIENT {
        return refused("invalid_client", "expected client_id mpak-cli");
    }
    // Where people are sent to decide is never a stranger's word.
    let Some(own_url) = state.own_url(&headers) else {
        tracing::warn!(
            "`mpak login` was refused: `public_url` is not set, and the registry listens on more than this machine"
        );
        return refused("server_error", NO_PUBLIC_URL);
    };
    match device::begin(&state, form.get("machine"), &network).await {
        Ok(codes) => {
            let page = format!("{own_url}/device");
            let answer = DeviceCode {
                verification_uri_complete: format!("{page}?user_code={}", codes.user),
                verification_uri: page,
                device_code: codes.device,
                user_code: codes.user,
                expires_in: LIFE_SECONDS.unsigned_abs(),
                interval: INTERVAL_SECONDS.unsigned_abs(),
            };
            cached(json(&answer), "no-store")
        }
        Err(error) => failed(&error),
    }
}

/// `POST /api/v1/device/token`
#[utoipa::path(
    post, path = "/api/v1/device/token", tag = "people",
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "RFC 8628 §3.4"),
    responses((status = 200, description = "The token", body = DeviceToken),
        (status = 400, description = "RFC 8628 §3.5", body = DeviceRefusal)),
)]
pub(crate) async fn token(State(state): State<AppState>, form: Result<Form, Response>) -> Response {
    let Ok(form) = form else { return no_form() };
    if form.get("grant_type") != GRANT_TYPE {
        return refused("unsupported_grant_type", "expected the device code's grant type");
    }
    if form.get("client_id") != CLIENT {
        return refused("invalid_client", "expected client_id mpak-cli");
    }
    match device::grant(&state, form.get("device_code")).await {
        Ok(granted) => {
            let answer = DeviceToken {
                access_token: granted.token,
                token_type: "Bearer".to_owned(),
                expires_in: ((granted.expires_at_ms - state.clock().now_ms()) / 1_000).max(0).unsigned_abs(),
                expires_at: rfc3339(granted.expires_at_ms),
                scope: Role::actions(granted.role).join(" "),
                login: granted.login,
                role: granted.role.as_str().to_owned(),
            };
            cached(json(&answer), "no-store")
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &DeviceError) -> Response {
    if let DeviceError::Db(cause) = error {
        tracing::error!(%cause, "the device flow failed");
        let body = json!({"error": error.word(), "error_description": "An internal error occurred."});
        return (StatusCode::INTERNAL_SERVER_ERROR, cached(json(&body), "no-store")).into_response();
    }
    let mut response = refused(error.word(), &error.to_string());
    if matches!(error, DeviceError::TooManyOfNetwork { .. }) {
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
    }
    response
}

/// RFC 6749 §5.2, which RFC 8628 refers to.
fn no_form() -> Response {
    refused("invalid_request", "expected a form: application/x-www-form-urlencoded")
}

fn refused(word: &str, text: &str) -> Response {
    let body = json!({"error": word, "error_description": text});
    (StatusCode::BAD_REQUEST, cached(json(&body), "no-store")).into_response()
}
