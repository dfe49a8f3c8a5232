//! Who asks, and what they may do to a package: the one place where that is decided.
//!
//! In: a request's headers from anybody. Out: an [`Actor`]. A token may do what its actions and package
//! patterns say; a token of a person also never more than that person. A person may read, and change
//! what they own; administrators may everything.

use axum::http::HeaderMap;
use mpak_bundle::name::PackageName;

use super::error::AuthError;
use super::session;
use super::token::{self, covers};
use crate::db::{Connection, owners, packages, scopes, users};
use crate::state::AppState;

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// See what is public, and what is theirs.
    Read,
    /// Add versions and artifacts.
    Publish,
    /// Take a version out of resolution, and put it back.
    Yank,
    /// Say that a package should not be used any more.
    Deprecate,
    /// Remove a version or a package.
    Delete,
    /// Change owners and names.
    Own,
    /// Run the registry.
    Admin,
}

impl Action {
    /// As a verb, for sentences.
    fn verb(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Publish => "publish",
            Self::Yank => "yank versions of",
            Self::Deprecate => "deprecate",
            Self::Delete => "delete",
            Self::Own => "change the owners or the name of",
            Self::Admin => "administer",
        }
    }

    /// The narrowest grant of a token that allows it.
    fn grant(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Publish => "publish",
            Self::Yank => "yank",
            Self::Deprecate | Self::Delete | Self::Own => "manage",
            Self::Admin => "admin",
        }
    }

    /// Whether a token with this grant may do it.
    fn allowed_by(self, grant: &str) -> bool {
        match grant {
            "admin" => true,
            "manage" => matches!(self, Self::Read | Self::Yank | Self::Deprecate | Self::Delete | Self::Own),
            "publish" | "yank" | "read" => self == Self::Read || self.grant() == grant,
            _ => false,
        }
    }
}

/// Actions that a token may be given.
pub(crate) const GRANTS: &[&str] = &["read", "publish", "yank", "manage", "admin"];

/// What a person may do at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Reads.
    Reader,
    /// Publishes, and manages what they own.
    Publisher,
    /// Everything.
    Admin,
}

impl Role {
    /// From its word.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Reader, Self::Publisher, Self::Admin].into_iter().find(|role| role.as_str() == text)
    }

    /// Its word.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Publisher => "publisher",
            Self::Admin => "admin",
        }
    }
}

/// Somebody with an account here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    /// Key.
    pub(crate) user_id: i64,
    /// For people to read.
    pub(crate) login: String,
    /// At most.
    pub(crate) role: Role,
}

