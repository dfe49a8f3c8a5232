//! The web pages: rendered from the registry's own rows, readable without any script.
//!
//! One file per page, with the words it shows in a struct and its template under `templates/` of the same
//! name. Text of publishers reaches a struct only as `text::Shown` or `readme::Rendered`, addresses only
//! through `link`; templates escape everything, and every page has a policy under which nothing foreign
//! loads or runs.

use std::any::Any;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use mpak_api::error::Code;
use tower_http::catch_panic::CatchPanicLayer;

use crate::error::ApiError;
use crate::http::accepts;
use crate::state::AppState;

mod account;
mod asset;
mod catalogue;
mod controls;
mod decision;
mod device;
mod docs;
mod entry;
mod figures;
mod home;
mod link;
mod lost;
pub(crate) mod notice;
mod package;
mod people;
mod readme;
mod search;
mod shell;
pub(crate) mod sign_in;
mod signed_in;
mod snippet;
mod text;
mod trust;

/// Routes of the pages.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/", get(home::home))
        .route("/search", get(search::search))
        .route("/packages/{scope}/{name}", get(package::answer::latest))
        .route("/packages/{scope}/{name}/{version}", get(package::answer::pinned))
        .route("/p/{scope}/{name}", get(package::answer::short))
        .route("/p/{scope}/{name}/{version}", get(package::answer::short_pinned))
        .route("/packages", get(|| async { Redirect::permanent("/search") }))
        .route("/bundles", get(|| async { Redirect::permanent("/search") }))
        .route("/controls", get(controls::list))
        .route("/controls/{id}", get(controls::one))
        .route("/sign-in", get(sign_in::offer))
        .route("/sign-out", post(sign_in::out))
        .route("/auth/start", get(sign_in::start))
        .route("/auth/callback", get(sign_in::callback))
        .route("/auth/link", get(sign_in::link_page).post(sign_in::follow))
        .route("/device", get(device::ask).post(device::decide))
        .route("/account", get(account::account))
        .route("/account/tokens", post(account::create))
        .route("/account/tokens/{id}/revoke", post(account::revoke))
        .route("/admin", get(people::admin))
        .route("/admin/users/{id}/role", post(people::set_role))
        .route("/admin/users/{id}/disabled", post(people::set_disabled))
        .route("/admin/packages/{scope}/{name}/decision", post(decision::decide))
        .route("/docs", get(docs::docs))
        .route("/docs/json", get(|| async { Redirect::permanent("/openapi.json") }))
        .route("/assets/{name}", get(asset::serve))
        .route("/favicon.ico", get(asset::favicon))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(for_programs))
}

/// Programs that ask for a page that is not there, or that failed, get the API's error.
async fn for_programs(request: Request, next: Next) -> Response {
    let page_wanted = accepts(request.headers(), "text/html");
    let response = next.run(request).await;
    match response.status() {
        _ if page_wanted => response,
        StatusCode::NOT_FOUND => ApiError::not_found("Nothing is here").into_response(),
        StatusCode::INTERNAL_SERVER_ERROR => {
            ApiError::new(Code::InternalError, "An internal error occurred. Please try again later.").into_response()
        }
        _ => response,
    }
}

/// A panic costs its page only; the panic itself is already on stderr.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over")]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<&str>().map_or("unknown", |text| text);
    tracing::error!(panic = text, "a page panicked");
    lost::our_fault()
}

/// The page for an address without a page.
pub(crate) fn not_found(_state: &AppState, path: &str) -> Response {
    lost::not_found(lost::Lost::Page, path)
}

/// The page for a package that is not there, or not for this asker.
pub(crate) fn no_package(path: &str) -> Response {
    let name = path.split('/').skip(2).take(2).collect::<Vec<_>>().join("/");
    lost::not_found(lost::Lost::Package, &name)
}
