//! Who asks: settled once for every request, before any handler runs.
//!
//! In: a request from anybody. Out: an [`Asker`] that handlers, lists and the frame of pages find by
//! [`current`], or a refusal. This is the one gate: what is private is not read past it, and nothing is
//! changed on the word of a cookie unless one of our pages made the request. Routes that strangers need
//! in a private registry are named here; all others are closed.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts as _, MatchedPath, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http_body_util::{BodyExt as _, Limited};
use mpak_api::error::Code;
use mpak_bundle::digest::Sha256;
use url::form_urlencoded;

use super::access::Reader;
use super::jwt;
use super::session::{self, Person, Unwanted};
use super::token;
use crate::config::Reads;
use crate::db::{DbResult, artifacts};
use crate::error::ApiError;
use crate::http::accepts;
use crate::http::family::{self, for_programs};
use crate::state::AppState;
use crate::web;

/// Routes that a stranger may read in a private registry: they tell of no package.
const OPEN: [&str; 11] = [
    "/health",
    "/ready",
    "/assets/{name}",
    "/favicon.ico",
    "/sign-in",
    "/auth/start",
    "/auth/callback",
    "/auth/link",
    "/device",
    "/account",
    "/api/v1/me",
];
/// Where workloads ask what they may: their tokens are verified there, and none of them reads anything else.
const EXPLAIN: &str = "/api/v1/packages/{scope}/{name}/versions/{version}/publisher";
/// Longest time until a form is there.
const FORM_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest form.
const FORM_BYTES_MAX: usize = 64 << 10;

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    /// Somebody who signed in.
    pub(crate) person: Option<Person>,
    /// What may be read.
    pub(crate) reader: Reader,
    /// Whether people can sign in here.
    pub(crate) offers_sign_in: bool,
}

tokio::task_local! {
    static ASKER: Asker;
}

/// Who asks the request that runs. Outside of a request, somebody who may read nothing.
pub(crate) fn current() -> Asker {
    let nobody = || Asker { person: None, reader: Reader::nothing(), offers_sign_in: false };
    ASKER.try_with(Clone::clone).unwrap_or_else(|_outside| nobody())
}

impl Asker {
    /// Runs something on another thread as part of the request.
    pub(crate) fn within<T>(self, work: impl FnOnce() -> T) -> T {
        ASKER.sync_scope(self, work)
    }
}

/// Around every route.
pub(crate) async fn ask(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let open = is_open(&state);
    let (request, asker) = match admitted(&state, request).await {
        Ok(admitted) => admitted,
        Err(refusal) => return for_one(refusal, open),
    };
    let known = asker.person.is_some();
    let response = ASKER.scope(asker, next.run(request)).await;
    if known || !open { for_one(response, open) } else { response }
}

/// Whether strangers may read everything.
fn is_open(state: &AppState) -> bool {
    state.config.access.reads == Reads::Public && state.config.access.private_scopes.is_empty()
}

async fn admitted(state: &AppState, request: Request) -> Result<(Request, Asker), Response> {
    let failed = |e: crate::db::DbError| ApiError::from(e).into_response();
    // 1. Who asks.
    let (mut parts, mut body) = request.into_parts();
    let person = session::person(state, &parts.headers).await.map_err(failed)?;
    // 2. Who changes something by a cookie's word shows that one of our pages made the request.
    if let Some(person) = person.as_ref().filter(|_| !parts.method.is_safe()) {
        let token;
        // No layer that ends slow requests is around this one.
        let read =
            tokio::time::timeout(FORM_TIMEOUT.min(state.config.body_idle_timeout), form_token(&parts.headers, body));
        let late = |_elapsed| ApiError::new(Code::BadRequest, "The form did not arrive in time").into_response();
        (token, body) = read.await.map_err(late)??;
        session::wanted(state, &parts.headers, person, token.as_deref()).map_err(|e| unwanted(&parts, e))?;
    }
    // 3. What may be read.
    let reader = reader(state, &parts.headers, person.as_ref()).await.map_err(failed)?;
    let asker = Asker { person, reader, offers_sign_in: state.config.sign_in.is_some() };
    if matches!(parts.method, Method::GET | Method::HEAD) && !asker.reader.reads_everything() {
        let params = RawPathParams::from_request_parts(&mut parts, state).await.ok();
        let matched = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
        let explains = matched == Some(EXPLAIN) && token::bearer(&parts.headers).is_some_and(jwt::looks_like_one);
        if !explains && !matched.is_some_and(|path| OPEN.contains(&path)) {
            if !asker.reader.reads_something() {
                return Err(ASKER.sync_scope(asker, || unknown(state, &parts)));
            }
            if hides(state, &asker.reader, params.as_ref()).await.map_err(failed)? {
                return Err(ASKER.sync_scope(asker, || hidden(&parts)));
            }
        }
    }
    Ok((Request::from_parts(parts, body), asker))
}

