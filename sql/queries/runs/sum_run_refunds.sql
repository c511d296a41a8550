-- Purpose: Sums up the refunds that the vendor promised in a run.
-- Locks: none.
-- Returns: amount and rounds by currency.
SELECT currency, sum(amount) AS amount, count(*) AS rounds FROM retention.cancellations
WHERE (run_id = %(run_id)s OR adopted_by_run = %(run_id)s) AND amount IS NOT NULL AND currency IS NOT NULL
GROUP BY currency ORDER BY currency
