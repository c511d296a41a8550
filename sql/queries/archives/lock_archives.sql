-- Purpose: Lets one process at a time archive.
-- Locks: an advisory lock, until the commit.
-- Returns: whether it is this process's turn.
SELECT pg_try_advisory_xact_lock(7238001452903312) AS locked
