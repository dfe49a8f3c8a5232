//! What an administrator decides about a held package, by the form of `/admin`.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use mpak_bundle::name::PackageName;

use super::lost::{Fault, Lost, not_found};
use super::notice::notice;
use super::signed_in::Admin;
use super::text::Shown;
use crate::auth::actor;
use crate::auth::error::AuthError;
use crate::auth::form::Form;
use crate::lifecycle::hold::{self, Decision};
use crate::lifecycle::{self, By, LifecycleError};
use crate::state::AppState;

/// `POST /admin/packages/{scope}/{name}/decision`: `release` or `reject`, with a reason or without.
pub(crate) async fn decide(
    State(state): State<AppState>,
    Admin(me): Admin,
    Path((scope, name)): Path<(String, String)>,
    form: Form,
) -> Result<Response, Fault> {
    let name = format!("{scope}/{name}");
    let Ok(name) = PackageName::lookup(&name) else { return Ok(not_found(Lost::Package, &name)) };
    let wanted = Decision::parse(form.get("decision"));
    let Some(decision) = wanted.filter(|d| matches!(d, Decision::Release | Decision::Reject)) else {
        return Ok(refused("A held package is released or rejected."));
    };
    let reason = Some(form.get("reason").trim()).filter(|reason| !reason.is_empty());
    let by =
        actor::Actor::Person(actor::Person { user_id: me.user_id(), login: me.login().to_owned(), role: me.role() });
    let decided = hold::decide(&state.db, By::Actor(&by), &name, decision, reason, state.clock().now_ms()).await;
    match decided {
        Ok(()) => {
            lifecycle::refresh(&state, name.as_str()).await;
            Ok(Redirect::to("/admin#held").into_response())
        }
        Err(LifecycleError::Db(error) | LifecycleError::Auth(AuthError::Db(error))) => Err(error.into()),
        Err(error) => Ok(refused(&error.to_string())),
    }
}

fn refused(text: &str) -> Response {
    let text = Shown::line(text, 600);
    notice(StatusCode::UNPROCESSABLE_ENTITY, "Nothing was decided", text.as_str(), ("/admin", "Administration"))
}
