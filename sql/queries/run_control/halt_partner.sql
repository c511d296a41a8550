-- Purpose: Halts one partner in a run, for all replicas.
-- Locks: the run, until the commit.
-- Returns: the run's id; no row where the partner was halted before.
UPDATE retention.runs
SET halted_partners = array_append(halted_partners, %(partner)s)
WHERE run_id = %(run_id)s AND %(partner)s <> ALL (halted_partners)
RETURNING run_id
