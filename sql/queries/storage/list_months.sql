-- Purpose: Tells how the ledger grows: the runs of each month, of UTC, and the rounds that they planned.
-- Locks: none.
-- Returns: a row per month with runs, the newest first, at most `limit`.
SELECT
    to_char(date_trunc('month', r.as_of AT TIME ZONE 'UTC'), 'YYYY-MM') AS month, count(*) AS runs,
    coalesce(sum(r.planned_rounds), 0)::bigint AS rounds
FROM retention.runs r
GROUP BY date_trunc('month', r.as_of AT TIME ZONE 'UTC')
ORDER BY date_trunc('month', r.as_of AT TIME ZONE 'UTC') DESC
LIMIT %(limit)s
