-- A notification, whom it goes to, and its runs marked as told: all of that, or nothing where another process has told
-- of one of them, or one of them is no longer what it was.
WITH untold AS (
    SELECT r.run_id
    FROM retention.runs r
    JOIN unnest(%(run_ids)s::uuid[], %(halt_reasons)s::text[]) AS t (run_id, halt_reason) ON t.run_id = r.run_id
    WHERE NOT r.notified AND r.status = %(status)s AND r.halt_reason IS NOT DISTINCT FROM t.halt_reason
    FOR NO KEY UPDATE OF r SKIP LOCKED
), whole AS (
    SELECT FROM untold HAVING count(*) = cardinality(%(run_ids)s::uuid[])
), told AS (
    UPDATE retention.runs r SET notified = true FROM untold u, whole WHERE r.run_id = u.run_id
), notification AS (
    INSERT INTO retention.notifications (notification_id, event, run_id, created_at, body)
    SELECT %(notification_id)s::uuid, %(event)s, %(run_id)s::uuid, %(created_at)s::timestamptz, %(body)s FROM whole
    RETURNING notification_id
)
INSERT INTO retention.deliveries (notification_id, target, due_at)
SELECT n.notification_id, t.target, statement_timestamp()
FROM notification n, unnest(%(targets)s::text[]) AS t (target)
