-- What the wire tells of a report, so that lists need not read it; empty for rows of before.
ALTER TABLE scans ADD COLUMN passed_count INTEGER;
ALTER TABLE scans ADD COLUMN failed_count INTEGER;
ALTER TABLE scans ADD COLUMN controls_count INTEGER;
