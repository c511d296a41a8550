-- The first stale rounds that the operator's view has more than once, and how often it has them.
SELECT s.partner, s.round_id, count(*) AS stale_rows
FROM (
    -- include shared/stale_rounds.sql
) s
WHERE s.standing = 'doubled'
GROUP BY s.partner, s.round_id ORDER BY s.partner, s.round_id LIMIT %(limit)s
