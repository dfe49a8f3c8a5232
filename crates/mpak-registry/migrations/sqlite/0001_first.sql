-- One source of truth for a registry. Times are milliseconds since 1970 in UTC, digests 32 raw bytes,
-- JSON text. Everything outside these tables (search index, index files) can be rebuilt from them.

CREATE TABLE packages (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    name            TEXT    NOT NULL UNIQUE,
    -- The highest stable version, or the highest prerelease while there is no stable one.
    latest_version  TEXT    NOT NULL,
    created_at_ms   INTEGER NOT NULL
);

CREATE TABLE versions (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    package_id      INTEGER NOT NULL REFERENCES packages (id),
    version         TEXT    NOT NULL,
    server_type     TEXT    NOT NULL,
    -- As in the bundle that was published first for this version.
    manifest_json   TEXT    NOT NULL,
    -- README.md at the bundle's root, as written; hostile Markdown.
    readme          TEXT,
    publish_method  TEXT    NOT NULL,
    published_at_ms INTEGER NOT NULL,
    UNIQUE (package_id, version)
);

CREATE TABLE blobs (
    digest          BLOB    NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    size_bytes      INTEGER NOT NULL,
    created_at_ms   INTEGER NOT NULL
);

CREATE TABLE artifacts (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    version_id      INTEGER NOT NULL REFERENCES versions (id),
    os              TEXT    NOT NULL CHECK (os IN ('darwin', 'linux', 'win32', 'any')),
    arch            TEXT    NOT NULL CHECK (arch IN ('x64', 'arm64', 'any')),
    digest          BLOB    NOT NULL REFERENCES blobs (digest),
    size_bytes      INTEGER NOT NULL,
    published_at_ms INTEGER NOT NULL,
    event_seq       INTEGER NOT NULL REFERENCES events (seq),
    UNIQUE (version_id, os, arch)
);
CREATE INDEX artifacts_by_digest ON artifacts (digest);

-- Apart from `artifacts`, so that what was published never changes and what is counted may.
CREATE TABLE downloads (
    artifact_id     INTEGER NOT NULL PRIMARY KEY REFERENCES artifacts (id),
    count           INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE events (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms           INTEGER NOT NULL,
    kind            TEXT    NOT NULL,
    package         TEXT,
    version         TEXT,
    actor           TEXT    NOT NULL,
    payload_json    TEXT    NOT NULL
);
CREATE INDEX events_by_package ON events (package, seq);

CREATE TABLE tokens (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    name            TEXT    NOT NULL,
    -- SHA-256 of the token; the token itself is shown once and kept nowhere.
    hash            BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    actions_json    TEXT    NOT NULL,
    packages_json   TEXT    NOT NULL,
    created_at_ms   INTEGER NOT NULL,
    expires_at_ms   INTEGER NOT NULL,
    revoked_at_ms   INTEGER,
    last_used_at_ms INTEGER
);

-- Belongs to the bytes, not to a name: the same bytes under two names are judged once.
CREATE TABLE scans (
    digest          BLOB    NOT NULL CHECK (length(digest) = 32),
    ruleset         TEXT    NOT NULL,
    scanned_at_ms   INTEGER NOT NULL,
    report_json     TEXT    NOT NULL,
    PRIMARY KEY (digest, ruleset)
);

CREATE TABLE jobs (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    kind            TEXT    NOT NULL,
    -- What the job is about; with `kind` its identity, so that nothing is queued twice.
    subject         TEXT    NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('queued', 'running', 'failed')),
    attempts        INTEGER NOT NULL DEFAULT 0,
    run_at_ms       INTEGER NOT NULL,
    leased_until_ms INTEGER NOT NULL DEFAULT 0,
    error           TEXT,
    UNIQUE (kind, subject)
);
CREATE INDEX jobs_by_time ON jobs (state, run_at_ms);

-- What was said stays said.
CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_are_never_removed BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER artifacts_are_never_changed BEFORE UPDATE ON artifacts
BEGIN SELECT RAISE(ABORT, 'artifacts never change'); END;
CREATE TRIGGER versions_are_never_changed BEFORE UPDATE ON versions
BEGIN SELECT RAISE(ABORT, 'versions never change'); END;
