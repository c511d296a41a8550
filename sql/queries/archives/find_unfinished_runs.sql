-- Purpose: Finds runs that are not over and have rounds of a month, or were planned in it.
-- Locks: none.
-- Returns: the first few of them, the oldest first.
SELECT r.run_id, r.status
FROM retention.runs r
WHERE r.status IN ('planned', 'awaiting_approval', 'running', 'halted')
  AND ((r.as_of >= %(begin)s AND r.as_of < %(end)s)
       OR EXISTS (
           SELECT FROM retention.cancellations c
           WHERE c.run_id = r.run_id AND c.id BETWEEN %(first)s AND %(last)s))
ORDER BY r.as_of
LIMIT 3
