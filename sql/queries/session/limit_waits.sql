-- The transaction's next statements wait for a lock for so long at the most, and what it has committed is durable. A
-- process that freezes before its COMMIT does not keep others waiting.
SELECT set_config('lock_timeout', %(lock_timeout)s, true) AS locks,
       set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') IN ('off', 'local') THEN 'on'
                                             ELSE current_setting('synchronous_commit') END, true) AS durable,
       set_config('idle_in_transaction_session_timeout', '20s', true) AS idle
