-- A commit that is reported is on disk, whatever the server's default. A level above `on` is left as it is.
SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') IN ('off', 'local')
