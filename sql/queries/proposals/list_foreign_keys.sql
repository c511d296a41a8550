-- Purpose: Lists the foreign keys within three steps of a table, and those of other tables to it.
-- Locks: none.
-- Returns: a row per key, with the names of its columns.
WITH RECURSIVE

-- The tables that foreign keys lead to.
reached AS (
    SELECT %(oid)s::bigint::oid AS oid, 0 AS depth
    UNION
    SELECT k.confrelid, r.depth + 1
    FROM reached r
    JOIN pg_catalog.pg_constraint k ON k.conrelid = r.oid AND k.contype = 'f' AND k.conparentid = 0
    WHERE r.depth < 3
)

SELECT
    k.conrelid::bigint AS "table", k.confrelid::bigint AS other,
    ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u (number, nth)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number ORDER BY u.nth) AS columns,
    ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u (number, nth)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number ORDER BY u.nth)
        AS other_columns
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
WHERE k.contype = 'f' AND NOT c.relispartition
  AND k.confrelid NOT IN (SELECT inhrelid FROM pg_catalog.pg_inherits)
  AND (k.conrelid IN (SELECT oid FROM reached WHERE depth < 3) OR k.confrelid = %(oid)s::bigint::oid)
ORDER BY k.conrelid, k.conname
