-- Purpose: Lists the first stale rounds that the operator's view has more than once.
-- Locks: none.
-- Returns: a row per round, with how often the view has it.
SELECT s.partner, s.round_id, count(*) AS stale_rows
FROM (
    -- include shared/stale_rounds.sql
) s
WHERE s.standing = 'doubled'
GROUP BY s.partner, s.round_id ORDER BY s.partner, s.round_id LIMIT %(limit)s
