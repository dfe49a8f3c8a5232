//! The web pages: rendered from the registry's own rows, readable without any script.
//!
//! One file per page, with the words it shows in a struct and its template under `templates/` of the same
//! name. Text of publishers reaches a struct only as `text::Shown` or `readme::Rendered`, addresses only
//! through `link`; templates escape everything, and every page has a policy under which nothing foreign
//! loads or runs.

use axum::Router;
use axum::response::{Redirect, Response};
use axum::routing::get;

use crate::state::AppState;

mod asset;
mod catalogue;
mod controls;
mod entry;
mod figures;
mod home;
mod link;
mod lost;
mod package;
mod readme;
mod search;
mod shell;
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
        .route("/assets/{name}", get(asset::serve))
        .route("/favicon.ico", get(asset::favicon))
}

/// The page for an address without a page.
pub(crate) fn not_found(_state: &AppState, path: &str) -> Response {
    lost::not_found(lost::Lost::Page, path)
}
