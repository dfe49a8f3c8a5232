-- How often a job was put back because storage or release were away: the longer, the later the next try.
ALTER TABLE jobs ADD COLUMN put_back_count INTEGER NOT NULL DEFAULT 0;

-- Versions that were never public. What never was leaves no trace that strangers see.
CREATE TABLE unseen_versions (
    version_id      INTEGER NOT NULL PRIMARY KEY REFERENCES versions (id)
);
INSERT INTO unseen_versions (version_id)
    SELECT v.id FROM versions v JOIN packages p ON p.id = v.package_id WHERE p.state <> 'public'
    AND EXISTS (SELECT 1 FROM events e WHERE e.package = p.name AND e.kind = 'held' AND e.actor = 'registry')
    AND NOT EXISTS (SELECT 1 FROM events e WHERE e.package = p.name AND e.kind IN ('released', 'restored'));
ALTER TABLE tombstones ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0;
UPDATE tombstones SET hidden = 1 WHERE
    EXISTS (SELECT 1 FROM events e WHERE e.package = tombstones.package AND e.kind = 'held' AND e.actor = 'registry')
    AND NOT EXISTS (SELECT 1 FROM events e WHERE e.package = tombstones.package AND e.kind IN ('released', 'restored'));

-- What reports came to, of rows of before 0006.
UPDATE scans SET
    passed_count = (SELECT count(*) FROM json_each(scans.report_json, '$.controls') c
        WHERE json_extract(c.value, '$.status') = 'pass'),
    failed_count = (SELECT count(*) FROM json_each(scans.report_json, '$.controls') c
        WHERE json_extract(c.value, '$.status') = 'fail'),
    controls_count = json_array_length(scans.report_json, '$.controls')
    WHERE controls_count IS NULL AND json_valid(report_json) AND json_type(report_json, '$.controls') = 'array';

-- Each row asks every replica to make anew what follows from the tables: search and static files.
CREATE TABLE reindexes (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms           INTEGER NOT NULL
);
INSERT INTO reindexes (at_ms) SELECT 0 WHERE EXISTS (SELECT 1 FROM scans);
