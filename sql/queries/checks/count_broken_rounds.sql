-- The rows that a policy's plan leaves out for what is wrong with them: how many, and the first of them, by partner.
SELECT
    s.broken, s.partner, count(*) AS rounds,
    (array_agg(left(s.round_id, %(longest)s) ORDER BY s.round_id))[1:%(shown)s] AS first_rounds
FROM (
    -- include shared/stale_rounds.sql
) s
WHERE s.broken IS NOT NULL
GROUP BY s.broken, s.partner ORDER BY s.broken, s.partner LIMIT %(limit)s
