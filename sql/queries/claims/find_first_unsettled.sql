-- Purpose: Finds the first round of a run's plan beyond an id that is planned, or claimed for the first time. The
--     totals tell in which block of ids it is.
-- Locks: none.
-- Returns: its id, or no row.
SELECT c.id
FROM (
    SELECT t.block * 10000 AS first
    FROM retention.run_totals t
    WHERE t.run_id = %(run_id)s AND t.state IN ('planned', 'claimed') AND t.partner = %(partner)s AND t.aspect = ''
      AND t.block >= %(above)s::bigint / 10000
    GROUP BY t.block
    HAVING sum(t.rounds) > 0
    ORDER BY t.block
) b
CROSS JOIN LATERAL (
    SELECT c.id
    FROM retention.cancellations c
    WHERE c.run_id = %(run_id)s AND c.partner = %(partner)s
      AND c.id > %(above)s AND c.id BETWEEN b.first AND b.first + 9999
      AND (c.state = 'planned' OR (c.state = 'claimed' AND NOT c.needs_follow_up))
    ORDER BY c.id LIMIT 1
) c
LIMIT 1
