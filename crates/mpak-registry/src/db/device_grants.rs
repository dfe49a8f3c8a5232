//! Device authorisations (RFC 8628): what `mpak login` asked for and a person decided.

use mpak_bundle::digest::Sha256;
use sqlx::FromRow;

use super::{Connection, DbResult, execute, on};

/// A device authorisation.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Grant {
    /// What the machine calls itself.
    pub(crate) client: String,
    /// Who decided.
    pub(crate) user_id: Option<i64>,
    /// `pending`, `approved`, `denied`, `used`
    pub(crate) state: String,
    /// Until when it can be decided and used.
    pub(crate) expires_at_ms: i64,
    /// When the machine asked last.
    pub(crate) polled_at_ms: i64,
}

/// How many wait, after one was written.
#[derive(Clone, Copy, Debug, FromRow)]
pub(crate) struct Waiting {
    /// Of all networks.
    pub(crate) all: i64,
    /// Of the network of the last one.
    pub(crate) of_network: i64,
}

/// Writes a grant of a network under the hash of its device code, removes those that ran out, and gives
/// how many there are; of the network, those that nobody decided about.
///
/// # Errors
/// [`super::DbError`]; also where the user code is taken.
pub(crate) async fn insert(
    c: &mut Connection,
    hash: &Sha256,
    user_code: &str,
    (client, network): (&str, &str),
    now_ms: i64,
    expires_at_ms: i64,
) -> DbResult<Waiting> {
    execute!(c => sqlx::query("DELETE FROM device_grants WHERE expires_at_ms <= $1").bind(now_ms))?;
    let sql = "INSERT INTO device_grants (hash, user_code, client, state, expires_at_ms, polled_at_ms, network) \
               VALUES ($1, $2, $3, 'pending', $4, 0, $5)";
    execute!(c => sqlx::query(sql)
        .bind(&hash.as_bytes()[..])
        .bind(user_code)
        .bind(client)
        .bind(expires_at_ms)
        .bind(network))?;
    let sql = "SELECT count(*) AS \"all\", \
               count(CASE WHEN network = $1 AND state = 'pending' THEN 1 END) AS of_network FROM device_grants";
    Ok(on!(c => sqlx::query_as(sql).bind(network).fetch_one(c).await)?)
}

/// The grant that waits under a user code.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn pending(c: &mut Connection, user_code: &str, now_ms: i64) -> DbResult<Option<Grant>> {
    let sql = "SELECT client, user_id, state, expires_at_ms, polled_at_ms FROM device_grants \
               WHERE user_code = $1 AND state = 'pending' AND expires_at_ms > $2";
    Ok(on!(c => sqlx::query_as(sql).bind(user_code).bind(now_ms).fetch_optional(c).await)?)
}

/// Decides about a waiting grant; `false` when there is none any more.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn decide(
    c: &mut Connection,
    user_code: &str,
    user_id: i64,
    approved: bool,
    now_ms: i64,
) -> DbResult<bool> {
    let sql = "UPDATE device_grants SET state = $2, user_id = $3 \
               WHERE user_code = $1 AND state = 'pending' AND expires_at_ms > $4";
    let state = if approved { "approved" } else { "denied" };
    Ok(execute!(c => sqlx::query(sql).bind(user_code).bind(state).bind(user_id).bind(now_ms))? == 1)
}

/// The grant of a device code.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn find(c: &mut Connection, hash: &Sha256) -> DbResult<Option<Grant>> {
    let sql = "SELECT client, user_id, state, expires_at_ms, polled_at_ms FROM device_grants WHERE hash = $1";
    Ok(on!(c => sqlx::query_as(sql).bind(&hash.as_bytes()[..]).fetch_optional(c).await)?)
}

/// Notes that the machine asked.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn polled(c: &mut Connection, hash: &Sha256, now_ms: i64) -> DbResult<()> {
    let sql = "UPDATE device_grants SET polled_at_ms = $2 WHERE hash = $1";
    execute!(c => sqlx::query(sql).bind(&hash.as_bytes()[..]).bind(now_ms))?;
    Ok(())
}

/// Uses an approved grant up; `false` when somebody was faster.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn take(c: &mut Connection, hash: &Sha256) -> DbResult<bool> {
    let sql = "UPDATE device_grants SET state = 'used' WHERE hash = $1 AND state = 'approved'";
    Ok(execute!(c => sqlx::query(sql).bind(&hash.as_bytes()[..]))? == 1)
}
