-- Purpose: Sums up a run's plan for the rails.
-- Locks: none.
-- Returns: rounds and stakes by currency.
SELECT
    currency,
    -- include shared/stake_sums.sql
FROM (SELECT stake_currency AS currency, stake FROM retention.cancellations WHERE run_id = %(run_id)s) planned
GROUP BY currency
