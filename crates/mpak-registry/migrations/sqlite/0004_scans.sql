-- A report is about an artifact, not about bytes alone: who published them is part of what is judged.
-- Of reports with the same outcome the last one stays; another outcome is another row, which is the history.
CREATE TABLE scans_of_artifacts (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    artifact_id     INTEGER NOT NULL REFERENCES artifacts (id),
    -- Identity of controls and rules.
    ruleset         TEXT    NOT NULL,
    -- Digest of the snapshot of advisories; empty without one.
    advisories      TEXT    NOT NULL DEFAULT '',
    -- Digest of what the registry knew of the artifact; empty when it was not asked.
    evidence        TEXT    NOT NULL DEFAULT '',
    -- Digest of what was found, without the names of rules and advisories.
    outcome         TEXT    NOT NULL DEFAULT '',
    first_at_ms     INTEGER NOT NULL,
    scanned_at_ms   INTEGER NOT NULL,
    level           INTEGER,
    score           INTEGER,
    report_json     TEXT    NOT NULL
);
INSERT INTO scans_of_artifacts (artifact_id, ruleset, first_at_ms, scanned_at_ms, report_json)
    SELECT a.id, s.ruleset, s.scanned_at_ms, s.scanned_at_ms, s.report_json
    FROM scans s JOIN artifacts a ON a.digest = s.digest ORDER BY s.scanned_at_ms, a.id;
DROP TABLE scans;
ALTER TABLE scans_of_artifacts RENAME TO scans;
CREATE INDEX scans_by_artifact ON scans (artifact_id, scanned_at_ms);

-- Jobs are about artifacts now; what waits is asked for again at the start.
DELETE FROM jobs WHERE kind = 'scan';
-- For which rules and advisories it was asked: others give one that failed a fresh start.
ALTER TABLE jobs ADD COLUMN asked TEXT NOT NULL DEFAULT '';
-- What was just published goes before what is judged again.
ALTER TABLE jobs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
DROP INDEX jobs_by_time;
CREATE INDEX jobs_by_turn ON jobs (kind, state, priority, run_at_ms);
