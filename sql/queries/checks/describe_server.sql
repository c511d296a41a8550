-- Purpose: Describes the server and this role, before our schema can be looked at.
-- Locks: none.
-- Returns: one row.
SELECT
    current_setting('server_version_num')::integer AS number, current_setting('server_version') AS version,
    current_setting('server_encoding') AS encoding,
    quote_ident(current_user) AS role, quote_ident(current_database()) AS database,
    has_database_privilege(current_database(), 'CREATE') AS may_create,
    EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'retention') AS has_schema,
    (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) AS superuser,
    EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'retention' AND pg_has_role(nspowner, 'USAGE'))
        AS owner,
    EXISTS (
        SELECT FROM pg_catalog.pg_class r JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
        WHERE n.nspname = 'retention' AND r.relkind IN ('r', 'p') AND has_table_privilege(r.oid, 'DELETE'))
        AS may_delete,
    -- Roles are the whole server's; in this database it may have nothing.
    EXISTS (
        SELECT FROM pg_catalog.pg_roles j, pg_catalog.pg_namespace n
        WHERE j.rolname = 'retention_job' AND n.nspname = 'retention' AND has_schema_privilege(j.oid, n.oid, 'USAGE'))
        AS has_job,
    -- Policies hide rows without an error: a hold or a pause that is not seen does not stop a request.
    ARRAY(SELECT 'retention.' || quote_ident(r.relname)
          FROM pg_catalog.pg_class r JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
          WHERE n.nspname = 'retention' AND r.relkind IN ('r', 'p') AND row_security_active(r.oid)
          ORDER BY r.relname) AS row_secured
