//! Trusted publishers: which repositories may publish a package, by the issuer's stable ids.

use sqlx::FromRow;

use super::{Connection, DbResult, execute, on};

/// In front of the name of a repository whose id is not known yet; its first publish tells it.
const BY_NAME: &str = "name:";

/// In front of the actor where a first publish made the entry; see `Identity::actor_name`.
const BY_PUBLISH: &str = "oidc:";

/// A repository that may publish a package.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct TrustedPublisher {
    /// Key.
    pub(crate) id: i64,
    /// Who vouches for it.
    pub(crate) issuer: String,
    /// The issuer's id of the repository, or its name until the first publish.
    pub(crate) repository_id: String,
    /// For people to read.
    pub(crate) repository: String,
    /// Path of the workflow that published last; empty: any.
    pub(crate) workflow: String,
    /// Since when.
    pub(crate) created_at_ms: i64,
    /// By whose word.
    pub(crate) created_by: String,
}

impl TrustedPublisher {
    /// Whether the repository is known by name only.
    pub(crate) fn is_by_name(&self) -> bool {
        self.repository_id.starts_with(BY_NAME)
    }

    /// Whether a publish made it, and no person.
    pub(crate) fn is_by_publish(&self) -> bool {
        self.created_by.starts_with(BY_PUBLISH)
    }

    /// Whether it is this repository.
    pub(crate) fn is(&self, issuer: &str, repository_id: &str, repository: &str) -> bool {
        let same = if self.is_by_name() {
            self.repository.eq_ignore_ascii_case(repository)
        } else {
            self.repository_id == repository_id
        };
        self.issuer == issuer && same
    }
}

/// What stands for the id of a repository that has not published yet.
pub(crate) fn id_by_name(repository: &str) -> String {
    format!("{BY_NAME}{}", repository.to_lowercase())
}

/// A trusted publisher to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct New<'a> {
    pub(crate) package: &'a str,
    pub(crate) issuer: &'a str,
    pub(crate) repository_id: &'a str,
    pub(crate) repository: &'a str,
    pub(crate) workflow: &'a str,
    pub(crate) created_at_ms: i64,
    pub(crate) created_by: &'a str,
}

/// Those of a package, the first one first.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn list(c: &mut Connection, package: &str) -> DbResult<Vec<TrustedPublisher>> {
    let sql = "SELECT id, issuer, repository_id, repository, workflow, created_at_ms, created_by \
               FROM trusted_publishers WHERE package = $1 ORDER BY id";
    Ok(on!(c => sqlx::query_as(sql).bind(package).fetch_all(c).await)?)
}

/// Adds one and gives its key; nothing when it is one already.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn insert(c: &mut Connection, new: New<'_>) -> DbResult<Option<i64>> {
    let sql = "INSERT INTO trusted_publishers \
               (package, issuer, repository_id, repository, workflow, created_at_ms, created_by) \
               VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING id";
    Ok(on!(c => sqlx::query_scalar(sql)
        .bind(new.package)
        .bind(new.issuer)
        .bind(new.repository_id)
        .bind(new.repository)
        .bind(new.workflow)
        .bind(new.created_at_ms)
        .bind(new.created_by)
        .fetch_optional(c)
        .await)?)
}

/// Notes what its last publish told: id, name and workflow.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn update(
    c: &mut Connection,
    id: i64,
    (repository_id, repository, workflow): (&str, &str, &str),
) -> DbResult<()> {
    let sql = "UPDATE trusted_publishers SET repository_id = $2, repository = $3, workflow = $4 WHERE id = $1";
    execute!(c => sqlx::query(sql).bind(id).bind(repository_id).bind(repository).bind(workflow))?;
    Ok(())
}

/// Ends the trust in one; `false` when the package has no such publisher.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn remove(c: &mut Connection, package: &str, id: i64) -> DbResult<bool> {
    let sql = "DELETE FROM trusted_publishers WHERE package = $1 AND id = $2";
    Ok(execute!(c => sqlx::query(sql).bind(package).bind(id))? == 1)
}

/// Notes the repository that a package is pinned to, for people.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn pin(c: &mut Connection, package: &str, repository: &str) -> DbResult<()> {
    let sql = "UPDATE packages SET repository = $2 WHERE name = $1";
    execute!(c => sqlx::query(sql).bind(package).bind(repository))?;
    Ok(())
}
