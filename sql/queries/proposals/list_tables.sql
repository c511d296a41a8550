-- Purpose: Describes the operator's relations. Partitions add up to their table's rows, as last estimated.
-- Locks: none.
-- Returns: a row per relation; `sql` is its qualified name as SQL has it.
SELECT
    c.oid::bigint AS oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind,
    quote_ident(n.nspname) AS schema_sql, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS sql,
    coalesce((
        -- Never analyzed: about a hundred bytes a row.
        SELECT sum(CASE WHEN p.reltuples < 0 THEN pg_relation_size(p.oid) / 100 ELSE p.reltuples END)::bigint
        FROM pg_catalog.pg_class p
        WHERE p.relkind = 'r'
          AND (p.oid = c.oid OR p.oid IN (SELECT relid FROM pg_partition_tree(c.oid) WHERE isleaf))
    ), 0) AS rows,
    CASE WHEN c.relkind = 'r'
         THEN greatest(pg_relation_size(c.oid) / current_setting('block_size')::bigint - 50, 0)
         ELSE 0 END AS last_pages,
    has_schema_privilege(n.oid, 'USAGE')
        AND (has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT')) AS readable,
    ARRAY(SELECT pg_get_constraintdef(k.oid) FROM pg_catalog.pg_constraint k
          WHERE k.conrelid = c.oid AND k.contype = 'c' ORDER BY k.conname) AS checks
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY (%(oids)s::bigint[])
