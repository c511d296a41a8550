-- Purpose: Sums up promised refunds, where the operator has no view of the wallet.
-- Locks: none.
-- Returns: a row per market and currency: a round counts under its refund's currency, else its stake's.
WITH

-- Rounds and totals select the same.
selected AS (
    -- include shared/report_selection.sql
)

SELECT
    s.market, part.currency, sum(part.rounds)::bigint AS count, coalesce(sum(part.amount), 0) AS amount,
    NULL::numeric AS seen_amount, NULL::numeric AS difference
FROM selected s
CROSS JOIN LATERAL (VALUES
    (coalesce(s.currency, s.stake_currency), 1, NULL::numeric),
    (s.currency, 0, s.amount)
) AS part (currency, rounds, amount)
WHERE part.rounds = 1 OR part.amount IS NOT NULL
GROUP BY s.market, part.currency
ORDER BY s.market COLLATE "C", part.currency COLLATE "C"
