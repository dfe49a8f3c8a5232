//! What an identity may publish: scopes belong to owners, packages to repositories, tokens to one version.
//!
//! In: an [`Identity`] and what it wants to publish. Out: leave, or the reason against it. Everything is
//! compared by stable ids, so that a renamed owner keeps what they have and whoever takes over their
//! name gets nothing. Asked twice: [`may`] before anything is fetched or kept, and again by [`bind`] in
//! the transaction that records the publish, which also notes what the publish fixes.

use mpak_api::error::Code;
use mpak_bundle::name::PackageName;
use mpak_bundle::version::Version;
use serde_json::{Value, json};
use thiserror::Error;

use super::identity::Identity;
use super::token::Publisher;
use crate::db::trusted_publishers::{New, TrustedPublisher};
use crate::db::{
    Connection, DbError, DbResult, events, owners, packages, scopes, spent_identities, trusted_publishers,
};
use crate::error::ApiError;

/// Owners that have to allow tokens beside trusted publishing.
const OWNERS_FOR_TOKENS: i64 = 2;

/// Why an identity may not publish this.
#[derive(Debug, Error)]
pub(crate) enum BindingError {
    /// The scope is somebody else's, or not theirs to create.
    #[error(
        "Scope mismatch: Package scope \"@{scope}\" does not match repository owner \"{owner}\". OIDC publishing \
         requires {required}"
    )]
    Scope {
        /// Without `@`.
        scope: String,
        /// Of the identity.
        owner: String,
        /// What would be needed.
        required: String,
    },
    /// The scope is kept for somebody.
    #[error("the scope `@{scope}` is reserved: {reason}")]
    Reserved {
        /// Without `@`.
        scope: String,
        /// Why.
        reason: String,
    },
    /// Owners of this issuer create no scopes by name.
    #[error("owners at `{issuer}` do not create scopes by their name alone")]
    NoDefaultScopes {
        /// Which issuer.
        issuer: String,
    },
    /// A new package by a token that was given to somebody, in a scope of an owner who publishes by builds.
    #[error("the scope `@{scope}` belongs to `{owner}`, whose builds make the packages in it; tokens make none")]
    ScopeOwned {
        /// Without `@`.
        scope: String,
        /// As people call them.
        owner: String,
    },
    /// The package has another name now.
    #[error("`{package}` is called `{to}` now")]
    Renamed {
        /// As asked for.
        package: String,
        /// The new name.
        to: String,
    },
    /// The package is published from elsewhere.
    #[error("`{package}` is not published from `{repository}`, but from {expected}")]
    NotTrusted {
        /// The package.
        package: String,
        /// Of the identity.
        repository: String,
        /// Those that may.
        expected: String,
    },
    /// The token published something else before.
    #[error("this token published version {version} of `{package}` and is good for nothing else")]
    Spent {
        /// What it published.
        package: String,
        /// And which version.
        version: String,
    },
    /// A token of ours for a package that is published by identities.
    #[error("`{package}` is published by {expected}; tokens are refused")]
    TokensRefused {
        /// The package.
        package: String,
        /// Those that may.
        expected: String,
    },
    /// Our fault.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<BindingError> for ApiError {
    fn from(error: BindingError) -> Self {
        let message = error.to_string();
        let refusal = |code, expected: String, found: String, help: String| {
            Self::refusal(code, message.clone(), expected, found, help)
        };
        match error {
            BindingError::Db(e) => e.into(),
            BindingError::Scope { scope, owner, required } => refusal(
                Code::Unauthorized,
                required,
                owner.clone(),
                format!(
                    "publish under `@{}`, or ask the owner of `@{scope}` for `mpak trust add`",
                    owner.to_lowercase()
                ),
            ),
            BindingError::Reserved { scope, reason } => refusal(
                Code::Forbidden,
                "a scope that is not reserved".to_owned(),
                format!("@{scope}: {reason}"),
                "ask an administrator of this registry".to_owned(),
            ),
            BindingError::NoDefaultScopes { issuer } => refusal(
                Code::Forbidden,
                "an entry by an administrator or owner".to_owned(),
                issuer,
                "ask an administrator for `mpak trust add @scope/name --issuer … --repository …`".to_owned(),
            ),
            BindingError::ScopeOwned { scope, owner } => refusal(
                Code::Forbidden,
                format!("a build of a repository of `{owner}`"),
                format!("a token, for a new package in @{scope}"),
                "publish it from a workflow of theirs, or under another scope".to_owned(),
            ),
            BindingError::Renamed { to, .. } => {
                refusal(Code::Retired, to.clone(), "a former name".to_owned(), format!("publish as `{to}`"))
            }
            BindingError::NotTrusted { package, repository, expected } => refusal(
                Code::Forbidden,
                expected,
                repository.clone(),
                format!("an owner can allow it: `mpak trust add {package} --repository {repository}`"),
            ),
            BindingError::Spent { package, version } => refusal(
                Code::Forbidden,
                "a token for each version".to_owned(),
                format!("{package} {version}"),
                "request another token in your workflow".to_owned(),
            ),
            BindingError::TokensRefused { expected, .. } => refusal(
                Code::Forbidden,
                expected,
                "a token".to_owned(),
                "publish from the trusted repository, or let two owners allow tokens for this package".to_owned(),
            ),
        }
    }
}

