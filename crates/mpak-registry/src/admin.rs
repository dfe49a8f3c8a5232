//! What an administrator does on the data folder itself, also while the server runs.

use serde::Serialize;
use thiserror::Error;

pub use crate::auth::token::PatternError;
use crate::auth::{actor, link, token};
use crate::clock::{Clock, rfc3339};
use crate::config::{Config, Database};
use crate::db::{Db, DbError, tokens};
use crate::server::create_data;

pub mod backup;
pub mod package;
pub mod person;
pub mod upkeep;
pub mod users;
pub mod verify;

/// Longest life of a token, and the usual one.
pub const TOKEN_DAYS_MAX: u32 = token::DAYS_MAX;
/// What a token may be allowed.
pub const TOKEN_ACTIONS: &[&str] = actor::GRANTS;
/// Longest name of a token, in characters.
const NAME_CHARS_MAX: usize = 100;

/// Why nothing was done.
#[derive(Debug, Error)]
pub enum AdminError {
    /// The data folder cannot be used.
    #[error("cannot use the data folder `{path}`")]
    Data {
        /// Which folder.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Nothing was ever kept there.
    #[error("there is no registry in `{path}`")]
    NoRegistry {
        /// Which folder.
        path: String,
    },
    /// The name of the token.
    #[error("a token's name has 1 to {NAME_CHARS_MAX} visible characters, `{found}` does not")]
    Name {
        /// What was given.
        found: String,
    },
    /// An action that there is not.
    #[error("`{found}` is no action of a token")]
    Action {
        /// What was given.
        found: String,
    },
    /// A package pattern.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The life of a token.
    #[error("a token lives 1 to {TOKEN_DAYS_MAX} days, not {found}")]
    Days {
        /// What was given.
        found: u32,
    },
    /// Nothing was ever published under the name.
    #[error("there is no package `{name}`")]
    NoPackage {
        /// What was given.
        name: String,
    },
    /// Nothing to revoke.
    #[error("there is no valid token with id {id}")]
    NoToken {
        /// What was given.
        id: i64,
    },
    /// Nothing was changed about a package or scope.
    #[error("{0}")]
    Lifecycle(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database does not work.
    #[error("the database failed")]
    Db(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database is not there, or lets nobody in.
    #[error("the database does not answer, or does not let this program in")]
    DatabaseAway(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The runtime does not start.
    #[error("cannot start the runtime")]
    Runtime(#[source] std::io::Error),
}

impl From<DbError> for AdminError {
    fn from(error: DbError) -> Self {
        if error.is_unavailable() { Self::DatabaseAway(Box::new(error)) } else { Self::Db(Box::new(error)) }
    }
}

/// A token that was made. The only time that its text is known.
#[derive(Clone, Debug, Serialize)]
pub struct NewToken {
    /// The secret.
    pub token: String,
    /// For revoking it.
    pub id: i64,
    /// As given.
    pub name: String,
    /// What it may do.
    pub actions: Vec<String>,
    /// With which packages.
    pub packages: Vec<String>,
    /// RFC 3339.
    pub expires_at: String,
}

/// A token in a list.
#[derive(Clone, Debug, Serialize)]
pub struct ListedToken {
    /// For revoking it.
    pub id: i64,
    /// As given.
    pub name: String,
    /// What it may do.
    pub actions: Vec<String>,
    /// With which packages.
    pub packages: Vec<String>,
    /// `valid`, `expired`, `revoked`.
    pub state: &'static str,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub expires_at: String,
    /// RFC 3339; last accepted publish.
    pub last_used_at: Option<String>,
}

/// Makes a token for publishing; without patterns it covers all packages.
///
/// # Errors
/// [`AdminError`].
pub fn create_token(
    config: &Config,
    name: &str,
    packages: &[String],
    days: u32,
    clock: &Clock,
) -> Result<NewToken, AdminError> {
    create_token_for(config, name, &[token::PUBLISH], packages, days, clock)
}

/// Makes a token for some actions; without patterns it covers all packages.
///
/// # Errors
/// [`AdminError`].
pub fn create_token_for(
    config: &Config,
    name: &str,
    actions: &[&str],
    packages: &[String],
    days: u32,
    clock: &Clock,
) -> Result<NewToken, AdminError> {
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(AdminError::Name { found: name.chars().take(NAME_CHARS_MAX).collect() });
    }
    if !(1..=TOKEN_DAYS_MAX).contains(&days) {
        return Err(AdminError::Days { found: days });
    }
    if let Some(unknown) = actions.iter().find(|a| !TOKEN_ACTIONS.contains(a)) {
        return Err(AdminError::Action { found: (*unknown).to_owned() });
    }
    packages.iter().try_for_each(|pattern| token::check_pattern(pattern))?;
    let packages = if packages.is_empty() { vec!["*".to_owned()] } else { packages.to_vec() };
    with_db(config, async |db| {
        let text = token::random()?;
        let new = token::New { name, actions, packages: &packages, days, user_id: None };
        let stored = token::store(db, &text, new, clock.now_ms()).await?;
        let expires_at = rfc3339(stored.expires_at_ms);
        let actions = actions.iter().map(|a| (*a).to_owned()).collect();
        Ok(NewToken {
            token: text,
            id: stored.id,
            name: name.to_owned(),
            actions,
            packages: packages.clone(),
            expires_at,
        })
    })
}

/// All tokens, oldest first.
///
/// # Errors
/// [`AdminError`].
pub fn list_tokens(config: &Config, clock: &Clock) -> Result<Vec<ListedToken>, AdminError> {
    existing(config)?;
    with_db(config, async |db| {
        let rows = tokens::list(&mut *db.read().await?).await?;
        Ok(rows.iter().map(|row| listed(row, clock.now_ms())).collect())
    })
}

fn listed(row: &tokens::Token, now_ms: i64) -> ListedToken {
    let state = match row {
        row if row.revoked_at_ms.is_some() => "revoked",
        row if row.expires_at_ms <= now_ms => "expired",
        _ => "valid",
    };
    ListedToken {
        id: row.id,
        name: row.name.clone(),
        actions: serde_json::from_str(&row.actions_json).unwrap_or_default(),
        packages: serde_json::from_str(&row.packages_json).unwrap_or_default(),
        state,
        created_at: rfc3339(row.created_at_ms),
        expires_at: rfc3339(row.expires_at_ms),
        last_used_at: row.last_used_at_ms.map(rfc3339),
    }
}

/// Ends a token now.
///
/// # Errors
/// [`AdminError`].
pub fn revoke_token(config: &Config, id: i64, clock: &Clock) -> Result<(), AdminError> {
    existing(config)?;
    with_db(
        config,
        async |db| {
            if token::revoke(db, id, clock.now_ms()).await? { Ok(()) } else { Err(AdminError::NoToken { id }) }
        },
    )
}

/// Makes a link that signs the local administrator in, once, within a day; `base_url` is where browsers
/// reach the registry.
///
/// # Errors
/// [`AdminError`].
pub fn sign_in_link(config: &Config, base_url: &str, clock: &Clock) -> Result<String, AdminError> {
    existing(config)?;
    with_db(config, async |db| Ok(link::address(base_url, &link::make(db, clock.now_ms()).await?)))
}

/// A mistyped folder is told instead of created.
fn existing(config: &Config) -> Result<(), AdminError> {
    match &config.database {
        Database::Sqlite(path) if !path.is_file() => {
            Err(AdminError::NoRegistry { path: path.parent().unwrap_or(path).display().to_string() })
        }
        Database::Sqlite(_) | Database::Postgres(_) => Ok(()),
    }
}

/// Opens the database, works, closes it.
fn with_db<T, E: From<AdminError> + From<DbError>>(
    config: &Config,
    work: impl AsyncFnOnce(&Db) -> Result<T, E>,
) -> Result<T, E> {
    let data = &config.data;
    create_data(data).map_err(|source| AdminError::Data { path: data.display().to_string(), source })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(AdminError::Runtime)?;
    runtime.block_on(async {
        let db = Db::open(&config.database).await?;
        let result = work(&db).await;
        db.close().await;
        result
    })
}
