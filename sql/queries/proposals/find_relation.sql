-- Purpose: Finds the operator's relations of a name; without a schema, by the search path first.
-- Locks: none.
-- Returns: a row per relation, the one that is meant first.
SELECT c.oid::bigint AS oid, c.relkind::text AS kind, n.nspname::text AS schema, c.relname::text AS name
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE (%(schema)s::text IS NULL AND pg_table_is_visible(c.oid) OR n.nspname = %(schema)s::text)
  AND c.relname = %(name)s::text AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY array_position(current_schemas(true), n.nspname), n.nspname
