-- Purpose: Puts a notification of reports into the outbox, with a delivery per target, and marks them as notified: all
--     of it, or nothing where another process was first. Without a target they are marked alone.
-- Locks: the reports, those of others are skipped.
-- Returns: nothing; the count of deliveries.
WITH

-- The reports as they were read.
to_notify AS (
    SELECT p.report_id
    FROM retention.reports p
    WHERE p.report_id = ANY (%(report_ids)s::uuid[]) AND NOT p.notified
    FOR NO KEY UPDATE OF p SKIP LOCKED
),

-- One row where none of them is missing.
complete AS (
    SELECT FROM to_notify HAVING count(*) = cardinality(%(report_ids)s::uuid[])
),

-- Each report has one notification.
marked AS (
    UPDATE retention.reports p SET notified = true FROM to_notify u, complete WHERE p.report_id = u.report_id
),

-- The body as it is signed.
notification AS (
    INSERT INTO retention.notifications (notification_id, event, report_id, created_at, body)
    SELECT %(notification_id)s::uuid, %(event)s, %(report_id)s::uuid, %(created_at)s::timestamptz, %(body)s
    FROM complete
    WHERE cardinality(%(targets)s::text[]) > 0
    RETURNING notification_id
)

INSERT INTO retention.deliveries (notification_id, target, due_at)
SELECT n.notification_id, t.target, statement_timestamp()
FROM notification n, unnest(%(targets)s::text[]) AS t (target)
