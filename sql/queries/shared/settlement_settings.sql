-- Fragment: settings of a transaction that settles. Its commit is on disk when it is reported. A lock is given up soon
-- enough to try the other rounds of the batch on their own. A process that freezes before its COMMIT does not keep
-- others waiting.
SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') IN ('off', 'local')
UNION ALL
SELECT set_config('lock_timeout', '5s', true)
WHERE current_setting('lock_timeout')::interval = '0' OR current_setting('lock_timeout')::interval > '5s'
UNION ALL
SELECT set_config('idle_in_transaction_session_timeout', '20s', true)
