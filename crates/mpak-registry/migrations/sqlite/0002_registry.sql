-- Who may publish what, who signed in, and what became of packages after their publish.

ALTER TABLE packages ADD COLUMN state TEXT NOT NULL DEFAULT 'public' CHECK (state IN ('public', 'held', 'removed'));
-- Why it is held, for its owners and for administrators.
ALTER TABLE packages ADD COLUMN held_reason TEXT;
ALTER TABLE packages ADD COLUMN deprecated_message TEXT;
ALTER TABLE packages ADD COLUMN deprecated_replacement TEXT;
-- The repository that it is pinned to, as its issuer names it.
ALTER TABLE packages ADD COLUMN repository TEXT;

-- Set when the version is written, like everything else of it.
ALTER TABLE versions ADD COLUMN release_tag TEXT;
ALTER TABLE versions ADD COLUMN release_url TEXT;
-- Who built the version's first artifact: the verified claims, as in `auth/identity`.
ALTER TABLE versions ADD COLUMN provenance_json TEXT;
-- Where the bytes came from: the release asset's address.
ALTER TABLE artifacts ADD COLUMN source_url TEXT;
-- 0: only the digest is known, the bytes stay at `artifacts.source_url` (`mode = "link"`).
ALTER TABLE blobs ADD COLUMN kept INTEGER NOT NULL DEFAULT 1;
-- Few, or none at all.
CREATE INDEX blobs_linked ON blobs (digest) WHERE kept = 0;
-- So that other replicas see what changed.
ALTER TABLE downloads ADD COLUMN updated_at_ms INTEGER NOT NULL DEFAULT 0;
CREATE INDEX downloads_by_time ON downloads (updated_at_ms);

-- What was said about a version after its publish.
CREATE TABLE yanks (
    version_id      INTEGER NOT NULL PRIMARY KEY REFERENCES versions (id),
    at_ms           INTEGER NOT NULL,
    reason          TEXT
);

-- Names and versions that are gone and never used again; an empty version stands for the whole package.
CREATE TABLE tombstones (
    package         TEXT    NOT NULL,
    version         TEXT    NOT NULL,
    at_ms           INTEGER NOT NULL,
    reason          TEXT,
    PRIMARY KEY (package, version)
);

-- Former names of renamed packages; they redirect for ever.
CREATE TABLE aliases (
    name            TEXT    NOT NULL PRIMARY KEY,
    package_id      INTEGER NOT NULL REFERENCES packages (id),
    at_ms           INTEGER NOT NULL
);

-- A scope belongs to one owner at one issuer, by the owner's stable id; without them it is reserved.
CREATE TABLE scopes (
    scope           TEXT    NOT NULL PRIMARY KEY,
    issuer          TEXT,
    owner_id        TEXT,
    -- For people to read; never compared.
    owner_name      TEXT,
    reserved_reason TEXT,
    created_at_ms   INTEGER NOT NULL
);

-- Which repositories and workflows may publish a package; the first publish writes the first row.
CREATE TABLE trusted_publishers (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    package         TEXT    NOT NULL,
    issuer          TEXT    NOT NULL,
    repository_id   TEXT    NOT NULL,
    repository      TEXT    NOT NULL,
    -- Path of the workflow in the repository; a publish by another one is told as an event.
    workflow        TEXT    NOT NULL,
    created_at_ms   INTEGER NOT NULL,
    created_by      TEXT    NOT NULL,
    UNIQUE (package, issuer, repository_id)
);

-- Tokens of workloads that published something: each is good for one version.
CREATE TABLE spent_identities (
    issuer          TEXT    NOT NULL,
    jti             TEXT    NOT NULL,
    package         TEXT    NOT NULL,
    version         TEXT    NOT NULL,
    expires_at_ms   INTEGER NOT NULL,
    PRIMARY KEY (issuer, jti)
);

CREATE TABLE users (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    issuer          TEXT    NOT NULL,
    subject         TEXT    NOT NULL,
    -- For people to read.
    login           TEXT    NOT NULL,
    email           TEXT,
    -- Login at GitHub, where the provider vouches for it.
    github_login    TEXT,
    role            TEXT    NOT NULL CHECK (role IN ('reader', 'publisher', 'admin')),
    created_at_ms   INTEGER NOT NULL,
    seen_at_ms      INTEGER NOT NULL,
    disabled_at_ms  INTEGER,
    UNIQUE (issuer, subject)
);

CREATE TABLE sessions (
    -- SHA-256 of the cookie.
    hash            BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    user_id         INTEGER NOT NULL REFERENCES users (id),
    csrf            TEXT    NOT NULL,
    created_at_ms   INTEGER NOT NULL,
    -- Last use, noted now and then; a session that is not used ends earlier.
    seen_at_ms      INTEGER NOT NULL,
    expires_at_ms   INTEGER NOT NULL
);

-- Sign-ins on their way: what the answer of the provider is checked against.
CREATE TABLE sign_ins (
    -- SHA-256 of `state`.
    hash            BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    payload_json    TEXT    NOT NULL,
    expires_at_ms   INTEGER NOT NULL
);

-- Device authorisations (RFC 8628) of `mpak login`.
CREATE TABLE device_grants (
    -- SHA-256 of the device code.
    hash            BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    user_code       TEXT    NOT NULL UNIQUE,
    client          TEXT    NOT NULL,
    user_id         INTEGER REFERENCES users (id),
    state           TEXT    NOT NULL CHECK (state IN ('pending', 'approved', 'denied', 'used')),
    expires_at_ms   INTEGER NOT NULL,
    polled_at_ms    INTEGER NOT NULL
);

-- Links that sign an administrator in once, where no provider is configured.
CREATE TABLE sign_in_links (
    hash            BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    expires_at_ms   INTEGER NOT NULL,
    used_at_ms      INTEGER
);

-- Whose token it is; nobody's when an administrator made it.
ALTER TABLE tokens ADD COLUMN user_id INTEGER REFERENCES users (id);

CREATE TABLE owners (
    package_id      INTEGER NOT NULL REFERENCES packages (id),
    user_id         INTEGER NOT NULL REFERENCES users (id),
    -- `publish`, `claim`, `admin`, `transfer`
    via             TEXT    NOT NULL,
    -- This owner allows tokens beside trusted publishing; two are needed.
    allows_tokens   INTEGER NOT NULL DEFAULT 0,
    created_at_ms   INTEGER NOT NULL,
    PRIMARY KEY (package_id, user_id)
);

-- Renames and transfers, which take effect after their notice.
CREATE TABLE transfers (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    package_id      INTEGER NOT NULL REFERENCES packages (id),
    -- The new name, or the package's own when only the owner changes.
    target_name     TEXT    NOT NULL,
    target_user_id  INTEGER REFERENCES users (id),
    requested_by    TEXT    NOT NULL,
    requested_at_ms INTEGER NOT NULL,
    accepted_by     TEXT,
    effective_at_ms INTEGER NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('requested', 'accepted', 'done', 'cancelled'))
);

-- Aggregators ask what changed since they came last.
CREATE INDEX events_by_time ON events (at_ms);
