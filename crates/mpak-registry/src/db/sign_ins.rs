//! Sign-ins on their way to the provider and back: kept here so that any replica can finish them.

use mpak_bundle::digest::Sha256;
use sqlx::FromRow;

use super::{Connection, DbResult, execute, on};

/// How many wait, after one was written.
#[derive(Clone, Copy, Debug, FromRow)]
pub(crate) struct Waiting {
    /// Of all networks.
    pub(crate) all: i64,
    /// Of the network of the last one.
    pub(crate) of_network: i64,
}

/// Writes a sign-in of a network under the hash of its `state`, removes those that ran out, and gives how
/// many there are.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn insert(
    c: &mut Connection,
    hash: &Sha256,
    (payload_json, network): (&str, &str),
    now_ms: i64,
    expires_at_ms: i64,
) -> DbResult<Waiting> {
    execute!(c => sqlx::query("DELETE FROM sign_ins WHERE expires_at_ms <= $1").bind(now_ms))?;
    let sql = "INSERT INTO sign_ins (hash, payload_json, expires_at_ms, network) VALUES ($1, $2, $3, $4)";
    execute!(c => sqlx::query(sql).bind(&hash.as_bytes()[..]).bind(payload_json).bind(expires_at_ms).bind(network))?;
    let sql = "SELECT count(*) AS \"all\", count(CASE WHEN network = $1 THEN 1 END) AS of_network FROM sign_ins";
    Ok(on!(c => sqlx::query_as(sql).bind(network).fetch_one(c).await)?)
}

/// Takes a sign-in out, so that it finishes once, and gives its payload.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn take(c: &mut Connection, hash: &Sha256, now_ms: i64) -> DbResult<Option<String>> {
    let sql = "DELETE FROM sign_ins WHERE hash = $1 AND expires_at_ms > $2 RETURNING payload_json";
    Ok(on!(c => sqlx::query_scalar(sql).bind(&hash.as_bytes()[..]).bind(now_ms).fetch_optional(c).await)?)
}
