-- Purpose: Lists the tables of the ledger with their sizes. The rows are those of the catalogue: as last analyzed, else
--     as the server's statistics count them. Partitions add up to their table.
-- Locks: none.
-- Returns: a row per table, the largest first. `bytes` has the table, its indexes and its large values.
SELECT
    root.relname::text AS "table", sum(s.rows)::bigint AS rows_estimated,
    sum(pg_total_relation_size(r.oid))::bigint AS bytes, sum(pg_indexes_size(r.oid))::bigint AS index_bytes
FROM pg_catalog.pg_namespace n
JOIN pg_catalog.pg_class r ON r.relnamespace = n.oid AND r.relkind = 'r'
JOIN pg_catalog.pg_class root ON root.oid = coalesce(pg_partition_root(r.oid), r.oid)
CROSS JOIN LATERAL (
    SELECT CASE WHEN r.reltuples < 0 THEN pg_stat_get_live_tuples(r.oid) ELSE r.reltuples END AS rows
) s
WHERE n.nspname = 'retention'
GROUP BY root.relname
ORDER BY bytes DESC, root.relname
