-- Purpose: Records the totals of a plan that is not written.
-- Locks: the run, until the commit.
-- Returns: nothing.
UPDATE retention.runs SET unwritten_plan = %(unwritten_plan)s WHERE run_id = %(run_id)s
