-- Purpose: Lists the columns of the operator's relations that this role may read. A domain counts as its base type.
-- Locks: none.
-- Returns: a row per column; `sql` is its name as SQL has it.
SELECT
    a.attrelid::bigint AS oid, a.attname::text AS name, quote_ident(a.attname) AS sql,
    format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL) AS type, a.attnotnull AS not_null,
    t.typname = 'numeric' AND a.atttypmod > 4 AND ((a.atttypmod - 4) & 2047) = 0 AS whole,
    coalesce(col_description(a.attrelid, a.attnum), '') AS comment,
    ARRAY(SELECT e.enumlabel::text FROM pg_catalog.pg_enum e
          WHERE e.enumtypid = coalesce(nullif(t.typbasetype, 0), t.oid) ORDER BY e.enumsortorder) AS labels
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = ANY (%(oids)s::bigint[]) AND a.attnum > 0 AND NOT a.attisdropped
  AND has_column_privilege(a.attrelid, a.attnum, 'SELECT')
ORDER BY a.attrelid, a.attnum
