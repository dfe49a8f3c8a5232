-- Sigstore bundles about an artifact, as they were found beside it; what was found once never changes.
CREATE TABLE attestations (
    artifact_id     BIGINT NOT NULL REFERENCES artifacts (id),
    -- SHA-256 of the text.
    digest          BYTEA    NOT NULL CHECK (length(digest) = 32),
    -- `release`, `forge`
    origin          TEXT    NOT NULL,
    bundle_json     TEXT    NOT NULL,
    found_at_ms     BIGINT NOT NULL,
    PRIMARY KEY (artifact_id, digest)
);

-- When everybody who may have attestations of an artifact was asked and answered.
CREATE TABLE attestation_looks (
    artifact_id     BIGINT NOT NULL PRIMARY KEY REFERENCES artifacts (id),
    at_ms           BIGINT NOT NULL
);

-- Since when accounts of forges exist, by the ids for which their issuers vouch.
CREATE TABLE forge_accounts (
    issuer          TEXT    NOT NULL,
    owner_id        TEXT    NOT NULL,
    created_at_ms   BIGINT NOT NULL,
    PRIMARY KEY (issuer, owner_id)
);
