//! `/admin`: people and their roles, and the packages that wait for a decision.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde_json::json;

use super::entry::package_path;
use super::figures::Moment;
use super::lost::Fault;
use super::notice::{notice, private};
use super::shell::{Shell, page};
use super::signed_in::Admin;
use super::text::Shown;
use crate::auth::actor::Role;
use crate::auth::form::Form;
use crate::auth::link::LOCAL;
use crate::auth::session::{self, Person};
use crate::db::{Connection, DbResult, events, packages, tokens, users};
use crate::state::AppState;

/// Most people on the page.
const PEOPLE_MAX: i64 = 500;

#[derive(Template)]
#[template(path = "admin.html")]
struct AdminPage {
    shell: Shell,
    csrf: String,
    people: Vec<Item>,
    held: Vec<Held>,
    /// Whether the provider's claims give roles, so that nobody gives them here.
    by_claims: bool,
}

struct Item {
    id: i64,
    login: Shown,
    email: Shown,
    provider: Shown,
    seen: String,
    roles: Vec<(&'static str, bool)>,
    role: &'static str,
    disabled: bool,
    is_me: bool,
}

struct Held {
    name: Shown,
    href: String,
    reason: Shown,
}

/// `GET /admin`
pub(crate) async fn admin(State(state): State<AppState>, Admin(me): Admin) -> Result<Response, Fault> {
    let mut c = state.db.read().await?;
    let people = users::list(&mut c, PEOPLE_MAX).await?;
    let held = packages::held(&mut c).await?;
    drop(c);
    let view = AdminPage {
        shell: Shell::new("Administration – mpak", Shown::default()).unlisted(),
        csrf: me.csrf().to_owned(),
        people: people.iter().map(|user| item(user, &me)).collect(),
        held: held.iter().map(held_package).collect(),
        by_claims: state.config.sign_in.as_ref().is_some_and(|c| c.role_claim.is_some()),
    };
    Ok(private(page(StatusCode::OK, &view)))
}

fn item(user: &users::User, me: &Person) -> Item {
    let role = Role::parse(&user.role).unwrap_or(Role::Reader);
    Item {
        id: user.id,
        login: Shown::word(&user.login, 300),
        email: Shown::word(user.email.as_deref().filter(|email| *email != user.login).unwrap_or_default(), 300),
        provider: provider(&user.issuer),
        seen: Moment::at(user.seen_at_ms).day,
        roles: Role::ALL.iter().map(|r| (r.as_str(), *r == role)).collect(),
        role: role.as_str(),
        disabled: user.disabled_at_ms.is_some(),
        is_me: user.id == me.user_id(),
    }
}

/// Who vouches for somebody; without a provider that is the registry itself.
pub(super) fn provider(issuer: &str) -> Shown {
    if issuer == LOCAL { Shown::word("this registry", 300) } else { Shown::word(issuer, 300) }
}

fn held_package(row: &packages::Owned) -> Held {
    let reason = row.held_reason.as_deref().unwrap_or("no reason was noted");
    Held { name: Shown::word(&row.name, 300), href: package_path(&row.name), reason: Shown::line(reason, 600) }
}

/// `POST /admin/users/{id}/role`
pub(crate) async fn set_role(
    State(state): State<AppState>,
    Admin(me): Admin,
    Path(id): Path<i64>,
    form: Form,
) -> Result<Response, Fault> {
    let wanted = Role::ALL.into_iter().find(|role| role.as_str() == form.get("role"));
    let by_claims = state.config.sign_in.as_ref().is_some_and(|c| c.role_claim.is_some());
    let Some(role) = wanted.filter(|_| id != me.user_id() && !by_claims) else { return Ok(refused()) };
    let mut tx = state.db.write().await?;
    if users::set_role(&mut tx, id, role.as_str()).await? {
        note(&mut tx, "role_changed", &me, id, role.as_str(), state.clock().now_ms()).await?;
        tx.commit().await?;
    }
    Ok(Redirect::to("/admin#people").into_response())
}

/// `POST /admin/users/{id}/disabled`
pub(crate) async fn set_disabled(
    State(state): State<AppState>,
    Admin(me): Admin,
    Path(id): Path<i64>,
    form: Form,
) -> Result<Response, Fault> {
    let now_ms = state.clock().now_ms();
    let disabled = match form.get("disabled") {
        "yes" if id != me.user_id() => true,
        "no" => false,
        _ => return Ok(refused()),
    };
    let mut tx = state.db.write().await?;
    if users::set_disabled(&mut tx, id, disabled.then_some(now_ms)).await? {
        if disabled {
            // Enabled again, a person signs in and makes tokens anew.
            session::end_all(&mut tx, id).await?;
            tokens::revoke_of_user(&mut tx, id, now_ms).await?;
        }
        let kind = if disabled { "user_disabled" } else { "user_enabled" };
        note(&mut tx, kind, &me, id, "", now_ms).await?;
        tx.commit().await?;
    }
    Ok(Redirect::to("/admin#people").into_response())
}

async fn note(c: &mut Connection, kind: &str, me: &Person, id: i64, role: &str, at_ms: i64) -> DbResult<()> {
    let payload = json!({"user_id": id, "role": role});
    let event = events::New { at_ms, kind, package: None, version: None, actor: &me.actor(), payload: &payload };
    events::append(c, event).await.map(|_seq| ())
}

fn refused() -> Response {
    let text = "Nobody changes their own role or disables themselves, and where the provider's claims give roles, \
                they are changed there.";
    notice(StatusCode::UNPROCESSABLE_ENTITY, "Nothing was changed", text, ("/admin", "Administration"))
}
