-- Purpose: Lists evenly spaced ids of open rounds, in their order, above one id and up to another (NULL: no limit).
-- Locks: none.
-- Returns: a row per id, at most about a thousand, the last one among them; `step`: how many rounds each stands for.
SELECT s.round_id, s.step
FROM (
    SELECT
        o.round_id, row_number() OVER (ORDER BY o.round_id COLLATE "C") AS nth, count(*) OVER () AS rounds,
        ceil(count(*) OVER () / 1000.0)::bigint AS step
    FROM retention.open_rounds o
    WHERE o.round_id IS NOT NULL AND (%(above)s::text IS NULL OR o.round_id COLLATE "C" > %(above)s::text)
      AND (%(up_to)s::text IS NULL OR o.round_id COLLATE "C" <= %(up_to)s::text)
) s
WHERE s.nth %% s.step = 0 OR s.nth = s.rounds
ORDER BY s.nth
