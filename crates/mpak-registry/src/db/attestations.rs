//! What forges tell beside an artifact: Sigstore bundles about it, and since when its owner's account exists.

use mpak_bundle::digest::Sha256;

use super::{Connection, DbResult, execute, on, text};

/// The Sigstore bundles about an artifact, as JSON, in the order of their digests.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn list(c: &mut Connection, artifact_id: i64) -> DbResult<Vec<String>> {
    let sql = "SELECT bundle_json FROM attestations WHERE artifact_id = $1 ORDER BY digest";
    Ok(on!(c => sqlx::query_scalar(sql).bind(artifact_id).fetch_all(c).await)?)
}

/// Adds one. What is there stays.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn insert(
    c: &mut Connection,
    artifact_id: i64,
    (origin, bundle): (&str, &str),
    now_ms: i64,
) -> DbResult<()> {
    let sql = "INSERT INTO attestations (artifact_id, digest, origin, bundle_json, found_at_ms) \
               VALUES ($1, $2, $3, $4, $5) ON CONFLICT (artifact_id, digest) DO NOTHING";
    let bundle = &*text(bundle);
    let digest = Sha256::of(bundle.as_bytes());
    execute!(c => sqlx::query(sql)
        .bind(artifact_id)
        .bind(&digest.as_bytes()[..])
        .bind(origin)
        .bind(bundle)
        .bind(now_ms))?;
    Ok(())
}

/// When all were asked last.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn looked_at_ms(c: &mut Connection, artifact_id: i64) -> DbResult<Option<i64>> {
    let sql = "SELECT at_ms FROM attestation_looks WHERE artifact_id = $1";
    Ok(on!(c => sqlx::query_scalar(sql).bind(artifact_id).fetch_optional(c).await)?)
}

/// Notes that all were asked now.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn looked(c: &mut Connection, artifact_id: i64, now_ms: i64) -> DbResult<()> {
    let sql = "INSERT INTO attestation_looks (artifact_id, at_ms) VALUES ($1, $2) \
               ON CONFLICT (artifact_id) DO UPDATE SET at_ms = excluded.at_ms";
    execute!(c => sqlx::query(sql).bind(artifact_id).bind(now_ms))?;
    Ok(())
}

/// Since when an account exists, where it was asked for.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn account_created_at_ms(c: &mut Connection, issuer: &str, owner_id: &str) -> DbResult<Option<i64>> {
    let sql = "SELECT created_at_ms FROM forge_accounts WHERE issuer = $1 AND owner_id = $2";
    Ok(on!(c => sqlx::query_scalar(sql).bind(issuer).bind(owner_id).fetch_optional(c).await)?)
}

/// Notes since when an account exists. That never changes.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn insert_account(
    c: &mut Connection,
    (issuer, owner_id): (&str, &str),
    created_at_ms: i64,
) -> DbResult<()> {
    let sql = "INSERT INTO forge_accounts (issuer, owner_id, created_at_ms) VALUES ($1, $2, $3) \
               ON CONFLICT (issuer, owner_id) DO NOTHING";
    execute!(c => sqlx::query(sql).bind(issuer).bind(owner_id).bind(created_at_ms))?;
    Ok(())
}
