//! Scan reports, by the artifact that was judged. A report is bound to the rules, the snapshot of advisories
//! and the evidence that it was made from; reports with the same outcome are one row, others are the history.

use sqlx::FromRow;

use super::{Connection, DbResult, dialect, execute, on};

/// What a report was made from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Basis {
    /// Identity of controls and rules.
    pub(crate) ruleset: String,
    /// Digest of the snapshot of advisories; empty without one.
    pub(crate) advisories: String,
    /// Digest of what the registry knew of the artifact.
    pub(crate) evidence: String,
}

impl Basis {
    /// What a job is asked for.
    pub(crate) fn asked(&self) -> String {
        format!("{} {}", self.ruleset, self.advisories)
    }
}

/// A report to be written.
#[derive(Clone, Debug)]
pub(crate) struct New<'a> {
    /// Key of the artifact.
    pub(crate) artifact_id: i64,
    /// What it was made from.
    pub(crate) basis: &'a Basis,
    /// Digest of what was found.
    pub(crate) outcome: String,
    /// Level, once it is assessed.
    pub(crate) level: Option<i64>,
    /// Score.
    pub(crate) score: i64,
    /// How many controls passed, failed, and are there.
    pub(crate) counts: [i64; 3],
    /// `mpak_scan::report::Report` as JSON.
    pub(crate) report_json: String,
}

/// A stored report.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Scan {
    /// When it was scanned last with this outcome.
    pub(crate) scanned_at_ms: i64,
    /// `mpak_scan::report::Report` as JSON.
    pub(crate) report_json: String,
}

/// A report without its text.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Past {
    /// When this outcome was found first.
    pub(crate) first_at_ms: i64,
    /// When it was found last.
    pub(crate) scanned_at_ms: i64,
    /// Identity of controls and rules.
    pub(crate) ruleset: String,
    /// Level, once it is assessed.
    pub(crate) level: Option<i64>,
    /// Score; not kept of rows from before.
    pub(crate) score: Option<i64>,
}

/// Writes a report: over the newest one, where the outcome is the same, else beside it. `true` when the
/// outcome is another one.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn put(c: &mut Connection, new: &New<'_>, now_ms: i64) -> DbResult<bool> {
    let sql = "SELECT id FROM scans WHERE artifact_id = $1 AND outcome = $2 \
               AND id = (SELECT max(id) FROM scans WHERE artifact_id = $1)";
    let same: Option<i64> =
        on!(c => sqlx::query_scalar(sql).bind(new.artifact_id).bind(&new.outcome).fetch_optional(c).await)?;
    let sql = match same {
        Some(_) => {
            "UPDATE scans SET ruleset = $2, advisories = $3, evidence = $4, outcome = $5, scanned_at_ms = $6, \
             level = $7, score = $8, report_json = $9, passed_count = $10, failed_count = $11, controls_count = $12 \
             WHERE id = $1"
        }
        None => {
            "INSERT INTO scans (artifact_id, ruleset, advisories, evidence, outcome, first_at_ms, scanned_at_ms, \
             level, score, report_json, passed_count, failed_count, controls_count) \
             VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9, $10, $11, $12)"
        }
    };
    execute!(c => sqlx::query(sql)
        .bind(same.unwrap_or(new.artifact_id))
        .bind(&new.basis.ruleset)
        .bind(&new.basis.advisories)
        .bind(&new.basis.evidence)
        .bind(&new.outcome)
        .bind(now_ms)
        .bind(new.level)
        .bind(new.score)
        .bind(&new.report_json)
        .bind(new.counts[0])
        .bind(new.counts[1])
        .bind(new.counts[2]))?;
    Ok(same.is_none())
}

/// The newest report on an artifact.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn newest(c: &mut Connection, artifact_id: i64) -> DbResult<Option<Scan>> {
    let sql = "SELECT scanned_at_ms, report_json FROM scans WHERE artifact_id = $1 ORDER BY id DESC LIMIT 1";
    Ok(on!(c => sqlx::query_as(sql).bind(artifact_id).fetch_optional(c).await)?)
}

/// What the newest report on an artifact came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromRow)]
pub(crate) struct Certified {
    /// Key of the artifact's version.
    pub(crate) version_id: i64,
    /// Level; none while it is not assessed.
    pub(crate) level: Option<i64>,
    /// 0 to 100.
    pub(crate) score: Option<i64>,
    /// Controls that passed.
    pub(crate) passed_count: Option<i64>,
    /// Controls that failed.
    pub(crate) failed_count: Option<i64>,
    /// All controls.
    pub(crate) controls_count: Option<i64>,
}

impl Certified {
    /// What a version reaches: the report on its worst artifact, once all are assessed.
    pub(crate) fn worst<'a>(all: impl Iterator<Item = &'a Self> + Clone) -> Option<&'a Self> {
        let assessed = all.clone().all(|c| c.level.is_some());
        all.min_by_key(|c| (c.level, c.score)).filter(|_| assessed)
    }
}

/// The newest reports on all artifacts of some versions.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn certified(c: &mut Connection, version_ids: &[i64]) -> DbResult<Vec<Certified>> {
    let some = dialect!(c,
        sqlite: "SELECT value FROM json_each($1)",
        postgres: "SELECT CAST(json_array_elements_text(CAST($1 AS JSON)) AS BIGINT)",
    );
    let sql = format!(
        "SELECT a.version_id, s.level, s.score, s.passed_count, s.failed_count, s.controls_count FROM artifacts a \
         LEFT JOIN scans s ON s.id = (SELECT max(n.id) FROM scans n WHERE n.artifact_id = a.id) \
         WHERE a.version_id IN ({some}) ORDER BY a.version_id, a.id"
    );
    let ids = serde_json::Value::from(version_ids).to_string();
    Ok(on!(c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(&ids).fetch_all(c).await)?)
}

/// The outcomes of an artifact's scans, newest first.
///
/// # Errors
/// [`super::DbError`].
pub(crate) async fn history(c: &mut Connection, artifact_id: i64, limit: i64) -> DbResult<Vec<Past>> {
    let sql = "SELECT first_at_ms, scanned_at_ms, ruleset, level, score FROM scans WHERE artifact_id = $1 \
               ORDER BY id DESC LIMIT $2";
    Ok(on!(c => sqlx::query_as(sql).bind(artifact_id).bind(limit).fetch_all(c).await)?)
}
