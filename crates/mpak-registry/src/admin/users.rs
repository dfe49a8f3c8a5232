//! People with an account, as an administrator sees and changes them.

use serde::Serialize;
use serde_json::json;
use thiserror::Error;

use super::{AdminError, existing, with_db};
use crate::clock::{Clock, rfc3339};
use crate::config::Config;
use crate::db::{Connection, DbError, events, user_admin};

/// What a person may be.
pub const ROLES: &[&str] = &["reader", "publisher", "admin"];
/// Longest issuer, subject, login.
const CHARS_MAX: usize = 255;

/// Why nothing was done.
#[derive(Debug, Error)]
pub enum UserError {
    /// As for all administration.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// A role that there is not.
    #[error("`{found}` is no role; there are reader, publisher and admin")]
    Role {
        /// What was given.
        found: String,
    },
    /// A text that cannot be a name.
    #[error("{what} has 1 to {CHARS_MAX} visible characters, `{found}` does not")]
    Text {
        /// Which.
        what: &'static str,
        /// What was given.
        found: String,
    },
    /// Nobody.
    #[error("there is no user with id {id}")]
    NoUser {
        /// What was given.
        id: i64,
    },
    /// Somebody already.
    #[error("`{subject}` of {issuer} is a user already")]
    Known {
        /// The provider.
        issuer: String,
        /// The person, at the provider.
        subject: String,
    },
}

impl From<DbError> for UserError {
    fn from(error: DbError) -> Self {
        Self::Admin(error.into())
    }
}

/// A person in a list.
#[derive(Clone, Debug, Serialize)]
pub struct ListedUser {
    /// For changing it.
    pub id: i64,
    /// The provider.
    pub issuer: String,
    /// The person, at the provider.
    pub subject: String,
    /// For people to read.
    pub login: String,
    /// `reader`, `publisher`, `admin`.
    pub role: String,
    /// Whether it is shut out.
    pub disabled: bool,
    /// RFC 3339.
    pub created_at: String,
}

/// All people, oldest first.
///
/// # Errors
/// [`UserError`].
pub fn list(config: &Config) -> Result<Vec<ListedUser>, UserError> {
    existing(config)?;
    with_db(config, async |db| {
        let rows = user_admin::list(&mut *db.read().await?).await?;
        Ok(rows.into_iter().map(listed).collect())
    })
}

fn listed(row: user_admin::Row) -> ListedUser {
    ListedUser {
        id: row.id,
        issuer: row.issuer,
        subject: row.subject,
        login: row.login,
        role: row.role,
        disabled: row.disabled_at_ms.is_some(),
        created_at: rfc3339(row.created_at_ms),
    }
}

/// Adds somebody before the first sign-in; gives the id.
///
/// # Errors
/// [`UserError`].
pub fn add(
    config: &Config,
    issuer: &str,
    subject: &str,
    login: &str,
    role: &str,
    clock: &Clock,
) -> Result<i64, UserError> {
    check_role(role)?;
    for (what, text) in [("an issuer", issuer), ("a subject", subject), ("a login", login)] {
        if text.is_empty() || text.chars().count() > CHARS_MAX || text.chars().any(char::is_control) {
            return Err(UserError::Text { what, found: text.chars().take(CHARS_MAX).collect() });
        }
    }
    with_db(config, async |db| {
        let mut tx = db.write().await?;
        let now = clock.now_ms();
        let Some(id) = user_admin::insert(&mut tx, issuer, subject, login, role, now).await? else {
            return Err(UserError::Known { issuer: issuer.to_owned(), subject: subject.to_owned() });
        };
        let payload = json!({"user": id, "issuer": issuer, "subject": subject, "login": login, "role": role});
        append(&mut tx, "user_added", &payload, now).await?;
        tx.commit().await?;
        Ok(id)
    })
}

fn check_role(role: &str) -> Result<(), UserError> {
    if ROLES.contains(&role) { Ok(()) } else { Err(UserError::Role { found: role.to_owned() }) }
}

/// Gives somebody another role.
///
/// # Errors
/// [`UserError`].
pub fn set_role(config: &Config, id: i64, role: &str, clock: &Clock) -> Result<(), UserError> {
    check_role(role)?;
    existing(config)?;
    with_db(config, async |db| {
        let mut tx = db.write().await?;
        if !user_admin::set_role(&mut tx, id, role).await? {
            return Err(UserError::NoUser { id });
        }
        append(&mut tx, "user_role_changed", &json!({"user": id, "role": role}), clock.now_ms()).await?;
        Ok(tx.commit().await?)
    })
}

/// Shuts somebody out at once, or lets somebody in again. Sessions end; tokens of a disabled person are
/// refused.
///
/// # Errors
/// [`UserError`].
pub fn set_disabled(config: &Config, id: i64, disabled: bool, clock: &Clock) -> Result<(), UserError> {
    existing(config)?;
    with_db(config, async |db| {
        let mut tx = db.write().await?;
        let now = clock.now_ms();
        if !user_admin::set_disabled(&mut tx, id, disabled.then_some(now)).await? {
            return Err(UserError::NoUser { id });
        }
        let kind = if disabled { "user_disabled" } else { "user_enabled" };
        append(&mut tx, kind, &json!({"user": id}), now).await?;
        Ok(tx.commit().await?)
    })
}

async fn append(c: &mut Connection, kind: &str, payload: &serde_json::Value, at_ms: i64) -> Result<(), DbError> {
    let event = events::New { at_ms, kind, package: None, version: None, actor: "administrator", payload };
    events::append(c, event).await.map(|_seq| ())
}
