-- Purpose: Finds the lock that a server process waits for, and its holder. Through a pooler the process is unknown
--     (`pid` NULL): then the one of this job that has waited longest.
-- Locks: none.
-- Returns: one row, or none where nothing is waited for.
SELECT
    l.locktype AS kind,
    (SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
     FROM pg_catalog.pg_class AS c
     JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.oid = coalesce(l.relation, (
         SELECT t.relation FROM pg_catalog.pg_locks AS t
         WHERE t.pid = l.pid AND t.locktype = 'tuple' AND t.granted LIMIT 1))
    ) AS relation,
    b.pid AS holder,
    nullif(a.application_name, '') AS application,
    extract(epoch FROM statement_timestamp() - a.xact_start)::float8 AS held_s
FROM pg_catalog.pg_locks AS l
CROSS JOIN LATERAL unnest(pg_catalog.pg_blocking_pids(l.pid)) AS b (pid)
LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = b.pid
WHERE NOT l.granted
  AND (l.pid = %(pid)s::integer
       OR %(pid)s::integer IS NULL AND l.pid IN (
           SELECT s.pid FROM pg_catalog.pg_stat_activity AS s
           WHERE s.usename = session_user AND s.datname = current_database() AND s.application_name = 'retention'))
ORDER BY l.waitstart, a.xact_start NULLS LAST
LIMIT 1
