-- Purpose: Lists the partitions of the operator's table, at any depth, parents first.
-- Locks: none.
-- Returns: a row per partition; names as SQL has them.
SELECT
    c.relname::text AS name, quote_ident(n.nspname) AS schema_sql,
    quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS sql,
    quote_ident(pn.nspname) || '.' || quote_ident(p.relname) AS parent, t.isleaf AS leaf
FROM pg_partition_tree(%(oid)s::bigint::regclass) t
JOIN pg_catalog.pg_class c ON c.oid = t.relid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class p ON p.oid = t.parentrelid
JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
WHERE t.level > 0 AND c.relkind IN ('r', 'p')
ORDER BY t.level, c.relname
