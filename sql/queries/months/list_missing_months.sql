-- Purpose: Finds the partitions that this month, of UTC, and the next one lack, and whether the ids have reached it.
-- Locks: none.
-- Returns: one row. `missing`: the names of those partitions. `last_made`: the last month that has all of its own.
WITH

-- This month and the next ones.
months AS (
    SELECT n, date_trunc('month', statement_timestamp() AT TIME ZONE 'UTC') + n * interval '1 month' AS month
    FROM generate_series(0, 3) AS n
),

-- Each of their partitions.
wanted AS (
    SELECT m.n, m.month, root || to_char(m.month, '_YYYY_MM') AS partition
    FROM months m CROSS JOIN unnest(ARRAY['cancellations', 'attempts', 'evidence']) AS root
)

SELECT
    ARRAY(SELECT w.partition FROM wanted w
          WHERE w.n < 2 AND to_regclass('retention.' || w.partition) IS NULL ORDER BY w.month, w.partition) AS missing,
    (SELECT to_char(max(m.month), 'YYYY-MM') FROM months m
     WHERE NOT EXISTS (SELECT FROM wanted w WHERE w.month = m.month
                       AND to_regclass('retention.' || w.partition) IS NULL)) AS last_made
