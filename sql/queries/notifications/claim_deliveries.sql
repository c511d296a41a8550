-- Purpose: Claims the next deliveries to a target. The try is on record before it is sent, and its lease puts the next
--     one off: no other process sends the same, and a killed process's delivery is tried again. A delivery that crashes
--     its process is retried with growing delays.
-- Locks: the claimed deliveries, those of others are skipped.
-- Returns: a row per claimed delivery.
WITH

-- The oldest ones.
due AS (
    SELECT d.notification_id, d.target
    FROM retention.deliveries d
    WHERE d.target = %(target)s AND d.due_at <= statement_timestamp()
    ORDER BY d.due_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)

UPDATE retention.deliveries d
SET tries = d.tries + 1,
    due_at = statement_timestamp()
        + make_interval(secs => (%(leases)s::float8[])[least(d.tries + 1, cardinality(%(leases)s::float8[]))])
FROM due
JOIN retention.notifications n ON n.notification_id = due.notification_id
LEFT JOIN retention.runs r ON r.run_id = n.run_id
LEFT JOIN retention.reports p ON p.report_id = n.report_id
WHERE d.notification_id = due.notification_id AND d.target = due.target
RETURNING d.notification_id, d.target, d.tries, n.event, n.run_id, n.report_id,
    coalesce(r.policy, p.name) AS subject, n.body, d.last_error
