-- Purpose: Lists runs for which a notification may be due.
-- Locks: none.
-- Returns: a row per run, oldest first, each with the time.
SELECT
    statement_timestamp() AS now,
    r.run_id, r.policy, r.trigger, r.mode, r.scheduled_for, r.requested_by, r.status, r.halt_reason, r.paused
FROM retention.runs r
WHERE
    -- include shared/notifiable_run.sql
ORDER BY r.as_of
LIMIT %(limit)s
