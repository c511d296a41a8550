-- Purpose: Records how many rounds a run's plan has. No later statement has to count them.
-- Locks: the run, until the commit.
-- Returns: nothing.
UPDATE retention.runs SET planned_rounds = %(rounds)s WHERE run_id = %(run_id)s
