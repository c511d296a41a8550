-- What of a commit survives a crash of the server, or the promotion of a standby.
SELECT
    current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
    current_setting('synchronous_commit') AS synchronous_commit,
    current_setting('synchronous_standby_names') AS synchronous,
    -- Every role sees that a standby is connected; which one, only some.
    (SELECT count(*) FROM pg_catalog.pg_stat_replication)::integer AS standbys
