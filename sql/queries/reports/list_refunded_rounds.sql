-- Purpose: Lists the rounds of a report, each with the sum and the first time of the wallet's refunds in the promised
--     currency; where nothing was promised, in their only currency.
-- Locks: none.
-- Returns: a row per cancellation, in the order of their outcomes.
WITH

-- Rounds and totals select the same.
selected AS (
    -- include shared/report_selection.sql
)

SELECT
    -- include shared/report_round.sql
    ,
    CASE WHEN s.currency IS NOT NULL THEN w.expected_amount
         WHEN w.only_currency IS NOT NULL THEN w.only_amount END AS refund_seen,
    CASE WHEN s.currency IS NOT NULL THEN w.expected_at
         WHEN w.only_currency IS NOT NULL THEN w.first_at END AS refund_seen_at
FROM selected s
CROSS JOIN LATERAL (VALUES (s.user_id)) AS u (user_id)
CROSS JOIN LATERAL (
    -- include shared/seen_refunds.sql
) w
ORDER BY s.at, s.id
