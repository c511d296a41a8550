-- Runs that nobody has to be told of, as long as they are what they were.
WITH untold AS (
    SELECT r.run_id
    FROM retention.runs r
    JOIN unnest(%(run_ids)s::uuid[], %(statuses)s::text[]) AS t (run_id, status) ON t.run_id = r.run_id
    WHERE NOT r.notified AND r.status = t.status
    FOR NO KEY UPDATE OF r SKIP LOCKED
)
UPDATE retention.runs r SET notified = true FROM untold u WHERE r.run_id = u.run_id
