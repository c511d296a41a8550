-- Purpose: Describes each function of the operator's that is named close_rounds.
-- Locks: none.
-- Returns: a row per function, with the types that it takes and returns.
SELECT
    oidvectortypes(p.proargtypes) AS arguments, p.prokind = 'f' AND p.proretset AS returns_rows,
    CASE
        WHEN p.proallargtypes IS NOT NULL THEN ARRAY(
            SELECT format_type(o.type, NULL)
            FROM unnest(p.proallargtypes, p.proargmodes) WITH ORDINALITY AS o (type, mode, nth)
            WHERE o.mode IN ('o', 'b', 't') ORDER BY o.nth)
        WHEN r.typrelid <> 0 THEN ARRAY(
            SELECT format_type(a.atttypid, NULL) FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = r.typrelid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)
        ELSE ARRAY[format_type(p.prorettype, NULL)]
    END AS columns,
    p.prosecdef AS definer,
    pg_has_role(p.proowner, 'USAGE') AS ours,
    EXISTS (SELECT FROM unnest(p.proconfig) AS setting WHERE starts_with(setting, 'search_path=')) AS fixed_path
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_type r ON r.oid = p.prorettype
WHERE n.nspname = 'retention' AND p.proname = 'close_rounds'
ORDER BY arguments
