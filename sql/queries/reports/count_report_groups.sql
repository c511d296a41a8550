-- Purpose: Counts the rounds of a report for its pictures, all in one reading: by market, by day, and by age.
-- Locks: none.
-- Returns: a row per market, per day and per class of age. `day` counts from one, and `age` from zero.
WITH

-- Rounds and totals select the same.
selected AS (
    -- include shared/report_selection.sql
)

SELECT
    CASE WHEN grouping(s.market) = 0 THEN 'market' WHEN grouping(p.day) = 0 THEN 'day' ELSE 'age' END AS picture,
    s.market, p.day, p.age, count(*) AS rounds
FROM selected s
CROSS JOIN LATERAL (
    SELECT
        width_bucket(s.at, %(day_starts)s::timestamptz[]) AS day,
        width_bucket(extract(epoch FROM s.at - s.opened_at), %(age_limits_s)s::numeric[]) AS age
) p
GROUP BY GROUPING SETS ((s.market), (p.day), (p.age))
ORDER BY s.market COLLATE "C", p.day, p.age
