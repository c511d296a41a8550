-- Purpose: Gives the process that has planned a run a heartbeat's time to start it, however long the plan took. Later
--     the run counts as abandoned.
-- Locks: the run, until the commit.
-- Returns: nothing.
UPDATE retention.runs SET heartbeat_until = statement_timestamp() + make_interval(secs => %(beat)s)
WHERE run_id = %(run_id)s AND status = 'planned'
