-- Purpose: Lists how many rounds the newest finished runs of a policy planned, for the rail `max_surge`. Dry runs and
--     targeted runs do not count.
-- Locks: none.
-- Returns: a row per run, the newest first.
SELECT r.planned_rounds AS rounds
FROM retention.runs r
WHERE r.policy = %(policy)s AND r.trigger <> 'targeted' AND r.status = 'finished' AND r.mode = 'enforce'
  AND r.planned_rounds IS NOT NULL
ORDER BY r.as_of DESC
LIMIT %(limit)s
