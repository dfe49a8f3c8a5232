//! `/account`: who I am, my packages, my tokens.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};

use super::entry::package_path;
use super::figures::Moment;
use super::lost::Fault;
use super::notice::{notice, private};
use super::people::provider;
use super::shell::{Shell, page};
use super::signed_in::SignedIn;
use super::text::Shown;
use crate::auth::actor::Role;
use crate::auth::form::Form;
use crate::auth::session::Person;
use crate::auth::token;
use crate::db::{packages, tokens, users};
use crate::state::AppState;

/// Longest name of a token, in characters.
const NAME_CHARS_MAX: usize = 100;
/// Most tokens of a person that are valid.
const TOKENS_MAX: usize = 100;

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    shell: Shell,
    csrf: String,
    login: Shown,
    email: Shown,
    role: &'static str,
    provider: Shown,
    may_publish: bool,
    packages: Vec<Owned>,
    tokens: Vec<Item>,
    /// A token that was just made, shown once.
    made: Option<String>,
    days_max: u32,
}

struct Owned {
    name: Shown,
    href: String,
    state: &'static str,
}

struct Item {
    id: i64,
    name: Shown,
    actions: String,
    packages: Shown,
    expires: String,
    used: String,
    expired: bool,
}

/// `GET /account`
pub(crate) async fn account(State(state): State<AppState>, SignedIn(person): SignedIn) -> Result<Response, Fault> {
    Ok(private(page(StatusCode::OK, &view(&state, &person, None).await?)))
}

async fn view(state: &AppState, person: &Person, made: Option<String>) -> Result<AccountPage, Fault> {
    let now_ms = state.clock().now_ms();
    let mut c = state.db.read().await?;
    let user = users::find(&mut c, person.user_id()).await?;
    let rows = tokens::of_user(&mut c, person.user_id()).await?;
    let owned = packages::of_user(&mut c, person.user_id()).await?;
    drop(c);
    let tokens = rows.iter().map(|row| item(row, now_ms)).collect::<Result<Vec<_>, _>>()?;
    let text = |t: Option<&String>| Shown::word(t.map_or("", String::as_str), 300);
    Ok(AccountPage {
        shell: Shell::new("Your account – mpak", Shown::default()).unlisted(),
        csrf: person.csrf().to_owned(),
        login: Shown::word(person.login(), 300),
        email: text(user.as_ref().and_then(|u| u.email.as_ref()).filter(|email| *email != person.login())),
        role: person.role().as_str(),
        provider: user.as_ref().map(|u| provider(&u.issuer)).unwrap_or_default(),
        may_publish: person.role() >= Role::Publisher,
        packages: owned.iter().map(owned_package).collect(),
        tokens,
        made,
        days_max: token::DAYS_MAX,
    })
}

fn owned_package(row: &packages::Owned) -> Owned {
    let state = match row.state.as_str() {
        "held" => "held for review",
        "removed" => "removed",
        _ => "",
    };
    Owned { name: Shown::word(&row.name, 300), href: package_path(&row.name), state }
}

fn item(row: &tokens::Token, now_ms: i64) -> Result<Item, Fault> {
    Ok(Item {
        id: row.id,
        name: Shown::line(&row.name, 300),
        actions: token::actions(row)?.join(", "),
        packages: Shown::word(&token::packages(row)?.join(", "), 600),
        expires: day(row.expires_at_ms),
        used: row.last_used_at_ms.map_or_else(|| "never used".to_owned(), |at| format!("last used {}", day(at))),
        expired: row.expires_at_ms <= now_ms,
    })
}

fn day(at_ms: i64) -> String {
    Moment::at(at_ms).day
}

/// `POST /account/tokens`
pub(crate) async fn create(
    State(state): State<AppState>,
    SignedIn(person): SignedIn,
    form: Form,
) -> Result<Response, Fault> {
    let wish = match Wish::of(&form, &person) {
        Ok(wish) => wish,
        Err(text) => {
            let way = ("/account", "Your account");
            return Ok(notice(StatusCode::UNPROCESSABLE_ENTITY, "No token was made", text, way));
        }
    };
    let now_ms = state.clock().now_ms();
    let text = token::random()?;
    let mut tx = state.db.write().await?;
    let valid = tokens::of_user(&mut tx, person.user_id()).await?.iter().filter(|t| t.expires_at_ms > now_ms).count();
    if valid >= TOKENS_MAX {
        let text = "You have as many tokens as there may be. Revoke one first.";
        return Ok(notice(StatusCode::CONFLICT, "No token was made", text, ("/account", "Your account")));
    }
    let new = token::New {
        name: &wish.name,
        actions: &wish.actions,
        packages: &wish.packages,
        days: wish.days,
        user_id: Some(person.user_id()),
    };
    token::store_in(&mut tx, &text, new, &person.actor(), now_ms).await?;
    tx.commit().await?;
    Ok(private(page(StatusCode::OK, &view(&state, &person, Some(text)).await?)))
}

/// The token that a form asks for.
struct Wish {
    name: String,
    actions: Vec<&'static str>,
    packages: Vec<String>,
    days: u32,
}

impl Wish {
    fn of(form: &Form, person: &Person) -> Result<Self, &'static str> {
        let name = form.get("name").trim().to_owned();
        if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
            return Err("A token's name has 1 to 100 visible characters.");
        }
        let allowed = person.role().actions();
        let actions: Vec<_> = allowed.iter().copied().filter(|action| form.get(action) == "on").collect();
        if actions.is_empty() {
            return Err("Choose at least one thing that the token may do, out of those that your role allows.");
        }
        let packages: Vec<String> =
            form.get("packages").split([',', ' ', '\n', '\r']).filter(|p| !p.is_empty()).map(str::to_owned).collect();
        if packages.len() > 100 || packages.iter().any(|pattern| token::check_pattern(pattern).is_err()) {
            return Err("Packages are `*`, `@scope/*` or `@scope/name`, separated by commas.");
        }
        let packages = if packages.is_empty() { vec!["*".to_owned()] } else { packages };
        let days = form.get("days").parse().ok().filter(|days| (1..=token::DAYS_MAX).contains(days));
        let days = days.ok_or("A token lives 1 to 90 days.")?;
        Ok(Self { name, actions, packages, days })
    }
}

/// `POST /account/tokens/{id}/revoke`
pub(crate) async fn revoke(
    State(state): State<AppState>,
    SignedIn(person): SignedIn,
    Path(id): Path<i64>,
) -> Result<Response, Fault> {
    let own = tokens::of_user(&mut *state.db.read().await?, person.user_id()).await?.iter().any(|t| t.id == id);
    if !own || !token::revoke_by(&state.db, id, &person.actor(), state.clock().now_ms()).await? {
        let text = "You have no such token, or it was revoked already.";
        return Ok(notice(StatusCode::NOT_FOUND, "Nothing to revoke", text, ("/account", "Your account")));
    }
    Ok(Redirect::to("/account#tokens").into_response())
}
