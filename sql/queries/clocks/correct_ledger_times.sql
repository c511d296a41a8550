-- Times that no clock that can be believed has written: they were written while the database's clock was far ahead. A
-- schedule goes on after the newest of its times that has a run; a run without signs of life counts as abandoned.
WITH schedule AS (
    SELECT s.policy, s.processed_until AS was,
           coalesce((SELECT max(r.scheduled_for) FROM retention.runs r
                     WHERE r.policy = s.policy AND r.scheduled_for <= statement_timestamp()), statement_timestamp()) AS until
    FROM retention.schedules s
    WHERE s.processed_until > statement_timestamp() + make_interval(secs => %(limit)s)
    FOR UPDATE SKIP LOCKED
), schedules AS (
    UPDATE retention.schedules s SET processed_until = w.until FROM schedule w WHERE s.policy = w.policy
    RETURNING 'schedule of ' || s.policy AS row, 'processed_until' AS column, w.was, s.processed_until AS now
), run AS (
    SELECT r.run_id, r.heartbeat_until AS was FROM retention.runs r
    WHERE r.heartbeat_until > statement_timestamp() + make_interval(secs => %(limit)s)
    FOR UPDATE SKIP LOCKED
), runs AS (
    UPDATE retention.runs r SET heartbeat_until = statement_timestamp() FROM run w WHERE r.run_id = w.run_id
    RETURNING 'run ' || r.run_id, 'heartbeat_until', w.was, r.heartbeat_until
), delivery AS (
    SELECT d.notification_id, d.target, d.due_at AS was FROM retention.deliveries d
    WHERE d.due_at > statement_timestamp() + make_interval(secs => %(limit)s::float8 + %(longest_retry)s::float8)
    FOR UPDATE SKIP LOCKED
), deliveries AS (
    UPDATE retention.deliveries d SET due_at = statement_timestamp() FROM delivery w
    WHERE d.notification_id = w.notification_id AND d.target = w.target
    RETURNING 'notification ' || d.notification_id || ' to ' || d.target, 'due_at', w.was, d.due_at
)
SELECT * FROM schedules UNION ALL SELECT * FROM runs UNION ALL SELECT * FROM deliveries
