//! `/device`: where a person decides about a machine that asks for a token. Opening it approves nothing.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::lost::Fault;
use super::notice::{notice, private};
use super::shell::{Shell, page};
use super::signed_in::SignedIn;
use super::text::Shown;
use crate::auth::device;
use crate::auth::form::Form;
use crate::auth::session::Person;
use crate::auth::token;
use crate::state::AppState;

#[derive(Template)]
#[template(path = "device.html")]
struct DevicePage {
    shell: Shell,
    csrf: String,
    login: Shown,
    actions: String,
    days: u32,
    /// What was typed.
    code: Shown,
    /// The machine that waits under it.
    machine: Option<Shown>,
    /// Whether a code was given under which nothing waits.
    unknown: bool,
}

/// A code from the machine.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    user_code: String,
}

/// `GET /device`
pub(crate) async fn ask(
    State(state): State<AppState>,
    SignedIn(person): SignedIn,
    Query(Asked { user_code }): Query<Asked>,
) -> Result<Response, Fault> {
    let machine = device::waiting(&state, &user_code).await?;
    Ok(private(page(StatusCode::OK, &view(&person, &user_code, machine.as_deref()))))
}

fn view(person: &Person, user_code: &str, machine: Option<&str>) -> DevicePage {
    DevicePage {
        shell: Shell::new("Connect a machine – mpak", Shown::default()).without_search().unlisted(),
        csrf: person.csrf().to_owned(),
        login: Shown::word(person.login(), 200),
        actions: person.role().actions().join(", "),
        days: token::DAYS_MAX,
        code: Shown::word(&user_code.to_ascii_uppercase(), 40),
        machine: machine.map(|name| Shown::line(name, 300)),
        unknown: machine.is_none() && !user_code.is_empty(),
    }
}

/// `POST /device`
pub(crate) async fn decide(
    State(state): State<AppState>,
    SignedIn(person): SignedIn,
    form: Form,
) -> Result<Response, Fault> {
    let approved = match form.get("decision") {
        "approve" => true,
        "deny" => false,
        _ => {
            let text = "The form says neither yes nor no.";
            return Ok(notice(StatusCode::BAD_REQUEST, "Nothing was decided", text, ("/device", "Once more")));
        }
    };
    if !device::decide(&state, &person, form.get("user_code"), approved).await? {
        let text = "Nothing waits under this code any more. Start `mpak login` again.";
        return Ok(notice(StatusCode::NOT_FOUND, "This code ran out", text, ("/device", "Another code")));
    }
    let (headline, text) = if approved {
        (
            "The machine is connected",
            "`mpak login` goes on by itself. Your account page lists its token and can end it.",
        )
    } else {
        ("The machine was turned away", "It gets no token.")
    };
    Ok(notice(StatusCode::OK, headline, text, ("/account", "Your account")))
}
