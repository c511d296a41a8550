-- Purpose: Finds the smallest id of a run's rows, its own and those that it adopted: the engine's statements look at no
--     month before it.
-- Locks: none.
-- Returns: one row; NULL where the run has no row.
SELECT least(
    (SELECT min(own.id)
     FROM unnest(%(partners)s::text[]) AS p (partner)
     CROSS JOIN LATERAL (
         SELECT c.id FROM retention.cancellations c
         WHERE c.run_id = %(run_id)s AND c.partner = p.partner ORDER BY c.id LIMIT 1
     ) own),
    (SELECT min(c.id) FROM retention.cancellations c WHERE c.adopted_by_run = %(run_id)s)
) AS id
