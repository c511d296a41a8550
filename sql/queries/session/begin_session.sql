-- Purpose: Sets for the session the settings that our statements rely on. If another process answers than the one that
--     the connection was made to, a pooler stands between, and others use this session too: then nothing is set.
-- Locks: none.
-- Returns: one row: pooled, standby, the version() of the server, and how many settings there are.
SELECT
    pg_backend_pid() <> %(pid)s AS pooled,
    pg_is_in_recovery() AS standby,
    version() AS version,
    count(set_config(s.name, s.value, pg_backend_pid() <> %(pid)s)) AS settings
FROM
    -- include shared/session_settings.sql
