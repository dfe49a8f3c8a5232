//! Scopes: whose they are, and which are reserved.

use sqlx::FromRow;

use super::{Connection, DbResult, execute, on};

/// A scope that belongs to somebody or is reserved.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Scope {
    /// The owner's issuer; none when the scope is reserved.
    pub(crate) issuer: Option<String>,
    /// The owner's stable id there.
    pub(crate) owner_id: Option<String>,
    /// For people to read.
    pub(crate) owner_name: Option<String>,
    /// Why it is reserved.
    pub(crate) reserved_reason: Option<String>,
    /// Since when.
    pub(crate) created_at_ms: i64,
}

impl Scope {
    /// Whose it is, as people call them; nothing when it is reserved.
    pub(crate) fn owner(&self) -> Option<&str> {
        let id = self.owner_id.as_deref().filter(|_| self.issuer.is_some())?;
        Some(self.owner_name.as_deref().unwrap_or(id))
    }
}

/// Finds a scope, without `@`.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn find(c: &mut Connection, scope: &str) -> DbResult<Option<Scope>> {
    let sql = "SELECT issuer, owner_id, owner_name, reserved_reason, created_at_ms FROM scopes WHERE scope = $1";
    Ok(on!(c => sqlx::query_as(sql).bind(scope).fetch_optional(c).await)?)
}

/// Gives a scope that nobody has to an owner; nothing happens when somebody has it.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn give(
    c: &mut Connection,
    scope: &str,
    (issuer, owner_id, owner_name): (&str, &str, &str),
    now_ms: i64,
) -> DbResult<()> {
    let sql = "INSERT INTO scopes (scope, issuer, owner_id, owner_name, created_at_ms) \
               VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    execute!(c => sqlx::query(sql).bind(scope).bind(issuer).bind(owner_id).bind(owner_name).bind(now_ms))?;
    Ok(())
}

/// Whose a scope is, by what they build; nothing when it is nobody's or reserved.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn owner(c: &mut Connection, scope: &str) -> DbResult<Option<String>> {
    Ok(find(c, scope).await?.and_then(|scope| scope.owner().map(str::to_owned)))
}
