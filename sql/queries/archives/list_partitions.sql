-- Purpose: Lists the partitions of the ledger's months, and those that an archive has detached and not yet dropped.
-- Locks: none.
-- Returns: a row per table, the oldest month first. `month` such as 2026_01, or `before`. `attached`: it is a
--     partition; `pending`: its detaching was begun. `bound`: the first id after it, NULL where it is detached.
SELECT
    p.root, p.month, r.relname::text AS "table", i.inhrelid IS NOT NULL AS attached,
    coalesce(i.inhdetachpending, false) AS pending,
    substring(pg_get_expr(r.relpartbound, r.oid) FROM $$TO \('?([0-9]+)'?\)$$)::bigint AS bound,
    pg_total_relation_size(r.oid) AS bytes, pg_has_role(r.relowner, 'USAGE') AS owned
FROM pg_catalog.pg_class r
JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace AND n.nspname = 'retention'
CROSS JOIN LATERAL (
    SELECT f.parts[1] AS root, f.parts[2] AS month
    FROM regexp_match(r.relname::text, '^(cancellations|attempts|evidence)_([0-9]{4}_[0-9]{2}|before)$') AS f (parts)
) p
LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = r.oid
WHERE r.relkind = 'r' AND p.root IS NOT NULL
ORDER BY p.month = 'before' DESC, p.month, p.root
