-- Purpose: Takes back times that were written while the database's clock was far ahead, in schedules, runs and
--     deliveries. A schedule goes on after its newest time that has a run; a run without a heartbeat counts as
--     abandoned.
-- Locks: the corrected rows, those of others are skipped.
-- Returns: a row per corrected time.
WITH

-- Schedules whose processed times lie ahead.
schedule AS (
    SELECT
        s.kind, s.name, s.processed_until AS was,
        coalesce(CASE s.kind
                     WHEN 'policy' THEN (SELECT max(r.scheduled_for) FROM retention.runs r
                                         WHERE r.policy = s.name AND r.scheduled_for <= statement_timestamp())
                     ELSE (SELECT max(p.scheduled_for) FROM retention.reports p
                           WHERE p.name = s.name AND p.scheduled_for <= statement_timestamp())
                 END,
                 statement_timestamp()) AS until
    FROM retention.schedules s
    WHERE s.processed_until > statement_timestamp() + make_interval(secs => %(limit)s)
    FOR UPDATE SKIP LOCKED
),

-- They go on from their newest run.
schedules AS (
    UPDATE retention.schedules s SET processed_until = w.until FROM schedule w
    WHERE (s.kind, s.name) = (w.kind, w.name)
    RETURNING 'schedule' AS row, ARRAY[s.name] AS key, 'processed_until' AS column, w.was, s.processed_until AS now
),

-- Runs whose heartbeat lies ahead.
run AS (
    SELECT r.run_id, r.heartbeat_until AS was FROM retention.runs r
    WHERE r.heartbeat_until > statement_timestamp() + make_interval(secs => %(limit)s)
    FOR UPDATE SKIP LOCKED
),

-- A process at work sends its next heartbeat.
runs AS (
    UPDATE retention.runs r SET heartbeat_until = statement_timestamp() FROM run w WHERE r.run_id = w.run_id
    RETURNING 'run', ARRAY[r.run_id::text], 'heartbeat_until', w.was, r.heartbeat_until
),

-- Deliveries that are due later than their longest delay.
delivery AS (
    SELECT d.notification_id, d.target, d.due_at AS was FROM retention.deliveries d
    WHERE d.due_at > statement_timestamp() + make_interval(secs => %(limit)s::float8 + %(longest_retry)s::float8)
    FOR UPDATE SKIP LOCKED
),

-- They are due now.
deliveries AS (
    UPDATE retention.deliveries d SET due_at = statement_timestamp() FROM delivery w
    WHERE d.notification_id = w.notification_id AND d.target = w.target
    RETURNING 'delivery', ARRAY[d.notification_id::text, d.target], 'due_at', w.was, d.due_at
)

SELECT * FROM schedules UNION ALL SELECT * FROM runs UNION ALL SELECT * FROM deliveries
