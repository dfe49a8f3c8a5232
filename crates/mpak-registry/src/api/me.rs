//! `GET /api/v1/me`: who the registry thinks asks. `DELETE /api/v1/me/token`: the end of the sent token.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use mpak_api::error::Code;
use mpak_api::person::{Me, MyToken};

use crate::auth::asker;
use crate::auth::error::AuthError;
use crate::auth::token;
use crate::clock::rfc3339;
use crate::db::users;
use crate::error::{ApiError, ApiResult};
use crate::http::{cached, json};
use crate::state::AppState;

/// `GET /api/v1/me`
#[utoipa::path(
    get, path = "/api/v1/me", tag = "people",
    responses((status = 200, description = "Who asks", body = Me)), security(("token" = [])),
)]
pub(crate) async fn me(State(state): State<AppState>, headers: HeaderMap) -> ApiResult<Response> {
    if let Some(person) = asker::current().person {
        let user = users::find(&mut *state.db.read().await?, person.user_id()).await?;
        let email = user.and_then(|user| user.email);
        let (login, role) = (Some(person.login().to_owned()), Some(person.role().as_str().to_owned()));
        return Ok(cached(json(&Me { login, email, role, token: None }), "no-store"));
    }
    let row = sent(&state, &headers).await?;
    let token = MyToken {
        id: row.id,
        name: row.name.clone(),
        actions: token::actions(&row)?,
        packages: token::packages(&row)?,
        expires_at: rfc3339(row.expires_at_ms),
    };
    let user = match row.user_id {
        Some(id) => users::find(&mut *state.db.read().await?, id).await?,
        None => None,
    };
    let email = user.and_then(|user| user.email);
    Ok(cached(json(&Me { login: row.user_login, email, role: row.user_role, token: Some(token) }), "no-store"))
}

/// `DELETE /api/v1/me/token`
#[utoipa::path(
    delete, path = "/api/v1/me/token", tag = "people",
    responses((status = 204, description = "The token is no more")), security(("token" = [])),
)]
pub(crate) async fn revoke(State(state): State<AppState>, headers: HeaderMap) -> ApiResult<Response> {
    let row = sent(&state, &headers).await?;
    let actor = row.user_login.as_ref().map_or_else(|| format!("token:{}", row.name), |login| format!("user:{login}"));
    token::revoke_by(&state.db, row.id, &actor, state.clock().now_ms()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The valid token that was sent.
async fn sent(state: &AppState, headers: &HeaderMap) -> ApiResult<crate::db::tokens::Token> {
    let refused = |found: String| {
        let help = "Run `mpak login`, or send a token as `Authorization: Bearer`";
        ApiError::refusal(Code::Unauthorized, "Nobody is signed in", "a valid token, or a session", found, help)
    };
    let row = token::sent(&state.db, headers).await?.ok_or_else(|| {
        let sent = headers.contains_key(header::AUTHORIZATION);
        refused(if sent { "a token that is not known here" } else { "neither" }.to_owned())
    })?;
    match token::valid(&row, state.clock().now_ms()) {
        Ok(()) => Ok(row),
        Err(AuthError::Db(error)) => Err(error.into()),
        Err(reason) => Err(refused(reason.to_string())),
    }
}
