-- Purpose: Lists the columns that refer to another table by their names alone: `player_id` to the key of `players`, and
--     the columns of other tables that are named after the table itself. Types agree, and no foreign key says it.
-- Locks: none.
-- Returns: a row per column.
WITH

-- The table, with the stem of its name: round of rounds.
own AS (
    SELECT c.oid, c.relnamespace, regexp_replace(lower(c.relname), '(?<=[^s])s$', '') AS stem
    FROM pg_catalog.pg_class c WHERE c.oid = %(oid)s::bigint::oid
),

-- The primary keys of one column within its schema.
keys AS (
    SELECT c.oid, c.relname, a.attname, a.atttypid
    FROM own
    JOIN pg_catalog.pg_class c ON c.relnamespace = own.relnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p' AND cardinality(k.conkey) = 1
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
),

-- The columns that no foreign key has.
free AS (
    SELECT a.attrelid, a.attname, a.atttypid, c.relname
    FROM own
    JOIN pg_catalog.pg_class c ON c.relnamespace = own.relnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k
                      WHERE k.conrelid = c.oid AND k.contype = 'f' AND a.attnum = ANY (k.conkey))
)

SELECT f.attrelid::bigint AS "table", k.oid::bigint AS other,
       ARRAY[f.attname::text] AS columns, ARRAY[k.attname::text] AS other_columns
FROM own
JOIN free f ON f.attrelid = own.oid
JOIN keys k ON k.oid <> own.oid AND k.atttypid = f.atttypid
    AND lower(k.relname) IN (
        regexp_replace(lower(f.attname), '_?id$', ''), regexp_replace(lower(f.attname), '_?id$', 's'))
UNION ALL
SELECT f.attrelid::bigint, k.oid::bigint, ARRAY[f.attname::text], ARRAY[k.attname::text]
FROM own
JOIN keys k ON k.oid = own.oid
JOIN free f ON f.attrelid <> own.oid AND f.atttypid = k.atttypid
    AND (lower(f.attname) IN (own.stem || '_id', own.stem || 'id')
         OR f.attname = k.attname AND lower(k.attname) <> 'id')
ORDER BY 1, 3
LIMIT 50
