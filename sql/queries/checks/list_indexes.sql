-- Purpose: Lists the indexes of a table of the operator's.
-- Locks: none.
-- Returns: a row per index: its name, whether it can be used, its keys, and the condition of a partial index.
SELECT
    quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name, i.indisvalid AS valid,
    ARRAY(SELECT pg_get_indexdef(i.indexrelid, nth, false) FROM generate_series(1, i.indnkeyatts) AS nth ORDER BY nth)
        AS keys,
    pg_get_expr(i.indpred, i.indrelid) AS condition
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
-- By its name: to_regclass asks for USAGE on the schema, which the job's role does not have.
JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
WHERE quote_ident(tn.nspname) || '.' || quote_ident(t.relname) = %(relation)s
ORDER BY name
