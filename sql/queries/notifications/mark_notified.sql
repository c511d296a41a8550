-- Purpose: Marks runs that need no notification, as long as their status is unchanged.
-- Locks: the runs, those of others are skipped.
-- Returns: nothing.
WITH

-- The runs as they were read.
to_notify AS (
    SELECT r.run_id
    FROM retention.runs r
    JOIN unnest(%(run_ids)s::uuid[], %(statuses)s::text[]) AS t (run_id, status) ON t.run_id = r.run_id
    WHERE NOT r.notified AND r.status = t.status
    FOR NO KEY UPDATE OF r SKIP LOCKED
)

UPDATE retention.runs r SET notified = true FROM to_notify u WHERE r.run_id = u.run_id
