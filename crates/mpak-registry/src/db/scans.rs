//! Scan reports, by the digest of what was scanned and the ruleset that judged it.

use mpak_bundle::digest::Sha256;
use sqlx::FromRow;

use super::{Connection, DbResult, execute, on};

/// A stored report.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Scan {
    /// Identity of controls and rules.
    pub(crate) ruleset: String,
    /// When it was scanned.
    pub(crate) scanned_at_ms: i64,
    /// `mpak_scan::report::Report` as JSON.
    pub(crate) report_json: String,
}

/// Writes or replaces a report.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn put(c: &mut Connection, sha256: &Sha256, scan: &Scan) -> DbResult<()> {
    let sql = "INSERT INTO scans (digest, ruleset, scanned_at_ms, report_json) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (digest, ruleset) DO UPDATE SET scanned_at_ms = excluded.scanned_at_ms, \
               report_json = excluded.report_json";
    execute!(c => sqlx::query(sql)
        .bind(&sha256.as_bytes()[..])
        .bind(&scan.ruleset)
        .bind(scan.scanned_at_ms)
        .bind(&scan.report_json))?;
    Ok(())
}

/// The newest report on some bytes.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn newest(c: &mut Connection, sha256: &Sha256) -> DbResult<Option<Scan>> {
    let sql = "SELECT ruleset, scanned_at_ms, report_json FROM scans WHERE digest = $1 \
               ORDER BY scanned_at_ms DESC, ruleset DESC LIMIT 1";
    Ok(on!(c => sqlx::query_as(sql).bind(&sha256.as_bytes()[..]).fetch_optional(c).await)?)
}