impl Person {
    /// Whether they may do this, whatever token they hold; see [`Actor::may`].
    ///
    /// # Errors
    /// [`AuthError`].
    pub(crate) async fn may(
        &self,
        c: &mut Connection,
        action: Action,
        package: Option<&PackageName>,
    ) -> Result<(), AuthError> {
        // 1. What their role allows.
        if self.role == Role::Admin || action == Action::Read {
            return Ok(());
        }
        let needed = if action == Action::Admin { Role::Admin } else { Role::Publisher };
        if self.role < needed {
            let (needed, found) = (needed.as_str(), self.role.as_str());
            return Err(AuthError::Role { login: self.login.clone(), action: action.verb(), needed, found });
        }
        // 2. Whose the package is. One that nobody published yet is theirs in whose scope it would be.
        let Some(package) = package else { return Ok(()) };
        match owners::standing(c, package.as_str(), self.user_id).await? {
            owners::Standing::Owner => Ok(()),
            owners::Standing::NoPackage if action == Action::Publish => {
                if let Some(owner) = scopes::owner(c, package.scope()).await? {
                    return Err(AuthError::ScopeOwned { scope: package.scope().to_owned(), owner });
                }
                if owners::scope_is_open(c, package.scope(), self.user_id).await? {
                    return Ok(());
                }
                Err(AuthError::ScopeTaken { login: self.login.clone(), scope: package.scope().to_owned() })
            }
            _ => Err(AuthError::NotOwner { login: self.login.clone(), package: package.to_string() }),
        }
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) enum Actor {
    /// A program with a token.
    Token {
        /// Its name.
        name: String,
        /// Of [`GRANTS`].
        actions: Vec<String>,
        /// Patterns.
        packages: Vec<String>,
        /// Whose it is; nobody's when an administrator made it.
        person: Option<Person>,
    },
    /// Somebody who signed in.
    Person(Person),
}

/// Who asks: by token, else by session.
pub(crate) async fn actor(state: &AppState, headers: &HeaderMap) -> Result<Actor, AuthError> {
    // What a cookie says counts only where nothing else is said; `asker` has checked that it was wanted.
    if let Some(person) = session::person(state, headers).await? {
        let (user_id, login, role) = (person.user_id(), person.login().to_owned(), person.role());
        return Ok(Actor::Person(Person { user_id, login, role }));
    }
    let now_ms = state.clock().now_ms();
    let row = token::known(&state.db, headers, now_ms).await?;
    token::note_use(&state.db, &row, now_ms);
    let person = match row.user_id {
        Some(user_id) => Some(person(&mut *state.db.read().await?, user_id).await?),
        None => None,
    };
    let (actions, packages) = (token::list(&row.actions_json)?, token::list(&row.packages_json)?);
    Ok(Actor::Token { name: row.name, actions, packages, person })
}

/// Who asks, or nobody when the request names nobody; a wrong token is refused all the same.
pub(crate) async fn visitor(state: &AppState, headers: &HeaderMap) -> Result<Option<Actor>, AuthError> {
    match actor(state, headers).await {
        Ok(actor) => Ok(Some(actor)),
        Err(AuthError::Missing) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The person of an active account.
pub(crate) async fn person(c: &mut Connection, user_id: i64) -> Result<Person, AuthError> {
    let user = users::find(c, user_id).await?.ok_or(AuthError::Unknown)?;
    if user.disabled_at_ms.is_some() {
        return Err(AuthError::Disabled { login: user.login });
    }
    // A role that this program does not know gives no rights.
    let role = Role::parse(&user.role).unwrap_or(Role::Reader);
    Ok(Person { user_id, login: user.login, role })
}

impl Actor {
    /// The actor of events.
    pub(crate) fn label(&self) -> String {
        match self.person() {
            Some(person) => format!("user:{}", person.login),
            None => match self {
                Self::Token { name, .. } => format!("token:{name}"),
                Self::Person(person) => format!("user:{}", person.login),
            },
        }
    }

    /// Whose request it is in the end.
    pub(crate) fn person(&self) -> Option<&Person> {
        match self {
            Self::Token { person, .. } => person.as_ref(),
            Self::Person(person) => Some(person),
        }
    }

    /// Whether they run the registry.
    pub(crate) fn is_admin(&self) -> bool {
        self.granted(Action::Admin, None).is_ok() && self.person().is_none_or(|p| p.role == Role::Admin)
    }

    /// Whether they may do this to a package, or at all when no package is named.
    ///
    /// # Errors
    /// [`AuthError`] says what is missing.
    pub(crate) async fn may(
        &self,
        c: &mut Connection,
        action: Action,
        package: Option<&PackageName>,
    ) -> Result<(), AuthError> {
        // 1. What the token is for.
        self.granted(action, package)?;
        // 2. What its person may.
        match self.person() {
            Some(person) => person.may(c, action, package).await,
            None => Ok(()),
        }
    }

    /// Whether they may become the owner of what is not theirs yet, by a claim or a transfer: the token says so for
    /// one of the package's names, and the person's role.
    ///
    /// # Errors
    /// [`AuthError`] says what is missing.
    pub(crate) async fn may_take(&self, c: &mut Connection, names: &[&PackageName]) -> Result<(), AuthError> {
        let mut granted = self.granted(Action::Own, None);
        for name in names {
            granted = self.granted(Action::Own, Some(name));
            if granted.is_ok() {
                break;
            }
        }
        granted?;
        match self.person() {
            Some(person) => person.may(c, Action::Own, None).await,
            None => Ok(()),
        }
    }

    /// Whether they see a package that is not public: a held one who may change it, a removed one who
    /// administers.
    pub(crate) async fn sees(&self, c: &mut Connection, state: &str, package: &PackageName) -> Result<bool, AuthError> {
        if self.is_admin() || state == packages::PUBLIC {
            return Ok(true);
        }
        for action in [Action::Own, Action::Yank, Action::Publish] {
            match self.may(c, action, Some(package)).await {
                Ok(()) => return Ok(state == packages::HELD),
                Err(AuthError::Db(e)) => return Err(e.into()),
                Err(_may_not) => {}
            }
        }
        Ok(false)
    }

    fn granted(&self, action: Action, package: Option<&PackageName>) -> Result<(), AuthError> {
        let Self::Token { name, actions, packages, .. } = self else { return Ok(()) };
        if !actions.iter().any(|grant| action.allowed_by(grant)) {
            let (name, allowed) = (name.clone(), actions.clone());
            return Err(AuthError::Action { name, action: action.verb(), needed: action.grant(), allowed });
        }
        match package {
            Some(package) if !packages.iter().any(|pattern| covers(pattern, package)) => Err(AuthError::Scope {
                name: name.clone(),
                action: action.verb(),
                package: package.to_string(),
                allowed: packages.clone(),
            }),
            // Who may administer some packages only does not run the registry.
            None if action == Action::Admin && !packages.iter().any(|pattern| pattern == "*") => {
                Err(AuthError::Scope {
                    name: name.clone(),
                    action: action.verb(),
                    package: "*".to_owned(),
                    allowed: packages.clone(),
                })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Action; 7] =
        [Action::Read, Action::Publish, Action::Yank, Action::Deprecate, Action::Delete, Action::Own, Action::Admin];

    fn token(grant: &str, pattern: &str) -> Actor {
        let (actions, packages) = (vec![grant.to_owned()], vec![pattern.to_owned()]);
        Actor::Token { name: "ci".to_owned(), actions, packages, person: None }
    }

    #[test]
    fn a_grant_allows_what_it_names_and_reading() {
        let package = PackageName::publishable("@acme/widget").unwrap();
        for (grant, allowed) in [
            ("read", &ALL[..1]),
            ("publish", &ALL[..2]),
            ("yank", &[Action::Read, Action::Yank][..]),
            ("manage", &[Action::Read, Action::Yank, Action::Deprecate, Action::Delete, Action::Own][..]),
            ("admin", &ALL[..]),
            ("everything", &[][..]),
            ("", &[][..]),
        ] {
            for action in ALL {
                let found = token(grant, "*").granted(action, Some(&package)).is_ok();
                assert_eq!(found, allowed.contains(&action), "{grant} {action:?}");
            }
        }
        assert!(GRANTS.iter().all(|grant| token(grant, "*").granted(Action::Read, None).is_ok()));
    }

    #[test]
    fn a_pattern_binds_every_action() {
        let (own, other) =
            (PackageName::publishable("@acme/a").unwrap(), PackageName::publishable("@other/a").unwrap());
        for action in ALL {
            let token = token("admin", "@acme/*");
            assert!(token.granted(action, Some(&own)).is_ok(), "{action:?}");
            assert!(token.granted(action, Some(&other)).is_err(), "{action:?}");
        }
        assert!(!token("admin", "@acme/*").is_admin() && token("admin", "*").is_admin());
        assert!(!token("manage", "*").is_admin());
    }
}
