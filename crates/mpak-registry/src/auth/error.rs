//! Why somebody may not do what they ask for, and how that is told.

use mpak_api::error::Code;
use thiserror::Error;

use crate::db::DbError;
use crate::error::ApiError;

/// Why somebody may not.
#[derive(Debug, Error)]
pub(crate) enum AuthError {
    /// Neither `Authorization: Bearer …` nor a session.
    #[error("a token is needed")]
    Missing,
    /// Unknown, or not a token at all.
    #[error("this token is not known here")]
    Unknown,
    /// Too old.
    #[error("token `{name}` expired on {expired_at}")]
    Expired {
        /// Its name.
        name: String,
        /// When.
        expired_at: String,
    },
    /// Ended by an administrator or by its owner.
    #[error("token `{name}` was revoked")]
    Revoked {
        /// Its name.
        name: String,
    },
    /// Its person was shut out.
    #[error("the account `{login}` is disabled")]
    Disabled {
        /// Whose.
        login: String,
    },
    /// Not for this package.
    #[error("token `{name}` may not {action} `{package}`")]
    Scope {
        /// Its name.
        name: String,
        /// What was asked for, as a verb.
        action: &'static str,
        /// The package.
        package: String,
        /// The packages that it is for.
        allowed: Vec<String>,
    },
    /// Not for this kind of work.
    #[error("token `{name}` may not {action}")]
    Action {
        /// Its name.
        name: String,
        /// What was asked for, as a verb.
        action: &'static str,
        /// The action that a token would need.
        needed: &'static str,
        /// What it may do.
        allowed: Vec<String>,
    },
    /// A person whose role is too low.
    #[error("`{login}` may not {action}")]
    Role {
        /// Who.
        login: String,
        /// What was asked for, as a verb.
        action: &'static str,
        /// The role that is needed.
        needed: &'static str,
        /// The role that they have.
        found: &'static str,
    },
    /// A person who does not own the package.
    #[error("`{login}` is not an owner of `{package}`")]
    NotOwner {
        /// Who.
        login: String,
        /// The package.
        package: String,
    },
    /// A first publish into a scope where others were first.
    #[error("the scope `@{scope}` is in use, and `{login}` owns no package in it")]
    ScopeTaken {
        /// Who.
        login: String,
        /// Without `@`.
        scope: String,
    },
    /// A first publish by token into a scope whose owner publishes by what they build.
    #[error("the scope `@{scope}` belongs to `{owner}`, whose builds make the packages in it; tokens make none")]
    ScopeOwned {
        /// Without `@`.
        scope: String,
        /// As people call them.
        owner: String,
    },
    /// Our fault.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        let message = error.to_string();
        let refusal = |code, expected: &str, found: String, help: &str| {
            Self::refusal(code, message.clone(), expected, found, help)
        };
        let renew = "make a new one with `mpak admin token create`, or sign in again with `mpak login`";
        match error {
            AuthError::Db(e) => e.into(),
            AuthError::Missing => refusal(
                Code::Unauthorized,
                "Authorization: Bearer TOKEN",
                "no token".to_owned(),
                "set MPAK_TOKEN to a token from `mpak admin token create` or from the registry's first start",
            ),
            AuthError::Unknown => refusal(
                Code::Unauthorized,
                "a token made by this registry",
                "another text".to_owned(),
                "check that MPAK_TOKEN and the registry's address belong together",
            ),
            AuthError::Expired { expired_at, .. } => {
                refusal(Code::Unauthorized, "a valid token", format!("expired on {expired_at}"), renew)
            }
            AuthError::Revoked { .. } => {
                refusal(Code::Unauthorized, "a valid token", "a revoked token".to_owned(), renew)
            }
            AuthError::Disabled { login } => {
                refusal(Code::Unauthorized, "an active account", login, "ask an administrator of this registry")
            }
            AuthError::Scope { allowed, package, .. } => refusal(
                Code::Forbidden,
                &allowed.join(", "),
                package,
                "use a token made with `--package` for this name, or publish under another name",
            ),
            AuthError::Action { needed, allowed, .. } => refusal(
                Code::Forbidden,
                needed,
                allowed.join(", "),
                &format!("use a token made with `--action {needed}`"),
            ),
            AuthError::Role { needed, found, .. } => {
                refusal(Code::Forbidden, needed, found.to_owned(), "ask an administrator of this registry for the role")
            }
            AuthError::NotOwner { login, .. } => refusal(
                Code::Forbidden,
                "an owner of the package",
                login,
                "ask one of its owners (`mpak owner list`) to add you with `mpak owner add`",
            ),
            AuthError::ScopeTaken { login, .. } => refusal(
                Code::Forbidden,
                "an owner of a package in the scope, or a scope that nobody uses",
                login,
                "publish under another scope, or ask an owner there to publish first and to add you with `mpak owner add`",
            ),
            AuthError::ScopeOwned { owner, scope } => refusal(
                Code::Forbidden,
                &format!("a build of a repository of `{owner}`"),
                format!("a token, for a new package in @{scope}"),
                "publish it from a workflow of theirs, or under another scope",
            ),
        }
    }
}
