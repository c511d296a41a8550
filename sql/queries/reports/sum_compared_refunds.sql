-- Purpose: Sums up promised refunds beside what the wallet has given back. A round counts once; its promise and its
--     refunds are each summed under their own currency.
-- Locks: none.
-- Returns: a row per market and currency.
WITH

-- Rounds and totals select the same.
selected AS (
    -- include shared/report_selection.sql
)

SELECT
    s.market, part.currency, sum(part.rounds)::bigint AS count, coalesce(sum(part.amount), 0) AS amount,
    coalesce(sum(part.seen), 0) AS seen_amount,
    coalesce(sum(part.seen), 0) - coalesce(sum(part.amount), 0) AS difference
FROM selected s
CROSS JOIN LATERAL (
    -- include shared/seen_refunds.sql
) w
CROSS JOIN LATERAL (
    -- include shared/seen_money.sql
) m
CROSS JOIN LATERAL (VALUES
    (coalesce(s.currency, s.stake_currency), 1, NULL::numeric, NULL::numeric),
    (s.currency, 0, s.amount, NULL),
    (m.currency, 0, NULL, m.amount)
) AS part (currency, rounds, amount, seen)
WHERE part.rounds = 1 OR part.amount IS NOT NULL OR part.seen IS NOT NULL
GROUP BY s.market, part.currency
ORDER BY s.market COLLATE "C", part.currency COLLATE "C"
