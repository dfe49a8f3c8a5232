//! Pages that need somebody: the extractors that give the person, or the way to sign in.

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Redirect, Response};
use url::form_urlencoded;

use super::notice;
use crate::auth::actor::Role;
use crate::auth::asker;
use crate::auth::session::Person;
use crate::state::AppState;

/// Somebody who signed in. For requests that change something, `asker` has checked that they are wanted.
pub(crate) struct SignedIn(pub(crate) Person);

/// An administrator who signed in.
pub(crate) struct Admin(pub(crate) Person);

impl FromRequestParts<AppState> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _state: &AppState) -> Result<Self, Response> {
        asker::current().person.map(Self).ok_or_else(|| {
            // What was typed into a form is lost, its page is found again.
            let path = parts.uri.path_and_query().filter(|_| parts.method.is_safe());
            let path = path.map_or("/account", |path| path.as_str());
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("return", path).finish();
            ([(header::CACHE_CONTROL, "no-store")], Redirect::to(&format!("/sign-in?{query}"))).into_response()
        })
    }
}

impl FromRequestParts<AppState> for Admin {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        let SignedIn(person) = SignedIn::from_request_parts(parts, state).await?;
        if person.role() == Role::Admin { Ok(Self(person)) } else { Err(notice::forbidden()) }
    }
}
