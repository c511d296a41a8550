-- Purpose: Describes a view of the operator's. A domain counts as its base type.
-- Locks: none.
-- Returns: a row per column.
SELECT
    r.relkind::text AS kind, has_table_privilege(r.oid, 'SELECT') AS readable, a.attname::text AS name,
    format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL) AS type
FROM pg_catalog.pg_class r
JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE n.nspname = 'retention' AND r.relname = %(relation)s AND r.relkind IN ('v', 'm', 'r', 'p', 'f')
