-- Sets what our statements rely on, for as long as the session lasts. Where the process that answers is not the one that
-- the connection was made to, a pooler stands between, and others are going to use this session: then nothing is set.
SELECT
    pg_backend_pid() <> %(pid)s AS pooled,
    pg_is_in_recovery() AS standby,
    count(set_config(s.name, s.value, pg_backend_pid() <> %(pid)s)) AS settings
FROM
-- include shared/session_settings.sql
