-- Purpose: Describes this session's role and server, and whether the job's role owns more than a job should.
-- Locks: none.
-- Returns: one row.
SELECT
    quote_ident(current_user) AS role, current_setting('TimeZone') AS zone,
    EXISTS (
        SELECT FROM pg_catalog.pg_roles j
        WHERE j.rolname = %(job)s::text
          AND (j.rolsuper OR EXISTS (SELECT FROM pg_catalog.pg_class c
                                     WHERE c.oid = %(oid)s::bigint::oid AND pg_has_role(j.oid, c.relowner, 'USAGE'))
               OR EXISTS (SELECT FROM pg_catalog.pg_namespace n
                          WHERE n.nspname = 'retention' AND pg_has_role(j.oid, n.nspowner, 'USAGE')))
    ) AS job_owns
