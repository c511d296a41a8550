"""A description of our schema, to compare two ways of making it."""

from __future__ import annotations

DESCRIBED = """
SELECT c.relkind::text, c.relname, coalesce(pg_get_indexdef(c.oid), pg_get_viewdef(c.oid), ''), a.attname,
    format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid)
FROM pg_class c
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = 'retention'::regnamespace AND c.relkind IN ('r', 'i', 'S')
UNION ALL
SELECT 'c', conname, pg_get_constraintdef(oid), NULL, NULL, NULL, NULL
FROM pg_constraint WHERE connamespace = 'retention'::regnamespace
UNION ALL
SELECT 'f', proname, pg_get_functiondef(oid), NULL, NULL, NULL, NULL
FROM pg_proc WHERE pronamespace = 'retention'::regnamespace
UNION ALL
SELECT 't', tgname, pg_get_triggerdef(t.oid), NULL, NULL, NULL, NULL
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = 'retention'::regnamespace AND NOT tgisinternal
UNION ALL
SELECT 'a', c.relname, m.amname, NULL, NULL, NULL, NULL
FROM pg_class c JOIN pg_am m ON m.oid = c.relam WHERE c.relnamespace = 'retention'::regnamespace
UNION ALL
SELECT 'm', number::text, name, checksum, NULL, NULL, NULL FROM retention.schema_migrations
ORDER BY 1, 2, 3, 4
"""
"""All that a schema has: relations with their columns, constraints, functions, triggers, applied migrations."""
