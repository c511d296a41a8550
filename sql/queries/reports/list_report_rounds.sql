-- Purpose: Lists the rounds of a report, where the operator has no view of the wallet.
-- Locks: none.
-- Returns: a row per cancellation, in the order of their outcomes.
WITH

-- Rounds and totals select the same.
selected AS (
    -- include shared/report_selection.sql
)

SELECT
    -- include shared/report_round.sql
    , NULL::numeric AS refund_seen, NULL::timestamptz AS refund_seen_at
FROM selected s
CROSS JOIN LATERAL (VALUES (s.user_id)) AS u (user_id)
ORDER BY s.at, s.id
