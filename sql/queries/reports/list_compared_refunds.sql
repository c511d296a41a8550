-- Purpose: Lists cancelled rounds with their promised refunds beside what the wallet has given back.
-- Locks: none.
-- Returns: a row per cancellation, in the order of their outcomes, with the first refunds of each.
WITH

-- Rounds and totals select the same.
selected AS (
    -- include shared/report_selection.sql
)

SELECT
    -- include shared/promised_refund.sql
    , m.currency AS seen_currency, m.amount AS seen_amount, w.refunds AS seen_count, w.first_at AS seen_at,
    w.last_at AS last_seen_at, f.amounts, f.currencies
FROM selected s
CROSS JOIN LATERAL (VALUES (s.user_id)) AS u (user_id)
CROSS JOIN LATERAL (
    -- include shared/seen_refunds.sql
) w
CROSS JOIN LATERAL (
    -- include shared/seen_money.sql
) m
CROSS JOIN LATERAL (
    SELECT
        coalesce(array_agg(r.amount), '{}'::numeric[]) AS amounts,
        coalesce(array_agg(r.currency::text), '{}'::text[]) AS currencies
    FROM (
        -- include shared/first_refunds.sql
    ) r
) f
ORDER BY s.at, s.id
