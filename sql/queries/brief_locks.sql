-- The transaction's next statements wait for a lock for so long at the most, and what it has committed is durable.
SELECT set_config('lock_timeout', %(lock_timeout)s, true) AS locks,
       set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') IN ('off', 'local') THEN 'on'
                                             ELSE current_setting('synchronous_commit') END, true) AS durable
