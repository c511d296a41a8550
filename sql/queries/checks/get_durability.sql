-- Purpose: Reads the settings that decide which commits survive a crash of the server, or the promotion of a standby.
-- Locks: none.
-- Returns: one row.
SELECT
    current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
    current_setting('synchronous_commit') AS synchronous_commit,
    current_setting('synchronous_standby_names') AS synchronous,
    -- Every role sees that a standby is connected; only some roles see its name.
    (SELECT count(*) FROM pg_catalog.pg_stat_replication)::integer AS standbys
