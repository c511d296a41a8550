-- Purpose: Counts a run's own rounds and the doubts that it adopted, by state.
-- Locks: none.
-- Returns: a row per state and origin.
SELECT c.state, c.run_id <> %(run_id)s AS adopted, count(*) AS rounds
FROM retention.cancellations c
WHERE c.run_id = %(run_id)s OR c.adopted_by_run = %(run_id)s
GROUP BY c.state, c.run_id <> %(run_id)s
