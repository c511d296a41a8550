-- Purpose: Finds the partitions that this month, of UTC, and the next one lack.
-- Locks: none.
-- Returns: one row. `missing`: the names of those partitions. `last_made`: the last month that has all of its own.
WITH

-- This month and the next ones.
months AS (
    SELECT n, (date_trunc('month', statement_timestamp() AT TIME ZONE 'UTC') + n * interval '1 month')::date AS month
    FROM generate_series(0, 3) AS n
),

-- The partitions that each of them lacks. A partition that is being detached counts as missing.
lacking AS (
    SELECT m.n, m.month, w.partition
    FROM months m
    CROSS JOIN LATERAL (
        SELECT root, root || to_char(m.month, '_YYYY_MM') AS partition
        FROM unnest(ARRAY['cancellations', 'attempts', 'evidence']) AS root
    ) w
    WHERE NOT EXISTS (
        SELECT FROM pg_catalog.pg_inherits i
        WHERE i.inhparent = to_regclass('retention.' || w.root)
          AND i.inhrelid = to_regclass('retention.' || w.partition) AND NOT i.inhdetachpending)
)

SELECT
    ARRAY(SELECT l.partition FROM lacking l WHERE l.n < 2 ORDER BY l.month, l.partition) AS missing,
    (SELECT to_char(max(m.month), 'YYYY-MM') FROM months m
     WHERE NOT EXISTS (SELECT FROM lacking l WHERE l.month = m.month)) AS last_made
