-- Purpose: Lists the most common values of columns that have few, as the server's statistics know them.
-- Locks: none.
-- Returns: a row per column.
SELECT n.nspname::text AS schema, c.relname::text AS "table", s.attname::text AS name,
       s.most_common_vals::text::text[] AS values
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.inherited = (c.relkind = 'p')
WHERE c.oid = ANY (%(oids)s::bigint[]) AND s.n_distinct BETWEEN 1 AND 40 AND s.most_common_vals IS NOT NULL
