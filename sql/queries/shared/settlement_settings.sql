-- For this transaction alone: its commit is on disk when it is reported, whatever the server's default, and a lock that is
-- not to be had is given up soon enough for the other rounds of the batch to be tried on their own.
SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') IN ('off', 'local')
UNION ALL
SELECT set_config('lock_timeout', '5s', true)
WHERE current_setting('lock_timeout')::interval = '0' OR current_setting('lock_timeout')::interval > '5s'
UNION ALL
-- A process that freezes before its COMMIT must not keep others waiting.
SELECT set_config('idle_in_transaction_session_timeout', '20s', true)
