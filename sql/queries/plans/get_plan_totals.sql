-- Purpose: Reads what a run's plan comes to, for the rails.
-- Locks: none.
-- Returns: rounds and stakes by currency.
SELECT
    t.currency, sum(t.rounds)::bigint AS rounds, sum(t.stake) AS stake, sum(t.unjudged)::bigint AS unjudged
FROM retention.plan_totals t
WHERE t.run_id = %(run_id)s
GROUP BY t.currency
