-- Purpose: Lists how many rounds the newest finished runs of a policy planned, for the rail `max_surge`. Dry runs
--     and targeted runs do not count. The rows of a run are counted only where an earlier version planned it.
-- Locks: none.
-- Returns: a row per run, the newest first.
SELECT coalesce(
    r.planned_rounds, (SELECT count(*) FROM retention.cancellations c WHERE c.run_id = r.run_id)) AS rounds
FROM retention.runs r
WHERE r.policy = %(policy)s AND r.trigger <> 'targeted' AND r.status = 'finished' AND r.mode = 'enforce'
ORDER BY r.as_of DESC
LIMIT %(limit)s
