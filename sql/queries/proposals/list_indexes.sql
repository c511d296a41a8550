-- Purpose: Lists the valid indexes of the operator's tables.
-- Locks: none.
-- Returns: a row per index; a column is NULL where the index has an expression.
SELECT
    i.indrelid::bigint AS oid, c.relname::text AS name, i.indisunique AS is_unique, i.indisprimary AS is_primary,
    i.indpred IS NOT NULL AS partial,
    ARRAY(SELECT a.attname::text FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS u (number, nth)
          LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.number AND u.number > 0
          WHERE u.nth <= i.indnkeyatts ORDER BY u.nth) AS columns
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_am m ON m.oid = c.relam AND m.amname = 'btree'
WHERE i.indrelid = ANY (%(oids)s::bigint[]) AND i.indisvalid
ORDER BY i.indrelid, c.relname
