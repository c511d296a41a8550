-- Purpose: Lists the wallet's refunds of cancelled rounds, the first ones of each. Times that no calendar has are NULL.
-- Locks: none.
-- Returns: a row per refund, in the order of their times.
SELECT
    c.id, w.amount, w.currency,
    CASE WHEN w.refunded_at >= timestamptz '2000-01-01 00:00:00+00'
              AND w.refunded_at < timestamptz '9001-01-01 00:00:00+00' THEN w.refunded_at END AS refunded_at
FROM retention.cancellations c
CROSS JOIN LATERAL (
    -- By the key: with a limit for each round the planner does not read the whole view.
    SELECT o.amount, o.currency, o.refunded_at
    FROM retention.wallet_refunds o WHERE o.partner = c.partner AND o.round_id = c.round_id
    ORDER BY o.refunded_at LIMIT %(shown)s
) w
WHERE c.id = ANY (%(ids)s::bigint[])
ORDER BY c.id, w.refunded_at
