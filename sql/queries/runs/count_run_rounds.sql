-- Purpose: Counts a run's own rounds and the doubts that it adopted, by state.
-- Locks: none.
-- Returns: a row per state and origin. Discrepancies of resolved rows are not counted.
SELECT
    c.state, c.run_id <> %(run_id)s AS adopted, count(*) AS rounds,
    count(*) FILTER (WHERE c.conflict) AS conflicts,
    count(*) FILTER (WHERE c.incomplete AND c.state = 'cancelled') AS incomplete,
    count(*) FILTER (WHERE c.review IS NOT NULL AND c.state <> 'resolved') AS to_review,
    count(*) FILTER (WHERE c.state IN ('cancelled', 'already_cancelled') AND
        -- include shared/discrepancy.sql
    ) AS discrepancies
FROM retention.cancellations c
WHERE c.run_id = %(run_id)s OR c.adopted_by_run = %(run_id)s
GROUP BY c.state, c.run_id <> %(run_id)s
