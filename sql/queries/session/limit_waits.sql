-- Purpose: Limits the lock waits of the transaction's next statements, and makes its commit durable. A process that
--     freezes before its COMMIT does not keep others waiting.
-- Locks: none.
-- Returns: the settings.
SELECT
    set_config('lock_timeout', %(lock_timeout)s, true) AS locks,
    set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') IN ('off', 'local') THEN 'on'
                                          ELSE current_setting('synchronous_commit') END, true) AS durable,
    set_config('idle_in_transaction_session_timeout', '20s', true) AS idle
