-- Purpose: Reads how many connections the server, the database and the role may have, and how many of each are open.
-- Locks: none.
-- Returns: one row; a limit of -1 is none. `reserved`: connections that only privileged roles get.
SELECT
    current_setting('max_connections')::integer AS server_limit,
    current_setting('superuser_reserved_connections')::integer
        + coalesce(current_setting('reserved_connections', true)::integer, 0) AS reserved,
    (SELECT datconnlimit FROM pg_catalog.pg_database WHERE datname = current_database()) AS database_limit,
    (SELECT rolconnlimit FROM pg_catalog.pg_roles WHERE rolname = current_user) AS role_limit,
    count(*)::integer AS server_open,
    count(*) FILTER (WHERE a.datname = current_database())::integer AS database_open,
    count(*) FILTER (WHERE a.usename = current_user)::integer AS role_open
-- A row without a user is a worker of the server's own.
FROM pg_catalog.pg_stat_activity a
WHERE a.usename IS NOT NULL AND a.datname IS NOT NULL
