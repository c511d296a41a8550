-- Purpose: Puts a notification into the outbox, with a delivery per target, and marks its runs as notified: all of it,
--     or nothing where another process was first, or a run has changed.
-- Locks: the runs, those of others are skipped.
-- Returns: nothing; the count of deliveries.
WITH

-- The runs as they were read.
to_notify AS (
    SELECT r.run_id
    FROM retention.runs r
    JOIN unnest(%(run_ids)s::uuid[], %(halt_reasons)s::text[]) AS t (run_id, halt_reason) ON t.run_id = r.run_id
    WHERE NOT r.notified AND r.status = %(status)s AND r.halt_reason IS NOT DISTINCT FROM t.halt_reason
    FOR NO KEY UPDATE OF r SKIP LOCKED
),

-- One row where none of them is missing.
complete AS (
    SELECT FROM to_notify HAVING count(*) = cardinality(%(run_ids)s::uuid[])
),

-- Each run has one notification.
marked AS (
    UPDATE retention.runs r SET notified = true FROM to_notify u, complete WHERE r.run_id = u.run_id
),

-- The body as it is signed.
notification AS (
    INSERT INTO retention.notifications (notification_id, event, run_id, created_at, body)
    SELECT %(notification_id)s::uuid, %(event)s, %(run_id)s::uuid, %(created_at)s::timestamptz, %(body)s FROM complete
    RETURNING notification_id
)

INSERT INTO retention.deliveries (notification_id, target, due_at)
SELECT n.notification_id, t.target, statement_timestamp()
FROM notification n, unnest(%(targets)s::text[]) AS t (target)