/// How an identity comes to publish a package.
#[derive(Clone, Debug)]
pub(crate) enum Grant {
    /// It is one of the package's trusted publishers.
    Trusted(TrustedPublisher),
    /// It makes the package, in a scope of its owner.
    New,
}

/// Whether an identity may publish this version of a package.
pub(crate) async fn may(
    c: &mut Connection,
    identity: &Identity,
    package: &PackageName,
    version: &Version,
) -> Result<Grant, BindingError> {
    // 1. The token is good for this version, or for one still.
    if let Some(spent) = spent_identities::find(c, &identity.issuer, &identity.jti).await?
        && spent != (package.to_string(), version.to_string())
    {
        return Err(BindingError::Spent { package: spent.0, version: spent.1 });
    }
    // 2. The repository is trusted by name of the package. What is there already is asked for first, so that
    //    whoever publishes meanwhile is not taken for somebody without an entry.
    let there = packages::find_any(c, package.as_str()).await?.filter(|there| there.state != packages::REMOVED);
    let trusted = trusted_publishers::list(c, package.as_str()).await?;
    let own = trusted.iter().find(|t| t.is(&identity.issuer, &identity.repository_id, &identity.repository));
    if let Some(own) = own {
        if own.is_by_publish() {
            same_owner(c, identity, package.scope()).await?;
        }
        return Ok(Grant::Trusted(own.clone()));
    }
    // 3. A former name is told to those who published under it.
    if there.is_none()
        && let Some(to) = packages::renamed(c, package.as_str()).await?
    {
        let mut now = trusted_publishers::list(c, &to).await?.into_iter();
        if !now.any(|t| t.is(&identity.issuer, &identity.repository_id, &identity.repository)) {
            check_scope(c, identity, package.scope()).await?;
        }
        return Err(BindingError::Renamed { package: package.to_string(), to });
    }
    // 4. The scope is its owner's, or no owner's yet and named like them.
    check_scope(c, identity, package.scope()).await?;
    // 5. Nobody else publishes the package: neither repositories nor people. What only the operator put there, for
    //    the registry, is the scope's owner's from their first publish on.
    let is_free = match &there {
        Some(there) => owners::is_operators(c, there.id).await?,
        None => true,
    };
    if !trusted.is_empty() || !is_free {
        let (package, repository) = (package.to_string(), identity.repository.clone());
        return Err(BindingError::NotTrusted { package, repository, expected: told(&trusted) });
    }
    Ok(Grant::New)
}

/// Trust that a publish made ends when the repository is given to another owner, or their name is reused:
/// it was given by the scope's owner. Trust that a person gave stays.
async fn same_owner(c: &mut Connection, identity: &Identity, scope: &str) -> Result<(), BindingError> {
    match scopes::find(c, scope).await? {
        Some(scopes::Scope { issuer: Some(_), owner_id: Some(_), .. }) => check_scope(c, identity, scope).await,
        _ => Ok(()),
    }
}

async fn check_scope(c: &mut Connection, identity: &Identity, scope: &str) -> Result<(), BindingError> {
    let mismatch =
        |required: String| BindingError::Scope { scope: scope.to_owned(), owner: identity.owner.clone(), required };
    match scopes::find(c, scope).await? {
        Some(scopes::Scope { issuer: Some(issuer), owner_id: Some(owner_id), owner_name, .. }) => {
            if (issuer.as_str(), owner_id.as_str()) == (&*identity.issuer, &*identity.owner_id) {
                return Ok(());
            }
            let owner_name = owner_name.unwrap_or_default();
            Err(mismatch(format!("the owner to whom the scope belongs: `{owner_name}` ({owner_id}) at {issuer}")))
        }
        Some(other) => {
            let reason = other.reserved_reason.unwrap_or_else(|| "it belongs to this registry".to_owned());
            Err(BindingError::Reserved { scope: scope.to_owned(), reason })
        }
        None if !identity.default_scopes => Err(BindingError::NoDefaultScopes { issuer: identity.issuer.clone() }),
        None if !identity.owner.eq_ignore_ascii_case(scope) => {
            Err(mismatch("the package scope to match the repository owner".to_owned()))
        }
        // Packages of tokens give nobody the scope.
        None => Ok(()),
    }
}

