-- Purpose: Counts a run's own rounds and the doubts that it adopted, by state.
-- Locks: none.
-- Returns: a row per state and origin.
SELECT t.state, t.run_id <> %(run_id)s AS adopted, sum(t.rounds)::bigint AS rounds
FROM retention.run_totals t
WHERE t.run_id = %(run_id)s OR t.worked_by = %(run_id)s
GROUP BY t.state, t.run_id <> %(run_id)s
HAVING sum(t.rounds) > 0
