-- Purpose: Lists cancelled rounds with their promised refunds, where the operator has no view of the wallet.
-- Locks: none.
-- Returns: a row per cancellation, in the order of their outcomes.
WITH

-- Rounds and totals select the same.
selected AS (
    -- include shared/report_selection.sql
)

SELECT
    -- include shared/promised_refund.sql
    , NULL::text AS seen_currency, NULL::numeric AS seen_amount, NULL::bigint AS seen_count,
    NULL::timestamptz AS seen_at, NULL::timestamptz AS last_seen_at, NULL::numeric[] AS amounts,
    NULL::text[] AS currencies
FROM selected s
CROSS JOIN LATERAL (VALUES (s.user_id)) AS u (user_id)
ORDER BY s.at, s.id
