-- Purpose: Finds the first round of a run's plan beyond an id that is planned, or claimed for the first time.
-- Locks: none.
-- Returns: its id, or no row.
SELECT c.id
FROM retention.cancellations c
WHERE c.run_id = %(run_id)s AND c.partner = %(partner)s AND c.id > %(above)s
  AND (c.state = 'planned' OR (c.state = 'claimed' AND NOT c.needs_follow_up))
ORDER BY c.id LIMIT 1
