//! Signing in and out: the page that offers it, the way to the provider and back, the administrator's
//! link, the end of a session.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;
use url::form_urlencoded;

use super::lost::Fault;
use super::notice::{not_signed_in, notice, private};
use super::shell::{Shell, page};
use super::text::Shown;
use crate::auth::asker;
use crate::auth::cookie::{self, Cookie};
use crate::auth::form::Form;
use crate::auth::sign_in::{self, Answer, MINUTES_MAX};
use crate::auth::{link, session};
use crate::rates::Network;
use crate::state::AppState;

/// Seconds for which a browser is known to have begun a sign-in.
const BROWSER_SECONDS: i64 = MINUTES_MAX * 60;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    shell: Shell,
    /// Where to begin; nothing where there is no provider.
    begin: Option<String>,
    provider: Shown,
    /// Whether a page was asked for that strangers do not see.
    needed: bool,
}

#[derive(Template)]
#[template(path = "link.html")]
struct LinkPage {
    shell: Shell,
    token: String,
    browser: String,
    csrf: String,
}

/// Where to go afterwards.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wish {
    #[serde(default, rename = "return")]
    to: String,
}

/// `GET /sign-in`
pub(crate) async fn offer(State(state): State<AppState>, Query(wish): Query<Wish>) -> Response {
    if asker::current().person.is_some() {
        return Redirect::to(&sign_in::local(&wish.to).unwrap_or_else(|| "/account".to_owned())).into_response();
    }
    private(page(StatusCode::OK, &offer_page(&state, &wish.to, false)))
}

/// 401: the page that offers to sign in, in place of one that strangers do not see.
pub(crate) fn needed(state: &AppState, path: &str) -> Response {
    private(page(StatusCode::UNAUTHORIZED, &offer_page(state, path, true)))
}

fn offer_page(state: &AppState, to: &str, needed: bool) -> SignInPage {
    let to = sign_in::local(to).unwrap_or_else(|| "/account".to_owned());
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("return", &to).finish();
    let config = state.config.sign_in.as_ref();
    let provider = config.and_then(|c| c.issuer.host_str()).unwrap_or_default();
    SignInPage {
        shell: Shell::new("Sign in – mpak", Shown::default()).unlisted(),
        begin: config.map(|_| format!("/auth/start?{query}")),
        provider: Shown::word(provider, 100),
        needed,
    }
}

/// `GET /auth/start`: off to the provider.
pub(crate) async fn start(
    State(state): State<AppState>,
    Query(wish): Query<Wish>,
    network: Network,
    headers: HeaderMap,
) -> Response {
    let (browser, set) = match browser(&state, &headers) {
        Ok(browser) => browser,
        Err(fault) => return fault.into_response(),
    };
    match sign_in::begin(&state, &browser, &wish.to, &network).await {
        Ok(url) => with_cookies(see_other(url.as_str()), [set]),
        Err(error) => not_signed_in(&error),
    }
}

/// `GET /auth/callback`: back from the provider.
pub(crate) async fn callback(
    State(state): State<AppState>,
    Query(answer): Query<Answer>,
    headers: HeaderMap,
) -> Response {
    let browser = Cookie::Browser.of(&state, &headers);
    let former = Cookie::Session.of(&state, &headers);
    match sign_in::finish(&state, browser.as_deref(), former.as_deref(), answer).await {
        Ok(done) => {
            let cookies = [session::cookie(&state, &done.session), Cookie::Browser.clear(&state)];
            with_cookies(see_other(&done.return_to), cookies)
        }
        Err(error) => not_signed_in(&error),
    }
}

/// The token of a link.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Token {
    #[serde(default)]
    token: String,
}

/// `GET /auth/link`: a button. Looking at it uses nothing up.
pub(crate) async fn link_page(
    State(state): State<AppState>,
    Query(Token { token }): Query<Token>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    if state.config.sign_in.is_some() || !link::is_usable(&state.db, &token, state.clock().now_ms()).await? {
        return Ok(dead_link());
    }
    let (browser, set) = browser(&state, &headers)?;
    let csrf = asker::current().person.map(|p| p.csrf().to_owned()).unwrap_or_default();
    let shell = Shell::new("Sign in as administrator – mpak", Shown::default()).without_search().unlisted();
    let view = LinkPage { shell, token, browser: cookie::proof(&browser), csrf };
    Ok(with_cookies(private(page(StatusCode::OK, &view)), [set]))
}

/// `POST /auth/link`: signs the local administrator in.
pub(crate) async fn follow(State(state): State<AppState>, headers: HeaderMap, form: Form) -> Result<Response, Fault> {
    if let Err(reason) = session::same_site(&state, &headers) {
        return Ok(super::notice::refused(reason));
    }
    let browser = Cookie::Browser.of(&state, &headers);
    if !browser.is_some_and(|value| session::same_secret(&cookie::proof(&value), form.get("browser"))) {
        return Ok(super::notice::refused(session::Unwanted::Token));
    }
    if state.config.sign_in.is_some() {
        return Ok(dead_link());
    }
    let former = Cookie::Session.of(&state, &headers);
    let session = link::redeem(&state.db, form.get("token"), former.as_deref(), state.clock().now_ms()).await?;
    let Some(session) = session else { return Ok(dead_link()) };
    Ok(with_cookies(see_other("/admin"), [session::cookie(&state, &session), Cookie::Browser.clear(&state)]))
}

fn dead_link() -> Response {
    let text = "It was used, is older than a day, or the registry has a provider to sign in with. \
                `mpak admin user link` makes another.";
    notice(StatusCode::NOT_FOUND, "This link is not good any more", text, ("/sign-in", "Sign in"))
}

/// `POST /sign-out`
pub(crate) async fn out(State(state): State<AppState>) -> Result<Response, Fault> {
    if let Some(person) = asker::current().person {
        session::end(&state.db, &person).await?;
    }
    Ok(with_cookies(see_other("/"), [Cookie::Session.clear(&state)]))
}

/// The browser's own secret, kept or new, and the header that keeps it.
fn browser(state: &AppState, headers: &HeaderMap) -> Result<(String, HeaderValue), Fault> {
    let value = match Cookie::Browser.of(state, headers) {
        Some(value) => value,
        None => cookie::secret()?,
    };
    let set = Cookie::Browser.set(state, &value, BROWSER_SECONDS);
    Ok((value, set))
}

fn see_other(to: &str) -> Response {
    let mut response = Redirect::to(to).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn with_cookies(mut response: Response, cookies: impl IntoIterator<Item = HeaderValue>) -> Response {
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
