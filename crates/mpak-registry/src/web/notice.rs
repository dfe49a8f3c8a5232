//! A page that says one thing: what happened at sign-in or with a form, and the way on.

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use super::lost;
use super::shell::{Shell, page};
use super::text::Shown;
use crate::auth::session::Unwanted;
use crate::auth::sign_in::SignInError;

#[derive(Template)]
#[template(path = "notice.html")]
struct Notice {
    shell: Shell,
    headline: &'static str,
    text: Shown,
    way: &'static str,
    way_name: &'static str,
}

/// A page with one message and one link.
pub(crate) fn notice(
    status: StatusCode,
    headline: &'static str,
    text: &str,
    (way, way_name): (&'static str, &'static str),
) -> Response {
    let shell = Shell::new(&format!("{headline} – mpak"), Shown::default()).unlisted();
    let view = Notice { shell, headline, text: Shown::line(text, 600), way, way_name };
    private(page(status, &view))
}

/// A page that nobody keeps.
pub(crate) fn private(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response
}

/// A form that no page of this session sent.
pub(crate) fn refused(reason: Unwanted) -> Response {
    let text = format!("Nothing was changed: {reason}.");
    notice(StatusCode::FORBIDDEN, "This form was not accepted", &text, ("/account", "Your account"))
}

/// A person's role does not allow it.
pub(crate) fn forbidden() -> Response {
    let text = "Only administrators of this registry see this page. Your account page tells your role.";
    notice(StatusCode::FORBIDDEN, "Not for your role", text, ("/account", "Your account"))
}

/// Nobody was signed in.
pub(crate) fn not_signed_in(error: &SignInError) -> Response {
    let status = match error {
        SignInError::Db(cause) => {
            tracing::error!(%cause, "a sign-in failed");
            return lost::our_fault();
        }
        SignInError::Provider(cause) => {
            tracing::warn!(%cause, "a sign-in failed");
            StatusCode::BAD_GATEWAY
        }
        SignInError::NotConfigured => StatusCode::NOT_FOUND,
        SignInError::NoPublicUrl => StatusCode::INTERNAL_SERVER_ERROR,
        SignInError::TooMany => StatusCode::SERVICE_UNAVAILABLE,
        SignInError::TooManyOfNetwork { .. } => StatusCode::TOO_MANY_REQUESTS,
        SignInError::Unknown | SignInError::OtherBrowser => StatusCode::BAD_REQUEST,
        SignInError::Denied { .. } | SignInError::Disabled { .. } => StatusCode::FORBIDDEN,
    };
    // The provider's own words may hold what it was sent; they are for the log.
    let text = match error {
        SignInError::Provider(_) => {
            "The provider's answer could not be used. The cause is in the registry's log.".to_owned()
        }
        other => sentence(&other.to_string()),
    };
    notice(status, "You are not signed in", &text, ("/sign-in", "Sign in again"))
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), chars.as_str()))
}
