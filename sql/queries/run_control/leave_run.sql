-- Purpose: Ends this process's heartbeat for a run. Other processes at work on it send their own.
-- Locks: the run, until the commit.
-- Returns: nothing.
UPDATE retention.runs SET heartbeat_until = '-infinity' WHERE run_id = %(run_id)s
