-- Purpose: Lists the dry runs of a policy since a time, for `plan --compare-from`.
-- Locks: none.
-- Returns: a row per run, the oldest first.
SELECT r.run_id
FROM retention.runs r
WHERE r.policy = %(policy)s AND r.mode = 'dry_run' AND r.status = 'finished' AND r.as_of >= %(start)s
ORDER BY r.as_of, r.run_id