fn told(trusted: &[TrustedPublisher]) -> String {
    if trusted.is_empty() {
        return "no repository: its owners publish it by token".to_owned();
    }
    trusted.iter().map(|t| format!("`{}`", t.repository)).collect::<Vec<_>>().join(", ")
}

/// Fixes what a publish fixes, in its transaction: scope, repository, workflow and token.
pub(crate) async fn bind(
    c: &mut Connection,
    identity: &Identity,
    package: &PackageName,
    version: &Version,
    now_ms: i64,
) -> Result<(), BindingError> {
    // 1. Still allowed.
    let grant = may(c, identity, package, version).await?;
    // 2. The scope is the owner's.
    if matches!(grant, Grant::New) {
        let owner = (&*identity.issuer, &*identity.owner_id, &*identity.owner);
        scopes::give(c, package.scope(), owner, now_ms).await?;
    }
    // 3. The package is the repository's.
    match grant {
        Grant::New => trust(c, identity, package, now_ms).await?,
        Grant::Trusted(before) => follow(c, identity, package, &before, now_ms).await?,
    }
    // 4. The token is the version's.
    let what = (package.as_str(), &*version.to_string());
    spent_identities::spend(c, (&identity.issuer, &identity.jti), what, identity.expires_at_ms).await?;
    Ok(spent_identities::forget_expired(c, now_ms).await?)
}

async fn trust(c: &mut Connection, identity: &Identity, package: &PackageName, now_ms: i64) -> DbResult<()> {
    let new = New {
        package: package.as_str(),
        issuer: &identity.issuer,
        repository_id: &identity.repository_id,
        repository: &identity.repository,
        workflow: &identity.workflow,
        created_at_ms: now_ms,
        created_by: &identity.actor_name(),
    };
    trusted_publishers::insert(c, new).await?;
    let payload = json!({
        "issuer": identity.issuer, "repository": identity.repository, "repository_id": identity.repository_id,
        "workflow": identity.workflow,
    });
    note(c, "publisher_trusted", identity, package, &payload, now_ms).await
}

/// A repository may be renamed and a workflow changed; both are told.
async fn follow(
    c: &mut Connection,
    identity: &Identity,
    package: &PackageName,
    before: &TrustedPublisher,
    now_ms: i64,
) -> DbResult<()> {
    let payload = |from: &str, to: &str| json!({"from": from, "to": to, "repository": identity.repository});
    if !before.workflow.is_empty() && before.workflow != identity.workflow {
        let payload = payload(&before.workflow, &identity.workflow);
        note(c, "workflow_changed", identity, package, &payload, now_ms).await?;
    }
    if before.repository != identity.repository {
        let payload = payload(&before.repository, &identity.repository);
        note(c, "repository_renamed", identity, package, &payload, now_ms).await?;
    }
    let now = (&*identity.repository_id, &*identity.repository, &*identity.workflow);
    if (&*before.repository_id, &*before.repository, &*before.workflow) != now {
        trusted_publishers::update(c, before.id, now).await?;
    }
    Ok(())
}

async fn note(
    c: &mut Connection,
    kind: &str,
    identity: &Identity,
    package: &PackageName,
    payload: &Value,
    now_ms: i64,
) -> DbResult<()> {
    let actor = identity.actor_name();
    let event =
        events::New { at_ms: now_ms, kind, package: Some(package.as_str()), version: None, actor: &actor, payload };
    events::append(c, event).await.map(|_seq| ())
}

/// Whether a token of ours may publish its package: not one that is published by identities, unless two of its
/// owners allow it, and no new one in a scope of an identity's owner. What people may, `actor` says.
pub(crate) async fn tokens_may(c: &mut Connection, publisher: &Publisher) -> Result<(), BindingError> {
    let package = publisher.package();
    // 1. What identities publish.
    let trusted = trusted_publishers::list(c, package.as_str()).await?;
    if !trusted.is_empty() && owners::allowing_tokens(c, package.as_str()).await? < OWNERS_FOR_TOKENS {
        return Err(BindingError::TokensRefused { package: package.to_string(), expected: told(&trusted) });
    }
    // 2. Where they publish.
    let is_somebodys = publisher.user_id().is_none() && !publisher.is_operators();
    if is_somebodys
        && let Some(owner) = scopes::owner(c, package.scope()).await?
        && packages::find_any(c, package.as_str()).await?.is_none()
    {
        return Err(BindingError::ScopeOwned { scope: package.scope().to_owned(), owner });
    }
    Ok(())
}
