-- Fragment: the wallet's first refunds of the cancellation `s`, at most `shown`, in the order of their times. A time
-- that no calendar has is NULL.
-- Reconciliations and reports judge the same refunds, so that they never disagree.
SELECT
    o.amount, o.currency,
    CASE WHEN o.refunded_at >= timestamptz '2000-01-01 00:00:00+00'
              AND o.refunded_at < timestamptz '9001-01-01 00:00:00+00' THEN o.refunded_at END AS refunded_at
FROM retention.wallet_refunds o
-- By the key: with a limit for each round the planner does not read the whole view.
WHERE o.partner = s.partner AND o.round_id = s.round_id
ORDER BY o.refunded_at, o.amount, o.currency LIMIT %(shown)s
