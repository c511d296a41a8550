-- How many closings the operator's database has refused in a run, for the rail `max_conflicts`.
ALTER TABLE retention.runs ADD COLUMN refused_closings integer NOT NULL DEFAULT 0 CHECK (refused_closings >= 0);
