-- Purpose: Sums up a report. A round counts once; its refund and its stake are each summed under their own currency.
-- Locks: none.
-- Returns: a row per market, outcome and currency.
WITH

-- Rounds and totals select the same.
selected AS (
    -- include shared/report_selection.sql
)

SELECT
    s.market, s.outcome, part.currency, sum(part.rounds)::bigint AS count, coalesce(sum(part.amount), 0) AS amount,
    coalesce(sum(part.stake), 0) AS stake
FROM selected s
CROSS JOIN LATERAL (VALUES
    (coalesce(s.currency, s.stake_currency), 1, NULL::numeric, NULL::numeric),
    (s.currency, 0, s.amount, NULL),
    (s.stake_currency, 0, NULL, s.stake)
) AS part (currency, rounds, amount, stake)
WHERE part.rounds = 1 OR part.amount IS NOT NULL OR part.stake IS NOT NULL
GROUP BY s.market, s.outcome, part.currency
ORDER BY s.market COLLATE "C", s.outcome COLLATE "C", part.currency COLLATE "C"
