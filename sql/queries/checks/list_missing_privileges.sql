-- Purpose: Lists which of the wanted privileges this role lacks on the objects that exist.
-- Locks: none.
-- Returns: a row per object and privilege; `columns` NULL means all columns.
SELECT 'USAGE' AS privilege, 'SCHEMA retention' AS object, NULL::text[] AS columns
FROM pg_catalog.pg_namespace WHERE nspname = 'retention' AND NOT has_schema_privilege(oid, 'USAGE')
UNION ALL
SELECT
    w.privilege, 'retention.' || quote_ident(r.relname),
    array_agg(w.attname ORDER BY w.nth) FILTER (WHERE w.attname IS NOT NULL)
FROM unnest(%(privileges)s::text[], %(relations)s::text[], %(columns)s::text[])
    WITH ORDINALITY AS w (privilege, relname, attname, nth)
JOIN pg_catalog.pg_namespace n ON n.nspname = 'retention'
JOIN pg_catalog.pg_class r ON r.relnamespace = n.oid AND r.relname = w.relname
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attname = w.attname AND NOT a.attisdropped
WHERE CASE
    WHEN w.attname IS NULL THEN NOT has_table_privilege(r.oid, w.privilege)
    ELSE a.attnum IS NOT NULL AND NOT has_column_privilege(r.oid, a.attnum, w.privilege)
END
GROUP BY r.relname, w.privilege
UNION ALL
SELECT 'EXECUTE', 'FUNCTION retention.' || p.proname || '(' || oidvectortypes(p.proargtypes) || ')', NULL
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = 'retention' AND p.proname || '(' || oidvectortypes(p.proargtypes) || ')' = ANY (%(functions)s::text[])
  AND NOT has_function_privilege(p.oid, 'EXECUTE')
ORDER BY object, privilege
