-- Runs that were halted, are over, have stalled, or wait for somebody, and nobody has been told.
SELECT statement_timestamp() AS now,
       run_id, policy, trigger, mode, scheduled_for, requested_by, status, halt_reason, paused
FROM retention.runs
WHERE NOT notified AND (status IN ('halted', 'failed', 'finished', 'cancelled', 'awaiting_approval')
                    OR (status IN ('planned', 'running') AND stalled_at IS NOT NULL))
ORDER BY as_of
LIMIT %(limit)s
