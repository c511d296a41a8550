-- Purpose: Lets one process at a time make a checkpoint. With `wait` it waits for its turn.
-- Locks: an advisory lock, until the commit.
-- Returns: whether it is this process's turn.
SELECT CASE
    WHEN %(wait)s THEN pg_advisory_xact_lock(7238001452903311) IS NOT NULL
    ELSE pg_try_advisory_xact_lock(7238001452903311) END AS locked