async fn reader(state: &AppState, headers: &HeaderMap, person: Option<&Person>) -> DbResult<Reader> {
    let access = &state.config.access;
    if is_open(state) || person.is_some() {
        return Ok(Reader::everything());
    }
    let patterns = token::readable(&state.db, headers, state.clock().now_ms()).await?;
    Ok(patterns.map_or_else(|| Reader::stranger(access), |patterns| Reader::holder(access, patterns)))
}

/// The token of a request: from its header, else from its form, whose body is handed on.
async fn form_token(headers: &HeaderMap, body: Body) -> Result<(Option<String>, Body), Response> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let form = content_type.split(';').next().unwrap_or_default().trim();
    if let Some(token) = session::header_token(headers) {
        return Ok((Some(token), body));
    }
    if !form.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Ok((None, body));
    }
    let too_large = |_| ApiError::new(Code::TooLarge, "The form is too large or did not arrive").into_response();
    let bytes = Limited::new(body, FORM_BYTES_MAX).collect().await.map_err(too_large)?.to_bytes();
    let token = form_urlencoded::parse(&bytes).find(|(name, _)| name == session::CSRF_FIELD);
    let token = token.map(|(_, value)| value.into_owned());
    Ok((token, Body::from(bytes)))
}

/// Whether a request is about something that its reader does not see.
async fn hides(state: &AppState, reader: &Reader, params: Option<&RawPathParams>) -> DbResult<bool> {
    let param = |wanted: &str| params.and_then(|p| p.iter().find(|(name, _)| *name == wanted)).map(|(_, value)| value);
    if let Some(scope) = param("scope") {
        let name = param("name").or_else(|| param("file").map(|f| f.strip_suffix(".json").unwrap_or(f)));
        return Ok(!reader.may_read(&format!("{scope}/{}", name.unwrap_or_default())));
    }
    if let (Some(first), Some(others)) = (param("first"), param("others")) {
        // What is no digest is no blob, which its handler says.
        let Ok(digest) = format!("{first}{others}").parse::<Sha256>() else { return Ok(false) };
        let packages = artifacts::packages_of(&mut *state.db.read().await?, &digest).await?;
        return Ok(!packages.iter().any(|package| reader.may_read(package)));
    }
    // Server names become packages in their handlers, which ask the reader themselves.
    Ok(false)
}

fn wants_page(parts: &Parts) -> bool {
    !for_programs(parts.uri.path()) && accepts(&parts.headers, "text/html")
}

/// 401: whoever asks is not known.
fn unknown(state: &AppState, parts: &Parts) -> Response {
    if wants_page(parts) {
        let to = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut page = web::sign_in::needed(state, to);
        page.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        return page;
    }
    ApiError::refusal(
        Code::Unauthorized,
        "This registry is private",
        "a token that may read, or a session",
        "neither, or one that is no longer valid",
        "Run `mpak login`, or send a token as `Authorization: Bearer`",
    )
    .into_response()
}

/// 404, as for a package that does not exist.
fn hidden(parts: &Parts) -> Response {
    if wants_page(parts) {
        return web::no_package(parts.uri.path());
    }
    // As the handlers of these routes say it.
    let path = parts.uri.path();
    let what = match path {
        path if path.starts_with("/v1/bundles/") => "Bundle not found",
        path if path.starts_with("/blobs/") => "Blob not found",
        path if for_programs(path) => "Package not found",
        _ => "Nothing is here",
    };
    family::error(parts.uri.path(), StatusCode::NOT_FOUND, Code::NotFound, what)
}

/// 403: a form or request that no page of this session made.
fn unwanted(parts: &Parts, reason: Unwanted) -> Response {
    tracing::warn!(path = ?parts.uri.path(), %reason, "a request with a session was refused");
    if wants_page(parts) {
        return web::notice::refused(reason);
    }
    ApiError::new(Code::Forbidden, format!("Refused: {reason}"))
        .detail("help", "Send the session's token as `x-csrf-token`, from the same origin")
        .into_response()
}

/// An answer that was made for one asker is not kept for others.
fn for_one(mut response: Response, open: bool) -> Response {
    let headers = response.headers_mut();
    let policy = headers.get(header::CACHE_CONTROL).and_then(|v| v.to_str().ok()).unwrap_or("no-cache");
    if !open || !policy.contains("immutable") {
        let policy = policy.replace("public", "private");
        let policy = if policy.contains("private") || policy.contains("no-store") {
            policy
        } else {
            format!("private, {policy}")
        };
        if let Ok(value) = HeaderValue::from_str(&policy) {
            headers.insert(header::CACHE_CONTROL, value);
        }
    }
    headers.append(header::VARY, HeaderValue::from_static("authorization, cookie"));
    response
}
