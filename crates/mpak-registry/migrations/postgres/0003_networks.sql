-- Of which network whoever waits asked: none may take the place of all others. Empty for rows of before.
ALTER TABLE sign_ins ADD COLUMN network TEXT NOT NULL DEFAULT '';
ALTER TABLE device_grants ADD COLUMN network TEXT NOT NULL DEFAULT '';
