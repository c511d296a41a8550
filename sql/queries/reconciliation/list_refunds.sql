-- Purpose: Lists the wallet's refunds of cancelled rounds, the first ones of each. Times that no calendar has are NULL.
-- Locks: none.
-- Returns: a row per refund, in the order of their times.
SELECT s.id, w.amount, w.currency, w.refunded_at
FROM retention.cancellations s
CROSS JOIN LATERAL (
    -- include shared/first_refunds.sql
) w
WHERE s.id = ANY (%(ids)s::bigint[])
ORDER BY s.id, w.refunded_at
