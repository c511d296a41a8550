-- Purpose: Sums up the refunds that the vendor promised in a run.
-- Locks: none.
-- Returns: amount and rounds by currency.
SELECT t.currency, sum(t.refunds) AS amount, sum(t.rounds)::bigint AS rounds
FROM retention.run_totals t
WHERE (t.run_id = %(run_id)s OR t.worked_by = %(run_id)s) AND t.currency <> ''
GROUP BY t.currency HAVING sum(t.rounds) > 0 ORDER BY t.currency
