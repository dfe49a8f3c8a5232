//! People whom an administrator lets in where no provider vouches for them: an account with a token.

use super::{AdminError, NewToken, TOKEN_DAYS_MAX, existing, with_db};
use crate::auth::actor::Role;
use crate::auth::token;
use crate::clock::{Clock, rfc3339};
use crate::config::Config;
use crate::db::users;

/// The provider of such accounts.
const LOCAL: &str = "local";

/// Adds an account of a role (`reader`, `publisher`, `admin`) and gives a token of it. Again, it gives a new
/// token and changes the role.
///
/// # Errors
/// [`AdminError`].
pub fn add(
    config: &Config,
    login: &str,
    github_login: Option<&str>,
    role: &str,
    clock: &Clock,
) -> Result<NewToken, AdminError> {
    existing(config)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if login.is_empty() || login.len() > 39 || !login.chars().all(plain) {
        return Err(AdminError::Name { found: login.chars().take(100).collect() });
    }
    let role = Role::parse(role).ok_or_else(|| AdminError::Action { found: role.to_owned() })?;
    with_db(config, async |db| {
        let now_ms = clock.now_ms();
        let text = token::random()?;
        let mut tx = db.write().await?;
        let subject = format!("account:{login}");
        let who = users::SignedIn {
            issuer: LOCAL,
            subject: &subject,
            login,
            email: None,
            github_login,
            role: role.as_str(),
            role_decided: true,
        };
        let user = users::upsert(&mut tx, who, now_ms).await?;
        let (name, packages) = (format!("{login}'s first"), ["*".to_owned()]);
        let new = token::New {
            name: &name,
            actions: role.actions(),
            packages: &packages,
            days: TOKEN_DAYS_MAX,
            user_id: Some(user.id),
        };
        let stored = token::store_in(&mut tx, &text, new, "admin", now_ms).await?;
        tx.commit().await?;
        Ok(NewToken {
            token: text,
            id: stored.id,
            name,
            actions: role.actions().iter().map(|a| (*a).to_owned()).collect(),
            packages: packages.to_vec(),
            expires_at: rfc3339(stored.expires_at_ms),
        })
    })
}
