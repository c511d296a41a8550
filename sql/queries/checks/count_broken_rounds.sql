-- Purpose: Counts the rows of the operator's view that a policy's plan leaves out as broken.
-- Locks: none.
-- Returns: a row per code and partner, with the first of its rounds.
SELECT
    s.broken, s.partner, count(*) AS rounds,
    (array_agg(left(s.round_id, %(longest)s) ORDER BY s.round_id))[1:%(shown)s] AS first_rounds
FROM (
    -- include shared/stale_rounds.sql
) s
WHERE s.broken IS NOT NULL
GROUP BY s.broken, s.partner ORDER BY s.broken, s.partner LIMIT %(limit)s
