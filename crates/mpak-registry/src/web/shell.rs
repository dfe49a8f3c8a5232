//! What every page has: the frame around it, its headers, and the answer that carries it.

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::asset;
use super::text::Shown;
use crate::auth::actor::Role;
use crate::auth::asker;

/// Nothing but our own style sheet and pictures; forms only to ourselves; no frame around us.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; \
                                       form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The frame's own words.
#[derive(Clone, Debug)]
pub(crate) struct Shell {
    /// Title of the window.
    pub(crate) title: Shown,
    /// For search engines; empty leaves it out.
    pub(crate) description: Shown,
    /// Address of the style sheet.
    pub(crate) style: &'static str,
    /// Address of the icon.
    pub(crate) icon: &'static str,
    /// Whether the header has the search field (pages with their own do not).
    pub(crate) search: bool,
    /// Whether search engines should leave it out.
    pub(crate) unlisted: bool,
    /// Who signed in.
    pub(crate) account: Option<Account>,
    /// Whether people can sign in.
    pub(crate) offers_sign_in: bool,
}

/// Who signed in, for the header.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// Name.
    pub(crate) login: Shown,
    /// Whether the pages for administrators are linked.
    pub(crate) is_admin: bool,
}

impl Shell {
    /// A page with the search field in its header.
    pub(crate) fn new(title: &str, description: Shown) -> Self {
        let asker = asker::current();
        let account = asker
            .person
            .map(|person| Account { login: Shown::word(person.login(), 60), is_admin: person.role() == Role::Admin });
        Self {
            account,
            offers_sign_in: asker.offers_sign_in,
            title: Shown::line(title, 160),
            description,
            style: asset::style(),
            icon: asset::icon(),
            search: true,
            unlisted: false,
        }
    }

    /// A page that has its own search field.
    pub(crate) fn without_search(mut self) -> Self {
        self.search = false;
        self
    }

    /// A page that search engines should leave out.
    pub(crate) fn unlisted(mut self) -> Self {
        self.unlisted = true;
        self
    }
}

/// How long others may keep a page: not without asking, so that what was just published is there.
const CACHE_CONTROL: &str = "no-cache";

/// The answer with a page. A page that cannot be rendered is our fault, and an answer of its own.
pub(crate) fn page(status: StatusCode, template: &impl Template) -> Response {
    let (status, body) = match template.render() {
        Ok(html) => (status, html),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            (StatusCode::INTERNAL_SERVER_ERROR, "The page could not be rendered.".to_owned())
        }
    };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CACHE_CONTROL, CACHE_CONTROL),
        (header::VARY, "accept, cookie"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    response
}
