-- Purpose: Lists the operator's large relations, in rows as last estimated. Partitions add up to their table.
-- Locks: none.
-- Returns: a row per relation, with its partitions, or itself. `stale`: its statistics are missing, it has grown by
--     a fifth since, or a fifth of its rows has changed. Such changes are counted late, and ANALYZE may come before.
SELECT
    quote_ident(rn.nspname) || '.' || quote_ident(root.relname) AS relation, sum(e.rows)::bigint AS rows,
    root.relkind = 'p' AS partitioned, array_agg(n.nspname || '.' || r.relname) AS members,
    bool_or(r.reltuples < 0)
        OR sum(pg_relation_size(r.oid)) / current_setting('block_size')::integer > 1.2 * sum(r.relpages)
        OR (sum(pg_stat_get_mod_since_analyze(r.oid)) > sum(e.rows) / 5
            AND max(greatest(pg_stat_get_last_analyze_time(r.oid), pg_stat_get_last_autoanalyze_time(r.oid)))
                < statement_timestamp() - interval '1 minute') AS stale
FROM unnest(%(schemas)s::text[], %(names)s::text[]) AS s (nspname, relname)
JOIN pg_catalog.pg_namespace n ON n.nspname = s.nspname
JOIN pg_catalog.pg_class r ON r.relnamespace = n.oid AND r.relname = s.relname
JOIN pg_catalog.pg_class root ON root.oid = coalesce(pg_partition_root(r.oid), r.oid)
JOIN pg_catalog.pg_namespace rn ON rn.oid = root.relnamespace
-- Never analyzed: about a hundred bytes a row.
CROSS JOIN LATERAL (SELECT CASE WHEN r.reltuples < 0 THEN pg_relation_size(r.oid) / 100 ELSE r.reltuples END AS rows) e
WHERE n.nspname <> 'retention'
GROUP BY rn.nspname, root.relname, root.relkind
HAVING sum(e.rows) > %(large)s
ORDER BY relation
