-- Of which network whoever waits asked: none may take the place of all others. Empty for rows of before.
ALTER TABLE sign_ins ADD COLUMN network TEXT NOT NULL DEFAULT '';
ALTER TABLE device_grants ADD COLUMN network TEXT NOT NULL DEFAULT '';

-- READMEs of repositories, as of the release's tag, for versions whose bundle has none; hostile Markdown.
-- Beside the versions, since those never change.
CREATE TABLE repository_readmes (
    version_id      INTEGER NOT NULL PRIMARY KEY REFERENCES versions (id),
    readme          TEXT    NOT NULL
);
